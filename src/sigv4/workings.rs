use std::sync::Arc;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use sha2::{Digest, Sha256};

use super::amz_date::AmzDate;
use super::authorization::Authorization;
use super::canonical;
use super::content_sha256::{ContentSha256, hex};
use super::credential::CredentialSource;
use super::credential_scope::CredentialScope;
use super::profile::Profile;
use super::query;
use super::signed_headers::SignedHeaders;
use super::signing_key::SigningKey;
use super::verify::Received;

/// What was computed on the way to a verdict, for people who look for their mistake.
///
/// Each is there whenever the request gives what it needs, whatever rule refused the request. A
/// good signature stands in it in the clear: this is for the holder of the secret, and no server
/// ever answers with it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Workings {
    /// The canonical request.
    pub canonical_request: Option<String>,
    /// The string to sign.
    pub string_to_sign: Option<String>,
    /// The signature that the credential makes of it, in hex.
    pub signature: Option<String>,
}

impl Workings {
    /// Computes as much as the request allows, by the functions that the verifier uses.
    pub fn of<I>(profile: &Profile, received: &Received<'_>, source: &dyn CredentialSource<Identity = I>) -> Self {
        let mut workings = Self::default();
        workings.compute(profile, received, source);
        workings
    }

    /// Stops where the request does not get further.
    fn compute<I>(
        &mut self,
        profile: &Profile,
        received: &Received<'_>,
        source: &dyn CredentialSource<Identity = I>,
    ) -> Option<()> {
        canonical::check_path(received.path).ok()?;
        query::authentication(received.query).ok()?;
        let authorization = authorization(received.headers)?;
        let signed = SignedHeaders::read(authorization.signed_headers?, received.headers, profile);
        if signed.absent().is_some() {
            return None;
        }
        // A mode that the service does not take is still the last line of what was signed.
        let payload = match signed.content_sha256 {
            Some(mode) if mode == b"UNSIGNED-PAYLOAD" || mode.starts_with(b"STREAMING-") => mode.to_vec(),
            _ => ContentSha256::hash(received.body).as_bytes().to_vec(),
        };
        let mut text = Vec::new();
        canonical::write_request(
            &mut text,
            received.method,
            received.path,
            profile.paths,
            received.query,
            &signed,
            &payload,
        );
        let request_hash = Sha256::digest(&text).into();
        self.canonical_request = Some(String::from_utf8(text).ok()?);

        let date = AmzDate::parse(signed.amz_date.or(signed.date)?)?;
        let scope = CredentialScope::parse(authorization.credential?).ok()?;
        let mut text = Vec::new();
        canonical::write_string_to_sign(&mut text, date.text(), scope.text, &request_hash);
        let text = self.string_to_sign.insert(String::from_utf8(text).ok()?);

        if scope.date != date.day() {
            return None;
        }
        let credential: Arc<_> = source.credential(scope.access_key_id, signed.security_token).ok()??;
        let key = SigningKey::derive(&credential.secret, credential.version, date.timestamp(), &scope)?;
        let digits = hex(&key.sign(text.as_bytes()));
        self.signature = Some(String::from_utf8_lossy(&digits).into_owned());
        Some(())
    }
}

/// The scope that a request claims for itself; `None` when its `Authorization` header has none
/// that can be read. A route is never chosen by it: it serves those who check a request by hand.
#[must_use]
pub fn claimed_scope(headers: &HeaderMap) -> Option<CredentialScope<'_>> {
    CredentialScope::parse(authorization(headers)?.credential?).ok()
}

fn authorization(headers: &HeaderMap) -> Option<Authorization<'_>> {
    Authorization::parse(headers.get(AUTHORIZATION)?.as_bytes()).ok()
}
