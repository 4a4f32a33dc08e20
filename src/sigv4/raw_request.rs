//! One HTTP/1.1 request from a file: as it was sent, or as a person wrote it down.

use http::{HeaderMap, HeaderName, HeaderValue};

/// A request's parts, as sent: nothing is decoded.
#[derive(Debug)]
pub struct RawRequest {
    /// `GET`, …
    pub method: String,
    /// The target up to a `?`.
    pub path: String,
    /// What follows the `?`; none without one.
    pub query: Option<String>,
    /// In the order of arrival, folded lines joined.
    pub headers: HeaderMap,
    /// What follows the empty line, as long as `Content-Length` says.
    pub body: Vec<u8>,
}

/// The bytes are no HTTP/1.1 request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum InvalidRequest {
    #[error("line 1: a request line is `METHOD /path HTTP/1.1`")]
    RequestLine,
    #[error("line {0}: a header is `Name: value`")]
    Header(usize),
    #[error("line {0}: the header's name or value has a character that HTTP does not allow")]
    HeaderCharacter(usize),
    #[error("the `Content-Length` is not one number")]
    ContentLength,
    #[error("the body has {present} bytes where `Content-Length` says {declared}")]
    BodyLength { declared: usize, present: usize },
    #[error("a body with `Transfer-Encoding` is not read here: give the decoded body with `Content-Length`")]
    TransferEncoding,
}

impl RawRequest {
    /// Lines end in CR LF or LF. A line that starts with white space goes on with the header
    /// before it. Without `Content-Length` the body is all that follows the empty line.
    ///
    /// # Errors
    /// Where the bytes are no such request, with the line.
    pub fn parse(bytes: &[u8]) -> Result<Self, InvalidRequest> {
        let (head, rest) = Self::read(bytes)?;
        let body = body_of(&head.headers, rest)?;
        Ok(Self { body, ..head })
    }

    /// A head alone, whose body is elsewhere, whatever its headers say of it.
    ///
    /// # Errors
    /// As [`RawRequest::parse`].
    pub fn parse_head(bytes: &[u8]) -> Result<Self, InvalidRequest> {
        Self::read(bytes).map(|(head, _)| head)
    }

    /// The head, and what follows it.
    fn read(bytes: &[u8]) -> Result<(Self, &[u8]), InvalidRequest> {
        let (mut lines, rest) = split_head(bytes);
        if lines.is_empty() {
            return Err(InvalidRequest::RequestLine);
        }
        let (method, target) = request_line(lines.remove(0)).ok_or(InvalidRequest::RequestLine)?;
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path.to_owned(), Some(query.to_owned())),
            None => (target, None),
        };
        let headers = headers(&lines)?;
        Ok((Self { method, path, query, headers, body: Vec::new() }, rest))
    }
}

/// The lines before the first empty one, and what follows it.
fn split_head(bytes: &[u8]) -> (Vec<&[u8]>, &[u8]) {
    let mut lines = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let end = rest.iter().position(|b| *b == b'\n');
        let (line, after) = end.map_or((rest, &[][..]), |end| (&rest[..end], &rest[end + 1..]));
        rest = after;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            break;
        }
        lines.push(line);
    }
    (lines, rest)
}

/// Method and target. A target may hold spaces, as hand-written test suites have them.
fn request_line(line: &[u8]) -> Option<(String, String)> {
    let line = std::str::from_utf8(line).ok()?;
    let (method, rest) = line.split_once(' ')?;
    let target = rest.strip_suffix(" HTTP/1.1")?;
    let is_method = http::Method::from_bytes(method.as_bytes()).is_ok();
    (is_method && !target.is_empty()).then(|| (method.to_owned(), target.to_owned()))
}

fn headers(lines: &[&[u8]]) -> Result<HeaderMap, InvalidRequest> {
    let mut fields: Vec<(usize, &[u8], Vec<u8>)> = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let number = index + 2;
        if let [b' ' | b'\t', ..] = line {
            let (_, _, value) = fields.last_mut().ok_or(InvalidRequest::Header(number))?;
            value.push(b' ');
            value.extend_from_slice(line.trim_ascii());
            continue;
        }
        let colon = line.iter().position(|b| *b == b':').ok_or(InvalidRequest::Header(number))?;
        fields.push((number, &line[..colon], line[colon + 1..].trim_ascii().to_vec()));
    }
    let mut headers = HeaderMap::new();
    for (number, name, value) in fields {
        let invalid = InvalidRequest::HeaderCharacter(number);
        let name = HeaderName::from_bytes(name).map_err(|_| invalid.clone())?;
        headers.append(name, HeaderValue::from_bytes(&value).map_err(|_| invalid)?);
    }
    Ok(headers)
}

/// As many bytes as declared; after them, line ends at most, as editors leave them.
fn body_of(headers: &HeaderMap, rest: &[u8]) -> Result<Vec<u8>, InvalidRequest> {
    if headers.contains_key(http::header::TRANSFER_ENCODING) {
        return Err(InvalidRequest::TransferEncoding);
    }
    let mut lengths = headers.get_all(http::header::CONTENT_LENGTH).iter();
    let Some(length) = lengths.next() else { return Ok(rest.to_vec()) };
    let digits = length.to_str().unwrap_or_default();
    let declared = digits.parse().ok().filter(|_| digits.bytes().all(|b| b.is_ascii_digit()));
    let declared: usize = declared.filter(|_| lengths.next().is_none()).ok_or(InvalidRequest::ContentLength)?;
    match rest.split_at_checked(declared) {
        Some((body, after)) if after.iter().all(|b| matches!(b, b'\r' | b'\n')) => Ok(body.to_vec()),
        _ => Err(InvalidRequest::BodyLength { declared, present: rest.len() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_with_either_line_end() {
        for text in [
            "POST /a b?c=d?e HTTP/1.1\r\nHost: h\r\nX-A:  1\r\n\t 2 \r\nX-A: 3\r\nContent-Length: 2\r\n\r\n{}",
            "POST /a b?c=d?e HTTP/1.1\nHost:h\nX-A:1\n 2\nX-A:3\nContent-Length:2\n\n{}\n",
        ] {
            let request = RawRequest::parse(text.as_bytes()).unwrap();
            assert_eq!((&*request.method, &*request.path), ("POST", "/a b"));
            assert_eq!(request.query.as_deref(), Some("c=d?e"));
            assert_eq!(request.headers.get_all("x-a").iter().collect::<Vec<_>>(), ["1 2", "3"]);
            assert_eq!(request.body, b"{}");
        }
        let bare = RawRequest::parse(b"GET / HTTP/1.1\nHost: h").unwrap();
        assert_eq!((bare.query, bare.body.len()), (None, 0));
        assert_eq!(RawRequest::parse(b"PUT / HTTP/1.1\n\na\n").unwrap().body, b"a\n");
    }

    #[test]
    fn what_is_no_request_is_named_by_its_line() {
        use InvalidRequest as No;
        for (text, error) in [
            ("", No::RequestLine),
            ("\n", No::RequestLine),
            ("GET /", No::RequestLine),
            ("GET HTTP/1.1", No::RequestLine),
            ("GET / HTTP/1.0", No::RequestLine),
            ("G(T / HTTP/1.1", No::RequestLine),
            ("GET / HTTP/1.1\nHost h", No::Header(2)),
            ("GET / HTTP/1.1\n folded", No::Header(2)),
            ("GET / HTTP/1.1\nA: b\nHost : h", No::HeaderCharacter(3)),
            ("GET / HTTP/1.1\nA: \u{1}", No::HeaderCharacter(2)),
            ("GET / HTTP/1.1\nContent-Length: +1\n\na", No::ContentLength),
            ("GET / HTTP/1.1\nContent-Length: 1\nContent-Length: 1\n\na", No::ContentLength),
            ("GET / HTTP/1.1\nContent-Length: 2\n\na", No::BodyLength { declared: 2, present: 1 }),
            ("GET / HTTP/1.1\nContent-Length: 1\n\nab", No::BodyLength { declared: 1, present: 2 }),
            ("GET / HTTP/1.1\nTransfer-Encoding: chunked\n\n0", No::TransferEncoding),
        ] {
            assert_eq!(RawRequest::parse(text.as_bytes()).unwrap_err(), error, "{text:?}");
        }
    }
}
