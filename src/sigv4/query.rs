use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::authentication::Presigned;
use super::canonical;
use super::refusal::Refusal;

/// What query authentication is made of. Names count in any case and any escaping: whatever an
/// endpoint behind might take for authentication is taken for it here.
const AUTHENTICATION: [&str; 8] = [
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-Region-Set",
    "X-Amz-Security-Token",
    "X-Amz-Signature",
    "X-Amz-SignedHeaders",
];

/// A header that signers may hoist into the query; no authentication of its own.
const CONTENT_SHA256: &str = "X-Amz-Content-Sha256";

/// Which way of signing a query string speaks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct QueryAuthentication {
    /// `X-Amz-Algorithm` is there.
    pub(super) algorithm: bool,
    /// Any authentication parameter is there.
    pub(super) any: bool,
}

/// The parameters of a presigned request, unescaped; what is absent is `None`.
#[derive(Debug, Default)]
pub(super) struct Parameters<'a> {
    pub(super) algorithm: Option<Cow<'a, str>>,
    pub(super) credential: Option<Cow<'a, str>>,
    pub(super) signed_headers: Option<Cow<'a, str>>,
    pub(super) signature: Option<Cow<'a, str>>,
    pub(super) presigned: Presigned<'a>,
}

/// Reads a raw query string: its escapes must be well formed.
pub(super) fn authentication(query: Option<&str>) -> Result<QueryAuthentication, Refusal> {
    let mut found = QueryAuthentication::default();
    let Some(query) = query.filter(|query| !query.is_empty()) else { return Ok(found) };
    if !canonical::escapes_are_well_formed(query) {
        return Err(Refusal::bad_request("The query string has a malformed percent-encoding."));
    }
    for (name, _) in pairs(query) {
        if let Some(parameter) = AUTHENTICATION.into_iter().find(|known| is_named(name, known)) {
            found.any = true;
            found.algorithm |= parameter == "X-Amz-Algorithm";
        }
    }
    Ok(found)
}

/// Some clients' signers read a raw `+` as a space and others as itself.
pub(super) fn check_plus(query: Option<&str>) -> Result<(), Refusal> {
    if query.is_some_and(|query| query.contains('+')) { Err(Refusal::raw_plus()) } else { Ok(()) }
}

/// Whether a parameter of this name is there, in its one spelling.
pub(super) fn has(query: Option<&str>, name: &str) -> bool {
    query.is_some_and(|query| pairs(query).any(|(known, _)| is_named(known, name)))
}

impl<'a> Parameters<'a> {
    /// Each once, spelled as AWS spells it: another spelling, or the same name twice, might be
    /// read otherwise by an endpoint behind.
    pub(super) fn read(query: Option<&'a str>) -> Result<Self, Refusal> {
        let mut read = Self::default();
        for (name, value) in pairs(query.unwrap_or_default()) {
            let known = AUTHENTICATION.into_iter().chain([CONTENT_SHA256]).find(|known| is_named(name, known));
            let Some(known) = known else { continue };
            if known != CONTENT_SHA256 && name != known {
                return Err(Refusal::misspelt_parameter(known));
            }
            let place = match known {
                "X-Amz-Algorithm" => &mut read.algorithm,
                "X-Amz-Credential" => &mut read.credential,
                "X-Amz-Date" => &mut read.presigned.date,
                "X-Amz-Expires" => &mut read.presigned.expires,
                "X-Amz-Region-Set" => &mut read.presigned.region_set,
                "X-Amz-Security-Token" => &mut read.presigned.security_token,
                "X-Amz-Signature" => &mut read.signature,
                "X-Amz-SignedHeaders" => &mut read.signed_headers,
                _ => &mut read.presigned.content_sha256,
            };
            let value = percent_decode_str(value).decode_utf8().ok();
            let visible = value.filter(|value| value.bytes().all(|b| matches!(b, b' '..=b'~')));
            let value = visible.ok_or_else(|| Refusal::parameter_not_ascii(known))?;
            if place.replace(value).is_some() {
                return Err(Refusal::repeated_query_parameter(known));
            }
        }
        Ok(read)
    }
}

/// Names and values as they were sent; a name alone has an empty value.
fn pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

/// Unescaped, in any case.
fn is_named(raw: &str, name: &str) -> bool {
    percent_decode_str(raw).map(|b| b.to_ascii_lowercase()).eq(name.bytes().map(|b| b.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authentication_parameters_are_found_in_any_spelling() {
        let nothing = QueryAuthentication::default();
        for (query, expected) in [
            (None, nothing),
            (Some(""), nothing),
            (Some("a=b&c&X-Amz-Target=x&=X-Amz-Algorithm&X-Amz-Content-Sha256=x"), nothing),
            (Some("X-Amz-Algorithm=x"), QueryAuthentication { algorithm: true, any: true }),
            (Some("a&x-amz-ALGORITHM"), QueryAuthentication { algorithm: true, any: true }),
            (Some("a=b&X%2dAmz-Credential=x"), QueryAuthentication { algorithm: false, any: true }),
            (Some("x-amz-signature"), QueryAuthentication { algorithm: false, any: true }),
            (Some("X-Amz-Security-Token=t"), QueryAuthentication { algorithm: false, any: true }),
            (Some("x-amz-region-set=*"), QueryAuthentication { algorithm: false, any: true }),
        ] {
            assert_eq!(authentication(query), Ok(expected), "{query:?}");
        }
    }

    #[test]
    fn a27_malformed_escapes_and_raw_plus_are_refused() {
        for query in ["%", "a=%z", "a=%zz", "%4", "a=b&c=%e"] {
            assert_eq!(authentication(Some(query)).unwrap_err().code(), "BadRequest", "{query}");
        }
        assert_eq!(check_plus(Some("a=b+c")), Err(Refusal::raw_plus()));
        assert_eq!(check_plus(Some("a=b%2Bc%20d")), Ok(()));
        assert_eq!(check_plus(None), Ok(()));
    }

    #[test]
    fn parameters_are_unescaped_once() {
        let read = Parameters::read(Some(
            "X-Amz-Algorithm=a&b=c&X-Amz-Credential=k%2Fd&X-Amz-Date=d&X-Amz-Expires=5&X-Amz-SignedHeaders=a%3Bb\
             &X-Amz-Security-Token=t%252B%3D&X-Amz-Region-Set=us-%2A&x-amz-content-sha256=x&X-Amz-Signature=s",
        ));
        let read = read.unwrap();
        assert_eq!(read.algorithm.as_deref(), Some("a"));
        assert_eq!(read.credential.as_deref(), Some("k/d"));
        assert_eq!(read.signed_headers.as_deref(), Some("a;b"));
        assert_eq!(read.signature.as_deref(), Some("s"));
        assert_eq!(read.presigned.date.as_deref(), Some("d"));
        assert_eq!(read.presigned.expires.as_deref(), Some("5"));
        assert_eq!(read.presigned.security_token.as_deref(), Some("t%2B="));
        assert_eq!(read.presigned.region_set.as_deref(), Some("us-*"));
        assert_eq!(read.presigned.content_sha256.as_deref(), Some("x"));
        assert!(Parameters::read(None).unwrap().credential.is_none());
    }

    #[test]
    fn a25_a_parameter_has_one_spelling_and_is_there_once() {
        for name in AUTHENTICATION {
            let twice = format!("{name}=a&b&{name}=a");
            assert_eq!(Parameters::read(Some(&twice)).unwrap_err(), Refusal::repeated_query_parameter(name));
            let escaped = format!("%58{}", &name[1..]);
            for other in [name.to_ascii_lowercase(), name.to_ascii_uppercase(), escaped] {
                let beside = format!("{name}=a&{other}=a");
                assert_eq!(Parameters::read(Some(&beside)).unwrap_err(), Refusal::misspelt_parameter(name));
            }
            for value in ["%0a", "%ff", "%C3%A9", "\u{e9}", "%00", "%7F"] {
                let query = format!("{name}={value}");
                assert_eq!(Parameters::read(Some(&query)).unwrap_err(), Refusal::parameter_not_ascii(name), "{value}");
            }
        }
        let hoisted = Parameters::read(Some("X-Amz-Content-Sha256=a&x-amz-content-sha256=a"));
        assert_eq!(hoisted.unwrap_err(), Refusal::repeated_query_parameter(CONTENT_SHA256));
    }
}
