//! The key derivation function: NIST SP 800-108r1, counter mode, HMAC-SHA-256 as its PRF.
//!
//! One block of output is one key of 32 bytes, so the counter is always 1:
//! `HMAC(key, [1]₃₂ ‖ label ‖ 0x00 ‖ context ‖ [256]₃₂)`.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

/// Bytes of a key, derived or deriving.
pub const KEY_BYTES: usize = 32;

/// The counter of the first and only block, `[i]₃₂`.
const COUNTER: [u8; 4] = 1u32.to_be_bytes();

/// The output's length in bits, `[L]₃₂`.
const OUTPUT_BITS: [u8; 4] = 256u32.to_be_bytes();

/// Derives a key of 32 bytes.
///
/// The label says what the key is for; it must hold no zero byte, which ends it. The context makes
/// the key one of many: a salt, an identifier.
pub fn derive_key(key: &[u8; KEY_BYTES], label: &[u8], context: &[u8]) -> Zeroizing<[u8; KEY_BYTES]> {
    debug_assert!(!label.contains(&0), "a label ends at its first zero byte");
    first_block(key, &[label, &[0], context, &OUTPUT_BITS])
}

/// The first block of the function's output for a fixed input that is given in parts.
fn first_block(key: &[u8; KEY_BYTES], fixed_input: &[&[u8]]) -> Zeroizing<[u8; KEY_BYTES]> {
    let mut mac = keyed(key);
    mac.update(&COUNTER);
    for part in fixed_input {
        mac.update(part);
    }
    Zeroizing::new(mac.finalize().into_bytes().into())
}

/// HMAC-SHA-256 with a key.
pub(super) fn keyed(key: &[u8; KEY_BYTES]) -> Hmac<Sha256> {
    let mut block = Zeroizing::new([0u8; 64]);
    block[..KEY_BYTES].copy_from_slice(key);
    // HMAC pads a short key with zeros to the hash's block: this is the same key, of a length that
    // the type knows, so that nothing can fail.
    Hmac::<Sha256>::new((&*block).into())
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;
    use sha2::Digest;

    use super::*;
    use crate::seal::nist_cases;

    /// HMAC as RFC 2104 writes it, on SHA-256 alone.
    fn plain_hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
        let pad = |byte: u8| -> Vec<u8> { (0..64).map(|at| key.get(at).copied().unwrap_or(0) ^ byte).collect() };
        let inner = Sha256::digest([pad(0x36), message.to_vec()].concat());
        Sha256::digest([pad(0x5c), inner.to_vec()].concat()).to_vec()
    }

    #[test]
    fn the_first_block_is_that_of_nists_vectors() {
        let hex = |value: &serde_json::Value| HEXLOWER.decode(value.as_str().unwrap().as_bytes()).unwrap();
        for case in nist_cases("kbkdf_ctr") {
            let output = first_block(&hex(&case["KI"]).try_into().unwrap(), &[&hex(&case["FixedInputData"])]);
            assert!(output.starts_with(&hex(&case["KO"])), "{case}");
        }
    }

    #[test]
    fn a_derived_key_is_that_of_an_independent_implementation() {
        for (key, label, context) in [
            ([0u8; 32], &b""[..], &b""[..]),
            ([0x0b; 32], b"label", b"context"),
            ([0xff; 32], b"keystile seal v1", &[0u8; 16]),
            ([0xa5; 32], b"x", &[7u8; 500]),
        ] {
            let input = [&[0, 0, 0, 1], label, &[0], context, &[0, 0, 1, 0]].concat();
            assert_eq!(derive_key(&key, label, context).to_vec(), plain_hmac(&key, &input));
        }
    }
}
