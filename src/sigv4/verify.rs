use std::fmt;
use std::sync::Arc;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::aws::Region;

use super::amz_date::{self, AmzDate};
use super::authorization::Authorization;
use super::canonical;
use super::content_sha256::{ContentSha256, hex};
use super::credential::{Credential, CredentialSource};
use super::credential_scope::CredentialScope;
use super::profile::{Paths, Profile};
use super::query;
use super::refusal::Refusal;
use super::signed_headers::SignedHeaders;
use super::signing_key::{SigningKey, SigningKeys};

/// A request as it arrived, before anyone believes it.
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
    /// The whole body.
    pub body: &'a [u8],
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
}

/// A request whose signature holds, by whom, and for which region and service. Only
/// [`Verifier::verify`] makes one.
pub struct Verified<I> {
    credential: Arc<Credential<I>>,
    key: Arc<SigningKey>,
    signed_at: Timestamp,
}

/// What a request claims in its signature, read and checked as far as no secret is needed.
struct Claim<'a> {
    signature: &'a str,
    signed: SignedHeaders<'a>,
    date: AmzDate<'a>,
    scope: CredentialScope<'a>,
    content_sha256: ContentSha256,
}

impl Default for Settings {
    fn default() -> Self {
        Self { max_skew_seconds: 300, regions: None, signing_keys: 100_000 }
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
        })
    }

    /// Verifies one request.
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
        source: &dyn CredentialSource<Identity = I>,
        times: Times,
    ) -> Result<Verified<I>, Refusal> {
        let claim = self.read(profile, received, times.signature)?;
        let token = claim.signed.security_token;
        let credential = source.credential(claim.scope.access_key_id, token).map_err(|cause| {
            tracing::error!(%cause, "a credential could not be looked up");
            Refusal::unavailable()
        })?;
        let at = claim.date.timestamp();
        let found = match &credential {
            Some(credential) => self.keys.find(credential, at, &claim.scope),
            None => self.keys.of_nobody(at, &claim.scope),
        };
        let found = found.ok_or_else(Refusal::signature_differs)?;
        let agrees = signatures_agree(&claim.signature_by(&found.key, profile, received), claim.signature.as_bytes());
        let credential = credential.ok_or_else(Refusal::unknown_token)?;
        if !agrees {
            return Err(Refusal::signature_differs());
        }
        check_token(&credential, token, times.session)?;
        self.keys.keep(&credential, &claim.scope, &found);
        Ok(Verified { credential, key: found.key, signed_at: at })
    }

    /// Everything that needs no secret, in AWS's order.
    fn read<'a>(&self, profile: &Profile, received: &Received<'a>, now: Timestamp) -> Result<Claim<'a>, Refusal> {
        if profile.paths == Paths::RootPost && (received.method != "POST" || received.path != "/") {
            return Err(Refusal::bad_request("This service takes POST with path '/' only."));
        }
        canonical::check_path(received.path)?;
        let by_query = query::authentication(received.query)?;

        let mut authorizations = received.headers.get_all(AUTHORIZATION).iter();
        let Some(header) = authorizations.next() else {
            // Query authentication is not taken: such a request has no signature that counts.
            let orphan = by_query.any && !by_query.algorithm;
            return Err(if orphan { Refusal::orphan_query_parameter() } else { Refusal::not_signed() });
        };
        if authorizations.next().is_some() {
            return Err(Refusal::repeated_header(AUTHORIZATION.as_str()));
        }
        if by_query.any {
            return Err(Refusal::two_ways_of_signing());
        }
        query::check_plus(received.query)?;

        let authorization = Authorization::parse(header.as_bytes())?;
        let signed = SignedHeaders::read(authorization.signed_headers.unwrap_or_default(), received.headers, profile);
        let sent_date = signed.amz_date.or(signed.date);
        let (Some(credential), Some(signature), Some(_), Some(sent_date)) =
            (authorization.credential, authorization.signature, authorization.signed_headers, sent_date)
        else {
            let missing: Vec<&str> = authorization.missing().collect();
            return Err(Refusal::missing_parts(&missing, sent_date.is_none()));
        };
        signed.check_repeated()?;
        signed.check()?;

        let date = AmzDate::parse(sent_date).ok_or_else(|| Refusal::date_syntax(sent_date))?;
        self.check_window(&date, now)?;

        let scope = CredentialScope::parse(credential)?;
        scope.check(profile, self.regions.as_deref(), &date)?;

        let content_sha256 = ContentSha256::of(profile, signed.content_sha256, received.body)?;
        Ok(Claim { signature, signed, date, scope, content_sha256 })
    }

    /// The date is no further from now, in whole seconds, than the skew.
    fn check_window(&self, date: &AmzDate<'_>, now: Timestamp) -> Result<(), Refusal> {
        let age = now.as_second() - date.timestamp().as_second();
        let skew = self.max_skew.as_secs();
        if (-skew..=skew).contains(&age) {
            return Ok(());
        }
        let window = if skew % 60 == 0 { format!("{} min.", skew / 60) } else { format!("{skew} sec.") };
        let printed_now = amz_date::print(now);
        Err(if age > skew {
            let earliest = amz_date::print(now.checked_sub(self.max_skew).unwrap_or(Timestamp::MIN));
            Refusal::expired(date.text(), &earliest, &printed_now, &window)
        } else {
            let latest = amz_date::print(now.checked_add(self.max_skew).unwrap_or(Timestamp::MAX));
            Refusal::not_yet_current(date.text(), &latest, &printed_now, &window)
        })
    }
}

impl Claim<'_> {
    fn signature_by(&self, key: &SigningKey, profile: &Profile, received: &Received<'_>) -> [u8; 64] {
        let mut text = Vec::with_capacity(1024);
        canonical::write_request(
            &mut text,
            received.method,
            received.path,
            profile.paths,
            received.query,
            &self.signed,
            self.content_sha256.as_bytes(),
        );
        let request_hash = Sha256::digest(&text).into();
        text.clear();
        canonical::write_string_to_sign(&mut text, self.date.text(), self.scope.text, &request_hash);
        hex(&key.sign(&text))
    }
}

/// In constant time, by words of eight digits. That a signature has 64 digits is no secret.
fn signatures_agree(ours: &[u8; 64], sent: &[u8]) -> bool {
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
        return Err(Refusal::unknown_token());
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

    /// The region that it was signed for.
    pub fn region(&self) -> &Region {
        self.key.region()
    }

    /// The service that it was signed for.
    pub fn service(&self) -> &str {
        self.key.service()
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
            .field("key", &self.key)
            .field("signed_at", &self.signed_at)
            .finish()
    }
}

#[cfg(test)]
#[path = "verify_tests.rs"]
mod tests;
