use zeroize::Zeroizing;

use super::Page;
use super::members::Members;
use crate::kms::api::Kind;
use crate::kms::custom_key_stores::InCustomKeyStore;
use crate::kms::error::{KmsError, texts};
use crate::kms::spec::{KeySpec, Origin, not_served};
use crate::kms::xks::Credential;

/// The operations on custom key stores.
pub(in crate::kms) enum CustomKeyStoreRequest {
    Create(CreateCustomKeyStore),
    Update(UpdateCustomKeyStore),
    Describe {
        id: Option<String>,
        name: Option<String>,
        page: Page,
    },
    /// `ConnectCustomKeyStore`, `DisconnectCustomKeyStore`, `DeleteCustomKeyStore`.
    One {
        id: String,
    },
}

pub(in crate::kms) struct CreateCustomKeyStore {
    pub(in crate::kms) name: String,
    pub(in crate::kms) endpoint: String,
    pub(in crate::kms) path: String,
    pub(in crate::kms) credential: Credential,
}

/// What is none stays as it is.
pub(in crate::kms) struct UpdateCustomKeyStore {
    pub(in crate::kms) id: String,
    pub(in crate::kms) name: Option<String>,
    pub(in crate::kms) endpoint: Option<String>,
    pub(in crate::kms) path: Option<String>,
    pub(in crate::kms) credential: Option<Credential>,
}

/// Members of the key stores that are not served: those of CloudHSM and of VPC endpoint services.
const UNSERVED: [&str; 5] = [
    "CloudHsmClusterId",
    "KeyStorePassword",
    "TrustAnchorCertificate",
    "XksProxyVpcEndpointServiceName",
    "XksProxyVpcEndpointServiceOwner",
];

impl CustomKeyStoreRequest {
    /// # Errors
    /// `UnsupportedOperationException` for key stores in CloudHSM clusters and behind VPC endpoint
    /// services; `ValidationException` for what is missing of an external key store.
    pub(super) fn take(kind: Kind, members: &mut Members<'_>) -> Result<Self, KmsError> {
        Ok(match kind {
            Kind::CreateCustomKeyStore => Self::Create(CreateCustomKeyStore::take(members)?),
            Kind::UpdateCustomKeyStore => Self::Update(UpdateCustomKeyStore::take(members)?),
            Kind::DescribeCustomKeyStores => {
                let (id, name) = (members.text("CustomKeyStoreId"), members.text("CustomKeyStoreName"));
                if id.is_some() && name.is_some() {
                    return Err(texts::validation(
                        "Specify either CustomKeyStoreId or CustomKeyStoreName, but not both.",
                    ));
                }
                Self::Describe { id, name, page: members.page() }
            }
            _ => Self::One { id: members.required("CustomKeyStoreId") },
        })
    }
}

impl CreateCustomKeyStore {
    fn take(members: &mut Members<'_>) -> Result<Self, KmsError> {
        match members.text("CustomKeyStoreType").as_deref() {
            Some("EXTERNAL_KEY_STORE") => {}
            Some(other) => return Err(not_served("CustomKeyStoreType", other)),
            None => {
                return Err(texts::unsupported(
                    "CustomKeyStoreType AWS_CLOUDHSM, which is the default, is not supported: EXTERNAL_KEY_STORE is.",
                ));
            }
        }
        refuse_unserved(members)?;
        if !is_public(members)? {
            return Err(missing("XksProxyConnectivity"));
        }
        Ok(Self {
            name: members.required("CustomKeyStoreName"),
            endpoint: members.text("XksProxyUriEndpoint").ok_or_else(|| missing("XksProxyUriEndpoint"))?,
            path: path(members)?.ok_or_else(|| missing("XksProxyUriPath"))?,
            credential: credential(members).ok_or_else(|| missing("XksProxyAuthenticationCredential"))?,
        })
    }
}

impl UpdateCustomKeyStore {
    fn take(members: &mut Members<'_>) -> Result<Self, KmsError> {
        refuse_unserved(members)?;
        // The only connectivity that is served is that which every store has.
        is_public(members)?;
        Ok(Self {
            id: members.required("CustomKeyStoreId"),
            name: members.text("NewCustomKeyStoreName"),
            endpoint: members.text("XksProxyUriEndpoint"),
            path: path(members)?,
            credential: credential(members),
        })
    }
}

fn refuse_unserved(members: &mut Members<'_>) -> Result<(), KmsError> {
    match UNSERVED.iter().find(|name| members.has(name)) {
        Some(name) => Err(texts::unsupported(format!("{name} is not supported."))),
        None => Ok(()),
    }
}

/// Whether a connectivity is given, which is then that by a public endpoint.
fn is_public(members: &mut Members<'_>) -> Result<bool, KmsError> {
    match members.text("XksProxyConnectivity").as_deref() {
        None => Ok(false),
        Some("PUBLIC_ENDPOINT") => Ok(true),
        Some(other) => Err(not_served("XksProxyConnectivity", other)),
    }
}

/// A path that is spelled in one way alone, so that a proxy verifies the signature over the one that
/// was signed, and of the API's version 1.
fn path(members: &mut Members<'_>) -> Result<Option<String>, KmsError> {
    let path = members.text("XksProxyUriPath");
    if path.as_deref().is_some_and(|path| !path.ends_with("/kms/xks/v1") || path.contains("//")) {
        return Err(KmsError::new(
            "XksProxyInvalidConfigurationException",
            "XksProxyUriPath must end with /kms/xks/v1 and must not have two slashes in a row.",
        ));
    }
    Ok(path)
}

fn credential(members: &mut Members<'_>) -> Option<Credential> {
    let mut given = members.object("XksProxyAuthenticationCredential")?;
    Some(Credential {
        access_key_id: given.required("AccessKeyId"),
        secret_access_key: Zeroizing::new(given.required("RawSecretAccessKey")),
    })
}

/// Where a new key is, if it is in a custom key store.
///
/// # Errors
/// `ValidationException` where one of CustomKeyStoreId, XksKeyId and the origin is without the others
/// (KMS API Reference, "CreateKey", `XksKeyId`), and for an external key's id that is a step in a path;
/// `UnsupportedOperationException` for any but a symmetric encryption key of one Region.
pub(super) fn in_custom_key_store(
    origin: Origin,
    spec: KeySpec,
    multi_region: bool,
    members: &mut Members<'_>,
) -> Result<Option<InCustomKeyStore>, KmsError> {
    let (store, xks_key) = (members.text("CustomKeyStoreId"), members.text("XksKeyId"));
    if origin != Origin::ExternalKeyStore {
        return match (store, xks_key) {
            (None, None) => Ok(None),
            (Some(_), _) => Err(texts::validation("CustomKeyStoreId is valid with Origin EXTERNAL_KEY_STORE only.")),
            (None, Some(_)) => Err(texts::validation("XksKeyId is valid with Origin EXTERNAL_KEY_STORE only.")),
        };
    }
    let refuse =
        |member: &str| Err(texts::unsupported(format!("{member} with Origin {} is not supported.", origin.name())));
    if spec != KeySpec::SymmetricDefault {
        return refuse(&format!("KeySpec {}", spec.name()));
    }
    if multi_region {
        return refuse("MultiRegion");
    }
    match (store, xks_key) {
        (Some(_), Some(id)) if id == "." || id == ".." => {
            Err(texts::validation(format!("XksKeyId {id} names no external key.")))
        }
        (Some(store), Some(xks_key)) => Ok(Some(InCustomKeyStore { store, xks_key })),
        _ => Err(texts::validation("CustomKeyStoreId and XksKeyId are required with Origin EXTERNAL_KEY_STORE.")),
    }
}

fn missing(member: &str) -> KmsError {
    texts::validation(format!("{member} is required for a custom key store of type EXTERNAL_KEY_STORE."))
}
