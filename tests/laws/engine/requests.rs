//! A request of each operation that succeeds, with all that it names made for it.

use serde_json::{Value, json};

use super::custom_key_stores::{asked_key, asked_store, connected_store, key_in, store};
use super::house::{DAY, House, START, text};
use super::imports::Imported;

pub(crate) const ALICE: &str = "arn:aws:iam::111122223333:user/alice";
pub(crate) const BOB: &str = "arn:aws:iam::111122223333:user/bob";
/// Where replicas are.
pub(crate) const THERE: &str = "eu-west-1";
/// The tag of each key of [`Request`], and of those that requests ask for.
pub(crate) const TAG: (&str, &str) = ("team", "blue");

/// A request that succeeds as it is.
pub(crate) struct Request {
    pub(crate) operation: &'static str,
    pub(crate) body: Value,
    /// The id of the key that it is about; of those that are about none, of some key.
    pub(crate) key: String,
    pub(crate) spec: &'static str,
    pub(crate) usage: &'static str,
}

/// Spec and usage of the keys that an operation works with.
fn kind_of_key(operation: &str) -> (&'static str, &'static str) {
    match operation {
        "Sign" | "Verify" | "GetPublicKey" => ("ECC_NIST_P256", "SIGN_VERIFY"),
        "DeriveSharedSecret" => ("ECC_NIST_P256", "KEY_AGREEMENT"),
        "GenerateMac" | "VerifyMac" => ("HMAC_256", "GENERATE_VERIFY_MAC"),
        _ => ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"),
    }
}

/// The member by which an operation names what it is about, and which a wrong name can stand in.
pub(crate) fn naming(operation: &str) -> Option<&'static str> {
    match operation {
        "CreateKey" | "DescribeCustomKeyStores" | "GenerateRandom" | "ListKeys" => None,
        "CreateCustomKeyStore" => Some("CustomKeyStoreName"),
        _ if is_of_stores(operation) => Some("CustomKeyStoreId"),
        "CreateAlias" => Some("TargetKeyId"),
        "DeleteAlias" | "UpdateAlias" => Some("AliasName"),
        "ReEncrypt" => Some("DestinationKeyId"),
        "ListRetirableGrants" => Some("RetiringPrincipal"),
        _ => Some("KeyId"),
    }
}

/// Whether a request may name its key by an alias.
fn takes_alias(operation: &str) -> bool {
    matches!(kind_of_key(operation).1, "SIGN_VERIFY" | "KEY_AGREEMENT" | "GENERATE_VERIFY_MAC")
        || ["Encrypt", "Decrypt", "DescribeKey"].contains(&operation)
        || operation.starts_with("GenerateDataKey")
}

/// A new multi-Region key of that kind with tag and alias, in the house's Region; its id.
async fn key(house: &House, spec: &str, usage: &str) -> String {
    let tags = json!([{"TagKey": TAG.0, "TagValue": TAG.1}]);
    let asked = json!({"KeySpec": spec, "KeyUsage": usage, "MultiRegion": true, "Tags": tags});
    let id = text(&house.ok("CreateKey", asked).await["KeyMetadata"]["KeyId"]);
    house.ok("CreateAlias", json!({"AliasName": alias(&id), "TargetKeyId": id})).await;
    id
}

/// The alias of a key of [`Request`].
pub(crate) fn alias(key: &str) -> String {
    format!("alias/of-{key}")
}

/// A new key of one Region that no operation on [`kind_of_key`] works with.
pub(crate) async fn unfit_key(house: &House, operation: &str) -> String {
    let (spec, usage) = match kind_of_key(operation).1 {
        "GENERATE_VERIFY_MAC" => ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"),
        _ => ("HMAC_256", "GENERATE_VERIFY_MAC"),
    };
    let made = house.ok("CreateKey", json!({"KeySpec": spec, "KeyUsage": usage})).await;
    text(&made["KeyMetadata"]["KeyId"])
}

/// What a key encrypts to, under [`context`].
pub(crate) async fn sealed(house: &House, key: &str) -> Value {
    let asked = json!({"KeyId": key, "Plaintext": "QQ==", "EncryptionContext": context()});
    house.ok("Encrypt", asked).await["CiphertextBlob"].clone()
}

pub(crate) fn context() -> Value {
    json!({"tenant": "a"})
}

async fn grant(house: &House, key: &str) -> Value {
    let asked = json!({"KeyId": key, "GranteePrincipal": BOB, "Operations": ["Decrypt"], "RetiringPrincipal": BOB,
        "Constraints": {"EncryptionContextEquals": context()}});
    house.ok("CreateGrant", asked).await["GrantId"].clone()
}

/// The members of an operation beside `KeyId`, on that key.
async fn members(house: &House, operation: &str, id: &str) -> Value {
    let tags = json!([{"TagKey": TAG.0, "TagValue": TAG.1}]);
    match operation {
        "CreateKey" => json!({"MultiRegion": true, "Tags": tags, "BypassPolicyLockoutSafetyCheck": true}),
        "GenerateRandom" => json!({"NumberOfBytes": 8}),
        "CreateAlias" => json!({"AliasName": format!("alias/second-of-{id}"), "TargetKeyId": id}),
        "UpdateAlias" => {
            json!({"AliasName": alias(id), "TargetKeyId": key(house, "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT").await})
        }
        "DeleteAlias" => json!({"AliasName": alias(id)}),
        "EnableKeyRotation" => json!({"RotationPeriodInDays": 90}),
        "ScheduleKeyDeletion" => json!({"PendingWindowInDays": 7}),
        "CancelKeyDeletion" => {
            house.ok("ScheduleKeyDeletion", json!({"KeyId": id})).await;
            json!({})
        }
        "UpdateKeyDescription" => json!({"Description": "d"}),
        "PutKeyPolicy" => {
            let policy = text(&house.ok("GetKeyPolicy", json!({"KeyId": id})).await["Policy"]);
            json!({"Policy": policy, "BypassPolicyLockoutSafetyCheck": true})
        }
        "TagResource" => json!({"Tags": tags}),
        "UntagResource" => json!({"TagKeys": [TAG.0]}),
        "ReplicateKey" => json!({"ReplicaRegion": THERE}),
        "UpdatePrimaryRegion" => {
            let asked = json!({"KeyId": id, "ReplicaRegion": THERE, "Tags": tags});
            house.ok("ReplicateKey", asked).await;
            let there = json!({"AliasName": alias(id), "TargetKeyId": id});
            house.call_in(THERE, &House::root(), "CreateAlias", there).await.unwrap();
            json!({"PrimaryRegion": THERE})
        }
        "Encrypt" => json!({"Plaintext": "QQ==", "EncryptionContext": context()}),
        "Decrypt" => json!({"CiphertextBlob": sealed(house, id).await, "EncryptionContext": context()}),
        "ReEncrypt" => json!({"CiphertextBlob": sealed(house, id).await, "SourceKeyId": alias(id),
            "SourceEncryptionContext": context(), "DestinationKeyId": alias(id), "DestinationEncryptionContext": context()}),
        "GenerateDataKey" | "GenerateDataKeyWithoutPlaintext" => {
            json!({"KeySpec": "AES_256", "EncryptionContext": context()})
        }
        "GenerateDataKeyPair" | "GenerateDataKeyPairWithoutPlaintext" => {
            json!({"KeyPairSpec": "ECC_NIST_P256", "EncryptionContext": context()})
        }
        "GenerateMac" => json!({"Message": "QQ==", "MacAlgorithm": "HMAC_SHA_256"}),
        "VerifyMac" => {
            let mut body = json!({"KeyId": id, "Message": "QQ==", "MacAlgorithm": "HMAC_SHA_256"});
            body["Mac"] = house.ok("GenerateMac", body.clone()).await["Mac"].clone();
            body
        }
        "Sign" => json!({"Message": "QQ==", "SigningAlgorithm": "ECDSA_SHA_256"}),
        "Verify" => {
            let mut body = json!({"KeyId": id, "Message": "QQ==", "SigningAlgorithm": "ECDSA_SHA_256"});
            body["Signature"] = house.ok("Sign", body.clone()).await["Signature"].clone();
            body
        }
        "DeriveSharedSecret" => {
            let public = house.ok("GetPublicKey", json!({"KeyId": id})).await["PublicKey"].clone();
            json!({"KeyAgreementAlgorithm": "ECDH", "PublicKey": public})
        }
        "CreateGrant" => json!({"GranteePrincipal": BOB, "RetiringPrincipal": BOB, "Operations": ["Decrypt"],
            "Constraints": {"EncryptionContextEquals": context()}}),
        "ListRetirableGrants" => json!({"RetiringPrincipal": BOB}),
        "RevokeGrant" => json!({"GrantId": grant(house, id).await}),
        "RetireGrant" => {
            let arn = house.ok("DescribeKey", json!({"KeyId": id})).await["KeyMetadata"]["Arn"].clone();
            json!({"KeyId": arn, "GrantId": grant(house, id).await})
        }
        _ => json!({}),
    }
}

impl Request {
    pub(crate) async fn of(house: &House, operation: &'static str) -> Self {
        if is_of_imports(operation) {
            return Self::on_import(house, operation).await;
        }
        if is_of_stores(operation) {
            return Self::on_store(house, operation).await;
        }
        let (spec, usage) = kind_of_key(operation);
        let key = key(house, spec, usage).await;
        let mut body = members(house, operation, &key).await;
        if naming(operation) == Some("KeyId") && operation != "RetireGrant" {
            body["KeyId"] = if takes_alias(operation) { json!(alias(&key)) } else { json!(key) };
        }
        Self { operation, body, key, spec, usage }
    }

    /// On a key whose material is imported, and expires in thirty days.
    async fn on_import(house: &House, operation: &'static str) -> Self {
        let (spec, usage) = kind_of_key(operation);
        let imported = Imported::multi_region(house, spec, usage).await;
        let key = imported.id.clone();
        house.ok("TagResource", json!({"KeyId": key, "Tags": [{"TagKey": TAG.0, "TagValue": TAG.1}]})).await;
        house.ok("CreateAlias", json!({"AliasName": alias(&key), "TargetKeyId": key})).await;
        let import = imported.request(&[7; 32], &json!({"ValidTo": START + 30 * DAY}));
        let body = match operation {
            "GetParametersForImport" => {
                json!({"KeyId": key, "WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"})
            }
            "ImportKeyMaterial" => import,
            _ => {
                house.ok("ImportKeyMaterial", import).await;
                json!({"KeyId": key})
            }
        };
        Self { operation, body, key, spec, usage }
    }
}

/// Custom key stores of [`Request`] that there are at once, at the most.
const MOST_STORES: usize = 5;

/// A name that no custom key store has, with room for one. The oldest go that have no keys.
async fn name_of_store(house: &House) -> String {
    let listed = house.ok("DescribeCustomKeyStores", json!({})).await["CustomKeyStores"].clone();
    let stores = listed.as_array().unwrap();
    if stores.len() >= MOST_STORES {
        for store in stores {
            let id = json!({"CustomKeyStoreId": store["CustomKeyStoreId"]});
            if store["ConnectionState"] != "DISCONNECTED" {
                house.ok("DisconnectCustomKeyStore", id.clone()).await;
            }
            let _ = house.call("DeleteCustomKeyStore", id).await;
        }
    }
    let number = |store: &Value| text(&store["CustomKeyStoreName"]).strip_prefix("store-")?.parse::<u32>().ok();
    let last = stores.iter().filter_map(number).max().unwrap_or(0);
    format!("store-{}", last + 1)
}

impl Request {
    /// On a custom key store: one that is connected, where it is to be disconnected.
    async fn on_store(house: &House, operation: &'static str) -> Self {
        let key = key(house, "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT").await;
        let name = name_of_store(house).await;
        let body = match operation {
            "CreateCustomKeyStore" => asked_store(&name),
            "DescribeCustomKeyStores" => json!({"Limit": 1}),
            "DisconnectCustomKeyStore" => json!({"CustomKeyStoreId": connected_store(house, &name).await}),
            "UpdateCustomKeyStore" => {
                let path = format!("/moved-{name}/kms/xks/v1");
                json!({"CustomKeyStoreId": store(house, &name).await, "XksProxyUriPath": path})
            }
            _ => json!({"CustomKeyStoreId": store(house, &name).await}),
        };
        let (spec, usage) = kind_of_key(operation);
        Self { operation, body, key, spec, usage }
    }

    /// `CreateKey` in a custom key store that is connected, of that external key; and the store.
    pub(crate) async fn in_store(house: &House, external: &str) -> (Self, String) {
        let id = connected_store(house, &name_of_store(house).await).await;
        let (spec, usage) = kind_of_key("CreateKey");
        let body = asked_key(&id, external);
        (Self { operation: "CreateKey", body, key: String::new(), spec, usage }, id)
    }

    /// With a key in the custom key store that it is about.
    pub(crate) async fn with_key_in_store(&self, house: &House, external: &str) {
        let store = self.body["CustomKeyStoreId"].clone();
        house.ok("ConnectCustomKeyStore", json!({"CustomKeyStoreId": store})).await;
        key_in(house, store.as_str().unwrap(), external).await;
        house.ok("DisconnectCustomKeyStore", json!({"CustomKeyStoreId": store})).await;
    }
}

/// Whether an operation is on custom key stores.
pub(crate) fn is_of_stores(operation: &str) -> bool {
    operation.contains("CustomKeyStore")
}

/// Whether an operation is on imported key material.
pub(crate) fn is_of_imports(operation: &str) -> bool {
    ["DeleteImportedKeyMaterial", "GetParametersForImport", "ImportKeyMaterial"].contains(&operation)
}

/// All operations, in order.
pub(crate) fn all_operations() -> impl Iterator<Item = &'static str> {
    keystile::kms::operation_names().iter().copied()
}

#[tokio::test]
async fn each_request_succeeds() {
    let house = House::new().await;
    for operation in all_operations() {
        let request = Request::of(&house, operation).await;
        house.ok(operation, request.body).await;
    }
}
