use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use super::load::Ranges;
use super::units::Size;
use super::{ConfigError, QuotaSettings};
use crate::aws::catalogue::request_rates::{PerSecond, RequestRates};

/// `[quotas]` as it is written.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct QuotasTable {
    keys: Option<Spanned<u32>>,
    aliases_per_key: Option<Spanned<u32>>,
    grants_per_key: Option<Spanned<u32>>,
    key_policy_bytes: Option<Spanned<Size>>,
    custom_key_stores: Option<Spanned<u32>>,
    request_rates: Base,
    requests_per_second: BTreeMap<Spanned<String>, Spanned<f64>>,
}

/// What the rates are that no member sets.
#[derive(Clone, Copy, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
enum Base {
    #[default]
    Unlimited,
    Aws,
}

const KIB: u64 = 1 << 10;

impl QuotasTable {
    /// # Errors
    /// A value out of range; a request quota that AWS does not have.
    pub(super) fn resolve(self, within: &Ranges<'_>) -> Result<QuotaSettings, ConfigError> {
        let mut request_rates = match self.request_rates {
            Base::Unlimited => RequestRates::default(),
            Base::Aws => RequestRates::of_aws(),
        };
        for (name, requests) in self.requests_per_second {
            let at = |place, message: String| within.0.at(place, "quotas.requests_per_second", &message);
            let rate = PerSecond::new(*requests.get_ref()).ok_or_else(|| {
                let (value, least, most) = (requests.get_ref(), PerSecond::LEAST, PerSecond::MOST);
                at(requests.span().start, format!("{value} is out of range; give {least} to {most}"))
            })?;
            request_rates.set(name.get_ref(), rate).map_err(|unknown| at(name.span().start, unknown.to_string()))?;
        }
        Ok(QuotaSettings {
            keys: within.range("quotas.keys", self.keys, 100_000, 1..=1_000_000_000)?.into(),
            aliases_per_key: within.range("quotas.aliases_per_key", self.aliases_per_key, 50, 1..=1000)?,
            grants_per_key: within.range("quotas.grants_per_key", self.grants_per_key, 50_000, 1..=1_000_000)?.into(),
            key_policy_bytes: within.size(
                "quotas.key_policy_bytes",
                self.key_policy_bytes,
                32 * KIB,
                KIB..=128 * KIB,
            )?,
            custom_key_stores: within.range("quotas.custom_key_stores", self.custom_key_stores, 10, 1..=1000)?,
            request_rates,
        })
    }
}
