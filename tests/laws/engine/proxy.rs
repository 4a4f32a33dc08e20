//! An external key store's proxy in memory, with a key manager behind it: what the XKS Proxy API says
//! of either, and mischief on request.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_sigv4::sign::v4::{calculate_signature, generate_signing_key};
use data_encoding::{BASE64, HEXLOWER};
use jiff::Timestamp;
use keystile::kms::{Kms, XksAnswer, XksRequest, XksTransport, XksTransportError};
use keystile::store::BoxFuture;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::Notify;

pub(crate) const HOST: &str = "xks.example.com";
pub(crate) const ACCESS_KEY: &str = "ABCDEFGHIJKLMNOPQRST";
pub(crate) const SECRET: &str = "proxysecretproxysecretproxysecretproxysecret";
/// An external key that any KMS key can have; so is every one whose id begins with this.
pub(crate) const KEY: &str = "good-key";

/// What a proxy does wrong.
#[derive(Clone, Debug)]
pub(crate) enum Mischief {
    /// It answers an error of that status and name.
    Error(u16, &'static str),
    /// It answers that status and body.
    Answers(u16, String),
    /// There is no answer.
    Silence(XksTransportError),
    /// It answers as it should but for one member.
    Member(&'static str, Value),
    /// What it decrypts has one bit that is another.
    WrongPlaintext,
    /// It does not answer until it is told to.
    Hangs(Arc<Notify>),
}

#[derive(Default)]
struct Inside {
    secrets: BTreeMap<String, String>,
    mischief: Option<Mischief>,
    asked: Vec<(String, Value)>,
    vectors: u64,
    lacks: Lacks,
}

/// What is not behind it any more.
#[derive(Default)]
struct Lacks {
    /// All that is below a path.
    path: Option<&'static str>,
    key: Option<&'static str>,
    /// A key that is disabled.
    enabled_key: Option<&'static str>,
}

impl Lacks {
    /// Whether it is in the way of a request.
    fn refuses(&self, path: &str) -> Option<XksAnswer> {
        let is_of = |key: Option<&str>| key.is_some_and(|key| path.contains(&format!("/keys/{key}/")));
        if self.path.is_some_and(|gone| path.strip_prefix(gone).is_some_and(|rest| rest.starts_with('/'))) {
            Some(refused(404, "InvalidUriPathException"))
        } else if is_of(self.key) {
            Some(refused(404, "KeyNotFoundException"))
        } else if is_of(self.enabled_key) && !path.ends_with("/metadata") {
            Some(refused(400, "InvalidStateException"))
        } else {
            None
        }
    }

    fn is_disabled(&self, path: &str) -> bool {
        self.enabled_key.is_some_and(|key| path.ends_with(&format!("/keys/{key}/metadata")))
    }
}

pub(crate) struct FakeProxy(Mutex<Inside>);

impl FakeProxy {
    /// A new one that an engine reaches.
    pub(crate) fn of(kms: &Kms) -> Arc<Self> {
        let secrets = BTreeMap::from([(ACCESS_KEY.to_owned(), SECRET.to_owned())]);
        let proxy = Arc::new(Self(Mutex::new(Inside { secrets, ..Inside::default() })));
        kms.reach_external_key_stores(Arc::clone(&proxy) as _);
        proxy
    }

    pub(crate) fn does(&self, mischief: Mischief) {
        self.0.lock().unwrap().mischief = Some(mischief);
    }

    pub(crate) fn behaves(&self) {
        self.0.lock().unwrap().mischief = None;
    }

    /// Takes these credentials, and none other.
    pub(crate) fn trusts(&self, access_key: &str, secret: &str) {
        self.0.lock().unwrap().secrets = BTreeMap::from([(access_key.to_owned(), secret.to_owned())]);
    }

    /// There is nothing below a path any more, this external key is gone, and that one is disabled.
    pub(crate) fn lacks(
        &self,
        path: Option<&'static str>,
        key: Option<&'static str>,
        enabled_key: Option<&'static str>,
    ) {
        self.0.lock().unwrap().lacks = Lacks { path, key, enabled_key };
    }

    /// The paths and bodies of all requests since it was asked for them last.
    pub(crate) fn asked(&self) -> Vec<(String, Value)> {
        std::mem::take(&mut self.0.lock().unwrap().asked)
    }

    fn answer(&self, request: &XksRequest) -> XksAnswer {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        let mut inside = self.0.lock().unwrap();
        inside.asked.push((request.path.clone(), body.clone()));
        if !is_signed(request, &inside.secrets) {
            return refused(401, "AuthenticationFailedException");
        }
        if let Some(refusal) = inside.lacks.refuses(&request.path) {
            return refusal;
        }
        inside.vectors += 1;
        let vector = inside.vectors;
        let mut answer = match works(&request.path, &body, vector) {
            Ok(answer) => answer,
            Err((status, name)) => return refused(status, name),
        };
        if inside.lacks.is_disabled(&request.path) {
            answer["keyStatus"] = json!("DISABLED");
        }
        match &inside.mischief {
            Some(Mischief::Error(status, name)) => return refused(*status, name),
            Some(Mischief::Answers(status, body)) => {
                return XksAnswer { status: *status, body: body.clone().into_bytes() };
            }
            Some(Mischief::Member(member, value)) => answer[*member] = value.clone(),
            Some(Mischief::WrongPlaintext) if answer["plaintext"].is_string() => {
                let mut plaintext = BASE64.decode(answer["plaintext"].as_str().unwrap().as_bytes()).unwrap();
                plaintext[0] ^= 1;
                answer["plaintext"] = json!(BASE64.encode(&plaintext));
            }
            _ => {}
        }
        XksAnswer { status: 200, body: answer.to_string().into_bytes() }
    }
}

impl XksTransport for FakeProxy {
    fn post(&self, request: XksRequest) -> BoxFuture<'_, Result<XksAnswer, XksTransportError>> {
        Box::pin(async move {
            if request.host != HOST {
                return Err(XksTransportError::NotListed);
            }
            let mischief = self.0.lock().unwrap().mischief.clone();
            match mischief {
                Some(Mischief::Silence(error)) => return Err(error),
                Some(Mischief::Hangs(until)) => until.notified().await,
                _ => {}
            }
            Ok(self.answer(&request))
        })
    }
}

fn refused(status: u16, name: &str) -> XksAnswer {
    let body = json!({"errorName": name, "errorMessage": "proxy-internal detail"});
    XksAnswer { status, body: body.to_string().into_bytes() }
}

/// As the specification's appendix A has it.
fn is_signed(request: &XksRequest, secrets: &BTreeMap<String, String>) -> bool {
    let member = |name: &str| {
        let rest = request.authorization.split_once(name)?.1;
        Some(rest.split(", ").next().unwrap_or(rest).to_owned())
    };
    let (Some(credential), Some(signed), Some(signature)) =
        (member("Credential="), member("SignedHeaders="), member("Signature="))
    else {
        return false;
    };
    let parts: Vec<&str> = credential.split('/').collect();
    let [access_key, day, region, "kms-xks-proxy", "aws4_request"] = parts[..] else { return false };
    let Some(secret) = secrets.get(access_key) else { return false };
    let XksRequest { host, path, date, body, .. } = request;
    let hash = |bytes: &[u8]| HEXLOWER.encode(&Sha256::digest(bytes));
    let canonical = format!("POST\n{path}\n\nhost:{host}\nx-amz-date:{date}\n\nhost;x-amz-date\n{}", hash(body));
    let scope = format!("{day}/{region}/kms-xks-proxy/aws4_request");
    let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hash(canonical.as_bytes()));
    let at = Timestamp::strptime("%Y%m%dT%H%M%S%z", date.replace('Z', "+0000")).unwrap();
    let key = generate_signing_key(secret, at.into(), region, "kms-xks-proxy");
    signed == "host;x-amz-date" && calculate_signature(key, to_sign.as_bytes()) == signature
}

/// What a key manager does, by the last parts of the path.
fn works(path: &str, body: &Value, vector: u64) -> Result<Value, (u16, &'static str)> {
    let (_, below) = path.split_once("/kms/xks/v1/").ok_or((404, "InvalidUriPathException"))?;
    let parts: Vec<&str> = below.split('/').collect();
    let bytes = |member: &str| BASE64.decode(body[member].as_str().unwrap_or_default().as_bytes()).unwrap();
    let [first, ref rest @ ..] = parts[..] else { unreachable!() };
    match (first, rest) {
        ("health", []) => Ok(json!({
            "xksProxyFleetSize": 1, "xksProxyVendor": "v", "xksProxyModel": "m", "ekmVendor": "e",
            "ekmFleetDetails": [{"id": "1", "model": "m", "healthStatus": "ACTIVE"}],
        })),
        ("keys", [key, operation]) => {
            let found = key.starts_with(KEY) || ["disabled", "one-way", "short"].contains(key);
            if !found {
                return Err((404, "KeyNotFoundException"));
            }
            let manager = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &Sha256::digest(key.as_bytes())).unwrap());
            let metadata = if *operation == "encrypt" { b"version=1".to_vec() } else { bytes("ciphertextMetadata") };
            let aad = [bytes("additionalAuthenticatedData"), metadata.clone()].concat();
            match *operation {
                "metadata" => Ok(json!({
                    "keySpec": if *key == "short" { "AES_128" } else { "AES_256" },
                    "keyUsage": if *key == "one-way" { json!(["ENCRYPT"]) } else { json!(["ENCRYPT", "DECRYPT"]) },
                    "keyStatus": if *key == "disabled" { "DISABLED" } else { "ENABLED" },
                })),
                "encrypt" => {
                    let vector = [&[0u8; 4][..], &vector.to_be_bytes()].concat();
                    let mut text = bytes("plaintext");
                    let nonce = Nonce::try_assume_unique_for_key(&vector).unwrap();
                    let tag = manager.seal_in_place_separate_tag(nonce, Aad::from(&aad), &mut text).unwrap();
                    let given = bytes("additionalAuthenticatedData");
                    let whole = [given.as_slice(), &metadata, &vector, &text, tag.as_ref()].concat();
                    Ok(json!({
                        "ciphertext": BASE64.encode(&text),
                        "ciphertextMetadata": BASE64.encode(&metadata),
                        "initializationVector": BASE64.encode(&vector),
                        "authenticationTag": BASE64.encode(tag.as_ref()),
                        "ciphertextDataIntegrityValue": BASE64.encode(&Sha256::digest(&whole)),
                    }))
                }
                "decrypt" => {
                    let nonce = Nonce::try_assume_unique_for_key(&bytes("initializationVector")).unwrap();
                    let mut text = [bytes("ciphertext"), bytes("authenticationTag")].concat();
                    let opened = manager.open_in_place(nonce, Aad::from(&aad), &mut text);
                    let plaintext = opened.map_err(|_| (400, "InvalidCiphertextException"))?;
                    Ok(json!({"plaintext": BASE64.encode(plaintext)}))
                }
                _ => Err((404, "InvalidUriPathException")),
            }
        }
        _ => Err((404, "InvalidUriPathException")),
    }
}
