//! Service events where several gateways share a store: each is recorded by one of them.

use serde_json::json;
use uuid::Uuid;

use super::house::House;

const MINUTE: i64 = 60_000;

#[tokio::test]
async fn an_event_is_claimed_by_one_gateway_until_that_is_lost() {
    let house = House::new().await;
    for _ in 0..3 {
        let (id, _) = house.key().await;
        house.ok("EnableKeyRotation", json!({"KeyId": id, "RotationPeriodInDays": 90})).await;
    }
    house.sleep(91);
    assert_eq!(house.kms.rotate_due().await.unwrap(), 3);
    let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let ids = async |gateway, now, limit| {
        let events = house.kms.claim_events(gateway, now, limit).await.unwrap();
        events.into_iter().map(|event| event.id).collect::<Vec<_>>()
    };
    let first = ids(one, 0, 2).await;
    let second = ids(other, 0, 2).await;
    assert_eq!((first.len(), second.len()), (2, 1));
    assert!(first.iter().all(|id| !second.contains(id)));
    assert_eq!(ids(one, 14 * MINUTE, 9).await, first, "its own are found again, and no other's");
    // One does not come back: the other takes what it claimed, and keeps what it has.
    assert_eq!(ids(other, 15 * MINUTE, 9).await.len(), 3);
    assert_eq!(ids(one, 16 * MINUTE, 9).await, second, "that claim is old by now, the others are not");
    for gateway in [one, other] {
        let events = house.kms.claim_events(gateway, 16 * MINUTE, 9).await.unwrap();
        house.kms.forget_events(&events).await.unwrap();
    }
    assert!(house.kms.pending_events(9).await.unwrap().is_empty());
}

#[tokio::test]
async fn two_gateways_that_claim_at_once_share_nothing() {
    let house = House::new().await;
    let (id, _) = house.key().await;
    house.ok("EnableKeyRotation", json!({"KeyId": id, "RotationPeriodInDays": 90})).await;
    house.sleep(91);
    house.kms.rotate_due().await.unwrap();
    let (one, other) = tokio::join!(
        house.kms.claim_events(Uuid::from_u128(1), 0, 9),
        house.kms.claim_events(Uuid::from_u128(2), 0, 9)
    );
    assert_eq!(one.unwrap().len() + other.unwrap().len(), 1);
}
