use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use super::counted::{Counted, counted, counted_unresolved};
use crate::aws::catalogue::request_rates::{PerSecond, RequestRates};
use crate::aws::{AccountId, Region};
use crate::kms::KmsError;
use crate::kms::api::Kind;
use crate::kms::error::texts;
use crate::kms::resolve::Resolved;

/// Counts requests against their quotas. A quota that was not asked for has room for one second's
/// requests at once, and one request at the least.
pub(in crate::kms) struct Throttle {
    rates: RequestRates,
    limiters: moka::sync::Cache<Counter, Arc<DefaultDirectRateLimiter>>,
}

/// Whose requests are counted, against which quota: an account's in a Region, or a custom key store's,
/// whoever asks.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Counter {
    Account(&'static str, AccountId, Region),
    Store(String),
}

/// Quotas that are counted at once: those of some 19,000 accounts in a Region that use each of them.
const LIMITERS: u64 = 1 << 20;

/// When a count is forgotten. By then its quota has room again for all that it ever has: the lowest
/// rate needs 100 seconds.
const FORGOTTEN_AFTER: Duration = Duration::from_mins(5);

impl Throttle {
    pub(super) fn new(rates: RequestRates) -> Self {
        let limiters = moka::sync::Cache::builder().max_capacity(LIMITERS).time_to_idle(FORGOTTEN_AFTER).build();
        Self { rates, limiters }
    }

    /// Counts a request against the quotas of the account that makes it (KMS Developer Guide,
    /// "Cross-account requests").
    ///
    /// # Errors
    /// `ThrottlingException` for one too many.
    pub(in crate::kms) fn count(&self, resolved: &Resolved) -> Result<(), KmsError> {
        if self.rates.is_empty() {
            return Ok(());
        }
        self.count_all(resolved.scene.account, counted(resolved))
    }

    /// Counts a request that names nothing that could be found.
    ///
    /// # Errors
    /// `ThrottlingException` for one too many.
    pub(in crate::kms) fn count_unresolved(
        &self,
        kind: Kind,
        account: AccountId,
        region: &Region,
    ) -> Result<(), KmsError> {
        if self.rates.is_empty() {
            return Ok(());
        }
        self.count_all(account, std::iter::once(counted_unresolved(kind, region)))
    }

    fn count_all<'a>(&self, account: AccountId, all: impl Iterator<Item = Counted<'a>>) -> Result<(), KmsError> {
        for Counted { quota, region, store, times } in all {
            let Some(rate) = self.rates.of(quota, region) else { continue };
            let of = match store {
                Some(id) => Counter::Store(id.to_owned()),
                None => Counter::Account(quota, account, region.clone()),
            };
            let limiter = self.limiters.get_with(of, || Arc::new(RateLimiter::direct(room_for(rate))));
            // A quota below what one request counts would never let it through: then it counts once.
            let admitted = match NonZeroU32::new(times).map(|times| limiter.check_n(times)) {
                Some(Ok(outcome)) => outcome.is_ok(),
                _ => limiter.check().is_ok(),
            };
            if !admitted {
                return Err(texts::throttled());
            }
        }
        Ok(())
    }
}

fn room_for(rate: PerSecond) -> Quota {
    let between = Duration::from_secs_f64(rate.requests().recip());
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most a million")]
    let burst = NonZeroU32::new(rate.requests() as u32).unwrap_or(NonZeroU32::MIN);
    Quota::with_period(between).unwrap_or(Quota::per_second(NonZeroU32::MIN)).allow_burst(burst)
}
