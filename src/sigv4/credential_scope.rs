use crate::aws::Region;

use super::amz_date::AmzDate;
use super::authorization::cut;
use super::profile::Profile;
use super::refusal::Refusal;

/// What a request says it was signed for: `keyid/date/region/service/aws4_request`. A claim
/// until the signature holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CredentialScope<'a> {
    /// The access key that is said to have signed.
    pub access_key_id: &'a str,
    /// The day, `YYYYMMDD`.
    pub date: &'a str,
    /// The region.
    pub region: &'a str,
    /// The service.
    pub service: &'a str,
    /// Always `aws4_request`.
    pub terminator: &'a str,
    /// All but the access key id, as the string to sign has it.
    pub(super) text: &'a str,
}

impl<'a> CredentialScope<'a> {
    pub(super) fn parse(credential: &'a str) -> Result<Self, Refusal> {
        let parts = || {
            let (access_key_id, text) = cut(credential, b'/')?;
            let (date, rest) = cut(text, b'/')?;
            let (region, rest) = cut(rest, b'/')?;
            let (service, terminator) = cut(rest, b'/')?;
            cut(terminator, b'/').is_none().then_some(Self { access_key_id, date, region, service, terminator, text })
        };
        parts().ok_or_else(|| Refusal::credential_parts(credential))
    }

    /// Region, service and terminator, then the day. `regions`: those that are served, `None` for
    /// every well-formed name.
    pub(super) fn check(
        &self,
        profile: &Profile,
        regions: Option<&[Region]>,
        date: &AmzDate<'_>,
    ) -> Result<(), Refusal> {
        let region_fits = match regions {
            Some(regions) => regions.iter().any(|region| region.as_str() == self.region),
            None => Region::is_well_formed(self.region),
        };
        let service_fits = self.service == profile.service();
        let terminator_fits = self.terminator == "aws4_request";
        if !(region_fits && service_fits && terminator_fits) {
            return Err(Refusal::scope(
                (!region_fits).then_some(self.region),
                (!service_fits).then_some(profile.service()),
                (!terminator_fits).then_some(self.terminator),
            ));
        }
        if self.date != date.day() {
            return Err(Refusal::scope_date(self.date, date.day(), date.text()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a21_a_credential_has_exactly_five_parts() {
        let scope = CredentialScope::parse("AKID/20150830/us-east-1/kms/aws4_request").unwrap();
        assert_eq!((scope.access_key_id, scope.text), ("AKID", "20150830/us-east-1/kms/aws4_request"));
        for bad in ["", "AKID", "AKID/20150830/us-east-1/kms", "AKID/20150830/us-east-1/kms/aws4_request/x", "////-/"] {
            assert_eq!(CredentialScope::parse(bad), Err(Refusal::credential_parts(bad)), "{bad}");
        }
    }

    #[test]
    fn a19_a21_a22_the_scope_is_that_of_the_route_the_regions_and_the_date() {
        let date = AmzDate::parse(b"20150830T235959Z").unwrap();
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
            let credential = format!("AKID/{scope}");
            let parsed = CredentialScope::parse(&credential).unwrap();
            assert_eq!(parsed.check(&Profile::kms(), Some(&served), &date), outcome, "{scope}");
        }
        let anywhere = CredentialScope::parse("AKID/20150830/eu-west-2/kms/aws4_request").unwrap();
        assert_eq!(anywhere.check(&Profile::kms(), None, &date), Ok(()));
        let nowhere = CredentialScope::parse("AKID/20150830/../kms/aws4_request").unwrap();
        assert_eq!(nowhere.check(&Profile::kms(), None, &date), Err(Refusal::scope(Some(".."), None, None)));
    }
}
