//! The verifier and a signer that is not ours (`aws_sigv4`) agree; whatever is changed on the
//! way is noticed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings, UriPathNormalizationMode,
    sign,
};
use aws_sigv4::sign::v4;
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use keystile::sigv4::{
    Credential, CredentialSource, Profile, Received, SecretKey, SessionToken, Settings, Times, Unavailable, Verifier,
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};
use proptest::prelude::*;
use proptest::sample::Index;

const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const ACCESS_KEY_ID: &str = "AKIDEXAMPLE";

#[derive(Clone, Debug)]
struct Message {
    method: String,
    path: String,
    query: Option<String>,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

#[derive(Clone, Debug)]
struct Signer {
    secret: String,
    token: Option<String>,
    seconds: i64,
    region: String,
    service: String,
    content_sha256: bool,
}

struct OneKey(Arc<Credential<()>>);

impl CredentialSource for OneKey {
    type Identity = ();

    fn credential(
        &self,
        access_key_id: &str,
        _session_token: Option<&[u8]>,
    ) -> Result<Option<Arc<Credential<()>>>, Unavailable> {
        Ok((access_key_id == ACCESS_KEY_ID).then(|| Arc::clone(&self.0)))
    }
}

impl Signer {
    fn normalises(&self) -> bool {
        self.service != "s3"
    }

    fn at(&self) -> Timestamp {
        Timestamp::from_second(self.seconds).unwrap()
    }

    /// The message with the headers that the signer adds.
    fn sign(&self, message: &Message) -> Message {
        let mut settings = SigningSettings::default();
        if !self.normalises() {
            settings.percent_encoding_mode = PercentEncodingMode::Single;
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        }
        if self.content_sha256 {
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        }
        let identity = Credentials::new(ACCESS_KEY_ID, self.secret.clone(), self.token.clone(), None, "laws").into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(&self.service)
            .time(SystemTime::from(self.at()))
            .settings(settings)
            .build()
            .unwrap()
            .into();
        let query = message.query.as_deref().map(|query| format!("?{query}")).unwrap_or_default();
        let headers = message.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let request = SignableRequest::new(
            &message.method,
            format!("https://example.com{}{query}", message.path),
            headers,
            SignableBody::Bytes(&message.body),
        )
        .unwrap();
        let (instructions, _) = sign(request, &params).unwrap().into_parts();
        let mut signed = message.clone();
        signed.headers.push(("host".to_owned(), "example.com".to_owned()));
        signed.headers.extend(instructions.headers().map(|(name, value)| (name.to_owned(), value.to_owned())));
        signed
    }

    fn verifies(&self, message: &Message) -> Result<(), String> {
        let credential = Credential::new(ACCESS_KEY_ID, SecretKey::from(self.secret.clone()), 0, ());
        let credential = match &self.token {
            Some(token) => credential.temporary(SessionToken::from(token.clone()), None),
            None => credential,
        };
        let mut headers = HeaderMap::new();
        for (name, value) in &message.headers {
            headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
        }
        let received = Received {
            method: &message.method,
            path: &message.path,
            query: message.query.as_deref(),
            headers: &headers,
        };
        Verifier::new(Settings::default())
            .unwrap()
            .verify(
                &Profile::general(&self.service),
                &received,
                &message.body,
                &OneKey(Arc::new(credential)),
                Times { signature: self.at(), session: self.at() },
            )
            .map(|_| ())
            .map_err(|refusal| refusal.to_string())
    }
}

fn segment() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => proptest::collection::vec("[A-Za-z0-9._~-]|%[2-7][0-9A-E]|%E1%88%B4", 1..6)
            .prop_map(|parts| one_spelling(&parts.concat())),
        1 => Just(String::new()),
        1 => Just(".".to_owned()),
    ]
}

/// Unreserved characters unescaped: without normalisation the signer takes a path as it is.
fn one_spelling(text: &str) -> String {
    let decoded: Vec<u8> = percent_decode_str(text).collect();
    let spelled = percent_encode(&decoded, RESERVED).to_string();
    // A segment of two dots may climb above the root, which is refused.
    if spelled == ".." { "dots".to_owned() } else { spelled }
}

fn message() -> impl Strategy<Value = Message> {
    let path = (proptest::collection::vec(segment(), 0..5), any::<bool>()).prop_map(|(segments, up)| {
        let up = if up && segments.iter().any(|segment| !matches!(segment.as_str(), "" | ".")) { "/.." } else { "" };
        if segments.is_empty() { "/".to_owned() } else { format!("/{}{up}", segments.join("/")) }
    });
    let pair = ("[A-Za-z0-9._~-]{1,4}|%2B|%E1%88%B4", proptest::option::of("([A-Za-z0-9._~-]|%20|%26|%3D){0,6}"));
    let query = proptest::option::of(proptest::collection::vec(pair, 0..6)).prop_map(|pairs| {
        pairs.map(|pairs| {
            let pairs: Vec<String> = pairs
                .into_iter()
                .map(|(name, value)| value.map_or(name.clone(), |value| format!("{name}={value}")))
                .collect();
            pairs.join("&")
        })
    });
    let name = "x-[a-z]{1,6}|x-amz-meta-[a-z]{1,3}|amz-sdk-request|user-agent|content-length|via";
    let headers = proptest::collection::btree_map(name, proptest::collection::vec("[ -~]{0,16}", 1..3), 0..6);
    let single = proptest::option::of("[a-z]{1,6}/[a-z0-9;=. -]{1,12}");
    ("GET|PUT|POST|DELETE", path, query, headers, single, proptest::collection::vec(any::<u8>(), 0..200)).prop_map(
        |(method, path, query, headers, content_type, body): (_, _, _, BTreeMap<String, Vec<String>>, _, _)| {
            let mut headers: Vec<(String, String)> = headers
                .into_iter()
                .filter(|(name, _)| name != "x-amz" && name != "x-amzn-trace-id")
                .flat_map(|(name, values)| values.into_iter().map(move |value| (name.clone(), value)))
                .collect();
            headers.extend(content_type.map(|value| ("content-type".to_owned(), value)));
            Message { method, path, query, headers, body }
        },
    )
}

fn signer() -> impl Strategy<Value = Signer> {
    (
        "[A-Za-z0-9/+]{16,48}",
        proptest::option::of("[A-Za-z0-9/+=]{1,80}"),
        // 2001 to 2100
        978_307_200_i64..4_102_444_800,
        "us-east-1|eu-central-2|ap-southeast-11|us-gov-west-1",
        "kms|sts|execute-api|s3",
        any::<bool>(),
    )
        .prop_map(|(secret, token, seconds, region, service, content_sha256)| Signer {
            secret,
            token,
            seconds,
            region,
            service,
            content_sha256,
        })
}

/// One change on the way.
#[derive(Clone, Debug)]
enum Change {
    Method,
    Path,
    Query,
    BodyBit(Index, u8),
    BodyLonger(u8),
    HeaderBit(Index, Index, u8),
    SignatureBit(Index, u8),
    DropHeader(Index),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        Just(Change::Method),
        Just(Change::Path),
        Just(Change::Query),
        (any::<Index>(), 0_u8..8).prop_map(|(at, bit)| Change::BodyBit(at, bit)),
        any::<u8>().prop_map(Change::BodyLonger),
        (any::<Index>(), any::<Index>(), 0_u8..7).prop_map(|(header, at, bit)| Change::HeaderBit(header, at, bit)),
        (any::<Index>(), 0_u8..7).prop_map(|(at, bit)| Change::SignatureBit(at, bit)),
        any::<Index>().prop_map(Change::DropHeader),
    ]
}

/// The message changed; `None` where the change does not apply to it.
fn changed(message: &Message, change: &Change) -> Option<Message> {
    let mut message = message.clone();
    let authorization = message.headers.iter().position(|(name, _)| name == "authorization")?;
    let list = message.headers[authorization].1.split("SignedHeaders=").nth(1)?.split(',').next()?.to_owned();
    let signed: Vec<usize> = (0..message.headers.len())
        .filter(|index| list.split(';').any(|name| name == message.headers[*index].0))
        .collect();
    match change {
        Change::Method => message.method = String::from(if message.method == "GET" { "HEAD" } else { "GET" }),
        Change::Path => message.path.push_str("/new"),
        Change::Query => {
            let query = message.query.get_or_insert_default();
            query.push_str(if query.is_empty() { "new" } else { "&new" });
        }
        Change::BodyBit(at, bit) => {
            let at = at.index(message.body.len().max(1));
            *message.body.get_mut(at)? ^= 1 << bit;
        }
        Change::BodyLonger(byte) => message.body.push(*byte),
        Change::HeaderBit(header, at, bit) => {
            let value = &mut message.headers[signed[header.index(signed.len())]].1;
            let mut bytes = value.clone().into_bytes();
            let at = at.index(bytes.len().max(1));
            let byte = bytes.get_mut(at)?;
            let before = *byte;
            *byte ^= 1 << bit;
            // White space may fold away; what is no character of a header never arrives.
            if before == b' ' || !byte.is_ascii_graphic() {
                return None;
            }
            *value = String::from_utf8(bytes).ok()?;
        }
        Change::SignatureBit(at, bit) => {
            let value = &mut message.headers[authorization].1;
            let start = value.find("Signature=")? + "Signature=".len();
            let mut bytes = value.clone().into_bytes();
            bytes[start + at.index(64)] ^= 1 << bit;
            *value = String::from_utf8(bytes).ok().filter(|text| text.bytes().all(|b| matches!(b, 32..127)))?;
        }
        Change::DropHeader(header) => {
            message.headers.remove(signed[header.index(signed.len())]);
        }
    }
    Some(message)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_another_signer_signs_verifies(message in message(), signer in signer()) {
        let signed = signer.sign(&message);
        prop_assert_eq!(signer.verifies(&signed), Ok(()), "{:?}", signed);
    }

    #[test]
    fn what_was_changed_on_the_way_does_not_verify(
        message in message(),
        signer in signer(),
        change in change(),
    ) {
        let signed = signer.sign(&message);
        if let Some(changed) = changed(&signed, &change) {
            prop_assert!(signer.verifies(&changed).is_err(), "{:?}", changed);
        }
    }
}
