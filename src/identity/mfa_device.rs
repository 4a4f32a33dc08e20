use std::fmt;

use data_encoding::BASE32_NOPAD;
use zeroize::Zeroizing;

use crate::aws::Principal;

/// Fewest bytes of a device's secret: what authenticator apps make is of 10 and more.
const LEAST_SECRET_BYTES: usize = 10;

/// A virtual multi-factor device: a secret that its user's authenticator app has too.
pub struct MfaDevice {
    /// Its serial number, which is its ARN: `arn:aws:iam::111122223333:mfa/alice`.
    pub serial: String,
    /// Whose it is: a user, or an account's root user.
    pub user: Principal,
    /// The key of its codes (RFC 6238).
    pub secret: Zeroizing<Vec<u8>>,
}

impl MfaDevice {
    /// Reads a secret as devices are given it: base32 of at least 10 bytes, in any case, white space and
    /// padding ignored.
    ///
    /// # Errors
    /// What is wrong with it; the secret is never repeated.
    pub fn read_secret(text: &str) -> Result<Zeroizing<Vec<u8>>, &'static str> {
        let digits = text.chars().filter(|character| !character.is_whitespace() && *character != '=');
        let plain = Zeroizing::new(digits.map(|character| character.to_ascii_uppercase()).collect::<String>());
        let secret = BASE32_NOPAD.decode(plain.as_bytes()).map(Zeroizing::new);
        let secret = secret.map_err(|_| "is not base32: the letters A to Z and the digits 2 to 7")?;
        if secret.len() < LEAST_SECRET_BYTES {
            return Err("is too short: give at least 16 characters of base32");
        }
        Ok(secret)
    }
}

impl fmt::Debug for MfaDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MfaDevice").field("serial", &self.serial).field("user", &self.user).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_base32_as_people_copy_it() {
        assert_eq!(**MfaDevice::read_secret("GEZD GNBV gy3t qojq").unwrap(), *b"1234567890");
        assert_eq!(**MfaDevice::read_secret("GEZDGNBVGY3TQOJQGE======").unwrap(), *b"12345678901");
        for wrong in ["", "GEZDGNBVGY3TQOI", "0EZDGNBVGY3TQOJQ", "GEZDGNBVGY3TQOJ1", "é".repeat(20).as_str()] {
            assert!(MfaDevice::read_secret(wrong).is_err(), "{wrong}");
        }
    }
}
