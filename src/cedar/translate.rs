//! One statement as Cedar policies.

use std::collections::BTreeSet;
use std::fmt::{self, Write};
use std::sync::Arc;

use crate::iam::{DocumentKind, Effect, PrincipalElement, PrincipalPattern, Statement, Version};

use super::actions::{self, ActionScope, ActionUid, Universe};
use super::atoms::{Atom, AtomKind, PreparedCondition};
use super::attributes::Attribute;
use super::schema::Inputs;
use super::text::{any_of, string};
use super::{conditions, layout, resources};

/// What kind of grant a principal pattern makes: whether an implicit deny in the caller's own
/// policies limits it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PrincipalClass {
    /// `*`: a direct grant.
    Any,
    /// The account: a delegation to its IAM policies.
    Account,
    /// A role: limited by boundary and session policy.
    Role,
    /// A user or another principal named exactly: a direct grant.
    User,
    /// A session or a federated user: a direct grant.
    Session,
}

impl PrincipalClass {
    /// As `@principal_class` says it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Account => "account",
            Self::Role => "role",
            Self::User => "user",
            Self::Session => "session",
        }
    }
}

/// Something that must hold, or must not, below a policy's scope.
#[derive(Clone, Debug)]
pub(super) enum Clause {
    When(String),
    Unless(String),
}

impl fmt::Display for Clause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, text) = match self {
            Self::When(text) => ("when", text),
            Self::Unless(text) => ("unless", text),
        };
        // What is around the text in one line.
        match layout::expression(text, word.len() + 5, 2) {
            broken if broken.contains('\n') => write!(f, "{word} {{\n  {broken}\n}}"),
            line => write!(f, "{word} {{ {line} }}"),
        }
    }
}

/// How a document is rendered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mode {
    /// Every condition by an atom: exact also for values that have not their key's type.
    pub(super) atoms_only: bool,
    /// For a caller with a permissions boundary: NotPrincipal exempts nobody.
    pub(super) bounded: bool,
}

/// Collects what the text of one policy reads; atoms are numbered through the document.
pub(super) struct Sink<'a> {
    mode: Mode,
    pub(super) inputs: Inputs,
    atoms: &'a mut Vec<Atom>,
}

impl<'a> Sink<'a> {
    fn new(mode: Mode, atoms: &'a mut Vec<Atom>) -> Self {
        Self { mode, inputs: Inputs::default(), atoms }
    }

    pub(super) fn atoms_only(&self) -> bool {
        self.mode.atoms_only
    }

    pub(super) fn attribute(&mut self, attribute: &Attribute) {
        self.inputs.attributes.insert(attribute.clone());
    }

    /// The policy reads the resource's ARN.
    pub(super) fn resource(&mut self) {
        self.inputs.resource = true;
    }

    /// A new atom, as an expression.
    pub(super) fn atom(&mut self, kind: AtomKind) -> String {
        let name = format!("A{}", self.atoms.len() + 1);
        let expression = format!("context.atoms.{name}");
        self.inputs.atoms.push(name.clone());
        self.atoms.push(Atom { name, kind });
        expression
    }
}

/// One Cedar policy.
#[derive(Clone, Debug)]
pub(super) struct TranslatedPolicy {
    pub(super) statement: u32,
    pub(super) class: Option<PrincipalClass>,
    pub(super) text: String,
    pub(super) inputs: Inputs,
    pub(super) actions: BTreeSet<ActionUid>,
}

/// The statement's policies: none where it has no effect, several where its Principal list
/// mixes classes.
#[expect(clippy::too_many_arguments, reason = "what a document has in common, and one statement of it")]
pub(super) fn statement(
    kind: DocumentKind,
    version: Version,
    index: u32,
    statement: &Statement,
    prepared: &[Arc<PreparedCondition>],
    universe: &Universe,
    mode: Mode,
    atoms: &mut Vec<Atom>,
) -> Vec<TranslatedPolicy> {
    let mut sink = Sink::new(mode, atoms);
    sink.inputs.principal = statement.principal.is_some();
    let mut named = BTreeSet::new();
    let mut clauses = Vec::new();
    let action = match ActionScope::of(statement, universe) {
        ActionScope::Nothing => return Vec::new(),
        ActionScope::All => "action".to_owned(),
        ActionScope::Only(uids) => {
            named.extend(uids.iter().cloned());
            match actions::constraints(&uids).as_slice() {
                [one] => one.clone(),
                several => {
                    clauses.push(Clause::When(any_of(several)));
                    "action".to_owned()
                }
            }
        }
        ActionScope::Except(uids) => {
            named.extend(uids.iter().cloned());
            clauses.push(Clause::Unless(any_of(&actions::constraints(&uids))));
            "action".to_owned()
        }
    };
    let Some(principals) = principals(statement.principal.as_ref(), mode, &mut clauses) else {
        return Vec::new();
    };
    let Some((resource, resource_clause)) = resources::translate(statement, kind, &mut sink) else {
        return Vec::new();
    };
    clauses.extend(resource_clause);
    let mut conditions: Vec<Clause> =
        prepared.iter().map(|prepared| conditions::translate(prepared, version, &mut sink)).collect();
    let may_err: Vec<_> = prepared.iter().filter(|prepared| prepared.values.may_err()).cloned().collect();
    if statement.effect == Effect::Deny && !may_err.is_empty() {
        // A statement in error denies, whatever its other conditions say.
        let error = sink.atom(AtomKind::Error(may_err));
        for clause in &mut conditions {
            *clause = Clause::When(match clause {
                Clause::When(text) => format!("{error} || ({text})"),
                Clause::Unless(text) => format!("{error} || !({text})"),
            });
        }
    }
    clauses.extend(conditions);
    let inputs = sink.inputs;
    principals
        .into_iter()
        .map(|Scope { class, principal, clause }| {
            let mut text = annotations(kind, index, statement, class);
            let effect = if statement.effect == Effect::Allow { "permit" } else { "forbid" };
            let one_line = format!("{effect} ({principal}, {action}, {resource})");
            if one_line.len() <= 100 {
                text.push_str(&one_line);
            } else {
                let action = layout::expression(&action, 8, 8);
                let _ = write!(text, "{effect} ({principal},\n        {action},\n        {resource})");
            }
            for clause in clause.iter().chain(&clauses) {
                let _ = write!(text, "\n{clause}");
            }
            text.push(';');
            TranslatedPolicy { statement: index, class, text, inputs: inputs.clone(), actions: named.clone() }
        })
        .collect()
}

fn annotations(kind: DocumentKind, index: u32, statement: &Statement, class: Option<PrincipalClass>) -> String {
    let mut text = String::new();
    if let Some(sid) = &statement.sid {
        let _ = write!(text, "@sid({}) ", string(sid));
    }
    let _ = write!(text, "@source(\"{}[0]#{index}\")", layer_name(kind));
    if let Some(class) = class {
        let _ = write!(text, " @principal_class(\"{}\")", class.as_str());
    }
    text.push('\n');
    text
}

/// The layer that a kind of document belongs to, as `@source` names it.
fn layer_name(kind: DocumentKind) -> &'static str {
    match kind {
        DocumentKind::KeyPolicy => "key_policy",
        DocumentKind::IdentityPolicy => "identity_policy",
        DocumentKind::PermissionsBoundary => "permissions_boundary",
        DocumentKind::SessionPolicy => "session_policy",
        DocumentKind::ServiceControlPolicy => "service_control_policy",
        DocumentKind::ResourceControlPolicy => "resource_control_policy",
        DocumentKind::ResourcePolicy => "resource_policy",
    }
}

/// The principal part of one policy.
struct Scope {
    class: Option<PrincipalClass>,
    principal: String,
    clause: Option<Clause>,
}

/// The principal scopes, one for each class; none where the element matches nobody. NotPrincipal
/// adds its exemption to `clauses`.
fn principals(element: Option<&PrincipalElement>, mode: Mode, clauses: &mut Vec<Clause>) -> Option<Vec<Scope>> {
    let everyone = |class| Scope { class, principal: "principal".to_owned(), clause: None };
    match element {
        None => Some(vec![everyone(None)]),
        Some(PrincipalElement::NotPrincipal(patterns)) => {
            if !mode.bounded {
                if patterns.contains(&PrincipalPattern::Anyone) {
                    return None;
                }
                let exempt: Vec<String> = patterns.iter().filter_map(exact).collect();
                if !exempt.is_empty() {
                    clauses.insert(0, Clause::Unless(any_of(&exempt)));
                }
            }
            Some(vec![everyone(None)])
        }
        Some(PrincipalElement::Principal(patterns)) => {
            let found: BTreeSet<PrincipalClass> = patterns.iter().map(class).collect();
            let scope = |class_of: PrincipalClass| {
                let mut tests: Vec<String> =
                    patterns.iter().filter(|pattern| class(pattern) == class_of).filter_map(test).collect();
                tests.dedup();
                match tests.as_slice() {
                    [] => everyone(Some(class_of)),
                    [one] => Scope { class: Some(class_of), principal: one.clone(), clause: None },
                    several => Scope {
                        class: Some(class_of),
                        principal: "principal".to_owned(),
                        clause: Some(Clause::When(any_of(several))),
                    },
                }
            };
            Some(found.into_iter().map(scope).collect())
        }
    }
}

fn class(pattern: &PrincipalPattern) -> PrincipalClass {
    match pattern {
        PrincipalPattern::Anyone => PrincipalClass::Any,
        PrincipalPattern::Account(_) => PrincipalClass::Account,
        PrincipalPattern::Role(_) => PrincipalClass::Role,
        PrincipalPattern::UniqueId(id) if id.starts_with("AROA") => PrincipalClass::Role,
        PrincipalPattern::Session(_) | PrincipalPattern::FederatedUser(_) => PrincipalClass::Session,
        PrincipalPattern::User(_)
        | PrincipalPattern::UniqueId(_)
        | PrincipalPattern::Service(_)
        | PrincipalPattern::Federated(_)
        | PrincipalPattern::CanonicalUser(_) => PrincipalClass::User,
    }
}

/// The test that a principal is meant; none where everyone is.
fn test(pattern: &PrincipalPattern) -> Option<String> {
    Some(match pattern {
        PrincipalPattern::Anyone => return None,
        PrincipalPattern::Account(account) => format!("principal in aws::Account::{}", string(account.as_str())),
        PrincipalPattern::Role(arn) => format!("principal in iam::Role::{}", string(arn.as_str())),
        exact => exactly(exact),
    })
}

/// The test that a principal is exactly the one listed: NotPrincipal exempts no account's or
/// role's descendants. None for an entry that can exempt nobody: no caller is exactly a role's
/// unique id.
fn exact(pattern: &PrincipalPattern) -> Option<String> {
    match pattern {
        PrincipalPattern::UniqueId(_) if class(pattern) == PrincipalClass::Role => None,
        exact => Some(exactly(exact)),
    }
}

fn exactly(pattern: &PrincipalPattern) -> String {
    let (type_name, id) = match pattern {
        PrincipalPattern::User(arn) => ("iam::User", arn.as_str()),
        PrincipalPattern::Session(arn) => ("iam::Session", arn.as_str()),
        PrincipalPattern::FederatedUser(arn) => ("sts::FederatedUser", arn.as_str()),
        PrincipalPattern::Service(name) => ("aws::Service", name.as_str()),
        PrincipalPattern::Federated(name) => ("aws::Federated", name.as_str()),
        PrincipalPattern::CanonicalUser(id) => ("aws::CanonicalUser", id.as_str()),
        PrincipalPattern::Role(arn) => ("iam::Role", arn.as_str()),
        PrincipalPattern::Account(account) => ("iam::RootUser", account.as_str()),
        PrincipalPattern::UniqueId(id) => return format!("principal in iam::UniqueId::{}", string(id)),
        PrincipalPattern::Anyone => return "true".to_owned(),
    };
    format!("principal == {type_name}::{}", string(id))
}
