use std::fmt;

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use sha2::{Digest, Sha256};

/// The SHA-256 of a line's bytes, without its line end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hash([u8; 32]);

impl Hash {
    /// What the first line names as its predecessor: 64 zeros.
    pub const NONE: Self = Self([0; 32]);

    /// The hash of a line, given without its line end.
    #[must_use]
    pub fn of(line: &[u8]) -> Self {
        Self(Sha256::digest(line).into())
    }

    /// Reads 64 hex digits of either case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()?.try_into().ok().map(Self)
    }

    /// 64 lower-case hex digits.
    #[must_use]
    pub fn to_hex(self) -> String {
        HEXLOWER.encode(&self.0)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex())
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How far a log has come: what the next line links to.
///
/// A line's last member is `"previousHash"`, the hash of the line before. So a record is
/// serialised without knowing its place, and the link is added when its place is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chain {
    /// Lines so far.
    pub records: u64,
    /// The hash of the last line.
    pub last: Hash,
    /// Bytes so far, line ends included.
    pub bytes: u64,
}

impl Default for Chain {
    fn default() -> Self {
        Self { records: 0, last: Hash::NONE, bytes: 0 }
    }
}

impl Chain {
    /// The member that links a line to the one before, up to its value's opening quote.
    const MEMBER: &'static [u8] = b",\"previousHash\":\"";

    /// Appends a record's JSON object to `out` as the next line.
    ///
    /// The object must have a member and end in `}`, with nothing after it.
    pub fn push(&mut self, object: &[u8], out: &mut Vec<u8>) {
        let start = out.len();
        let mut digits = [0; 64];
        HEXLOWER.encode_mut(&self.last.0, &mut digits);
        out.extend_from_slice(&object[..object.len().saturating_sub(1)]);
        out.extend_from_slice(Self::MEMBER);
        out.extend_from_slice(&digits);
        out.extend_from_slice(b"\"}");
        self.accept(&out[start..]);
        out.push(b'\n');
    }

    /// Takes a line, without its line end, as the next one; whether it links is not asked.
    pub fn accept(&mut self, line: &[u8]) {
        self.records += 1;
        self.last = Hash::of(line);
        self.bytes += line.len() as u64 + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_ends_with_the_hash_of_the_line_before() {
        let mut chain = Chain::default();
        let mut out = Vec::new();
        chain.push(br#"{"a":1}"#, &mut out);
        chain.push(br#"{"a":2}"#, &mut out);
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], format!(r#"{{"a":1,"previousHash":"{}"}}"#, "0".repeat(64)));
        assert_eq!(lines[1], format!(r#"{{"a":2,"previousHash":"{}"}}"#, Hash::of(lines[0].as_bytes())));
        assert_eq!(chain, Chain { records: 2, last: Hash::of(lines[1].as_bytes()), bytes: text.len() as u64 });
    }

    #[test]
    fn a_hash_reads_its_own_text() {
        let hash = Hash::of(b"x");
        assert_eq!(Hash::parse(&hash.to_hex()), Some(hash));
        assert_eq!(Hash::parse(&hash.to_hex().to_uppercase()), Some(hash));
        assert_eq!(Hash::parse("00"), None);
    }
}
