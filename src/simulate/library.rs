//! Policies that cases name or bear, each read and compiled once.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use siphasher::sip128::{Hasher128, SipHasher13};

use super::fault::Problem;
use super::members::{Member, Members};
use super::policy_set::PolicySet;
use crate::authz::{AttachedDocument, DocumentSource};
use crate::cedar::{CompileError, Documents};
use crate::iam::DocumentKind;

/// Reads a policy's file.
pub type ReadFile = dyn Fn(&Path) -> io::Result<String> + Send + Sync;

/// Every policy that cases have named or borne so far, compiled. Its memory is bounded: what was
/// not used lately is read and compiled again.
pub struct Library {
    documents: Documents,
    read: Box<ReadFile>,
    files: RwLock<HashMap<PathBuf, Arc<str>>>,
    sets: RwLock<Sets>,
    hasher: SipHasher13,
}

/// The sets of policies that cases bore lately, by what their members say.
#[derive(Default)]
struct Sets {
    by_members: HashMap<u128, Arc<PolicySet>>,
    /// Bytes of the members that made them.
    bytes: usize,
}

impl Library {
    /// Most memory that compiled policies may take, in bytes.
    pub const MAX_BYTES: u64 = 64 << 20;

    /// Most files whose text is kept.
    const MAX_FILES: usize = 1024;

    /// Most sets of policies that are kept, and most bytes of the members that made them. A set
    /// keeps its documents, which take many times their text.
    const MAX_SETS: usize = 4096;
    const MAX_SET_BYTES: usize = 2 << 20;

    /// A library whose files are read by `read`.
    #[must_use]
    pub fn new(read: Box<ReadFile>) -> Self {
        // Random for each process: no input can be made to collide.
        let random = || RandomState::new().build_hasher().finish();
        Self {
            // A stream may bring a policy with every case; `check` and `serve` validate.
            documents: Documents::unvalidated(Self::MAX_BYTES),
            read,
            files: RwLock::default(),
            sets: RwLock::default(),
            hasher: SipHasher13::new_with_keys(random(), random()),
        }
    }

    /// The policies of a case, those of an earlier case with equal members where it had them.
    pub(super) fn policies(&self, members: &Members<'_>, base: &Path) -> Result<Arc<PolicySet>, Problem> {
        let mut hasher = self.hasher;
        hasher.write(base.as_os_str().as_encoded_bytes());
        let mut bytes = 0;
        for member in members.policies() {
            let json = member.map_or("", |member| &*member.json);
            hasher.write_usize(json.len());
            hasher.write(json.as_bytes());
            bytes += json.len();
        }
        let key = hasher.finish128().as_u128();
        if let Some(known) = self.sets.read().unwrap_or_else(PoisonError::into_inner).by_members.get(&key) {
            return Ok(Arc::clone(known));
        }
        let made = Arc::new(PolicySet::read(members, self, base)?);
        let mut sets = self.sets.write().unwrap_or_else(PoisonError::into_inner);
        if sets.by_members.len() >= Self::MAX_SETS || sets.bytes.saturating_add(bytes) > Self::MAX_SET_BYTES {
            *sets = Sets::default();
        }
        sets.bytes += bytes;
        Ok(Arc::clone(sets.by_members.entry(key).or_insert(made)))
    }

    /// The document of a member: an object is the policy itself, a string the path of its file,
    /// relative to `base`.
    pub(super) fn document(
        &self,
        kind: DocumentKind,
        member: &Member<'_>,
        name: &str,
        base: &Path,
    ) -> Result<AttachedDocument, Problem> {
        if member.json.starts_with('{') {
            let document = self.documents.compile(kind, &member.json).map_err(|error| inline(member, name, &error))?;
            return Ok(document.into());
        }
        let Ok(path) = member.text(name) else {
            return Err(
                member.problem(format!("{name}: write a policy (an object) or the path of its file (a string)"))
            );
        };
        let path = base.join(&*path);
        let shown = tidy(&path).display().to_string();
        let text = self.text(&path).map_err(|error| member.problem(format!("{name}: {shown}: {error}")))?;
        let document = self.documents.compile(kind, &text).map_err(|error| {
            let place = match (&error.parse, error.line) {
                (Some(parse), _) => format!(":{}:{}", parse.line, parse.column),
                (None, Some(line)) => format!(":{line}"),
                (None, None) => String::new(),
            };
            member.problem(format!("{name}: {shown}{place}: {}", in_words(&error)))
        })?;
        let source = DocumentSource { file: shown.into(), first_line: Some(1) };
        Ok(AttachedDocument { source: Some(source), ..document.into() })
    }

    fn text(&self, path: &Path) -> io::Result<Arc<str>> {
        if let Some(known) = self.files.read().unwrap_or_else(PoisonError::into_inner).get(path) {
            return Ok(Arc::clone(known));
        }
        let text: Arc<str> = (self.read)(path)?.into();
        let mut files = self.files.write().unwrap_or_else(PoisonError::into_inner);
        if files.len() >= Self::MAX_FILES {
            files.clear();
        }
        files.insert(path.to_owned(), Arc::clone(&text));
        Ok(text)
    }
}

impl fmt::Debug for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Library").finish_non_exhaustive()
    }
}

/// The path without the steps that take another one back, so that a file has one name.
fn tidy(path: &Path) -> PathBuf {
    let mut tidy = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir if matches!(tidy.components().next_back(), Some(Component::Normal(_))) => {
                tidy.pop();
            }
            Component::CurDir => {}
            part => tidy.push(part),
        }
    }
    tidy
}

/// The problem of a policy that a case bears.
fn inline(member: &Member<'_>, name: &str, error: &CompileError) -> Problem {
    let within = match (&error.parse, error.line) {
        (Some(parse), _) => Some((parse.line, parse.column)),
        (None, line) => line.map(|line| (line, 1)),
    };
    Problem { within: within.filter(|_| member.verbatim), ..member.problem(format!("{name}: {}", in_words(error))) }
}

/// What is wrong with a policy, and in which of its elements, without the line.
fn in_words(error: &CompileError) -> String {
    match &error.parse {
        Some(parse) if parse.path.is_empty() => parse.message.clone(),
        Some(parse) => format!("{}: {}", parse.path, parse.message),
        None => error.message.clone(),
    }
}
