//! JSON that is written piece by piece: what is written for each request is mostly the same text.

use serde::Serialize;

/// Appends text that is JSON already.
pub fn raw(out: &mut Vec<u8>, json: &str) {
    out.extend_from_slice(json.as_bytes());
}

/// Appends a string, escaped where it must be.
///
/// # Errors
/// None in practice: a string always serialises.
pub fn text(out: &mut Vec<u8>, text: &str) -> serde_json::Result<()> {
    // No early end: the compiler makes one pass over many bytes at a time of it.
    let is_plain = text.bytes().fold(true, |plain, byte| plain && (byte >= b' ') && (byte != b'"') && (byte != b'\\'));
    if is_plain {
        out.push(b'"');
        raw(out, text);
        out.push(b'"');
        Ok(())
    } else {
        value(out, text)
    }
}

/// Appends a string, or null.
///
/// # Errors
/// As [`text`].
pub fn optional_text(out: &mut Vec<u8>, given: Option<&str>) -> serde_json::Result<()> {
    if let Some(given) = given {
        text(out, given)
    } else {
        raw(out, "null");
        Ok(())
    }
}

/// Appends whatever serialises.
///
/// # Errors
/// What the value's serialiser reports.
pub fn value<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) -> serde_json::Result<()> {
    serde_json::to_writer(out, value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_string_reads_back() {
        for given in ["", "plain", "a\"b", "a\\b", "a\nb", "\u{1}", "é\u{1F600}", "\u{7f}"] {
            let mut out = Vec::new();
            text(&mut out, given).unwrap();
            assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), given);
        }
    }
}
