use http::HeaderMap;

use super::authentication::Form;
use super::authorization::cut;
use super::profile::Profile;
use super::refusal::Refusal;

/// Headers that have one reading only while they are there once.
const SINGLE: [&str; 10] = [
    "authorization",
    "content-type",
    "date",
    "host",
    "x-amz-content-sha256",
    "x-amz-date",
    "x-amz-decoded-content-length",
    "x-amz-region-set",
    "x-amz-security-token",
    "x-amz-target",
];

// Places in `SINGLE`.
const DATE: usize = 2;
const CONTENT_SHA256: usize = 4;
const AMZ_DATE: usize = 5;
const DECODED_LENGTH: usize = 6;
const REGION_SET: usize = 7;
const SECURITY_TOKEN: usize = 8;

/// Most names in a `SignedHeaders` list.
const MAX_NAMES: usize = 256;

/// The `SignedHeaders` list with the values that the request has for it, and what else the
/// headers say of signing: the outcome of one pass over them.
#[derive(Debug)]
pub(super) struct SignedHeaders<'a> {
    /// The list as it was sent.
    pub(super) text: &'a str,
    pub(super) list: Vec<SignedHeader<'a>>,
    well_formed: bool,
    /// A header of [`SINGLE`] that is there twice.
    repeated: Option<&'a str>,
    /// A header that should have been signed.
    unsigned: Option<&'a str>,
    pub(super) amz_date: Option<&'a [u8]>,
    pub(super) date: Option<&'a [u8]>,
    pub(super) security_token: Option<&'a [u8]>,
    pub(super) content_sha256: Option<&'a [u8]>,
    pub(super) decoded_length: Option<&'a [u8]>,
    pub(super) region_set: Option<&'a [u8]>,
}

/// A signed header and its values in the order of arrival.
#[derive(Debug)]
pub(super) struct SignedHeader<'a> {
    pub(super) name: &'a str,
    pub(super) value: Option<&'a [u8]>,
    pub(super) further_values: Vec<&'a [u8]>,
}

impl<'a> SignedHeaders<'a> {
    pub(super) fn read(text: &'a str, headers: &'a HeaderMap, profile: &Profile, form: Form) -> Self {
        let mut read = Self {
            text,
            list: Vec::with_capacity(8),
            well_formed: true,
            repeated: None,
            unsigned: None,
            amz_date: None,
            date: None,
            security_token: None,
            content_sha256: None,
            decoded_length: None,
            region_set: None,
        };
        read.take_names(text);
        let mut seen = 0_u16;
        for (name, value) in headers {
            let (name, value) = (name.as_str(), value.as_bytes());
            if let Some(single) = single(name) {
                if seen & (1 << single) != 0 {
                    read.repeated.get_or_insert(name);
                }
                seen |= 1 << single;
                let place = match single {
                    DATE => Some(&mut read.date),
                    CONTENT_SHA256 => Some(&mut read.content_sha256),
                    AMZ_DATE => Some(&mut read.amz_date),
                    DECODED_LENGTH => Some(&mut read.decoded_length),
                    REGION_SET => Some(&mut read.region_set),
                    SECURITY_TOKEN => Some(&mut read.security_token),
                    _ => None,
                };
                if let Some(place) = place {
                    place.get_or_insert(value);
                }
            }
            match read.list.iter_mut().find(|header| header.name == name) {
                Some(header) if header.value.is_none() => header.value = Some(value),
                Some(header) => header.further_values.push(value),
                None if must_be_signed(name, profile, form) => {
                    read.unsigned.get_or_insert(name);
                }
                None => {}
            }
        }
        read
    }

    /// Names in lower case, ascending, each once, not empty.
    fn take_names(&mut self, text: &'a str) {
        self.well_formed = text.bytes().fold(true, |all, b| all & (b'!'..=b'~').contains(&b) & !b.is_ascii_uppercase());
        let mut rest = Some(text);
        while let Some(text) = rest {
            let (name, after) = cut(text, b';').map_or((text, None), |(name, after)| (name, Some(after)));
            rest = after;
            self.well_formed &=
                !name.is_empty() && self.list.last().is_none_or(|last| last.name < name) && self.list.len() < MAX_NAMES;
            if self.list.len() < MAX_NAMES {
                self.list.push(SignedHeader { name, value: None, further_values: Vec::new() });
            }
        }
    }

    /// A header that must be there once is there twice: the request has two readings.
    pub(super) fn check_repeated(&self) -> Result<(), Refusal> {
        self.repeated.map_or(Ok(()), |name| Err(Refusal::repeated_header(name)))
    }

    /// No header says what a presigned request's query says.
    pub(super) fn check_beside_query(&self) -> Result<(), Refusal> {
        let beside = [
            ("x-amz-date", self.amz_date),
            ("x-amz-region-set", self.region_set),
            ("x-amz-security-token", self.security_token),
        ];
        match beside.into_iter().find(|(_, value)| value.is_some()) {
            Some((name, _)) => Err(Refusal::header_beside_query(name)),
            None => Ok(()),
        }
    }

    /// The list is well formed, has `host` and only names that are there, and leaves nothing out
    /// that must be signed.
    pub(super) fn check(&self) -> Result<(), Refusal> {
        if !self.well_formed {
            return Err(Refusal::signed_headers_syntax());
        }
        if !self.list.iter().any(|header| header.name == "host") {
            return Err(Refusal::host_not_signed());
        }
        if let Some(absent) = self.absent() {
            return Err(Refusal::signed_header_absent(absent));
        }
        self.unsigned.map_or(Ok(()), |name| Err(Refusal::header_not_signed(name)))
    }

    /// A name of the list that the request has no header for.
    pub(super) fn absent(&self) -> Option<&'a str> {
        self.list.iter().find(|header| header.value.is_none()).map(|header| header.name)
    }
}

fn single(name: &str) -> Option<usize> {
    // Few headers come this far: the lengths of names tell most of them apart.
    if !matches!(name.len(), 4 | 10 | 12 | 13 | 16 | 20 | 28) {
        return None;
    }
    SINGLE.iter().position(|single| *single == name)
}

fn must_be_signed(name: &str, profile: &Profile, form: Form) -> bool {
    match name {
        "content-type" => true,
        // By header, its value is the last line of the canonical request.
        "x-amz-content-sha256" => form == Form::Query,
        "x-amz-security-token" => !profile.unsigned_token,
        _ => name.starts_with("x-amz-"),
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn headers(list: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in list {
            headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        headers
    }

    fn outcome(signed: &str, list: &[(&str, &str)]) -> Result<(), Refusal> {
        let headers = headers(list);
        let read = SignedHeaders::read(signed, &headers, &Profile::kms(), Form::Header);
        read.check_repeated().and_then(|()| read.check())
    }

    #[test]
    fn every_single_header_is_told_by_its_length() {
        for name in SINGLE {
            assert!(single(name).is_some(), "{name}");
        }
        let places = [DATE, CONTENT_SHA256, AMZ_DATE, DECODED_LENGTH, REGION_SET, SECURITY_TOKEN];
        let names = places.map(|place| SINGLE[place].trim_start_matches("x-amz-"));
        assert_eq!(names, ["date", "content-sha256", "date", "decoded-content-length", "region-set", "security-token"]);
    }

    #[test]
    fn a07_host_must_be_signed() {
        assert_eq!(outcome("x-amz-date", &[("x-amz-date", "d"), ("host", "h")]), Err(Refusal::host_not_signed()));
        assert_eq!(outcome("host;x-amz-date", &[("x-amz-date", "d"), ("host", "h")]), Ok(()));
    }

    #[test]
    fn a08_a09_the_list_is_well_formed_and_names_headers_that_are_there() {
        let there = [("host", "h"), ("accept", "a"), ("via", "v")];
        for bad in [
            "",
            ";",
            "host;",
            ";host",
            "accept;;host",
            "host;accept",
            "Host",
            "host;host",
            "accept;accept;host",
            "host via",
            "host;\tvia",
        ] {
            assert_eq!(outcome(bad, &there), Err(Refusal::signed_headers_syntax()), "{bad}");
        }
        assert_eq!(outcome("accept;host;via", &there), Ok(()));
        assert_eq!(outcome("host;x-foo", &there), Err(Refusal::signed_header_absent("x-foo")));
        let endless = (0..1000).map(|n| format!("h{n:04}")).collect::<Vec<_>>().join(";");
        assert_eq!(outcome(&endless, &there), Err(Refusal::signed_headers_syntax()));
    }

    #[test]
    fn a10_a11_a15_what_counts_must_be_signed() {
        for name in ["x-amz-target", "x-amz-security-token", "x-amz-foo", "x-amz-date", "content-type"] {
            let list = [("host", "h"), (name, "v")];
            assert_eq!(outcome("host", &list), Err(Refusal::header_not_signed(name)));
        }
        for name in ["x-amz-content-sha256", "x-amzn-trace-id", "amz-sdk-request", "user-agent", "date"] {
            assert_eq!(outcome("host", &[("host", "h"), (name, "v")]), Ok(()));
        }
        let token = headers(&[("host", "h"), ("x-amz-security-token", "t")]);
        let lenient = Profile::general("iotdevicegateway").with_unsigned_token(true);
        assert_eq!(SignedHeaders::read("host", &token, &lenient, Form::Header).check(), Ok(()));
        let hash = headers(&[("host", "h"), ("x-amz-content-sha256", "v")]);
        let presigned = SignedHeaders::read("host", &hash, &lenient, Form::Query);
        assert_eq!(presigned.check(), Err(Refusal::header_not_signed("x-amz-content-sha256")));
    }

    #[test]
    fn a20_headers_that_count_are_there_once_and_others_are_joined() {
        for name in SINGLE {
            let list = [(name, "1"), ("host", "h"), (name, "2")];
            assert_eq!(outcome("host", &list), Err(Refusal::repeated_header(name)));
        }
        let twice = headers(&[("host", "h"), ("via", "1"), ("via", "2"), ("via", "1")]);
        let read = SignedHeaders::read("host;via", &twice, &Profile::kms(), Form::Header);
        assert_eq!(read.check_repeated(), Ok(()));
        assert_eq!(read.list[1].value, Some(&b"1"[..]));
        assert_eq!(read.list[1].further_values, [b"2", b"1"]);
    }
}
