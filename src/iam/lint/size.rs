use super::place::Spot;
use super::{Findings, rule};
use crate::iam::DocumentKind;

/// Largest document, how its size is counted, and of what it is the limit.
struct Limit {
    most: usize,
    counted: Counted,
    of: &'static str,
}

enum Counted {
    Bytes,
    Characters,
    /// White space does not count.
    Dense,
}

/// KMS Developer Guide, "Resource quotas"; IAM User Guide, "IAM and AWS STS quotas"; Organizations
/// User Guide, "Quotas and service limits". Other services' resources have limits of their own.
fn limit(kind: DocumentKind) -> Option<Limit> {
    let limit = |most, counted, of| Some(Limit { most, counted, of });
    match kind {
        DocumentKind::KeyPolicy => {
            limit(DocumentKind::MAX_KEY_POLICY_BYTES, Counted::Bytes, "a key policy has at most")
        }
        // The inline policies of a role; a managed policy, which can't be told from its text, takes 6,144.
        DocumentKind::IdentityPolicy => {
            limit(10_240, Counted::Dense, "the largest identity policy is a role's inline policy of")
        }
        DocumentKind::PermissionsBoundary => limit(6_144, Counted::Dense, "a managed policy has at most"),
        DocumentKind::SessionPolicy => limit(2_048, Counted::Characters, "a session policy has at most"),
        DocumentKind::ServiceControlPolicy => {
            limit(10_240, Counted::Characters, "a service control policy has at most")
        }
        DocumentKind::ResourceControlPolicy => {
            limit(5_120, Counted::Characters, "a resource control policy has at most")
        }
        DocumentKind::ResourcePolicy => None,
    }
}

pub(super) fn check(text: &str, kind: DocumentKind, findings: &mut Findings<'_>) {
    let Some(Limit { most, counted, of }) = limit(kind) else { return };
    let (size, unit) = match counted {
        Counted::Bytes => (text.len(), "bytes"),
        Counted::Characters => (text.chars().count(), "characters"),
        Counted::Dense => (text.chars().filter(|c| !c.is_whitespace()).count(), "characters without white space"),
    };
    if size > most {
        findings.add(&rule::TOO_LARGE, Spot::Document, format!("the document has {size} {unit}; {of} {most}"));
    }
}
