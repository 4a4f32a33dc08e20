use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::algorithm::Algorithm;
use super::amz_date::AmzDate;
use super::authentication::{Authentication, Form};
use super::canonical::{self, LeftOut};
use super::content_sha256::{ContentSha256, WholeBody, hex};
use super::credential::CredentialSource;
use super::credential_scope::CredentialScope;
use super::ecdsa_key;
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
    /// The signature that the credential makes of it, in hex; of SigV4a, one of the many.
    pub signature: Option<String>,
}

impl Workings {
    /// Computes as much as the request allows, by the functions that the verifier uses.
    pub fn of<I>(
        profile: &Profile,
        received: &Received<'_>,
        body: &[u8],
        source: &dyn CredentialSource<Identity = I>,
    ) -> Self {
        let mut workings = Self::default();
        workings.compute(profile, received, body, source);
        workings
    }

    /// Stops where the request does not get further.
    fn compute<I>(
        &mut self,
        profile: &Profile,
        received: &Received<'_>,
        body: &[u8],
        source: &dyn CredentialSource<Identity = I>,
    ) -> Option<()> {
        canonical::check_path(received.path).ok()?;
        query::authentication(received.query).ok()?;
        let authentication = Authentication::claimed(received.headers, received.query)?;
        let (form, algorithm) = (authentication.form, authentication.algorithm);
        let names = authentication.signed_headers.as_deref()?;
        let signed = SignedHeaders::read(names, received.headers, profile, form);
        if signed.absent().is_some() {
            return None;
        }
        let hoisted = authentication.presigned.content_sha256.as_deref().map(str::as_bytes);
        // A mode that the service does not take is still the last line of what was signed.
        let payload = match signed.content_sha256.or(hoisted) {
            Some(mode) if mode == b"UNSIGNED-PAYLOAD" || mode.starts_with(b"STREAMING-") => mode.to_vec(),
            None if form == Form::Query && profile.presigned_leaves_payload => b"UNSIGNED-PAYLOAD".to_vec(),
            Some(_) | None => ContentSha256::hash(WholeBody::Bytes(body)).as_bytes().to_vec(),
        };
        let mut text = Vec::new();
        canonical::write_request(&mut text, received, profile.paths, LeftOut::Signature, &signed, &payload);
        let request_hash = Sha256::digest(&text).into();
        self.canonical_request = Some(String::from_utf8(text).ok()?);

        let date = match form {
            Form::Header => AmzDate::parse(signed.amz_date.or(signed.date)?)?,
            Form::Query => AmzDate::parse(authentication.presigned.date.as_deref()?.as_bytes())?,
        };
        let scope = CredentialScope::parse(authentication.credential.as_deref()?, algorithm).ok()?;
        let mut text = Vec::new();
        canonical::write_string_to_sign(&mut text, algorithm, date.text(), scope.text, &request_hash);
        let text = self.string_to_sign.insert(String::from_utf8(text).ok()?);

        if scope.date != date.day() {
            return None;
        }
        let token = match form {
            Form::Header => signed.security_token,
            Form::Query => authentication.presigned.security_token.as_deref().map(str::as_bytes),
        };
        let credential: Arc<_> = source.credential(scope.access_key_id, token).ok()??;
        self.signature = match algorithm {
            Algorithm::HmacSha256 => {
                let key = SigningKey::derive(&credential.secret, credential.version, date.timestamp(), &scope)?;
                Some(String::from_utf8_lossy(&hex(&key.sign(text.as_bytes()))).into_owned())
            }
            Algorithm::EcdsaP256Sha256 => {
                ecdsa_key::sign(&credential.access_key_id, &credential.secret, text.as_bytes())
            }
        };
        Some(())
    }
}
