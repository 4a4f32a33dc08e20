//! Imported key material: tokens, imports, expiry, rotation between materials, deletion.

use std::sync::Arc;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::key_wrap::{AES_256, AesKek, KeyWrapPadded};
use aws_lc_rs::rsa::{
    KeyPair, KeySize, OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey,
};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256K1_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
};
use data_encoding::BASE64;
use keystile::store::{RedbSettings, RedbStore, Store};
use serde_json::{Value, json};

use super::house::{ACCOUNT, DAY, House, Outcome, START, root_key, text};

const FOREVER: &str = "KEY_MATERIAL_DOES_NOT_EXPIRE";

fn blob(bytes: &[u8]) -> Value {
    json!(BASE64.encode(bytes))
}

/// A key for imported material in a Region, with a token for it.
pub(super) struct Imported {
    pub(super) id: String,
    pub(super) arn: String,
    region: String,
    algorithm: &'static str,
    token: Value,
    public_key: Vec<u8>,
}

impl Imported {
    pub(super) async fn symmetric(house: &House) -> Self {
        Self::new(house, "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "RSAES_OAEP_SHA_256").await
    }

    /// A primary key.
    pub(super) async fn multi_region(house: &House, spec: &str, usage: &str) -> Self {
        let asked = json!({"Origin": "EXTERNAL", "MultiRegion": true, "KeySpec": spec, "KeyUsage": usage});
        Self::made(house, &asked, "RSAES_OAEP_SHA_256").await
    }

    /// The key in another Region, which is there.
    pub(super) async fn in_region(&self, house: &House, region: &str) -> Self {
        let arn = self.arn.replace(&self.region, region);
        let (id, algorithm) = (self.id.clone(), self.algorithm);
        let mut key =
            Self { id, arn, region: region.to_owned(), algorithm, token: Value::Null, public_key: Vec::new() };
        key.take_token(house).await;
        key
    }

    async fn new(house: &House, spec: &str, usage: &str, algorithm: &'static str) -> Self {
        Self::made(house, &json!({"Origin": "EXTERNAL", "KeySpec": spec, "KeyUsage": usage}), algorithm).await
    }

    async fn made(house: &House, asked: &Value, algorithm: &'static str) -> Self {
        let made = house.ok("CreateKey", asked.clone()).await;
        let (id, arn) = (text(&made["KeyMetadata"]["KeyId"]), text(&made["KeyMetadata"]["Arn"]));
        let region = arn.split(':').nth(3).unwrap().to_owned();
        let mut key = Self { id, arn, region, algorithm, token: Value::Null, public_key: Vec::new() };
        key.take_token(house).await;
        key
    }

    /// A request in the key's Region.
    pub(super) async fn call(&self, house: &House, operation: &str, body: Value) -> Outcome {
        house.call_in(&self.region, &House::root(), operation, body).await
    }

    pub(super) async fn ok(&self, house: &House, operation: &str, body: Value) -> Value {
        match self.call(house, operation, body.clone()).await {
            Ok(answer) => answer,
            Err(error) => panic!("{operation} {body}: {error:?}"),
        }
    }

    pub(super) async fn take_token(&mut self, house: &House) {
        let body = json!({"KeyId": self.id, "WrappingAlgorithm": self.algorithm, "WrappingKeySpec": "RSA_2048"});
        let given = self.ok(house, "GetParametersForImport", body).await;
        assert_eq!(given["KeyId"], json!(self.arn));
        self.public_key = BASE64.decode(text(&given["PublicKey"]).as_bytes()).unwrap();
        self.token = given["ImportToken"].clone();
    }

    fn wrapped(&self, material: &[u8]) -> Value {
        let hash = if self.algorithm.ends_with("_1") { &OAEP_SHA1_MGF1SHA1 } else { &OAEP_SHA256_MGF1SHA256 };
        let key = OaepPublicEncryptingKey::new(PublicEncryptingKey::from_der(&self.public_key).unwrap()).unwrap();
        let encrypt = |bytes: &[u8]| {
            let mut out = vec![0; key.ciphertext_size()];
            key.encrypt(hash, bytes, &mut out, None).unwrap().to_vec()
        };
        if self.algorithm.starts_with("RSAES") {
            return blob(&encrypt(material));
        }
        let mut out = vec![0; material.len() + 15];
        let body = AesKek::new(&AES_256, &[9; 32]).unwrap().wrap_with_padding(material, &mut out).unwrap();
        blob(&[encrypt(&[9; 32]).as_slice(), body].concat())
    }

    /// A request to import material, with more members.
    pub(super) fn request(&self, material: &[u8], more: &Value) -> Value {
        let mut body =
            json!({"KeyId": self.id, "ImportToken": self.token, "EncryptedKeyMaterial": self.wrapped(material)});
        if more.get("ValidTo").is_none() {
            body["ExpirationModel"] = json!(FOREVER);
        }
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        body
    }

    pub(super) async fn import(&self, house: &House, material: &[u8], more: Value) -> Outcome {
        self.call(house, "ImportKeyMaterial", self.request(material, &more)).await
    }

    pub(super) async fn describe(&self, house: &House) -> Value {
        self.ok(house, "DescribeKey", json!({"KeyId": self.id})).await["KeyMetadata"].clone()
    }

    pub(super) async fn state(&self, house: &House) -> String {
        text(&self.describe(house).await["KeyState"])
    }

    pub(super) async fn encrypt(&self, house: &House) -> Value {
        self.ok(house, "Encrypt", json!({"KeyId": self.id, "Plaintext": "c2VjcmV0"})).await["CiphertextBlob"].clone()
    }

    pub(super) async fn delete(&self, house: &House, material: Option<&Value>) -> Value {
        self.ok(house, "DeleteImportedKeyMaterial", json!({"KeyId": self.id, "KeyMaterialId": material})).await
    }

    pub(super) async fn materials(&self, house: &House) -> Vec<Value> {
        let body = json!({"KeyId": self.id, "IncludeKeyMaterial": "ALL_KEY_MATERIAL"});
        self.ok(house, "ListKeyRotations", body).await["Rotations"].as_array().unwrap().clone()
    }

    pub(super) fn pending(&self) -> (String, String) {
        ("KMSInvalidStateException".to_owned(), format!("{} is pending import.", self.arn))
    }
}

fn code(outcome: Outcome) -> String {
    outcome.err().map_or_else(String::new, |(code, _)| code)
}

#[tokio::test]
async fn a_key_waits_for_its_material_works_with_it_and_waits_again() {
    let house = House::new().await;
    let key = Imported::symmetric(&house).await;
    let metadata = key.describe(&house).await;
    assert_eq!(metadata["Origin"], json!("EXTERNAL"));
    assert_eq!((&metadata["KeyState"], &metadata["Enabled"]), (&json!("PendingImport"), &json!(false)));
    for member in ["CurrentKeyMaterialId", "ExpirationModel", "ValidTo"] {
        assert_eq!(metadata.get(member), None, "{member}");
    }
    assert_eq!(house.fails("Encrypt", json!({"KeyId": key.id, "Plaintext": "QQ=="})).await, key.pending());
    assert!(key.materials(&house).await.is_empty());
    assert_eq!(key.delete(&house, None).await, json!({"KeyId": key.arn}), "there is nothing to delete");

    let given = key.import(&house, &[1; 32], json!({})).await.unwrap();
    let id = text(&given["KeyMaterialId"]);
    assert_eq!(given, json!({"KeyId": key.arn, "KeyMaterialId": id}));
    assert!(id.len() == 64 && !id.contains(&"01".repeat(8)));
    let metadata = key.describe(&house).await;
    assert_eq!((&metadata["KeyState"], &metadata["Enabled"]), (&json!("Enabled"), &json!(true)));
    assert_eq!((&metadata["CurrentKeyMaterialId"], &metadata["ExpirationModel"]), (&json!(id), &json!(FOREVER)));
    assert_eq!(metadata.get("ValidTo"), None);
    let sealed = key.encrypt(&house).await;
    let opening = json!({"CiphertextBlob": sealed});
    assert_eq!(house.ok("Decrypt", opening.clone()).await["KeyMaterialId"], json!(id));

    // Now it is in memory as well, and must not be served from there.
    for _ in 0..2 {
        assert_eq!(key.delete(&house, None).await, json!({"KeyId": key.arn, "KeyMaterialId": id}));
        assert_eq!(key.state(&house).await, "PendingImport");
        assert_eq!(house.fails("Decrypt", opening.clone()).await, key.pending());
        assert_eq!(house.fails("Encrypt", json!({"KeyId": key.id, "Plaintext": "QQ=="})).await, key.pending());
    }
    let house = house.restarted().await;
    assert_eq!(house.fails("Decrypt", opening.clone()).await, key.pending());
    let (other, _) = key.import(&house, &[2; 32], json!({})).await.unwrap_err();
    assert_eq!(other, "IncorrectKeyMaterialException");
    assert_eq!(key.import(&house, &[1; 32], json!({})).await.unwrap()["KeyMaterialId"], json!(id));
    assert_eq!(house.ok("Decrypt", opening).await["Plaintext"], json!("c2VjcmV0"));

    let twin = Imported::symmetric(&house).await;
    assert_ne!(twin.import(&house, &[1; 32], json!({})).await.unwrap()["KeyMaterialId"], json!(id));
}

#[tokio::test]
async fn what_a_key_does_that_waits_for_its_material() {
    let house = House::new().await;
    let invalid = "KMSInvalidStateException";
    for (operation, more, expected) in [
        ("GenerateDataKey", json!({"KeySpec": "AES_256"}), invalid),
        (
            "CreateGrant",
            json!({"GranteePrincipal": format!("arn:aws:iam::{ACCOUNT}:user/a"), "Operations": ["Encrypt"]}),
            invalid,
        ),
        ("EnableKey", json!({}), invalid),
        ("DisableKey", json!({}), invalid),
        ("RotateKeyOnDemand", json!({}), invalid),
        ("EnableKeyRotation", json!({}), "UnsupportedOperationException"),
        ("DisableKeyRotation", json!({}), "UnsupportedOperationException"),
        ("GetPublicKey", json!({}), "UnsupportedOperationException"),
        ("GetKeyRotationStatus", json!({}), ""),
        ("ListKeyRotations", json!({}), ""),
        ("DescribeKey", json!({}), ""),
        ("GetKeyPolicy", json!({}), ""),
        ("ListGrants", json!({}), ""),
        ("ListResourceTags", json!({}), ""),
        ("UpdateKeyDescription", json!({"Description": "d"}), ""),
        ("TagResource", json!({"Tags": [{"TagKey": "a", "TagValue": "b"}]}), ""),
        ("DeleteImportedKeyMaterial", json!({}), ""),
        ("ScheduleKeyDeletion", json!({}), ""),
    ] {
        let key = house.ok("CreateKey", json!({"Origin": "EXTERNAL"})).await["KeyMetadata"].clone();
        let mut body = more;
        body["KeyId"] = key["KeyId"].clone();
        let outcome = house.call(operation, body).await;
        match (&outcome, expected) {
            (Ok(_), "") => {}
            (Err((code, message)), expected) if code == expected => {
                if code == invalid {
                    assert_eq!(*message, format!("{} is pending import.", text(&key["Arn"])), "{operation}");
                } else if operation != "GetPublicKey" {
                    let told =
                        format!("{} origin is EXTERNAL which is not valid for this operation.", text(&key["Arn"]));
                    assert_eq!(*message, told, "{operation}");
                }
            }
            _ => panic!("{operation}: {outcome:?}"),
        }
    }
    let key = house.ok("CreateKey", json!({"Origin": "EXTERNAL"})).await["KeyMetadata"]["KeyId"].clone();
    let cancelled = house.fails("CancelKeyDeletion", json!({"KeyId": key})).await;
    assert!(cancelled.1.ends_with(" is not pending deletion"), "{cancelled:?}");
    house.ok("CreateAlias", json!({"AliasName": "alias/a", "TargetKeyId": key})).await;
    house.ok("ScheduleKeyDeletion", json!({"KeyId": key})).await;
    for operation in ["GetParametersForImport", "ImportKeyMaterial"] {
        let body = json!({"KeyId": key, "WrappingAlgorithm": "RSAES_OAEP_SHA_1", "WrappingKeySpec": "RSA_2048",
            "ImportToken": "QQ==", "EncryptedKeyMaterial": "QQ==", "ExpirationModel": FOREVER});
        let (code, message) = house.fails(operation, body).await;
        assert!(code == invalid && message.ends_with(" is pending deletion."), "{operation}: {message}");
    }
    house.ok("DeleteImportedKeyMaterial", json!({"KeyId": key})).await;
    house.ok("CancelKeyDeletion", json!({"KeyId": key})).await;
    let state = house.ok("DescribeKey", json!({"KeyId": key})).await["KeyMetadata"]["KeyState"].clone();
    assert_eq!(state, json!("PendingImport"));
}

#[tokio::test]
async fn a_key_that_makes_its_own_material_takes_none() {
    let house = House::new().await;
    let (id, arn) = house.key().await;
    let told = format!("{arn} origin is AWS_KMS which is not valid for this operation.");
    for operation in ["GetParametersForImport", "ImportKeyMaterial", "DeleteImportedKeyMaterial"] {
        let body = json!({"KeyId": id, "WrappingAlgorithm": "RSAES_OAEP_SHA_1", "WrappingKeySpec": "RSA_2048",
            "ImportToken": "QQ==", "EncryptedKeyMaterial": "QQ==", "ExpirationModel": FOREVER});
        assert_eq!(house.fails(operation, body).await, ("UnsupportedOperationException".to_owned(), told.clone()));
    }
}

#[tokio::test]
async fn a_token_is_its_keys_for_a_day_however_often_it_is_used() {
    let house = House::new().await;
    let mut key = Imported::symmetric(&house).await;
    let other = Imported::symmetric(&house).await;
    let invalid = ("InvalidImportTokenException".to_owned(), String::new());
    let older = (key.token.clone(), key.public_key.clone());
    key.take_token(&house).await;
    assert_ne!(key.token, older.0);

    let request = key.request(&[1; 32], &json!({}));
    let with = |token: Value| {
        let mut body = request.clone();
        body["ImportToken"] = token;
        body
    };
    let whole = BASE64.decode(text(&key.token).as_bytes()).unwrap();
    for at in [0, 1, 17, 18, 19, 26, 27, 40, 60, whole.len() - 1] {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        assert_eq!(house.fails("ImportKeyMaterial", with(blob(&changed))).await, invalid, "byte {at}");
        assert_eq!(house.fails("ImportKeyMaterial", with(blob(&whole[..=at.min(whole.len() - 2)]))).await, invalid);
    }
    assert_eq!(house.fails("ImportKeyMaterial", with(other.token.clone())).await, invalid);
    // The right key's, but not the one that the material is wrapped for.
    assert_eq!(
        house.fails("ImportKeyMaterial", with(older.0.clone())).await,
        ("InvalidCiphertextException".to_owned(), String::new())
    );

    key.import(&house, &[1; 32], json!({})).await.unwrap();
    (key.token, key.public_key) = older;
    house.sleep(1);
    key.import(&house, &[1; 32], json!({})).await.unwrap();
    house.sleep(1);
    let late = key.import(&house, &[1; 32], json!({})).await.unwrap_err();
    assert_eq!(late, ("ExpiredImportTokenException".to_owned(), String::new()));
}

#[tokio::test]
async fn a_token_keeps_no_root_key_needed() {
    let directory = tempfile::tempdir().unwrap();
    let settings = RedbSettings { cache_bytes: 4 << 20, spare_bytes: 64 << 10 };
    let store: Arc<dyn Store> = Arc::new(RedbStore::open(directory.path(), &settings).unwrap());
    let house = House::over(Arc::clone(&store), root_key(1)).await.unwrap();
    let key = Imported::symmetric(&house).await;
    let other = Imported::symmetric(&house).await;
    key.import(&house, &[1; 32], json!({})).await.unwrap();
    let sealed = key.encrypt(&house).await;
    house.kms.begin_root_key_rotation(&root_key(2)).await.unwrap();
    let under_way = Imported::symmetric(&house).await;
    house.kms.complete_root_key_rotation(&|_| {}).await.unwrap();
    key.import(&house, &[1; 32], json!({})).await.unwrap();
    drop(house);

    let house = House::over(store, root_key(2)).await.unwrap();
    assert_eq!(house.ok("Decrypt", json!({"CiphertextBlob": sealed})).await["Plaintext"], json!("c2VjcmV0"));
    for key in [key, other] {
        let refused = key.import(&house, &[1; 32], json!({})).await.unwrap_err();
        assert_eq!(refused, ("InvalidImportTokenException".to_owned(), String::new()));
    }
    under_way.import(&house, &[1; 32], json!({})).await.unwrap();
}

#[tokio::test]
async fn members_that_do_not_go_together_are_refused() {
    let house = House::new().await;
    let key = Imported::symmetric(&house).await;
    let id = "a".repeat(64);
    let tomorrow = START + DAY;
    for more in [
        json!({"ExpirationModel": "KEY_MATERIAL_EXPIRES"}),
        json!({"ExpirationModel": null}),
        json!({"ExpirationModel": FOREVER, "ValidTo": tomorrow}),
        json!({"ValidTo": START}),
        json!({"ValidTo": START as f64 + 0.9}),
        json!({"ValidTo": -1}),
        json!({"ValidTo": 1e300}),
        json!({"ValidTo": START + 365 * DAY + 1}),
        json!({"ImportType": "NEW_KEY_MATERIAL", "KeyMaterialId": id}),
        json!({"KeyMaterialId": id}),
        json!({"KeyMaterialId": "A".repeat(64)}),
        json!({"KeyMaterialDescription": "an exclamation mark!"}),
        json!({"ImportType": "OTHER"}),
    ] {
        assert_eq!(code(key.import(&house, &[1; 32], more.clone()).await), "ValidationException", "{more}");
    }
    for (material, more, expected) in [
        (&[1; 31][..], json!({}), "IncorrectKeyMaterialException"),
        (&[1; 33], json!({}), "IncorrectKeyMaterialException"),
        (&[1; 32], json!({"ImportType": "EXISTING_KEY_MATERIAL"}), "IncorrectKeyMaterialException"),
        (&[1; 32], json!({"EncryptedKeyMaterial": "QQ=="}), "InvalidCiphertextException"),
        (&[1; 32], json!({"EncryptedKeyMaterial": blob(&[0; 256])}), "InvalidCiphertextException"),
    ] {
        assert_eq!(code(key.import(&house, material, more.clone()).await), expected, "{more}");
    }
    assert_eq!(key.state(&house).await, "PendingImport");
    key.import(&house, &[1; 32], json!({"ValidTo": START + 365 * DAY})).await.unwrap();
    key.import(&house, &[1; 32], json!({"ValidTo": tomorrow as f64 + 0.75})).await.unwrap();
    assert_eq!(key.describe(&house).await["ValidTo"], json!(tomorrow as f64));
}

#[tokio::test]
async fn material_expires_on_its_date_and_no_sooner() {
    let house = House::new().await;
    let mut key = Imported::symmetric(&house).await;
    let given = key.import(&house, &[1; 32], json!({"ValidTo": START + 10 * DAY})).await.unwrap();
    let metadata = key.describe(&house).await;
    assert_eq!(metadata["ExpirationModel"], json!("KEY_MATERIAL_EXPIRES"));
    assert_eq!(metadata["ValidTo"], json!((START + 10 * DAY) as f64));
    assert_eq!(house.kms.next_due().await.unwrap().unwrap().as_second(), START + 10 * DAY);
    let sealed = key.encrypt(&house).await;
    let opening = json!({"CiphertextBlob": sealed});
    house.sleep(9);
    assert_eq!(house.kms.rotate_due().await.unwrap(), 0);
    house.ok("Decrypt", opening.clone()).await;

    house.sleep(1);
    // No scheduler came by: the request itself finds that the date has passed.
    assert_eq!(house.fails("Decrypt", opening.clone()).await, key.pending());
    assert_eq!((key.state(&house).await.as_str(), house.kms.next_due().await.unwrap()), ("PendingImport", None));
    assert_eq!(house.kms.rotate_due().await.unwrap(), 0);
    let events = house.kms.pending_events(10).await.unwrap();
    let event = &events[0];
    assert_eq!((events.len(), event.name.as_str()), (1, "DeleteExpiredKeyMaterial"));
    assert_eq!(event.time.as_second(), START + 10 * DAY);
    assert_eq!(event.details, json!({"keyId": key.id, "keyMaterialId": given["KeyMaterialId"]}));
    house.kms.forget_events(&events).await.unwrap();

    key.take_token(&house).await;
    key.import(&house, &[1; 32], json!({"ValidTo": START + 20 * DAY})).await.unwrap();
    house.ok("Decrypt", opening.clone()).await;
    // Imported again, it has the new date alone.
    key.import(&house, &[1; 32], json!({"ValidTo": START + 15 * DAY})).await.unwrap();
    house.sleep(5);
    assert_eq!(house.kms.rotate_due().await.unwrap(), 1);
    assert_eq!((house.kms.rotate_due().await.unwrap(), house.kms.next_due().await.unwrap()), (0, None));
    assert_eq!(house.fails("Decrypt", opening.clone()).await, key.pending());

    key.take_token(&house).await;
    key.import(&house, &[1; 32], json!({"ValidTo": START + 16 * DAY})).await.unwrap();
    key.import(&house, &[1; 32], json!({})).await.unwrap();
    assert_eq!(house.kms.next_due().await.unwrap(), None);
    house.sleep(100);
    house.ok("Decrypt", opening).await;
}

#[tokio::test]
async fn material_of_a_key_that_does_not_work_expires_too() {
    let house = House::new().await;
    let disabled = Imported::symmetric(&house).await;
    let going = Imported::symmetric(&house).await;
    let cancelled = Imported::symmetric(&house).await;
    for key in [&disabled, &going, &cancelled] {
        key.import(&house, &[1; 32], json!({"ValidTo": START + 10 * DAY})).await.unwrap();
    }
    house.ok("DisableKey", json!({"KeyId": disabled.id})).await;
    for key in [&going, &cancelled] {
        house.ok("ScheduleKeyDeletion", json!({"KeyId": key.id, "PendingWindowInDays": 20})).await;
    }
    house.sleep(11);
    assert_eq!(house.kms.rotate_due().await.unwrap(), 3);
    assert_eq!(disabled.state(&house).await, "PendingImport");
    assert_eq!(going.state(&house).await, "PendingDeletion");
    house.ok("CancelKeyDeletion", json!({"KeyId": cancelled.id})).await;
    assert_eq!(cancelled.state(&house).await, "PendingImport");
    house.sleep(10);
    assert_eq!((house.kms.rotate_due().await.unwrap(), house.kms.next_due().await.unwrap()), (1, None));

    // A key that goes first takes its date along, whichever of the two is looked at first.
    let (early, late) = (Imported::symmetric(&house).await, Imported::symmetric(&house).await);
    let now = START + 21 * DAY;
    early.import(&house, &[1; 32], json!({"ValidTo": now + 30 * DAY})).await.unwrap();
    late.import(&house, &[1; 32], json!({"ValidTo": now + 5 * DAY})).await.unwrap();
    for key in [&early, &late] {
        house.ok("ScheduleKeyDeletion", json!({"KeyId": key.id, "PendingWindowInDays": 7})).await;
    }
    house.sleep(60);
    assert_eq!(house.kms.rotate_due().await.unwrap(), 3);
    assert_eq!(house.kms.next_due().await.unwrap(), None);
    let names: Vec<String> = house.kms.pending_events(100).await.unwrap().into_iter().map(|event| event.name).collect();
    assert_eq!(names.iter().filter(|name| *name == "DeleteExpiredKeyMaterial").count(), 4);
    assert_eq!(names.iter().filter(|name| *name == "DeleteKey").count(), 3);
}

#[tokio::test]
async fn a_disabled_key_is_enabled_by_an_import_and_disabled_again_by_nothing() {
    let house = House::new().await;
    let key = Imported::symmetric(&house).await;
    key.import(&house, &[1; 32], json!({})).await.unwrap();
    house.ok("DisableKey", json!({"KeyId": key.id})).await;
    assert_eq!(code(house.call("RotateKeyOnDemand", json!({"KeyId": key.id})).await), "DisabledException");
    assert_eq!(code(house.call("EnableKeyRotation", json!({"KeyId": key.id})).await), "DisabledException");
    key.import(&house, &[1; 32], json!({})).await.unwrap();
    assert_eq!(key.state(&house).await, "Enabled");
    house.ok("DisableKey", json!({"KeyId": key.id})).await;
    key.delete(&house, None).await;
    assert_eq!(key.state(&house).await, "PendingImport");
}

#[tokio::test]
async fn a_rotation_makes_new_material_current_and_needs_the_old() {
    let house = House::new().await;
    let key = Imported::symmetric(&house).await;
    let new = |description: &str| json!({"ImportType": "NEW_KEY_MATERIAL", "KeyMaterialDescription": description});
    let first = key.import(&house, &[1; 32], json!({"KeyMaterialDescription": "the first"})).await.unwrap();
    let first = first["KeyMaterialId"].clone();
    let none = format!("No available key material pending rotation for the key: {}.", key.arn);
    let nothing = ("KMSInvalidStateException".to_owned(), none);
    assert_eq!(house.fails("RotateKeyOnDemand", json!({"KeyId": key.id})).await, nothing);
    let known = key.import(&house, &[1; 32], new("again")).await;
    assert_eq!(code(known), "IncorrectKeyMaterialException");
    let old = key.encrypt(&house).await;

    let valid_to = START + 30 * DAY;
    let mut request = new("the second");
    request["ValidTo"] = json!(valid_to);
    let second = key.import(&house, &[2; 32], request).await.unwrap()["KeyMaterialId"].clone();
    let third = key.import(&house, &[3; 32], new("the third")).await.unwrap_err();
    assert_eq!(third.0, "KMSInvalidStateException");
    let (start, end) = third.1.split_once("(id: ").unwrap();
    assert_eq!(start, "New key material ");
    assert_eq!(
        &end[64..],
        format!(
            ") cannot be imported into KMS key {}, because another key material (id: {}) is pending rotation.",
            key.arn,
            text(&second)
        )
    );
    // Not yet: it is of the first, and the date is not the key's.
    let metadata = key.describe(&house).await;
    assert_eq!((&metadata["CurrentKeyMaterialId"], &metadata["ExpirationModel"]), (&first, &json!(FOREVER)));
    let opened = house.ok("Decrypt", json!({"CiphertextBlob": key.encrypt(&house).await})).await;
    assert_eq!(opened["KeyMaterialId"], first);
    let entries = key.materials(&house).await;
    assert_eq!(
        entries,
        [
            json!({"KeyId": key.arn, "KeyMaterialId": first, "KeyMaterialState": "CURRENT", "ImportState": "IMPORTED",
                "ExpirationModel": FOREVER, "KeyMaterialDescription": "the first"}),
            json!({"KeyId": key.arn, "KeyMaterialId": second, "KeyMaterialState": "PENDING_ROTATION",
                "ImportState": "IMPORTED", "ExpirationModel": "KEY_MATERIAL_EXPIRES", "ValidTo": valid_to as f64,
                "KeyMaterialDescription": "the second"}),
        ]
    );
    assert!(house.rotations(&key.id).await.is_empty());

    assert_eq!(house.ok("RotateKeyOnDemand", json!({"KeyId": key.id})).await, json!({"KeyId": key.arn}));
    assert_eq!(house.fails("RotateKeyOnDemand", json!({"KeyId": key.id})).await, nothing);
    let metadata = key.describe(&house).await;
    assert_eq!((&metadata["CurrentKeyMaterialId"], &metadata["ValidTo"]), (&second, &json!(valid_to as f64)));
    let recent = key.encrypt(&house).await;
    for (blob, material) in [(&old, &first), (&recent, &second)] {
        assert_eq!(house.ok("Decrypt", json!({"CiphertextBlob": blob})).await["KeyMaterialId"], *material);
    }
    let rotations = house.rotations(&key.id).await;
    assert_eq!((rotations.len(), &rotations[0]["KeyMaterialState"]), (1, &json!("CURRENT")));
    assert_eq!(
        (&rotations[0]["RotationType"], &rotations[0]["ImportState"]),
        (&json!("ON_DEMAND"), &json!("IMPORTED"))
    );
    let events = house.kms.pending_events(10).await.unwrap();
    assert_eq!((events[0].name.as_str(), &events[0].details["keyOrigin"]), ("RotateKey", &json!("EXTERNAL")));

    // All that was ever current is needed, and nothing else makes up for it.
    key.delete(&house, Some(&first)).await;
    assert_eq!(house.fails("Decrypt", json!({"CiphertextBlob": recent})).await, key.pending());
    let entries = key.materials(&house).await;
    let of_first = json!({"KeyId": key.arn, "KeyMaterialId": first, "KeyMaterialState": "NON_CURRENT",
        "ImportState": "PENDING_IMPORT", "KeyMaterialDescription": "the first"});
    assert_eq!(entries[0], of_first);
    let wrong = key.import(&house, &[1; 32], json!({"KeyMaterialId": second})).await;
    assert_eq!(code(wrong), "IncorrectKeyMaterialException");
    key.import(&house, &[1; 32], json!({"KeyMaterialId": first, "KeyMaterialDescription": "once more"})).await.unwrap();
    assert_eq!(house.ok("Decrypt", json!({"CiphertextBlob": old})).await["KeyMaterialId"], first);
    assert_eq!(key.materials(&house).await[0]["KeyMaterialDescription"], json!("once more"));

    let unknown = "f".repeat(64);
    let body = json!({"KeyId": key.id, "KeyMaterialId": unknown});
    let (code, message) = house.fails("DeleteImportedKeyMaterial", body).await;
    assert_eq!(code, "ValidationException");
    assert!(message.contains("has never been imported into") && message.contains(&unknown), "{message}");

    house.sleep(31);
    assert_eq!(house.fails("Decrypt", json!({"CiphertextBlob": old})).await, key.pending());
}

#[tokio::test]
async fn material_that_waits_for_its_rotation_may_go_and_the_rotation_still_comes() {
    let house = House::new().await;
    let mut key = Imported::symmetric(&house).await;
    key.import(&house, &[1; 32], json!({})).await.unwrap();
    let old = key.encrypt(&house).await;
    let more = json!({"ImportType": "NEW_KEY_MATERIAL", "ValidTo": START + 2 * DAY});
    let second = key.import(&house, &[2; 32], more).await.unwrap()["KeyMaterialId"].clone();
    key.delete(&house, Some(&second)).await;
    assert_eq!((key.state(&house).await.as_str(), house.kms.next_due().await.unwrap()), ("Enabled", None));
    key.import(&house, &[2; 32], json!({"ValidTo": START + 2 * DAY})).await.unwrap();
    house.sleep(3);
    house.ok("Decrypt", json!({"CiphertextBlob": old})).await;
    assert_eq!(key.materials(&house).await[1]["ImportState"], json!("PENDING_IMPORT"));
    assert_eq!(key.materials(&house).await[1]["KeyMaterialState"], json!("PENDING_ROTATION"));

    house.ok("RotateKeyOnDemand", json!({"KeyId": key.id})).await;
    assert_eq!(key.state(&house).await, "PendingImport");
    assert_eq!(house.fails("Decrypt", json!({"CiphertextBlob": old})).await, key.pending());
    key.take_token(&house).await;
    key.import(&house, &[2; 32], json!({})).await.unwrap();
    assert_eq!(key.describe(&house).await["CurrentKeyMaterialId"], second);
    house.ok("Decrypt", json!({"CiphertextBlob": old})).await;
}

#[tokio::test]
async fn material_that_went_before_its_rotation_makes_room_for_other() {
    let house = House::new().await;
    let key = Imported::symmetric(&house).await;
    let first = key.import(&house, &[1; 32], json!({})).await.unwrap()["KeyMaterialId"].clone();
    let new = |more: Value| {
        let mut body = json!({"ImportType": "NEW_KEY_MATERIAL"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let second = key.import(&house, &[2; 32], new(json!({}))).await.unwrap()["KeyMaterialId"].clone();
    key.delete(&house, Some(&second)).await;
    let third = key.import(&house, &[3; 32], new(json!({"ValidTo": START + DAY / 2}))).await.unwrap();
    house.sleep(1);
    let fourth = key.import(&house, &[4; 32], new(json!({}))).await.unwrap()["KeyMaterialId"].clone();
    let ids: Vec<Value> = key.materials(&house).await.iter().map(|entry| entry["KeyMaterialId"].clone()).collect();
    assert_eq!(ids, [first, fourth.clone()]);
    // What made room is not known any more.
    let body = json!({"KeyId": key.id, "KeyMaterialId": third["KeyMaterialId"]});
    assert_eq!(house.fails("DeleteImportedKeyMaterial", body).await.0, "ValidationException");
    house.ok("RotateKeyOnDemand", json!({"KeyId": key.id})).await;
    assert_eq!(key.describe(&house).await["CurrentKeyMaterialId"], fourth);
    house.ok("Decrypt", json!({"CiphertextBlob": key.encrypt(&house).await})).await;
}

#[tokio::test]
async fn the_list_of_materials_comes_in_pages_with_the_pending_one_last() {
    let house = House::new().await;
    let key = Imported::symmetric(&house).await;
    let mut expected = Vec::new();
    for byte in 1..=5 {
        let more = json!({"ImportType": "NEW_KEY_MATERIAL"});
        expected.push(key.import(&house, &[byte; 32], more).await.unwrap()["KeyMaterialId"].clone());
        if (2..5).contains(&byte) {
            house.ok("RotateKeyOnDemand", json!({"KeyId": key.id})).await;
        }
    }
    for limit in 1..=6 {
        let (mut found, mut marker) = (Vec::new(), Value::Null);
        loop {
            let body =
                json!({"KeyId": key.id, "IncludeKeyMaterial": "ALL_KEY_MATERIAL", "Limit": limit, "Marker": marker});
            let page = house.ok("ListKeyRotations", body).await;
            found.extend(page["Rotations"].as_array().unwrap().iter().map(|entry| entry["KeyMaterialId"].clone()));
            marker = page["NextMarker"].clone();
            if marker.is_null() {
                break;
            }
        }
        assert_eq!(found, expected, "{limit} at a time");
    }
}

/// Key material of a spec, in the form that is imported.
fn made(spec: &str) -> Vec<u8> {
    let ec = |algorithm| EcdsaKeyPair::generate(algorithm).unwrap().to_pkcs8v1().unwrap().as_ref().to_vec();
    match spec {
        "HMAC_224" => vec![5; 28],
        "HMAC_512" => vec![5; 64],
        "RSA_2048" => {
            let der: Pkcs8V1Der<'_> = KeyPair::generate(KeySize::Rsa2048).unwrap().as_der().unwrap();
            der.as_ref().to_vec()
        }
        "ECC_NIST_P256" => ec(&ECDSA_P256_SHA256_ASN1_SIGNING),
        "ECC_SECG_P256K1" => ec(&ECDSA_P256K1_SHA256_ASN1_SIGNING),
        _ => Ed25519KeyPair::generate().unwrap().to_pkcs8v1().unwrap().as_ref().to_vec(),
    }
}

#[tokio::test]
async fn keys_of_other_kinds_have_one_material_for_ever() {
    let house = House::new().await;
    for (spec, usage, operation, algorithm) in [
        ("HMAC_224", "GENERATE_VERIFY_MAC", "GenerateMac", "HMAC_SHA_224"),
        ("HMAC_512", "GENERATE_VERIFY_MAC", "GenerateMac", "HMAC_SHA_512"),
        ("RSA_2048", "SIGN_VERIFY", "Sign", "RSASSA_PKCS1_V1_5_SHA_256"),
        ("ECC_NIST_P256", "SIGN_VERIFY", "Sign", "ECDSA_SHA_256"),
        ("ECC_SECG_P256K1", "SIGN_VERIFY", "Sign", "ECDSA_SHA_256"),
        ("ECC_NIST_EDWARDS25519", "SIGN_VERIFY", "Sign", "ED25519_SHA_512"),
        ("ECC_NIST_P256", "KEY_AGREEMENT", "DeriveSharedSecret", "ECDH"),
    ] {
        let wrapping = if spec == "HMAC_224" { "RSAES_OAEP_SHA_1" } else { "RSA_AES_KEY_WRAP_SHA_256" };
        let key = Imported::new(&house, spec, usage, wrapping).await;
        if !spec.starts_with("HMAC") {
            assert_eq!(house.fails("GetPublicKey", json!({"KeyId": key.id})).await, key.pending(), "{spec}");
        }
        let material = made(spec);
        for (more, parameter) in [
            (json!({"ImportType": "NEW_KEY_MATERIAL"}), "importType"),
            (json!({"KeyMaterialDescription": "d"}), "keyMaterialDescription"),
            (json!({"KeyMaterialId": "a".repeat(64)}), "keyMaterialId"),
        ] {
            let told = format!("Input parameter {parameter} can only be used with symmetric keys.");
            let refused = key.import(&house, &material, more).await.unwrap_err();
            assert_eq!(refused, ("ValidationException".to_owned(), told), "{spec}");
        }
        for wrong in [&material[1..], &[5; 32], &made("RSA_2048")[..]] {
            // OAEP alone wraps no RSA key, and one RSA key is as good as another.
            if wrong.len() < 1000 || (spec != "RSA_2048" && wrapping.starts_with("RSA_AES")) {
                let outcome = key.import(&house, wrong, json!({})).await;
                assert_eq!(code(outcome), "IncorrectKeyMaterialException", "{spec}");
            }
        }
        let given = key.import(&house, &material, json!({"ValidTo": START + 100 * DAY})).await.unwrap();
        assert_eq!(given, json!({"KeyId": key.arn}));
        let metadata = key.describe(&house).await;
        assert_eq!((&metadata["KeyState"], metadata.get("CurrentKeyMaterialId")), (&json!("Enabled"), None));
        assert_eq!(metadata["ValidTo"], json!((START + 100 * DAY) as f64));

        let mut body = json!({"KeyId": key.id});
        match operation {
            "GenerateMac" => body["MacAlgorithm"] = json!(algorithm),
            "Sign" => body["SigningAlgorithm"] = json!(algorithm),
            _ => {
                body["KeyAgreementAlgorithm"] = json!(algorithm);
                let peer = house.ok("GetPublicKey", json!({"KeyId": key.id})).await;
                body["PublicKey"] = peer["PublicKey"].clone();
            }
        }
        if operation != "DeriveSharedSecret" {
            body["Message"] = json!("QQ==");
        }
        let before = house.ok(operation, body.clone()).await;
        assert_eq!(key.delete(&house, None).await, json!({"KeyId": key.arn}));
        assert_eq!(house.fails(operation, body.clone()).await, key.pending(), "{spec} is served from memory");
        let outcome = key.import(&house, &made_otherwise(spec), json!({})).await;
        assert_eq!(code(outcome), "IncorrectKeyMaterialException", "{spec}");
        key.import(&house, &material, json!({})).await.unwrap();
        let after = house.ok(operation, body).await;
        if !algorithm.starts_with("ECDSA") {
            assert_eq!(after, before, "{spec}");
        }
        assert_eq!(
            code(house.call("RotateKeyOnDemand", json!({"KeyId": key.id})).await),
            "UnsupportedOperationException"
        );
    }
}

/// Other material of the same spec.
fn made_otherwise(spec: &str) -> Vec<u8> {
    let mut material = made(spec);
    if spec.starts_with("HMAC") {
        material[0] ^= 1;
    }
    material
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_imports_at_once_one_material_is_new() {
    let house = Arc::new(House::new().await);
    let key = Arc::new(Imported::symmetric(&house).await);
    let mut working = tokio::task::JoinSet::new();
    for byte in 0..8 {
        let (house, key) = (Arc::clone(&house), Arc::clone(&key));
        working.spawn(async move { key.import(&house, &[byte; 32], json!({})).await.is_ok() });
    }
    let mut done = 0;
    while let Some(outcome) = working.join_next().await {
        done += usize::from(outcome.unwrap());
    }
    assert_eq!((done, key.materials(&house).await.len()), (1, 1));
    house.ok("Decrypt", json!({"CiphertextBlob": key.encrypt(&house).await})).await;
}
