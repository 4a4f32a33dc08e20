//! How far a statement is from being about a request.

use super::AuthzRequest;
use super::elements::Failures;
use crate::aws::{Arn, Principal};
use crate::iam::{ActionElement, PrincipalElement, PrincipalPattern, ResourceElement, ResourcePattern, Statement};

/// The elements that do not match, a quite different action counting twice; and a rank among
/// those with as many.
pub(super) fn distance(request: &AuthzRequest, statement: &Statement, failures: &Failures) -> (usize, usize) {
    let far_action = failures.action && !has_similar_action(request, statement);
    let far_principal = failures.principal && !has_similar_principal(request, statement);
    let far_resource = failures.resource && !has_similar_resource(request, statement);
    let rank = [
        (failures.resource, far_resource, 1),
        (failures.principal, far_principal, 2),
        (failures.action, far_action, 3),
    ]
    .iter()
    .map(|(failed, far, weight)| usize::from(*failed) + if *far { *weight } else { 0 })
    .sum();
    (failures.count() + usize::from(far_action), rank)
}

fn has_similar_action(request: &AuthzRequest, statement: &Statement) -> bool {
    let Some(ActionElement::Action(patterns)) = &statement.action else {
        // What a NotAction leaves out is what it is about.
        return statement.action.is_some();
    };
    patterns.iter().any(|pattern| is_almost(&pattern.text, request.action.as_str()))
}

fn has_similar_principal(request: &AuthzRequest, statement: &Statement) -> bool {
    let Some(PrincipalElement::Principal(patterns)) = &statement.principal else { return true };
    let name = |arn: &Arn| arn.resource().rsplit('/').next().map(str::to_owned);
    let own = [request.caller.principal.arn(), Some(&request.caller.principal_arn)];
    patterns.iter().any(|pattern| match pattern {
        PrincipalPattern::User(arn)
        | PrincipalPattern::Role(arn)
        | PrincipalPattern::Session(arn)
        | PrincipalPattern::FederatedUser(arn) => own.iter().flatten().any(|own| {
            is_almost(arn.as_str(), own.as_str())
                || name(arn).zip(name(own)).is_some_and(|(one, other)| one.eq_ignore_ascii_case(&other))
        }),
        PrincipalPattern::Account(account) => {
            request.caller.principal.account().is_some_and(|own| is_almost(account.as_str(), own.as_str()))
        }
        PrincipalPattern::Service(service) => {
            matches!(&request.caller.principal, Principal::Service(own) if is_almost(service, own))
        }
        _ => false,
    })
}

fn has_similar_resource(request: &AuthzRequest, statement: &Statement) -> bool {
    let Some(ResourceElement::Resource(patterns)) = &statement.resource else { return true };
    let Some(arn) = request.resource.arn() else { return false };
    let resource = |pattern: &ResourcePattern| pattern.text().splitn(6, ':').nth(5) == Some(arn.resource());
    patterns.iter().any(|pattern| resource(pattern) || is_almost(pattern.text(), arn.as_str()))
}

/// Whether two texts differ, but for the case of letters, by one slip: a letter or two too many or
/// too few in one place, another letter, or two in the wrong order.
fn is_almost(one: &str, other: &str) -> bool {
    const SHORTEST: usize = 4;
    let (one, other) = (one.as_bytes(), other.as_bytes());
    if one.len().min(other.len()) < SHORTEST {
        return false;
    }
    let same = |(left, right): &(&u8, &u8)| left.eq_ignore_ascii_case(right);
    let before = one.iter().zip(other).take_while(same).count();
    let (one, other) = (&one[before..], &other[before..]);
    let after = one.iter().rev().zip(other.iter().rev()).take_while(same).count();
    match (&one[..one.len() - after], &other[..other.len() - after]) {
        ([], more) | (more, []) => more.len() <= 2,
        ([_], [_]) => true,
        ([a, b], [c, d]) => a.eq_ignore_ascii_case(d) && b.eq_ignore_ascii_case(c),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::is_almost;

    #[test]
    fn a_slip_of_the_pen_is_almost_the_word() {
        for (one, other) in [
            ("kms:EnableKeyRotatoin", "kms:EnableKeyRotation"),
            ("kms:EnableKeyRotaton", "kms:EnableKeyRotation"),
            ("kms:EnableKeyRotattion", "kms:EnableKeyRotation"),
            ("kms:enablekeyrotation", "kms:EnableKeyRotation"),
        ] {
            assert!(is_almost(one, other), "{one}");
        }
        for (one, other) in [
            ("kms:DisableKeyRotation", "kms:EnableKeyRotation"),
            ("kms:Decrypt", "kms:Encrypt"),
            ("a", "b"),
            ("kms:*", "s3:*"),
        ] {
            assert!(!is_almost(one, other), "{one}");
        }
    }
}
