use bytes::{Buf, Bytes};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::sigv4::refusal::Refusal;

use super::chain::Chain;
use super::checksums::Checksums;

/// Longest line before a chunk: a size of 16 digits, `;chunk-signature=`, a signature, CR LF.
const MAX_SIZE_LINE: usize = 16 + 17 + 64 + 2;
/// Longest line of a trailer, in bytes.
const MAX_TRAILER_LINE: usize = 1024;
/// Most trailers that may be announced.
const MAX_TRAILERS: usize = 16;

const TRAILER_SIGNATURE: &str = "x-amz-trailer-signature";

/// Takes the framing `aws-chunked` off a body: sizes in hex, data, trailers.
///
/// ```text
/// 400;chunk-signature=<64 digits> CR LF <data> CR LF … 0;chunk-signature=<64 digits> CR LF
/// x-amz-checksum-crc32:<base64> CR LF x-amz-trailer-signature:<64 digits> CR LF CR LF
/// ```
///
/// Without signatures the sizes stand alone, and without trailers an empty line follows the last
/// one. Lines are bounded; what has no single reading is refused.
pub(super) struct Chunks {
    state: State,
    signing: Signing,
    /// The line that is being read.
    line: Vec<u8>,
    length: u64,
    /// Of the length, what no chunk has announced yet.
    left: u64,
    /// The names in `x-amz-trailer`.
    announced: Vec<HeaderName>,
    trailers: HeaderMap,
    /// The trailers' signature came, and holds.
    trailers_hold: bool,
}

pub(super) enum Signing {
    Signed { chain: Chain, trailer: bool },
    Unsigned,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Size,
    Data {
        left: u64,
    },
    /// The line end behind a chunk's data.
    DataEnd,
    Trailer,
    Nothing,
}

impl Chunks {
    pub(super) fn new(
        headers: &HeaderMap,
        length: Option<&[u8]>,
        signing: Signing,
        checksums: &mut Checksums,
    ) -> Result<Self, Refusal> {
        let length = length.and_then(decimal).ok_or_else(Refusal::missing_decoded_length)?;
        let announced = announced(headers)?;
        let mut has_checksum = false;
        for name in &announced {
            has_checksum |= checksums.announce(name.as_str());
        }
        match &signing {
            Signing::Unsigned if !has_checksum => return Err(Refusal::missing_checksum()),
            Signing::Signed { trailer: true, .. } if announced.is_empty() => {
                return Err(Refusal::trailer("'x-amz-trailer' does not announce any"));
            }
            Signing::Signed { trailer: false, .. } if !announced.is_empty() => {
                return Err(Refusal::trailer("'x-amz-trailer' announces what 'x-amz-content-sha256' has no place for"));
            }
            Signing::Unsigned | Signing::Signed { .. } => {}
        }
        Ok(Self {
            state: State::Size,
            signing,
            line: Vec::new(),
            length,
            left: length,
            announced,
            trailers: HeaderMap::new(),
            trailers_hold: false,
        })
    }

    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Adds the data that is proven, as far as chunks prove themselves.
    pub(super) fn push(&mut self, mut bytes: Bytes, out: &mut Vec<Bytes>) -> Result<(), Refusal> {
        while !bytes.is_empty() {
            match self.state {
                State::Size => {
                    if self.reads_line(&mut bytes, MAX_SIZE_LINE)? {
                        let line = std::mem::take(&mut self.line);
                        self.begin_chunk(&line)?;
                    }
                }
                State::Data { left } => {
                    let piece = bytes.split_to(usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len()));
                    let left = left.saturating_sub(u64::try_from(piece.len()).unwrap_or(u64::MAX));
                    self.state = if left == 0 { State::DataEnd } else { State::Data { left } };
                    match &mut self.signing {
                        Signing::Signed { chain, .. } => chain.take(&piece),
                        Signing::Unsigned => out.push(piece),
                    }
                }
                State::DataEnd => {
                    if self.reads_line(&mut bytes, 2)? {
                        if let Signing::Signed { chain, .. } = &mut self.signing {
                            out.push(chain.close()?);
                        }
                        self.state = State::Size;
                    }
                }
                State::Trailer => {
                    if self.reads_line(&mut bytes, MAX_TRAILER_LINE)? {
                        let line = std::mem::take(&mut self.line);
                        self.take_trailer(&line)?;
                    }
                }
                State::Nothing => return Err(Refusal::body_goes_on()),
            }
        }
        Ok(())
    }

    /// The trailers of a body that is complete.
    pub(super) fn finish(self) -> Result<HeaderMap, Refusal> {
        match self.state {
            State::Nothing => Ok(self.trailers),
            State::Size | State::Data { .. } | State::DataEnd | State::Trailer => Err(Refusal::incomplete_body()),
        }
    }

    /// Whether the line is complete; it is then without its CR LF.
    fn reads_line(&mut self, bytes: &mut Bytes, limit: usize) -> Result<bool, Refusal> {
        for (index, byte) in bytes.iter().enumerate() {
            self.line.push(*byte);
            if self.line.ends_with(b"\r\n") {
                self.line.truncate(self.line.len() - 2);
                bytes.advance(index + 1);
                return Ok(true);
            }
            if self.line.len() >= limit {
                return Err(Refusal::chunk_syntax("a line does not end where it should"));
            }
        }
        bytes.clear();
        Ok(false)
    }

    fn begin_chunk(&mut self, line: &[u8]) -> Result<(), Refusal> {
        let (size, signature) = match (&self.signing, line.iter().position(|b| *b == b';')) {
            (Signing::Unsigned, _) => (line, None),
            (Signing::Signed { .. }, None) => return Err(Refusal::chunk_syntax("a chunk has no signature")),
            (Signing::Signed { .. }, Some(end)) => {
                let signature = line[end..].strip_prefix(b";chunk-signature=");
                (&line[..end], Some(signature.ok_or_else(|| Refusal::chunk_syntax("a chunk has no signature"))?))
            }
        };
        let size = hexadecimal(size).ok_or_else(|| Refusal::chunk_syntax("a size is no hexadecimal number"))?;
        self.left = self.left.checked_sub(size).ok_or_else(Refusal::incomplete_body)?;
        if let (Signing::Signed { chain, .. }, Some(signature)) = (&mut self.signing, signature) {
            chain.open(size, signature)?;
            if size == 0 {
                chain.close()?;
            }
        }
        if size > 0 {
            self.state = State::Data { left: size };
        } else if self.left == 0 {
            self.state = State::Trailer;
        } else {
            return Err(Refusal::incomplete_body());
        }
        Ok(())
    }

    fn take_trailer(&mut self, line: &[u8]) -> Result<(), Refusal> {
        if line.is_empty() {
            return self.end();
        }
        // Some signers end the last trailer with a line feed of its own.
        let line = line.trim_ascii();
        if self.trailers_hold {
            return Err(Refusal::trailer("something follows its signature"));
        }
        let visible = line.iter().all(|b| matches!(b, b' '..=b'~'));
        let line = std::str::from_utf8(line).ok().filter(|_| visible);
        let (name, value) = line
            .and_then(|line| line.split_once(':'))
            .ok_or_else(|| Refusal::trailer("a line is not 'name:value' in visible ASCII"))?;
        let (name, value) = (name.to_ascii_lowercase(), value.trim_ascii());
        if let Signing::Signed { chain, trailer: true } = &mut self.signing
            && name == TRAILER_SIGNATURE
        {
            chain.check_trailers(&canonical(&self.trailers), value.as_bytes())?;
            self.trailers_hold = true;
            return Ok(());
        }
        let known = self.announced.iter().find(|known| known.as_str() == name);
        let known = known.ok_or_else(|| Refusal::trailer_name("is not announced in 'x-amz-trailer'", &name))?;
        let value = HeaderValue::from_str(value).map_err(|_| Refusal::trailer_name("has no value", &name))?;
        if self.trailers.insert(known.clone(), value).is_some() {
            return Err(Refusal::trailer_name("is there twice", &name));
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), Refusal> {
        if let Some(missing) = self.announced.iter().find(|name| !self.trailers.contains_key(*name)) {
            return Err(Refusal::trailer_name("is announced and missing", missing.as_str()));
        }
        match &self.signing {
            Signing::Signed { trailer: true, .. } if !self.trailers_hold => {
                return Err(Refusal::trailer_name("is missing", TRAILER_SIGNATURE));
            }
            Signing::Signed { .. } | Signing::Unsigned => {}
        }
        self.state = State::Nothing;
        Ok(())
    }
}

/// The names in `x-amz-trailer`, which is signed: checksums, each once.
fn announced(headers: &HeaderMap) -> Result<Vec<HeaderName>, Refusal> {
    let mut names: Vec<HeaderName> = Vec::new();
    for value in headers.get_all("x-amz-trailer") {
        for name in value.as_bytes().split(|b| *b == b',') {
            let name = HeaderName::from_bytes(name.trim_ascii());
            let name = name.map_err(|_| Refusal::trailer("'x-amz-trailer' is no list of names"))?;
            if !name.as_str().starts_with("x-amz-checksum-") {
                return Err(Refusal::trailer_name("is no trailer that is taken", name.as_str()));
            }
            if names.contains(&name) || names.len() == MAX_TRAILERS {
                return Err(Refusal::trailer("'x-amz-trailer' names too much, or something twice"));
            }
            names.push(name);
        }
    }
    Ok(names)
}

fn canonical(trailers: &HeaderMap) -> String {
    let mut lines: Vec<String> = trailers
        .iter()
        .map(|(name, value)| format!("{name}:{}\n", String::from_utf8_lossy(value.as_bytes())))
        .collect();
    lines.sort_unstable();
    lines.concat()
}

/// Digits alone: no sign, no white space.
fn decimal(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?;
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?
}

/// Digits alone, at most 16 of them.
fn hexadecimal(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok().filter(|text| text.len() <= 16)?;
    text.bytes().all(|b| b.is_ascii_hexdigit()).then(|| u64::from_str_radix(text, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_digits_alone() {
        assert_eq!((decimal(b"0"), decimal(b"18446744073709551615")), (Some(0), Some(u64::MAX)));
        assert_eq!((hexadecimal(b"1aF"), hexadecimal(b"ffffffffffffffff")), (Some(0x1af), Some(u64::MAX)));
        for bad in [&b""[..], b"+5", b"-1", b" 5", b"5 ", b"0x5", b"5.", b"\xff", b"18446744073709551616"] {
            assert_eq!(decimal(bad), None, "{bad:?}");
            assert_eq!(hexadecimal(bad), None, "{bad:?}");
        }
        assert_eq!(hexadecimal(b"00000000000000001"), None);
    }

    #[test]
    fn trailers_are_checksums_and_announced_once() {
        let names = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append("x-amz-trailer", value.parse().unwrap());
            }
            announced(&headers).map(|names| names.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
        };
        assert_eq!(names(&[]).unwrap(), "");
        let two = "x-amz-checksum-crc32 x-amz-checksum-new";
        assert_eq!(names(&["x-amz-checksum-crc32, X-Amz-Checksum-New"]).unwrap(), two);
        assert_eq!(names(&["x-amz-checksum-crc32", "x-amz-checksum-new"]).unwrap(), two);
        let many: Vec<String> = (0..17).map(|n| format!("x-amz-checksum-{n}")).collect();
        assert!(names(&[&many[..16].join(",")]).is_ok());
        for bad in
            ["", "x-amz-checksum-crc32,", "x-amz-target", "a b", "x-amz-checksum-a,x-amz-checksum-a", &many.join(",")]
        {
            assert_eq!(names(&[bad]).unwrap_err().kind(), crate::sigv4::RefusalKind::MalformedTrailer, "{bad}");
        }
    }
}
