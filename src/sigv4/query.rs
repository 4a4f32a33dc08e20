use percent_encoding::percent_decode_str;

use super::canonical;
use super::refusal::Refusal;

/// What query authentication is made of. Names count in any case and any escaping: whatever an
/// endpoint behind might take for authentication is taken for it here.
const AUTHENTICATION: [&str; 7] = [
    "x-amz-algorithm",
    "x-amz-credential",
    "x-amz-date",
    "x-amz-expires",
    "x-amz-security-token",
    "x-amz-signature",
    "x-amz-signedheaders",
];

/// Which way of signing a query string speaks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct QueryAuthentication {
    /// `X-Amz-Algorithm` is there.
    pub(super) algorithm: bool,
    /// Any authentication parameter is there.
    pub(super) any: bool,
}

/// Reads a raw query string: its escapes must be well formed.
pub(super) fn authentication(query: Option<&str>) -> Result<QueryAuthentication, Refusal> {
    let mut found = QueryAuthentication::default();
    let Some(query) = query.filter(|query| !query.is_empty()) else { return Ok(found) };
    if !canonical::escapes_are_well_formed(query) {
        return Err(Refusal::bad_request("The query string has a malformed percent-encoding."));
    }
    for pair in query.split('&') {
        let raw_name = pair.split('=').next().unwrap_or_default();
        let name: Vec<u8> = percent_decode_str(raw_name).collect();
        if let Some(parameter) = AUTHENTICATION.iter().find(|known| name.eq_ignore_ascii_case(known.as_bytes())) {
            found.any = true;
            found.algorithm |= *parameter == "x-amz-algorithm";
        }
    }
    Ok(found)
}

/// Some clients' signers read a raw `+` as a space and others as itself.
pub(super) fn check_plus(query: Option<&str>) -> Result<(), Refusal> {
    if query.is_some_and(|query| query.contains('+')) { Err(Refusal::raw_plus()) } else { Ok(()) }
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
            (Some("a=b&c&X-Amz-Target=x&=X-Amz-Algorithm"), nothing),
            (Some("X-Amz-Algorithm=x"), QueryAuthentication { algorithm: true, any: true }),
            (Some("a&x-amz-ALGORITHM"), QueryAuthentication { algorithm: true, any: true }),
            (Some("a=b&X%2dAmz-Credential=x"), QueryAuthentication { algorithm: false, any: true }),
            (Some("x-amz-signature"), QueryAuthentication { algorithm: false, any: true }),
            (Some("X-Amz-Security-Token=t"), QueryAuthentication { algorithm: false, any: true }),
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
}
