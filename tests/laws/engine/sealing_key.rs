//! The key that seals session tokens: made once, and the same whatever becomes of the root key.

use std::sync::Arc;

use keystile::seal::{Keyring, SealingKey};
use keystile::store::{RedbSettings, RedbStore};

use super::house::{House, root_key};

fn opens(key: &SealingKey, sealed: &[u8]) -> bool {
    key.open(b"label", b"", sealed).is_ok_and(|opened| *opened == b"message")
}

#[tokio::test]
async fn it_is_made_once_and_outlives_a_restart_and_the_root_key() {
    let directory = tempfile::tempdir().unwrap();
    let open = || Arc::new(RedbStore::open(directory.path(), &RedbSettings::default()).unwrap());
    let house = House::over(open(), root_key(1)).await.unwrap();
    let (one, two) = tokio::join!(house.kms.sealing_key(), house.kms.sealing_key());
    let sealed = one.unwrap().seal(b"label", b"", b"message").unwrap();
    assert!(opens(&two.unwrap(), &sealed), "made at once, it is one key");

    house.kms.begin_root_key_rotation(&root_key(2)).await.unwrap();
    assert!(opens(&house.kms.sealing_key().await.unwrap(), &sealed));
    house.kms.complete_root_key_rotation(&|_| ()).await.unwrap();
    drop(house);
    let house = House::over(open(), Keyring::from(root_key(2))).await.unwrap();
    assert!(opens(&house.kms.sealing_key().await.unwrap(), &sealed), "under the new root key alone");

    let other = House::new().await;
    assert!(!opens(&other.kms.sealing_key().await.unwrap(), &sealed), "another house has another key");
}
