//! What each row of the mapping becomes, and that every translation validates without a warning.

use crate::iam::DocumentKind;

use super::{CompiledDocument, Translation};

fn key(statements: &str) -> Translation {
    let text = format!(r#"{{"Version": "2012-10-17", "Statement": [{statements}]}}"#);
    let translation = CompiledDocument::translate(DocumentKind::KeyPolicy, &text).unwrap();
    assert!(translation.warnings.is_empty(), "{}\n{:?}", translation.policies, translation.warnings);
    CompiledDocument::compile(DocumentKind::KeyPolicy, &text).unwrap();
    translation
}

/// The clauses of one Allow for everyone with that Condition, and its atoms.
fn condition(condition: &str) -> (String, Vec<String>) {
    let translation = key(&format!(
        r#"{{"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*", "Condition": {condition}}}"#
    ));
    let clauses = translation.policies.lines().skip(2).collect::<Vec<_>>().join("\n");
    (clauses.trim_end_matches(';').to_owned(), translation.atoms.iter().map(ToString::to_string).collect())
}

#[test]
fn each_row_of_the_mapping_becomes_its_cedar() {
    for (policy, clauses, atoms) in [
        (
            r#"{"StringEquals": {"kms:KeySpec": ["a", "b"]}}"#,
            r#"when { context has "kms:KeySpec" && ["a", "b"].contains(context["kms:KeySpec"]) }"#,
            vec![],
        ),
        (
            r#"{"StringEquals": {"aws:PrincipalTag/Team": "a\"\\*"}}"#,
            r#"when { context has "aws:PrincipalTag/team" && context["aws:PrincipalTag/team"] == "a\"\\*" }"#,
            vec![],
        ),
        (
            r#"{"StringNotEquals": {"kms:KeySpec": ["a", "b"]}}"#,
            r#"unless { context has "kms:KeySpec" && ["a", "b"].contains(context["kms:KeySpec"]) }"#,
            vec![],
        ),
        (
            r#"{"StringEqualsIfExists": {"kms:KeySpec": "a"}}"#,
            r#"when { if context has "kms:KeySpec" then context["kms:KeySpec"] == "a" else true }"#,
            vec![],
        ),
        (r#"{"Null": {"kms:ViaService": "true"}}"#, r#"unless { context has "kms:ViaService" }"#, vec![]),
        (r#"{"Null": {"kms:ViaService": "false"}}"#, r#"when { context has "kms:ViaService" }"#, vec![]),
        (
            r#"{"StringLike": {"kms:ViaService": "ec2.*.${*}"}}"#,
            r#"when { context has "kms:ViaService" && context["kms:ViaService"] like "ec2.*.\*" }"#,
            vec![],
        ),
        (
            r#"{"StringLike": {"aws:username": "dev-??"}}"#,
            "when { context.atoms.A1 }",
            vec![r#"A1 := aws:username StringLike "dev-??""#],
        ),
        (
            r#"{"StringNotLike": {"aws:username": "dev-??"}}"#,
            r#"unless { context has "aws:username" && context.atoms.A1 }"#,
            vec![r#"A1 := aws:username StringLike "dev-??""#],
        ),
        (
            r#"{"StringEqualsIgnoreCase": {"aws:username": "ALICE"}}"#,
            r#"when { context has "aws:username#lower" && context["aws:username#lower"] == "alice" }"#,
            vec![],
        ),
        (
            r#"{"StringEquals": {"aws:PrincipalTag/owner": "${aws:username}"}}"#,
            r#"when { context has "aws:PrincipalTag/owner" && (context has "aws:username" && context["aws:PrincipalTag/owner"] == context["aws:username"]) }"#,
            vec![],
        ),
        (
            r#"{"StringLike": {"kms:RequestAlias": "alias/${aws:username}-*"}}"#,
            "when { context.atoms.A1 }",
            vec![r#"A1 := kms:RequestAlias StringLike "alias/${aws:username}-*""#],
        ),
        (
            r#"{"NumericGreaterThanEquals": {"kms:RotationPeriodInDays": "180"}}"#,
            r#"when { context has "kms:RotationPeriodInDays" && context["kms:RotationPeriodInDays"] >= 180 }"#,
            vec![],
        ),
        (
            r#"{"NumericGreaterThanEquals": {"kms:RotationPeriodInDays": "180.5"}}"#,
            r#"when { context has "kms:RotationPeriodInDays" && context["kms:RotationPeriodInDays"] >= 181 }"#,
            vec![],
        ),
        (
            r#"{"NumericLessThan": {"kms:RotationPeriodInDays": "180.5"}}"#,
            r#"when { context has "kms:RotationPeriodInDays" && context["kms:RotationPeriodInDays"] <= 180 }"#,
            vec![],
        ),
        (
            r#"{"NumericEquals": {"kms:RotationPeriodInDays": "180.5"}}"#,
            "when { context.atoms.A1 }",
            vec![r#"A1 := kms:RotationPeriodInDays NumericEquals "180.5""#],
        ),
        (
            r#"{"DateLessThan": {"aws:CurrentTime": "2026-01-01T01:00:00+01:00"}}"#,
            r#"when { context has "aws:CurrentTime" && context["aws:CurrentTime"] < datetime("2026-01-01T00:00:00Z") }"#,
            vec![],
        ),
        (
            r#"{"Bool": {"aws:SecureTransport": "TRUE"}}"#,
            r#"when { context has "aws:SecureTransport" && context["aws:SecureTransport"] == true }"#,
            vec![],
        ),
        (
            r#"{"StringEquals": {"aws:SecureTransport": "true"}}"#,
            r#"when { context has "aws:SecureTransport#string" && context["aws:SecureTransport#string"] == "true" }"#,
            vec![],
        ),
        (
            r#"{"IpAddress": {"aws:SourceIp": ["10.1.2.3/8", "2001:db8::/32"]}}"#,
            r#"when { context has "aws:SourceIp" && (context["aws:SourceIp"].isInRange(ip("10.0.0.0/8")) || context["aws:SourceIp"].isInRange(ip("2001:db8::/32"))) }"#,
            vec![],
        ),
        (
            r#"{"NotIpAddress": {"aws:SourceIp": "203.0.113.7"}}"#,
            r#"unless { context has "aws:SourceIp" && context["aws:SourceIp"].isInRange(ip("203.0.113.7")) }"#,
            vec![],
        ),
        (
            r#"{"BinaryEquals": {"my:key": "QUJD"}}"#,
            r#"when { context has "my:key" && context["my:key"] == "QUJD" }"#,
            vec![],
        ),
        (
            r#"{"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::111122223333:role/Dev*"}}"#,
            r#"when { context has "aws:PrincipalArn" && (context["aws:PrincipalArn"].partition == "aws" && context["aws:PrincipalArn"].service == "iam" && context["aws:PrincipalArn"].region == "" && context["aws:PrincipalArn"].account == "111122223333" && context["aws:PrincipalArn"].resource like "role/Dev*") }"#,
            vec![],
        ),
        (
            r#"{"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::111122223333:role/Dev?"}}"#,
            "when { context.atoms.A1 }",
            vec![r#"A1 := aws:PrincipalArn ArnLike "arn:aws:iam::111122223333:role/Dev?""#],
        ),
        (
            r#"{"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}}"#,
            r#"when { if context has "aws:TagKeys" then ["a", "b"].containsAll(context["aws:TagKeys"]) else true }"#,
            vec![],
        ),
        (
            r#"{"ForAnyValue:StringEquals": {"aws:TagKeys": ["a", "b"]}}"#,
            r#"when { context has "aws:TagKeys" && context["aws:TagKeys"].containsAny(["a", "b"]) }"#,
            vec![],
        ),
        (
            r#"{"ForAnyValue:StringNotEquals": {"aws:TagKeys": ["a", "b"]}}"#,
            r#"when { context has "aws:TagKeys" && !["a", "b"].containsAll(context["aws:TagKeys"]) }"#,
            vec![],
        ),
        (
            r#"{"ForAllValues:StringNotEquals": {"aws:TagKeys": ["a", "b"]}}"#,
            r#"when { if context has "aws:TagKeys" then !context["aws:TagKeys"].containsAny(["a", "b"]) else true }"#,
            vec![],
        ),
        (
            r#"{"ForAnyValue:StringLike": {"kms:ResourceAliases": "alias/a*"}}"#,
            "when { context.atoms.A1 }",
            vec![r#"A1 := kms:ResourceAliases ForAnyValue:StringLike "alias/a*""#],
        ),
        (
            r#"{"DateLessThan": {"my:key": "2026-01-01T00:00:00Z"}}"#,
            "when { context.atoms.A1 }",
            vec![r#"A1 := my:key DateLessThan "2026-01-01T00:00:00Z""#],
        ),
    ] {
        let (found, found_atoms) = condition(policy);
        let one_line = found.split_whitespace().collect::<Vec<_>>().join(" ").replace("( ", "(").replace(" )", ")");
        assert_eq!(one_line, clauses, "{policy}");
        assert_eq!(found_atoms, atoms, "{policy}");
    }
}

#[test]
fn long_lists_become_sets_and_balanced_trees() {
    let values: Vec<String> = (0..200).map(|at| format!("\"v{at}.*\"")).collect();
    let (clauses, _) = condition(&format!(r#"{{"StringLike": {{"kms:ViaService": [{}]}}}}"#, values.join(",")));
    let depth = clauses
        .chars()
        .scan(0_i32, |depth, c| {
            *depth += i32::from(c == '(') - i32::from(c == ')');
            Some(*depth)
        })
        .max();
    assert!(depth.unwrap() < 10, "{clauses}");
}

#[test]
fn the_worked_examples_are_as_documented() {
    let translation = key(r#"
        {"Sid": "Enable IAM policies", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
         "Action": "kms:*", "Resource": "*"},
        {"Sid": "RotateWithMfa", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:role/KeyAdmin"},
         "Action": "kms:EnableKeyRotation", "Resource": "*", "Condition": {
           "NumericGreaterThanEquals": {"kms:RotationPeriodInDays": 180},
           "StringEquals": {"aws:PrincipalTag/team": ["security", "platform"]},
           "Bool": {"aws:MultiFactorAuthPresent": true}}},
        {"Sid": "DenyUnlessAliceOrViaService", "Effect": "Deny", "NotPrincipal": {"AWS": "arn:aws:iam::111122223333:user/Alice"},
         "Action": "kms:*", "Resource": "*", "Condition": {
           "StringNotLike": {"kms:ViaService": ["ec2.*.amazonaws.com", "s3.*.amazonaws.com"]},
           "BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}}"#);
    assert_eq!(
        translation.policies,
        r#"@sid("Enable IAM policies") @source("key_policy[0]#0") @principal_class("account")
permit (principal in aws::Account::"111122223333", action in kms::Action::"*", resource is kms::Key);

@sid("RotateWithMfa") @source("key_policy[0]#1") @principal_class("role")
permit (principal in iam::Role::"arn:aws:iam::111122223333:role/KeyAdmin",
        action == kms::Action::"EnableKeyRotation",
        resource is kms::Key)
when { context has "kms:RotationPeriodInDays" && context["kms:RotationPeriodInDays"] >= 180 }
when {
  context has "aws:PrincipalTag/team" &&
  ["security", "platform"].contains(context["aws:PrincipalTag/team"])
}
when { context has "aws:MultiFactorAuthPresent" && context["aws:MultiFactorAuthPresent"] == true };

@sid("DenyUnlessAliceOrViaService") @source("key_policy[0]#2")
forbid (principal, action in kms::Action::"*", resource is kms::Key)
unless { principal == iam::User::"arn:aws:iam::111122223333:user/Alice" }
unless {
  context has "kms:ViaService" &&
  (
    context["kms:ViaService"] like "ec2.*.amazonaws.com" ||
    context["kms:ViaService"] like "s3.*.amazonaws.com"
  )
}
when {
  if context has "aws:MultiFactorAuthPresent"
  then context["aws:MultiFactorAuthPresent"] == false
  else true
};"#
    );
}

#[test]
fn a_mixed_principal_list_is_split_by_class() {
    let translation = key(r#"{"Sid": "Mixed", "Effect": "Allow", "Principal": {"AWS": [
        "arn:aws:iam::111122223333:user/a", "arn:aws:iam::111122223333:user/b", "444455556666"]},
        "Action": ["kms:Describe*", "kms:GetKeyPolicy"], "Resource": "*"}"#);
    assert_eq!(
        translation.policies,
        r#"@sid("Mixed") @source("key_policy[0]#0") @principal_class("account")
permit (principal in aws::Account::"444455556666",
        action in [
          kms::Action::"DescribeCustomKeyStores", kms::Action::"DescribeKey",
          kms::Action::"GetKeyPolicy"
        ],
        resource is kms::Key);

@sid("Mixed") @source("key_policy[0]#0") @principal_class("user")
permit (principal,
        action in [
          kms::Action::"DescribeCustomKeyStores", kms::Action::"DescribeKey",
          kms::Action::"GetKeyPolicy"
        ],
        resource is kms::Key)
when {
  principal == iam::User::"arn:aws:iam::111122223333:user/a" ||
  principal == iam::User::"arn:aws:iam::111122223333:user/b"
};"#
    );
}

#[test]
fn identity_policies_name_resources() {
    let text = r#"{"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["kms:Decrypt", "s3:Get*"], "Resource": "arn:aws:kms:us-east-1:111122223333:key/k"},
        {"Effect": "Allow", "Action": "*", "Resource": ["arn:aws:kms:*:111122223333:key/*", "arn:aws:kms:*:111122223333:alias/app"]},
        {"Effect": "Deny", "NotAction": "kms:Decrypt", "NotResource": "arn:aws:kms:*:*:key/${aws:username}"}]}"#;
    let translation = CompiledDocument::translate(DocumentKind::IdentityPolicy, text).unwrap();
    assert!(translation.warnings.is_empty(), "{:?}", translation.warnings);
    assert_eq!(
        translation.policies,
        r#"@source("identity_policy[0]#0")
permit (principal, action, resource == kms::Key::"arn:aws:kms:us-east-1:111122223333:key/k")
when { action == kms::Action::"Decrypt" || action in aws::Action::"s3:Get*" };

@source("identity_policy[0]#1")
permit (principal, action, resource)
when {
  context has resource &&
  (
    (
      context.resource.partition == "aws" &&
      context.resource.service == "kms" &&
      context.resource.account == "111122223333" &&
      context.resource.resource like "key/*"
    ) ||
    (
      context.resource.partition == "aws" &&
      context.resource.service == "kms" &&
      context.resource.account == "111122223333" &&
      context.resource.resource == "alias/app"
    )
  )
};

@source("identity_policy[0]#2")
forbid (principal, action, resource)
unless { action == kms::Action::"Decrypt" }
unless { context.atoms.A1 };"#
    );
    assert_eq!(translation.atoms[0].to_string(), r#"A1 := the resource matches "arn:aws:kms:*:*:key/${aws:username}""#);
}

#[test]
fn a_resource_part_may_be_empty() {
    let text = r#"{"Statement": {"Effect": "Allow", "Action": "organizations:ListRoots", "Resource": "arn:aws:organizations::*:"}}"#;
    let translation = CompiledDocument::translate(DocumentKind::IdentityPolicy, text).unwrap();
    assert!(translation.warnings.is_empty(), "{:?}", translation.warnings);
    assert!(translation.policies.contains(r#"context.resource.resource == """#), "{}", translation.policies);
}

#[test]
fn a_statement_without_effect_becomes_no_policy() {
    let translation = key(r#"{"Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt"}"#);
    assert_eq!((translation.policies.as_str(), translation.without_effect), ("", vec![0]));
}

/// Cedar validates a policy once for each kind of request: a document of thousands of actions must
/// not take minutes to load.
#[test]
fn the_price_of_a_policy_does_not_explode_with_the_actions_that_it_names() {
    let actions: Vec<String> = (0..5000).map(|at| format!(r#""service{at}:Action{at}", "kms:Action{at}""#)).collect();
    for element in ["Action", "NotAction"] {
        let text = format!(
            r#"{{"Version": "2012-10-17", "Statement": [{{"Effect": "Allow", "{element}": [{}], "Resource": "*"}}]}}"#,
            actions.join(", ")
        );
        let began = std::time::Instant::now();
        let translation = CompiledDocument::translate(DocumentKind::IdentityPolicy, &text).unwrap();
        assert!(translation.warnings.is_empty(), "{:?}", translation.warnings);
        assert!(began.elapsed().as_secs() < 10, "{:?}", began.elapsed());
    }
    let statements: Vec<String> = (0..400)
        .map(|at| format!(r#"{{"Effect": "Allow", "Action": ["a:B{at}", "a:C*", "kms:D{at}"], "Resource": "*"}}"#))
        .collect();
    let text = format!(r#"{{"Statement": [{}]}}"#, statements.join(","));
    let began = std::time::Instant::now();
    CompiledDocument::translate(DocumentKind::IdentityPolicy, &text).unwrap();
    assert!(began.elapsed().as_secs() < 10, "{:?}", began.elapsed());
}

/// A few policies at a time are validated, under a schema in which one action stands for many: the
/// document as a whole validates under the schema that is printed for it.
#[test]
fn the_printed_schema_validates_the_printed_policies() {
    use cedar_policy::{PolicySet, Schema, ValidationMode, Validator};
    for (kind, statements) in [
        (DocumentKind::KeyPolicy, r#"{"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"}"#),
        (
            DocumentKind::KeyPolicy,
            r#"{"Effect": "Allow", "Principal": "*", "NotAction": ["kms:DescribeKey", "kms:New"], "Resource": "*"}"#,
        ),
        (DocumentKind::KeyPolicy, r#"{"Effect": "Deny", "Principal": "*", "NotAction": "kms:D*", "Resource": "*"}"#),
        (DocumentKind::IdentityPolicy, r#"{"Effect": "Allow", "NotAction": "kms:*", "Resource": "*"}"#),
        (
            DocumentKind::IdentityPolicy,
            r#"{"Effect": "Allow", "Action": ["s3:Get*", "s3:PutObject", "kms:Decrypt"], "Resource": "*"},
          {"Effect": "Allow", "Action": "sqs:*", "Resource": "arn:aws:sqs:*:*:q"}"#,
        ),
        (
            DocumentKind::IdentityPolicy,
            r#"{"Effect": "Deny", "NotAction": ["sts:GetCallerIdentity", "s3:*", "kms:Decrypt"], "Resource": "*"},
          {"Effect": "Allow", "Action": ["s3:GetObject", "kms:Decrypt"], "Resource": "arn:aws:s3:::b/${aws:username}/*",
           "Condition": {"StringLike": {"aws:PrincipalTag/a": "x?"}, "Bool": {"aws:SecureTransport": true}}},
          {"Effect": "Allow", "Action": "*", "Resource": "arn:aws:kms:*:*:key/a", "Condition": {"StringLike": {"aws:username": "x?"}}}"#,
        ),
    ] {
        let text = format!(r#"{{"Version": "2012-10-17", "Statement": [{statements}]}}"#);
        let translation = CompiledDocument::translate(kind, &text).unwrap();
        assert!(translation.warnings.is_empty(), "{:?}", translation.warnings);
        let (schema, _) = Schema::from_cedarschema_str(&translation.schema).unwrap();
        let set: PolicySet = translation.policies.parse().unwrap();
        let result = Validator::new(schema).validate(&set, ValidationMode::Strict);
        assert!(result.validation_passed_without_warnings(), "{result}");
    }
}

#[test]
fn a_control_policy_and_a_resource_policy_name_their_layer_and_validate() {
    for (kind, statement, expected) in [
        (
            DocumentKind::ServiceControlPolicy,
            r#"{"Effect": "Deny", "NotAction": ["iam:*", "kms:Decrypt"], "Resource": "*"}"#,
            "@source(\"service_control_policy[0]#0\")\nforbid (principal, action, resource)\nunless { action == kms::Action::\"Decrypt\" || action in aws::Action::\"iam:*\" };",
        ),
        (
            DocumentKind::ResourceControlPolicy,
            r#"{"Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*"}"#,
            "@source(\"resource_control_policy[0]#0\") @principal_class(\"any\")\nforbid (principal, action in kms::Action::\"*\", resource);",
        ),
        (
            DocumentKind::ResourcePolicy,
            r#"{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:role/R"}, "Action": "sts:AssumeRole"}"#,
            "@source(\"resource_policy[0]#0\") @principal_class(\"role\")\npermit (principal in iam::Role::\"arn:aws:iam::111122223333:role/R\",\n        action == aws::Action::\"sts:AssumeRole\",\n        resource);",
        ),
    ] {
        let text = format!(r#"{{"Version": "2012-10-17", "Statement": [{statement}]}}"#);
        let translation = CompiledDocument::translate(kind, &text).unwrap();
        assert!(translation.warnings.is_empty(), "{:?}", translation.warnings);
        assert_eq!(translation.policies, expected);
        CompiledDocument::compile(kind, &text).unwrap();
    }
}
