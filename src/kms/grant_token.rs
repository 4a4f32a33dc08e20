//! Grant tokens. They name a grant and are no secret (KMS Developer Guide, "Grant tokens"): a grant
//! holds from the moment of its answer here, so that a token gives nothing that the grant does not.

use data_encoding::BASE64;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::error::KmsError;
use super::key_id::KeyId;
use super::name::KeyName;

const FORMAT: &str = "1";
const CHECKSUM_BYTES: usize = 8;

/// What a grant token names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct GrantToken {
    pub(super) key: KeyName,
    pub(super) grant: String,
}

impl GrantToken {
    /// A new token for a grant: no two are alike.
    pub(super) fn issue(&self) -> String {
        let KeyName { account, region, id } = &self.key;
        let mut text =
            format!("{FORMAT}/{account}/{region}/{id}/{}/{}", self.grant, Uuid::new_v4().simple()).into_bytes();
        let sum = Sha256::digest(&text);
        text.extend_from_slice(&sum[..CHECKSUM_BYTES]);
        BASE64.encode(&text)
    }

    /// # Errors
    /// `InvalidGrantTokenException` for what is no token of ours.
    pub(super) fn read(token: &str) -> Result<Self, KmsError> {
        Self::decode(token).ok_or_else(|| {
            KmsError::new("InvalidGrantTokenException", "The request was rejected because a grant token is not valid.")
        })
    }

    fn decode(token: &str) -> Option<Self> {
        let bytes = BASE64.decode(token.as_bytes()).ok()?;
        let (text, sum) = bytes.split_last_chunk::<CHECKSUM_BYTES>()?;
        if Sha256::digest(text)[..CHECKSUM_BYTES] != *sum {
            return None;
        }
        let parts: Vec<&str> = std::str::from_utf8(text).ok()?.split('/').collect();
        let [FORMAT, account, region, key, grant, _] = parts.as_slice() else { return None };
        let key = KeyName { account: account.parse().ok()?, region: region.parse().ok()?, id: KeyId::read(key)? };
        Some(Self { key, grant: (*grant).to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_names_its_grant_and_no_two_are_alike() {
        let named = GrantToken {
            key: KeyName {
                account: "111122223333".parse().unwrap(),
                region: "us-east-1".parse().unwrap(),
                id: KeyId::of([7; 16], false),
            },
            grant: "a".repeat(64),
        };
        let token = named.issue();
        assert_ne!(token, named.issue());
        assert_eq!(GrantToken::read(&token), Ok(named));
        for wrong in ["", "AAAA", &token[1..], &token.to_lowercase(), &format!("{token}{token}")] {
            assert_eq!(GrantToken::read(wrong).unwrap_err().code(), "InvalidGrantTokenException", "{wrong}");
        }
    }
}
