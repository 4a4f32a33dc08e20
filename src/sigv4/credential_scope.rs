use std::borrow::Cow;

use http::HeaderMap;

use crate::aws::Region;

use super::algorithm::Algorithm;
use super::amz_date::AmzDate;
use super::authentication::Authentication;
use super::authorization::cut;
use super::profile::Profile;
use super::refusal::Refusal;

/// What a request says it was signed for: `keyid/date/region/service/aws4_request`, or without
/// region for SigV4a. A claim until the signature holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CredentialScope<'a> {
    /// The access key that is said to have signed.
    pub(super) access_key_id: &'a str,
    /// The day, `YYYYMMDD`.
    pub(super) date: &'a str,
    /// The region; `None` for SigV4a, whose regions are a set of their own.
    pub(super) region: Option<&'a str>,
    /// The service.
    pub(super) service: &'a str,
    /// Always `aws4_request`.
    terminator: &'a str,
    /// All but the access key id, as the string to sign has it.
    pub(super) text: &'a str,
}

/// What a request claims to be signed for, checked by nobody: a route may be chosen by it, for the
/// route's profile then holds the request to it, and an audit record may name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimedScope<'a> {
    /// The access key that is said to have signed.
    pub access_key_id: Cow<'a, str>,
    /// The region; empty for SigV4a, whose scope has none.
    pub region: Cow<'a, str>,
    /// The service.
    pub service: Cow<'a, str>,
}

/// The scope that a request claims for itself in its `Authorization` header or, without one, in
/// its query string; `None` where there is none that can be read.
#[must_use]
pub fn claimed_scope<'a>(headers: &'a HeaderMap, query: Option<&'a str>) -> Option<ClaimedScope<'a>> {
    let authentication = Authentication::claimed(headers, query)?;
    let algorithm = authentication.algorithm;
    match authentication.credential? {
        Cow::Borrowed(credential) => {
            let scope = CredentialScope::parse(credential, algorithm).ok()?;
            Some(ClaimedScope {
                access_key_id: Cow::Borrowed(scope.access_key_id),
                region: Cow::Borrowed(scope.region.unwrap_or_default()),
                service: Cow::Borrowed(scope.service),
            })
        }
        Cow::Owned(credential) => {
            let scope = CredentialScope::parse(&credential, algorithm).ok()?;
            Some(ClaimedScope {
                access_key_id: Cow::Owned(scope.access_key_id.to_owned()),
                region: Cow::Owned(scope.region.unwrap_or_default().to_owned()),
                service: Cow::Owned(scope.service.to_owned()),
            })
        }
    }
}

impl<'a> CredentialScope<'a> {
    /// Five parts, or four for SigV4a.
    pub(super) fn parse(credential: &'a str, algorithm: Algorithm) -> Result<Self, Refusal> {
        let parts = || {
            let (access_key_id, text) = cut(credential, b'/')?;
            let (date, rest) = cut(text, b'/')?;
            let (region, rest) = match algorithm {
                Algorithm::HmacSha256 => cut(rest, b'/').map(|(region, rest)| (Some(region), rest))?,
                Algorithm::EcdsaP256Sha256 => (None, rest),
            };
            let (service, terminator) = cut(rest, b'/')?;
            cut(terminator, b'/').is_none().then_some(Self { access_key_id, date, region, service, terminator, text })
        };
        parts().ok_or_else(|| Refusal::credential_parts(credential, algorithm))
    }

    /// Region, service and terminator, then the day. `wrong_region`: the region, or the set of
    /// them, where it is not served.
    pub(super) fn check(
        &self,
        profile: &Profile,
        wrong_region: Option<&str>,
        date: &AmzDate<'_>,
    ) -> Result<(), Refusal> {
        let service_fits = self.service == profile.service();
        let terminator_fits = self.terminator == "aws4_request";
        if wrong_region.is_some() || !service_fits || !terminator_fits {
            return Err(Refusal::scope(
                wrong_region,
                (!service_fits).then_some(profile.service()),
                (!terminator_fits).then_some(self.terminator),
            ));
        }
        if self.date != date.day() {
            return Err(Refusal::scope_date(self.date, date.day(), date.text()));
        }
        Ok(())
    }

    /// The region in the scope, where it is not served. `served`: `None` for every well-formed name.
    pub(super) fn wrong_region(&self, served: Option<&[Region]>) -> Option<&'a str> {
        self.region.filter(|name| match served {
            Some(regions) => !regions.iter().any(|region| region.as_str() == *name),
            None => !Region::is_well_formed(name),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HMAC: Algorithm = Algorithm::HmacSha256;
    const ECDSA: Algorithm = Algorithm::EcdsaP256Sha256;

    #[test]
    fn a21_a_credential_has_exactly_five_parts_and_four_without_region() {
        let scope = CredentialScope::parse("AKID/20150830/us-east-1/kms/aws4_request", HMAC).unwrap();
        assert_eq!((scope.access_key_id, scope.text), ("AKID", "20150830/us-east-1/kms/aws4_request"));
        assert_eq!((scope.region, scope.service), (Some("us-east-1"), "kms"));
        let scope = CredentialScope::parse("AKID/20150830/kms/aws4_request", ECDSA).unwrap();
        assert_eq!((scope.region, scope.service, scope.text), (None, "kms", "20150830/kms/aws4_request"));
        for bad in ["", "AKID", "AKID/20150830/us-east-1/kms", "AKID/20150830/us-east-1/kms/aws4_request/x", "////-/"] {
            assert_eq!(CredentialScope::parse(bad, HMAC), Err(Refusal::credential_parts(bad, HMAC)), "{bad}");
        }
        for bad in ["", "AKID/20150830/kms", "AKID/20150830/us-east-1/kms/aws4_request"] {
            assert_eq!(CredentialScope::parse(bad, ECDSA), Err(Refusal::credential_parts(bad, ECDSA)), "{bad}");
        }
    }

    #[test]
    fn a19_a21_a22_the_scope_is_that_of_the_route_the_regions_and_the_date() {
        let date = AmzDate::parse(b"20150830T235959Z").unwrap();
        let check = |scope: &str, served: Option<&[Region]>| {
            let credential = format!("AKID/{scope}");
            let scope = CredentialScope::parse(&credential, HMAC).unwrap();
            scope.check(&Profile::kms(), scope.wrong_region(served), &date)
        };
        let served = ["us-east-1".parse().unwrap(), "eu-west-1".parse().unwrap()];
        for (scope, outcome) in [
            ("20150830/us-east-1/kms/aws4_request", Ok(())),
            ("20150830/eu-west-1/kms/aws4_request", Ok(())),
            ("20150830/eu-west-2/kms/aws4_request", Err(Refusal::scope(Some("eu-west-2"), None, None))),
            ("20150830/us-east-1/sts/aws4_request", Err(Refusal::scope(None, Some("kms"), None))),
            ("20150830/us-east-1/KMS/aws4_request", Err(Refusal::scope(None, Some("kms"), None))),
            ("20150830/us-east-1/kms/aws4", Err(Refusal::scope(None, None, Some("aws4")))),
            ("20150831/x/y/z", Err(Refusal::scope(Some("x"), Some("kms"), Some("z")))),
            (
                "20150831/us-east-1/kms/aws4_request",
                Err(Refusal::scope_date("20150831", "20150830", "20150830T235959Z")),
            ),
        ] {
            assert_eq!(check(scope, Some(&served)), outcome, "{scope}");
        }
        assert_eq!(check("20150830/eu-west-2/kms/aws4_request", None), Ok(()));
        assert_eq!(check("20150830/../kms/aws4_request", None), Err(Refusal::scope(Some(".."), None, None)));
    }

    #[test]
    fn what_is_claimed_is_read_from_the_header_or_else_the_query() {
        let claimed = |authorization: Option<&str>, query: Option<&str>| {
            let mut headers = HeaderMap::new();
            if let Some(value) = authorization {
                headers.append("authorization", value.parse().unwrap());
            }
            claimed_scope(&headers, query)
                .map(|scope| format!("{} {} {}", scope.access_key_id, scope.region, scope.service))
        };
        let header = Some("AWS4-HMAC-SHA256 Credential=A/20150830/us-east-1/kms/aws4_request");
        let query =
            Some("a=b&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=B%2F20150830%2Feu-west-1%2Fs3%2Faws4_request");
        let plain = Some("X-Amz-Algorithm=AWS4-ECDSA-P256-SHA256&X-Amz-Credential=C/20150830/s3/aws4_request");
        assert_eq!(claimed(header, None).as_deref(), Some("A us-east-1 kms"));
        assert_eq!(claimed(header, query).as_deref(), Some("A us-east-1 kms"));
        assert_eq!(claimed(None, query).as_deref(), Some("B eu-west-1 s3"));
        assert_eq!(claimed(None, plain).as_deref(), Some("C  s3"));
        for (header, query) in [
            (None, None),
            (Some("Basic Zm9v"), query),
            (None, Some("X-Amz-Credential=B/20150830/eu-west-1/s3/aws4_request")),
            (None, Some("X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=B/s3")),
            (None, Some("X-Amz-Algorithm=AWS4-HMAC-SHA256")),
        ] {
            assert_eq!(claimed(header, query), None, "{header:?} {query:?}");
        }
    }
}
