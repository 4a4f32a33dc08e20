//! Verification of one KMS request as botocore signs it, beside the floor that its cryptography
//! alone sets for the same bytes.

#![allow(clippy::unwrap_used, reason = "a measurement that cannot be set up has nothing to print")]

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;
use keystile::sigv4::{
    Credential, CredentialSource, Profile, Received, SecretKey, Settings, Times, Unavailable, Verifier, Workings,
};
use sha2::{Digest, Sha256};

const ACCESS_KEY_ID: &str = "AKIAIOSFODNN7EXAMPLE";
const BODY: &[u8] = br#"{"KeyId": "1234abcd-12ab-34cd-56ef-1234567890ab", "x": 12}"#;

struct Keys(HashMap<String, Arc<Credential<()>>>);

impl CredentialSource for Keys {
    type Identity = ();

    fn credential(
        &self,
        access_key_id: &str,
        _session_token: Option<&[u8]>,
    ) -> Result<Option<Arc<Credential<()>>>, Unavailable> {
        Ok(self.0.get(access_key_id).cloned())
    }
}

fn keys(version: u64) -> Keys {
    let secret = SecretKey::from("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned());
    Keys(HashMap::from([(ACCESS_KEY_ID.to_owned(), Arc::new(Credential::new(ACCESS_KEY_ID, secret, version, ())))]))
}

fn headers(signature: &str) -> HeaderMap {
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={ACCESS_KEY_ID}/20150830/us-east-1/kms/aws4_request, \
         SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature={signature}"
    );
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("host", "127.0.0.1:4599"),
        ("accept-encoding", "identity"),
        ("x-amz-target", "TrentService.GetKeyRotationStatus"),
        ("content-type", "application/x-amz-json-1.1"),
        ("user-agent", "Boto3/1.40.1 md/Botocore#1.40.1 ua/2.1 os/linux#6.1 md/arch#x86_64 lang/python#3.11.2"),
        ("x-amz-date", "20150830T123600Z"),
        ("authorization", &authorization),
        ("amz-sdk-invocation-id", "0d9ae6f0-1d5c-4f55-9f5e-2b1c6b8b2c41"),
        ("amz-sdk-request", "attempt=1"),
        ("content-length", "58"),
    ] {
        headers.append(name, HeaderValue::from_str(value).unwrap());
    }
    headers
}

fn verify(c: &mut Criterion) {
    let profile = Profile::kms();
    let now: Timestamp = "2015-08-30T12:36:00Z".parse().unwrap();
    let times = Times { signature: now, session: now };
    let source = keys(0);
    let unsigned = headers("");
    let received = |headers| Received { method: "POST", path: "/", query: None, headers };
    let workings = Workings::of(&profile, &received(&unsigned), BODY, &source);
    let signed = headers(&workings.signature.unwrap());
    let received = received(&signed);
    let canonical_request = workings.canonical_request.unwrap();
    let string_to_sign = workings.string_to_sign.unwrap();
    let verifier = Verifier::new(Settings::default()).unwrap();

    let mut group = c.benchmark_group("sigv4");
    let mac = Hmac::<Sha256>::new_from_slice(&[7; 32]).unwrap();
    group.bench_function("crypto_floor", |b| {
        b.iter(|| {
            let body = Sha256::digest(black_box(BODY));
            let request = Sha256::digest(black_box(canonical_request.as_bytes()));
            let mut mac = black_box(&mac).clone();
            mac.update(black_box(string_to_sign.as_bytes()));
            black_box((body, request, mac.finalize().into_bytes()))
        });
    });
    group.bench_function("verify_warm", |b| {
        b.iter(|| black_box(verifier.verify(&profile, black_box(&received), BODY, &source, times)).unwrap());
    });
    let mut version = 0;
    group.bench_function("verify_cold", |b| {
        b.iter_batched(
            || {
                version += 1;
                keys(version)
            },
            |source| {
                black_box(verifier.verify(&profile, black_box(&received), BODY, &source, times)).unwrap();
                source
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

criterion_group!(benches, verify);
criterion_main!(benches);
