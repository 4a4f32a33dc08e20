//! The texts of AccessDeniedException (KMS Developer Guide, "Troubleshooting key access"; IAM
//! User Guide, "Troubleshoot access denied error messages").

use crate::aws::{Arn, ConditionKey};

use super::{AuthzRequest, Layer};

/// Why a request is denied, as far as its caller may know.
#[derive(Clone, Debug)]
pub(super) enum Reason<'a> {
    /// A Deny matched; the policy's ARN where it is a managed one of the caller's account.
    Explicit(Layer, Option<&'a Arn>),
    /// The layer allows nothing.
    Silent(Layer),
    /// The caller may not learn whether the resource exists.
    Hidden,
    /// The request gives a condition key that the policies read twice.
    Ambiguous,
    /// The policies read a condition key that the gateway can't tell for this service.
    Undetermined(&'a ConditionKey),
    /// The policies could not be evaluated.
    Unevaluated,
}

/// The resource as far as its caller may know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// By its ARN.
    Arn,
    /// The caller named it only by a ciphertext.
    Ciphertext,
    /// It is another account's.
    Hidden,
}

/// The text for a caller.
pub(super) fn message(request: &AuthzRequest, reason: &Reason<'_>, shown: Shown) -> String {
    let user = &request.caller.principal;
    let action = &request.action;
    let resource = match shown {
        Shown::Ciphertext => "the resource associated with this ciphertext".to_owned(),
        Shown::Arn if !matches!(reason, Reason::Hidden) => {
            format!("resource: {}", request.resource.arn().map_or("*", Arn::as_str))
        }
        Shown::Arn | Shown::Hidden => "this resource".to_owned(),
    };
    let because = match reason {
        Reason::Explicit(layer, arn) => {
            let (article, name) = layer_name(*layer);
            let arn = arn.map_or_else(String::new, |arn| format!(": {arn}"));
            format!("with an explicit deny in {article} {name}{arn}")
        }
        Reason::Silent(layer) => format!("because no {} allows the {action} action", layer_name(*layer).1),
        Reason::Hidden => "because the resource does not exist in this Region, no resource-based policies allow access, or a resource-based policy explicitly denies access".to_owned(),
        Reason::Ambiguous => "because the request gives a condition key more than once".to_owned(),
        Reason::Undetermined(key) => format!("because a policy reads the condition key {key}, which cannot be determined"),
        Reason::Unevaluated => "because the policies could not be evaluated".to_owned(),
    };
    format!("User: {user} is not authorized to perform: {action} on {resource} {because}")
}

fn layer_name(layer: Layer) -> (&'static str, &'static str) {
    match layer {
        Layer::ServiceControlPolicy => ("a", "service control policy"),
        Layer::ResourceControlPolicy => ("a", "resource control policy"),
        Layer::KeyPolicy | Layer::ResourcePolicy => ("a", "resource-based policy"),
        Layer::IdentityPolicy => ("an", "identity-based policy"),
        Layer::PermissionsBoundary => ("a", "permissions boundary"),
        Layer::SessionPolicy => ("a", "session policy"),
        Layer::Grant => ("a", "grant"),
    }
}
