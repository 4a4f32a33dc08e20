//! `keystile test`, as teams use it.

use std::path::Path;

use serde_json::Value;

use crate::command::{Ran, run};

const POLICY: &str = r#"{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Sid": "RotateWithMfa",
      "Effect": "Allow",
      "Principal": {"AWS": "arn:aws:iam::111122223333:role/Rotator"},
      "Action": ["kms:EnableKeyRotation", "kms:DisableKeyRotation"],
      "Resource": "*",
      "Condition": {
        "Bool": {"aws:MultiFactorAuthPresent": "true"}
      }
    },
    {
      "Sid": "OnlyOverTls",
      "Effect": "Deny",
      "Principal": "*",
      "Action": "kms:*",
      "Resource": "*",
      "Condition": {
        "Bool": {"aws:SecureTransport": "false"}
      }
    }
  ]
}
"#;

const SUITE: &str = r#"
key_policy = "rotation.json"
[context]
"aws:SecureTransport" = true

[[case]]
name = "the rotator may enable rotation with MFA"
principal = "arn:aws:sts::111122223333:assumed-role/Rotator/nightly"
action = ["kms:EnableKeyRotation", "kms:DisableKeyRotation"]
resource = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
context = { "aws:MultiFactorAuthPresent" = true }
expect = "allow"
decided_by = "RotateWithMfa"
"#;

/// A case beside, with other members.
fn case(name: &str, members: &str) -> String {
    format!(
        "\n[[case]]\nname = \"{name}\"\nprincipal = \"arn:aws:sts::111122223333:assumed-role/Rotator/nightly\"\nresource = \"arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab\"\n{members}\n"
    )
}

fn suite(more: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("policies")).unwrap();
    write(folder.path(), "rotation.json", POLICY);
    write(folder.path(), "rotation.test.toml", &format!("{SUITE}{more}"));
    folder
}

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join("policies").join(name), text).unwrap();
}

fn test(folder: &Path, arguments: &[&str]) -> Ran {
    let mut all = vec!["test", "policies"];
    all.extend(arguments);
    run(&all, b"", folder)
}

#[test]
fn a_suite_that_holds_passes() {
    let folder = suite(&case("nobody rotates without MFA", "action = \"kms:EnableKeyRotation\"\nexpect = \"deny\""));
    let ran = test(folder.path(), &[]);
    assert_eq!(ran.status, 0, "{ran:?}");
    assert_eq!(
        ran.out,
        "ok    policies/rotation.test.toml:6  the rotator may enable rotation with MFA\n\
         ok    policies/rotation.test.toml:15  nobody rotates without MFA\n\
         1 suites, 2 cases: 2 passed, 0 failed\n"
    );
}

#[test]
fn every_expectation_can_fail_and_is_explained() {
    let rotate = "action = \"kms:EnableKeyRotation\"\n";
    for (members, says) in [
        ("expect = \"allow\"", "expected allow, and it is implicit_deny"),
        ("expect = \"explicit_deny\"", "expected explicit_deny, and it is implicit_deny"),
        (
            "context = { \"AWS:SecureTransport\" = false }\nexpect = \"implicit_deny\"",
            "expected implicit_deny, and it is explicit_deny",
        ),
        ("context = { \"aws:MultiFactorAuthPresent\" = true }\nexpect = \"deny\"", "expected deny, and it is allow"),
        (
            "context = { \"aws:MultiFactorAuthPresent\" = true }\nexpect = \"allow\"\ndecided_by = \"Other\"",
            "expected to be decided by \"Other\", and it is decided by \"RotateWithMfa\"",
        ),
        ("expect = \"deny\"\ndecided_by = \"RotateWithMfa\"", "and it is decided by no statement with a Sid"),
    ] {
        let folder = suite(&case("wrong", &format!("{rotate}{members}")));
        let ran = test(folder.path(), &[]);
        assert_eq!(ran.status, 1, "{members}: {ran:?}");
        assert!(ran.out.contains("FAIL  policies/rotation.test.toml:15  wrong\n"), "{ran:?}");
        assert!(ran.out.contains(says), "{members}: {ran:?}");
        assert!(ran.out.ends_with("2 cases: 1 passed, 1 failed\n"), "{ran:?}");
    }
    let folder = suite(&case("wrong", &format!("{rotate}expect = \"allow\"")));
    let out = test(folder.path(), &[]).out;
    assert!(out.contains("Condition Bool aws:MultiFactorAuthPresent: expects \"true\""), "{out}");
    assert!(out.contains("(policies/rotation.json:4)"), "{out}");
}

#[test]
fn a_list_of_actions_holds_for_each() {
    let members = "action = [\"kms:EnableKeyRotation\", \"kms:Decrypt\"]\ncontext = { \"aws:MultiFactorAuthPresent\" = true }\nexpect = \"allow\"";
    let ran = test(suite(&case("both", members)).path(), &[]);
    assert_eq!(ran.status, 1);
    assert!(
        ran.out.contains("kms:Decrypt: expected allow") && !ran.out.contains("kms:EnableKeyRotation: expected"),
        "{ran:?}"
    );
}

#[test]
fn a_case_may_bring_its_own_policies() {
    let own = r#"action = "kms:Decrypt"
expect = "allow"
decided_by = "Own"
now = 2026-01-01T00:00:00Z
[case.key_policy]
Version = "2012-10-17"
[[case.key_policy.Statement]]
Sid = "Own"
Effect = "Allow"
Principal = "*"
Action = "kms:Decrypt"
Resource = "*"
Condition = { DateEquals = { "aws:CurrentTime" = "2026-01-01" } }
"#;
    let ran = test(suite(&case("own", own)).path(), &[]);
    assert_eq!(ran.status, 0, "{ran:?}");
}

#[test]
fn coverage_lists_what_no_case_shows() {
    let folder = suite("");
    let ran = test(folder.path(), &["--coverage"]);
    assert_eq!(ran.status, 0, "{ran:?}");
    assert!(
        ran.out.ends_with(
            "coverage 25.0 %: 1 of 4 statements and conditions\n\
             \x20 policies/rotation.json:11  key policy, statement 0 \"RotateWithMfa\", Bool aws:MultiFactorAuthPresent: no case sees it fail\n\
             \x20 policies/rotation.json:14  key policy, statement 1 \"OnlyOverTls\": no case matches it\n\
             \x20 policies/rotation.json:21  key policy, statement 1 \"OnlyOverTls\", Bool aws:SecureTransport: no case sees it hold\n"
        ),
        "{ran:?}"
    );
    let ran = test(folder.path(), &["--coverage-min", "26"]);
    assert_eq!(ran.status, 1);
    assert!(ran.out.ends_with("FAIL  the coverage is 25.0 %, and at least 26 % is asked for\n"), "{ran:?}");
    assert_eq!(test(folder.path(), &["--coverage-min", "25"]).status, 0);
    assert_eq!(test(folder.path(), &["--coverage-min", "101"]).status, 2);
    // Another suite of the same policy shows the rest.
    let rest = case("no MFA", "action = \"kms:EnableKeyRotation\"\nexpect = \"implicit_deny\"")
        + &case(
            "no TLS",
            "action = \"kms:Decrypt\"\nexpect = \"explicit_deny\"\ncontext = {\"aws:SecureTransport\" = false}",
        );
    let head = "key_policy = \"../policies/rotation.json\"\ncontext = {\"aws:SecureTransport\" = true}\n";
    write(folder.path(), "second.test.toml", &format!("{head}{rest}"));
    let ran = test(folder.path(), &["--coverage-min", "100"]);
    assert_eq!(ran.status, 0, "{ran:?}");
    assert!(ran.out.ends_with("coverage 100.0 %: 4 of 4 statements and conditions\n"), "{ran:?}");
}

#[test]
fn results_are_also_json_and_junit() {
    let folder = suite(&case("a <wrong> \\\"one\\\"", "action = \"kms:EnableKeyRotation\"\nexpect = \"allow\""));
    let ran = test(folder.path(), &["--format", "json", "--coverage"]);
    assert_eq!(ran.status, 1);
    let report: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((&report["passed"], &report["failed"], &report["suites"]), (&1.into(), &1.into(), &1.into()));
    let check = &report["cases"][1]["checks"][0];
    assert_eq!((&check["passed"], &check["result"]["decision"]), (&false.into(), &"implicit_deny".into()));
    assert_eq!(check["result"]["near_misses"][0]["failed"][0]["key"], "aws:MultiFactorAuthPresent");
    assert_eq!(report["coverage"]["total"], 4);

    let ran = test(folder.path(), &["--format", "junit", "--coverage-min", "100"]);
    assert_eq!(ran.status, 1);
    let counts = well_formed(&ran.out);
    assert_eq!((counts["testsuite"], counts["testcase"], counts["failure"]), (2, 3, 2), "{}", ran.out);
    assert!(
        ran.out.contains("<testsuites name=\"keystile test\" tests=\"3\" failures=\"2\" errors=\"0\">"),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("name=\"a &lt;wrong&gt; &quot;one&quot;\""), "{}", ran.out);
}

/// The elements of an XML text by their names, once every one is closed where it must be.
fn well_formed(xml: &str) -> std::collections::BTreeMap<String, usize> {
    let mut counts = std::collections::BTreeMap::new();
    let mut open: Vec<&str> = Vec::new();
    let mut rest = xml.strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n").expect("a declaration");
    while let Some(at) = rest.find('<') {
        assert!(!rest[..at].contains('>'), "{rest}");
        let end = rest[at..].find('>').expect("a tag ends") + at;
        let tag = &rest[at + 1..end];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name));
        } else {
            let name = tag.split([' ', '/']).next().unwrap();
            *counts.entry(name.to_owned()).or_insert(0) += 1;
            assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
            if !tag.ends_with('/') {
                open.push(name);
            }
        }
        rest = &rest[end + 1..];
    }
    assert!(open.is_empty());
    counts
}

#[test]
fn a_suite_that_cannot_be_read_names_file_and_line() {
    let good = case("good", "action = \"kms:Decrypt\"\nexpect = \"deny\"");
    for (suite, line, says) in [
        ("[[case]]\nname = \"x\nexpect = 1\n".to_owned(), 2, "not TOML"),
        ("key_polcy = \"x\"\n[[case]]\n".to_owned(), 1, "unknown member `key_polcy`"),
        ("[context]\n".to_owned(), 1, "there is no case"),
        ("[case]\nname = \"x\"\n".to_owned(), 1, "[[case]]"),
        ("context = 3\n[[case]]\n".to_owned(), 1, "context: write an object"),
        (format!("{good}\n[[case]]\nexpect = \"deny\"\n"), 9, "name is missing"),
        (format!("{good}\n[[case]]\nname = \"x\"\n"), 9, "expect is missing"),
        (case("x", "action = \"kms:Decrypt\"\nexpect = \"maybe\""), 7, "expect: `maybe` is none of"),
        (case("x", "action = \"kms:Decrypt\"\nexpects = \"deny\""), 7, "unknown member `expects`"),
        (case("x", "action = []\nexpect = \"deny\""), 6, "the list is empty"),
        (case("x", "expect = \"deny\""), 2, "action is missing"),
        (case("x", "action = \"kms:Decrypt\"\nexpect = \"deny\"\nkey_policy = \"absent.json\""), 8, "absent.json"),
        (case("x", "action = \"kms:Decrypt\"\nexpect = \"deny\"\nkey_policy = \"torn.json\""), 8, "torn.json:2:1"),
        (
            case("x", "action = \"kms:Decrypt\"\nexpect = \"deny\"\ncontext = {\"a:b\" = inf}"),
            8,
            "JSON has no such number",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("policies")).unwrap();
        write(folder.path(), "torn.json", "{\n");
        write(folder.path(), "bad.test.toml", &suite);
        write(folder.path(), "good.test.toml", &good);
        let ran = test(folder.path(), &[]);
        assert_eq!(ran.status, 2, "{suite}\n{ran:?}");
        assert!(ran.err.contains(&format!("policies/bad.test.toml:{line}:")), "{suite}\n{ran:?}");
        assert!(ran.err.contains(says), "{suite}\n{ran:?}");
        assert!(ran.out.contains("policies/good.test.toml:2  good"), "the other suites still run: {ran:?}");
        let junit = test(folder.path(), &["--format", "junit"]);
        assert_eq!(well_formed(&junit.out)["error"], 1, "{}", junit.out);
    }
}

#[test]
fn suites_are_searched_for_and_none_at_all_is_no_success() {
    let folder = suite("");
    let nested = folder.path().join("policies/deep/er");
    std::fs::create_dir_all(&nested).unwrap();
    std::fs::write(nested.join("x.test.toml"), SUITE.replace("rotation.json", "../../rotation.json")).unwrap();
    std::fs::write(nested.join("not-a-suite.toml"), "x").unwrap();
    assert!(test(folder.path(), &[]).out.ends_with("2 suites, 2 cases: 2 passed, 0 failed\n"));
    let one = run(&["test", "policies/deep/er/x.test.toml"], b"", folder.path());
    assert_eq!(one.status, 0, "{one:?}");
    let empty = tempfile::tempdir().unwrap();
    let ran = run(&["test", "."], b"", empty.path());
    assert_eq!((ran.status, ran.out.as_str()), (2, ""), "{ran:?}");
    assert_eq!(run(&["test", "absent"], b"", empty.path()).status, 2);
    assert_eq!(run(&["test"], b"", empty.path()).status, 2);
    assert!(run(&["test", "--help"], b"", empty.path()).out.contains("Example:"));
}

#[test]
fn a_suite_that_is_no_text_hides_no_other() {
    let folder = suite("");
    std::fs::write(folder.path().join("policies/a.test.toml"), b"key_policy = \"\xff\"\n").unwrap();
    let ran = test(folder.path(), &["--format", "junit"]);
    assert_eq!(ran.status, 2);
    assert!(ran.err.contains("policies/a.test.toml:1:15: the text is not UTF-8"), "{ran:?}");
    assert!(ran.out.contains("tests=\"2\" failures=\"0\" errors=\"1\""), "{ran:?}");
    well_formed(&ran.out);
}

#[test]
fn a_pipe_that_never_ends_is_not_waited_for() {
    let folder = suite("");
    std::os::unix::fs::symlink("/dev/zero", folder.path().join("policies/z.test.toml")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", folder.path().join("policies/z.json")).unwrap();
    let ran = test(folder.path(), &[]);
    assert!(ran.status == 2 && ran.err.contains("z.test.toml: is no regular file"), "{ran:?}");
    assert!(ran.out.contains("1 passed"), "{ran:?}");
    let ran = run(&["check", "policies"], b"", folder.path());
    assert!(ran.status == 2 && ran.out.contains("z.json") && ran.out.contains("no regular file"), "{ran:?}");
}

#[test]
fn a_file_is_one_whatever_it_is_called() {
    let folder = suite("");
    std::os::unix::fs::symlink("rotation.json", folder.path().join("policies/link.json")).unwrap();
    let other = format!("{}{}", SUITE.replace("rotation.json", "link.json"), "");
    write(folder.path(), "other.test.toml", &other);
    let ran = test(folder.path(), &["policies/../policies/rotation.test.toml", "--coverage"]);
    assert!(ran.out.contains("2 suites, 2 cases") && ran.out.contains(" of 4 statements"), "{ran:?}");
}
