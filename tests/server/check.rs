//! `keystile check` as its users call it: paths in, findings and an exit status out.

use std::path::Path;

use serde_json::Value;

use crate::support::keystile;

const OWNED: &str = r#"{"Version": "2012-10-17", "Statement": [
  {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "kms:*", "Resource": "*"}]}"#;
const WARNED: &str = r#"{"Version": "2012-10-17", "Statement": [
  {"Effect": "Allow", "Action": "kms:Decript", "Resource": "*"}]}"#;
const OPEN: &str = r#"{"Version": "2012-10-17", "Statement": [
  {"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"}]}"#;

/// Writes files into a new directory.
fn files(files: &[(&str, &str)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = root.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    root
}

/// Checks a path with these flags.
fn check(path: &Path, flags: &[&str]) -> (Option<i32>, String) {
    keystile(&[&["check", path.to_str().unwrap()], flags].concat())
}

/// The rules that were found, with the file's name and the line.
fn found(path: &Path, flags: &[&str]) -> (Option<i32>, Vec<(String, String, u64)>) {
    let (status, output) = check(path, &[flags, &["--format", "json"]].concat());
    let report: Value = serde_json::from_str(&output).unwrap_or_else(|error| panic!("{error}: {output}"));
    let findings = report["findings"].as_array().unwrap().iter().map(|finding| {
        let file = finding["file"].as_str().unwrap();
        let name = file.strip_prefix(path.to_str().unwrap()).unwrap_or(file).trim_start_matches('/').to_owned();
        assert!(["what", "why", "mend", "page"].iter().all(|member| !finding[member].as_str().unwrap().is_empty()));
        (name, finding["rule"].as_str().unwrap().to_owned(), finding["line"].as_u64().unwrap_or(0))
    });
    (status, findings.collect())
}

#[test]
fn errors_fail_and_warnings_only_where_they_are_told_to() {
    let root = files(&[("owned.json", OWNED), ("warned.json", WARNED), ("open.json", OPEN)]);
    let path = |name: &str| root.path().join(name);
    assert_eq!(found(&path("owned.json"), &["--strict"]), (Some(0), vec![]));
    assert_eq!(found(&path("warned.json"), &[]).0, Some(0));
    assert_eq!(found(&path("warned.json"), &["--strict"]).0, Some(1));
    assert_eq!(found(&path("open.json"), &[]), (Some(1), vec![(String::new(), "open-to-everyone".to_owned(), 2)]));
    let (status, text) = check(root.path(), &[]);
    assert_eq!(status, Some(1));
    for part in [
        "open.json:2:36: error: open-to-everyone: ",
        "mend: did you mean `kms:Decrypt`?",
        "1 error, 1 warning in 3 files",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
}

#[test]
fn the_type_of_a_policy_is_what_is_said_or_what_its_statements_tell() {
    let rcp = r#"{"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}}"#;
    let root = files(&[("rcp.json", rcp), ("bucket.json", &OPEN.replace("kms:*", "s3:*"))]);
    assert_eq!(found(&root.path().join("rcp.json"), &["--type", "rcp"]).1[0].1, "control-policy");
    assert_eq!(found(&root.path().join("bucket.json"), &[]).1[0].1, "public-resource");
    assert_eq!(found(&root.path().join("bucket.json"), &["--type", "identity"]).1[0].1, "unexpected-element");
}

#[test]
fn what_a_configuration_names_is_checked_as_what_it_is_named_for() {
    let details = format!(
        r#"{{"UserDetailList": [{{"Arn": "arn:aws:iam::111122223333:user/a", "UserName": "a", "UserId": "AIDAABCDEFGHIJKLMNOPQ",
"UserPolicyList": [{{"PolicyName": "p", "PolicyDocument": {WARNED}}}]}}]}}"#
    );
    let credentials = r#"[[access_key]]
id = "ASIAIOSFODNN7EXAMPLE"
secret_env = "KEYSTILE_TEST_UNSET"
session_token = "t"
principal = "arn:aws:sts::111122223333:assumed-role/R/s"
session_policies = ["session.json"]
"#;
    let root = files(&[
        (
            "keystile.toml",
            "[iam]\nauthorization_details = [\"iam/details.json\"]\ncredentials = [\"iam/keys.toml\"]\norganization = \"iam/o.toml\"\n",
        ),
        (
            "iam/o.toml",
            "[[account]]\nid = \"111122223333\"\nservice_control_policies = [[\"scp.json\"]]\nresource_control_policies = [[\"rcp.json\"]]\n",
        ),
        ("iam/scp.json", WARNED),
        ("iam/rcp.json", OPEN),
        ("iam/details.json", &details),
        ("iam/keys.toml", credentials),
        ("iam/session.json", OWNED),
        ("other.json", r#"{"name": "a package of another tool"}"#),
        (".hidden/open.json", OPEN),
        ("policies/p.test.toml", "not even TOML"),
    ]);
    let expected = [
        ("iam/details.json", "unknown-action", 3),
        ("iam/rcp.json", "control-policy", 2),
        ("iam/scp.json", "unknown-action", 2),
        ("iam/session.json", "unexpected-element", 2),
    ];
    let expected: Vec<_> = expected.map(|(file, rule, line)| (file.to_owned(), rule.to_owned(), line)).to_vec();
    assert_eq!(found(root.path(), &[]), (Some(1), expected));
}

#[test]
fn what_serve_refuses_is_an_error_with_its_place() {
    for (name, text, rule, line) in [
        ("keystile.toml", "\nlisten = 7\n", "configuration", 2),
        ("keystile.toml", "[iam]\nno_such_member = 1\n", "configuration", 2),
        (
            "credentials.toml",
            "[[access_key]]\nid = \"AKIAIOSFODNN7EXAMPLE\"\nsecret = \"s\"\nprincipal = \"alice\"\n",
            "credentials",
            4,
        ),
        ("organization.toml", "[[account]]\nid = \"1\"\n", "organization", 2),
        ("details.json", "{\"UserDetailList\":\n[{}]}", "authorization-details", 2),
    ] {
        let root = files(&[(name, text)]);
        assert_eq!(found(root.path(), &[]), (Some(1), vec![(name.to_owned(), rule.to_owned(), line)]), "{text}");
    }
}

#[test]
fn policies_that_a_faulty_organization_names_are_what_they_are_named_for() {
    let rcp = r#"{"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"}}"#;
    let organization = "[[account]]\nid = \"1\"\nresource_control_policies = [[\"rcp.json\"]]\n";
    let root = files(&[("organization.toml", organization), ("rcp.json", rcp)]);
    let expected = vec![("organization.toml".to_owned(), "organization".to_owned(), 2)];
    assert_eq!(found(root.path(), &[]), (Some(1), expected));
}

#[test]
fn text_that_is_no_text_has_its_place() {
    let root = files(&[]);
    std::fs::write(root.path().join("p.json"), b"{\n \"Statement\": \"\xff\"}").unwrap();
    assert_eq!(found(root.path(), &[]), (Some(2), vec![("p.json".to_owned(), "unreadable".to_owned(), 2)]));
}

#[test]
fn credentials_that_are_put_there_later_are_a_warning() {
    let root = files(&[("keystile.toml", "[iam]\ncredentials = [\"iam/keys.toml\"]\n")]);
    let expected = vec![("keystile.toml".to_owned(), "missing-credentials".to_owned(), 2)];
    assert_eq!(found(root.path(), &[]), (Some(0), expected));
    let root = files(&[("keystile.toml", "[iam]\nauthorization_details = [\"iam/none.json\"]\n")]);
    assert_eq!(found(root.path(), &[]).0, Some(2));
}

#[test]
fn the_samples_have_no_finding_but_the_secrets_that_are_not_there() {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    let (status, findings) = found(&samples, &[]);
    assert_eq!(status, Some(0));
    assert!(findings.iter().all(|(_, rule, _)| rule == "missing-credentials"), "{findings:?}");
}

#[test]
fn input_that_cannot_be_read_is_exit_status_2_whatever_else_was_found() {
    for (name, text, line) in [
        ("a.json", "{\n\"Statement\": [}", 2),
        ("a.json", "not JSON", 1),
        ("a.json", "", 1),
        ("keystile.toml", "\n\nlisten = \n", 3),
        ("credentials.toml", "[[access_key]\n", 1),
    ] {
        let root = files(&[(name, text), ("open.json", OPEN)]);
        let (status, findings) = found(root.path(), &[]);
        assert_eq!(status, Some(2), "{text}");
        assert!(findings.iter().any(|(file, _, at)| file == name && *at == line), "{text}: {findings:?}");
        assert!(findings.iter().any(|(_, rule, _)| rule == "open-to-everyone"), "{findings:?}");
    }
    let root = files(&[("binary.json", "")]);
    std::fs::write(root.path().join("binary.json"), [0xff, 0xfe, 0]).unwrap();
    assert_eq!(found(root.path(), &[]).0, Some(2));
    assert_eq!(check(Path::new("/nonexistent/policy.json"), &[]).0, Some(2));
    assert_eq!(check(files(&[]).path(), &[]).0, Some(2), "nothing to check");
    assert_eq!(keystile(&["check"]).0, Some(2));
    assert_eq!(check(root.path(), &["--type", "nonsense"]).0, Some(2));
}

/// Pieces of policies in any order, cut anywhere: findings or exit status 2, never a panic.
#[test]
fn no_input_makes_it_panic() {
    let pieces = [
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"Statement\"",
        "\"Effect\"",
        "\"Allow\"",
        "\"Principal\"",
        "\"AWS\"",
        "\"*\"",
        "\"Action\"",
        "\"kms:*\"",
        "\"Condition\"",
        "\"StringLike\"",
        "\"aws:TagKeys\"",
        "\"${\"",
        "\"\\ud800\"",
        "1e999",
        "null",
        "\u{0}",
        "é",
    ];
    let mut state = 1_u64;
    let mut next = |bound: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % bound
    };
    let root = tempfile::tempdir().unwrap();
    for number in 0..300 {
        let text: String = match number % 3 {
            0 => (0..next(30)).map(|_| pieces[next(pieces.len())]).collect(),
            1 => [OWNED, WARNED, OPEN][next(3)].chars().take(next(180)).collect(),
            _ => {
                let mut characters: Vec<char> = [OWNED, WARNED, OPEN][next(3)].chars().collect();
                let (from, to) = (next(characters.len()), next(characters.len()));
                characters.swap(from, to);
                characters.into_iter().collect()
            }
        };
        let name = ["json", "json", "json", "toml"][next(4)];
        std::fs::write(root.path().join(format!("{number}.{name}")), text).unwrap();
    }
    let paths: Vec<_> = (0..300)
        .flat_map(|n| ["json", "toml"].map(|e| root.path().join(format!("{n}.{e}"))))
        .filter(|p| p.exists())
        .collect();
    let mut arguments = vec!["check", "--format", "sarif"];
    arguments.extend(paths.iter().map(|path| path.to_str().unwrap()));
    let (status, output) = keystile(&arguments);
    assert_eq!(status, Some(2), "{output}");
    assert!(!output.contains("panicked"), "{output}");
    let _: Value = serde_json::from_str(&output).unwrap();
}

#[test]
fn sarif_names_each_rule_and_each_place() {
    let root = files(&[("a b.json", WARNED), ("open.json", OPEN)]);
    let (status, output) = check(root.path(), &["--format", "sarif"]);
    assert_eq!(status, Some(1));
    let log: Value = serde_json::from_str(&output).unwrap();
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), 2);
    for (result, file, level) in [(&results[0], "a%20b.json", "warning"), (&results[1], "open.json", "error")] {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[index]["id"], result["ruleId"]);
        assert_eq!(result["level"], level);
        let place = &result["locations"][0]["physicalLocation"];
        let uri = place["artifactLocation"]["uri"].as_str().unwrap();
        assert!(uri.starts_with("file:///") && uri.ends_with(file), "{uri}");
        assert_eq!(place["region"]["startLine"], 2);
        assert!(result["message"]["text"].as_str().unwrap().len() > 20);
    }
}
