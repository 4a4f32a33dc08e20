//! What the reader of policy documents takes and refuses, with the place and the words.

use keystile::iam::{Document, DocumentKind, ParseErrorKind, PrincipalElement, PrincipalPattern, Version};

use DocumentKind::{IdentityPolicy, KeyPolicy, ResourceControlPolicy, ResourcePolicy, ServiceControlPolicy};
use PrincipalPattern as P;

/// A key policy of one Allow with these members besides.
fn key_policy(members: &str) -> String {
    format!(r#"{{"Version": "2012-10-17", "Statement": {{"Effect": "Allow", {members}}}}}"#)
}

const PLAIN: &str = r#""Principal": "*", "Action": "kms:*", "Resource": "*""#;

fn identity(condition: &str) -> String {
    format!(
        r#"{{"Version": "2012-10-17", "Statement": {{"Effect": "Deny", "Action": "kms:*", "Resource": "*", "Condition": {condition}}}}}"#
    )
}

#[test]
fn shorthand_is_read() {
    let text = r#"{"Statement": {"Effect": "Deny", "Principal": {"AWS": "111122223333"}, "NotAction": "kms:*", "NotResource": ["*"],
        "Condition": {"Bool": {"aws:SecureTransport": false}, "NumericEquals": {"kms:RotationPeriodInDays": [1e2, "90"]}}}}"#;
    let document = Document::parse(text, KeyPolicy).unwrap();
    assert_eq!(document.version, Version::V2008);
    assert_eq!(document.statements.len(), 1);
    let conditions = &document.statements[0].conditions;
    assert_eq!(conditions[0].values, ["false"]);
    assert_eq!(conditions[1].values, ["1e2", "90"]);
    assert_eq!((document.statements[0].line, conditions[0].line), (1, 2));
}

#[test]
fn each_class_of_principal_is_read() {
    let text = key_policy(
        r#""Principal": {"AWS": ["*", "111122223333", "arn:aws:iam::111122223333:root", "arn:aws:iam::111122223333:user/a/b",
        "arn:aws:iam::111122223333:role/p/r", "arn:aws:sts::111122223333:assumed-role/r/s", "arn:aws:sts::111122223333:federated-user/f",
        "AROAABCDEFGHIJKLMNOPQ"], "Service": "s3.amazonaws.com", "Federated": ["cognito-identity.amazonaws.com",
        "arn:aws:iam::111122223333:saml-provider/P"]}"#,
    );
    let document = Document::parse(&text, KeyPolicy).unwrap();
    let Some(PrincipalElement::Principal(found)) = &document.statements[0].principal else { panic!("no principal") };
    assert!(matches!(
        found.as_slice(),
        [
            P::Anyone,
            P::Account(_),
            P::Account(_),
            P::User(_),
            P::Role(_),
            P::Session(_),
            P::FederatedUser(_),
            P::UniqueId(_),
            P::Service(_),
            P::Federated(_),
            P::Federated(_)
        ]
    ));
    assert_eq!(document.unique_ids().collect::<Vec<_>>(), [(0, "AROAABCDEFGHIJKLMNOPQ")]);
    assert!(document.statements[0].action.is_none() && document.statements[0].resource.is_none());
}

#[test]
fn a_key_policy_has_a_largest_size() {
    let text = key_policy(PLAIN);
    let padded = |size: usize| format!("{text}{}", " ".repeat(size - text.len()));
    assert!(Document::parse(&padded(32_768), KeyPolicy).is_ok());
    assert_eq!(Document::parse(&padded(32_769), KeyPolicy).unwrap_err().kind, ParseErrorKind::TooLarge);
}

#[test]
fn odd_bool_and_null_text_is_taken_and_bad_literals_are_not_in_identity_policies() {
    for good in [
        r#"{"Bool": {"a:b": "perhaps"}}"#,
        r#"{"Null": {"a:b": ""}}"#,
        r#"{"NumericEquals": {"a:b": ["01", "+1", "1.", "1e0"]}}"#,
        r#"{"DateLessThan": {"a:b": ["2026-01-01", "+1767225600"]}}"#,
        r#"{"ArnLike": {"a:b": ["arn:aws:iam::*:role/*", "${aws:PrincipalArn}"]}}"#,
        r#"{"IpAddress": {"a:b": ["203.0.113.9/24", "2001:db8::/32"]}}"#,
        r#"{"StringEquals": {"a:b": []}}"#,
    ] {
        assert!(Document::parse(&identity(good), IdentityPolicy).is_ok(), "{good}");
    }
    for bad in [
        r#"{"NumericEquals": {"a:b": "10abc"}}"#,
        r#"{"NumericEquals": {"a:b": true}}"#,
        r#"{"DateLessThan": {"a:b": "soon"}}"#,
        r#"{"ArnLike": {"a:b": "arn:aws:iam"}}"#,
        r#"{"ArnEquals": {"a:b": "*"}}"#,
        r#"{"IpAddress": {"a:b": "2001:db8::1/32"}}"#,
        r#"{"NotIpAddress": {"a:b": "203.0.113.0/33"}}"#,
        r#"{"BinaryEquals": {"a:b": "QUI"}}"#,
    ] {
        assert_eq!(Document::parse(&identity(bad), IdentityPolicy).unwrap_err().kind, ParseErrorKind::Value, "{bad}");
        let members = format!(r#"{PLAIN}, "Condition": {bad}"#);
        assert!(Document::parse(&key_policy(&members), KeyPolicy).is_ok(), "a key policy keeps {bad}");
    }
}

#[test]
fn refusals_name_the_place_and_what_to_do() {
    let condition = |condition: &str| key_policy(&format!(r#"{PLAIN}, "Condition": {condition}"#));
    let deny =
        |members: &str| format!(r#"{{"Version": "2012-10-17", "Statement": [{{"Effect": "Deny", {members}}}]}}"#);
    let identity_of = |members: &str| format!("{{\"Statement\":\n [{{\"Effect\": \"Allow\",\n  {members}}}]}}");
    for (kind, text, place, words) in [
        (KeyPolicy, String::new(), "line 1, column 1:", "not JSON: EOF"),
        (KeyPolicy, "{\"Statement\": [\n  oops]}".into(), "line 2, column 3:", "not JSON: expected value"),
        (KeyPolicy, "[]".into(), "line 1, column 1:", "found a list: write an object"),
        (KeyPolicy, "{}".into(), "line 1, column 1:", "Statement is missing"),
        (KeyPolicy, format!("{}{}", "[".repeat(40), "]".repeat(40)), "line 1, column 18, [0]", "levels deep"),
        (KeyPolicy, r#"{"Statement": [], "Statement": []}"#.into(), "line 1, column 19, Statement:", "second time"),
        (KeyPolicy, r#"{"Statement": [], "\u0053tatement": []}"#.into(), "line 1, column 19, Statement:", "second time"),
        (KeyPolicy, "{\"é\": 1, \"Statement\": []}".into(), "line 1, column 2, é:", "no `é` here"),
        (KeyPolicy, r#"{"statement": []}"#.into(), "line 1, column 2, statement:", "did you mean `Statement`?"),
        (KeyPolicy, r#"{"Version": "2012-10-18", "Statement": []}"#.into(), "line 1, column 13, Version:", "2012-10-17"),
        (KeyPolicy, r#"{"Version": null, "Statement": []}"#.into(), "line 1, column 13, Version:", "found null: write a string"),
        (KeyPolicy, r#"{"Id": "\ud800", "Statement": []}"#.into(), "line 1, column 8, Id:", "not valid text"),
        (KeyPolicy, r#"{"Statement": {"Principal": "*"}}"#.into(), "column 15, Statement:", "Effect is missing"),
        (KeyPolicy, r#"{"Statement": [{"Effect": "allow"}]}"#.into(), "column 27, Statement[0].Effect:", "\"Allow\" or \"Deny\""),
        (KeyPolicy, key_policy(r#""Action": "kms:*""#), "Statement:", "Principal is missing"),
        (KeyPolicy, key_policy(r#""Principal": "111122223333""#), "Statement.Principal:", "found a string"),
        (KeyPolicy, key_policy(r#""Principal": {}"#), "Statement.Principal:", "names no principal"),
        (KeyPolicy, key_policy(r#""Principal": {"AWS": []}"#), "Statement.Principal.AWS:", "list is empty"),
        (KeyPolicy, key_policy(r#""Principal": {"AWS": ["*", "arn:aws:iam::111122223333:user/*"]}"#), "Statement.Principal.AWS[1]:", "wildcard"),
        (KeyPolicy, key_policy(r#""Principal": {"AWS": "arn:aws:iam::111122223333:group/g"}"#), "Statement.Principal.AWS:", "not a principal"),
        (KeyPolicy, key_policy(r#""Principal": {"AWS": "anonymous"}"#), "Statement.Principal.AWS:", "not a principal"),
        (KeyPolicy, key_policy(r#""Principal": {"aws": "*"}"#), "Statement.Principal.aws:", "not a type of principal"),
        (KeyPolicy, key_policy(r#""Principal": {"Service": "s3"}"#), "Statement.Principal.Service:", "service principal"),
        (KeyPolicy, key_policy(r#""NotPrincipal": {"AWS": "*"}"#), "Statement.NotPrincipal:", "with Deny only"),
        (KeyPolicy, deny(r#""Principal": "*", "NotPrincipal": "*""#), "Statement[0].NotPrincipal:", "exclude each other"),
        (KeyPolicy, deny(r#""Principal": "*", "Action": "kms:*", "NotAction": "kms:*""#), "Statement[0].NotAction:", "exclude each other"),
        (KeyPolicy, deny(r#""Principal": "*", "Resource": "*", "NotResource": "*""#), "Statement[0].NotResource:", "exclude each other"),
        (KeyPolicy, deny(r#""Principal": "*", "Action": ["kms:*", 7]"#), "Statement[0].Action[1]:", "found a number"),
        (KeyPolicy, deny(r#""Principal": "*", "Action": []"#), "Statement[0].Action:", "list is empty"),
        (KeyPolicy, deny(r#""Principal": "*", "Action": "Decrypt""#), "Statement[0].Action:", "not an action"),
        (KeyPolicy, deny(r#""Principal": "*", "Resource": "arn:aws:*:r:a:x""#), "Statement[0].Resource:", "name the service"),
        (KeyPolicy, deny(r#""Principal": "*", "Resource": "arn:aws:kms:${aws:r}:a:x""#), "Statement[0].Resource:", "after the fifth colon"),
        (KeyPolicy, deny(r#""Principal": "*", "Resource": "key/1""#), "Statement[0].Resource:", "six components"),
        (KeyPolicy, condition(r#"{"stringequals": {"a:b": "c"}}"#), "Statement.Condition.stringequals:", "did you mean `StringEquals`?"),
        (KeyPolicy, condition(r#"{"StringMatches": {"a:b": "c"}}"#), "Statement.Condition.StringMatches:", "not a condition operator"),
        (KeyPolicy, condition(r#"{"ForSomeValues:StringLike": {"a:b": "c"}}"#), "ForSomeValues:StringLike:", "not a condition operator"),
        (KeyPolicy, condition(r#"{"NullIfExists": {"a:b": "true"}}"#), "Statement.Condition.NullIfExists:", "not a condition operator"),
        (KeyPolicy, condition(r#"{"Bool": {"SecureTransport": "true"}}"#), "Condition.Bool.SecureTransport:", "not a condition key"),
        (KeyPolicy, condition(r#"{"Bool": {"a:b": null}}"#), "Statement.Condition.Bool.a:b:", "found null"),
        (KeyPolicy, condition(r#"{"StringEquals": {"a:b": "c", "A:B": "d"}}"#), "Condition.StringEquals.A:B:", "ignore case"),
        (KeyPolicy, condition(r#"{"StringEquals": {"a:b": ["x", "${aws:u"]}}"#), "Condition.StringEquals.a:b[1]:", "malformed policy variable"),
        (KeyPolicy, condition(r#"{"ForAllValues:StringEquals": {"kms:EncryptionContext:T": "c"}}"#), "kms:EncryptionContext:T:", "no ForAllValues"),
        (KeyPolicy, condition(r#"{"ForAllValues:StringEquals": {"aws:RequestTag/T": "c"}}"#), "aws:RequestTag/T:", "no ForAllValues"),
        (IdentityPolicy, identity_of(r#""Principal": "*", "Action": "*", "Resource": "*""#), "line 3, column 3, Statement[0].Principal:", "attached to"),
        (IdentityPolicy, identity_of(r#""Action": "*""#), "line 2, column 3, Statement[0]:", "Resource is missing"),
        (IdentityPolicy, identity_of(r#""Resource": "*""#), "line 2, column 3, Statement[0]:", "Action is missing"),
        (IdentityPolicy, identity_of(r#""Sid": "a b", "Action": "*", "Resource": "*""#), "line 3, column 10, Statement[0].Sid:", "letters"),
        (IdentityPolicy, r#"{"Statement": [{"Sid": "A", "Effect": "Deny", "Action": "*", "Resource": "*"}, {"Sid": "A", "Effect": "Deny", "Action": "*", "Resource": "*"}]}"#.into(), "Statement[1].Sid:", "an earlier statement"),
    ] {
        let error = Document::parse(&text, kind).expect_err(&text).to_string();
        assert!(error.contains(place) && error.contains(words), "{text}\n{error}\n{place} {words}");
    }
}

#[test]
fn identity_policies_may_say_for_all_values_of_anything() {
    let condition = r#"{"ForAllValues:StringEquals": {"aws:RequestTag/T": "c", "kms:EncryptionContext:T": "d"}}"#;
    assert!(Document::parse(&identity(condition), IdentityPolicy).is_ok());
}

#[test]
fn a_service_control_policy_takes_the_whole_language_but_principals() {
    let policy = |members: &str| format!(r#"{{"Version": "2012-10-17", "Statement": [{{{members}}}]}}"#);
    for good in [
        r#""Sid": "Words and more", "Effect": "Allow", "NotAction": "iam:*", "NotResource": "arn:aws:s3:::a/*""#,
        r#""Effect": "Allow", "Action": "*:Get*", "Resource": "arn:aws:s3:::a", "Condition": {"Bool": {"a:b": true}}"#,
        r#""Effect": "Deny", "Action": ["kms:*", "s3:*Object"], "Resource": "*""#,
    ] {
        Document::parse(&policy(good), ServiceControlPolicy).unwrap();
    }
    for (bad, words) in [
        (
            r#""Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*""#,
            "a service control policy has no Principal",
        ),
        (r#""Effect": "Deny", "NotPrincipal": "*", "Action": "*", "Resource": "*""#, "has no NotPrincipal"),
        (r#""Effect": "Deny", "Action": "*""#, "Resource is missing"),
        (r#""Effect": "Deny", "Resource": "*""#, "Action is missing"),
        (
            r#""Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"IpAddress": {"aws:SourceIp": "x"}}"#,
            "not a value",
        ),
    ] {
        let error = Document::parse(&policy(bad), ServiceControlPolicy).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn a_resource_control_policy_only_denies_and_is_about_everyone() {
    let policy = |members: &str| format!(r#"{{"Version": "2012-10-17", "Statement": [{{{members}}}]}}"#);
    for good in [
        r#""Effect": "Deny", "Principal": "*", "Action": ["s3:*", "kms:Decrypt"], "Resource": "*""#,
        r#""Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "kms:*", "NotResource": "arn:aws:kms:*:*:key/x""#,
        r#""Effect": "Deny", "Principal": {"AWS": ["*"]}, "Action": "kms:*", "Resource": "*""#,
    ] {
        Document::parse(&policy(good), ResourceControlPolicy).unwrap();
    }
    for (bad, place, words) in [
        (
            r#""Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "*""#,
            "Statement[0].Effect",
            "RCPFullAWSAccess",
        ),
        (
            r#""Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*""#,
            "Statement[0].Action",
            "every service",
        ),
        (
            r#""Effect": "Deny", "Principal": "*", "Action": ["s3:*", "*:*"], "Resource": "*""#,
            "Statement[0].Action[1]",
            "every service",
        ),
        (
            r#""Effect": "Deny", "Principal": "*", "NotAction": "s3:*", "Resource": "*""#,
            "Statement[0].NotAction",
            "no NotAction",
        ),
        (
            r#""Effect": "Deny", "NotPrincipal": "*", "Action": "s3:*", "Resource": "*""#,
            "Statement[0].NotPrincipal",
            "about everyone",
        ),
        (
            r#""Effect": "Deny", "Principal": {"AWS": "111122223333"}, "Action": "s3:*", "Resource": "*""#,
            "Statement[0].Principal",
            "about everyone",
        ),
        (
            r#""Effect": "Deny", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "s3:*", "Resource": "*""#,
            "Statement[0].Principal",
            "about everyone",
        ),
        (r#""Effect": "Deny", "Action": "s3:*", "Resource": "*""#, "Statement[0]", "Principal is missing"),
        (r#""Effect": "Deny", "Principal": "*", "Action": "s3:*""#, "Statement[0]", "Resource is missing"),
    ] {
        let error = Document::parse(&policy(bad), ResourceControlPolicy).unwrap_err();
        assert_eq!(error.path, place, "{error}");
        assert!(error.message.contains(words), "{error}");
    }
}

#[test]
fn a_resource_policy_names_its_resource_but_a_trust_policy_is_its_roles() {
    let policy = |members: &str| {
        format!(r#"{{"Version": "2012-10-17", "Statement": [{{"Effect": "Allow", "Principal": "*", {members}}}]}}"#)
    };
    for good in [
        r#""Sid": "a b", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*""#,
        r#""Action": ["sts:AssumeRole", "sts:TagSession"]"#,
    ] {
        Document::parse(&policy(good), ResourcePolicy).unwrap();
    }
    for bad in [r#""Action": "s3:GetObject""#, r#""Action": ["sts:AssumeRole", "s3:*"]"#, r#""NotAction": "sts:*""#] {
        let error = Document::parse(&policy(bad), ResourcePolicy).unwrap_err().to_string();
        assert!(error.contains("Resource is missing"), "{error}");
    }
    assert!(Document::parse(&policy(r#""Resource": "*""#), ResourcePolicy).is_err());
}
