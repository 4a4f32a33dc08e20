//! The token service through its public API: who may ask for what, how long sessions last, what they
//! carry, and when they end.

#![allow(clippy::needless_pass_by_value, reason = "documents are made where they are passed")]

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use keystile::authz::{Authorizer, Settings};
use keystile::aws::Surroundings;
use keystile::cedar::Documents;
use keystile::identity::{
    AuthorizationDetails, Directory, DirectoryBuilder, Identity, ResolvedSecrets, SecretSource, Sessions,
    parse_credentials,
};
use keystile::seal::SealingKey;
use keystile::sigv4::CredentialSource;
use keystile::sts::{Asking, Operation, Parameters, Sts};
use serde_json::{Value, json};
use uuid::Uuid;

const START: i64 = 1_767_225_600;

const KEYS: &str = r#"
[[access_key]]
id = "AKIAALICEALICEALICE0"
secret = "a"
principal = "arn:aws:iam::111122223333:user/alice"
[[access_key]]
id = "AKIAROOTROOTROOTROOT"
secret = "b"
principal = "arn:aws:iam::111122223333:root"
"#;

fn policy(statement: Value) -> Value {
    json!({"Version": "2012-10-17", "Statement": statement})
}

fn allow(action: &str) -> Value {
    policy(json!({"Effect": "Allow", "Action": action, "Resource": "*"}))
}

fn role(name: &str, trust: Value) -> Value {
    json!({
        "RoleName": name, "RoleId": format!("AROA{name}"), "Arn": format!("arn:aws:iam::111122223333:role/team/{name}"),
        "AssumeRolePolicyDocument": policy(trust), "MaxSessionDuration": 7200,
        "RolePolicyList": [{"PolicyName": "p", "PolicyDocument": allow("*")}],
        "Tags": [{"Key": "Team", "Value": "role"}, {"Key": "stage", "Value": "prod"}],
    })
}

/// Everyone of the account may assume the role, in every way.
fn open_trust() -> Value {
    json!({"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]})
}

fn details(trust: Value) -> Value {
    json!({
        "UserDetailList": [{
            "UserName": "alice", "UserId": "AIDAALICE", "Arn": "arn:aws:iam::111122223333:user/alice",
            "UserPolicyList": [{"PolicyName": "p", "PolicyDocument": allow("*")}],
            "Tags": [{"Key": "Team", "Value": "user"}],
        }],
        "RoleDetailList": [role("Worker", trust), role("Next", open_trust())],
        "Policies": [{
            "Arn": "arn:aws:iam::111122223333:policy/List", "DefaultVersionId": "v1",
            "PolicyVersionList": [{"VersionId": "v1", "Document": allow("kms:ListKeys")}],
        }],
    })
}

struct House {
    sts: Sts,
    sessions: Sessions,
    documents: Arc<Documents>,
    authorizer: Authorizer,
    now: i64,
}

/// Credentials that were issued, and what else was answered.
#[derive(Clone, Debug)]
struct Issued {
    id: String,
    token: String,
    expires: i64,
    answer: String,
}

fn directory(documents: &Documents, details: &Value) -> Arc<Directory> {
    let mut builder = DirectoryBuilder::new(documents);
    builder.add_details(AuthorizationDetails::parse(&"d.json".into(), &details.to_string()).unwrap()).unwrap();
    for entry in parse_credentials(&"c.toml".into(), KEYS).unwrap() {
        let SecretSource::Inline(secret) = &entry.secret else { panic!("inline") };
        let resolved = ResolvedSecrets { secret: secret.clone(), session_policies: Vec::new() };
        builder.add_access_key(entry, &resolved).unwrap();
    }
    Arc::new(builder.build())
}

fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    xml.split_once(&format!("<{name}>"))?.1.split_once(&format!("</{name}>")).map(|(text, _)| text)
}

impl House {
    fn new(trust: Value) -> Self {
        let documents = Arc::new(Documents::default());
        let key = Arc::new(SealingKey::of(&[7; 32]).unwrap());
        let directory = directory(&documents, &details(trust));
        Self {
            sts: Sts::new(Arc::clone(&key), Arc::clone(&documents)),
            sessions: Sessions::new(directory, key, Arc::clone(&documents)),
            documents,
            authorizer: Authorizer::new(Settings::default()),
            now: START,
        }
    }

    /// Reads the details anew, as they are then.
    fn reload(&mut self, details: &Value) {
        let directory = directory(&self.documents, details);
        self.sessions = Sessions::new(directory, Arc::clone(self.sts.sealing_key()), Arc::clone(&self.documents));
    }

    fn alice(&self) -> Arc<Identity> {
        Arc::clone(&self.sessions.directory().access_key("AKIAALICEALICEALICE0").unwrap().identity)
    }

    fn root(&self) -> Arc<Identity> {
        Arc::clone(&self.sessions.directory().access_key("AKIAROOTROOTROOTROOT").unwrap().identity)
    }

    /// Who a session is now; none where it has ended with its principal.
    fn holder(&self, issued: &Issued) -> Option<Arc<Identity>> {
        let found = self.sessions.credential(&issued.id, Some(issued.token.as_bytes())).unwrap()?;
        Some(Arc::clone(&found.identity))
    }

    fn ask(&self, who: &Identity, action: &str, more: &[(&str, &str)]) -> Result<String, (&'static str, String)> {
        let mut form = format!("Action={action}&Version=2011-06-15");
        for (name, value) in more {
            let value = percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC);
            form.extend(["&", name, "=", &value.to_string()]);
        }
        let told = |error: keystile::sts::StsError| (error.code, error.message.into_owned());
        let operation = Parameters::parse(form.as_bytes()).and_then(|form| Operation::parse(&form)).map_err(told)?;
        let surroundings = Arc::new(Surroundings {
            source_ip: None,
            user_agent: None,
            referer: None,
            secure_transport: true,
            region: "us-east-1".parse().unwrap(),
            now: Timestamp::from_second(self.now).unwrap(),
        });
        let directory = self.sessions.directory();
        let asking =
            Asking { caller: &who.caller, directory, surroundings: &surroundings, wall_clock: surroundings.now };
        let resolved = self.sts.resolve(operation, asking, None).map_err(told)?;
        let permit = self.authorizer.authorize(resolved, &who.policies, directory.organization());
        let permit = permit.map_err(|denial| ("denied", denial.decision.message.clone().unwrap_or_default()))?;
        let answer = self.sts.execute(permit, directory, surroundings.now, Uuid::nil()).map_err(told)?;
        Ok(answer.body.as_str().to_owned())
    }

    fn issue(&self, who: &Identity, action: &str, more: &[(&str, &str)]) -> Result<Issued, (&'static str, String)> {
        let answer = self.ask(who, action, more)?;
        let text = |name| element(&answer, name).unwrap_or_default().to_owned();
        let expires: Timestamp = text("Expiration").parse().unwrap();
        Ok(Issued { id: text("AccessKeyId"), token: text("SessionToken"), expires: expires.as_second(), answer })
    }

    fn assume(&self, who: &Identity, role: &str, more: &[(&str, &str)]) -> Result<Issued, (&'static str, String)> {
        let arn = format!("arn:aws:iam::111122223333:role/team/{role}");
        let base = [("RoleArn", arn.as_str()), ("RoleSessionName", "nightly")];
        self.issue(who, "AssumeRole", &[&base[..], more].concat())
    }
}

fn code<T>(outcome: Result<T, (&'static str, String)>) -> &'static str {
    outcome.map_or_else(|(code, _)| code, |_| "ok")
}

#[test]
fn which_credentials_may_be_used_for_which_operation() {
    let house = House::new(open_trust());
    let (alice, root) = (house.alice(), house.root());
    let held = |issued: Issued| house.holder(&issued).unwrap();
    let holders = [
        ("user", Arc::clone(&alice)),
        ("root", Arc::clone(&root)),
        ("user's session", held(house.issue(&alice, "GetSessionToken", &[]).unwrap())),
        ("root's session", held(house.issue(&root, "GetSessionToken", &[]).unwrap())),
        ("role", held(house.assume(&alice, "Worker", &[]).unwrap())),
        (
            "federated",
            held(
                house
                    .issue(&alice, "GetFederationToken", &[("Name", "bob"), ("Policy", &allow("*").to_string())])
                    .unwrap(),
            ),
        ),
    ];
    let no = "AccessDeniedException";
    let table: BTreeMap<&str, [&str; 6]> = BTreeMap::from([
        ("GetCallerIdentity", ["ok"; 6]),
        ("AssumeRole", ["ok", no, "ok", no, "ok", no]),
        ("GetSessionToken", ["ok", "ok", no, no, no, no]),
        ("GetFederationToken", ["ok", "ok", no, no, no, no]),
        ("DecodeAuthorizationMessage", ["bad", "bad", no, no, "bad", no]),
    ]);
    for (operation, expected) in table {
        for ((name, holder), expected) in holders.iter().zip(expected) {
            let found = match operation {
                "AssumeRole" => code(house.assume(holder, "Worker", &[])),
                "GetFederationToken" => code(house.ask(holder, operation, &[("Name", "bob")])),
                "DecodeAuthorizationMessage" => match code(house.ask(holder, operation, &[("EncodedMessage", "x")])) {
                    "InvalidAuthorizationMessageException" => "bad",
                    other => other,
                },
                _ => code(house.ask(holder, operation, &[])),
            };
            assert_eq!(found, expected, "{operation} by {name}");
        }
    }
    let told = house.ask(&holders[4].1, "GetCallerIdentity", &[]).unwrap();
    assert_eq!(element(&told, "Arn"), Some("arn:aws:sts::111122223333:assumed-role/Worker/nightly"));
    assert_eq!(element(&told, "UserId"), Some("AROAWorker:nightly"));
}

#[test]
fn sessions_last_as_long_as_they_may() {
    let house = House::new(open_trust());
    let (alice, root) = (house.alice(), house.root());
    let worker = house.holder(&house.assume(&alice, "Worker", &[]).unwrap()).unwrap();
    let lasting = |issued: Result<Issued, (&'static str, String)>| {
        issued.map(|issued| issued.expires - START).map_err(|(code, _)| code)
    };
    let bad = Err("ValidationException");
    for (asked, expected) in [
        ("", Ok(3600)),
        ("899", bad),
        ("900", Ok(900)),
        ("7200", Ok(7200)),
        ("7201", bad),
        ("43201", bad),
        ("x", bad),
        ("-900", bad),
    ] {
        assert_eq!(
            lasting(house.assume(&alice, "Worker", &[("DurationSeconds", asked)])),
            expected,
            "AssumeRole {asked}"
        );
    }
    for (asked, expected) in [("", Ok(3600)), ("3600", Ok(3600)), ("3601", bad)] {
        assert_eq!(lasting(house.assume(&worker, "Next", &[("DurationSeconds", asked)])), expected, "chained {asked}");
    }
    for (operation, more) in [("GetSessionToken", &[][..]), ("GetFederationToken", &[("Name", "bob")][..])] {
        for (asked, of_user, of_root) in [
            ("", Ok(43_200), Ok(3600)),
            ("899", bad, bad),
            ("900", Ok(900), Ok(900)),
            ("129600", Ok(129_600), Ok(3600)),
            ("129601", bad, bad),
        ] {
            let more = [more, &[("DurationSeconds", asked)]].concat();
            assert_eq!(lasting(house.issue(&alice, operation, &more)), of_user, "{operation} {asked}");
            assert_eq!(lasting(house.issue(&root, operation, &more)), of_root, "{operation} {asked} of root");
        }
    }
}

#[test]
fn what_a_trust_policy_may_ask_for() {
    let statement = |actions: Value, condition: Value| json!({"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": actions, "Condition": condition});
    let every = json!(["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]);
    let tag: &[(&str, &str)] = &[("Tags.member.1.Key", "Project"), ("Tags.member.1.Value", "p")];
    let transitive: &[(&str, &str)] = &[tag[0], tag[1], ("TransitiveTagKeys.member.1", "Project")];
    for (trust, more, allowed) in [
        (statement(json!("sts:AssumeRole"), json!({})), &[][..], true),
        (statement(json!("sts:AssumeRole"), json!({})), tag, false),
        (statement(json!("sts:AssumeRole"), json!({})), &[("SourceIdentity", "alice")], false),
        (statement(json!(["sts:AssumeRole", "sts:TagSession"]), json!({})), tag, true),
        (
            statement(json!(["sts:AssumeRole", "sts:SetSourceIdentity"]), json!({})),
            &[("SourceIdentity", "alice")],
            true,
        ),
        (statement(every.clone(), json!({"StringEquals": {"sts:RoleSessionName": "nightly"}})), &[], true),
        (statement(every.clone(), json!({"StringEquals": {"sts:RoleSessionName": "${aws:username}"}})), &[], false),
        (statement(every.clone(), json!({"StringEquals": {"sts:ExternalId": "x"}})), &[("ExternalId", "xx")], false),
        (statement(every.clone(), json!({"StringEquals": {"sts:ExternalId": "xx"}})), &[("ExternalId", "xx")], true),
        (
            statement(every.clone(), json!({"StringEquals": {"sts:SourceIdentity": "${aws:username}"}})),
            &[("SourceIdentity", "alice")],
            true,
        ),
        (statement(every.clone(), json!({"StringEquals": {"aws:RequestTag/project": "p"}})), tag, true),
        (statement(every.clone(), json!({"StringEquals": {"aws:RequestTag/project": "q"}})), tag, false),
        (statement(every.clone(), json!({"ForAllValues:StringEquals": {"aws:TagKeys": ["Project"]}})), tag, true),
        (
            statement(every.clone(), json!({"ForAnyValue:StringEquals": {"sts:TransitiveTagKeys": ["Project"]}})),
            tag,
            false,
        ),
        (
            statement(every.clone(), json!({"ForAnyValue:StringEquals": {"sts:TransitiveTagKeys": ["Project"]}})),
            transitive,
            true,
        ),
        (
            statement(
                every.clone(),
                json!({"StringEquals": {"aws:ResourceTag/team": "role", "iam:ResourceTag/stage": "prod"}}),
            ),
            &[],
            true,
        ),
        (statement(every.clone(), json!({"StringEquals": {"aws:PrincipalTag/team": "user"}})), &[], true),
        (statement(every.clone(), json!({"Bool": {"aws:MultiFactorAuthPresent": "true"}})), &[], false),
        (statement(every.clone(), json!({"Null": {"sts:ExternalId": "true"}})), &[], true),
    ] {
        let house = House::new(trust.clone());
        let found = code(house.assume(&house.alice(), "Worker", more));
        assert_eq!(found, if allowed { "ok" } else { "denied" }, "{trust} {more:?}");
    }
}

#[test]
fn a_session_carries_its_tags_over_its_roles_and_the_transitive_ones_go_on() {
    let house = House::new(open_trust());
    let tags = [
        ("Tags.member.1.Key", "team"),
        ("Tags.member.1.Value", "session"),
        ("Tags.member.2.Key", "Project"),
        ("Tags.member.2.Value", "p"),
        ("TransitiveTagKeys.member.1", "Project"),
        ("SourceIdentity", "alice"),
    ];
    let worker = house.holder(&house.assume(&house.alice(), "Worker", &tags).unwrap()).unwrap();
    let tag = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    assert_eq!(worker.caller.tags, [tag("stage", "prod"), tag("team", "session"), tag("Project", "p")]);
    let next = house.holder(&house.assume(&worker, "Next", &[]).unwrap()).unwrap();
    assert_eq!(next.caller.tags, [tag("Team", "role"), tag("stage", "prod"), tag("Project", "p")]);
    let session = next.caller.session.as_ref().unwrap();
    assert_eq!(
        (session.transitive_tag_keys.as_slice(), session.source_identity.as_deref()),
        (&["Project".to_owned()][..], Some("alice"))
    );
    assert_eq!(session.issued_at.unwrap().as_second(), START);
    // And on from there, though nothing is passed.
    let again = house.holder(&house.assume(&next, "Worker", &[]).unwrap()).unwrap();
    assert_eq!(again.caller.tags, [tag("Team", "role"), tag("stage", "prod"), tag("Project", "p")]);
    let bob = house.issue(
        &house.alice(),
        "GetFederationToken",
        &[("Name", "bob"), tags[2], ("Tags.member.1.Value", "x"), ("Tags.member.1.Key", "k")],
    );
    assert_eq!(bob.unwrap_err().0, "ValidationException", "a tag without its value");
    let bob = house.issue(&house.alice(), "GetFederationToken", &[("Name", "bob"), tags[0], tags[1]]).unwrap();
    assert_eq!(house.holder(&bob).unwrap().caller.tags, [tag("team", "session")]);
}

#[test]
fn a_session_ends_with_what_it_is_of() {
    let arn = "arn:aws:iam::111122223333:policy/List";
    let mut house = House::new(open_trust());
    let (alice, root) = (house.alice(), house.root());
    let worker = house.assume(&alice, "Worker", &[]).unwrap();
    let limited = house.assume(&alice, "Worker", &[("PolicyArns.member.1.arn", arn)]).unwrap();
    let own = house.issue(&alice, "GetSessionToken", &[]).unwrap();
    let bob = house.issue(&alice, "GetFederationToken", &[("Name", "bob")]).unwrap();
    let of_root = house.issue(&root, "GetSessionToken", &[]).unwrap();
    let all = |house: &House| [&worker, &limited, &own, &bob, &of_root].map(|issued| house.holder(issued).is_some());
    assert_eq!(all(&house), [true; 5]);

    let present = details(open_trust());
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut changed = present.clone();
        change(&mut changed);
        changed
    };
    for (name, details, expected) in [
        ("nothing", present.clone(), [true; 5]),
        ("the role is gone", changed(&|all| all["RoleDetailList"] = json!([])), [false, false, true, true, true]),
        (
            "it is another role",
            changed(&|all| all["RoleDetailList"][0]["RoleId"] = json!("AROAOTHER")),
            [false, false, true, true, true],
        ),
        (
            "it is at another path",
            changed(&|all| all["RoleDetailList"][0]["Arn"] = json!("arn:aws:iam::111122223333:role/Worker")),
            [false, false, true, true, true],
        ),
        (
            "it is another user",
            changed(&|all| all["UserDetailList"][0]["UserId"] = json!("AIDAOTHER")),
            [true, true, false, false, true],
        ),
        ("a session's policy is gone", changed(&|all| all["Policies"] = json!([])), [true, false, true, true, true]),
    ] {
        house.reload(&details);
        assert_eq!(all(&house), expected, "{name}");
    }

    // What the role may do now holds for sessions that it has.
    let boundary = changed(&|all| {
        all["RoleDetailList"][0]["PermissionsBoundary"] = json!({"PermissionsBoundaryArn": arn});
        all["RoleDetailList"][0]["RolePolicyList"] = json!([]);
    });
    house.reload(&boundary);
    let policies = Arc::clone(&house.holder(&worker).unwrap().policies);
    assert!(policies.identity().is_empty() && policies.boundary().is_some() && policies.session().is_none());
    assert_eq!(house.holder(&limited).unwrap().policies.session().map(<[_]>::len), Some(1));
    assert_eq!(house.holder(&bob).unwrap().policies.session().map(<[_]>::len), Some(0), "limited to nothing");
}

#[test]
fn sessions_that_are_too_large_or_have_bad_policies_are_not_issued() {
    let house = House::new(open_trust());
    let with = |policy: &str| code(house.assume(&house.alice(), "Worker", &[("Policy", policy)]));
    let padded = |length: usize| {
        let empty = allow("kms:*").to_string();
        empty.clone() + &" ".repeat(length - empty.len())
    };
    assert_eq!(with(&padded(2048)), "ok");
    assert_eq!(with(&padded(2049)), "ValidationException");
    assert_eq!(with("{"), "MalformedPolicyDocument");
    assert_eq!(
        with(
            r#"{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}}"#
        ),
        "MalformedPolicyDocument"
    );
    let arn = ("PolicyArns.member.1.arn", "arn:aws:iam::111122223333:policy/List");
    let policy = padded(2048 - arn.1.len());
    assert_eq!(code(house.assume(&house.alice(), "Worker", &[arn, ("Policy", &policy)])), "ok");
    let policy = padded(2049 - arn.1.len());
    assert_eq!(code(house.assume(&house.alice(), "Worker", &[arn, ("Policy", &policy)])), "PackedPolicyTooLarge");
    let tags = |count: usize| -> Vec<(String, String)> {
        (1..=count)
            .flat_map(|at| {
                [
                    (format!("Tags.member.{at}.Key"), format!("k{at:02}")),
                    (format!("Tags.member.{at}.Value"), "v".repeat(118)),
                ]
            })
            .collect()
    };
    let ask = |count| {
        let tags = tags(count);
        let tags: Vec<(&str, &str)> = tags.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        house.assume(&house.alice(), "Worker", &tags)
    };
    assert_eq!(element(&ask(50).unwrap().answer, "PackedPolicySize"), Some("99"));
    assert_eq!(code(ask(51)), "ValidationException");
}

#[test]
fn parameters_are_held_to_their_limits() {
    let house = House::new(open_trust());
    let alice = house.alice();
    let bad = "ValidationException";
    for (name, value, expected) in [
        ("RoleSessionName", "a".repeat(2), "ok"),
        ("RoleSessionName", "a".repeat(64), "ok"),
        ("RoleSessionName", "a".to_owned(), bad),
        ("RoleSessionName", "a".repeat(65), bad),
        ("RoleSessionName", "a/b".to_owned(), bad),
        ("RoleSessionName", "a:b".to_owned(), bad),
        ("RoleSessionName", String::new(), bad),
        ("ExternalId", "x".repeat(1224), "ok"),
        ("ExternalId", "x".repeat(1225), bad),
        ("SourceIdentity", "s".repeat(64), "ok"),
        ("SourceIdentity", "s".repeat(65), bad),
        ("SourceIdentity", "a b".to_owned(), bad),
        ("SerialNumber", "arn:aws:iam::111122223333:mfa/alice".to_owned(), "AccessDeniedException"),
        ("TokenCode", "123456".to_owned(), "AccessDeniedException"),
    ] {
        let mut form = vec![("RoleArn", "arn:aws:iam::111122223333:role/team/Worker")];
        form.extend((name != "RoleSessionName").then_some(("RoleSessionName", "nightly")));
        form.push((name, &value));
        assert_eq!(code(house.ask(&alice, "AssumeRole", &form)), expected, "{name} {value}");
    }
    for role in [
        "",
        "Worker",
        "arn:aws:iam::111122223333:user/alice",
        "arn:aws:iam::111122223333:role/",
        "arn:aws:iam:us-east-1:111122223333:role/Worker",
    ] {
        assert_eq!(
            code(house.ask(&alice, "AssumeRole", &[("RoleArn", role), ("RoleSessionName", "s1")])),
            bad,
            "{role}"
        );
    }
    assert_eq!(code(house.ask(&alice, "AssumeRoot", &[])), "UnknownOperationException");
    assert_eq!(code(house.ask(&alice, "AssumeRole", &[("Version", "2011-06-15")])), "MalformedQueryString");
}
