//! How much an account may have, and how often it may ask (KMS Developer Guide, "Quotas").

mod counted;
mod throttle;

pub(super) use throttle::Throttle;

use std::sync::Arc;

use crate::aws::catalogue::request_rates::RequestRates;

/// The quotas of each account in each Region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quotas {
    /// Most customer managed keys of an account in a Region.
    pub keys: u64,
    /// Most aliases of a key.
    pub aliases_per_key: usize,
    /// Most grants on a key.
    pub grants_per_key: u64,
    /// Most bytes of a key policy.
    pub key_policy_bytes: usize,
    /// Most custom key stores of an account in a Region.
    pub custom_key_stores: u32,
    /// How often an account may call.
    pub request_rates: RequestRates,
}

impl Default for Quotas {
    /// AWS's resource quotas, and no limit to how often an account calls.
    fn default() -> Self {
        Self {
            keys: 100_000,
            aliases_per_key: 50,
            grants_per_key: 50_000,
            key_policy_bytes: 32 << 10,
            custom_key_stores: 10,
            request_rates: RequestRates::default(),
        }
    }
}

/// What is in force, with the counts that belong to it.
pub(super) struct Enforced {
    pub(super) quotas: Quotas,
    pub(super) throttle: Arc<Throttle>,
}

impl Enforced {
    pub(super) fn new(quotas: Quotas) -> Self {
        Self { throttle: Arc::new(Throttle::new(quotas.request_rates.clone())), quotas }
    }

    /// Other quotas in the place of these, with the counts of these where the rates are the same.
    pub(super) fn with(&self, quotas: Quotas) -> Self {
        if quotas.request_rates == self.quotas.request_rates {
            Self { throttle: Arc::clone(&self.throttle), quotas }
        } else {
            Self::new(quotas)
        }
    }
}
