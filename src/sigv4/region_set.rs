use crate::aws::Region;

/// Most members of a set that is read.
const MAX_MEMBERS: usize = 32;

/// The regions that a SigV4a signature is for: names joined by commas, `*` for all of them, or a
/// beginning with `*` behind it.
///
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html#how-sigv4a-works>
#[derive(Clone, Copy, Debug)]
pub(super) struct RegionSet<'a> {
    text: &'a str,
}

impl<'a> RegionSet<'a> {
    /// `None` where a member is neither a region nor the beginning of one.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let set = Self { text };
        let members = set.members().count();
        (members <= MAX_MEMBERS && set.members().all(is_member)).then_some(set)
    }

    /// The region that such a signature is taken for: `preferred` where the set has it, or else the
    /// first of those that are served, in their order. Where every well-formed region is served,
    /// the first that the set names.
    pub(super) fn region(&self, preferred: &Region, served: Option<&[Region]>) -> Option<Region> {
        let has = |region: &&Region| self.members().any(|member| holds(member, region.as_str()));
        match served {
            Some(served) => {
                let preferred = Some(preferred).filter(|preferred| served.contains(preferred)).filter(has);
                preferred.or_else(|| served.iter().find(has)).cloned()
            }
            None if has(&preferred) => Some(preferred.clone()),
            None => self.members().find_map(|member| member.parse().ok()),
        }
    }

    fn members(&self) -> impl Iterator<Item = &'a str> {
        self.text.split(',').map(str::trim_ascii)
    }
}

fn is_member(member: &str) -> bool {
    match member.strip_suffix('*') {
        Some(beginning) => beginning.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-')),
        None => Region::is_well_formed(member),
    }
}

fn holds(member: &str, region: &str) -> bool {
    match member.strip_suffix('*') {
        Some(beginning) => region.starts_with(beginning),
        None => region == member,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(set: &str, served: Option<&[&str]>) -> Option<String> {
        let served: Option<Vec<Region>> = served.map(|list| list.iter().map(|name| name.parse().unwrap()).collect());
        let preferred = "us-east-1".parse().unwrap();
        RegionSet::parse(set)?.region(&preferred, served.as_deref()).map(|region| region.to_string())
    }

    #[test]
    fn a_set_gives_the_preferred_region_or_the_first_that_is_served() {
        let two: Option<&[&str]> = Some(&["eu-west-1", "us-east-1"]);
        for (set, served, expected) in [
            ("us-east-1", None, Some("us-east-1")),
            ("eu-west-1", None, Some("eu-west-1")),
            ("eu-west-1,us-east-1", None, Some("us-east-1")),
            ("eu-west-1, ap-south-1", None, Some("eu-west-1")),
            ("*", None, Some("us-east-1")),
            ("us-*", None, Some("us-east-1")),
            ("eu-*", None, None),
            ("eu-*,eu-west-2", None, Some("eu-west-2")),
            ("*", two, Some("us-east-1")),
            ("eu-*", two, Some("eu-west-1")),
            ("eu-west-1,us-east-1", two, Some("us-east-1")),
            ("us-west-2", two, None),
            ("ap-*", two, None),
            ("eu-west-10", two, None),
            ("*", Some(&["eu-west-1"]), Some("eu-west-1")),
            ("us-east-1", Some(&["eu-west-1"]), None),
        ] {
            assert_eq!(region(set, served).as_deref(), expected, "{set} {served:?}");
        }
    }

    #[test]
    fn what_is_no_set_of_regions_is_refused() {
        for set in ["", ",", "us-east-1,", "us", "us-*-1", "**", "US-*", "us east-1", "*,x"] {
            assert!(RegionSet::parse(set).is_none(), "{set}");
        }
        let many = vec!["us-east-1"; MAX_MEMBERS].join(",");
        assert!(RegionSet::parse(&many).is_some());
        assert!(RegionSet::parse(&format!("{many},us-east-1")).is_none());
    }
}
