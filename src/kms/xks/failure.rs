use super::transport::XksTransportError;
use crate::kms::custom_key_stores::ConnectionErrorCode;
use crate::kms::error::KmsError;

/// Why a proxy did not do what it was asked (XKS Proxy API, "Error codes").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::kms) enum Failure {
    // What proxies say.
    Validation,
    InvalidState,
    InvalidCiphertext,
    InvalidKeyUsage,
    AuthenticationFailed,
    AccessDenied,
    KeyNotFound,
    InvalidUriPath,
    UnsupportedOperation,
    DependencyTimeout,
    Throttling,
    Internal,
    // What is found out here.
    /// The configuration does not list the host.
    NotListed,
    Unreachable,
    Tls,
    TimedOut,
    /// An answer that can't be read, or breaks the API's rules.
    Malformed,
    /// What it decrypted is not what was encrypted here.
    WrongPlaintext,
    /// None of its key managers works.
    NoManager,
    /// The external key is of another kind, disabled, or not for both directions.
    UnfitKey,
}

/// What callers are told of a failure.
struct Told {
    /// The code of CreateCustomKeyStore and UpdateCustomKeyStore.
    store: &'static str,
    /// The code of CreateKey.
    key: &'static str,
    /// What a store shows that could not be connected.
    connection: ConnectionErrorCode,
    /// The text, whatever the code.
    text: &'static str,
}

const STATE: &str = "KMSInvalidStateException";
const STORE_STATE: &str = "CustomKeyStoreInvalidStateException";
const UNFIT_KEY: &str = "XksKeyInvalidConfigurationException";
const CONFIGURATION: &str = "XksProxyInvalidConfigurationException";
const RESPONSE: &str = "XksProxyInvalidResponseException";
const UNREACHABLE: &str = "XksProxyUriUnreachableException";

const UNREADABLE: &str = "AWS KMS cannot interpret the response from the external key store proxy. If you see this error repeatedly, report it to your external key store proxy administrator.";

impl Failure {
    /// The failure of that `errorName`; a name that the API does not have can't be interpreted.
    pub(super) fn named(name: &str) -> Self {
        match name {
            "ValidationException" => Self::Validation,
            "InvalidStateException" => Self::InvalidState,
            "InvalidCiphertextException" => Self::InvalidCiphertext,
            "InvalidKeyUsageException" => Self::InvalidKeyUsage,
            "AuthenticationFailedException" => Self::AuthenticationFailed,
            "AccessDeniedException" => Self::AccessDenied,
            "KeyNotFoundException" => Self::KeyNotFound,
            "InvalidUriPathException" => Self::InvalidUriPath,
            "UnsupportedOperationException" => Self::UnsupportedOperation,
            "DependencyTimeoutException" => Self::DependencyTimeout,
            "ThrottlingException" => Self::Throttling,
            "InternalException" => Self::Internal,
            _ => Self::Malformed,
        }
    }

    /// To who creates or updates a custom key store.
    pub(in crate::kms) fn of_store(self) -> KmsError {
        let told = self.told();
        KmsError::new(told.store, told.text)
    }

    /// To who creates a key.
    pub(in crate::kms) fn of_new_key(self) -> KmsError {
        let told = self.told();
        KmsError::new(told.key, told.text)
    }

    /// To who uses a key: always the one exception, which integrated services know.
    pub(in crate::kms) fn of_use(self) -> KmsError {
        KmsError::new(STATE, self.told().text)
    }

    /// What a store shows that could not be connected.
    pub(in crate::kms) fn of_connection(self) -> ConnectionErrorCode {
        self.told().connection
    }

    /// The table of the specification, whose texts these are, where it has a row. It names no code for
    /// some pairs that a proxy should not answer with: these are what the proxy's answer says of its
    /// configuration, or an answer that can't be interpreted. Where it has XksKeyInvalidResponseException,
    /// which the API's model does not have, stands the exception for the external key.
    fn told(self) -> Told {
        use ConnectionErrorCode as Code;
        let told = |store, key, connection, text| Told { store, key, connection, text };
        match self {
            Self::Validation | Self::Malformed => told(RESPONSE, STORE_STATE, Code::InvalidResponse, UNREADABLE),
            Self::InvalidState => told(
                CONFIGURATION,
                UNFIT_KEY,
                Code::InvalidConfiguration,
                "The external key associated with this KMS key in an external key store is not enabled in the external key manager. Enable the external key in the external key manager and retry the request.",
            ),
            Self::InvalidCiphertext => told(
                RESPONSE,
                STORE_STATE,
                Code::InvalidResponse,
                "The external key store proxy rejected the request because the specified ciphertext or encryption context is corrupted, missing, or otherwise invalid.",
            ),
            Self::WrongPlaintext => told(
                RESPONSE,
                STORE_STATE,
                Code::InvalidResponse,
                "The ciphertext that the external key store proxy submitted for decryption, or the encryption context, is corrupted, missing, or otherwise invalid.",
            ),
            Self::InvalidKeyUsage => told(
                RESPONSE,
                UNFIT_KEY,
                Code::InvalidResponse,
                "The external key associated with this KMS key in an external key store does not support the requested operation. Enable the operation on the key in your external key manager, and try the request again.",
            ),
            Self::AuthenticationFailed => told(
                "XksProxyIncorrectAuthenticationCredentialException",
                STORE_STATE,
                Code::InvalidCredentials,
                "The external key store proxy rejected the request because it could not authenticate AWS KMS. Verify the XKS proxy authentication credentials for your external key store and update if necessary.",
            ),
            Self::AccessDenied => told(
                CONFIGURATION,
                STATE,
                Code::AccessDenied,
                "The external key store proxy denied access to the operation. Verify that the user and the external key are both authorized for this operation, and try the request again.",
            ),
            Self::KeyNotFound => told(
                RESPONSE,
                "XksKeyNotFoundException",
                Code::InvalidResponse,
                "The external key associated with this KMS key in an external key store was not found in its external key manager. If the external key ID associated with this KMS key is incorrect, create a new KMS key with the correct external key ID.",
            ),
            Self::InvalidUriPath => told(
                CONFIGURATION,
                STORE_STATE,
                Code::InvalidConfiguration,
                "The external key store proxy rejected the request because of an invalid URI path. Verify the URI path for your external key store and update if necessary.",
            ),
            Self::UnsupportedOperation => told(
                RESPONSE,
                UNFIT_KEY,
                Code::InvalidResponse,
                "The external key store proxy rejected the request because it does not support the requested operation. If you see this error repeatedly, report it to your external key store proxy administrator.",
            ),
            Self::DependencyTimeout => told(
                UNREACHABLE,
                STORE_STATE,
                Code::TimedOut,
                "The external key store proxy did not respond to the request in the time allotted. Retry the request. If you see this error repeatedly, report it to your external key store proxy administrator.",
            ),
            Self::Throttling => told(
                UNREACHABLE,
                STORE_STATE,
                Code::NotReachable,
                "The external key store proxy rejected the request due to a very high request rate. Reduce the frequency of your calls using KMS keys in this external key store.",
            ),
            Self::Internal => told(
                RESPONSE,
                STORE_STATE,
                Code::InvalidResponse,
                "The external key store proxy rejected the request because it cannot communicate with the external key manager. Verify that the external key store proxy configuration is correct and that the external key manager is available.",
            ),
            Self::NotListed => told(
                CONFIGURATION,
                STORE_STATE,
                Code::InvalidConfiguration,
                "The host of the external key store proxy is not listed in this server's configuration, so it is not called. Whoever runs the server adds it to external_key_stores.hosts.",
            ),
            Self::Unreachable => told(
                UNREACHABLE,
                STORE_STATE,
                Code::NotReachable,
                "AWS KMS cannot communicate with the external key store proxy. This might be a transient network issue. If you see this error repeatedly, verify that your external key store proxy is active and is connected to the network, and that its endpoint URI is correct in your external keystore.",
            ),
            Self::Tls => told(
                UNREACHABLE,
                STORE_STATE,
                Code::InvalidTlsConfiguration,
                "AWS KMS cannot establish a TLS connection to the external key store proxy. Verify the TLS configuration, including its certificate.",
            ),
            Self::TimedOut => told(
                UNREACHABLE,
                STORE_STATE,
                Code::TimedOut,
                "AWS KMS rejected the request because the external key store proxy did not respond in time. Retry the request. If you see this error repeatedly, report it to your external key store proxy administrator.",
            ),
            Self::NoManager => told(
                UNREACHABLE,
                STORE_STATE,
                Code::NotReachable,
                "The external key store proxy reports that all external key manager instances are unavailable.",
            ),
            Self::UnfitKey => told(
                RESPONSE,
                UNFIT_KEY,
                Code::InvalidResponse,
                "The external key must be an AES-256 symmetric key that is enabled and performs encryption and decryption.",
            ),
        }
    }
}

impl From<XksTransportError> for Failure {
    fn from(error: XksTransportError) -> Self {
        match error {
            XksTransportError::NotListed => Self::NotListed,
            XksTransportError::Unreachable => Self::Unreachable,
            XksTransportError::Tls => Self::Tls,
            XksTransportError::TimedOut => Self::TimedOut,
            XksTransportError::Malformed => Self::Malformed,
        }
    }
}
