//! What a case's context holds beside what the case gives: what follows from principal, resource,
//! action and time.

use super::case::{Case, Context, Values, look_up};

/// The whole context of a case.
pub(super) fn context(case: &Case) -> Context {
    let mut context = case.context.clone();
    let mut imply = |key: &str, value: Option<String>| {
        if let (None, Some(value)) = (look_up(&context, key), value) {
            context.insert(key.to_owned(), Values::one(&value));
        }
    };
    let resource = |kind: &str| case.principal.splitn(6, ':').nth(5).is_some_and(|resource| resource.starts_with(kind));
    let kind = if case.principal == "anonymous" {
        "Anonymous"
    } else if !case.principal.starts_with("arn:") {
        "Service"
    } else if case.is_root() {
        "Account"
    } else if resource("user/") {
        "User"
    } else if resource("federated-user/") {
        "FederatedUser"
    } else {
        "AssumedRole"
    };
    imply("aws:PrincipalType", Some(kind.to_owned()));
    imply("aws:PrincipalAccount", case.account().map(str::to_owned));
    let itself = || case.principal.starts_with("arn:").then(|| case.principal.clone());
    imply("aws:PrincipalArn", case.role_arn().or_else(itself));
    let user_name = || case.principal.rsplit('/').next().unwrap().to_owned();
    imply("aws:username", resource("user/").then(user_name));
    imply("aws:ResourceAccount", case.owner().map(str::to_owned));
    if case.is_kms() {
        imply("kms:CallerAccount", case.account().map(str::to_owned));
    }
    if case.action == "kms:EnableKeyRotation" {
        imply("kms:RotationPeriodInDays", Some("365".to_owned()));
    }
    if let Some(now) = &case.now {
        imply("aws:CurrentTime", Some(now.clone()));
        let seconds = super::date::milliseconds(now).unwrap().div_euclid(1000);
        imply("aws:EpochTime", Some(seconds.to_string()));
    }
    context
}
