//! Sessions that are kept nowhere: all of one is sealed in its session token.
//!
//! ```text
//! base64( format (1) ‖ sealed JSON )
//! ```
//!
//! The format and the access key id are the associated data, so that a token opens beside its own
//! access key alone. The key that seals is a secret of the data directory's store, wrapped under the
//! root key: a session outlives a restart, a reload and a rotation of the root key.

use std::fmt;

use data_encoding::BASE64;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::access_key::{GenerateError, NewAccessKey};
use crate::seal::{SealError, SealingKey};

const FORMAT: u8 = 1;
const LABEL: &[u8] = b"keystile session token v1";

/// Most bytes that session policies, tags and the ARNs of managed policies may take together: AWS's
/// own limit, in a packed form, is not published.
pub const MAX_PACKED_BYTES: usize = 6144;

/// Longest session token, in characters; none that is issued is longer. JSON escapes a character of a
/// policy with one more at most.
pub(super) const MAX_TOKEN_CHARACTERS: usize = 24 << 10;

/// Room for a usual session's JSON: a buffer that grew would leave secrets behind.
const JSON_BYTES: usize = 4096;

/// A session: whose, since when and until when, and what it was given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRecord {
    /// Whose it is.
    pub subject: SessionSubject,
    /// When it was issued, in seconds since 1970.
    pub issued_at: i64,
    /// When it ends, in seconds since 1970.
    pub expires: i64,
    /// When a second factor was proven, in seconds since 1970; none where none was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mfa_authenticated_at: Option<i64>,
    /// The inline session policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// The managed session policies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policy_arns: Vec<String>,
    /// The session's tags, inherited ones included.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<(String, String)>,
    /// The keys of those tags that a role assumed with this session inherits.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transitive_tag_keys: Vec<String>,
    /// `aws:SourceIdentity`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_identity: Option<String>,
    /// `aws:FederatedProvider`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub federated_provider: Option<String>,
}

/// Whose a session is. Ids tell a principal from another that bears its name later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SessionSubject {
    /// A role's session.
    Role {
        /// The role's ARN.
        arn: String,
        /// `AROA…`.
        id: String,
        /// `RoleSessionName`.
        name: String,
    },
    /// An IAM user's own session.
    User {
        /// The user's ARN.
        arn: String,
        /// `AIDA…`.
        id: String,
    },
    /// An account's root user's own session.
    Root {
        /// The root user's ARN.
        arn: String,
    },
    /// A federated user.
    FederatedUser {
        /// `Name`.
        name: String,
        /// The ARN of the user, or of the root user, that federated it.
        by: String,
        /// The user's id; none of a root user.
        by_id: Option<String>,
    },
}

/// What a client gets of a session.
pub struct IssuedCredentials {
    /// `AccessKeyId`.
    pub access_key_id: String,
    /// `SecretAccessKey`.
    pub secret_access_key: Zeroizing<String>,
    /// `SessionToken`.
    pub session_token: Zeroizing<String>,
    /// `Expiration`.
    pub expiration: Timestamp,
}

/// Why a session could not be issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IssueError {
    /// Policies and tags are past [`MAX_PACKED_BYTES`].
    #[error("the session's policies and tags are too large")]
    TooLarge,
    /// The system has no random bytes.
    #[error("the system's random generator failed")]
    Random,
    /// Anything else, none of which happens.
    #[error("the session could not be sealed")]
    Unsealed,
}

impl From<GenerateError> for IssueError {
    fn from(_: GenerateError) -> Self {
        Self::Random
    }
}

impl From<SealError> for IssueError {
    fn from(error: SealError) -> Self {
        if error == SealError::Random { Self::Random } else { Self::Unsealed }
    }
}

/// A session as a token holds it.
#[derive(Serialize)]
struct Sealed<'a> {
    secret: &'a str,
    session: &'a SessionRecord,
}

/// A session out of a token.
#[derive(Deserialize)]
struct Opened {
    secret: String,
    session: SessionRecord,
}

impl SessionRecord {
    /// Bytes of what [`MAX_PACKED_BYTES`] limits.
    #[must_use]
    pub fn packed_bytes(&self) -> usize {
        let tags: usize = self.tags.iter().map(|(key, value)| key.len() + value.len()).sum();
        let arns: usize = self.policy_arns.iter().map(String::len).sum();
        self.policy.as_ref().map_or(0, String::len) + arns + tags
    }

    /// New credentials for the session.
    ///
    /// # Errors
    /// [`IssueError::TooLarge`], or where the system has no random bytes.
    pub fn issue(&self, key: &SealingKey) -> Result<IssuedCredentials, IssueError> {
        if self.packed_bytes() > MAX_PACKED_BYTES {
            return Err(IssueError::TooLarge);
        }
        let NewAccessKey { id, secret } = NewAccessKey::temporary()?;
        let mut json = Zeroizing::new(Vec::with_capacity(JSON_BYTES + 2 * self.packed_bytes()));
        serde_json::to_writer(&mut *json, &Sealed { secret: &secret, session: self })
            .map_err(|_| IssueError::Unsealed)?;
        let mut token = vec![FORMAT];
        token.extend(key.seal(LABEL, &bound_to(&id), &json)?);
        let session_token = Zeroizing::new(BASE64.encode(&token));
        if session_token.len() > MAX_TOKEN_CHARACTERS {
            return Err(IssueError::TooLarge);
        }
        let expiration = Timestamp::from_second(self.expires).map_err(|_| IssueError::Unsealed)?;
        Ok(IssuedCredentials { access_key_id: id, secret_access_key: secret, session_token, expiration })
    }

    /// The session of a token that came with an access key id, and its secret; none for anything but a
    /// token that was issued with that id.
    pub(super) fn open(key: &SealingKey, access_key_id: &str, token: &[u8]) -> Option<(Self, Zeroizing<String>)> {
        if token.len() > MAX_TOKEN_CHARACTERS {
            return None;
        }
        let bytes = BASE64.decode(token).ok()?;
        let (&FORMAT, sealed) = bytes.split_first()? else { return None };
        let json = key.open(LABEL, &bound_to(access_key_id), sealed).ok()?;
        let Opened { secret, session } = serde_json::from_slice(&json).ok()?;
        Some((session, Zeroizing::new(secret)))
    }
}

fn bound_to(access_key_id: &str) -> Vec<u8> {
    [&[FORMAT], access_key_id.as_bytes()].concat()
}

impl fmt::Debug for IssuedCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuedCredentials")
            .field("access_key_id", &self.access_key_id)
            .field("expiration", &self.expiration)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(byte: u8) -> SealingKey {
        SealingKey::of(&[byte; 32]).unwrap()
    }

    fn record() -> SessionRecord {
        SessionRecord {
            subject: SessionSubject::Role {
                arn: "arn:aws:iam::111122223333:role/R".to_owned(),
                id: "AROAR".to_owned(),
                name: "s".to_owned(),
            },
            issued_at: 1_767_225_600,
            expires: 1_767_229_200,
            mfa_authenticated_at: None,
            policy: Some("{}".to_owned()),
            policy_arns: Vec::new(),
            tags: vec![("team".to_owned(), "a\"b".to_owned())],
            transitive_tag_keys: Vec::new(),
            source_identity: None,
            federated_provider: None,
        }
    }

    #[test]
    fn a_token_opens_with_its_own_access_key_under_its_own_key_alone() {
        let issued = record().issue(&key(1)).unwrap();
        let token = issued.session_token.as_bytes();
        let (opened, secret) = SessionRecord::open(&key(1), &issued.access_key_id, token).unwrap();
        assert_eq!((opened, secret), (record(), issued.secret_access_key.clone()));
        assert!(issued.access_key_id.starts_with("ASIA") && issued.secret_access_key.len() == 40);
        assert!(SessionRecord::open(&key(2), &issued.access_key_id, token).is_none());
        let other = record().issue(&key(1)).unwrap();
        assert!(SessionRecord::open(&key(1), &other.access_key_id, token).is_none());
        assert!(!format!("{issued:?}").contains(issued.secret_access_key.as_str()));
    }

    #[test]
    fn the_largest_session_that_is_issued_opens_and_one_byte_more_is_refused() {
        // Every character is escaped, and nothing is left out.
        let mut record = SessionRecord {
            policy: Some("\n".repeat(2048)),
            tags: (0..50u8).map(|at| (format!("k{at:02}"), String::new())).collect(),
            transitive_tag_keys: (0..50u8).map(|at| format!("k{at:02}")).collect(),
            source_identity: Some("s".repeat(64)),
            federated_provider: Some("arn:aws:iam::111122223333:oidc-provider/".to_owned() + &"p".repeat(255)),
            ..record()
        };
        record.tags[0].1 = "\"".repeat(MAX_PACKED_BYTES - record.packed_bytes());
        let issued = record.issue(&key(1)).unwrap();
        let opened = SessionRecord::open(&key(1), &issued.access_key_id, issued.session_token.as_bytes());
        assert_eq!(opened.unwrap().0, record);
        record.tags[0].1.push('x');
        assert_eq!(record.issue(&key(1)).unwrap_err(), IssueError::TooLarge);
    }

    #[test]
    fn a_session_of_this_release_reads_in_every_later_one() {
        let json = r#"{"secret":"s","session":{"subject":{"User":{"arn":"a","id":"i"}},"issued_at":1,"expires":2}}"#;
        let opened: Opened = serde_json::from_str(json).unwrap();
        let user = SessionSubject::User { arn: "a".to_owned(), id: "i".to_owned() };
        assert_eq!((opened.session.subject, opened.session.tags.len()), (user, 0));
    }

    proptest! {
        #[test]
        fn a_token_that_is_cut_changed_or_lengthened_never_opens(
            at: prop::sample::Index, other in any::<u8>(), cut: prop::sample::Index, more in ".{1,8}",
        ) {
            let issued = record().issue(&key(1)).unwrap();
            let open = |token: &[u8]| SessionRecord::open(&key(1), &issued.access_key_id, token);
            let token = issued.session_token.as_bytes().to_vec();
            let mut changed = token.clone();
            let at = at.index(token.len());
            changed[at] = other;
            prop_assert!(other == token[at] || open(&changed).is_none());
            prop_assert!(open(&token[..cut.index(token.len())]).is_none());
            prop_assert!(open(&[token.as_slice(), more.as_bytes()].concat()).is_none());
        }

        #[test]
        fn no_text_is_a_token(text: Vec<u8>) {
            prop_assert!(SessionRecord::open(&key(1), "ASIAIOSFODNN7EXAMPLE", &text).is_none());
            prop_assert!(SessionRecord::open(&key(1), "ASIAIOSFODNN7EXAMPLE", BASE64.encode(&text).as_bytes()).is_none());
        }
    }
}
