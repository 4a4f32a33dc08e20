//! The attacks on every form of signing: each form with each attack, generated.

use http::{HeaderName, HeaderValue};

use crate::sigv4::{RefusalKind, SecretKey, SessionToken, Unavailable, Workings};

use super::*;

const INC: &str = "IncompleteSignatureException";
const ISE: &str = "InvalidSignatureException";
const UCE: &str = "UnrecognizedClientException";
const EXPIRED: &str = "ExpiredTokenException";
const BAD: &str = "BadRequest";
const OK: &str = "verified";

/// How a request is signed, for which kind of service and by which kind of key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Way {
    form: Form,
    algorithm: Algorithm,
    service: &'static str,
    temporary: bool,
}

impl Way {
    fn all() -> impl Iterator<Item = Self> {
        let mut all = Vec::new();
        for form in [Form::Header, Form::Query] {
            for algorithm in [Algorithm::HmacSha256, Algorithm::EcdsaP256Sha256] {
                for service in ["s3", "sts", "execute-api"] {
                    for temporary in [false, true] {
                        all.push(Self { form, algorithm, service, temporary });
                    }
                }
            }
        }
        all.into_iter()
    }

    fn profile(self) -> Profile {
        let profile = match self.service {
            "s3" => Profile::s3(),
            "sts" => Profile::sts(),
            other => Profile::general(other),
        };
        profile.with_sigv4a("us-east-1".parse().unwrap())
    }

    fn is_hmac(self) -> bool {
        self.algorithm == Algorithm::HmacSha256
    }

    fn leaves_payload(self) -> bool {
        self.form == Form::Query && self.service == "s3"
    }
}

/// A request whose every part can be bent.
#[derive(Clone)]
struct Request {
    way: Way,
    profile: Profile,
    method: String,
    path: String,
    /// Beside the authentication, raw.
    query: Vec<String>,
    /// Beside the authentication.
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    algorithm: String,
    access_key_id: String,
    scope: String,
    signed_headers: Vec<String>,
    date: String,
    expires: Option<String>,
    token: Option<String>,
    region_set: Option<String>,
    signature: String,
    /// Raw, before the rest of the authentication: parameters of either form.
    beside: Vec<String>,
}

fn now() -> Timestamp {
    "2015-08-30T12:36:00Z".parse().unwrap()
}

impl Request {
    fn unsigned(way: Way) -> Self {
        let scope = match way.algorithm {
            Algorithm::HmacSha256 => format!("20150830/us-east-1/{}/aws4_request", way.service),
            Algorithm::EcdsaP256Sha256 => format!("20150830/{}/aws4_request", way.service),
        };
        let id = if way.temporary { "ASIDTEMPORARY" } else { "AKIDLONGTERM" };
        let mut signed_headers = vec!["host".to_owned(), "x-id".to_owned()];
        if way.form == Form::Header {
            signed_headers.push("x-amz-date".to_owned());
            signed_headers.extend(way.temporary.then(|| "x-amz-security-token".to_owned()));
            signed_headers.extend((!way.is_hmac()).then(|| "x-amz-region-set".to_owned()));
        }
        signed_headers.sort();
        Self {
            way,
            profile: way.profile(),
            method: "POST".to_owned(),
            path: "/".to_owned(),
            query: vec!["Action=Get".to_owned()],
            headers: vec![("host".to_owned(), "example.com".to_owned()), ("x-id".to_owned(), "7".to_owned())],
            body: b"a=b".to_vec(),
            algorithm: way.algorithm.name().to_owned(),
            access_key_id: id.to_owned(),
            scope,
            signed_headers,
            date: "20150830T123600Z".to_owned(),
            expires: (way.form == Form::Query).then(|| "60".to_owned()),
            token: way.temporary.then(|| format!("{id}/token+=")),
            region_set: (!way.is_hmac()).then(|| "us-east-1,eu-*".to_owned()),
            signature: "0".repeat(64),
            beside: Vec::new(),
        }
    }

    fn signed(way: Way) -> Self {
        Self::unsigned(way).sign()
    }

    fn parts(&self) -> (HeaderMap, String) {
        let (mut headers, mut query) = (HeaderMap::new(), self.query.clone());
        let mut add = |name: &str, value: &str| {
            headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
        };
        for (name, value) in &self.headers {
            add(name, value);
        }
        let credential = format!("{}/{}", self.access_key_id, self.scope);
        let signed_headers = self.signed_headers.join(";");
        match self.way.form {
            Form::Header => {
                let beside = self.beside.iter().fold(String::new(), |all, part| all + part + ", ");
                add(
                    "authorization",
                    &format!(
                        "{} {beside}Credential={credential}, SignedHeaders={signed_headers}, Signature={}",
                        self.algorithm, self.signature
                    ),
                );
                add("x-amz-date", &self.date);
                for (name, value) in [("x-amz-security-token", &self.token), ("x-amz-region-set", &self.region_set)] {
                    if let Some(value) = value {
                        add(name, value);
                    }
                }
            }
            Form::Query => {
                query.extend(self.beside.iter().map(|part| format!("X-Amz-{part}")));
                for (name, value) in [
                    ("Algorithm", Some(&self.algorithm)),
                    ("Credential", Some(&credential)),
                    ("Date", Some(&self.date)),
                    ("Expires", self.expires.as_ref()),
                    ("SignedHeaders", Some(&signed_headers)),
                    ("Security-Token", self.token.as_ref()),
                    ("Region-Set", self.region_set.as_ref()),
                    ("Signature", Some(&self.signature)),
                ] {
                    let encoded = |value: &String| {
                        percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC).to_string()
                    };
                    query.extend(value.map(|value| format!("X-Amz-{name}={}", encoded(value))));
                }
            }
        }
        (headers, query.join("&"))
    }

    fn sign(mut self) -> Self {
        let (headers, query) = self.parts();
        let received = Received { method: &self.method, path: &self.path, query: Some(&query), headers: &headers };
        if let Some(signature) = Workings::of(&self.profile, &received, &self.body, &Keys).signature {
            self.signature = signature;
        }
        self
    }

    fn verify_at(&self, now: Timestamp) -> Result<Verified<&'static str>, Refusal> {
        let (headers, query) = self.parts();
        let received = Received { method: &self.method, path: &self.path, query: Some(&query), headers: &headers };
        let times = Times { signature: now, session: now };
        Verifier::new(Settings::default()).unwrap().verify(&self.profile, &received, &self.body, &Keys, times)
    }

    fn outcome(&self) -> &'static str {
        self.verify_at(now()).map_or_else(|refusal| refusal.code(), |_| OK)
    }

    fn header(&mut self, name: &str) -> &mut String {
        &mut self.headers.iter_mut().find(|(known, _)| known == name).unwrap().1
    }

    fn add_signed(&mut self, name: &str, value: &str) {
        self.headers.push((name.to_owned(), value.to_owned()));
        self.signed_headers.push(name.to_owned());
        self.signed_headers.sort();
    }
}

/// The secret and token of each access key follow from its id.
struct Keys;

impl CredentialSource for Keys {
    type Identity = &'static str;

    fn credential(
        &self,
        id: &str,
        _session_token: Option<&[u8]>,
    ) -> Result<Option<Arc<Credential<&'static str>>>, Unavailable> {
        let key = |id: &'static str| Credential::new(id, SecretKey::from(format!("{id}/secret")), 1, id);
        let token = |id: &str| SessionToken::from(format!("{id}/token+="));
        let credential = match id {
            "AKIDLONGTERM" => key("AKIDLONGTERM"),
            "AKIDOTHER" => key("AKIDOTHER"),
            "ASIDTEMPORARY" => key("ASIDTEMPORARY").temporary(token(id), None),
            "ASIDEXPIRED" => key("ASIDEXPIRED").temporary(token(id), Some(now())),
            _ => return Ok(None),
        };
        Ok(Some(Arc::new(credential)))
    }
}

/// One change of a request, made before it is signed or after, and what must come of it.
struct Attack {
    name: &'static str,
    resigned: bool,
    bend: fn(&mut Request),
    outcome: fn(Way) -> Option<&'static str>,
}

/// The outcome is the same for every form.
macro_rules! every {
    ($code:expr) => {
        |_| Some($code)
    };
}

const fn after(name: &'static str, bend: fn(&mut Request), outcome: fn(Way) -> Option<&'static str>) -> Attack {
    Attack { name, resigned: false, bend, outcome }
}

const fn before(name: &'static str, bend: fn(&mut Request), outcome: fn(Way) -> Option<&'static str>) -> Attack {
    Attack { name, resigned: true, bend, outcome }
}

#[expect(clippy::unnecessary_wraps, reason = "an outcome, as the table has them")]
fn if_query(way: Way, query: &'static str, header: &'static str) -> Option<&'static str> {
    Some(if way.form == Form::Query { query } else { header })
}

fn for_query(way: Way, outcome: &'static str) -> Option<&'static str> {
    (way.form == Form::Query).then_some(outcome)
}

fn attacks() -> Vec<Attack> {
    vec![
        before("nothing", |_| {}, every!(OK)),
        after("a01 method", |r| r.method = "GET".to_owned(), every!(ISE)),
        after("a01 query value", |r| r.query[0] = "Action=Put".to_owned(), every!(ISE)),
        after("a01 query added", |r| r.query.push("a".to_owned()), every!(ISE)),
        after("a01 query dropped", |r| r.query.clear(), every!(ISE)),
        after("a01 header", |r| *r.header("x-id") = "8".to_owned(), every!(ISE)),
        after("a01 host", |r| *r.header("host") = "example.org".to_owned(), every!(ISE)),
        after("a01 date", |r| r.date = "20150830T123601Z".to_owned(), every!(ISE)),
        after("a01 expires", |r| r.expires = Some("61".to_owned()), |way| for_query(way, ISE)),
        after("a01 another key", |r| r.access_key_id = "AKIDOTHER".to_owned(), every!(ISE)),
        after("a01 body", |r| r.body.push(b'x'), |way| Some(if way.leaves_payload() { OK } else { ISE })),
        after("a01 path", |r| r.path = "/a".to_owned(), |way| Some(if way.service == "sts" { BAD } else { ISE })),
        after("a02 empty", |r| r.signature.clear(), every!(ISE)),
        after("a02 upper case", |r| r.signature.make_ascii_uppercase(), every!(ISE)),
        after("a02 shorter", |r| r.signature.truncate(63), every!(ISE)),
        after("a02 longer", |r| r.signature.push('0'), every!(ISE)),
        after("a02 no digits", |r| r.signature = "g".repeat(64), every!(ISE)),
        after("a02 endless", |r| r.signature = "0".repeat(6000), every!(ISE)),
        after(
            "a03 an Authorization header",
            |r| r.headers.push(("authorization".to_owned(), "AWS4-HMAC-SHA256".to_owned())),
            |way| if_query(way, ISE, INC),
        ),
        before("a04 a parameter in the query", |r| r.query.push("X-Amz-Credential=a".to_owned()), every!(INC_OR_ISE)),
        after("a05 unknown", |r| r.algorithm = "AWS4-HMAC-SHA512".to_owned(), every!(INC)),
        after("a05 lower case", |r| r.algorithm.make_ascii_lowercase(), every!(INC)),
        before(
            "a05 the other",
            |r| {
                let other = if r.way.is_hmac() { "AWS4-ECDSA-P256-SHA256" } else { "AWS4-HMAC-SHA256" };
                r.algorithm = other.to_owned();
            },
            every!(INC),
        ),
        before("a05 not taken", |r| r.profile.sigv4a = None, |way| Some(if way.is_hmac() { OK } else { INC })),
        before(
            "not presigned here",
            |r| r.profile = r.profile.clone().with_presigned(false),
            |way| if_query(way, "MissingAuthenticationTokenException", OK),
        ),
        after("a06 a25 Credential twice", |r| r.beside.push("Credential=a".to_owned()), every!(INC)),
        after("a06 a25 SignedHeaders twice", |r| r.beside.push("SignedHeaders=host".to_owned()), every!(INC)),
        after("a06 a25 Signature twice", |r| r.beside.push("Signature=00".to_owned()), every!(INC)),
        after("a24 Expires twice", |r| r.beside.push("Expires=60".to_owned()), every!(INC)),
        before("a07 host", |r| r.signed_headers.retain(|name| name != "host"), every!(ISE)),
        before("a08 unsorted", |r| r.signed_headers.reverse(), every!(ISE)),
        before("a08 upper case", |r| r.signed_headers[0] = "Host".to_owned(), every!(ISE)),
        before("a08 twice", |r| r.signed_headers.insert(0, "host".to_owned()), every!(ISE)),
        before("a08 empty name", |r| r.signed_headers.insert(0, String::new()), every!(ISE)),
        before("a08 empty", |r| r.signed_headers.clear(), every!(ISE)),
        before(
            "a08 a09 absent, but in the query",
            |r| {
                r.query.push("x-zed=1".to_owned());
                r.signed_headers.push("x-zed".to_owned());
            },
            every!(ISE),
        ),
        after("a15 a header", |r| r.headers.push(("x-amz-foo".to_owned(), "1".to_owned())), every!(ISE)),
        after("a15 no such header", |r| r.headers.push(("x-amzn-trace-id".to_owned(), "1".to_owned())), every!(OK)),
        after("a10 content-type", |r| r.headers.push(("content-type".to_owned(), "a/b".to_owned())), every!(ISE)),
        after("a11 token added or swapped", |r| r.token = Some("another".to_owned()), every!(ISE)),
        after("a11 token dropped", |r| r.token = None, |way| Some(if way.temporary { ISE } else { OK })),
        after(
            "a11 a token beside the query's",
            |r| r.headers.push(("x-amz-security-token".to_owned(), "t".to_owned())),
            |way| Some(if way.form == Form::Header && way.temporary { INC } else { ISE }),
        ),
        before(
            "a12 token of another",
            |r| r.token = Some("AKIDOTHER/token+=".to_owned()),
            |way| Some(if way.temporary || way.form == Form::Query { UCE } else { ISE }),
        ),
        before(
            "a12 no token",
            |r| {
                r.token = None;
                r.signed_headers.retain(|name| name != "x-amz-security-token");
            },
            |way| Some(if way.temporary { UCE } else { OK }),
        ),
        before(
            "a13 expired",
            |r| {
                r.access_key_id = "ASIDEXPIRED".to_owned();
                r.token = r.token.as_ref().map(|_| "ASIDEXPIRED/token+=".to_owned());
            },
            |way| Some(if way.temporary { EXPIRED } else { UCE }),
        ),
        after("a13 expired, forged", |r| r.access_key_id = "ASIDEXPIRED".to_owned(), every!(ISE)),
        after("a14 unknown key", |r| r.access_key_id = "AKIDUNKNOWN".to_owned(), every!(UCE)),
        before("a16 another hash", |r| r.add_signed("x-amz-content-sha256", &"0".repeat(64)), every!(ISE)),
        after(
            "a16 an unsigned hash",
            |r| {
                let hash = data_encoding::HEXLOWER.encode(&Sha256::digest(&r.body));
                r.headers.push(("x-amz-content-sha256".to_owned(), hash));
            },
            |way| if_query(way, ISE, OK),
        ),
        before(
            "a17 an unsigned payload",
            |r| r.add_signed("x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
            |way| Some(if way.service == "s3" { OK } else { ISE }),
        ),
        before(
            "a17 chunks of a body that is there",
            |r| r.add_signed("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
            every!(ISE),
        ),
        before("a18 the past", |r| r.date = "20150830T123459Z".to_owned(), |way| if_query(way, ISE, OK)),
        before("a18 the last second", |r| r.date = "20150830T123500Z".to_owned(), every!(OK)),
        before("a18 the future", |r| r.date = "20150830T124101Z".to_owned(), every!(ISE)),
        before("a18 the last second of the future", |r| r.date = "20150830T124100Z".to_owned(), every!(OK)),
        before("a18 no date", |r| r.date = "2015-08-30T12:36:00Z".to_owned(), every!(INC)),
        before("a19 yesterday's scope", |r| r.scope = r.scope.replace("20150830", "20150829"), every!(ISE)),
        before(
            "a20 two dates",
            |r| r.headers.push(("x-amz-date".to_owned(), r.date.clone())),
            |way| if_query(way, ISE, INC),
        ),
        before("a21 service", |r| r.scope = r.scope.replace(r.way.service, "kms"), every!(ISE)),
        before("a21 terminator", |r| r.scope = r.scope.replace("aws4_request", "aws5_request"), every!(ISE)),
        before("a21 a part more", |r| r.scope.push_str("/a"), every!(INC)),
        before("a21 a part less", |r| r.scope = r.scope.replace("/aws4_request", ""), every!(INC)),
        before(
            "a21 region",
            |r| r.scope = r.scope.replace("us-east-1", "nowhere"),
            |way| Some(if way.is_hmac() { ISE } else { OK }),
        ),
        before("a22 another service's profile", |r| r.profile.service = "kms".into(), every!(ISE)),
        before("a24 expires too late", |r| r.expires = Some("604801".to_owned()), |way| for_query(way, INC)),
        before("a24 expires at the latest", |r| r.expires = Some("604800".to_owned()), |way| for_query(way, OK)),
        before("a24 expires negative", |r| r.expires = Some("-1".to_owned()), |way| for_query(way, INC)),
        before("a24 expires signed", |r| r.expires = Some("+5".to_owned()), |way| for_query(way, INC)),
        before("a24 expires a float", |r| r.expires = Some("1e9".to_owned()), |way| for_query(way, INC)),
        before("a24 expires empty", |r| r.expires = Some(String::new()), |way| for_query(way, INC)),
        before("a24 expires endless", |r| r.expires = Some("9".repeat(40)), |way| for_query(way, INC)),
        before("a24 expires at once", |r| r.expires = Some("0".to_owned()), |way| for_query(way, OK)),
        before("a24 expires absent", |r| r.expires = None, |way| Some(if way.leaves_payload() { INC } else { OK })),
        before("a27 escapes", |r| r.query.push("%zz".to_owned()), every!(BAD)),
        before("a27 a raw plus", |r| r.query.push("a=b+c".to_owned()), every!(ISE)),
        before(
            "region set absent",
            |r| {
                r.region_set = None;
                r.signed_headers.retain(|name| name != "x-amz-region-set");
            },
            |way| Some(if way.is_hmac() { OK } else { INC }),
        ),
        before(
            "region set elsewhere",
            |r| r.region_set = r.region_set.as_ref().map(|_| "US-EAST-1".to_owned()),
            |way| Some(if way.is_hmac() { OK } else { ISE }),
        ),
        after(
            "region set widened",
            |r| r.region_set = r.region_set.as_ref().map(|_| "*".to_owned()),
            |way| Some(if way.is_hmac() { OK } else { ISE }),
        ),
        before(
            "region set unsigned",
            |r| r.signed_headers.retain(|name| name != "x-amz-region-set"),
            |way| Some(if way.is_hmac() || way.form == Form::Query { OK } else { ISE }),
        ),
    ]
}

/// Told apart by form in the test: a repeated parameter where it is presigned, two ways otherwise.
const INC_OR_ISE: &str = "either";

#[test]
fn every_attack_on_every_form_has_its_outcome() {
    let mut count = 0;
    for way in Way::all() {
        for attack in attacks() {
            let Some(outcome) = (attack.outcome)(way) else { continue };
            let outcome = match (outcome, way.form) {
                (INC_OR_ISE, Form::Query) => INC,
                (INC_OR_ISE, Form::Header) => ISE,
                (outcome, _) => outcome,
            };
            let mut request = if attack.resigned { Request::unsigned(way) } else { Request::signed(way) };
            (attack.bend)(&mut request);
            let request = if attack.resigned { request.sign() } else { request };
            assert_eq!(request.outcome(), outcome, "{} {way:?}", attack.name);
            count += 1;
        }
    }
    assert!(count > 1500, "{count}");
}

#[test]
fn a01_every_digit_of_every_form_counts() {
    for way in Way::all() {
        let good = Request::signed(way);
        for index in 0..good.signature.len() {
            let mut request = good.clone();
            let digit = if &good.signature[index..=index] == "0" { "1" } else { "0" };
            request.signature.replace_range(index..=index, digit);
            assert_eq!(request.outcome(), ISE, "{index} {way:?}");
        }
    }
}

#[test]
fn who_signed_and_for_where_is_told_alike() {
    for way in Way::all() {
        let verified = Request::signed(way).verify_at(now()).unwrap();
        assert_eq!(verified.identity(), if way.temporary { &"ASIDTEMPORARY" } else { &"AKIDLONGTERM" });
        assert_eq!((verified.region().as_str(), verified.service()), ("us-east-1", way.service));
        assert_eq!((verified.signed_at(), verified.is_presigned()), (now(), way.form == Form::Query));
        let payload = if way.leaves_payload() { Payload::Unsigned } else { Payload::Whole };
        assert_eq!(verified.payload(), payload);
        let printed = format!("{verified:?}");
        assert!(!printed.contains("/secret") && !printed.contains("/token"), "{printed}");
    }
}

#[test]
fn a_presigned_request_lives_as_long_as_it_says_and_not_before_its_date() {
    for (expires, now, outcome) in [
        (Some("60"), "2015-08-30T12:37:00Z", Ok(())),
        (Some("60"), "2015-08-30T12:37:01Z", Err(RefusalKind::ExpiredRequest)),
        (Some("61"), "2015-08-30T12:37:01.999Z", Ok(())),
        (Some("604800"), "2015-09-06T12:36:00Z", Ok(())),
        (Some("604800"), "2015-09-06T12:36:01Z", Err(RefusalKind::ExpiredRequest)),
        (Some("604800"), "2015-08-30T12:31:00Z", Ok(())),
        (Some("604800"), "2015-08-30T12:30:59Z", Err(RefusalKind::EarlyRequest)),
        (Some("0"), "2015-08-30T12:36:01Z", Err(RefusalKind::ExpiredRequest)),
        (None, "2015-08-30T12:41:00Z", Ok(())),
        (None, "2015-08-30T12:41:01Z", Err(RefusalKind::ExpiredRequest)),
    ] {
        for way in Way::all().filter(|way| way.form == Form::Query && !way.temporary) {
            if expires.is_none() && way.service == "s3" {
                continue;
            }
            let mut request = Request::unsigned(way);
            request.expires = expires.map(str::to_owned);
            let told = request.sign().verify_at(now.parse().unwrap());
            assert_eq!(told.map(|_| ()).map_err(|refusal| refusal.kind()), outcome, "{expires:?} {now} {way:?}");
        }
    }
    let way = Way { form: Form::Query, algorithm: Algorithm::HmacSha256, service: "sts", temporary: false };
    let expired = Request::signed(way).verify_at("2015-08-30T12:37:01Z".parse().unwrap()).unwrap_err();
    assert_eq!(
        expired.message(),
        "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T123701Z - 1 min.)"
    );
}

#[test]
fn what_a_presigned_request_lacks_is_named_in_aws_order() {
    let headers = HeaderMap::new();
    let verifier = Verifier::new(Settings::default()).unwrap();
    let refusal = |query: &str| {
        let received = Received { method: "GET", path: "/", query: Some(query), headers: &headers };
        let times = Times { signature: now(), session: now() };
        verifier.verify(&Profile::sts(), &received, b"", &Keys, times).unwrap_err()
    };
    for (query, missing) in [
        ("X-Amz-Algorithm=AWS4-HMAC-SHA256", &["Credential", "Signature", "SignedHeaders", "Date"][..]),
        ("X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a&X-Amz-Date=b", &["Signature", "SignedHeaders"]),
    ] {
        assert_eq!(refusal(query), Refusal::missing_parameters(missing));
    }
    assert_eq!(refusal("X-Amz-Algorithm="), Refusal::unsupported_algorithm(""));
}

#[test]
fn a_token_may_be_appended_to_what_was_signed_where_a_route_says_so() {
    let way = Way { form: Form::Query, algorithm: Algorithm::HmacSha256, service: "sts", temporary: true };
    let mut request = Request::unsigned(way);
    let token = request.token.take();
    let mut request = request.sign();
    request.token = token;
    assert_eq!(request.outcome(), ISE);
    request.profile = Profile::sts().with_unsigned_token(true);
    assert_eq!(request.outcome(), OK);
    request.token = Some("another".to_owned());
    assert_eq!(request.outcome(), UCE);
    // What is signed with its token is still taken.
    let mut signed = Request::signed(way);
    signed.profile = Profile::sts().with_unsigned_token(true);
    assert_eq!(signed.outcome(), OK);
    signed.token = Some("another".to_owned());
    assert_eq!(signed.outcome(), ISE);
}

#[test]
fn a_hoisted_payload_hash_counts_once() {
    let way = Way { form: Form::Query, algorithm: Algorithm::HmacSha256, service: "s3", temporary: false };
    let with = |value: &str| {
        let mut request = Request::unsigned(way);
        request.query.push(format!("X-Amz-Content-Sha256={value}"));
        request
    };
    let hash = data_encoding::HEXLOWER.encode(&Sha256::digest(b"a=b"));
    assert_eq!(with("UNSIGNED-PAYLOAD").sign().outcome(), OK);
    let mut hashed = with(&hash).sign();
    assert_eq!(hashed.outcome(), OK);
    hashed.body.push(b'x');
    assert_eq!(hashed.verify_at(now()).unwrap_err(), Refusal::payload_hash());
    assert_eq!(with("STREAMING-AWS4-HMAC-SHA256-PAYLOAD").sign().outcome(), ISE);
    let mut both = with("UNSIGNED-PAYLOAD");
    both.add_signed("x-amz-content-sha256", "UNSIGNED-PAYLOAD");
    assert_eq!(both.sign().verify_at(now()).unwrap_err(), Refusal::two_content_hashes());
}

#[test]
fn a_region_set_is_served_where_one_of_its_regions_is() {
    let way = Way { form: Form::Header, algorithm: Algorithm::EcdsaP256Sha256, service: "s3", temporary: false };
    for (set, region) in [
        ("*", Some("eu-west-1")),
        ("us-east-1", None),
        ("us-east-1,eu-west-2", Some("eu-west-2")),
        ("eu-*", Some("eu-west-1")),
    ] {
        let mut request = Request::unsigned(way);
        request.region_set = Some(set.to_owned());
        let request = request.sign();
        let (headers, query) = request.parts();
        let received = Received { method: "POST", path: "/", query: Some(&query), headers: &headers };
        let regions = ["eu-west-1", "eu-west-2"].map(|name| name.parse().unwrap()).to_vec();
        let verifier = Verifier::new(Settings { regions: Some(regions), ..Settings::default() }).unwrap();
        let times = Times { signature: now(), session: now() };
        let outcome = verifier.verify(&request.profile, &received, &request.body, &Keys, times);
        match region {
            Some(region) => assert_eq!(outcome.unwrap().region().as_str(), region, "{set}"),
            None => assert_eq!(outcome.unwrap_err(), Refusal::scope(Some(set), None, None)),
        }
    }
}

#[test]
fn sts_takes_get_and_post_at_the_root() {
    let way = Way { form: Form::Query, algorithm: Algorithm::HmacSha256, service: "sts", temporary: false };
    for (method, path, outcome) in [
        ("GET", "/", OK),
        ("POST", "/", OK),
        ("PUT", "/", BAD),
        ("get", "/", BAD),
        ("GET", "//", BAD),
        ("GET", "/a/..", BAD),
        ("GET", "", BAD),
    ] {
        let mut request = Request::unsigned(way);
        request.method = method.to_owned();
        request.path = path.to_owned();
        assert_eq!(request.sign().outcome(), outcome, "{method} {path}");
    }
}
