//! Every error that the model lists for an operation: how it comes about, or why it
//! can't. `docs/operations.md` is made of these tables.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use keystile::kms::{Quotas, operation_errors};
use keystile::store::{RedbSettings, RedbStore};
use serde_json::json;

use super::custom_key_stores::{asked_key, asked_store};
use super::failing::Failing;
use super::house::{ACCOUNT, House, root_key};
use super::proxy::{KEY, Mischief};
use super::requests::{ALICE, Request, THERE, all_operations, naming, sealed, unfit_key};

/// Which operations a row is about.
#[derive(Clone, Copy)]
pub(crate) enum Of {
    Only(&'static [&'static str]),
    /// Those that have the error and are in no other row of it.
    Rest,
}
use Of::{Only, Rest};

/// How a request that would succeed comes to fail.
#[derive(Clone, Copy)]
pub(crate) enum How {
    /// By someone whom no policy allows anything.
    Stranger,
    /// The body is a list.
    NoObject,
    /// It names something that isn't there.
    Unknown,
    /// It names something by an ARN that is none.
    NoArn,
    /// It names something by an empty text; where it names nothing, this member has that value.
    Empty,
    /// Its key is disabled.
    Disabled,
    /// Its key is pending deletion.
    PendingDeletion,
    /// Its key is not pending deletion any more.
    Kept,
    /// On a key of one Region that is for something else.
    UnfitKey,
    /// On a replica of its key.
    Replica,
    /// With a ciphertext of another key.
    OtherCiphertext,
    /// With another value of a member, as JSON.
    With(&'static str, &'static str),
    /// With a policy of more than 32 KiB.
    LongPolicy,
    /// For the second time.
    Twice,
    /// For the second time, both times as what it has not had before.
    TwiceAsNew,
    /// Two days later than all that it names was made.
    Later,
    /// Again and again.
    TooOften,
    /// The store fails.
    BrokenStore,
    /// The external key store's proxy answers an error of that status and name.
    Proxy(u16, &'static str),
    /// Of another name, with a proxy that a store has.
    SameProxy,
    /// A custom key store takes the name of another.
    NameOfAnother,
    /// Its custom key store could not be connected.
    FailedConnection,
    /// Its custom key store is connected.
    Connected,
    /// Its custom key store has a key.
    WithKeyInStore,
    /// A new key in a store that is not connected.
    InDisconnectedStore,
    /// A new key of that external key, in a store that is connected.
    OfExternalKey(&'static str),
    /// A new key of an external key that a key of the store has.
    OfTakenExternalKey,
    /// On a key in an external key store.
    KeyInStore,
    /// A new key in a store that is not there.
    InUnknownStore,
}

/// Errors that every operation can answer (KMS API Reference, "Common errors"), as far as the
/// engine and its authorizer answer them.
pub(crate) const COMMON: [&str; 3] = ["AccessDeniedException", "SerializationException", "ValidationException"];

const WITH_POLICY: &[&str] = &["CreateKey", "PutKeyPolicy", "ReplicateKey"];
const OF_ANY_STATE: &[&str] = &[
    "DeleteAlias",
    "DeleteImportedKeyMaterial",
    "GetKeyPolicy",
    "GetKeyRotationStatus",
    "ListGrants",
    "ListKeyPolicies",
    "ListKeyRotations",
    "PutKeyPolicy",
    "RetireGrant",
    "RevokeGrant",
];

pub(crate) const REACHED: &[(&str, How, Of)] = &[
    ("AccessDeniedException", How::Stranger, Rest),
    ("SerializationException", How::NoObject, Rest),
    ("ValidationException", How::Empty, Rest),
    ("NotFoundException", How::Unknown, Rest),
    ("InvalidArnException", How::NoArn, Rest),
    ("DisabledException", How::Disabled, Rest),
    ("KMSInvalidStateException", How::Kept, Only(&["CancelKeyDeletion"])),
    ("KMSInvalidStateException", How::PendingDeletion, Rest),
    ("KMSInternalException", How::BrokenStore, Rest),
    ("DryRunOperationException", How::With("DryRun", "true"), Rest),
    ("InvalidGrantTokenException", How::With("GrantTokens", r#"["nonsense"]"#), Rest),
    ("InvalidGrantTokenException", How::With("GrantToken", r#""nonsense""#), Only(&["RetireGrant"])),
    ("InvalidKeyUsageException", How::UnfitKey, Rest),
    ("InvalidMarkerException", How::With("Marker", r#""nonsense""#), Rest),
    ("InvalidCiphertextException", How::With("CiphertextBlob", r#""QQ==""#), Rest),
    ("InvalidCiphertextException", How::With("EncryptedKeyMaterial", r#""QQ==""#), Only(&["ImportKeyMaterial"])),
    ("IncorrectKeyMaterialException", How::TwiceAsNew, Rest),
    ("InvalidImportTokenException", How::With("ImportToken", r#""QQ==""#), Rest),
    ("ExpiredImportTokenException", How::Later, Rest),
    ("IncorrectKeyException", How::OtherCiphertext, Rest),
    ("KMSInvalidSignatureException", How::With("Signature", r#""QQ==""#), Rest),
    ("KMSInvalidMacException", How::With("Mac", r#""QQ==""#), Rest),
    ("InvalidAliasNameException", How::With("AliasName", r#""alias/aws/reserved""#), Rest),
    ("AlreadyExistsException", How::Twice, Rest),
    ("LimitExceededException", How::LongPolicy, Only(WITH_POLICY)),
    (
        "LimitExceededException",
        How::TooOften,
        Only(&["CreateAlias", "CreateCustomKeyStore", "CreateGrant", "RotateKeyOnDemand", "UpdateAlias"]),
    ),
    ("MalformedPolicyDocumentException", How::With("Policy", r#""nonsense""#), Rest),
    ("TagException", How::With("Tags", r#"[{"TagKey": "aws:a", "TagValue": "b"}]"#), Rest),
    ("TagException", How::With("TagKeys", r#"["aws:a"]"#), Only(&["UntagResource"])),
    ("UnsupportedOperationException", How::With("Origin", r#""AWS_CLOUDHSM""#), Only(&["CreateKey"])),
    ("CustomKeyStoreNameInUseException", How::Twice, Only(&["CreateCustomKeyStore"])),
    ("CustomKeyStoreNameInUseException", How::NameOfAnother, Only(&["UpdateCustomKeyStore"])),
    ("CustomKeyStoreNotFoundException", How::With("CustomKeyStoreId", UNKNOWN_STORE), Only(OF_A_STORE)),
    (
        "CustomKeyStoreNotFoundException",
        How::With("CustomKeyStoreName", r#""unknown""#),
        Only(&["DescribeCustomKeyStores"]),
    ),
    ("CustomKeyStoreNotFoundException", How::InUnknownStore, Only(&["CreateKey"])),
    ("CustomKeyStoreHasCMKsException", How::WithKeyInStore, Rest),
    (
        "CustomKeyStoreInvalidStateException",
        How::FailedConnection,
        Only(&["ConnectCustomKeyStore", "UpdateCustomKeyStore"]),
    ),
    ("CustomKeyStoreInvalidStateException", How::Connected, Only(&["DeleteCustomKeyStore"])),
    ("CustomKeyStoreInvalidStateException", How::Twice, Only(&["DisconnectCustomKeyStore"])),
    ("CustomKeyStoreInvalidStateException", How::InDisconnectedStore, Only(&["CreateKey"])),
    ("XksKeyAlreadyInUseException", How::OfTakenExternalKey, Rest),
    ("XksKeyInvalidConfigurationException", How::OfExternalKey("disabled"), Rest),
    ("XksKeyNotFoundException", How::OfExternalKey("unknown"), Rest),
    ("XksProxyUriInUseException", How::SameProxy, Rest),
    ("XksProxyUriUnreachableException", How::Proxy(429, "ThrottlingException"), Rest),
    ("XksProxyIncorrectAuthenticationCredentialException", How::Proxy(401, "AuthenticationFailedException"), Rest),
    ("XksProxyInvalidResponseException", How::Proxy(500, "InternalException"), Rest),
    ("XksProxyInvalidConfigurationException", How::Proxy(404, "InvalidUriPathException"), Rest),
    ("UnsupportedOperationException", How::With("Recipient", "{}"), Only(&["GenerateRandom"])),
    (
        "UnsupportedOperationException",
        How::With("KeyPairSpec", r#""SM2""#),
        Only(&["GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext"]),
    ),
    (
        "UnsupportedOperationException",
        How::UnfitKey,
        Only(&[
            "DeleteImportedKeyMaterial",
            "EnableKeyRotation",
            "GetParametersForImport",
            "GetPublicKey",
            "ImportKeyMaterial",
            "ReplicateKey",
            "RotateKeyOnDemand",
            "UpdatePrimaryRegion",
        ]),
    ),
    ("UnsupportedOperationException", How::Replica, Only(&["DisableKeyRotation"])),
    ("UnsupportedOperationException", How::KeyInStore, Only(&["GetKeyRotationStatus", "ListKeyRotations"])),
];

/// The id of a custom key store that is not there, as JSON.
const UNKNOWN_STORE: &str = r#""cks-00000000000000000""#;

/// The operations that name a custom key store by its id, but for `CreateKey`.
const OF_A_STORE: &[&str] = &[
    "ConnectCustomKeyStore",
    "DeleteCustomKeyStore",
    "DisconnectCustomKeyStore",
    "GenerateRandom",
    "UpdateCustomKeyStore",
];

const CLOUD_HSM: &str =
    "there are no CloudHSM clusters: CustomKeyStoreType AWS_CLOUDHSM is UnsupportedOperationException";
const VPC: &str =
    "there are no VPC endpoint services: XksProxyConnectivity VPC_ENDPOINT_SERVICE is UnsupportedOperationException";

/// Errors that do not come about, with the reason.
pub(crate) const NEVER: &[(&str, Of, &str)] = &[
    (
        "DependencyTimeoutException",
        Rest,
        "the engine depends on no other service but external key stores' proxies, whose failures have errors of their own",
    ),
    (
        "KeyUnavailableException",
        Rest,
        "a key's material is in the engine's own store: it is there, or its key is pending import, or the store failed, which is KMSInternalException; what an external key store's proxy fails at is KMSInvalidStateException",
    ),
    ("CloudHsmClusterInUseException", Rest, CLOUD_HSM),
    ("CloudHsmClusterInvalidConfigurationException", Rest, CLOUD_HSM),
    ("CloudHsmClusterNotActiveException", Rest, CLOUD_HSM),
    ("CloudHsmClusterNotFoundException", Rest, CLOUD_HSM),
    ("CloudHsmClusterNotRelatedException", Rest, CLOUD_HSM),
    ("IncorrectTrustAnchorException", Rest, CLOUD_HSM),
    (
        "CustomKeyStoreInvalidStateException",
        Only(&["GenerateRandom"]),
        "it is of CloudHSM key stores alone; with an external key store's id it is UnsupportedOperationException in any state",
    ),
    ("XksProxyUriEndpointInUseException", Rest, VPC),
    ("XksProxyVpcEndpointServiceInUseException", Rest, VPC),
    ("XksProxyVpcEndpointServiceInvalidConfigurationException", Rest, VPC),
    ("XksProxyVpcEndpointServiceNotFoundException", Rest, VPC),
    ("ConflictException", Rest, "a rotation is one transaction: none is ever under way"),
    (
        "DisabledException",
        Only(&["GetPublicKey"]),
        "a disabled key tells its public key (KMS Developer Guide, \"Key states of AWS KMS keys\")",
    ),
    (
        "InvalidArnException",
        Only(&["CreateKey"]),
        "it names no key; a principal of its policy is told as MalformedPolicyDocumentException",
    ),
    ("InvalidGrantIdException", Rest, "a text that is no grant's id is a grant that is not there: NotFoundException"),
    (
        "InvalidKeyUsageException",
        Only(&["GetPublicKey"]),
        "a key without a public key is UnsupportedOperationException, and one with it may be for anything",
    ),
    ("KMSInternalException", Only(&["GenerateRandom"]), "without a custom key store, it asks the store for nothing"),
    (
        "KMSInvalidStateException",
        Only(OF_ANY_STATE),
        "it works in every state of its key (KMS Developer Guide, \"Key states of AWS KMS keys\")",
    ),
    ("LimitExceededException", Only(&["EnableKey"]), "no number of enabled keys is too large"),
    ("LimitExceededException", Only(&["TagResource"]), "the 51st tag is TagException"),
    ("NotFoundException", Only(&["ListRetirableGrants"]), "a principal without grants has an empty list"),
    ("UnsupportedOperationException", Only(&["PutKeyPolicy"]), "it has no member that asks for what is not served"),
];

/// The errors of an operation: the model's and the common ones.
pub(crate) fn errors_of(operation: &str) -> Vec<&'static str> {
    let mut errors: Vec<&str> = operation_errors(operation).iter().map(String::as_str).chain(COMMON).collect();
    errors.sort_unstable();
    errors.dedup();
    errors
}

/// The operations of a row.
fn operations(code: &str, of: Of) -> Vec<&'static str> {
    let rows = REACHED.iter().map(|(code, _, of)| (code, of)).chain(NEVER.iter().map(|(code, of, _)| (code, of)));
    let elsewhere: Vec<&str> = rows
        .filter(|(other, _)| **other == code)
        .flat_map(|(_, of)| if let Only(names) = of { names } else { [].as_slice() })
        .copied()
        .collect();
    match of {
        Only(names) => names.to_vec(),
        Rest => all_operations().filter(|name| errors_of(name).contains(&code) && !elsewhere.contains(name)).collect(),
    }
}

/// Each operation and error that a test reaches, with how.
pub(crate) fn reached() -> Vec<(&'static str, &'static str, How)> {
    let rows = REACHED
        .iter()
        .flat_map(|(code, how, of)| operations(code, *of).into_iter().map(move |name| (name, *code, *how)));
    rows.collect()
}

/// Why an error of an operation does not come about.
pub(crate) fn never() -> BTreeMap<(&'static str, &'static str), &'static str> {
    let rows = NEVER
        .iter()
        .flat_map(|(code, of, why)| operations(code, *of).into_iter().map(move |name| ((name, *code), *why)));
    rows.collect()
}

impl How {
    /// The code of the answer to such a request.
    async fn code(self, house: &House, operation: &'static str) -> Option<String> {
        let mut request = Request::of(house, operation).await;
        let key = json!({"KeyId": request.key});
        let body = &mut request.body;
        match self {
            Self::Stranger => {
                let outcome = house.call_as(&House::caller(ALICE, ACCOUNT), operation, request.body).await;
                return outcome.err().map(|(code, _)| code);
            }
            Self::NoObject => *body = json!([]),
            Self::Unknown => {
                let member = naming(operation).unwrap();
                body[member] = match operation {
                    "DeleteAlias" | "UpdateAlias" => json!("alias/unknown"),
                    "RetireGrant" => {
                        json!("arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab")
                    }
                    _ => json!("1234abcd-12ab-34cd-56ef-1234567890ab"),
                };
            }
            Self::NoArn => body[naming(operation).unwrap()] = json!("arn:aws:kms:us-east-1:111122223333:nonsense"),
            Self::Empty => match (operation, naming(operation)) {
                ("CreateKey", _) => body["Policy"] = json!(""),
                ("GenerateRandom", _) => body["NumberOfBytes"] = json!(0),
                (_, None) => body["Limit"] = json!(0),
                (_, Some(member)) => body[member] = json!(""),
            },
            Self::Disabled => drop(house.ok("DisableKey", key).await),
            Self::PendingDeletion => {
                // Of an alias that moves, the key that it moves to.
                let key = body.get("TargetKeyId").map_or(key, |target| json!({"KeyId": target}));
                house.ok("ScheduleKeyDeletion", key).await;
            }
            Self::Kept => drop(house.ok("CancelKeyDeletion", key).await),
            Self::UnfitKey => body[naming(operation).unwrap()] = json!(unfit_key(house, operation).await),
            Self::Replica => {
                house.ok("ReplicateKey", json!({"KeyId": request.key, "ReplicaRegion": THERE})).await;
                let outcome = house.call_in(THERE, &House::root(), operation, request.body).await;
                return outcome.err().map(|(code, _)| code);
            }
            Self::OtherCiphertext => {
                let other = Request::of(house, "Encrypt").await.key;
                body["CiphertextBlob"] = sealed(house, &other).await;
            }
            Self::With(member, value) => {
                if member == "GrantToken" {
                    *body = json!({});
                }
                body[member] = serde_json::from_str(value).unwrap();
            }
            Self::LongPolicy => {
                let policy = house.ok("GetKeyPolicy", key).await["Policy"].as_str().unwrap().to_owned();
                body["Policy"] = json!(policy + &" ".repeat(32 * 1024));
            }
            Self::Twice => drop(house.ok(operation, body.clone()).await),
            Self::TwiceAsNew => {
                body["ImportType"] = json!("NEW_KEY_MATERIAL");
                house.ok(operation, body.clone()).await;
            }
            Self::Later => {
                let house = House::new().await;
                let body = Request::of(&house, operation).await.body;
                house.sleep(2);
                return house.call(operation, body).await.err().map(|(code, _)| code);
            }
            // Too many custom key stores would be too many for every other row.
            Self::TooOften if operation == "CreateCustomKeyStore" => {
                return too_often(&House::new().await, request).await;
            }
            Self::TooOften => return too_often(house, request).await,
            Self::BrokenStore => return broken(operation).await,
            Self::Proxy(status, name) => {
                house.proxy.does(Mischief::Error(status, name));
                let outcome = house.call(operation, request.body).await;
                house.proxy.behaves();
                return outcome.err().map(|(code, _)| code);
            }
            Self::SameProxy => {
                let mut other = asked_store("same-proxy");
                let path = body["XksProxyUriPath"].clone();
                other["XksProxyUriPath"] = path.clone();
                let made = house.ok("CreateCustomKeyStore", other).await;
                let outcome = house.call(operation, request.body).await;
                house.ok("DeleteCustomKeyStore", json!({"CustomKeyStoreId": made["CustomKeyStoreId"]})).await;
                return outcome.err().map(|(code, _)| code);
            }
            Self::NameOfAnother => {
                let made = house.ok("CreateCustomKeyStore", asked_store("another")).await;
                body["NewCustomKeyStoreName"] = json!("another");
                let outcome = house.call(operation, request.body).await;
                house.ok("DeleteCustomKeyStore", json!({"CustomKeyStoreId": made["CustomKeyStoreId"]})).await;
                return outcome.err().map(|(code, _)| code);
            }
            Self::FailedConnection => {
                house.proxy.does(Mischief::Error(500, "InternalException"));
                house.ok("ConnectCustomKeyStore", json!({"CustomKeyStoreId": body["CustomKeyStoreId"]})).await;
                house.proxy.behaves();
            }
            Self::Connected => drop(house.ok("ConnectCustomKeyStore", body.clone()).await),
            Self::WithKeyInStore => request.with_key_in_store(house, KEY).await,
            Self::KeyInStore => {
                let made = house.ok("CreateKey", Request::in_store(house, KEY).await.0.body).await;
                body["KeyId"] = made["KeyMetadata"]["KeyId"].clone();
            }
            Self::InUnknownStore => *body = asked_key("cks-00000000000000000", KEY),
            Self::InDisconnectedStore => {
                let (in_store, store) = Request::in_store(house, KEY).await;
                house.ok("DisconnectCustomKeyStore", json!({"CustomKeyStoreId": store})).await;
                request = in_store;
            }
            Self::OfExternalKey(external) => request = Request::in_store(house, external).await.0,
            Self::OfTakenExternalKey => {
                request = Request::in_store(house, KEY).await.0;
                house.ok("CreateKey", request.body.clone()).await;
            }
        }
        house.call(operation, request.body).await.err().map(|(code, _)| code)
    }
}

/// The code of the first of many requests that fails, each with an alias of its own.
async fn too_often(house: &House, request: Request) -> Option<String> {
    for n in 0..100 {
        let mut body = request.body.clone();
        if body.get("AliasName").is_some() {
            body["AliasName"] = json!(format!("alias/{n}-of-{}", request.key));
        }
        if body.get("CustomKeyStoreName").is_some() {
            body = asked_store(&format!("too-often-{n}"));
        }
        if request.operation == "UpdateAlias" {
            // From the key that it has, which is to have but one.
            let made = json!({"AliasName": body["AliasName"], "TargetKeyId": request.key});
            house.ok("CreateAlias", made).await;
        }
        if let Err((code, _)) = house.call(request.operation, body).await {
            return Some(code);
        }
    }
    None
}

/// The code of a request to a store that fails, by an engine that has read nothing of it before.
async fn broken(operation: &'static str) -> Option<String> {
    let directory = tempfile::tempdir().unwrap();
    let (store, broken) = Failing::over(Arc::new(RedbStore::open(directory.path(), &RedbSettings::default()).unwrap()));
    let store = Arc::new(store);
    let before = House::over(Arc::clone(&store) as _, root_key(1)).await.unwrap();
    let body = Request::of(&before, operation).await.body;
    let house = House::over(store, root_key(1)).await.unwrap();
    broken.store(true, Ordering::Relaxed);
    house.call(operation, body).await.err().map(|(code, _)| code)
}

#[tokio::test]
async fn each_error_is_reached_as_the_table_says() {
    let house = House::with_quotas(Quotas { grants_per_key: 3, ..Quotas::default() }).await;
    let mut wrong = Vec::new();
    for (operation, code, how) in reached() {
        let told = how.code(&house, operation).await;
        if told.as_deref() != Some(code) {
            wrong.push(format!("{operation}: {code} expected, {told:?} told"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_error_of_an_operation_has_one_place() {
    let (reached, never) = (reached(), never());
    let mut wrong = Vec::new();
    for operation in all_operations() {
        for code in errors_of(operation) {
            let times = reached.iter().filter(|(name, error, _)| (*name, *error) == (operation, code)).count();
            match (times, never.contains_key(&(operation, code))) {
                (1.., false) | (0, true) => {}
                (0, false) => wrong.push(format!("{operation} {code}: in no row")),
                _ => wrong.push(format!("{operation} {code}: reached and never")),
            }
        }
    }
    for (operation, code) in reached.iter().map(|(name, code, _)| (*name, *code)).chain(never.keys().copied()) {
        if !errors_of(operation).contains(&code) {
            wrong.push(format!("{operation} {code}: the model does not list it"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
