//! Codes of multi-factor devices: TOTP (RFC 6238) of 6 digits every 30 seconds with HMAC-SHA-1, as
//! AWS's virtual devices have it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::hmac::{self, HMAC_SHA1_FOR_LEGACY_USE_ONLY};
use jiff::Timestamp;
use subtle::ConstantTimeEq;

use crate::identity::MfaDevice;

/// Seconds of a step.
const STEP_SECONDS: u64 = 30;
/// Wrong codes that are looked at before none is for a while.
const MAX_FAILURES: u32 = 10;
/// How long it takes until wrong codes are forgotten, in seconds.
const FAILURES_SECONDS: i64 = 300;

/// Takes each code once, and not too many wrong ones. It remembers for as long as the process lives,
/// whatever is reloaded.
#[derive(Debug, Default)]
pub(super) struct MfaGuard {
    /// By serial number: configured devices alone come here.
    devices: Mutex<HashMap<String, Seen>>,
}

/// What a device has shown lately.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    /// The step of the last code that was taken: neither it nor an older one is taken again.
    last_step: Option<u64>,
    failures: u32,
    /// When the first of the wrong codes came, in seconds since 1970.
    since: i64,
}

impl MfaGuard {
    /// Whether the code is one of the device's now, or of a step before or after.
    pub(super) fn take(&self, device: &MfaDevice, code: &str, now: Timestamp) -> bool {
        let Ok(seconds) = u64::try_from(now.as_second()) else { return false };
        let mut devices = self.devices.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = devices.entry(device.serial.clone()).or_default();
        if now.as_second() - seen.since >= FAILURES_SECONDS || now.as_second() < seen.since {
            seen.failures = 0;
        }
        if seen.failures >= MAX_FAILURES {
            return false;
        }
        let step = seconds / STEP_SECONDS;
        let is_new = |step: &u64| seen.last_step.is_none_or(|last| *step > last);
        let taken = (step.saturating_sub(1)..=step + 1)
            .filter(is_new)
            .find(|step| bool::from(code_of(&device.secret, *step).as_bytes().ct_eq(code.as_bytes())));
        if let Some(step) = taken {
            *seen = Seen { last_step: Some(step), ..Seen::default() };
            return true;
        }
        if seen.failures == 0 {
            seen.since = now.as_second();
        }
        seen.failures += 1;
        false
    }
}

/// The code of a step (RFC 4226, section 5.3).
fn code_of(secret: &[u8], step: u64) -> String {
    let mac = hmac::sign(&hmac::Key::new(HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret), &step.to_be_bytes());
    let bytes = mac.as_ref();
    let offset = usize::from(bytes.last().copied().unwrap_or_default() & 0x0f);
    let word = bytes[offset..].iter().take(4).fold(0u32, |word, byte| (word << 8) | u32::from(*byte));
    format!("{:06}", (word & 0x7fff_ffff) % 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device() -> MfaDevice {
        MfaDevice {
            serial: "arn:aws:iam::111122223333:mfa/alice".to_owned(),
            user: "arn:aws:iam::111122223333:user/alice".parse().unwrap(),
            secret: b"12345678901234567890".to_vec().into(),
        }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    #[test]
    fn codes_are_those_of_the_rfc() {
        // RFC 6238, appendix B: the last six of eight digits.
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(code_of(&device().secret, seconds / STEP_SECONDS), code);
        }
    }

    #[test]
    fn a_code_is_taken_once_within_a_step_of_its_own() {
        let (device, code) = (device(), "287082"); // of step 1: seconds 30 to 59
        for (seconds, taken) in [(0, true), (59, true), (89, true), (90, false)] {
            assert_eq!(MfaGuard::default().take(&device, code, at(seconds)), taken, "{seconds}");
        }
        let guard = MfaGuard::default();
        assert!(guard.take(&device, code, at(59)));
        assert!(!guard.take(&device, code, at(59)), "again");
        assert!(!guard.take(&device, &code_of(&device.secret, 0), at(59)), "an older one");
        assert!(guard.take(&device, &code_of(&device.secret, 2), at(61)));
    }

    #[test]
    fn wrong_codes_close_the_device_for_a_while() {
        let (device, guard) = (device(), MfaGuard::default());
        for _ in 1..MAX_FAILURES {
            assert!(!guard.take(&device, "000000", at(59)));
        }
        assert!(guard.take(&device, "287082", at(59)), "the last that is looked at");
        for _ in 0..MAX_FAILURES {
            assert!(!guard.take(&device, "000000", at(119)));
        }
        let later = 119 + FAILURES_SECONDS;
        let code = |seconds: i64| code_of(&device.secret, u64::try_from(seconds).unwrap() / STEP_SECONDS);
        assert!(!guard.take(&device, &code(later - 1), at(later - 1)));
        assert!(guard.take(&device, &code(later), at(later)));
    }
}
