use std::cell::RefCell;

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use uuid::{Builder, Uuid};

const IDS: usize = 64;

struct Pool {
    bytes: [u8; IDS * 16],
    used: usize,
}

thread_local! {
    static POOL: RefCell<Pool> = const { RefCell::new(Pool { bytes: [0; IDS * 16], used: IDS }) };
}

/// A random (version 4) id for a request or an event. Randomness is fetched for many at a time.
pub(super) fn next() -> Uuid {
    POOL.with_borrow_mut(|pool| {
        if pool.used == IDS {
            if SystemRandom::new().fill(&mut pool.bytes).is_err() {
                return Uuid::new_v4();
            }
            pool.used = 0;
        }
        let start = pool.used * 16;
        pool.used += 1;
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&pool.bytes[start..start + 16]);
        Builder::from_random_bytes(bytes).into_uuid()
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    #[test]
    fn ids_differ_and_are_of_version_4() {
        let ids: HashSet<_> = (0..1000).map(|_| super::next()).collect();
        assert_eq!(ids.len(), 1000);
        assert!(ids.iter().all(|id| id.get_version_num() == 4));
    }
}
