use std::fmt;
use std::sync::Arc;

use http::HeaderMap;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::aws::Region;

use super::algorithm::Algorithm;
use super::amz_date::{self, AmzDate};
use super::authentication::{Authentication, Form};
use super::canonical::{self, LeftOut};
use super::content_sha256::{ContentSha256, Declared, Payload, WholeBody, hex};
use super::credential::{Credential, CredentialSource};
use super::credential_scope::CredentialScope;
use super::ecdsa_key::EcdsaKey;
use super::payload::{Chain, Checksums, PayloadVerifier, Seed};
use super::profile::{Paths, Profile};
use super::refusal::Refusal;
use super::region_set::RegionSet;
use super::signed_headers::SignedHeaders;
use super::signing_key::{Found, SigningKey, SigningKeys};

/// Largest chunk of a body in signed chunks, in bytes, where nothing else is set: 2 MiB. Clients send 8 KiB
/// to 1 MiB.
const MAX_CHUNK_BYTES: u32 = 2 << 20;

/// Longest time that a presigned request may be used, in seconds: seven days.
const MAX_EXPIRES: i64 = 604_800;

/// The head of a request as it arrived, before anyone believes it.
#[derive(Clone, Copy, Debug)]
pub struct Received<'a> {
    /// The method, as sent.
    pub method: &'a str,
    /// The path, as sent: neither decoded nor normalised.
    pub path: &'a str,
    /// What followed `?`, as sent; `None` when there was no `?`.
    pub query: Option<&'a str>,
    /// The headers in the order of arrival. `host` holds `:authority` where HTTP/2 has that.
    pub headers: &'a HeaderMap,
}

/// The time, by the two clocks of a server.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// Wall-clock time: the signature's window.
    pub signature: Timestamp,
    /// The engine's time: the expiry of sessions.
    pub session: Timestamp,
}

/// How a verifier is set.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How far a request's date may be from the server's, either way: 60 to 900 seconds.
    pub max_skew_seconds: u32,
    /// The regions that are served; `None` for every well-formed name.
    pub regions: Option<Vec<Region>>,
    /// Most signing keys that are kept.
    pub signing_keys: u64,
    /// Largest chunk of a body in signed chunks, in bytes: so much of it is kept in memory until
    /// its signature holds, and as much until the next one's does.
    pub max_chunk_bytes: u32,
}

/// The skew is outside of what is safe.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("max_skew_seconds is {0}; it must be 60 to 900")]
pub struct InvalidSkew(u32);

/// Verifies requests. One for a server; shared by its tasks.
#[derive(Debug)]
pub struct Verifier {
    max_skew: SignedDuration,
    regions: Option<Vec<Region>>,
    keys: SigningKeys,
    max_chunk_bytes: u32,
}

/// A request whose signature holds, by whom, and for which region and service. Only a [`Verifier`]
/// makes one.
pub struct Verified<I> {
    credential: Arc<Credential<I>>,
    signer: Signer,
    signed_at: Timestamp,
    presigned: bool,
    payload: Payload,
}

/// What a signature was made with.
enum Signer {
    Hmac(Arc<SigningKey>),
    /// The region is the one that was chosen of the request's set.
    Ecdsa {
        region: Region,
        service: Arc<str>,
    },
}

/// The key that a claim is held to.
enum Key<'k> {
    Hmac(Found),
    Ecdsa(&'k EcdsaKey),
}

/// What a request claims in its signature, read and checked as far as no secret is needed.
struct Claim<'a> {
    form: Form,
    algorithm: Algorithm,
    signature: &'a str,
    signed: SignedHeaders<'a>,
    date: AmzDate<'a>,
    scope: CredentialScope<'a>,
    /// Of a SigV4a signature: the region of its set that it is taken for.
    region: Option<Region>,
    token: Option<&'a [u8]>,
    content_sha256: ContentSha256,
}

impl Default for Settings {
    fn default() -> Self {
        Self { max_skew_seconds: 300, regions: None, signing_keys: 100_000, max_chunk_bytes: MAX_CHUNK_BYTES }
    }
}

impl Verifier {
    /// A verifier with an empty cache.
    ///
    /// # Errors
    /// [`InvalidSkew`] outside of 60 to 900 seconds.
    pub fn new(settings: Settings) -> Result<Self, InvalidSkew> {
        let seconds = settings.max_skew_seconds;
        if !(60..=900).contains(&seconds) {
            return Err(InvalidSkew(seconds));
        }
        Ok(Self {
            max_skew: SignedDuration::from_secs(i64::from(seconds)),
            regions: settings.regions,
            keys: SigningKeys::new(settings.signing_keys),
            max_chunk_bytes: settings.max_chunk_bytes,
        })
    }

    /// Verifies one request with its whole body.
    ///
    /// An unknown access key costs the work of a wrong signature. Nothing is said of a session
    /// token or its expiry to who cannot sign: the signature comes first.
    ///
    /// # Errors
    /// A [`Refusal`] with AWS's code and text; of kind `Unavailable` when the source cannot tell.
    pub fn verify<I>(
        &self,
        profile: &Profile,
        received: &Received<'_>,
        body: &[u8],
        source: &dyn CredentialSource<Identity = I>,
        times: Times,
    ) -> Result<Verified<I>, Refusal> {
        let authentication = authentication(profile, received)?;
        let body_there = Some(WholeBody::Bytes(body));
        let claim = self.read(profile, &authentication, received, body_there, times.signature)?;
        let verified = self.check(profile, &claim, received, source, times)?;
        if profile.checksums {
            Checksums::of_head(received)?.check(body)?;
        }
        Ok(verified)
    }

    /// Verifies one request by the SHA-256 of its whole body, for who has that alone. Checksums beside
    /// the signature are not checked: a body of that hash is the one that was signed.
    ///
    /// # Errors
    /// As [`Verifier::verify`].
    pub fn verify_hashed<I>(
        &self,
        profile: &Profile,
        received: &Received<'_>,
        body_sha256: &[u8; 32],
        source: &dyn CredentialSource<Identity = I>,
        times: Times,
    ) -> Result<Verified<I>, Refusal> {
        let authentication = authentication(profile, received)?;
        let body_there = Some(WholeBody::Sha256(body_sha256));
        let claim = self.read(profile, &authentication, received, body_there, times.signature)?;
        self.check(profile, &claim, received, source, times)
    }

    /// Verifies the head of a request whose body is to come: what vouches for the body is in the
    /// head, so that the [`PayloadVerifier`] can hold the body to it. Until that one has finished,
    /// the request is not proven.
    ///
    /// # Errors
    /// As [`Verifier::verify`]; also where [`Payload::of`] says that the whole body is needed.
    pub fn verify_head<I>(
        &self,
        profile: &Profile,
        received: &Received<'_>,
        source: &dyn CredentialSource<Identity = I>,
        times: Times,
    ) -> Result<(Verified<I>, PayloadVerifier), Refusal> {
        let authentication = authentication(profile, received)?;
        let claim = self.read(profile, &authentication, received, None, times.signature)?;
        let verified = self.check(profile, &claim, received, source, times)?;
        let checksums = if profile.checksums { Checksums::of_head(received)? } else { Checksums::default() };
        let payload = match (claim.content_sha256, &verified.signer) {
            (ContentSha256::Announced(hash), _) => PayloadVerifier::hashed(hash, checksums),
            (ContentSha256::Unsigned, _) => PayloadVerifier::unsigned(checksums),
            (ContentSha256::UnsignedChunks, _) => {
                PayloadVerifier::unsigned_chunks(checksums, received.headers, claim.signed.decoded_length)?
            }
            (ContentSha256::SignedChunks { trailer }, Signer::Hmac(key)) => {
                let seed = Seed {
                    key: Arc::clone(key),
                    date: claim.date.text(),
                    scope: claim.scope.text,
                    signature: claim.signature,
                };
                let chain = Chain::new(seed, u64::from(self.max_chunk_bytes))?;
                let length = claim.signed.decoded_length;
                PayloadVerifier::signed_chunks(checksums, received.headers, length, chain, trailer)?
            }
            // There is no chunk signature of SigV4a here, and no computed hash without a body.
            (ContentSha256::SignedChunks { .. }, Signer::Ecdsa { .. }) | (ContentSha256::Computed(_), _) => {
                return Err(Refusal::missing_content_sha256());
            }
        };
        Ok((verified, payload))
    }

    /// What needs the secret.
    fn check<I>(
        &self,
        profile: &Profile,
        claim: &Claim<'_>,
        received: &Received<'_>,
        source: &dyn CredentialSource<Identity = I>,
        times: Times,
    ) -> Result<Verified<I>, Refusal> {
        let credential = source.credential(claim.scope.access_key_id, claim.token).map_err(|cause| {
            tracing::error!(%cause, "a credential could not be looked up");
            Refusal::unavailable()
        })?;
        let at = claim.date.timestamp();
        let key = match (claim.algorithm, &credential) {
            (Algorithm::HmacSha256, Some(credential)) => self.keys.find(credential, at, &claim.scope).map(Key::Hmac),
            (Algorithm::HmacSha256, None) => self.keys.of_nobody(at, &claim.scope).map(Key::Hmac),
            (Algorithm::EcdsaP256Sha256, Some(credential)) => credential.ecdsa_key().map(Key::Ecdsa),
            (Algorithm::EcdsaP256Sha256, None) => self.keys.ecdsa_of_nobody().map(Key::Ecdsa),
        };
        let key = key.ok_or_else(Refusal::signature_differs)?;
        let agrees = claim.agrees(&key, profile, received);
        let credential = credential.as_ref().ok_or_else(Refusal::unknown_key)?;
        if !agrees {
            return Err(Refusal::signature_differs());
        }
        check_token(credential, claim.token, times.session)?;
        let signer = match (key, &claim.region) {
            (Key::Hmac(found), _) => {
                self.keys.keep(credential, &claim.scope, &found);
                Signer::Hmac(found.key)
            }
            (Key::Ecdsa(_), Some(region)) => {
                Signer::Ecdsa { region: region.clone(), service: Arc::clone(&profile.service) }
            }
            (Key::Ecdsa(_), None) => return Err(Refusal::missing_region_set()),
        };
        Ok(Verified {
            credential: Arc::clone(credential),
            signer,
            signed_at: at,
            presigned: claim.form == Form::Query,
            payload: claim.content_sha256.payload(),
        })
    }

    /// Everything that needs no secret, in AWS's order.
    fn read<'a>(
        &self,
        profile: &Profile,
        authentication: &'a Authentication<'a>,
        received: &Received<'a>,
        body: Option<WholeBody<'_>>,
        now: Timestamp,
    ) -> Result<Claim<'a>, Refusal> {
        let &Authentication { form, algorithm, ref presigned, .. } = authentication;
        let names = authentication.signed_headers.as_deref().unwrap_or_default();
        let signed = SignedHeaders::read(names, received.headers, profile, form);
        let sent_date = match form {
            Form::Header => signed.amz_date.or(signed.date),
            Form::Query => presigned.date.as_deref().map(str::as_bytes),
        };
        let (Some(credential), Some(signature), Some(_), Some(sent_date)) =
            (&authentication.credential, &authentication.signature, &authentication.signed_headers, sent_date)
        else {
            return Err(authentication.missing(sent_date.is_none()));
        };
        signed.check_repeated()?;
        if form == Form::Query {
            signed.check_beside_query()?;
        }
        signed.check()?;

        let date = AmzDate::parse(sent_date).ok_or_else(|| Refusal::date_syntax(sent_date))?;
        match form {
            Form::Header => self.check_window(&date, self.max_skew, now).map_err(Refusal::skewed)?,
            Form::Query => {
                let expires = presigned.expires.as_deref().map(expires).transpose()?;
                if expires.is_none() && profile.presigned_leaves_payload {
                    return Err(Refusal::missing_parameters(&["Expires"]));
                }
                self.check_window(&date, expires.unwrap_or(self.max_skew), now)?;
            }
        }

        let scope = CredentialScope::parse(credential, algorithm)?;
        let (region, wrong_region) = match (algorithm, &profile.sigv4a) {
            (Algorithm::HmacSha256, _) => (None, scope.wrong_region(self.regions.as_deref())),
            (Algorithm::EcdsaP256Sha256, Some(preferred)) => {
                let set = match form {
                    Form::Header => signed.region_set.map(std::str::from_utf8).transpose().ok().flatten(),
                    Form::Query => presigned.region_set.as_deref(),
                };
                let set = set.ok_or_else(Refusal::missing_region_set)?;
                let region = RegionSet::parse(set).and_then(|set| set.region(preferred, self.regions.as_deref()));
                let wrong_region = region.is_none().then_some(set);
                (region, wrong_region)
            }
            (Algorithm::EcdsaP256Sha256, None) => return Err(Refusal::unsupported_algorithm(algorithm.name())),
        };
        scope.check(profile, wrong_region, &date)?;

        let token = match form {
            Form::Header => signed.security_token,
            Form::Query => presigned.security_token.as_deref().map(str::as_bytes),
        };
        let value = match (signed.content_sha256, presigned.content_sha256.as_deref()) {
            (Some(_), Some(_)) => return Err(Refusal::two_content_hashes()),
            (header, query) => header.or(query.map(str::as_bytes)),
        };
        let content_sha256 = ContentSha256::of(profile, Declared { form, algorithm, value, body })?;
        Ok(Claim { form, algorithm, signature, signed, date, scope, region, token, content_sha256 })
    }

    /// The date is not before now by more than `lifetime`, nor after it by more than the skew, in
    /// whole seconds.
    fn check_window(&self, date: &AmzDate<'_>, lifetime: SignedDuration, now: Timestamp) -> Result<(), Refusal> {
        let age = now.as_second() - date.timestamp().as_second();
        let printed = |window: SignedDuration| match window.as_secs() {
            seconds if seconds % 60 == 0 => format!("{} min.", seconds / 60),
            seconds => format!("{seconds} sec."),
        };
        if age > lifetime.as_secs() {
            let earliest = amz_date::print(now.checked_sub(lifetime).unwrap_or(Timestamp::MIN));
            return Err(Refusal::expired(date.text(), &earliest, &amz_date::print(now), &printed(lifetime)));
        }
        if age < -self.max_skew.as_secs() {
            let latest = amz_date::print(now.checked_add(self.max_skew).unwrap_or(Timestamp::MAX));
            return Err(Refusal::not_yet_current(date.text(), &latest, &amz_date::print(now), &printed(self.max_skew)));
        }
        Ok(())
    }
}

/// One way of signing, of a request whose method, path and query have a single reading.
fn authentication<'a>(profile: &Profile, received: &Received<'a>) -> Result<Authentication<'a>, Refusal> {
    match profile.paths {
        Paths::RootPost if received.method != "POST" || received.path != "/" => {
            return Err(Refusal::bad_request("This service takes POST with path '/' only."));
        }
        Paths::Root if !matches!(received.method, "GET" | "POST") || received.path != "/" => {
            return Err(Refusal::bad_request("This service takes GET and POST with path '/' only."));
        }
        Paths::RootPost | Paths::Root | Paths::Normalized | Paths::AsTheyAre => {}
    }
    canonical::check_path(received.path)?;
    Authentication::read(received, profile)
}

/// Digits alone, 0 to 604800.
fn expires(text: &str) -> Result<SignedDuration, Refusal> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    let seconds = text.parse().ok().filter(|seconds| digits && (0..=MAX_EXPIRES).contains(seconds));
    seconds.map(SignedDuration::from_secs).ok_or_else(|| Refusal::expires_syntax(text))
}

impl Claim<'_> {
    /// Whether the key made the signature, of the request with all that its query has but the
    /// signature. Where a token may be left unsigned, also of the request without it.
    fn agrees(&self, key: &Key<'_>, profile: &Profile, received: &Received<'_>) -> bool {
        let token_may_be_left_out = profile.unsigned_token && self.form == Form::Query && self.token.is_some();
        self.agrees_without(LeftOut::Signature, key, profile, received)
            || (token_may_be_left_out && self.agrees_without(LeftOut::SignatureAndToken, key, profile, received))
    }

    fn agrees_without(&self, leave_out: LeftOut, key: &Key<'_>, profile: &Profile, received: &Received<'_>) -> bool {
        let mut text = Vec::with_capacity(1024);
        let payload = self.content_sha256.as_bytes();
        canonical::write_request(&mut text, received, profile.paths, leave_out, &self.signed, payload);
        let request_hash = Sha256::digest(&text).into();
        text.clear();
        let (date, scope) = (self.date.text(), self.scope.text);
        canonical::write_string_to_sign(&mut text, self.algorithm, date, scope, &request_hash);
        match key {
            Key::Hmac(found) => signatures_agree(&hex(&found.key.sign(&text)), self.signature.as_bytes()),
            Key::Ecdsa(key) => key.verifies(&text, self.signature),
        }
    }
}

/// In constant time, by words of eight digits. That a signature has 64 digits is no secret.
pub(super) fn signatures_agree(ours: &[u8; 64], sent: &[u8]) -> bool {
    let words = |digits: &[u8; 64]| -> [u64; 8] {
        std::array::from_fn(|word| digits[word * 8..][..8].iter().fold(0, |sum, digit| (sum << 8) | u64::from(*digit)))
    };
    <&[u8; 64]>::try_from(sent).is_ok_and(|sent| words(ours)[..].ct_eq(&words(sent)[..]).into())
}

/// A temporary key comes with its own token, a long-term key with none; then the time counts.
fn check_token<I>(credential: &Credential<I>, sent: Option<&[u8]>, now: Timestamp) -> Result<(), Refusal> {
    let own = match (&credential.session_token, sent) {
        (Some(token), Some(sent)) => bool::from(token.expose().as_bytes().ct_eq(sent)),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    if !own {
        return Err(Refusal::foreign_token());
    }
    if credential.expires.is_some_and(|end| now >= end) {
        return Err(Refusal::expired_token());
    }
    Ok(())
}

impl<I> Verified<I> {
    /// Who signed.
    pub fn identity(&self) -> &I {
        &self.credential.identity
    }

    /// The credential that signed.
    pub fn credential(&self) -> &Arc<Credential<I>> {
        &self.credential
    }

    /// The access key that signed.
    pub fn access_key_id(&self) -> &str {
        &self.credential.access_key_id
    }

    /// The region that it was signed for; of SigV4a's set of them, see [`Profile::with_sigv4a`].
    pub fn region(&self) -> &Region {
        match &self.signer {
            Signer::Hmac(key) => key.region(),
            Signer::Ecdsa { region, .. } => region,
        }
    }

    /// The service that it was signed for.
    pub fn service(&self) -> &str {
        match &self.signer {
            Signer::Hmac(key) => key.service(),
            Signer::Ecdsa { service, .. } => service,
        }
    }

    /// Whether it was signed in its query string.
    pub fn is_presigned(&self) -> bool {
        self.presigned
    }

    /// What vouches for its body.
    pub fn payload(&self) -> Payload {
        self.payload
    }

    /// The date that it was signed with, to the second.
    pub fn signed_at(&self) -> Timestamp {
        self.signed_at
    }
}

impl<I: fmt::Debug> fmt::Debug for Verified<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verified")
            .field("credential", &self.credential)
            .field("region", self.region())
            .field("service", &self.service())
            .field("signed_at", &self.signed_at)
            .field("payload", &self.payload)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "verify_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "forms_tests.rs"]
mod forms_tests;
