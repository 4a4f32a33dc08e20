//! Imported material of multi-Region keys: the same in all Regions, and in each of them or not.

use std::sync::Arc;

use keystile::store::{RedbSettings, RedbStore, Store};
use serde_json::{Value, json};

use super::house::{DAY, House, Outcome, START, root_key, text};
use super::imports::Imported;

const THERE: &str = "eu-west-1";
const ELSEWHERE: &str = "ap-southeast-2";
const READY: &str = "PENDING_ROTATION";
const NOT_READY: &str = "PENDING_MULTI_REGION_IMPORT_AND_ROTATION";

fn code(outcome: Outcome) -> String {
    outcome.err().map_or_else(String::new, |(code, _)| code)
}

fn new() -> Value {
    json!({"ImportType": "NEW_KEY_MATERIAL"})
}

/// A primary key that has material, and its replicas, which wait for it.
async fn replicated<const N: usize>(house: &House, regions: [&str; N]) -> (Imported, Vec<Imported>) {
    let primary = Imported::multi_region(house, "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT").await;
    primary.import(house, &[1; 32], json!({})).await.unwrap();
    let mut replicas = Vec::new();
    for region in regions {
        replicas.push(replica(house, &primary, region).await);
    }
    (primary, replicas)
}

async fn replica(house: &House, primary: &Imported, region: &str) -> Imported {
    primary.ok(house, "ReplicateKey", json!({"KeyId": primary.id, "ReplicaRegion": region})).await;
    primary.in_region(house, region).await
}

/// The state of the material of a key that waits for its rotation, and whether it is there.
async fn waiting(house: &House, key: &Imported) -> (String, String) {
    let last = key.materials(house).await.pop().unwrap();
    (text(&last["KeyMaterialState"]), text(&last["ImportState"]))
}

fn shown(state: &str, import: &str) -> (String, String) {
    (state.to_owned(), import.to_owned())
}

/// How many materials the store holds.
async fn stored(store: &Arc<dyn Store>) -> usize {
    let range = b"kms/m/".to_vec()..b"kms/m0".to_vec();
    store.snapshot().await.unwrap().range(range, 1000).await.unwrap().len()
}

/// A house over a store that the test reads.
async fn over_a_store() -> (House, Arc<dyn Store>, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let settings = RedbSettings { cache_bytes: 4 << 20, spare_bytes: 64 << 10 };
    let store: Arc<dyn Store> = Arc::new(RedbStore::open(directory.path(), &settings).unwrap());
    (House::over(Arc::clone(&store), root_key(1)).await.unwrap(), store, directory)
}

#[tokio::test]
async fn a_replica_waits_for_the_same_material_and_then_opens_the_same_ciphertext() {
    let house = House::new().await;
    let primary = Imported::multi_region(&house, "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT").await;
    let asked = json!({"KeyId": primary.id, "ReplicaRegion": THERE});
    assert_eq!(house.fails("ReplicateKey", asked.clone()).await, primary.pending());
    let id =
        primary.import(&house, &[1; 32], json!({"KeyMaterialDescription": "here"})).await.unwrap()["KeyMaterialId"]
            .clone();
    let made = house.ok("ReplicateKey", asked).await["ReplicaKeyMetadata"].clone();
    assert_eq!((&made["KeyState"], &made["Origin"]), (&json!("PendingImport"), &json!("EXTERNAL")));
    assert_eq!((&made["CurrentKeyMaterialId"], made.get("ExpirationModel")), (&id, None));
    let there = primary.in_region(&house, THERE).await;
    let sealed = json!({"CiphertextBlob": primary.encrypt(&house).await});
    assert_eq!(there.call(&house, "Decrypt", sealed.clone()).await.unwrap_err(), there.pending());
    let entry = there.materials(&house).await;
    assert_eq!(
        entry,
        [
            json!({"KeyId": there.arn, "KeyMaterialId": id, "KeyMaterialState": "CURRENT", "ImportState": "PENDING_IMPORT"})
        ]
    );

    // A token is of one Region's key, and so is where new material comes in.
    let foreign = primary.request(&[1; 32], &json!({}));
    assert_eq!(code(there.call(&house, "ImportKeyMaterial", foreign).await), "InvalidImportTokenException");
    for byte in [1, 2] {
        let (code, message) = there.import(&house, &[byte; 32], new()).await.unwrap_err();
        assert!(code == "UnsupportedOperationException" && message.contains(&there.arn), "{message}");
    }
    assert_eq!(code(there.import(&house, &[2; 32], json!({})).await), "IncorrectKeyMaterialException");
    let given = there.import(&house, &[1; 32], json!({"ValidTo": START + 9 * DAY})).await.unwrap();
    assert_eq!(given, json!({"KeyId": there.arn, "KeyMaterialId": id}));
    assert_eq!(there.ok(&house, "Decrypt", sealed.clone()).await["KeyMaterialId"], id);
    house.ok("Decrypt", json!({"CiphertextBlob": there.encrypt(&house).await})).await;
    // When it expires, and what it is called, is each one's own.
    assert_eq!(there.describe(&house).await["ValidTo"], json!((START + 9 * DAY) as f64));
    assert_eq!(primary.describe(&house).await.get("ValidTo"), None);
    assert_eq!(there.materials(&house).await[0].get("KeyMaterialDescription"), None);
    let house = house.restarted().await;
    there.ok(&house, "Decrypt", sealed).await;
}

#[tokio::test]
async fn material_goes_from_one_region_and_stays_in_the_others() {
    let (house, store, _directory) = over_a_store().await;
    let (primary, replicas) = replicated(&house, [THERE, ELSEWHERE]).await;
    let sealed = json!({"CiphertextBlob": primary.encrypt(&house).await});
    replicas[0].import(&house, &[1; 32], json!({})).await.unwrap();
    replicas[1].import(&house, &[1; 32], json!({"ValidTo": START + 5 * DAY})).await.unwrap();
    primary.delete(&house, None).await;
    assert_eq!(house.fails("Decrypt", sealed.clone()).await, primary.pending());
    for replica in &replicas {
        replica.ok(&house, "Decrypt", sealed.clone()).await;
    }
    house.sleep(6);
    assert_eq!(house.kms.rotate_due().await.unwrap(), 1);
    let events = house.kms.pending_events(10).await.unwrap();
    assert_eq!(events[0].region.as_ref().map(keystile::aws::Region::as_str), Some(ELSEWHERE));
    assert_eq!(replicas[1].call(&house, "Decrypt", sealed.clone()).await.unwrap_err(), replicas[1].pending());
    replicas[0].ok(&house, "Decrypt", sealed.clone()).await;
    assert_eq!(stored(&store).await, 1);

    // The last one takes the bytes along, and each gets them again by itself.
    replicas[0].delete(&house, None).await;
    assert_eq!(stored(&store).await, 0);
    let mut primary = primary;
    primary.take_token(&house).await;
    primary.import(&house, &[1; 32], json!({})).await.unwrap();
    house.ok("Decrypt", sealed.clone()).await;
    assert_eq!(replicas[0].call(&house, "Decrypt", sealed).await.unwrap_err(), replicas[0].pending());
}

#[tokio::test]
async fn a_rotation_needs_the_new_material_in_every_region() {
    let house = House::new().await;
    let (primary, replicas) = replicated(&house, [THERE, ELSEWHERE]).await;
    for replica in &replicas {
        replica.import(&house, &[1; 32], json!({})).await.unwrap();
    }
    let old = json!({"CiphertextBlob": primary.encrypt(&house).await});
    let second = primary.import(&house, &[2; 32], new()).await.unwrap()["KeyMaterialId"].clone();
    let rotate = json!({"KeyId": primary.id});
    let none = format!("No available key material pending rotation for the key: {}.", primary.arn);
    let refused = ("KMSInvalidStateException".to_owned(), none);
    for replica in &replicas {
        assert_eq!(waiting(&house, &primary).await, shown(NOT_READY, "IMPORTED"));
        assert_eq!(waiting(&house, replica).await, shown(NOT_READY, "PENDING_IMPORT"));
        assert_eq!((replica.state(&house).await.as_str(), replica.materials(&house).await.len()), ("Enabled", 2));
        assert_eq!(house.fails("RotateKeyOnDemand", rotate.clone()).await, refused);
        let more = json!({"ImportType": "EXISTING_KEY_MATERIAL", "KeyMaterialId": second});
        assert_eq!(replica.import(&house, &[2; 32], more).await.unwrap()["KeyMaterialId"], second);
    }
    for key in [&primary, &replicas[0], &replicas[1]] {
        assert_eq!(waiting(&house, key).await, shown(READY, "IMPORTED"));
    }
    assert_eq!(
        code(replicas[0].call(&house, "RotateKeyOnDemand", rotate.clone()).await),
        "UnsupportedOperationException"
    );
    // What a replica loses it needs again, and a replica that comes late needs it too.
    replicas[1].delete(&house, Some(&second)).await;
    assert_eq!(waiting(&house, &primary).await, shown(NOT_READY, "IMPORTED"));
    assert_eq!(house.fails("RotateKeyOnDemand", rotate.clone()).await, refused);
    replicas[1].import(&house, &[2; 32], json!({})).await.unwrap();
    let late = replica(&house, &primary, "eu-north-1").await;
    assert_eq!(waiting(&house, &primary).await, shown(NOT_READY, "IMPORTED"));
    late.import(&house, &[2; 32], json!({})).await.unwrap();
    assert_eq!(late.state(&house).await, "PendingImport");
    late.import(&house, &[1; 32], json!({})).await.unwrap();

    house.ok("RotateKeyOnDemand", rotate.clone()).await;
    assert_eq!(house.fails("RotateKeyOnDemand", rotate).await, refused);
    let new = json!({"CiphertextBlob": late.encrypt(&house).await});
    for key in [&primary, &replicas[0], &replicas[1], &late] {
        assert_eq!(key.describe(&house).await["CurrentKeyMaterialId"], second);
        assert_eq!(key.ok(&house, "Decrypt", new.clone()).await["KeyMaterialId"], second);
        key.ok(&house, "Decrypt", old.clone()).await;
        let states: Vec<String> =
            key.materials(&house).await.iter().map(|entry| text(&entry["KeyMaterialState"])).collect();
        assert_eq!(states, ["NON_CURRENT", "CURRENT"]);
    }
    // Now it is needed for good, in each Region by itself.
    replicas[0].delete(&house, Some(&second)).await;
    assert_eq!(replicas[0].state(&house).await, "PendingImport");
    primary.ok(&house, "Decrypt", new).await;
}

#[tokio::test]
async fn pending_material_that_the_primary_loses_on_request_all_regions_lose() {
    let (house, store, _directory) = over_a_store().await;
    let (primary, replicas) = replicated(&house, [THERE]).await;
    let there = &replicas[0];
    there.import(&house, &[1; 32], json!({})).await.unwrap();
    let second = primary.import(&house, &[2; 32], new()).await.unwrap()["KeyMaterialId"].clone();
    there.import(&house, &[2; 32], json!({"ValidTo": START + 3 * DAY})).await.unwrap();
    assert_eq!(stored(&store).await, 2);
    assert!(house.kms.next_due().await.unwrap().is_some());
    primary.delete(&house, Some(&second)).await;
    assert_eq!((stored(&store).await, house.kms.next_due().await.unwrap()), (1, None));
    for key in [&primary, there] {
        assert_eq!(waiting(&house, key).await, shown(NOT_READY, "PENDING_IMPORT"));
        assert_eq!(key.state(&house).await, "Enabled");
    }
    // Other material may take its place, and then there is nothing of it anywhere.
    let third = primary.import(&house, &[3; 32], new()).await.unwrap()["KeyMaterialId"].clone();
    for key in [&primary, there] {
        let materials = key.materials(&house).await;
        assert_eq!((materials.len(), &materials[1]["KeyMaterialId"]), (2, &third));
    }
    assert_eq!(code(there.import(&house, &[2; 32], json!({})).await), "IncorrectKeyMaterialException");
    there.import(&house, &[3; 32], json!({"ValidTo": START + 3 * DAY})).await.unwrap();
    // Expiring is no request: it is the one Region's own.
    house.sleep(4);
    assert_eq!(house.kms.rotate_due().await.unwrap(), 1);
    assert_eq!(waiting(&house, &primary).await, shown(NOT_READY, "IMPORTED"));
    assert_eq!((waiting(&house, there).await, stored(&store).await), (shown(NOT_READY, "PENDING_IMPORT"), 2));
}

#[tokio::test]
async fn the_primary_moves_and_new_material_comes_in_there() {
    let house = House::new().await;
    let (primary, replicas) = replicated(&house, [THERE]).await;
    let to = json!({"KeyId": primary.id, "PrimaryRegion": THERE});
    assert_eq!(house.fails("UpdatePrimaryRegion", to.clone()).await, replicas[0].pending());
    replicas[0].import(&house, &[1; 32], json!({})).await.unwrap();
    let second = primary.import(&house, &[2; 32], new()).await.unwrap()["KeyMaterialId"].clone();
    house.ok("UpdatePrimaryRegion", to).await;
    let (old, primary) = (&primary, &replicas[0]);
    // The material that waits is in the old primary alone.
    assert_eq!(waiting(&house, primary).await, shown(NOT_READY, "PENDING_IMPORT"));
    assert_eq!(
        code(primary.call(&house, "RotateKeyOnDemand", json!({"KeyId": primary.id})).await),
        "KMSInvalidStateException"
    );
    primary.import(&house, &[2; 32], json!({})).await.unwrap();
    primary.ok(&house, "RotateKeyOnDemand", json!({"KeyId": primary.id})).await;
    assert_eq!(old.describe(&house).await["CurrentKeyMaterialId"], second);
    assert_eq!(code(old.import(&house, &[3; 32], new()).await), "UnsupportedOperationException");
    primary.import(&house, &[3; 32], new()).await.unwrap();
    assert_eq!(waiting(&house, old).await, shown(NOT_READY, "PENDING_IMPORT"));
}

#[tokio::test]
async fn a_replica_that_is_deleted_leaves_the_material_to_whoever_has_it() {
    let (house, store, _directory) = over_a_store().await;
    let (primary, replicas) = replicated(&house, [THERE, ELSEWHERE]).await;
    for replica in &replicas {
        replica.import(&house, &[1; 32], json!({"ValidTo": START + 100 * DAY})).await.unwrap();
    }
    let sealed = json!({"CiphertextBlob": primary.encrypt(&house).await});
    let delete = json!({"KeyId": primary.id, "PendingWindowInDays": 7});
    replicas[0].ok(&house, "ScheduleKeyDeletion", delete.clone()).await;
    house.sleep(8);
    assert_eq!(house.kms.rotate_due().await.unwrap(), 1);
    primary.ok(&house, "Decrypt", sealed.clone()).await;
    replicas[1].ok(&house, "Decrypt", sealed).await;
    primary.delete(&house, None).await;
    assert_eq!(stored(&store).await, 1);
    // The other replica has it alone.
    replicas[1].ok(&house, "ScheduleKeyDeletion", delete).await;
    house.sleep(8);
    assert_eq!(house.kms.rotate_due().await.unwrap(), 1);
    assert_eq!((stored(&store).await, house.kms.next_due().await.unwrap()), (0, None));
}

#[tokio::test]
async fn keys_of_other_kinds_have_their_one_material_in_each_region() {
    let house = House::new().await;
    let primary = Imported::multi_region(&house, "HMAC_256", "GENERATE_VERIFY_MAC").await;
    primary.import(&house, &[5; 32], json!({})).await.unwrap();
    let there = replica(&house, &primary, THERE).await;
    let asked = json!({"KeyId": primary.id, "Message": "QQ==", "MacAlgorithm": "HMAC_SHA_256"});
    let mac = house.ok("GenerateMac", asked.clone()).await;
    assert_eq!(there.call(&house, "GenerateMac", asked.clone()).await.unwrap_err(), there.pending());
    assert_eq!(code(there.import(&house, &[6; 32], json!({})).await), "IncorrectKeyMaterialException");
    assert_eq!(there.import(&house, &[5; 32], json!({})).await.unwrap(), json!({"KeyId": there.arn}));
    assert_eq!(there.ok(&house, "GenerateMac", asked).await["Mac"], mac["Mac"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_loses_and_whoever_gets_material_at_once_agree_on_its_bytes() {
    let (house, store, _directory) = over_a_store().await;
    let (primary, replicas) = replicated(&house, [THERE]).await;
    let there = &replicas[0];
    let sealed = json!({"CiphertextBlob": primary.encrypt(&house).await});
    for round in 0..12 {
        primary.import(&house, &[1; 32], json!({})).await.unwrap();
        if round % 2 == 0 {
            there.import(&house, &[1; 32], json!({})).await.unwrap();
            tokio::join!(primary.delete(&house, None), there.delete(&house, None));
            assert_eq!(stored(&store).await, 0, "{round}");
        } else {
            let (_, got) = tokio::join!(primary.delete(&house, None), there.import(&house, &[1; 32], json!({})));
            got.unwrap();
            assert_eq!(stored(&store).await, 1, "{round}");
            there.ok(&house, "Decrypt", sealed.clone()).await;
            there.delete(&house, None).await;
        }
    }
}
