use std::cell::OnceCell;
use std::collections::BTreeMap;

use http::HeaderMap;
use percent_encoding::percent_decode_str;

use super::Protocol;
use super::tree::Tree;
use crate::aws::{AccountId, Region};

/// A verified request as a definition reads it.
pub struct ServiceRequest<'a> {
    /// The method, in capitals.
    pub method: &'a str,
    /// The path as it was sent.
    pub path: &'a str,
    /// What follows `?`, as it was sent.
    pub query: Option<&'a str>,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// All of the body; none where it is not read before the request is decided.
    pub body: Option<&'a [u8]>,
    /// The region that it was signed for.
    pub region: &'a Region,
    /// The account whose resources the upstream holds.
    pub account: AccountId,
}

/// What a definition can't tell of a request: it is denied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Undetermined(pub(super) String);

/// A request with what was read of it so far.
pub(super) struct Reading<'a> {
    pub(super) request: &'a ServiceRequest<'a>,
    protocol: Protocol,
    /// The variables of the path, decoded.
    pub(super) path: BTreeMap<String, String>,
    query: Vec<(String, String)>,
    body: OnceCell<Result<Tree, Undetermined>>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(request: &'a ServiceRequest<'a>, protocol: Protocol) -> Result<Self, Undetermined> {
        let query = query(request.query.unwrap_or_default())?;
        Ok(Self { request, protocol, path: BTreeMap::new(), query, body: OnceCell::new() })
    }

    /// The names and values of the query, decoded, without those that every signed request may have.
    pub(super) fn query(&self) -> impl Iterator<Item = (&str, &str)> {
        self.query.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Every value of a name in the query.
    pub(super) fn query_values(&self, name: &str) -> Vec<&str> {
        self.query().filter(|(known, _)| *known == name).map(|(_, value)| value).collect()
    }

    /// Every value of a header.
    pub(super) fn header(&self, name: &str) -> Result<Vec<&str>, Undetermined> {
        let text = |value: &'a http::HeaderValue| {
            std::str::from_utf8(value.as_bytes())
                .map(str::trim)
                .map_err(|_| Undetermined(format!("the header {name} is not UTF-8")))
        };
        self.request.headers.get_all(name).iter().map(text).collect()
    }

    /// The body as a tree, read when it is first asked for.
    pub(super) fn body(&self) -> Result<&Tree, Undetermined> {
        self.body.get_or_init(|| self.read_body()).as_ref().map_err(Clone::clone)
    }

    fn read_body(&self) -> Result<Tree, Undetermined> {
        let Some(body) = self.request.body else {
            return Err(Undetermined("the body is not read before the request is decided".to_owned()));
        };
        let codings = self.request.headers.get_all(http::header::CONTENT_ENCODING);
        if codings.iter().any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
            return Err(Undetermined("the body is encoded".to_owned()));
        }
        let text = || std::str::from_utf8(body).map_err(|_| Undetermined("the body is not UTF-8".to_owned()));
        let read = match self.protocol {
            Protocol::Json | Protocol::RestJson if body.is_empty() => return Ok(Tree::Nothing),
            Protocol::RestXml | Protocol::S3 if body.is_empty() => return Ok(Tree::Nothing),
            Protocol::Json | Protocol::RestJson => Tree::json(body),
            Protocol::RestXml | Protocol::S3 => Tree::xml(text()?),
            Protocol::Query => {
                Tree::form(if body.is_empty() { self.request.query.unwrap_or_default() } else { text()? })
            }
        };
        read.map_err(|unreadable| Undetermined(unreadable.0))
    }
}

/// Decoded without a form's `+`, which is refused before a signature is looked at.
fn query(text: &str) -> Result<Vec<(String, String)>, Undetermined> {
    let decode = |text: &str| {
        percent_decode_str(text)
            .decode_utf8()
            .map(std::borrow::Cow::into_owned)
            .map_err(|_| Undetermined("the query is not UTF-8".to_owned()))
    };
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode(name)?, decode(value)?))
        })
        .filter(|pair| !matches!(pair, Ok((name, _)) if is_of_signature(name)))
        .collect()
}

/// The parameters of a presigned request, and the one that SDKs name their operation by.
fn is_of_signature(name: &str) -> bool {
    name.starts_with("X-Amz-") || name == "x-id"
}
