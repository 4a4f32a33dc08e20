use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, percent_encode};

use super::algorithm::Algorithm;
use super::content_sha256::hex;
use super::profile::Paths;
use super::refusal::Refusal;
use super::signed_headers::SignedHeaders;
use super::verify::Received;

/// Everything but RFC 3986's unreserved characters.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The path has a single reading: absolute, its escapes well formed, never above the root.
pub(super) fn check_path(path: &str) -> Result<(), Refusal> {
    if path == "/" {
        return Ok(());
    }
    if !path.starts_with('/') {
        return Err(Refusal::bad_request("The path is not absolute."));
    }
    if !escapes_are_well_formed(path) {
        return Err(Refusal::bad_request("The path has a malformed percent-encoding."));
    }
    let mut depth = 0_usize;
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                depth = depth.checked_sub(1).ok_or_else(|| Refusal::bad_request("The path climbs above the root."))?;
            }
            _ => depth += 1,
        }
    }
    Ok(())
}

/// Every `%` is followed by two hexadecimal digits.
pub(super) fn escapes_are_well_formed(text: &str) -> bool {
    text.split('%').skip(1).all(|rest| rest.len() >= 2 && rest.bytes().take(2).all(|b| b.is_ascii_hexdigit()))
}

/// The parameters of the query that are no part of what was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LeftOut {
    /// The signature itself.
    Signature,
    /// Also the session token, which a few services' clients append after signing.
    SignatureAndToken,
}

impl LeftOut {
    fn has(self, name: &str) -> bool {
        match self {
            Self::Signature => name == "X-Amz-Signature",
            Self::SignatureAndToken => matches!(name, "X-Amz-Signature" | "X-Amz-Security-Token"),
        }
    }
}

/// Appends the canonical request. Path and query have passed their checks, and every signed
/// header is there.
pub(super) fn write_request(
    out: &mut Vec<u8>,
    received: &Received<'_>,
    paths: Paths,
    leave_out: LeftOut,
    signed: &SignedHeaders<'_>,
    content_sha256: &[u8],
) {
    out.extend_from_slice(received.method.as_bytes());
    out.push(b'\n');
    write_path(out, received.path, paths);
    out.push(b'\n');
    if let Some(query) = received.query.filter(|query| !query.is_empty()) {
        write_query(out, query, leave_out);
    }
    out.push(b'\n');
    for header in &signed.list {
        out.extend_from_slice(header.name.as_bytes());
        out.push(b':');
        write_value(out, header.value.unwrap_or_default());
        for value in &header.further_values {
            out.push(b',');
            write_value(out, value);
        }
        out.push(b'\n');
    }
    out.push(b'\n');
    out.extend_from_slice(signed.text.as_bytes());
    out.push(b'\n');
    out.extend_from_slice(content_sha256);
}

/// Appends the string to sign: algorithm, date, scope, hash of the canonical request.
pub(super) fn write_string_to_sign(
    out: &mut Vec<u8>,
    algorithm: Algorithm,
    date: &str,
    scope: &str,
    request_hash: &[u8; 32],
) {
    out.extend_from_slice(algorithm.name().as_bytes());
    out.push(b'\n');
    out.extend_from_slice(date.as_bytes());
    out.push(b'\n');
    out.extend_from_slice(scope.as_bytes());
    out.push(b'\n');
    out.extend_from_slice(&hex(request_hash));
}

/// Normalised: dot and empty segments removed, then encoded once more than it came. Otherwise:
/// taken segment by segment as it is, in the one spelling of its escapes.
fn write_path(out: &mut Vec<u8>, path: &str, paths: Paths) {
    if path == "/" {
        out.push(b'/');
    } else if paths != Paths::AsTheyAre {
        let mut segments: Vec<&str> = Vec::new();
        for segment in path.split('/') {
            match segment {
                "" | "." => {}
                ".." => {
                    segments.pop();
                }
                segment => segments.push(segment),
            }
        }
        for segment in &segments {
            out.push(b'/');
            write_encoded(out, segment.as_bytes(), RESERVED);
        }
        // RFC 3986, 5.2.4: what ends in a slash or a dot segment ends in a slash.
        if segments.is_empty() || path.ends_with('/') || path.ends_with("/.") || path.ends_with("/..") {
            out.push(b'/');
        }
    } else {
        for (index, segment) in path.split('/').enumerate() {
            if index > 0 {
                out.push(b'/');
            }
            let decoded: Vec<u8> = percent_decode(segment.as_bytes()).collect();
            write_encoded(out, &decoded, RESERVED);
        }
    }
}

/// Sorted by encoded name, then by encoded value; a name alone gets its `=`.
fn write_query(out: &mut Vec<u8>, query: &str, leave_out: LeftOut) {
    let encode = |text: &str| {
        let decoded: Vec<u8> = percent_decode(text.as_bytes()).collect();
        percent_encode(&decoded, RESERVED).to_string()
    };
    let mut pairs: Vec<(String, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (encode(name), encode(value)))
        .filter(|(name, _)| !leave_out.has(name))
        .collect();
    pairs.sort_unstable();
    for (index, (name, value)) in pairs.iter().enumerate() {
        if index > 0 {
            out.push(b'&');
        }
        out.extend_from_slice(name.as_bytes());
        out.push(b'=');
        out.extend_from_slice(value.as_bytes());
    }
}

fn write_encoded(out: &mut Vec<u8>, bytes: &[u8], set: &'static AsciiSet) {
    for piece in percent_encode(bytes, set) {
        out.extend_from_slice(piece.as_bytes());
    }
}

/// Trimmed, with every run of white space folded to one space, quoted or not.
#[expect(clippy::needless_bitwise_bool, reason = "without a branch it is done on many bytes at once")]
fn write_value(out: &mut Vec<u8>, value: &[u8]) {
    let value = trim(value);
    // Without an early end, so that it is done on many bytes at once.
    let pairs = value.iter().zip(value.get(1..).unwrap_or_default());
    let runs = pairs.fold(false, |any, (a, b)| any | ((*a == b' ') & (*b == b' ')));
    let tabs = value.iter().fold(false, |any, b| any | (*b == b'\t'));
    if !runs && !tabs {
        out.extend_from_slice(value);
        return;
    }
    let mut in_white_space = false;
    for &byte in value {
        let white = is_white(byte);
        if !white {
            out.push(byte);
        } else if !in_white_space {
            out.push(b' ');
        }
        in_white_space = white;
    }
}

fn trim(mut value: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = value
        && is_white(*first)
    {
        value = rest;
    }
    while let [rest @ .., last] = value
        && is_white(*last)
    {
        value = rest;
    }
    value
}

fn is_white(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn paths_are_normalised_and_encoded_once_more_or_taken_as_they_are() {
        for (path, normalised, taken) in [
            ("/", "/", "/"),
            ("/a/../b%2Fc/", "/b%252Fc/", "/a/../b%2Fc/"),
            ("/example/..", "/", "/example/.."),
            ("//example//", "/example/", "//example//"),
            ("/./", "/", "/./"),
            ("/a/.", "/a/", "/a/."),
            ("/a/b/..", "/a/", "/a/b/.."),
            ("/a/b/c", "/a/b/c", "/a/b/c"),
            ("/a b", "/a%20b", "/a%20b"),
            ("/\u{1234}", "/%E1%88%B4", "/%E1%88%B4"),
            ("/%e1%88%b4", "/%25e1%2588%25b4", "/%E1%88%B4"),
            ("/a+b:c@d", "/a%2Bb%3Ac%40d", "/a%2Bb%3Ac%40d"),
            ("/%2e%2e/a", "/%252e%252e/a", "/../a"),
            ("/~-._", "/~-._", "/~-._"),
        ] {
            assert_eq!(written(|out| write_path(out, path, Paths::Normalized)), normalised, "{path}");
            assert_eq!(written(|out| write_path(out, path, Paths::AsTheyAre)), taken, "{path}");
        }
    }

    #[test]
    fn a26_a27_paths_with_no_single_reading_are_refused() {
        for bad in ["", "a", "*", "/%zz", "/%", "/a%4", "/..", "/a/../..", "/./..", "//..", "http://a/"] {
            assert_eq!(check_path(bad).unwrap_err().code(), "BadRequest", "{bad}");
        }
        for good in ["/", "/a/..", "/a/../b/..", "/%41", "//", "/a b", "/...", "/%2e%2e"] {
            assert_eq!(check_path(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn queries_are_sorted_by_encoded_name_then_value() {
        for (query, canonical) in [
            ("e", "e="),
            ("b=2&a=1", "a=1&b=2"),
            ("a=2&a=1&a", "a=&a=1&a=2"),
            ("Param-3=Value3&Param=Value2&%E1%88%B4=Value1", "%E1%88%B4=Value1&Param=Value2&Param-3=Value3"),
            ("a=b=c", "a=b%3Dc"),
            ("a=%7e%41%2f&a=%20", "a=%20&a=~A%2F"),
            ("a+b=c", "a%2Bb=c"),
            ("&&a&", "a="),
            ("a=1&X-Amz-Signature=00", "a=1"),
            ("\u{1234}=bar", "%E1%88%B4=bar"),
        ] {
            assert_eq!(written(|out| write_query(out, query, LeftOut::Signature)), canonical, "{query}");
        }
        let query = "X-Amz-Security-Token=t&a=1&X-Amz-Signature=00";
        let signed = written(|out| write_query(out, query, LeftOut::Signature));
        assert_eq!(signed, "X-Amz-Security-Token=t&a=1");
        assert_eq!(written(|out| write_query(out, query, LeftOut::SignatureAndToken)), "a=1");
    }

    #[test]
    fn header_values_are_trimmed_and_their_white_space_folded() {
        for (value, canonical) in [
            ("", ""),
            ("   ", ""),
            ("a", "a"),
            (" a\t", "a"),
            ("a b", "a b"),
            ("a  b", "a b"),
            ("a\tb", "a b"),
            (" \"a   b \t c\" ", "\"a b c\""),
        ] {
            assert_eq!(written(|out| write_value(out, value.as_bytes())), canonical, "{value:?}");
        }
    }
}
