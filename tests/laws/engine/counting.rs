//! No operation reads or writes more of the store than its own records: a store that keeps count.

use std::sync::{Arc, Mutex};

use keystile::store::{
    BoxFuture, Change, ChangeStamps, Commit, CommitError, Revision, Rows, Snapshot, Store, StoreError, Versioned, Write,
};
use serde_json::{Value, json};

use super::custom_key_stores::{asked_key, connected_store, key_in};
use super::house::{DAY, House, START, text};
use super::imports::Imported;
use super::proxy::KEY;

/// Row names that were read and written, in order.
#[derive(Debug, Default)]
pub(crate) struct Count {
    read: Vec<String>,
    written: Vec<String>,
}

/// A store that notes what is asked of another.
pub(crate) struct Counting {
    store: Arc<dyn Store>,
    count: Arc<Mutex<Count>>,
}

impl Counting {
    pub(crate) fn over(store: Arc<dyn Store>) -> (Self, Arc<Mutex<Count>>) {
        let count = Arc::<Mutex<Count>>::default();
        (Self { store, count: Arc::clone(&count) }, count)
    }
}

fn name(row: &[u8]) -> String {
    row.escape_ascii().to_string()
}

struct Noting {
    snapshot: Box<dyn Snapshot>,
    count: Arc<Mutex<Count>>,
}

impl Snapshot for Noting {
    fn revision(&self) -> Revision {
        self.snapshot.revision()
    }

    fn get<'a>(&'a self, key: &'a [u8]) -> BoxFuture<'a, Result<Option<Versioned>, StoreError>> {
        self.count.lock().unwrap().read.push(name(key));
        self.snapshot.get(key)
    }

    fn range(&self, range: std::ops::Range<Vec<u8>>, limit: usize) -> BoxFuture<'_, Result<Rows, StoreError>> {
        Box::pin(async move {
            let rows = self.snapshot.range(range, limit).await?;
            self.count.lock().unwrap().read.extend(rows.iter().map(|(row, _)| name(row)));
            Ok(rows)
        })
    }
}

impl Store for Counting {
    fn snapshot(&self) -> BoxFuture<'_, Result<Box<dyn Snapshot>, StoreError>> {
        Box::pin(async move {
            let snapshot = self.store.snapshot().await?;
            Ok(Box::new(Noting { snapshot, count: Arc::clone(&self.count) }) as Box<dyn Snapshot>)
        })
    }

    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<Revision, CommitError>> {
        let rows = commit.writes.iter().map(|write| match write {
            Write::Put(row, _) | Write::Delete(row) => name(row),
        });
        self.count.lock().unwrap().written.extend(rows);
        self.store.commit(commit)
    }

    fn head(&self) -> BoxFuture<'_, Result<Revision, StoreError>> {
        self.store.head()
    }

    fn watch(&self, after: Revision) -> BoxFuture<'_, Result<Vec<Change>, StoreError>> {
        self.store.watch(after)
    }

    fn stamps(&self) -> Arc<ChangeStamps> {
        self.store.stamps()
    }
}

const ALICE: &str = "arn:aws:iam::111122223333:user/alice";
/// Keys, and grants on one of them, that must not matter.
const OTHERS: usize = 120;

#[tokio::test]
async fn no_operation_reads_or_writes_more_than_its_own_records() {
    let (house, count) = House::counted().await;
    let (busy, _) = house.key().await;
    for n in 0..OTHERS {
        let (id, _) = house.key().await;
        house.ok("CreateAlias", json!({"AliasName": format!("alias/other-{n}"), "TargetKeyId": id})).await;
        house.ok("EnableKeyRotation", json!({"KeyId": id})).await;
        let grantee = format!("arn:aws:iam::111122223333:user/{n}");
        let body =
            json!({"KeyId": busy, "GranteePrincipal": grantee, "Operations": ["Encrypt"], "RetiringPrincipal": ALICE});
        house.ok("CreateGrant", body).await;
    }
    let (id, arn) = house.key().await;
    house.ok("CreateAlias", json!({"AliasName": "alias/own", "TargetKeyId": id})).await;
    house.ok("EnableKeyRotation", json!({"KeyId": id})).await;
    let blob = house.ok("Encrypt", json!({"KeyId": id, "Plaintext": "QQ=="})).await["CiphertextBlob"].clone();
    let grant =
        house.ok("CreateGrant", json!({"KeyId": id, "GranteePrincipal": ALICE, "Operations": ["Encrypt"]})).await;
    let grant = text(&grant["GrantId"]);
    let imported = Imported::symmetric(&house).await;
    let policy = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
        "Action": "kms:*", "Resource": "*"}]})
    .to_string();

    // Rows that are no key's own: counts, and the index of dates and events, which name the key.
    let shared = |row: &String| row.starts_with("kms/n/");
    for (operation, body, most_read, most_written) in [
        ("DescribeKey", json!({"KeyId": "alias/own"}), 3, 0),
        ("Encrypt", json!({"KeyId": id, "Plaintext": "QQ=="}), 4, 0),
        ("Decrypt", json!({"CiphertextBlob": blob}), 4, 0),
        ("ReEncrypt", json!({"CiphertextBlob": blob, "DestinationKeyId": id}), 4, 0),
        ("GenerateDataKey", json!({"KeyId": id, "KeySpec": "AES_256"}), 4, 0),
        ("GenerateDataKeyWithoutPlaintext", json!({"KeyId": id, "KeySpec": "AES_256"}), 4, 0),
        ("GenerateRandom", json!({"NumberOfBytes": 8}), 0, 0),
        ("GetKeyPolicy", json!({"KeyId": id}), 3, 0),
        ("GetKeyRotationStatus", json!({"KeyId": id}), 3, 0),
        ("ListKeyPolicies", json!({"KeyId": id}), 3, 0),
        ("ListKeyRotations", json!({"KeyId": id}), 3, 0),
        ("ListResourceTags", json!({"KeyId": id}), 3, 0),
        ("ListAliases", json!({"KeyId": id}), 4, 0),
        ("ListGrants", json!({"KeyId": id}), 4, 0),
        ("CreateKey", json!({}), 20, 4),
        ("CreateKey", json!({"MultiRegion": true, "Policy": policy}), 20, 5),
        ("TagResource", json!({"KeyId": id, "Tags": [{"TagKey": "a", "TagValue": "b"}]}), 3, 1),
        ("UntagResource", json!({"KeyId": id, "TagKeys": ["a"]}), 3, 1),
        ("UpdateKeyDescription", json!({"KeyId": id, "Description": "d"}), 3, 1),
        ("PutKeyPolicy", json!({"KeyId": id, "Policy": policy}), 4, 3),
        ("RotateKeyOnDemand", json!({"KeyId": id}), 4, 4),
        ("DisableKeyRotation", json!({"KeyId": id}), 4, 2),
        ("EnableKeyRotation", json!({"KeyId": id}), 4, 3),
        ("CreateAlias", json!({"AliasName": "alias/second", "TargetKeyId": id}), 5, 2),
        ("UpdateAlias", json!({"AliasName": "alias/second", "TargetKeyId": id}), 5, 2),
        ("DeleteAlias", json!({"AliasName": "alias/second"}), 5, 2),
        ("CreateGrant", json!({"KeyId": id, "GranteePrincipal": ALICE, "Operations": ["Decrypt"], "Name": "n"}), 24, 6),
        ("RevokeGrant", json!({"KeyId": id, "GrantId": grant}), 8, 6),
        (
            "GetParametersForImport",
            json!({"KeyId": imported.id, "WrappingAlgorithm": "RSAES_OAEP_SHA_1", "WrappingKeySpec": "RSA_2048"}),
            2,
            0,
        ),
        ("ImportKeyMaterial", imported.request(&[1; 32], &json!({"ValidTo": START + DAY})), 2, 3),
        ("ImportKeyMaterial", imported.request(&[1; 32], &json!({"ValidTo": START + 2 * DAY})), 2, 4),
        ("DeleteImportedKeyMaterial", json!({"KeyId": imported.id}), 2, 3),
        ("DisableKey", json!({"KeyId": id}), 4, 2),
        ("EnableKey", json!({"KeyId": id}), 4, 2),
        ("ScheduleKeyDeletion", json!({"KeyId": id}), 4, 3),
        ("CancelKeyDeletion", json!({"KeyId": arn}), 4, 3),
    ] {
        *count.lock().unwrap() = Count::default();
        let answer = house.ok(operation, body.clone()).await;
        let own = match operation {
            "CreateKey" => text(&answer["KeyMetadata"]["KeyId"]),
            _ if operation.contains("Import") => imported.id.clone(),
            _ => id.clone(),
        };
        let count = std::mem::take(&mut *count.lock().unwrap());
        assert!(count.read.len() <= most_read, "{operation} reads {:#?}", count.read);
        assert!(count.written.len() <= most_written, "{operation} writes {:#?}", count.written);
        for row in count.read.iter().chain(&count.written) {
            let of_alias = row.starts_with("kms/a/") && (row.ends_with("/alias/own") || row.ends_with("/alias/second"));
            let is_event = row.starts_with("kms/e/") && operation == "RotateKeyOnDemand";
            assert!(row.contains(&own) || shared(row) || of_alias || is_event, "{operation} touches {row}");
        }
    }

    // A list reads its page, and one row more to know whether it is the last.
    for (operation, body, member, rows_of_an_item) in [
        ("ListKeys", json!({"Limit": 10}), "Keys", 1),
        ("ListAliases", json!({"Limit": 10}), "Aliases", 1),
        ("ListGrants", json!({"KeyId": busy, "Limit": 10}), "Grants", 1),
        ("ListRetirableGrants", json!({"RetiringPrincipal": ALICE, "Limit": 10}), "Grants", 2),
    ] {
        *count.lock().unwrap() = Count::default();
        let answer: Value = house.ok(operation, body).await;
        assert_eq!(answer[member].as_array().unwrap().len(), 10, "{operation}");
        let read = count.lock().unwrap().read.len();
        assert!(read <= 11 * rows_of_an_item + 3, "{operation} reads {read} rows");
    }

    // The grants of others on the same key cost a request nothing.
    let one = House::caller("arn:aws:iam::111122223333:user/7", "111122223333");
    *count.lock().unwrap() = Count::default();
    house.call_as(&one, "Encrypt", json!({"KeyId": busy, "Plaintext": "QQ=="})).await.unwrap();
    let read = std::mem::take(&mut *count.lock().unwrap()).read;
    assert!(read.len() <= 10, "{read:#?}");
    house.call_as(&one, "Encrypt", json!({"KeyId": busy, "Plaintext": "QQ=="})).await.unwrap();
    assert!(count.lock().unwrap().read.is_empty(), "the second time it is all in memory");
}

#[tokio::test]
async fn no_operation_on_a_custom_key_store_touches_another_or_its_keys() {
    let (house, count) = House::counted().await;
    let other = connected_store(&house, "other").await;
    for n in 0..OTHERS {
        key_in(&house, &other, &format!("{KEY}-{n}")).await;
    }
    let store = connected_store(&house, "own").await;
    let (key, _) = key_in(&house, &store, KEY).await;
    let blob = house.ok("Encrypt", json!({"KeyId": key, "Plaintext": "QQ=="})).await["CiphertextBlob"].clone();
    let cks = json!({"CustomKeyStoreId": store});
    let update = json!({"CustomKeyStoreId": store, "NewCustomKeyStoreName": "n", "XksProxyUriPath": "/n/kms/xks/v1"});
    // Counts, and the indexes of names and places, which have hashes of them.
    let shared = |row: &String| ["kms/n/", "kms/xn/", "kms/xu/", "kms/xc/"].iter().any(|start| row.starts_with(start));
    for (operation, body, most_read, most_written) in [
        ("Encrypt", json!({"KeyId": key, "Plaintext": "QQ=="}), 1, 0),
        ("Decrypt", json!({"CiphertextBlob": blob}), 1, 0),
        ("DescribeKey", json!({"KeyId": key}), 0, 0),
        ("DescribeCustomKeyStores", cks.clone(), 0, 0),
        ("DescribeCustomKeyStores", json!({"CustomKeyStoreName": "own"}), 1, 0),
        ("UpdateCustomKeyStore", update, 3, 5),
        ("CreateKey", asked_key(&store, "good-key-2"), 21, 5),
        ("DisconnectCustomKeyStore", cks.clone(), 1, 1),
        ("ConnectCustomKeyStore", cks.clone(), 2, 1),
    ] {
        *count.lock().unwrap() = Count::default();
        let answer = house.ok(operation, body).await;
        let made = answer["KeyMetadata"]["KeyId"].as_str().unwrap_or(&key).to_owned();
        let count = std::mem::take(&mut *count.lock().unwrap());
        assert!(count.read.len() <= most_read, "{operation} reads {:#?}", count.read);
        assert!(count.written.len() <= most_written, "{operation} writes {:#?}", count.written);
        for row in count.read.iter().chain(&count.written) {
            let own = row.contains(&store) || row.contains(&key) || row.contains(&made);
            assert!(own || shared(row), "{operation} touches {row}");
        }
    }
    // Whether a store has keys is asked of one of them.
    house.ok("DisconnectCustomKeyStore", json!({"CustomKeyStoreId": other})).await;
    *count.lock().unwrap() = Count::default();
    house.fails("DeleteCustomKeyStore", json!({"CustomKeyStoreId": other})).await;
    let read = std::mem::take(&mut *count.lock().unwrap()).read;
    assert!(read.len() <= 2, "{read:#?}");
}
