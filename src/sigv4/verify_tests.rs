//! The attacks on a header signature, each named by its number in the attack table.

use std::sync::atomic::{AtomicUsize, Ordering};

use http::{HeaderName, HeaderValue};

use crate::sigv4::{RefusalKind, SecretKey, SessionToken, Unavailable, Workings};

use super::*;

const MAT: &str = "MissingAuthenticationTokenException";
const INC: &str = "IncompleteSignatureException";
const ISE: &str = "InvalidSignatureException";
const UCE: &str = "UnrecognizedClientException";
const OK: &str = "verified";

const LONG_TERM: &str = "AKIDLONGTERM";
const TEMPORARY: &str = "ASIDTEMPORARY";
const OTHER: &str = "ASIDOTHER";
const EXPIRED: &str = "ASIDEXPIRED";
const SCOPE: &str = "20150830/us-east-1/kms/aws4_request";

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn now() -> Timestamp {
    time("2015-08-30T12:36:00Z")
}

/// The secret and token of each access key follow from its id.
struct Keys {
    known: Vec<Arc<Credential<&'static str>>>,
    asked: AtomicUsize,
}

impl Keys {
    fn new() -> Self {
        let key = |id: &'static str| Credential::new(id, SecretKey::from(format!("{id}/secret")), 1, id);
        let token = |id: &str| SessionToken::from(format!("{id}/token"));
        let known = vec![
            key(LONG_TERM),
            key(TEMPORARY).temporary(token(TEMPORARY), Some(time("2015-08-30T13:00:00Z"))),
            key(OTHER).temporary(token(OTHER), None),
            key(EXPIRED).temporary(token(EXPIRED), Some(now())),
        ];
        Self { known: known.into_iter().map(Arc::new).collect(), asked: AtomicUsize::new(0) }
    }
}

impl CredentialSource for Keys {
    type Identity = &'static str;

    fn credential(
        &self,
        id: &str,
        _session_token: Option<&[u8]>,
    ) -> Result<Option<Arc<Credential<&'static str>>>, Unavailable> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if id == "AKIDBROKEN" {
            return Err(Unavailable("no disk".to_owned()));
        }
        Ok(self.known.iter().find(|key| *key.access_key_id == *id).cloned())
    }
}

/// A request that can be bent before and after it is signed.
#[derive(Clone)]
struct Request {
    profile: Profile,
    method: String,
    path: String,
    query: Option<String>,
    headers: Vec<(String, String)>,
    algorithm: String,
    credential: String,
    signed_headers: String,
    signature: String,
    body: Vec<u8>,
}

impl Request {
    /// A signed call of KMS as botocore makes it.
    fn kms() -> Self {
        Self::unsigned().sign()
    }

    /// The same by a temporary key with its token.
    fn by_temporary(id: &str) -> Self {
        let mut request = Self::unsigned();
        request.credential = format!("{id}/{SCOPE}");
        request.add("x-amz-security-token", &format!("{id}/token"));
        request.signed_headers = "content-type;host;x-amz-date;x-amz-security-token;x-amz-target".to_owned();
        request.sign()
    }

    fn unsigned() -> Self {
        let mut request = Self {
            profile: Profile::kms(),
            method: "POST".to_owned(),
            path: "/".to_owned(),
            query: None,
            headers: Vec::new(),
            algorithm: "AWS4-HMAC-SHA256".to_owned(),
            credential: format!("{LONG_TERM}/{SCOPE}"),
            signed_headers: "content-type;host;x-amz-date;x-amz-target".to_owned(),
            signature: "0".repeat(64),
            body: br#"{"KeyId": "alias/a"}"#.to_vec(),
        };
        for (name, value) in [
            ("host", "kms.us-east-1.amazonaws.com"),
            ("x-amz-target", "TrentService.DescribeKey"),
            ("content-type", "application/x-amz-json-1.1"),
            ("user-agent", "Boto3/1.40"),
            ("x-amz-date", "20150830T123600Z"),
            ("amz-sdk-request", "attempt=1"),
        ] {
            request.add(name, value);
        }
        request
    }

    fn add(&mut self, name: &str, value: &str) {
        self.headers.push((name.to_owned(), value.to_owned()));
    }

    fn set(&mut self, name: &str, value: &str) {
        self.remove(name);
        self.add(name, value);
    }

    fn remove(&mut self, name: &str) {
        self.headers.retain(|(known, _)| known != name);
    }

    fn authorization(&self) -> String {
        format!(
            "{} Credential={}, SignedHeaders={}, Signature={}",
            self.algorithm, self.credential, self.signed_headers, self.signature
        )
    }

    fn header_map(&self) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in &self.headers {
            map.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
        }
        if !self.algorithm.is_empty() {
            map.append("authorization", HeaderValue::from_str(&self.authorization()).unwrap());
        }
        map
    }

    fn received<'a>(&'a self, headers: &'a HeaderMap) -> Received<'a> {
        Received { method: &self.method, path: &self.path, query: self.query.as_deref(), headers }
    }

    /// Signs whatever the request says now; what cannot be signed keeps its signature.
    fn sign(mut self) -> Self {
        let headers = self.header_map();
        if let Some(signature) =
            Workings::of(&self.profile, &self.received(&headers), &self.body, &Keys::new()).signature
        {
            self.signature = signature;
        }
        self
    }

    fn verify_at(&self, now: Timestamp, keys: &Keys) -> Result<Verified<&'static str>, Refusal> {
        let headers = self.header_map();
        let times = Times { signature: now, session: now };
        Verifier::new(Settings::default()).unwrap().verify(
            &self.profile,
            &self.received(&headers),
            &self.body,
            keys,
            times,
        )
    }

    fn verify(&self) -> Result<Verified<&'static str>, Refusal> {
        self.verify_at(now(), &Keys::new())
    }

    fn outcome(&self) -> &'static str {
        self.verify().map_or_else(|refusal| refusal.code(), |_| OK)
    }
}

type Bend = Box<dyn FnOnce(&mut Request)>;

/// Bends a request and signs it as it then is.
fn resigned(request: Request, bend: impl FnOnce(&mut Request)) -> Request {
    let mut request = request;
    bend(&mut request);
    request.sign()
}

/// Bends a request after it was signed.
fn bent(request: Request, bend: impl FnOnce(&mut Request)) -> Request {
    let mut request = request;
    bend(&mut request);
    request
}

#[test]
fn a_good_request_is_verified_for_its_signer_region_and_service() {
    let verified = Request::kms().verify().unwrap();
    assert_eq!(*verified.identity(), LONG_TERM);
    assert_eq!(verified.access_key_id(), LONG_TERM);
    assert_eq!(verified.credential().version, 1);
    assert_eq!((verified.region().as_str(), verified.service()), ("us-east-1", "kms"));
    assert_eq!(verified.signed_at(), now());
    assert_eq!(*Request::by_temporary(TEMPORARY).verify().unwrap().identity(), TEMPORARY);
}

#[test]
fn a01_whatever_is_signed_cannot_be_changed() {
    let flipped = |text: &str, index: usize| {
        let mut bytes = text.as_bytes().to_vec();
        bytes[index] ^= 1;
        String::from_utf8(bytes).unwrap()
    };
    for index in 0..64 {
        let request = bent(Request::kms(), |r| r.signature = flipped(&r.signature, index));
        assert_eq!(request.outcome(), ISE, "{index}");
    }
    for index in 0..Request::kms().body.len() {
        assert_eq!(bent(Request::kms(), |r| r.body[index] ^= 1).outcome(), ISE, "{index}");
    }
    for (name, value) in [
        ("host", "kms.us-east-2.amazonaws.com"),
        ("x-amz-target", "TrentService.Decrypt"),
        ("content-type", "application/x-amz-json-1.0"),
        ("x-amz-date", "20150830T123601Z"),
    ] {
        assert_eq!(bent(Request::kms(), |r| r.set(name, value)).outcome(), ISE, "{name}");
    }
    let general = resigned(Request::unsigned(), |r| r.profile = Profile::general("kms"));
    assert_eq!(general.outcome(), OK);
    assert_eq!(bent(general.clone(), |r| r.method = "PUT".to_owned()).outcome(), ISE);
    assert_eq!(bent(general.clone(), |r| r.path = "/a".to_owned()).outcome(), ISE);
    assert_eq!(bent(general, |r| r.query = Some("a".to_owned())).outcome(), ISE);
    assert_eq!(bent(Request::kms(), |r| r.credential = format!("{OTHER}/{SCOPE}")).outcome(), ISE);
}

#[test]
fn a02_a_signature_is_64_digits_in_lower_case() {
    let good = Request::kms().signature;
    let bad = [
        String::new(),
        good.to_ascii_uppercase(),
        good[..63].to_owned(),
        format!("{good}0"),
        "g".repeat(64),
        "=".to_owned(),
    ];
    for signature in bad {
        assert_eq!(bent(Request::kms(), |r| r.signature.clone_from(&signature)).outcome(), ISE, "{signature}");
    }
}

#[test]
fn a03_two_authorization_headers_are_refused() {
    let request = bent(Request::kms(), |r| r.add("authorization", &r.authorization()));
    assert_eq!(request.outcome(), INC);
}

#[test]
fn a04_header_and_query_do_not_mix() {
    for query in [
        "X-Amz-Algorithm=AWS4-HMAC-SHA256",
        "X-Amz-Credential=a",
        "x-amz-credential=a",
        "a=b&X-Amz-Signature=00",
        "X-Amz-Security-Token=t",
        "X%2DAmz-Date=d",
    ] {
        assert_eq!(resigned(Request::kms(), |r| r.query = Some(query.to_owned())).outcome(), ISE, "{query}");
    }
    for (query, code) in [
        ("X-Amz-Credential=a", ISE),
        ("X-Amz-Signature=a", ISE),
        ("X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a", MAT),
        ("a=b", MAT),
    ] {
        let request = bent(Request::kms(), |r| {
            r.algorithm.clear();
            r.query = Some(query.to_owned());
        });
        assert_eq!(request.outcome(), code, "{query}");
    }
}

#[test]
fn a05_a06_a21_syntax_time_and_scope_errors_come_before_any_look_up() {
    let set = |credential: &str| {
        let credential = credential.to_owned();
        move |r: &mut Request| r.credential = credential
    };
    let table: Vec<(&str, Bend)> = vec![
        (INC, Box::new(|r| r.algorithm = "AWS4-ECDSA-P256-SHA256".to_owned())),
        (INC, Box::new(|r| r.algorithm = "aws4-hmac-sha256".to_owned())),
        (INC, Box::new(|r| r.signature += ", Credential=b")),
        (INC, Box::new(|r| r.signature += ", SignedHeaders=host")),
        (INC, Box::new(|r| r.signature += ", foo")),
        (INC, Box::new(|r| r.set("x-amz-date", "2015-08-30T12:36:00Z"))),
        (ISE, Box::new(|r| r.set("x-amz-date", "20150830T123059Z"))),
        (INC, Box::new(set("AKIDLONGTERM/20150830/us-east-1/kms"))),
        (INC, Box::new(set("AKIDLONGTERM/20150830/us-east-1/kms/aws4_request/"))),
        (ISE, Box::new(set("AKIDLONGTERM/20150830/nowhere/kms/aws4_request"))),
        (ISE, Box::new(set("AKIDLONGTERM/20150830/us-east-1/sts/aws4_request"))),
        (ISE, Box::new(set("AKIDLONGTERM/20150830/us-east-1/kms/aws4"))),
        (ISE, Box::new(set("AKIDLONGTERM/20150829/us-east-1/kms/aws4_request"))),
        (ISE, Box::new(|r| r.signed_headers = "x-amz-date".to_owned())),
        (ISE, Box::new(|r| r.add("x-amz-content-sha256", "UNSIGNED-PAYLOAD"))),
    ];
    for (number, (code, bend)) in table.into_iter().enumerate() {
        let keys = Keys::new();
        let refusal = resigned(Request::kms(), bend).verify_at(now(), &keys).unwrap_err();
        assert_eq!(refusal.code(), code, "row {number}: {refusal}");
        assert_eq!(keys.asked.load(Ordering::Relaxed), 0, "row {number}");
    }
}

#[test]
fn what_is_missing_is_named() {
    let headers = |authorization: &str, date: bool| {
        let mut map = HeaderMap::new();
        map.append("authorization", HeaderValue::from_str(authorization).unwrap());
        if date {
            map.append("x-amz-date", HeaderValue::from_static("20150830T123600Z"));
        }
        map
    };
    for (authorization, date, refusal) in [
        ("AWS4-HMAC-SHA256", false, Refusal::missing_parts(&["Credential", "Signature", "SignedHeaders"], true)),
        ("AWS4-HMAC-SHA256 Credential=a", true, Refusal::missing_parts(&["Signature", "SignedHeaders"], false)),
        ("AWS4-HMAC-SHA256 Credential=a,Signature=b,SignedHeaders=host", false, Refusal::missing_parts(&[], true)),
    ] {
        let map = headers(authorization, date);
        let received = Received { method: "POST", path: "/", query: None, headers: &map };
        let verifier = Verifier::new(Settings::default()).unwrap();
        let times = Times { signature: now(), session: now() };
        let outcome = verifier.verify(&Profile::kms(), &received, b"", &Keys::new(), times);
        assert_eq!(outcome.unwrap_err(), refusal);
    }
}

#[test]
fn a07_a08_a09_the_list_of_signed_headers_is_strict() {
    for list in [
        "content-type;x-amz-date;x-amz-target",
        "host;content-type;x-amz-date;x-amz-target",
        "Content-Type;host;x-amz-date;x-amz-target",
        "content-type;host;host;x-amz-date;x-amz-target",
        "content-type;host;;x-amz-date;x-amz-target",
        "content-type;host;via;x-amz-date;x-amz-target",
        "",
    ] {
        assert_eq!(resigned(Request::kms(), |r| r.signed_headers = list.to_owned()).outcome(), ISE, "{list}");
    }
    let in_the_query = resigned(Request::kms(), |r| {
        r.query = Some("x-foo=1".to_owned());
        r.signed_headers += ";x-foo";
    });
    assert_eq!(in_the_query.outcome(), ISE);
}

#[test]
fn a10_a11_a15_every_amz_header_and_the_content_type_are_signed() {
    for list in ["content-type;host;x-amz-date", "host;x-amz-date;x-amz-target"] {
        assert_eq!(resigned(Request::kms(), |r| r.signed_headers = list.to_owned()).outcome(), ISE, "{list}");
    }
    assert_eq!(bent(Request::kms(), |r| r.add("x-amz-foo", "1")).outcome(), ISE);
    assert_eq!(bent(Request::kms(), |r| r.add("x-amzn-trace-id", "1")).outcome(), OK);
    let token = "x-amz-security-token";
    assert_eq!(bent(Request::kms(), |r| r.add(token, "LONG/token")).outcome(), ISE);
    let temporary = Request::by_temporary(TEMPORARY);
    assert_eq!(bent(temporary.clone(), |r| r.set(token, &format!("{OTHER}/token"))).outcome(), ISE);
    assert_eq!(bent(temporary.clone(), |r| r.remove(token)).outcome(), ISE);
    let unsigned = resigned(temporary, |r| r.signed_headers = Request::unsigned().signed_headers);
    assert_eq!(unsigned.outcome(), ISE);
    let lenient = Profile::kms().with_unsigned_token(true);
    assert_eq!(bent(unsigned.clone(), |r| r.profile = lenient.clone()).outcome(), OK);
    let swapped = bent(unsigned, |r| {
        r.profile = lenient;
        r.set(token, "another");
    });
    assert_eq!(swapped.outcome(), UCE);
}

#[test]
fn a12_a_token_goes_with_its_own_key_only() {
    let token = "x-amz-security-token";
    let others = resigned(Request::by_temporary(TEMPORARY), |r| r.set(token, &format!("{OTHER}/token")));
    assert_eq!(others.verify().unwrap_err(), Refusal::foreign_token());
    let none = resigned(Request::unsigned(), |r| r.credential = format!("{TEMPORARY}/{SCOPE}"));
    assert_eq!(none.verify().unwrap_err(), Refusal::foreign_token());
    let long_term = resigned(Request::by_temporary(TEMPORARY), |r| r.credential = format!("{LONG_TERM}/{SCOPE}"));
    assert_eq!(long_term.verify().unwrap_err(), Refusal::foreign_token());
}

#[test]
fn a13_expiry_is_told_to_who_can_sign_and_goes_by_the_session_clock() {
    let expired = Request::by_temporary(EXPIRED);
    assert_eq!(expired.verify().unwrap_err(), Refusal::expired_token());
    let forged = bent(expired, |r| r.signature = "0".repeat(64));
    assert_eq!(forged.verify().unwrap_err(), Refusal::signature_differs());
    let request = Request::by_temporary(TEMPORARY);
    let headers = request.header_map();
    let verifier = Verifier::new(Settings::default()).unwrap();
    for (session, outcome) in
        [("2015-08-30T12:59:59Z", OK), ("2015-08-30T13:00:00Z", "ExpiredTokenException"), ("2015-08-30T12:59:59Z", OK)]
    {
        let times = Times { signature: now(), session: time(session) };
        let told = verifier.verify(&request.profile, &request.received(&headers), &request.body, &Keys::new(), times);
        assert_eq!(told.map_or_else(|refusal| refusal.code(), |_| OK), outcome, "{session}");
    }
}

#[test]
fn a14_an_unknown_key_is_worked_on_like_a_known_one() {
    let unknown = bent(Request::kms(), |r| r.credential = format!("AKIDUNKNOWN/{SCOPE}"));
    assert_eq!(unknown.verify().unwrap_err(), Refusal::unknown_key());
    // Its work is a derivation that is then kept, as a known key's is.
    let keys = SigningKeys::new(10);
    let credential = unknown.credential.clone();
    let scope = CredentialScope::parse(&credential, Algorithm::HmacSha256).unwrap();
    let first = keys.of_nobody(now(), &scope).unwrap();
    assert!(Arc::ptr_eq(&first.key, &keys.of_nobody(now(), &scope).unwrap().key));
}

#[test]
fn a14_a_wrong_signature_keeps_no_signing_key() {
    let keys = Keys::new();
    let forged = bent(Request::kms(), |r| r.signature = "0".repeat(64));
    assert_eq!(forged.verify_at(now(), &keys).unwrap_err().code(), ISE);
    assert!(keys.known[0].last_signing_key.load().is_none());
    Request::kms().verify_at(now(), &keys).unwrap();
    assert!(keys.known[0].last_signing_key.load().is_some());
}

#[test]
fn a16_a17_the_payload_is_the_body() {
    let name = "x-amz-content-sha256";
    let hash = data_encoding::HEXLOWER.encode(&Sha256::digest(&Request::kms().body));
    assert_eq!(bent(Request::kms(), |r| r.add(name, &hash)).outcome(), OK);
    for wrong in [&hash[1..], "UNSIGNED-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", ""] {
        assert_eq!(resigned(Request::kms(), |r| r.add(name, wrong)).outcome(), ISE, "{wrong}");
    }
    let unsigned = resigned(Request::kms(), |r| {
        r.profile = Profile::general("kms").with_unsigned_payload(true);
        r.add(name, "UNSIGNED-PAYLOAD");
    });
    assert_eq!(bent(unsigned.clone(), |r| r.body.push(b'x')).outcome(), OK);
    assert_eq!(bent(unsigned, |r| r.remove(name)).outcome(), ISE);
}

#[test]
fn a18_the_window_ends_to_the_second() {
    let request = Request::kms();
    let expired = "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z \
                   (20150830T124101Z - 5 min.)";
    let early = "Signature not yet current: 20150830T123600Z is still later than 20150830T123559Z \
                 (20150830T123059Z + 5 min.)";
    for (now, outcome) in [
        ("2015-08-30T12:41:00Z", Ok(())),
        ("2015-08-30T12:41:00.999Z", Ok(())),
        ("2015-08-30T12:41:01Z", Err(expired)),
        ("2015-08-30T12:31:00Z", Ok(())),
        ("2015-08-30T12:30:59Z", Err(early)),
    ] {
        let verified = request.verify_at(time(now), &Keys::new());
        let told = verified.as_ref().map(|_| ()).map_err(Refusal::message);
        assert_eq!(told, outcome, "{now}");
    }
}

#[test]
fn a18_the_window_is_settable_within_bounds() {
    for (seconds, window) in [(60, "1 min."), (90, "90 sec."), (900, "15 min.")] {
        let settings = Settings { max_skew_seconds: seconds, ..Settings::default() };
        let verifier = Verifier::new(settings).unwrap();
        let request = Request::kms();
        let headers = request.header_map();
        let verify = |late: u32| {
            let now = now().checked_add(SignedDuration::from_secs(i64::from(late))).unwrap();
            let times = Times { signature: now, session: now };
            verifier.verify(&request.profile, &request.received(&headers), &request.body, &Keys::new(), times)
        };
        assert!(verify(seconds).is_ok());
        assert!(verify(seconds + 1).unwrap_err().message().ends_with(&format!(" - {window})")));
    }
    for seconds in [0, 59, 901, u32::MAX] {
        let settings = Settings { max_skew_seconds: seconds, ..Settings::default() };
        assert_eq!(Verifier::new(settings).unwrap_err(), InvalidSkew(seconds));
    }
}

#[test]
fn a19_a_second_across_midnight_is_another_day() {
    let request = resigned(Request::kms(), |r| r.set("x-amz-date", "20150831T000000Z"));
    let refusal = request.verify_at(time("2015-08-30T23:59:59Z"), &Keys::new()).unwrap_err();
    assert_eq!(refusal, Refusal::scope_date("20150830", "20150831", "20150831T000000Z"));
}

#[test]
fn a20_the_amz_date_wins_and_is_there_once() {
    let date = "x-amz-date";
    assert_eq!(resigned(Request::kms(), |r| r.add(date, "20150830T123600Z")).outcome(), INC);
    assert_eq!(bent(Request::kms(), |r| r.add("date", "Sun, 30 Aug 2015 01:00:00 GMT")).outcome(), OK);
    let by_date = |value: &str| {
        resigned(Request::unsigned(), |r| {
            r.remove(date);
            r.add("date", value);
            r.signed_headers = "content-type;date;host;x-amz-target".to_owned();
        })
    };
    assert_eq!(by_date("20150830T123600Z").outcome(), OK);
    assert_eq!(by_date("Sun, 30 Aug 2015 12:36:00 GMT").outcome(), INC);
    for name in ["host", "x-amz-target", "content-type", "date"] {
        let twice = resigned(Request::kms(), |r| {
            r.add(name, "20150830T123600Z");
            r.add(name, "20150830T123600Z");
        });
        assert_eq!(twice.outcome(), INC, "{name}");
    }
}

#[test]
fn a21_a22_a_signature_is_for_one_region_and_service() {
    let mut sts = Request::unsigned();
    sts.credential = format!("{LONG_TERM}/20150830/us-east-1/sts/aws4_request");
    let sts = sts.sign();
    assert_eq!(sts.outcome(), ISE);
    assert_eq!(bent(sts, |r| r.profile = Profile::general("sts")).outcome(), OK);
    assert_eq!(bent(Request::kms(), |r| r.profile = Profile::general("sts")).outcome(), ISE);

    let served = Settings { regions: Some(vec!["eu-west-1".parse().unwrap()]), ..Settings::default() };
    let verifier = Verifier::new(served).unwrap();
    let times = Times { signature: now(), session: now() };
    let request = Request::kms();
    let headers = request.header_map();
    let outcome = verifier.verify(&request.profile, &request.received(&headers), &request.body, &Keys::new(), times);
    assert_eq!(outcome.unwrap_err(), Refusal::scope(Some("us-east-1"), None, None));
}

#[test]
fn a23_a_replay_inside_the_window_is_verified_as_aws_does() {
    let (request, keys) = (Request::kms(), Keys::new());
    assert!(request.verify_at(now(), &keys).is_ok());
    assert!(request.verify_at(now(), &keys).is_ok());
}

#[test]
fn a26_a27_a32_kms_takes_post_at_the_root_and_no_path_is_malformed() {
    for path in ["", "//", "/./", "/a/..", "/a", "/%2e", "/\\"] {
        assert_eq!(resigned(Request::kms(), |r| r.path = path.to_owned()).outcome(), "BadRequest", "{path}");
    }
    for method in ["GET", "post", "OPTIONS"] {
        assert_eq!(resigned(Request::kms(), |r| r.method = method.to_owned()).outcome(), "BadRequest", "{method}");
    }
    let general = resigned(Request::unsigned(), |r| r.profile = Profile::general("kms"));
    for path in ["/%zz", "/%", "/../a", "a"] {
        assert_eq!(resigned(general.clone(), |r| r.path = path.to_owned()).outcome(), "BadRequest", "{path}");
    }
    for path in ["/a/../", "//", "/%2e%2e/a", "/a%2Fb", "/\\"] {
        assert_eq!(resigned(general.clone(), |r| r.path = path.to_owned()).outcome(), OK, "{path}");
    }
    for (query, outcome) in [("%zz", "BadRequest"), ("a+b", ISE), ("a%20b&c", OK), ("", OK)] {
        assert_eq!(resigned(general.clone(), |r| r.query = Some(query.to_owned())).outcome(), outcome, "{query}");
    }
}

#[test]
fn a_source_that_cannot_tell_is_no_denial() {
    let request = bent(Request::kms(), |r| r.credential = format!("AKIDBROKEN/{SCOPE}"));
    let refusal = request.verify().unwrap_err();
    assert_eq!(refusal.kind(), RefusalKind::Unavailable);
    assert!(!refusal.message().contains("no disk"));
}

#[test]
fn a55_a_secret_that_changed_is_another_from_the_next_request_on() {
    let verifier = Verifier::new(Settings::default()).unwrap();
    let request = Request::kms();
    let headers = request.header_map();
    let times = Times { signature: now(), session: now() };
    assert!(verifier.verify(&request.profile, &request.received(&headers), &request.body, &Keys::new(), times).is_ok());
    let mut rotated = Keys::new();
    rotated.known[0] = Arc::new(Credential::new(LONG_TERM, SecretKey::from("new".to_owned()), 2, LONG_TERM));
    let outcome = verifier.verify(&request.profile, &request.received(&headers), &request.body, &rotated, times);
    assert_eq!(outcome.unwrap_err(), Refusal::signature_differs());
}

#[test]
fn a58_nothing_secret_is_printed() {
    let keys = Keys::new();
    let verifier = Verifier::new(Settings::default()).unwrap();
    let request = Request::by_temporary(TEMPORARY);
    let headers = request.header_map();
    let times = Times { signature: now(), session: now() };
    let outcome = verifier.verify(&request.profile, &request.received(&headers), &request.body, &keys, times).unwrap();
    let printed = format!("{verifier:?} {outcome:?}");
    for secret in ["/secret", "/token", request.signature.as_str()] {
        assert!(!printed.contains(secret), "{printed}");
    }
    let forged = bent(request.clone(), |r| r.body.push(b' ')).verify().unwrap_err();
    assert!(!format!("{forged:?}").contains(&request.signature));
}
