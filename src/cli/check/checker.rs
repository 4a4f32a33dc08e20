use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zeroize::Zeroizing;

use super::files::{self, Candidate, Role};
use super::rules;
use crate::cli::policy_type::likely_kind;
use crate::config::{AdminToken, Config, ConfigError, Overrides, read_secret};
use crate::iam::DocumentKind;
use crate::iam::lint::{Rule, lint};
use crate::identity::{AuthorizationDetails, parse_credentials, parse_organization};

/// What was checked and found.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// How many files were read.
    pub(super) files: usize,
    pub(super) findings: Vec<Finding>,
}

/// One finding in one file.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) file: String,
    /// Line and column, both from 1; none where the whole file is meant.
    pub(super) place: Option<(u32, u32)>,
    pub(super) rule: &'static Rule,
    /// The statement of a policy, from 0.
    pub(super) statement: Option<usize>,
    pub(super) what: String,
    pub(super) mend: String,
}

impl Outcome {
    /// Whether something could not be read at all.
    pub(super) fn is_unreadable(&self) -> bool {
        self.findings.iter().any(|finding| ["unreadable", "syntax"].contains(&finding.rule.name))
    }
}

/// Checks files, each once.
pub(super) struct Checker {
    /// The kind of policies of which no configuration says it.
    kind: Option<DocumentKind>,
    seen: BTreeSet<PathBuf>,
    /// Where each access key stands.
    access_keys: BTreeMap<String, String>,
    outcome: Outcome,
}

impl Checker {
    pub(super) fn new(kind: Option<DocumentKind>) -> Self {
        Self { kind, seen: BTreeSet::new(), access_keys: BTreeMap::new(), outcome: Outcome::default() }
    }

    pub(super) fn run(mut self, paths: &[PathBuf]) -> Outcome {
        let (candidates, failed) = files::candidates(paths);
        for (path, error) in failed {
            self.unreadable(&path, None, format!("cannot be listed: {error}"));
        }
        let mut read = Vec::new();
        for Candidate { path, named } in candidates {
            if let Some(text) = self.read(&path) {
                read.push((files::role(&path, &text), path, text, named));
            }
        }
        read.sort_by_key(|(role, ..)| *role);
        for (role, path, text, named) in read {
            // What a file names is checked with it, and is not met a second time.
            match role {
                Role::Configuration => self.configuration(&path, &text),
                Role::Credentials => self.credentials(&path, &text),
                Role::Organization => self.organization(&path, &text),
                Role::Json => self.json(&path, &text, named),
            }
        }
        if self.outcome.files == 0 && self.outcome.findings.is_empty() {
            let path = paths.first().map_or(Path::new("."), PathBuf::as_path);
            self.unreadable(path, None, "holds no policy and no configuration".to_owned());
        }
        self.outcome.findings.sort_by(|a, b| (&a.file, a.place, a.rule.name).cmp(&(&b.file, b.place, b.rule.name)));
        self.outcome
    }

    /// A file's text; what can't be read is a finding.
    fn read(&mut self, path: &Path) -> Option<Zeroizing<String>> {
        match read_secret(path, "read it") {
            Ok(text) => Some(text),
            Err(error) => {
                self.unreadable(path, error.place, error.message);
                None
            }
        }
    }

    /// Whether the file was not checked yet.
    fn is_new(&mut self, path: &Path) -> bool {
        let new = self.seen.insert(path.canonicalize().unwrap_or_else(|_| path.to_path_buf()));
        self.outcome.files += usize::from(new);
        new
    }

    fn configuration(&mut self, path: &Path, text: &str) {
        if !self.is_new(path) || !self.is_toml(path, text) {
            return;
        }
        let config = match Config::from_text(Some(path), text, &Overrides::default()) {
            Ok(config) => config,
            Err(error) => return self.refused(&rules::CONFIGURATION, path, &error),
        };
        for file in &config.iam.authorization_details {
            if let Some(text) = self.read(file) {
                self.details(file, &text);
            }
        }
        for file in config.iam.credentials.iter().flatten() {
            if matches!(std::fs::exists(file), Ok(false)) {
                let rule = &rules::MISSING_CREDENTIALS;
                self.add(
                    rule,
                    path,
                    place_of(file, text),
                    format!("there is no {}", file.display()),
                    rule.mend.to_owned(),
                );
            } else if let Some(text) = self.read(file) {
                self.credentials(file, &text);
            }
        }
        if let Some(tls) = &config.tls
            && let Err(error) = tls.load()
        {
            self.refused(&rules::CONFIGURATION, path, &error);
        }
        if let Some(file) = &config.admin_token_file
            && let Err(error) = AdminToken::load(file)
        {
            self.refused(&rules::CONFIGURATION, path, &error);
        }
        if let Some(file) = &config.iam.organization
            && let Some(text) = self.read(file)
        {
            self.organization(file, &text);
        }
    }

    fn credentials(&mut self, path: &Path, text: &str) {
        if !self.is_new(path) || !self.is_toml(path, text) {
            return;
        }
        let entries = match parse_credentials(&shown(path), text) {
            Ok(entries) => entries,
            Err(error) => return self.refused(&rules::CREDENTIALS, path, &error.into()),
        };
        for entry in entries {
            let place = format!("{}:{}", path.display(), entry.place.0);
            if let Some(other) = self.access_keys.insert(entry.id.clone(), place) {
                let what = format!("{}.id: `{}` is in {other} already", entry.member, entry.id);
                self.add(&rules::CREDENTIALS, path, Some(entry.place), what, "give each key its own id".to_owned());
            }
            for policy in &entry.session_policies {
                self.named(path, &policy.path, policy.place, DocumentKind::SessionPolicy);
            }
        }
    }

    fn organization(&mut self, path: &Path, text: &str) {
        if !self.is_new(path) || !self.is_toml(path, text) {
            return;
        }
        let entries = match parse_organization(&shown(path), text) {
            Ok(entries) => entries,
            Err(error) => {
                self.named_in_spite(path, text);
                return self.refused(&rules::ORGANIZATION, path, &error.into());
            }
        };
        for entry in &entries {
            for (levels, kind) in [
                (&entry.service_control_policies, DocumentKind::ServiceControlPolicy),
                (&entry.resource_control_policies, DocumentKind::ResourceControlPolicy),
            ] {
                for policy in levels.iter().flatten() {
                    self.named(path, &policy.path, policy.place, kind);
                }
            }
        }
    }

    /// The policies that an organization file with a fault names, so that they are not taken for
    /// others.
    fn named_in_spite(&mut self, path: &Path, text: &str) {
        fn paths(value: &toml::Value, into: &mut Vec<PathBuf>) {
            match value {
                toml::Value::String(path) => into.push(path.into()),
                toml::Value::Array(items) => items.iter().for_each(|item| paths(item, into)),
                _ => {}
            }
        }
        let table: toml::Table = text.parse().unwrap_or_default();
        let accounts = table.get("account").and_then(toml::Value::as_array);
        for account in accounts.into_iter().flatten() {
            for (member, kind) in [
                ("service_control_policies", DocumentKind::ServiceControlPolicy),
                ("resource_control_policies", DocumentKind::ResourceControlPolicy),
            ] {
                let mut named = Vec::new();
                account.get(member).into_iter().for_each(|levels| paths(levels, &mut named));
                for file in named.iter().map(|file| path.parent().unwrap_or(Path::new("")).join(file)) {
                    if let Ok(text) = read_secret(&file, "read the policy") {
                        self.policy(&file, &text, kind);
                    }
                }
            }
        }
    }

    /// A policy that a file names, relative to itself.
    fn named(&mut self, by: &Path, relative: &Path, place: (u32, u32), kind: DocumentKind) {
        let file = by.parent().unwrap_or(Path::new("")).join(relative);
        match read_secret(&file, "read the policy") {
            Ok(text) => self.policy(&file, &text, kind),
            Err(error) => self.unreadable(by, Some(place), error.to_string()),
        }
    }

    /// A policy or authorization details; another JSON file that was not named is left alone.
    fn json(&mut self, path: &Path, text: &str, named: bool) {
        let tree: serde_json::Value = match serde_json::from_str(text) {
            Ok(tree) => tree,
            Err(_) if !named && !text.contains("\"Statement\"") => return self.not_json(path, text),
            Err(_) => serde_json::Value::Null,
        };
        let has = |members: &[&str]| members.iter().any(|member| tree.get(member).is_some());
        if has(&["UserDetailList", "RoleDetailList", "GroupDetailList"]) {
            self.details(path, text);
        } else if named || tree.is_null() || has(&["Statement"]) {
            let kind = self.kind.unwrap_or_else(|| likely_kind(&tree));
            self.policy(path, text, kind);
        }
    }

    fn policy(&mut self, path: &Path, text: &str, kind: DocumentKind) {
        if !self.is_new(path) {
            return;
        }
        for finding in lint(text, kind) {
            self.outcome.findings.push(Finding {
                file: path.display().to_string(),
                place: Some((finding.line, finding.column)),
                rule: finding.rule,
                statement: finding.statement,
                what: finding.what,
                mend: finding.mend,
            });
        }
    }

    fn details(&mut self, path: &Path, text: &str) {
        if !self.is_new(path) {
            return;
        }
        if serde_json::from_str::<serde::de::IgnoredAny>(text).is_err() {
            return self.not_json(path, text);
        }
        let details = match AuthorizationDetails::parse(&shown(path), text) {
            Ok(details) => details,
            Err(error) => return self.refused(&rules::AUTHORIZATION_DETAILS, path, &error.into()),
        };
        for (kind, document) in details.documents() {
            for finding in lint(document.text(), kind) {
                self.outcome.findings.push(Finding {
                    file: path.display().to_string(),
                    place: Some(document.place_in_the_file((finding.line, finding.column))),
                    rule: finding.rule,
                    statement: finding.statement,
                    what: format!("{}: {}", document.member(), finding.what),
                    mend: finding.mend,
                });
            }
        }
    }

    fn not_json(&mut self, path: &Path, text: &str) {
        if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(text) {
            let number = |n: usize| u32::try_from(n.max(1)).unwrap_or(u32::MAX);
            let place = (number(error.line()), number(error.column()));
            self.unreadable(path, Some(place), format!("not JSON: {error}"));
        }
    }

    fn is_toml(&mut self, path: &Path, text: &str) -> bool {
        let Err(error) = text.parse::<toml::Table>() else { return true };
        let file = shown(path);
        let error = crate::identity::Source::new(&file, text).toml(&error);
        self.unreadable(path, error.place, format!("not TOML: {}", error.message));
        false
    }

    /// What `serve` would not start with. The error may be about another file.
    fn refused(&mut self, rule: &'static Rule, path: &Path, error: &ConfigError) {
        let file = error.file.clone().unwrap_or_else(|| path.display().to_string());
        let separator = if error.member.is_empty() { "" } else { ": " };
        let what = format!("{}{separator}{}", error.member, error.message);
        self.add(rule, Path::new(&file), error.place, what, rule.mend.to_owned());
    }

    fn unreadable(&mut self, path: &Path, place: Option<(u32, u32)>, what: String) {
        self.add(&rules::UNREADABLE, path, place, what, rules::UNREADABLE.mend.to_owned());
    }

    fn add(&mut self, rule: &'static Rule, path: &Path, place: Option<(u32, u32)>, what: String, mend: String) {
        let file = path.display().to_string();
        self.outcome.findings.push(Finding { file, place, rule, statement: None, what, mend });
    }
}

/// Where a text names a file, by the file's own name.
fn place_of(file: &Path, text: &str) -> Option<(u32, u32)> {
    let name = file.file_name()?.to_str()?;
    let (line, column) = text.lines().enumerate().find_map(|(line, content)| Some((line, content.find(name)?)))?;
    Some((u32::try_from(line + 1).ok()?, u32::try_from(column + 1).ok()?))
}

fn shown(path: &Path) -> Arc<str> {
    path.display().to_string().into()
}
