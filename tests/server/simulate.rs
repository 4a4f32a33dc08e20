//! `keystile simulate`, as scripts use it.

use serde_json::{Value, json};

use crate::command::{run, simulate};

const ROTATOR: &str = "arn:aws:sts::111122223333:assumed-role/Rotator/nightly";
const ALICE: &str = "arn:aws:iam::111122223333:user/alice";
const KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

const ROTATION: &str = r#"{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Sid": "Enable IAM policies",
      "Effect": "Allow",
      "Principal": {"AWS": "111122223333"},
      "Action": "kms:*",
      "Resource": "*"
    },
    {
      "Sid": "RotateWithMfa",
      "Effect": "Allow",
      "Principal": {"AWS": "arn:aws:iam::111122223333:role/Rotator"},
      "Action": "kms:EnableKeyRotation",
      "Resource": "*",
      "Condition": {
        "Bool": {"aws:MultiFactorAuthPresent": "true"}
      }
    }
  ]
}
"#;

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("rotation.json"), ROTATION).unwrap();
    folder
}

fn case() -> Value {
    json!({
        "principal": ROTATOR, "action": "kms:EnableKeyRotation", "resource": KEY, "key_policy": "rotation.json",
        "context": {"kms:RotationPeriodInDays": 180, "aws:MultiFactorAuthPresent": true, "aws:TagKeys": ["a"]},
        "identity_policies": [], "permissions_boundary": null, "session_policies": [],
        "service_control_policies": [], "resource_control_policies": [], "now": "2026-01-01T00:00:00Z",
        "grants": [{"GranteePrincipal": ALICE, "Operations": ["Decrypt"],
                    "Constraints": {"EncryptionContextSubset": {"a": "b"}}}],
    })
}

fn with(changes: &[(&str, Value)]) -> Value {
    let mut case = case();
    for (member, value) in changes {
        case[*member] = value.clone();
    }
    case
}

#[test]
fn an_allow_names_its_statement_by_file_line_and_sid() {
    let folder = folder();
    let result = &simulate(&[case()], folder.path())[0];
    assert_eq!(
        *result,
        json!({
            "decision": "allow",
            "decided_by": [{"layer": "key_policy", "level": null, "document": 0, "statement": 1, "sid": "RotateWithMfa",
                            "file": "rotation.json", "line": 11}],
            "message": null, "missing_context_keys": [], "near_misses": [],
        })
    );
}

#[test]
fn a_deny_names_the_silent_layer_the_nearest_statement_and_what_was_not_given() {
    let folder = folder();
    let result = &simulate(&[with(&[("context", json!({}))])], folder.path())[0];
    assert_eq!(
        *result,
        json!({
            "decision": "implicit_deny",
            "decided_by": [{"layer": "identity_policy", "level": null, "document": null, "statement": null, "sid": null,
                            "file": null, "line": null}],
            "message": format!("User: {ROTATOR} is not authorized to perform: kms:EnableKeyRotation on resource: {KEY} because no identity-based policy allows the kms:EnableKeyRotation action"),
            "missing_context_keys": ["aws:MultiFactorAuthPresent"],
            "near_misses": [{"layer": "key_policy", "level": null, "document": 0, "statement": 1,
                             "sid": "RotateWithMfa", "file": "rotation.json", "line": 11,
                             "failed": [{"element": "Condition", "operator": "Bool", "key": "aws:MultiFactorAuthPresent",
                                         "expected": ["true"], "actual": null}]}],
        })
    );
}

#[test]
fn an_inline_policy_has_neither_file_nor_line() {
    let folder = folder();
    let inline: Value = serde_json::from_str(ROTATION).unwrap();
    let result = &simulate(&[with(&[("key_policy", inline), ("context", json!({}))])], folder.path())[0];
    let miss = &result["near_misses"][0];
    assert_eq!((&miss["file"], &miss["line"], &miss["sid"]), (&Value::Null, &Value::Null, &json!("RotateWithMfa")));
}

#[test]
fn the_text_form_says_the_same_to_a_person() {
    let folder = folder();
    let ran = run(&["simulate"], with(&[("context", json!({}))]).to_string().as_bytes(), folder.path());
    assert_eq!(ran.status, 1);
    for part in [
        "implicit_deny",
        ROTATOR,
        "identity policy",
        "key policy, statement 1 \"RotateWithMfa\" (rotation.json:11)",
        "Condition Bool aws:MultiFactorAuthPresent: expects \"true\", the request does not give it",
        "read and not given: aws:MultiFactorAuthPresent",
    ] {
        assert!(ran.out.contains(part), "{part}: {}", ran.out);
    }
    assert!(!ran.out.contains('\u{1b}'), "colour without a terminal");
    let hostile = with(&[("resource", json!(format!("{KEY}\u{1b}[2J")))]);
    let out = run(&["simulate"], hostile.to_string().as_bytes(), folder.path()).out;
    assert!(!out.contains('\u{1b}') && out.contains("\\u{1b}[2J"), "{out}");
    let hostile = with(&[("resource", json!("\u{1b}[2J"))]);
    let err = run(&["simulate"], hostile.to_string().as_bytes(), folder.path()).err;
    assert!(!err.contains('\u{1b}') && err.contains("\\u{1b}[2J"), "{err}");
    let deny = json!({"Version": "2012-10-17", "Statement": {"Sid": "No", "Effect": "Deny", "Principal": "*",
        "Action": "kms:*", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}});
    let denied = with(&[("key_policy", deny), ("context", json!({"aws:SecureTransport": false}))]);
    let out = run(&["simulate"], denied.to_string().as_bytes(), folder.path()).out;
    assert!(
        out.contains(
            "  decided by key policy, statement 0 \"No\"\n    because of Condition Bool aws:SecureTransport: expects \"false\", the request has \"false\"\n"
        ),
        "{out}"
    );
    let who = json!({"principal": "arn:aws:iam::111122223333:user/alice", "action": "sts:GetCallerIdentity", "resource": "*"});
    let out = run(&["simulate"], who.to_string().as_bytes(), folder.path()).out;
    assert!(out.ends_with("  decided by no statement: no permission is needed\n"), "{out}");
    let ran = run(&["simulate"], case().to_string().as_bytes(), folder.path());
    assert_eq!(ran.status, 0);
    assert!(ran.out.starts_with("allow  "), "{}", ran.out);
    assert!(ran.out.contains("decided by key policy, statement 1 \"RotateWithMfa\" (rotation.json:11)"), "{}", ran.out);
}

#[test]
fn what_follows_from_principal_and_resource_is_filled_in_unless_the_context_gives_it() {
    let folder = folder();
    let when = |conditions: Value| {
        json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": "*", "Action": "*",
               "Resource": "*", "Condition": conditions}})
    };
    let equals = |key: &str, value: &str| when(json!({"StringEquals": {key: value}}));
    let alice = |policy: Value| with(&[("principal", json!(ALICE)), ("context", json!({})), ("key_policy", policy)]);
    let session = |policy: Value, context: Value| with(&[("context", context), ("key_policy", policy)]);
    let role = "arn:aws:iam::111122223333:role/Rotator";
    let cases = [
        alice(equals("aws:PrincipalArn", ALICE)),
        alice(equals("aws:PrincipalAccount", "111122223333")),
        alice(equals("aws:PrincipalType", "User")),
        alice(equals("aws:username", "alice")),
        alice(equals("aws:ResourceAccount", "111122223333")),
        alice(equals("kms:CallerAccount", "111122223333")),
        alice(when(json!({"NumericEquals": {"kms:RotationPeriodInDays": "365"}}))),
        alice(when(json!({"DateEquals": {"aws:CurrentTime": "2026-01-01"}}))),
        alice(when(json!({"NumericEquals": {"aws:EpochTime": "1767225600"}}))),
        session(equals("aws:PrincipalArn", role), json!({})),
        session(equals("aws:PrincipalType", "AssumedRole"), json!({})),
        session(when(json!({"Null": {"aws:username": "true"}})), json!({})),
        session(equals("aws:PrincipalAccount", "444455556666"), json!({"aws:PrincipalAccount": "444455556666"})),
        session(when(json!({"Null": {"aws:PrincipalArn": "true"}})), json!({"aws:PrincipalArn": null})),
        session(
            when(json!({"NumericEquals": {"kms:RotationPeriodInDays": 90}})),
            json!({"kms:RotationPeriodInDays": 90}),
        ),
        session(equals("aws:PrincipalArn", "arn:aws:iam::111122223333:role/ops/Rotator"), json!({})),
        session(
            when(json!({"Null": {"aws:SecureTransport": "true", "aws:SourceIp": "true", "aws:userid": "true"}})),
            json!({}),
        ),
    ];
    let mut cases = cases.to_vec();
    cases[15]["role_arn"] = json!("arn:aws:iam::111122223333:role/ops/Rotator");
    for (case, result) in cases.iter().zip(simulate(&cases, folder.path())) {
        assert_eq!(result["decision"], "allow", "{case}\n{result}");
    }
}

#[test]
fn every_kind_of_principal_and_policy_takes_part() {
    let folder = folder();
    let allow = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}});
    let none = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "iam:*", "Resource": "*"}});
    let deny = json!({"Version": "2012-10-17", "Statement":
        {"Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*"}});
    let public = json!({"Version": "2012-10-17", "Statement":
        {"Effect": "Allow", "Principal": {"AWS": "*", "Service": "s3.amazonaws.com"}, "Action": "*", "Resource": "*"}});
    let delegates = "rotation.json";
    let describe = |changes: &[(&str, Value)]| {
        let mut case = json!({"principal": ALICE, "action": "kms:DescribeKey", "resource": KEY, "key_policy": delegates,
                              "identity_policies": [allow]});
        for (member, value) in changes {
            case[*member] = value.clone();
        }
        case
    };
    let grant = |operation: &str| {
        json!([{"KeyId": KEY, "GrantId": "abc", "Name": "n", "GranteePrincipal": ALICE, "Operations": [operation],
                "IssuingAccount": "arn:aws:iam::111122223333:root"}])
    };
    let silent = json!([]);
    for (case, decision, layer) in [
        (describe(&[]), "allow", "key_policy"),
        (describe(&[("identity_policies", silent.clone())]), "implicit_deny", "identity_policy"),
        (describe(&[("permissions_boundary", none.clone())]), "implicit_deny", "permissions_boundary"),
        (describe(&[("session_policies", json!([none]))]), "implicit_deny", "session_policy"),
        (
            describe(&[("service_control_policies", json!([[allow], [none]]))]),
            "implicit_deny",
            "service_control_policy",
        ),
        (describe(&[("service_control_policies", json!([[allow], [allow]]))]), "allow", "key_policy"),
        (describe(&[("resource_control_policies", json!([[deny]]))]), "explicit_deny", "resource_control_policy"),
        (describe(&[("key_policy", Value::Null)]), "implicit_deny", "key_policy"),
        (describe(&[("identity_policies", silent.clone()), ("grants", grant("DescribeKey"))]), "allow", "grant"),
        (describe(&[("principal", json!("anonymous")), ("key_policy", public.clone())]), "implicit_deny", "key_policy"),
        (
            json!({"principal": "anonymous", "action": "s3:GetObject", "resource": "arn:aws:s3:::bucket/key",
                   "resource_account": "111122223333", "resource_policy": public}),
            "allow",
            "resource_policy",
        ),
        (describe(&[("principal", json!("s3.amazonaws.com")), ("key_policy", public.clone())]), "allow", "key_policy"),
        (describe(&[("principal", json!("anonymous"))]), "implicit_deny", "key_policy"),
        (describe(&[("action", json!("kms:CreateKey")), ("resource", json!("*"))]), "allow", "identity_policy"),
        (
            json!({"principal": "arn:aws:iam::444455556666:user/bob", "action": "s3:GetObject", "resource_policy": public,
                   "resource": "arn:aws:s3:::bucket/key", "resource_account": "111122223333", "identity_policies": [allow]}),
            "allow",
            "resource_policy",
        ),
        (
            json!({"principal": "arn:aws:iam::444455556666:user/bob", "action": "s3:GetObject", "resource_policy": public,
                   "resource": "arn:aws:s3:::bucket/key", "resource_account": "111122223333"}),
            "implicit_deny",
            "identity_policy",
        ),
    ] {
        let result = &simulate(std::slice::from_ref(&case), folder.path())[0];
        assert_eq!(result["decision"], decision, "{case}\n{result}");
        assert_eq!(result["decided_by"][0]["layer"], layer, "{case}\n{result}");
    }
    let level = describe(&[("service_control_policies", json!([[allow], [none]]))]);
    assert_eq!(simulate(&[level], folder.path())[0]["decided_by"][0]["level"], 1);
}

#[test]
fn a_bad_case_has_an_error_on_its_line_and_the_others_are_decided() {
    let folder = folder();
    let input = format!("{}\n nonsense\n\n{}\n{{\"principal\": 1}}\n", case(), with(&[("context", json!({}))]));
    let ran = run(&["simulate", "--format", "json"], input.as_bytes(), folder.path());
    assert_eq!(ran.status, 2, "2 beats 1");
    let lines: Vec<Value> = ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["decision"], "allow");
    assert_eq!(lines[2]["decision"], "implicit_deny");
    assert!(lines[1]["error"].as_str().unwrap().starts_with("stdin:2:2: "), "{}", lines[1]);
    assert!(lines[3]["error"].as_str().unwrap().starts_with("stdin:5:"), "{}", lines[3]);
    assert_eq!(lines.len(), 4);
    assert!(ran.err.contains("error: stdin:2:2: "), "{}", ran.err);
}

#[test]
fn exit_statuses_tell_allow_deny_and_unreadable_apart() {
    let folder = folder();
    let path = folder.path();
    let (allow, deny) = (case().to_string(), with(&[("context", json!({}))]).to_string());
    let status = |input: &str| run(&["simulate"], input.as_bytes(), path).status;
    assert_eq!(status(&allow), 0);
    assert_eq!(status(&format!("{allow}\n{deny}")), 1);
    assert_eq!(status(&format!("{deny}\n{{\n")), 2);
    assert_eq!(status(""), 2, "nothing was decided");
    assert_eq!(status("\n \n"), 2);
    std::fs::write(path.join("allow.json"), serde_json::to_string_pretty(&case()).unwrap()).unwrap();
    std::fs::write(path.join("cases.jsonl"), format!("{allow}\n{deny}\n")).unwrap();
    assert_eq!(run(&["simulate", "allow.json"], b"", path).status, 0);
    let ran = run(&["simulate", "--format", "json", "allow.json", "cases.jsonl", "-"], allow.as_bytes(), path);
    assert_eq!((ran.status, ran.out.lines().count()), (1, 4));
    let ran = run(&["simulate", "--format", "json", "absent.json", "allow.json"], b"", path);
    assert_eq!((ran.status, ran.out.lines().count()), (2, 1), "the others are decided");
    assert!(ran.err.starts_with("error: absent.json: "), "{}", ran.err);
    assert_eq!(run(&["simulate", "."], b"", path).status, 2);
    assert_eq!(run(&["simulate", "--frmat", "json"], b"", path).status, 2);
    let help = run(&["simulate", "--help"], b"", path);
    assert!(help.status == 0 && help.out.contains("Example:"));
}

#[test]
fn malformed_cases_of_every_kind_name_their_place() {
    let folder = folder();
    std::fs::write(folder.path().join("torn.json"), "{\n  \"Statement\": [\n").unwrap();
    std::fs::write(folder.path().join("latin1.json"), b"\xe9").unwrap();
    let of_key = r#"{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}}"#;
    std::fs::write(folder.path().join("principal.json"), of_key).unwrap();
    let ok = case();
    let changed = |member: &str, value: Value| with(&[(member, value)]).to_string();
    let without = |member: &str| {
        let mut case = ok.clone();
        case.as_object_mut().unwrap().remove(member);
        case.to_string()
    };
    let bucket = "arn:aws:s3:::bucket";
    for (text, says) in [
        ("[]".to_owned(), "a case is a JSON object"),
        ("\"x\"".to_owned(), "a case"),
        ("{}".to_owned(), "action is missing"),
        ("{\"action\"".to_owned(), "EOF"),
        ("{} {}".to_owned(), "trailing"),
        ("\u{0}".to_owned(), "a case"),
        (format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)), "a case"),
        (
            changed("context", json!({"my:key": 424_242}))
                .replace("424242", &format!("{}{}", "[".repeat(5000), "]".repeat(5000))),
            "write strings, numbers or booleans",
        ),
        (changed("prinzipal", json!("x")), "unknown member `prinzipal`"),
        (r#"{"principal": "anonymous", "principal": "anonymous"}"#.to_owned(), "duplicate member `principal`"),
        (without("principal"), "principal is missing"),
        (without("action"), "action is missing"),
        (without("resource"), "resource is missing"),
        (changed("principal", json!(1)), "principal: write a string"),
        (changed("principal", json!("alice")), "is not a principal"),
        (changed("principal", json!("arn:aws:iam::111122223333:group/g")), "is not a principal"),
        (changed("action", json!("EnableKeyRotation")), "is not an action name"),
        (changed("action", json!("kms:*")), "is not an action name"),
        (changed("resource", json!("key/1234")), "neither an ARN"),
        (changed("resource", json!("*")), "write its ARN"),
        (changed("resource", json!(bucket)), "not the ARN of a KMS key"),
        (changed("resource", json!("arn:aws:kms:us-east-1:111122223333:alias/a")), "write the key's ARN"),
        (changed("resource_account", json!("1")), "is not an account id"),
        (changed("resource_account", json!("444455556666")), "of another account"),
        (changed("role_arn", json!(ALICE)), "is not the ARN of a role"),
        (changed("role_arn", json!("arn:aws:iam::111122223333:role/Other")), "is not the role of"),
        (changed("now", json!("yesterday")), "is not a time"),
        (changed("now", json!(1)), "now: write a string"),
        (changed("context", json!([])), "context: write an object"),
        (changed("context", json!({"aws:username": {}})), "write a string, a number"),
        (changed("context", json!({"username": "a"})), "is not a condition key"),
        (changed("key_policy", json!(1)), "write a policy (an object) or the path"),
        (changed("key_policy", json!("absent.json")), "key_policy: absent.json: "),
        (changed("key_policy", json!("torn.json")), "torn.json:"),
        (changed("key_policy", json!("latin1.json")), "latin1.json: "),
        (changed("key_policy", json!({})), "Statement is missing"),
        (changed("key_policy", json!({"Statement": [{"Effect": "Alow"}]})), "Statement[0].Effect"),
        (changed("resource_policy", json!("rotation.json")), "goes into key_policy"),
        (changed("identity_policies", json!("rotation.json")), "identity_policies: write a list"),
        (changed("identity_policies", json!(["principal.json"])), "principal.json:1:"),
        (changed("identity_policies", json!(["principal.json"])), "has no Principal"),
        (changed("service_control_policies", json!(["rotation.json"])), "service_control_policies[0]: write a list"),
        (changed("grants", json!({})), "grants: write a list"),
        (changed("grants", json!([{"GranteePrincipal": ALICE}])), "Operations"),
        (
            changed("grants", json!([{"GranteePrincipal": ALICE, "Operations": ["EnableKeyRotation"]}])),
            "no operation that a grant",
        ),
        (changed("grants", json!([{"GranteePrincipal": "alice", "Operations": ["Decrypt"]}])), "GranteePrincipal"),
        (changed("grants", json!([{"GranteePrincipal": ALICE, "Operations": [], "Typo": 1}])), "Typo"),
    ] {
        let ran = run(&["simulate", "--format", "json"], text.as_bytes(), folder.path());
        let shown: String = text.chars().take(300).collect();
        assert_eq!(ran.status, 2, "{shown}\n{ran:?}");
        let line: Value = serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{shown}\n{ran:?}"));
        let error = line["error"].as_str().unwrap();
        assert!(error.contains(says), "{shown}\n{error}");
        let mut place = error.strip_prefix("stdin:").unwrap_or_else(|| panic!("{error}")).split(':');
        assert_eq!(place.next(), Some("1"), "{error}");
        assert!(place.next().unwrap().parse::<u32>().unwrap() >= 1, "{error}");
        assert!(ran.err.contains(error), "{ran:?}");
    }
    let ran = run(&["simulate", "--format", "json"], b"{\"principal\": \"\xff\"}\n", folder.path());
    assert!(ran.out.contains("stdin:1:16: the text is not UTF-8"), "{ran:?}");
}

#[test]
fn the_place_in_an_inline_policy_is_that_in_the_input() {
    let folder = folder();
    let pretty = "{\n  \"principal\": \"anonymous\",\n  \"action\": \"kms:Decrypt\",\n  \"resource\": \"K\",\n  \"key_policy\": {\n    \"Statement\": [\n      {\"Effect\": \"Alow\"}\n    ]\n  }\n}\n".replace('K', KEY);
    let ran = run(&["simulate"], pretty.as_bytes(), folder.path());
    assert!(ran.err.starts_with("error: stdin:7:18: key_policy: Statement[0].Effect: "), "{ran:?}");
    let line = format!(
        r#"{{"principal": "anonymous", "action": "kms:Decrypt", "resource": "{KEY}", "key_policy": {{"Statement": 1}}}}"#
    );
    let column = line.find("1}}").unwrap() + 1;
    let ran = run(&["simulate"], line.as_bytes(), folder.path());
    assert!(ran.err.starts_with(&format!("error: stdin:1:{column}: key_policy: ")), "{ran:?}");
}

#[test]
fn results_come_in_the_order_of_the_cases() {
    let folder = folder();
    let cases: Vec<Value> = (0..3000)
        .map(|number| {
            let principal = format!("arn:aws:iam::111122223333:user/u{number}");
            let mut case = with(&[("principal", json!(principal))]);
            if number % 7 == 0 {
                case["unknown"] = json!(number);
            }
            case
        })
        .collect();
    for (number, result) in simulate(&cases, folder.path()).iter().enumerate() {
        if number % 7 == 0 {
            assert!(result["error"].as_str().unwrap().starts_with(&format!("stdin:{}:", number + 1)), "{result}");
        } else {
            let message = result["message"].as_str().unwrap();
            assert!(message.contains(&format!(":user/u{number} is not")), "{number}: {message}");
        }
    }
}

#[test]
fn a_grant_on_another_key_takes_no_part() {
    let folder = folder();
    let decrypt = |key: &str| {
        let grant = json!([{"KeyId": key, "GranteePrincipal": ALICE, "Operations": ["Decrypt"]}]);
        json!({"principal": ALICE, "action": "kms:Decrypt", "resource": KEY, "grants": grant})
    };
    let id = KEY.rsplit('/').next().unwrap();
    let other = KEY.replace("1234abcd", "00000000");
    let cases = [decrypt(KEY), decrypt(id), decrypt(&other), decrypt("00000000")];
    let decisions: Vec<Value> =
        simulate(&cases, folder.path()).into_iter().map(|result| result["decision"].clone()).collect();
    assert_eq!(decisions, ["allow", "allow", "implicit_deny", "implicit_deny"]);
    let mut case = decrypt(KEY);
    let mine = case["grants"][0].clone();
    case["grants"] = json!([{"KeyId": other, "GranteePrincipal": ALICE, "Operations": ["Decrypt"]}, mine]);
    assert_eq!(simulate(&[case], folder.path())[0]["decided_by"][0]["document"], 1, "its place among all");
}

#[test]
fn what_looks_like_a_match_and_is_none_has_its_reason() {
    let folder = folder();
    let policy = |principal: Value, condition: Value| {
        json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": principal, "Action": "kms:*",
            "Resource": "*", "Condition": condition}})
    };
    let eve = "arn:aws:iam::444455556666:user/eve";
    let allow = json!([{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}]);
    let everyone = |condition: Value| policy(json!("*"), condition);
    for (changes, reason) in [
        (
            vec![
                ("principal", json!(eve)),
                ("key_policy", policy(json!({"AWS": eve}), json!({}))),
                ("identity_policies", allow),
            ],
            "the operation is for principals of the key's own account alone",
        ),
        (
            vec![("principal", json!("anonymous")), ("key_policy", everyone(json!({})))],
            "KMS serves nobody who has not signed",
        ),
        (
            vec![("key_policy", everyone(json!({"StringEquals": {"aws:TagKeys": "a"}})))],
            "several values are compared by ForAnyValue or ForAllValues alone",
        ),
        (
            vec![
                ("key_policy", everyone(json!({"ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/x"}}))),
                ("context", json!({"kms:ResourceAliases": ["alias/x"]})),
            ],
            "identity policies alone see the key",
        ),
    ] {
        let result = &simulate(&[with(&changes)], folder.path())[0];
        assert_eq!(result["near_misses"][0]["failed"][0]["reason"], reason, "{result}");
        assert_eq!(result["missing_context_keys"], json!([]), "{result}");
    }
}

#[test]
fn a_variable_without_value_in_a_resource_is_told() {
    let folder = folder();
    let policy = json!([{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*",
        "Resource": "arn:aws:s3:::b/${aws:PrincipalTag/team}"}}]);
    let case = json!({"principal": ALICE, "action": "s3:GetObject", "resource": "arn:aws:s3:::b/x",
        "resource_account": "111122223333", "identity_policies": policy});
    assert_eq!(simulate(&[case], folder.path())[0]["missing_context_keys"], json!(["aws:PrincipalTag/team"]));
}

#[test]
fn operations_on_no_key_take_any_resource() {
    let folder = folder();
    let allow =
        json!([{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "kms:*", "Resource": "*"}}]);
    let case =
        json!({"principal": ALICE, "action": "kms:ListRetirableGrants", "resource": "*", "identity_policies": allow});
    assert_eq!(simulate(&[case], folder.path())[0]["decision"], "allow");
}

#[test]
fn no_text_of_a_policy_becomes_a_line_of_its_cedar() {
    let folder = folder();
    let key = "aws:PrincipalTag/y\npermit(principal,action,resource);//";
    let policy = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "kms:Decrypt", "Resource": "*",
        "Condition": {"NumericLessThan": {key: "1"}}}]});
    let out = run(&["translate", "-"], policy.to_string().as_bytes(), folder.path()).out;
    assert!(out.contains("permit(principal,action,resource)"), "{out}");
    assert!(!out.lines().any(|line| line.starts_with("permit")), "{out}");
    for (text, status, error) in [
        ("[]", 2, "error: stdin:1:1: "),
        ("{\"Version\": \"2012-10-17\", \"Statement\": [{\"Effect\": \"Maybe\"}]}", 1, "error: stdin:1:"),
    ] {
        let ran = run(&["translate", "-"], text.as_bytes(), folder.path());
        assert!(ran.status == status && ran.err.starts_with(error), "{ran:?}");
    }
    let ran = run(&["translate", "-"], b"{\n \"a\": \"\xff\"}", folder.path());
    assert!(ran.status == 2 && ran.err == "error: stdin:2:8: the text is not UTF-8\n", "{ran:?}");
}
