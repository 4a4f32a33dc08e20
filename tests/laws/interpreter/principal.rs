//! Whom a Principal element names.

use serde_json::Value;

use super::case::Case;
use super::document::list;

/// How a policy names the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// The user, the session, the federated user, the service; or everyone.
    Directly,
    /// The session's role.
    ByRole,
    /// The account.
    ByAccount,
}

/// How a statement's Principal names the caller, in each of its entries that does.
pub(super) fn naming(case: &Case, statement: &Value) -> Vec<Named> {
    entries(&statement["Principal"]).iter().filter_map(|(kind, text)| named(case, kind, text)).collect()
}

/// Whether a Deny is about the caller, by Principal or NotPrincipal.
pub(super) fn is_about(case: &Case, statement: &Value) -> bool {
    let Some(exempt) = statement.get("NotPrincipal") else {
        return !naming(case, statement).is_empty();
    };
    // A caller with a permissions boundary is denied whatever it lists; exempt is only who is named
    // exactly. The account's entry exempts its root user alone, a role's entry none of its sessions.
    if case.boundary.is_some() {
        return true;
    }
    !entries(exempt).iter().any(|(kind, text)| match named(case, kind, text) {
        Some(Named::Directly) => true,
        Some(Named::ByAccount) => case.is_root(),
        Some(Named::ByRole) => case.principal == *text,
        None => false,
    })
}

/// `(type, text)` of each entry.
fn entries(principal: &Value) -> Vec<(String, String)> {
    match principal {
        Value::String(text) => vec![("AWS".to_owned(), text.clone())],
        Value::Object(types) => types
            .iter()
            .flat_map(|(kind, entries)| list(entries).into_iter().map(move |entry| (kind.clone(), entry)))
            .collect(),
        _ => Vec::new(),
    }
}

/// How the entry names the caller; none where it does not. Text is compared with its case.
fn named(case: &Case, kind: &str, entry: &str) -> Option<Named> {
    match kind {
        "AWS" => named_by_arn(case, entry),
        "Service" => (entry == case.principal).then_some(Named::Directly),
        // Callers of identity providers and canonical users are none of ours.
        _ => None,
    }
}

/// As a member `AWS` of a Principal, or a grant, names principals.
pub(super) fn named_by_arn(case: &Case, entry: &str) -> Option<Named> {
    if entry == "*" {
        return Some(Named::Directly);
    }
    let account = case.account()?;
    if entry == account || (entry.starts_with("arn:") && entry.ends_with(&format!(":iam::{account}:root"))) {
        return Some(Named::ByAccount);
    }
    if case.principal == entry {
        return Some(if entry.contains(":role/") { Named::ByRole } else { Named::Directly });
    }
    if case.role_arn().as_deref() == Some(entry) {
        return Some(Named::ByRole);
    }
    if case.beyond.unique_id.as_deref() == Some(entry) {
        return Some(if entry.starts_with("AROA") { Named::ByRole } else { Named::Directly });
    }
    None
}
