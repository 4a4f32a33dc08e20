//! Custom key stores as they are stored. All are external key stores over a public endpoint: there
//! are neither HSMs nor VPCs here.

use serde::{Deserialize, Serialize};

use super::error::KmsError;
use super::xks::Place;
use crate::aws::{AccountId, Region};

/// Why a store could not be connected (KMS API Reference, "CustomKeyStoresListEntry",
/// `ConnectionErrorCode`): those of the codes that come about here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum ConnectionErrorCode {
    #[serde(rename = "INVALID_CREDENTIALS")]
    InvalidCredentials,
    #[serde(rename = "XKS_PROXY_ACCESS_DENIED")]
    AccessDenied,
    #[serde(rename = "XKS_PROXY_INVALID_CONFIGURATION")]
    InvalidConfiguration,
    #[serde(rename = "XKS_PROXY_INVALID_RESPONSE")]
    InvalidResponse,
    #[serde(rename = "XKS_PROXY_INVALID_TLS_CONFIGURATION")]
    InvalidTlsConfiguration,
    #[serde(rename = "XKS_PROXY_NOT_REACHABLE")]
    NotReachable,
    #[serde(rename = "XKS_PROXY_TIMED_OUT")]
    TimedOut,
}

/// `ConnectionState`. Connecting takes one request to the proxy and is done when it is answered, so
/// there is no state between.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Connection {
    Disconnected,
    Connected,
    Failed(ConnectionErrorCode),
}

impl Connection {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Disconnected => "DISCONNECTED",
            Self::Connected => "CONNECTED",
            Self::Failed(_) => "FAILED",
        }
    }
}

/// An external key store. Its credential's secret half lies wrapped in a row of its own.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct CustomKeyStoreRecord {
    /// Milliseconds since 1970.
    pub(super) created: i64,
    pub(super) name: String,
    /// `XksProxyUriEndpoint`, as it was given.
    pub(super) endpoint: String,
    /// `XksProxyUriPath`.
    pub(super) path: String,
    pub(super) access_key_id: String,
    pub(super) connection: Connection,
}

impl CustomKeyStoreRecord {
    pub(super) fn place(&self) -> Place {
        let host = self.endpoint.strip_prefix("https://").unwrap_or(&self.endpoint);
        Place { host: host.to_ascii_lowercase(), path: self.path.clone() }
    }

    pub(super) fn is_connected(&self) -> bool {
        self.connection == Connection::Connected
    }

    /// About how many bytes it takes.
    pub(super) fn weigh(&self) -> usize {
        size_of::<Self>() + self.name.len() + self.endpoint.len() + self.path.len() + self.access_key_id.len()
    }
}

/// How many stores an account has in a Region.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct CustomKeyStoreCount {
    pub(super) stores: u32,
}

/// Where a key is that is in a custom key store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct InCustomKeyStore {
    pub(super) store: String,
    /// `XksKeyId`: the key's id with the proxy.
    pub(super) xks_key: String,
}

/// Which store: its account, Region and id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CustomKeyStoreName {
    pub(super) account: AccountId,
    pub(super) region: Region,
    /// `cks-` and 17 hexadecimal digits.
    pub(super) id: String,
}

const ID_PREFIX: &str = "cks-";
const ID_DIGITS: usize = 17;

impl CustomKeyStoreName {
    /// The store of that id.
    ///
    /// # Errors
    /// `CustomKeyStoreNotFoundException` for what is no id of a store.
    pub(super) fn read(id: &str, account: AccountId, region: &Region) -> Result<Self, KmsError> {
        let is_id = id.strip_prefix(ID_PREFIX).is_some_and(|digits| {
            digits.len() == ID_DIGITS && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        });
        if is_id { Ok(Self { account, region: region.clone(), id: id.to_owned() }) } else { Err(not_found(id)) }
    }

    /// A new one, of 17 random digits.
    pub(super) fn random(digits: [u8; 9], account: AccountId, region: &Region) -> Self {
        let mut id = ID_PREFIX.to_owned() + &data_encoding::HEXLOWER.encode(&digits);
        id.truncate(ID_PREFIX.len() + ID_DIGITS);
        Self { account, region: region.clone(), id }
    }
}

/// Of a store by its id or its name.
pub(super) fn not_found(named: &str) -> KmsError {
    KmsError::new("CustomKeyStoreNotFoundException", format!("The custom key store {named} does not exist."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_and_nothing_else_does() {
        let (account, region) = ("111122223333".parse().unwrap(), "us-east-1".parse().unwrap());
        let name = CustomKeyStoreName::random([0xab; 9], account, &region);
        assert_eq!(name.id, "cks-ababababababababa");
        assert_eq!(CustomKeyStoreName::read(&name.id, account, &region), Ok(name));
        for id in
            ["", "cks-", "cks-ABABABABABABABABA", "cks-ababababababababab", "cks-../../meta", "cks-abababababababab/"]
        {
            assert_eq!(
                CustomKeyStoreName::read(id, account, &region).map_err(|error| error.code()),
                Err("CustomKeyStoreNotFoundException"),
                "{id}"
            );
        }
    }

    #[test]
    fn a_record_of_a_failed_connection_reads_back() {
        let record = CustomKeyStoreRecord {
            created: 1,
            name: "n".to_owned(),
            endpoint: "https://Xks.Example.com".to_owned(),
            path: "/kms/xks/v1".to_owned(),
            access_key_id: "A".to_owned(),
            connection: Connection::Failed(ConnectionErrorCode::TimedOut),
        };
        let text = serde_json::to_string(&record).unwrap();
        assert!(text.contains(r#"{"Failed":"XKS_PROXY_TIMED_OUT"}"#), "{text}");
        let read: CustomKeyStoreRecord = serde_json::from_str(&text).unwrap();
        assert_eq!(read.connection, record.connection);
        assert_eq!(read.place().host, "xks.example.com");
    }
}
