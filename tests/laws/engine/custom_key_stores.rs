//! External key stores and the keys in them, with a proxy in memory: what the XKS Proxy API's
//! specification says of requests, answers and errors.

use std::sync::Arc;

use data_encoding::BASE64;
use keystile::kms::{BackupReader, XksTransportError, restore};
use keystile::seal::Keyring;
use keystile::store::{RedbSettings, RedbStore, Store};
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::house::{ACCOUNT, House, root_key, text};
use super::proxy::{ACCESS_KEY, HOST, KEY, Mischief, SECRET};

/// A request for a store of that name, whose proxy is below that path.
pub(crate) fn asked_store(name: &str) -> Value {
    json!({
        "CustomKeyStoreName": name, "CustomKeyStoreType": "EXTERNAL_KEY_STORE",
        "XksProxyConnectivity": "PUBLIC_ENDPOINT", "XksProxyUriEndpoint": format!("https://{HOST}"),
        "XksProxyUriPath": format!("/{name}/kms/xks/v1"),
        "XksProxyAuthenticationCredential": {"AccessKeyId": ACCESS_KEY, "RawSecretAccessKey": SECRET},
    })
}

/// A new store's id.
pub(crate) async fn store(house: &House, name: &str) -> String {
    text(&house.ok("CreateCustomKeyStore", asked_store(name)).await["CustomKeyStoreId"])
}

pub(crate) async fn connected_store(house: &House, name: &str) -> String {
    let id = store(house, name).await;
    house.ok("ConnectCustomKeyStore", json!({"CustomKeyStoreId": id})).await;
    id
}

/// A request for a key in a store.
pub(crate) fn asked_key(store: &str, external: &str) -> Value {
    json!({"Origin": "EXTERNAL_KEY_STORE", "CustomKeyStoreId": store, "XksKeyId": external})
}

/// A new key in a store: its id and ARN.
pub(crate) async fn key_in(house: &House, store: &str, external: &str) -> (String, String) {
    let made = house.ok("CreateKey", asked_key(store, external)).await;
    (text(&made["KeyMetadata"]["KeyId"]), text(&made["KeyMetadata"]["Arn"]))
}

async fn described(house: &House, id: &str) -> Value {
    let listed = house.ok("DescribeCustomKeyStores", json!({"CustomKeyStoreId": id})).await;
    assert_eq!(listed["CustomKeyStores"].as_array().unwrap().len(), 1);
    listed["CustomKeyStores"][0].clone()
}

async fn connection(house: &House, id: &str) -> (String, String) {
    let store = described(house, id).await;
    (text(&store["ConnectionState"]), store["ConnectionErrorCode"].as_str().unwrap_or_default().to_owned())
}

fn cks(id: &str) -> Value {
    json!({"CustomKeyStoreId": id})
}

#[tokio::test]
async fn a_store_lives_from_its_creation_to_its_deletion() {
    let house = House::new().await;
    let id = store(&house, "first").await;
    assert!(id.starts_with("cks-") && id.len() == 21, "{id}");
    let mut shown = described(&house, &id).await;
    assert!(shown["CreationDate"].take().is_number());
    assert_eq!(
        shown,
        json!({"CustomKeyStoreId": id, "CustomKeyStoreName": "first", "CustomKeyStoreType": "EXTERNAL_KEY_STORE",
            "ConnectionState": "DISCONNECTED", "CreationDate": null,
            "XksProxyConfiguration": {"Connectivity": "PUBLIC_ENDPOINT", "AccessKeyId": ACCESS_KEY,
                "UriEndpoint": "https://xks.example.com", "UriPath": "/first/kms/xks/v1"}})
    );
    let (code, _) = house.fails("CreateKey", asked_key(&id, KEY)).await;
    assert_eq!(code, "CustomKeyStoreInvalidStateException", "not while it is disconnected");
    assert_eq!(house.ok("ConnectCustomKeyStore", cks(&id)).await, json!({}));
    assert_eq!(connection(&house, &id).await.0, "CONNECTED");
    // Connecting what is connected asks the proxy again.
    house.ok("ConnectCustomKeyStore", cks(&id)).await;

    let made = house.ok("CreateKey", asked_key(&id, KEY)).await["KeyMetadata"].clone();
    for (member, value) in [
        ("Origin", json!("EXTERNAL_KEY_STORE")),
        ("CustomKeyStoreId", json!(id)),
        ("XksKeyConfiguration", json!({"Id": KEY})),
        ("KeySpec", json!("SYMMETRIC_DEFAULT")),
        ("KeyState", json!("Enabled")),
        ("MultiRegion", json!(false)),
        ("CurrentKeyMaterialId", Value::Null),
    ] {
        assert_eq!(made[member], value, "{member}");
    }
    let (code, _) = house.fails("DeleteCustomKeyStore", cks(&id)).await;
    assert_eq!(code, "CustomKeyStoreHasCMKsException");
    house.ok("ScheduleKeyDeletion", json!({"KeyId": made["KeyId"], "PendingWindowInDays": 7})).await;
    house.ok("DisconnectCustomKeyStore", cks(&id)).await;
    let (code, _) = house.fails("DeleteCustomKeyStore", cks(&id)).await;
    assert_eq!(code, "CustomKeyStoreHasCMKsException", "a key that is to be deleted is a key");
    let pending = house.ok("DescribeKey", json!({"KeyId": made["KeyId"]})).await;
    assert_eq!(pending["KeyMetadata"]["KeyState"], "PendingDeletion", "also while the store is disconnected");
    house.sleep(8);
    house.kms.rotate_due().await.unwrap();
    house.ok("ConnectCustomKeyStore", cks(&id)).await;
    let (code, _) = house.fails("DeleteCustomKeyStore", cks(&id)).await;
    assert_eq!(code, "CustomKeyStoreInvalidStateException");
    // The external key is free again once its KMS key is gone.
    let again = key_in(&house, &id, KEY).await.0;
    house.ok("ScheduleKeyDeletion", json!({"KeyId": again, "PendingWindowInDays": 7})).await;
    house.sleep(8);
    house.kms.rotate_due().await.unwrap();
    house.ok("DisconnectCustomKeyStore", cks(&id)).await;
    house.ok("DeleteCustomKeyStore", cks(&id)).await;
    for operation in ["DescribeCustomKeyStores", "ConnectCustomKeyStore", "DeleteCustomKeyStore"] {
        assert_eq!(house.fails(operation, cks(&id)).await.0, "CustomKeyStoreNotFoundException", "{operation}");
    }
    // Name and proxy are free again.
    store(&house, "first").await;
}

#[tokio::test]
async fn keys_encrypt_by_their_proxy_and_not_while_it_is_disconnected() {
    let house = House::new().await;
    let id = connected_store(&house, "s").await;
    let (key, arn) = key_in(&house, &id, KEY).await;
    house.ok("CreateAlias", json!({"AliasName": "alias/external", "TargetKeyId": key})).await;
    let context = json!({"tenant": "a"});
    let sealed = house
        .ok("Encrypt", json!({"KeyId": "alias/external", "Plaintext": "c2VjcmV0", "EncryptionContext": context}))
        .await;
    assert_eq!(sealed["KeyId"], json!(arn));
    let blob = &sealed["CiphertextBlob"];
    let opened = house.ok("Decrypt", json!({"CiphertextBlob": blob, "EncryptionContext": context})).await;
    assert_eq!((&opened["Plaintext"], &opened["KeyId"]), (&json!("c2VjcmV0"), &json!(arn)));
    let data = house.ok("GenerateDataKey", json!({"KeyId": key, "KeySpec": "AES_256"})).await;
    let opened = house.ok("Decrypt", json!({"KeyId": key, "CiphertextBlob": data["CiphertextBlob"]})).await;
    assert_eq!(opened["Plaintext"], data["Plaintext"]);
    let data = house.ok("GenerateDataKeyWithoutPlaintext", json!({"KeyId": key, "NumberOfBytes": 1024})).await;
    house.ok("Decrypt", json!({"CiphertextBlob": data["CiphertextBlob"]})).await;

    // To a key of the engine's own, to a key of another store, and back.
    let (own, _) = house.key().await;
    let other = connected_store(&house, "other").await;
    let (third, _) = key_in(&house, &other, KEY).await;
    let mut blob = blob.clone();
    let mut last = context.clone();
    for (destination, next) in [(&own, json!({"n": "1"})), (&third, json!({"n": "2"})), (&key, context.clone())] {
        let asked = json!({"CiphertextBlob": blob, "SourceEncryptionContext": last, "DestinationKeyId": destination,
            "DestinationEncryptionContext": next});
        blob = house.ok("ReEncrypt", asked).await["CiphertextBlob"].clone();
        last = next;
    }
    let decrypt = json!({"CiphertextBlob": blob, "EncryptionContext": context});
    assert_eq!(house.ok("Decrypt", decrypt.clone()).await["Plaintext"], "c2VjcmV0");

    house.ok("DisconnectCustomKeyStore", cks(&id)).await;
    let shown = house.ok("DescribeKey", json!({"KeyId": key})).await["KeyMetadata"].clone();
    assert_eq!((&shown["KeyState"], &shown["Enabled"]), (&json!("Unavailable"), &json!(false)));
    let unavailable = ("KMSInvalidStateException".to_owned(), format!("{arn} is unavailable."));
    house.proxy.asked();
    for (operation, body) in [
        ("Decrypt", decrypt.clone()),
        ("Encrypt", json!({"KeyId": key, "Plaintext": "QQ=="})),
        ("GenerateDataKey", json!({"KeyId": key, "KeySpec": "AES_256"})),
        ("ReEncrypt", json!({"CiphertextBlob": blob, "SourceEncryptionContext": context, "DestinationKeyId": own})),
    ] {
        assert_eq!(house.fails(operation, body).await, unavailable, "{operation}");
    }
    // What is managed is managed (KMS Developer Guide, "Key states of AWS KMS keys").
    for (operation, body) in [
        ("DisableKey", json!({"KeyId": key})),
        ("EnableKey", json!({"KeyId": key})),
        ("CreateGrant", json!({"KeyId": key, "GranteePrincipal": ACCOUNT_USER, "Operations": ["Decrypt"]})),
        ("TagResource", json!({"KeyId": key, "Tags": [{"TagKey": "a", "TagValue": "b"}]})),
        ("UpdateKeyDescription", json!({"KeyId": key, "Description": "d"})),
        ("UpdateAlias", json!({"AliasName": "alias/external", "TargetKeyId": own})),
        ("ScheduleKeyDeletion", json!({"KeyId": key})),
        ("CancelKeyDeletion", json!({"KeyId": key})),
        ("EnableKey", json!({"KeyId": key})),
    ] {
        house.ok(operation, body).await;
    }
    assert_eq!(house.proxy.asked(), [], "nobody is asked for what needs nobody");
    house.ok("ConnectCustomKeyStore", cks(&id)).await;
    let house = house.restarted().await;
    assert_eq!(house.ok("Decrypt", decrypt.clone()).await["Plaintext"], "c2VjcmV0");
    house.ok("DisableKey", json!({"KeyId": key})).await;
    assert_eq!(house.fails("Decrypt", decrypt).await.0, "DisabledException");
}

const ACCOUNT_USER: &str = "arn:aws:iam::111122223333:user/alice";

#[tokio::test]
async fn a_proxy_is_told_who_asks_for_what() {
    let house = House::new().await;
    let id = connected_store(&house, "s").await;
    let (key, arn) = key_in(&house, &id, KEY).await;
    let nil = "00000000-0000-0000-0000-000000000000";
    let health = |operation: &str| {
        let body = json!({"requestMetadata": {"kmsOperation": operation, "kmsRequestId": nil}});
        ("/s/kms/xks/v1/health".to_owned(), body)
    };
    let root = "arn:aws:iam::111122223333:root";
    let asked = house.proxy.asked();
    assert_eq!(asked[0], health("CreateCustomKeyStore"));
    assert_eq!(asked[1], health("ConnectCustomKeyStore"));
    let metadata = json!({"awsPrincipalArn": root, "kmsOperation": "CreateKey", "kmsRequestId": nil});
    assert_eq!(asked[2], (format!("/s/kms/xks/v1/keys/{KEY}/metadata"), json!({"requestMetadata": metadata})));
    assert_eq!(asked.len(), 3);

    let plaintext = BASE64.encode(&[7; 4096]);
    let sealed = house.ok("Encrypt", json!({"KeyId": key, "Plaintext": plaintext})).await["CiphertextBlob"].clone();
    house.ok("ReEncrypt", json!({"CiphertextBlob": sealed, "DestinationKeyId": key})).await;
    let asked = house.proxy.asked();
    let paths: Vec<&str> = asked.iter().map(|(path, _)| path.rsplit('/').next().unwrap()).collect();
    assert_eq!(paths, ["encrypt", "decrypt", "encrypt"]);
    for ((_, body), operation) in asked.iter().zip(["Encrypt", "ReEncrypt", "ReEncrypt"]) {
        let metadata =
            json!({"awsPrincipalArn": root, "kmsKeyArn": arn, "kmsOperation": operation, "kmsRequestId": nil});
        assert_eq!(body["requestMetadata"], metadata);
        assert_eq!(body["encryptionAlgorithm"], "AES_GCM");
        let aad = BASE64.decode(body["additionalAuthenticatedData"].as_str().unwrap().as_bytes()).unwrap();
        assert!(!aad.is_empty() && aad.len() <= 8192);
    }
    let (_, encrypt) = &asked[0];
    assert_eq!(encrypt["ciphertextDataIntegrityValueAlgorithm"], "SHA_256");
    let inner = BASE64.decode(encrypt["plaintext"].as_str().unwrap().as_bytes()).unwrap();
    assert!((4096..=4300).contains(&inner.len()), "what every proxy takes");
    assert!(!inner.windows(8).any(|part| part == [7; 8]), "a proxy never sees a plaintext");
    assert_eq!(asked[1].1["ciphertextMetadata"], json!(BASE64.encode(b"version=1")));
}

/// What a proxy answers or does not, and what is told of it: by CreateCustomKeyStore, by CreateKey, by a
/// store that is connected, and by who uses a key with these words.
pub(crate) type Row = (Mischief, &'static str, &'static str, &'static str, &'static str);

pub(crate) fn failures() -> Vec<Row> {
    const UNREACHABLE: &str = "XksProxyUriUnreachableException";
    const RESPONSE: &str = "XksProxyInvalidResponseException";
    const CONFIGURATION: &str = "XksProxyInvalidConfigurationException";
    const STATE: &str = "CustomKeyStoreInvalidStateException";
    const UNFIT: &str = "XksKeyInvalidConfigurationException";
    const UNREADABLE: &str = "cannot interpret the response";
    let invalid = "XKS_PROXY_INVALID_RESPONSE";
    let error = |status, name| Mischief::Error(status, name);
    vec![
        (error(400, "ValidationException"), RESPONSE, STATE, invalid, UNREADABLE),
        (
            error(400, "InvalidStateException"),
            CONFIGURATION,
            UNFIT,
            "XKS_PROXY_INVALID_CONFIGURATION",
            "is not enabled in the external key manager",
        ),
        (error(400, "InvalidKeyUsageException"), RESPONSE, UNFIT, invalid, "does not support the requested operation"),
        (
            error(401, "AuthenticationFailedException"),
            "XksProxyIncorrectAuthenticationCredentialException",
            STATE,
            "INVALID_CREDENTIALS",
            "could not authenticate AWS KMS",
        ),
        (
            error(403, "AccessDeniedException"),
            CONFIGURATION,
            "KMSInvalidStateException",
            "XKS_PROXY_ACCESS_DENIED",
            "denied access to the operation",
        ),
        (error(404, "KeyNotFoundException"), RESPONSE, "XksKeyNotFoundException", invalid, "was not found"),
        (
            error(404, "InvalidUriPathException"),
            CONFIGURATION,
            STATE,
            "XKS_PROXY_INVALID_CONFIGURATION",
            "invalid URI path",
        ),
        (error(429, "ThrottlingException"), UNREACHABLE, STATE, "XKS_PROXY_NOT_REACHABLE", "very high request rate"),
        (error(501, "UnsupportedOperationException"), RESPONSE, UNFIT, invalid, "does not support the requested"),
        (error(503, "DependencyTimeoutException"), UNREACHABLE, STATE, "XKS_PROXY_TIMED_OUT", "in the time allotted"),
        (error(500, "InternalException"), RESPONSE, STATE, invalid, "cannot communicate with the external key manager"),
        (error(400, "NoSuchException"), RESPONSE, STATE, invalid, UNREADABLE),
        (Mischief::Answers(200, "garbage".to_owned()), RESPONSE, STATE, invalid, UNREADABLE),
        (Mischief::Answers(200, "{}".to_owned()), RESPONSE, STATE, invalid, UNREADABLE),
        (Mischief::Answers(502, "<html>".to_owned()), RESPONSE, STATE, invalid, UNREADABLE),
        (Mischief::Answers(302, String::new()), RESPONSE, STATE, invalid, UNREADABLE),
        (
            Mischief::Silence(XksTransportError::Unreachable),
            UNREACHABLE,
            STATE,
            "XKS_PROXY_NOT_REACHABLE",
            "cannot communicate with the external key store proxy",
        ),
        (
            Mischief::Silence(XksTransportError::Tls),
            UNREACHABLE,
            STATE,
            "XKS_PROXY_INVALID_TLS_CONFIGURATION",
            "cannot establish a TLS connection",
        ),
        (
            Mischief::Silence(XksTransportError::TimedOut),
            UNREACHABLE,
            STATE,
            "XKS_PROXY_TIMED_OUT",
            "did not respond in time",
        ),
        (Mischief::Silence(XksTransportError::Malformed), RESPONSE, STATE, invalid, UNREADABLE),
        (
            Mischief::Silence(XksTransportError::NotListed),
            CONFIGURATION,
            STATE,
            "XKS_PROXY_INVALID_CONFIGURATION",
            "external_key_stores.hosts",
        ),
    ]
}

#[tokio::test]
async fn what_a_proxy_fails_at_is_told_as_the_specification_says() {
    let house = House::new().await;
    let id = connected_store(&house, "s").await;
    let (key, _) = key_in(&house, &id, KEY).await;
    let blob = house.ok("Encrypt", json!({"KeyId": key, "Plaintext": "QQ=="})).await["CiphertextBlob"].clone();
    for (mischief, of_store, of_key, of_connection, words) in failures() {
        let name = format!("{mischief:?}");
        house.proxy.does(mischief);
        let told = house.fails("CreateCustomKeyStore", asked_store("another")).await;
        assert_eq!(told.0, of_store, "{name}: CreateCustomKeyStore");
        let update = json!({"CustomKeyStoreId": id, "XksProxyUriPath": "/moved/kms/xks/v1"});
        assert_eq!(house.fails("UpdateCustomKeyStore", update).await, told, "{name}: UpdateCustomKeyStore");
        let (code, _) = house.fails("CreateKey", asked_key(&id, "good-key-of-another")).await;
        assert_eq!(code, of_key, "{name}: CreateKey");
        for (operation, body) in [
            ("Encrypt", json!({"KeyId": key, "Plaintext": "QQ=="})),
            ("GenerateDataKey", json!({"KeyId": key, "KeySpec": "AES_256"})),
            ("Decrypt", json!({"CiphertextBlob": blob})),
            ("ReEncrypt", json!({"CiphertextBlob": blob, "DestinationKeyId": key})),
        ] {
            let (code, message) = house.fails(operation, body).await;
            assert_eq!(code, "KMSInvalidStateException", "{name}: {operation}");
            assert!(message.contains(words), "{name}: {operation}: {message}");
            assert!(!message.contains("proxy-internal"), "the proxy's own text is not for callers");
        }
        // A store that is connected stays so.
        assert_eq!(house.ok("ConnectCustomKeyStore", cks(&id)).await, json!({}));
        assert_eq!(connection(&house, &id).await.0, "CONNECTED", "{name}");
        house.ok("DisconnectCustomKeyStore", cks(&id)).await;
        assert_eq!(house.ok("ConnectCustomKeyStore", cks(&id)).await, json!({}));
        assert_eq!(connection(&house, &id).await, ("FAILED".to_owned(), of_connection.to_owned()), "{name}");
        house.proxy.behaves();
        // A failed store is disconnected before anything else.
        for (operation, body) in [
            ("ConnectCustomKeyStore", cks(&id)),
            ("DeleteCustomKeyStore", cks(&id)),
            ("UpdateCustomKeyStore", json!({"CustomKeyStoreId": id, "NewCustomKeyStoreName": "t"})),
            ("CreateKey", asked_key(&id, "good-key-of-another")),
        ] {
            let expected = match operation {
                "DeleteCustomKeyStore" => "CustomKeyStoreHasCMKsException",
                _ => "CustomKeyStoreInvalidStateException",
            };
            assert_eq!(house.fails(operation, body).await.0, expected, "{name}: {operation}");
        }
        let shown = house.ok("DescribeKey", json!({"KeyId": key})).await;
        assert_eq!(shown["KeyMetadata"]["KeyState"], "Unavailable");
        house.ok("DisconnectCustomKeyStore", cks(&id)).await;
        house.ok("ConnectCustomKeyStore", cks(&id)).await;
        house.ok("Decrypt", json!({"CiphertextBlob": blob})).await;
    }
    let unavailable = json!([{"id": "1", "model": "m", "healthStatus": "UNAVAILABLE"}]);
    house.proxy.does(Mischief::Member("ekmFleetDetails", unavailable));
    let (code, message) = house.fails("CreateCustomKeyStore", asked_store("another")).await;
    assert_eq!(code, "XksProxyUriUnreachableException");
    assert!(message.contains("all external key manager instances are unavailable"), "{message}");
}

#[tokio::test]
async fn an_external_key_must_be_there_fit_and_free() {
    let house = House::new().await;
    let (id, other) = (connected_store(&house, "one").await, connected_store(&house, "two").await);
    key_in(&house, &id, KEY).await;
    for (external, code) in [
        ("unknown", "XksKeyNotFoundException"),
        ("disabled", "XksKeyInvalidConfigurationException"),
        ("one-way", "XksKeyInvalidConfigurationException"),
        ("short", "XksKeyInvalidConfigurationException"),
        (KEY, "XksKeyAlreadyInUseException"),
        ("..", "ValidationException"),
        ("a/b", "ValidationException"),
    ] {
        assert_eq!(house.fails("CreateKey", asked_key(&id, external)).await.0, code, "{external}");
    }
    // Free in another store, whatever is behind it.
    key_in(&house, &other, KEY).await;
    let unknown = asked_key("cks-00000000000000000", KEY);
    assert_eq!(house.fails("CreateKey", unknown).await.0, "CustomKeyStoreNotFoundException");
    for missing in ["Origin", "CustomKeyStoreId", "XksKeyId"] {
        let mut asked = asked_key(&id, "good-key-2");
        asked.as_object_mut().unwrap().remove(missing);
        assert_eq!(house.fails("CreateKey", asked).await.0, "ValidationException", "{missing}");
    }
    // Of many at once one has it.
    let race = (0..8).map(|_| house.call("CreateKey", asked_key(&id, "good-key-3")));
    let made = futures_of(race).await;
    assert_eq!(made.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    for outcome in made.into_iter().filter_map(Result::err) {
        assert_eq!(outcome.0, "XksKeyAlreadyInUseException");
    }
}

/// Several requests at once.
async fn futures_of<F: Future>(requests: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut pinned: Vec<_> = requests.map(Box::pin).collect();
    let mut done: Vec<Option<F::Output>> = pinned.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (at, future) in pinned.iter_mut().enumerate() {
            if done[at].is_none()
                && let std::task::Poll::Ready(output) = future.as_mut().poll(context)
            {
                done[at] = Some(output);
            }
        }
        if done.iter().all(Option::is_some) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    done.into_iter().flatten().collect()
}

#[tokio::test]
async fn names_and_proxies_are_unique_and_ten_are_the_most() {
    let house = House::new().await;
    store(&house, "s0").await;
    let with = |changed: &[(&str, Value)]| {
        let mut asked = asked_store("s1");
        for (member, value) in changed {
            asked[*member] = value.clone();
        }
        asked
    };
    house.proxy.asked();
    for (asked, code) in [
        (with(&[("CustomKeyStoreName", json!("s0"))]), "CustomKeyStoreNameInUseException"),
        (with(&[("XksProxyUriPath", json!("/s0/kms/xks/v1"))]), "XksProxyUriInUseException"),
        (
            with(&[
                ("XksProxyUriPath", json!("/s0/kms/xks/v1")),
                ("XksProxyUriEndpoint", json!("https://XKS.example.com")),
            ]),
            "XksProxyUriInUseException",
        ),
        (with(&[("XksProxyUriPath", json!("/s1/kms/xks/v2"))]), "XksProxyInvalidConfigurationException"),
        (with(&[("XksProxyUriPath", json!("/s1//x/kms/xks/v1"))]), "XksProxyInvalidConfigurationException"),
        (with(&[("XksProxyConnectivity", json!("VPC_ENDPOINT_SERVICE"))]), "UnsupportedOperationException"),
        (with(&[("CustomKeyStoreType", json!("AWS_CLOUDHSM"))]), "UnsupportedOperationException"),
        (with(&[("CustomKeyStoreType", Value::Null)]), "UnsupportedOperationException"),
        (with(&[("CloudHsmClusterId", json!("cluster-abcdefg2345"))]), "UnsupportedOperationException"),
        (with(&[("XksProxyUriEndpoint", Value::Null)]), "ValidationException"),
        (with(&[("XksProxyUriPath", Value::Null)]), "ValidationException"),
        (with(&[("XksProxyConnectivity", Value::Null)]), "ValidationException"),
        (with(&[("XksProxyAuthenticationCredential", Value::Null)]), "ValidationException"),
        (with(&[("XksProxyUriEndpoint", json!("http://xks.example.com"))]), "ValidationException"),
        (with(&[("XksProxyUriEndpoint", json!("https://xks.example.com:8443"))]), "ValidationException"),
    ] {
        assert_eq!(house.fails("CreateCustomKeyStore", asked.clone()).await.0, code, "{asked}");
    }
    assert_eq!(house.proxy.asked(), [], "what is refused anyway is refused before anybody is called");
    let other = with(&[("XksProxyUriEndpoint", json!("https://elsewhere.example.com"))]);
    let (code, message) = house.fails("CreateCustomKeyStore", other).await;
    assert_eq!(code, "XksProxyInvalidConfigurationException");
    assert!(message.contains("external_key_stores.hosts"), "{message}");

    let race = (0..6).map(|_| house.call("CreateCustomKeyStore", asked_store("raced")));
    let made = futures_of(race).await;
    assert_eq!(made.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{made:?}");
    for n in 2..10 {
        store(&house, &format!("s{n}")).await;
    }
    assert_eq!(house.fails("CreateCustomKeyStore", asked_store("s10")).await.0, "LimitExceededException");
    // Names, proxies and the limit are of an account and Region.
    let stranger = House::caller("arn:aws:iam::444455556666:root", "444455556666");
    house.call_as(&stranger, "CreateCustomKeyStore", asked_store("s0")).await.unwrap();
    house.call_in("eu-west-1", &House::root(), "CreateCustomKeyStore", asked_store("s0")).await.unwrap();
    let listed = house.call_as(&stranger, "DescribeCustomKeyStores", json!({})).await.unwrap();
    assert_eq!(listed["CustomKeyStores"].as_array().unwrap().len(), 1);

    // By pages.
    let mut seen = Vec::new();
    let mut asked = json!({"Limit": 4});
    loop {
        let page = house.ok("DescribeCustomKeyStores", asked.clone()).await;
        seen.extend(page["CustomKeyStores"].as_array().unwrap().iter().map(|store| text(&store["CustomKeyStoreName"])));
        if page["Truncated"] == json!(false) {
            break;
        }
        asked["Marker"] = page["NextMarker"].clone();
    }
    seen.sort();
    assert_eq!(seen, ["raced", "s0", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9"]);
    let named = house.ok("DescribeCustomKeyStores", json!({"CustomKeyStoreName": "s3"})).await;
    assert_eq!(named["CustomKeyStores"][0]["CustomKeyStoreName"], "s3");
    let id = named["CustomKeyStores"][0]["CustomKeyStoreId"].clone();
    for (asked, code) in [
        (json!({"CustomKeyStoreName": "s10"}), "CustomKeyStoreNotFoundException"),
        (json!({"CustomKeyStoreId": "cks-../s3"}), "CustomKeyStoreNotFoundException"),
        (json!({"CustomKeyStoreId": id, "CustomKeyStoreName": "s3"}), "ValidationException"),
        (json!({"Limit": 1001}), "ValidationException"),
    ] {
        assert_eq!(house.fails("DescribeCustomKeyStores", asked).await.0, code);
    }
    // One that goes makes room for one.
    house.ok("DeleteCustomKeyStore", json!({"CustomKeyStoreId": id})).await;
    store(&house, "s10").await;
}

#[tokio::test]
async fn a_store_is_updated_while_it_may_be_and_its_proxy_agrees() {
    let house = House::new().await;
    let id = connected_store(&house, "s").await;
    store(&house, "taken").await;
    let (key, _) = key_in(&house, &id, KEY).await;
    let blob = house.ok("Encrypt", json!({"KeyId": key, "Plaintext": "QQ=="})).await["CiphertextBlob"].clone();
    let update = |member: &str, value: Value| json!({"CustomKeyStoreId": id, member: value});
    house.proxy.asked();
    house.ok("UpdateCustomKeyStore", update("NewCustomKeyStoreName", json!("renamed"))).await;
    assert_eq!(house.proxy.asked(), []);
    assert_eq!(described(&house, &id).await["CustomKeyStoreName"], "renamed");
    assert_eq!(
        house.fails("DescribeCustomKeyStores", json!({"CustomKeyStoreName": "s"})).await.0,
        "CustomKeyStoreNotFoundException"
    );
    for (member, value, code) in [
        ("NewCustomKeyStoreName", json!("taken"), "CustomKeyStoreNameInUseException"),
        ("XksProxyUriPath", json!("/taken/kms/xks/v1"), "XksProxyUriInUseException"),
        ("XksProxyUriEndpoint", json!("https://elsewhere.example.com"), "CustomKeyStoreInvalidStateException"),
        ("XksProxyConnectivity", json!("VPC_ENDPOINT_SERVICE"), "UnsupportedOperationException"),
        ("KeyStorePassword", json!("password"), "UnsupportedOperationException"),
    ] {
        assert_eq!(house.fails("UpdateCustomKeyStore", update(member, value)).await.0, code, "{member}");
    }
    // A credential is rotated while the store is in use, once the proxy takes it.
    let (access_key, secret) = ("TSRQPONMLKJIHGFEDCBA", "anothersecretanothersecretanothersecretanoth");
    let credential = json!({"AccessKeyId": access_key, "RawSecretAccessKey": secret});
    let rotate = update("XksProxyAuthenticationCredential", credential);
    assert_eq!(
        house.fails("UpdateCustomKeyStore", rotate.clone()).await.0,
        "XksProxyIncorrectAuthenticationCredentialException"
    );
    house.ok("Decrypt", json!({"CiphertextBlob": blob})).await;
    house.proxy.trusts(access_key, secret);
    let (_, message) = house.fails("Decrypt", json!({"CiphertextBlob": blob})).await;
    assert!(message.contains("could not authenticate"), "{message}");
    house.ok("UpdateCustomKeyStore", rotate).await;
    house.ok("Decrypt", json!({"CiphertextBlob": blob})).await;
    assert_eq!(described(&house, &id).await["XksProxyConfiguration"]["AccessKeyId"], access_key);

    house.proxy.asked();
    house.ok("UpdateCustomKeyStore", update("XksProxyUriPath", json!("/moved/kms/xks/v1"))).await;
    house.ok("Decrypt", json!({"CiphertextBlob": blob})).await;
    let asked = house.proxy.asked();
    assert_eq!(asked[0].0, "/moved/kms/xks/v1/health");
    assert_eq!(asked[0].1["requestMetadata"]["kmsOperation"], "UpdateCustomKeyStore");
    assert_eq!(asked[1].0, format!("/moved/kms/xks/v1/keys/{KEY}/decrypt"));
    house.ok("DisconnectCustomKeyStore", cks(&id)).await;
    // What it was is free for another, and the endpoint may change now, in its spelling at least.
    house.proxy.trusts(ACCESS_KEY, SECRET);
    store(&house, "s").await;
    house.proxy.trusts(access_key, secret);
    house.ok("UpdateCustomKeyStore", update("XksProxyUriEndpoint", json!("https://XKS.example.com"))).await;
    assert_eq!(described(&house, &id).await["XksProxyConfiguration"]["UriEndpoint"], "https://XKS.example.com");
    let unknown = json!({"CustomKeyStoreId": "cks-00000000000000000", "NewCustomKeyStoreName": "n"});
    assert_eq!(house.fails("UpdateCustomKeyStore", unknown).await.0, "CustomKeyStoreNotFoundException");
}

#[tokio::test]
async fn no_ciphertext_opens_as_one_of_another_kind() {
    let house = House::new().await;
    let id = connected_store(&house, "s").await;
    let (key, _) = key_in(&house, &id, KEY).await;
    let (second, _) = key_in(&house, &id, "good-key-2").await;
    let (own, _) = house.key().await;
    let mut blobs = Vec::new();
    for key in [&key, &second, &own] {
        let asked = json!({"KeyId": key, "Plaintext": "c2VjcmV0", "EncryptionContext": {"a": "1"}});
        let sealed = house.ok("Encrypt", asked).await;
        blobs.push(BASE64.decode(sealed["CiphertextBlob"].as_str().unwrap().as_bytes()).unwrap());
    }
    let context = json!({"a": "1"});
    let fails = async |blob: &[u8], context: &Value| {
        let asked = json!({"CiphertextBlob": BASE64.encode(blob), "EncryptionContext": context});
        house.fails("Decrypt", asked).await
    };
    assert_eq!([blobs[0][0], blobs[2][0]], [3, 1], "the first byte tells the format");
    // Header of one, body of another.
    for (header, body) in [(0, 1), (1, 0), (0, 2), (2, 0)] {
        let mixed = [&blobs[header][..65], &blobs[body][65..]].concat();
        let (code, _) = fails(&mixed, &context).await;
        assert!(["InvalidCiphertextException", "KMSInvalidStateException"].contains(&code.as_str()), "{header} {body}");
    }
    // The format of the other kind, with the checksum made good.
    for (at, format) in [(0, 1u8), (2, 3u8)] {
        let mut blob = blobs[at].clone();
        blob[0] = format;
        let sum = <sha2::Sha256 as sha2::Digest>::digest(&blob[..61]);
        blob[61..65].copy_from_slice(&sum[..4]);
        assert_eq!(fails(&blob, &context).await.0, "InvalidCiphertextException", "{format}");
    }
    // Another context, and any other byte, fail at the proxy or here.
    let (code, message) = fails(&blobs[0], &json!({"a": "2"})).await;
    assert_eq!(code, "KMSInvalidStateException");
    assert!(message.contains("ciphertext or encryption context is corrupted"), "{message}");
    for at in [65, 66, 80, 95, 110, blobs[0].len() - 1] {
        let mut blob = blobs[0].clone();
        blob[at] ^= 1;
        let (code, _) = fails(&blob, &context).await;
        assert!(["InvalidCiphertextException", "KMSInvalidStateException"].contains(&code.as_str()), "{at}: {code}");
    }
    for length in [65, 66, 78, 95] {
        assert_eq!(fails(&blobs[0][..length], &context).await.0, "InvalidCiphertextException", "{length}");
    }
    house.proxy.does(Mischief::WrongPlaintext);
    let (code, message) = fails(&blobs[0], &context).await;
    assert_eq!(code, "KMSInvalidStateException");
    assert!(message.contains("submitted for decryption"), "{message}");
    // An answer that is not whole is no ciphertext.
    house.proxy.does(Mischief::Member("ciphertext", json!(BASE64.encode(&[0; 45]))));
    let (code, _) = house.fails("Encrypt", json!({"KeyId": key, "Plaintext": "QQ=="})).await;
    assert_eq!(code, "KMSInvalidStateException");
    house.proxy.behaves();
    let named = json!({"KeyId": second, "CiphertextBlob": BASE64.encode(&blobs[0]), "EncryptionContext": context});
    assert_eq!(house.fails("Decrypt", named).await.0, "IncorrectKeyException");
}

#[tokio::test]
async fn what_keys_in_a_store_are_not_for_is_unsupported() {
    let house = House::new().await;
    let id = connected_store(&house, "s").await;
    let (key, arn) = key_in(&house, &id, KEY).await;
    let origin = || format!("{arn} origin is EXTERNAL_KEY_STORE which is not valid for this operation.");
    for connected in [true, false] {
        for operation in [
            "EnableKeyRotation",
            "DisableKeyRotation",
            "RotateKeyOnDemand",
            "GetKeyRotationStatus",
            "ListKeyRotations",
            "DeleteImportedKeyMaterial",
        ] {
            let told = house.fails(operation, json!({"KeyId": key})).await;
            assert_eq!(told, ("UnsupportedOperationException".to_owned(), origin()), "{operation}");
        }
        let parameters =
            json!({"KeyId": key, "WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"});
        for (operation, body) in [
            ("GetParametersForImport", parameters),
            ("GetPublicKey", json!({"KeyId": key})),
            ("ReplicateKey", json!({"KeyId": key, "ReplicaRegion": "eu-west-1"})),
            ("GenerateRandom", json!({"NumberOfBytes": 8, "CustomKeyStoreId": id})),
        ] {
            assert_eq!(house.fails(operation, body).await.0, "UnsupportedOperationException", "{operation}");
        }
        if connected {
            let pair = json!({"KeyId": key, "KeyPairSpec": "ECC_NIST_P256"});
            assert_eq!(house.fails("GenerateDataKeyPair", pair).await.0, "UnsupportedOperationException");
            house.ok("DisconnectCustomKeyStore", cks(&id)).await;
        }
    }
    let random = json!({"NumberOfBytes": 8, "CustomKeyStoreId": "cks-00000000000000000"});
    assert_eq!(house.fails("GenerateRandom", random).await.0, "CustomKeyStoreNotFoundException");
}

#[tokio::test]
async fn a_proxy_that_hangs_costs_its_own_requests_alone() {
    let house = House::new().await;
    let id = connected_store(&house, "s").await;
    let (key, _) = key_in(&house, &id, KEY).await;
    let (own, _) = house.key().await;
    let gate = Arc::new(Notify::new());
    house.proxy.does(Mischief::Hangs(Arc::clone(&gate)));
    let hanging = house.call("Encrypt", json!({"KeyId": key, "Plaintext": "QQ=="}));
    let others = async {
        house.ok("Encrypt", json!({"KeyId": own, "Plaintext": "QQ=="})).await;
        house.ok("DescribeKey", json!({"KeyId": key})).await;
        house.ok("TagResource", json!({"KeyId": key, "Tags": [{"TagKey": "a", "TagValue": "b"}]})).await;
        house.ok("CreateKey", json!({})).await;
        house.proxy.behaves();
        gate.notify_one();
    };
    let (hung, ()) = tokio::join!(hanging, others);
    hung.unwrap();

    // A key whose store is disconnected while its proxy is asked is not made.
    house.proxy.does(Mischief::Hangs(Arc::clone(&gate)));
    let making = house.call("CreateKey", asked_key(&id, "good-key-2"));
    let cutting = async {
        house.ok("DisconnectCustomKeyStore", cks(&id)).await;
        house.proxy.behaves();
        gate.notify_one();
    };
    let (made, ()) = tokio::join!(making, cutting);
    assert_eq!(made.unwrap_err().0, "CustomKeyStoreInvalidStateException");
}

#[tokio::test]
async fn no_answer_and_no_error_tells_a_secret() {
    let house = House::new().await;
    let id = connected_store(&house, "s").await;
    let mut shown = vec![described(&house, &id).await.to_string()];
    for (member, value) in [
        ("RawSecretAccessKey", "short-but-secret"),
        ("RawSecretAccessKey", "a secret of the right length with characters that are not"),
        ("AccessKeyId", "not-of-the-pattern-but-long"),
    ] {
        let mut asked = asked_store("t");
        asked["XksProxyAuthenticationCredential"][member] = json!(value);
        let (code, message) = house.fails("CreateCustomKeyStore", asked).await;
        assert_eq!(code, "ValidationException");
        assert!(!message.contains(value) && message.contains("xksProxyAuthenticationCredential"), "{message}");
        shown.push(message);
    }
    let create = asked_store("t").to_string();
    let operation = keystile::kms::Operation::parse("CreateCustomKeyStore", create.as_bytes()).unwrap();
    shown.push(operation.request_parameters().unwrap().to_value().to_string());
    let update = json!({"CustomKeyStoreId": id,
        "XksProxyAuthenticationCredential": {"AccessKeyId": ACCESS_KEY, "RawSecretAccessKey": SECRET}});
    let operation = keystile::kms::Operation::parse("UpdateCustomKeyStore", update.to_string().as_bytes()).unwrap();
    shown.push(operation.request_parameters().unwrap().to_value().to_string());
    assert!(shown.iter().all(|text| !text.contains(SECRET)), "{shown:?}");
    let database = std::fs::read_dir(house.directory.path()).unwrap().map(|entry| entry.unwrap().path());
    for file in database.filter(|path| path.is_file()) {
        let bytes = std::fs::read(&file).unwrap();
        assert!(!bytes.windows(SECRET.len()).any(|part| part == SECRET.as_bytes()), "{}", file.display());
    }
}

#[tokio::test]
async fn a_credential_moves_with_the_root_key_and_with_a_backup() {
    let settings = RedbSettings { cache_bytes: 4 << 20, spare_bytes: 64 << 10 };
    let new_store = || {
        let directory = tempfile::tempdir().unwrap();
        let store = Arc::new(RedbStore::open(directory.path(), &settings).unwrap());
        (directory, store)
    };
    let (_directory, redb) = new_store();
    let house = House::over(Arc::clone(&redb) as Arc<dyn Store>, root_key(1)).await.unwrap();
    let id = connected_store(&house, "s").await;
    let (key, _) = key_in(&house, &id, KEY).await;
    let blob = house.ok("Encrypt", json!({"KeyId": key, "Plaintext": "c2VjcmV0"})).await["CiphertextBlob"].clone();
    let opened = json!({"CiphertextBlob": blob});
    house.kms.begin_root_key_rotation(&root_key(2)).await.unwrap();
    house.kms.complete_root_key_rotation(&|_| ()).await.unwrap();
    assert_eq!(house.ok("Decrypt", opened.clone()).await["Plaintext"], "c2VjcmV0");
    let mut backup = house.kms.backup().await.unwrap();
    let mut bytes = Vec::new();
    while let Some(part) = backup.next().await.unwrap() {
        bytes.extend(part);
    }
    drop((backup, house));
    // The old root key opens nothing any more; the new one opens all.
    let house = House::over(Arc::clone(&redb) as Arc<dyn Store>, root_key(2)).await.unwrap();
    assert_eq!(house.ok("Decrypt", opened.clone()).await["Plaintext"], "c2VjcmV0");
    let (_other, restored) = new_store();
    let reader = BackupReader::new(&bytes[..]).unwrap();
    restore(reader, &Keyring::from(root_key(2)), &*restored).await.unwrap();
    let house = House::over(restored as Arc<dyn Store>, root_key(2)).await.unwrap();
    assert_eq!(house.ok("Decrypt", opened).await["Plaintext"], "c2VjcmV0");
    assert_eq!(connection(&house, &id).await.0, "CONNECTED");
}

#[tokio::test]
async fn policies_decide_of_stores_by_their_actions() {
    let house = House::new().await;
    let id = connected_store(&house, "s").await;
    let stranger = House::caller("arn:aws:iam::444455556666:root", "444455556666");
    // Another account's root may do everything with its own stores, and knows nothing of these.
    for operation in ["ConnectCustomKeyStore", "DisconnectCustomKeyStore", "DeleteCustomKeyStore"] {
        let (code, _) = house.call_as(&stranger, operation, cks(&id)).await.unwrap_err();
        assert_eq!(code, "CustomKeyStoreNotFoundException");
    }
    let (code, _) = house.call_as(&stranger, "CreateKey", asked_key(&id, KEY)).await.unwrap_err();
    assert_eq!(code, "CustomKeyStoreNotFoundException");
    let alice = House::caller(ACCOUNT_USER, ACCOUNT);
    for (operation, body) in [
        ("CreateCustomKeyStore", asked_store("t")),
        ("DescribeCustomKeyStores", json!({})),
        ("UpdateCustomKeyStore", cks(&id)),
        ("ConnectCustomKeyStore", cks(&id)),
        ("DisconnectCustomKeyStore", cks(&id)),
        ("DeleteCustomKeyStore", cks(&id)),
        ("CreateKey", asked_key(&id, KEY)),
    ] {
        house.proxy.asked();
        let (code, message) = house.call_as(&alice, operation, body).await.unwrap_err();
        assert_eq!(code, "AccessDeniedException", "{operation}");
        assert!(message.contains(&format!("kms:{operation}")), "{message}");
        assert_eq!(house.proxy.asked(), [], "nobody is called for who may not");
    }
}
