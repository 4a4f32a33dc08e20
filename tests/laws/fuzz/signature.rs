//! Signed requests, as raw HTTP.

use std::sync::Arc;

use bytes::Bytes;
use keystile::sigv4::{
    Credential, CredentialSource, Payload, Profile, RawRequest, Received, SecretKey, Settings, Times, Unavailable,
    Verifier, claimed_scope,
};

use super::{files, fuzz};

struct OneKey(Arc<Credential<()>>);

impl CredentialSource for OneKey {
    type Identity = ();

    fn credential(
        &self,
        access_key_id: &str,
        _session_token: Option<&[u8]>,
    ) -> Result<Option<Arc<Credential<()>>>, Unavailable> {
        Ok((access_key_id == "AKIDEXAMPLE").then(|| Arc::clone(&self.0)))
    }
}

#[test]
fn a_raw_request_is_verified_or_refused_with_a_code() {
    let secret = SecretKey::from("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned());
    let key = OneKey(Arc::new(Credential::new("AKIDEXAMPLE", secret, 0, ())));
    let verifier = Verifier::new(Settings::default()).unwrap();
    let now = "2015-08-30T12:36:00Z".parse().unwrap();
    let suites = ["fixtures/sigv4", "fixtures/sigv4-presigned", "fixtures/sigv4a", "fixtures/sigv4a-presigned"];
    let corpus = suites.into_iter().flat_map(|suite| files(suite, "request.http")).collect();
    let profile = Profile::general("service").with_sigv4a("us-east-1".parse().unwrap());
    let profile = profile.with_unsigned_payload(true).with_chunked_payload(true);
    let dictionary = [
        "Authorization: ",
        "AWS4-HMAC-SHA256 ",
        "Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request",
        "SignedHeaders=host;x-amz-date",
        "Signature=",
        "X-Amz-Date: 20150830T123600Z",
        "X-Amz-Content-Sha256: UNSIGNED-PAYLOAD",
        "X-Amz-Content-Sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
        "X-Amz-Content-Sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "X-Amz-Decoded-Content-Length: 5",
        "X-Amz-Trailer: x-amz-checksum-crc32",
        "X-Amz-Security-Token: ",
        "Content-Length: ",
        "Transfer-Encoding: chunked",
        "?X-Amz-Signature=",
        "&X-Amz-Algorithm=AWS4-HMAC-SHA256",
        "&X-Amz-Algorithm=AWS4-ECDSA-P256-SHA256",
        "&X-Amz-Expires=",
        "X-Amz-Region-Set: ",
        "%2F",
        "%zz",
        "/../",
        "//",
        "HTTP/1.1",
        "\r\n",
        "\n\n",
        "Host: ",
        "20150830",
        ";",
        ",",
        "=",
    ];
    fuzz("signature", corpus, &dictionary, |input| {
        let request = match RawRequest::parse(input) {
            Ok(request) => request,
            Err(error) => return error.to_string(),
        };
        let received = Received {
            method: &request.method,
            path: &request.path,
            query: request.query.as_deref(),
            headers: &request.headers,
        };
        let _ = claimed_scope(&request.headers, request.query.as_deref());
        let times = Times { signature: now, session: now };
        let outcome = match Payload::of(&profile, received.headers, received.query) {
            Payload::Whole => verifier.verify(&profile, &received, &request.body, &key, times).map(|_| ()),
            _ => verifier.verify_head(&profile, &received, &key, times).and_then(|(_, mut payload)| {
                payload.push(Bytes::copy_from_slice(&request.body))?;
                payload.finish().map(|_| ())
            }),
        };
        match outcome {
            Ok(()) => "verified".to_owned(),
            Err(refusal) => {
                assert!(!refusal.to_string().is_empty());
                format!("{refusal:?}")
            }
        }
    });
}
