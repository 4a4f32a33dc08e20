//! Cases of `keystile simulate`, and suites of `keystile test`.

use std::io;
use std::path::PathBuf;

use keystile::simulate::{Format, Library, Simulator, Tester, junit};
use serde_json::Value;

use super::policy::DICTIONARY;
use super::{files, fuzz, text};
use crate::generate::{Dice, World};

/// A library that has one policy, `policy.json`, and no other file.
fn library() -> Library {
    Library::new(Box::new(|path| {
        if path.ends_with("policy.json") {
            Ok(r#"{"Version": "2012-10-17", "Statement": {"Sid": "All", "Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}}"#.to_owned())
        } else {
            Err(io::ErrorKind::NotFound.into())
        }
    }))
}

fn dictionary(more: &[&'static str]) -> Vec<&'static str> {
    DICTIONARY.iter().chain(more).copied().collect()
}

#[test]
fn a_case_is_decided_or_refused_with_its_line() {
    let mut dice = Dice::new(11);
    let corpus =
        (0..60).map(|_| World::new(&mut dice).case(&mut dice).to_simulate().to_string().into_bytes()).collect();
    let dictionary = dictionary(&[
        "principal",
        "action",
        "resource",
        "context",
        "key_policy",
        "resource_policy",
        "identity_policies",
        "permissions_boundary",
        "session_policies",
        "service_control_policies",
        "resource_control_policies",
        "grants",
        "GranteePrincipal",
        "RetiringPrincipal",
        "IssuingAccount",
        "Operations",
        "Constraints",
        "EncryptionContextSubset",
        "SourceArn",
        "now",
        "role_arn",
        "resource_account",
        "policy.json",
        "gone.json",
        "anonymous",
        "\n",
    ]);
    let simulator = Simulator::new(library(), Format::Json);
    fuzz("simulate", corpus, &dictionary, |input| {
        let mut out = Vec::new();
        let mut faults = Vec::new();
        let source: Box<dyn io::Read + Send> = Box::new(io::Cursor::new(input.to_vec()));
        let tally = simulator
            .run(vec![("case.json".into(), source)], 1, &mut out, &mut |fault| faults.push(fault.to_string()))
            .unwrap();
        let mut outcome = String::new();
        let lines: Vec<&str> = std::str::from_utf8(&out).unwrap().lines().collect();
        assert_eq!(lines.len() as u64, tally.cases(), "a line for each case");
        assert_eq!(faults.is_empty(), tally.unreadable == 0, "{faults:?}");
        for line in lines {
            let line: Value = serde_json::from_str(line).unwrap();
            match line["decision"].as_str() {
                Some("allow") => assert!(line["message"].is_null(), "{line}"),
                Some("implicit_deny" | "explicit_deny") => assert!(line["message"].is_string(), "{line}"),
                None => assert!(line["error"].is_string(), "{line}"),
                Some(other) => panic!("{other}"),
            }
            outcome = format!("{outcome}{} {} {};", line["decision"], line["decided_by"][0]["layer"], line["error"])
                .replace('"', "");
        }
        for fault in faults {
            assert!(fault.contains("case.json"), "names no file: {fault}");
        }
        outcome
    });
}

#[test]
fn a_suite_is_tested_or_refused_with_its_place() {
    let mut corpus = files("policies", ".test.toml");
    corpus.push(
        br#"key_policy = "policy.json"
[context]
"aws:SecureTransport" = true
[[case]]
name = "the rotator may enable rotation with MFA"
principal = "arn:aws:sts::111122223333:assumed-role/Rotator/nightly"
action = ["kms:EnableKeyRotation", "kms:Decrypt"]
resource = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
context = { "aws:MultiFactorAuthPresent" = true, "aws:TagKeys" = ["a"], "kms:RotationPeriodInDays" = 180 }
expect = "allow"
decided_by = "All"
[[case]]
principal = "anonymous"
action = "s3:GetObject"
resource = "arn:aws:s3:::b/x"
now = 2026-01-01T00:00:00Z
expect = "deny"
"#
        .to_vec(),
    );
    let dictionary = dictionary(&[
        "[[case]]",
        "[context]",
        "name = ",
        "expect = \"implicit_deny\"",
        "decided_by",
        "= []",
        "= {}",
        "'''",
        "\"\"\"",
        "grants = [{",
        "identity_policies = ",
        "= 1979-05-27",
    ]);
    let tester = Tester::new(library()).measuring_coverage(true);
    fuzz("suite", corpus, &dictionary, |input| {
        let Some(text) = text(input) else { return String::new() };
        let results = tester.run(&[(PathBuf::from("fuzzed.test.toml"), text.to_owned())], 1);
        assert_eq!(results.len(), 1);
        let _ = junit(&results, &[], None);
        let _ = keystile::simulate::coverage(&results).percent();
        let faults: Vec<String> = results[0].faults.iter().map(ToString::to_string).collect();
        format!(
            "{} {} {}",
            results[0].cases.len(),
            results[0].cases.iter().filter(|case| case.passed()).count(),
            faults.join("; ")
        )
    });
}
