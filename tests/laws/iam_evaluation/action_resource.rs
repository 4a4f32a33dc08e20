//! Action and Resource.

use keystile::iam::{Document, DocumentKind};
use serde_json::{Value, json};

use super::{USER, asked, document, expect, statement};

/// Whether an identity policy with these members allows alice that on that.
fn allowed(members: &Value, action: &str, resource: &str) -> bool {
    let policy = document(&statement("Allow", members));
    let case = asked(USER, action, resource, &json!({"identity_policies": [policy]}));
    super::decided(&case).outcome == keystile::authz::Outcome::Allow
}

fn is_stored(members: &Value) -> bool {
    let policy = document(&statement("Allow", members));
    Document::parse(&policy.to_string(), DocumentKind::IdentityPolicy).is_ok()
}

const OBJECT: &str = "arn:aws:s3:::bucket/a/b:c";

#[test]
fn prefix_and_name_are_case_insensitive_with_star_and_question_mark() {
    for (pattern, matches) in [
        ("s3:GetObject", true),
        ("S3:getobject", true),
        ("s3:Get*", true),
        ("s3:get?bject", true),
        ("s?:GetObject", true),
        ("*:GetObject", true),
        ("*", true),
        ("s3:GetObjec", false),
        ("s3:GetObject?", false),
        ("s3:PutObject", false),
        ("kms:*", false),
    ] {
        assert_eq!(allowed(&json!({"Action": pattern}), "s3:GetObject", OBJECT), matches, "{pattern}");
    }
}

#[test]
fn wildcards_in_an_arn_stay_within_its_first_five_segments() {
    let queue = "arn:aws:sqs:us-east-1:111122223333:jobs";
    for (pattern, matches) in [
        ("arn:aws:sqs:*:111122223333:jobs", true),
        ("arn:aws:sqs:us-east-?:*:jobs", true),
        ("arn:*:sqs:us-*-1:1111*3333:jobs", true),
        ("arn:aws:sqs:*:jobs:jobs", false),
        ("arn:aws:sqs:us*111122223333:x:jobs", false),
        ("arn:aws:sqs::111122223333:jobs", false),
        ("arn:aws:sqs:*:*:job", false),
    ] {
        assert_eq!(allowed(&json!({"Resource": pattern}), "sqs:SendMessage", queue), matches, "{pattern}");
    }
}

#[test]
fn the_resource_part_is_one_segment_in_which_star_spans_slashes_and_colons() {
    for (pattern, matches) in [
        ("arn:aws:s3:::bucket/*", true),
        ("arn:aws:s3:::*", true),
        ("arn:aws:s3:::bucket*c", true),
        ("arn:aws:s3:::bucket/a/b?c", true),
        ("arn:aws:s3:::bucket/?/b:c", true),
        ("arn:aws:s3:::bucket/a/b:", false),
        ("arn:aws:s3:::bucket", false),
        ("arn:aws:s3:::Bucket/*", false),
    ] {
        assert_eq!(allowed(&json!({"Resource": pattern}), "s3:GetObject", OBJECT), matches, "{pattern}");
    }
}

#[test]
fn the_service_segment_takes_no_wildcard() {
    for pattern in ["arn:aws:*:::bucket", "arn:aws:s?:::bucket", "arn:aws:s3*:::bucket"] {
        assert!(!is_stored(&json!({"Resource": pattern})), "{pattern}");
    }
}

#[test]
fn variables_stand_only_after_the_fifth_colon() {
    assert!(is_stored(&json!({"Resource": "arn:aws:s3:::${aws:username}"})));
    for pattern in
        ["arn:aws:s3:${aws:RequestedRegion}::b", "arn:aws:s3::${aws:PrincipalAccount}:b", "arn:${aws:x}:s3:::b"]
    {
        assert!(!is_stored(&json!({"Resource": pattern})), "{pattern}");
    }
}

#[test]
fn a_variable_is_replaced_by_its_value() {
    for (pattern, matches) in [
        ("arn:aws:s3:::${aws:username}/*", true),
        ("arn:aws:s3:::${aws:PrincipalTag/gone, 'alice'}/*", true),
        ("arn:aws:s3:::bob/*", false),
    ] {
        assert_eq!(
            allowed(&json!({"Resource": pattern}), "s3:GetObject", "arn:aws:s3:::alice/x"),
            matches,
            "{pattern}"
        );
    }
}

#[test]
fn an_unresolved_variable_matches_no_resource() {
    for pattern in [
        "arn:aws:s3:::${aws:PrincipalTag/gone}",
        "arn:aws:s3:::*${aws:PrincipalTag/gone}*",
        "arn:aws:s3:::${aws:TagKeys}*",
    ] {
        assert!(!allowed(&json!({"Resource": pattern}), "s3:GetObject", OBJECT), "{pattern}");
    }
    // And so NotResource with it excludes nothing.
    let everything_but =
        json!({"Effect": "Deny", "Action": "*", "NotResource": "arn:aws:s3:::*${aws:PrincipalTag/gone}*"});
    let case = asked(
        USER,
        "s3:GetObject",
        OBJECT,
        &json!({"identity_policies": [super::allows(), document(&everything_but)]}),
    );
    expect(&case, "explicit_deny identity_policy");
}

#[test]
fn not_action_and_not_resource_are_everything_else() {
    let only = |members: Value| {
        let mut statement = json!({"Effect": "Allow"});
        statement.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        document(&statement)
    };
    for (members, expected) in [
        (json!({"NotAction": "s3:Put*", "Resource": "*"}), "allow"),
        (json!({"NotAction": ["s3:Put*", "S3:GET*"], "Resource": "*"}), "implicit_deny"),
        (json!({"Action": "*", "NotResource": "arn:aws:s3:::other/*"}), "allow"),
        (json!({"Action": "*", "NotResource": ["arn:aws:s3:::other/*", "arn:aws:s3:::bucket/a*"]}), "implicit_deny"),
        (json!({"NotAction": "kms:*", "NotResource": "*"}), "implicit_deny"),
    ] {
        expect(&asked(USER, "s3:GetObject", OBJECT, &json!({"identity_policies": [only(members)]})), expected);
    }
}
