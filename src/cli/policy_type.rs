use crate::iam::DocumentKind;

/// What a policy is attached to, as `--type` names it.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(super) enum PolicyType {
    /// A KMS key's policy
    Key,
    /// A policy of a user, a group or a role
    Identity,
    /// A permissions boundary
    Boundary,
    /// A session policy
    Session,
    /// A service control policy
    Scp,
    /// A resource control policy
    Rcp,
    /// Another service's resource policy, or a role's trust policy
    Resource,
}

impl From<PolicyType> for DocumentKind {
    fn from(policy_type: PolicyType) -> Self {
        match policy_type {
            PolicyType::Key => Self::KeyPolicy,
            PolicyType::Identity => Self::IdentityPolicy,
            PolicyType::Boundary => Self::PermissionsBoundary,
            PolicyType::Session => Self::SessionPolicy,
            PolicyType::Scp => Self::ServiceControlPolicy,
            PolicyType::Rcp => Self::ResourceControlPolicy,
            PolicyType::Resource => Self::ResourcePolicy,
        }
    }
}

/// Whether a statement names principals; false also for what is no policy, which the parser then
/// tells of.
pub(super) fn has_principals(document: &serde_json::Value) -> bool {
    statements(document)
        .iter()
        .any(|statement| statement.get("Principal").is_some() || statement.get("NotPrincipal").is_some())
}

/// The kind of a policy that nothing else tells: with principals it is a key's, or where its
/// actions are all of other services, another resource's; without, an identity's.
pub(super) fn likely_kind(document: &serde_json::Value) -> DocumentKind {
    if !has_principals(document) {
        return DocumentKind::IdentityPolicy;
    }
    let of_other_services = |text: &str| {
        text.split_once(':').is_some_and(|(service, _)| !service.eq_ignore_ascii_case("kms") && !service.contains('*'))
    };
    let actions: Vec<&str> = statements(document)
        .iter()
        .flat_map(|statement| [statement.get("Action"), statement.get("NotAction")])
        .flatten()
        .flat_map(|element| match element {
            serde_json::Value::Array(list) => list.as_slice(),
            one => std::slice::from_ref(one),
        })
        .filter_map(serde_json::Value::as_str)
        .collect();
    if !actions.is_empty() && actions.into_iter().all(of_other_services) {
        DocumentKind::ResourcePolicy
    } else {
        DocumentKind::KeyPolicy
    }
}

fn statements(document: &serde_json::Value) -> &[serde_json::Value] {
    match document.get("Statement") {
        Some(serde_json::Value::Array(statements)) => statements,
        Some(statement) => std::slice::from_ref(statement),
        None => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_of_what_its_statements_name() {
        for (statement, expected) in [
            (r#"{"Action": "kms:*"}"#, DocumentKind::IdentityPolicy),
            (r#"{"Principal": "*", "Action": "kms:*"}"#, DocumentKind::KeyPolicy),
            (r#"{"NotPrincipal": "*", "Action": ["s3:*", "*"]}"#, DocumentKind::KeyPolicy),
            (r#"[{"Principal": "*"}]"#, DocumentKind::KeyPolicy),
            (r#"[{"Principal": "*", "Action": "s3:*"}]"#, DocumentKind::ResourcePolicy),
            (
                r#"[{"Principal": {"Service": "ec2.amazonaws.com"}, "Action": ["sts:AssumeRole"]}]"#,
                DocumentKind::ResourcePolicy,
            ),
            ("7", DocumentKind::IdentityPolicy),
        ] {
            let document = serde_json::from_str(&format!(r#"{{"Statement": {statement}}}"#)).unwrap();
            assert_eq!(likely_kind(&document), expected, "{statement}");
        }
    }
}
