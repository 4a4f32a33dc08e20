use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Deserialize;
use toml::Spanned;

use super::directory::Fault;
use super::{IdentityError, Source};
use crate::authz::{AttachedDocument, ControlPolicies, DocumentSource, Membership, Organization};
use crate::aws::AccountId;
use crate::cedar::Documents;
use crate::iam::DocumentKind;

/// One `[[account]]` of an organisation file.
#[derive(Debug)]
pub struct OrganizationEntry {
    /// The account.
    pub id: AccountId,
    /// Whether it is the organisation's management account.
    pub management: bool,
    /// Its place in the organisation, where the file tells the organisation's id.
    pub membership: Option<Membership>,
    /// Service control policies by level, from the root to the account.
    pub service_control_policies: Vec<Vec<ControlPolicyEntry>>,
    /// Resource control policies by level, from the root to the account.
    pub resource_control_policies: Vec<Vec<ControlPolicyEntry>>,
}

/// One path of `service_control_policies` or `resource_control_policies`.
#[derive(Debug)]
pub struct ControlPolicyEntry {
    /// The path as it was given, relative to the organisation file.
    pub path: PathBuf,
    /// Line and column of the path.
    pub place: (u32, u32),
    /// `account[0].service_control_policies[1][0]`.
    pub member: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    id: Option<Spanned<String>>,
    #[serde(default)]
    account: Vec<AccountTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AccountTable {
    id: Spanned<String>,
    #[serde(default)]
    management: Option<Spanned<bool>>,
    #[serde(default)]
    path: Option<Spanned<String>>,
    #[serde(default)]
    service_control_policies: Vec<Level>,
    #[serde(default)]
    resource_control_policies: Vec<Level>,
}

/// The paths of what is attached at one level.
type Level = Spanned<Vec<Spanned<PathBuf>>>;

/// Reads an organisation file.
///
/// # Errors
/// Bad TOML, unknown members, an id or a path that is none, an account that is given twice, a second
/// management account, a level without a service control policy, each with file, line, column and member.
pub fn parse_organization(file: &Arc<str>, text: &str) -> Result<Vec<OrganizationEntry>, IdentityError> {
    let source = Source::new(file, text);
    let read: File = toml::from_str(text).map_err(|error| source.toml_of_tables(&error, "account"))?;
    let organization = read.id.as_ref().map(|id| organization_id(&source, id)).transpose()?;
    let mut seen: HashMap<AccountId, usize> = HashMap::new();
    let mut management: Option<usize> = None;
    let mut entries = Vec::with_capacity(read.account.len());
    for (index, table) in read.account.into_iter().enumerate() {
        let member = |name: &str| format!("account[{index}].{name}");
        let at = table.id.span().start;
        let id: AccountId =
            table.id.get_ref().parse().map_err(|error| source.at(at, member("id"), format!("{error}")))?;
        if let Some(first) = seen.insert(id, index) {
            let message = format!("the account {id} is account[{first}] already: merge the two");
            return Err(source.at(at, member("id"), message));
        }
        if let Some(flag) = table.management.as_ref().filter(|flag| *flag.get_ref())
            && let Some(first) = management.replace(index)
        {
            let message = format!("account[{first}] is the management account already: an organisation has one");
            return Err(source.at(flag.span().start, member("management"), message));
        }
        let path = table.path.as_ref();
        let path = path.map(|path| account_path(&source, path, member("path"), organization.as_ref())).transpose()?;
        let membership = organization.clone().map(|organization| Membership { organization, path });
        let levels = |name: &str, levels: Vec<Level>| -> Vec<Vec<ControlPolicyEntry>> {
            let entry = |level: usize, place: usize, path: Spanned<PathBuf>| ControlPolicyEntry {
                place: source.position(path.span().start),
                path: path.into_inner(),
                member: format!("account[{index}].{name}[{level}][{place}]"),
            };
            let of_level = |(level, paths): (usize, Level)| {
                paths.into_inner().into_iter().enumerate().map(|(place, path)| entry(level, place, path)).collect()
            };
            levels.into_iter().enumerate().map(of_level).collect()
        };
        if let Some((level, empty)) =
            table.service_control_policies.iter().enumerate().find(|(_, level)| level.get_ref().is_empty())
        {
            let member = member(&format!("service_control_policies[{level}]"));
            let message = "no policy is attached at this level, so that nothing would be allowed: name at least one (AWS attaches FullAWSAccess)";
            return Err(source.at(empty.span().start, member, message));
        }
        entries.push(OrganizationEntry {
            id,
            management: table.management.is_some_and(Spanned::into_inner),
            membership,
            service_control_policies: levels("service_control_policies", table.service_control_policies),
            resource_control_policies: levels("resource_control_policies", table.resource_control_policies),
        });
    }
    Ok(entries)
}

/// `o-` and 10 to 32 lower-case letters or digits (Organizations API Reference, Organization).
fn organization_id(source: &Source<'_>, id: &Spanned<String>) -> Result<Arc<str>, IdentityError> {
    let text = id.get_ref().as_str();
    if text.strip_prefix("o-").is_some_and(|name| is_name(name, 10)) {
        return Ok(text.into());
    }
    let message = format!("`{text}` is not an organisation's id (such as `o-a1b2c3d4e5`)");
    Err(source.at(id.span().start, "id".to_owned(), message))
}

/// The path that `aws:PrincipalOrgPaths` tells: the organisation's id, the root, the organisational
/// units, each with a `/` behind it (IAM User Guide, "Understand the AWS Organizations entity path").
fn account_path(
    source: &Source<'_>,
    path: &Spanned<String>,
    member: String,
    organization: Option<&Arc<str>>,
) -> Result<Arc<str>, IdentityError> {
    let refused = |message| Err(source.at(path.span().start, member, message));
    let Some(organization) = organization else {
        return refused("a path needs the organisation's id: put `id = \"o-…\"` above the first account".to_owned());
    };
    let text = path.get_ref().as_str();
    let below = text.strip_prefix(&**organization).and_then(|rest| rest.strip_prefix('/')?.strip_suffix('/'));
    let mut names = below.unwrap_or_default().split('/');
    let is_root = names.next().and_then(|name| name.strip_prefix("r-")).is_some_and(|name| is_name(name, 4));
    let is_unit = |name: &str| {
        let parts = name.strip_prefix("ou-").and_then(|name| name.split_once('-'));
        parts.is_some_and(|(root, unit)| is_name(root, 4) && is_name(unit, 8))
    };
    if is_root && names.all(is_unit) {
        return Ok(text.into());
    }
    refused(format!("`{text}` is not a path in {organization} (such as `{organization}/r-ab12/ou-ab12-11111111/`)"))
}

/// Lower-case letters and digits, from that many to 32.
fn is_name(text: &str, at_least: usize) -> bool {
    (at_least..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
}

/// The texts of control policies: the file's name and its text, by the path as it was given.
pub type ControlPolicyTexts = HashMap<PathBuf, (Arc<str>, String)>;

/// Compiles the control policies of every account.
///
/// # Errors
/// A policy that can't be compiled, or has no text, with its place.
pub(super) fn organization(
    documents: &Documents,
    file: &Arc<str>,
    entries: &[OrganizationEntry],
    texts: &ControlPolicyTexts,
) -> Result<Organization, IdentityError> {
    let policy = |kind, entry: &ControlPolicyEntry| {
        let Some((file, text)) = texts.get(&entry.path) else {
            let message = format!("`{}` was not read", entry.path.display());
            let (file, place, member) = (Arc::clone(file), Some(entry.place), entry.member.clone());
            return Err(IdentityError { file, place, member, message });
        };
        let document = documents.compile(kind, text).map_err(|error| {
            let Fault { place, path, message } = Fault::from(error);
            IdentityError { file: Arc::clone(file), place, member: path, message }
        })?;
        let source = DocumentSource { file: Arc::clone(file), first_line: Some(1) };
        Ok(AttachedDocument { document, arn: None, source: Some(source) })
    };
    let levels = |kind, levels: &[Vec<ControlPolicyEntry>]| {
        let of_level = |level: &Vec<ControlPolicyEntry>| level.iter().map(|entry| policy(kind, entry)).collect();
        levels.iter().map(of_level).collect::<Result<Vec<Vec<_>>, _>>()
    };
    let account = |entry: &OrganizationEntry| {
        let service = levels(DocumentKind::ServiceControlPolicy, &entry.service_control_policies)?;
        let resource = levels(DocumentKind::ResourceControlPolicy, &entry.resource_control_policies)?;
        let policies = ControlPolicies::new(service, resource, entry.management);
        Ok((entry.id, policies.of_member(entry.membership.clone())))
    };
    entries.iter().map(account).collect::<Result<_, _>>().map(Organization::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Vec<OrganizationEntry>, String> {
        parse_organization(&"o.toml".into(), text).map_err(|error| error.to_string())
    }

    #[test]
    fn levels_keep_their_order_and_places() {
        let text = "[[account]]\nid = \"111122223333\"\nservice_control_policies = [[\"a\", \"b\"], [\"c\"]]\n\
            [[account]]\nid = \"444455556666\"\nmanagement = true\nresource_control_policies = [[], [\"d\"]]\n";
        let read = parse(text).unwrap();
        let of = |levels: &[Vec<ControlPolicyEntry>]| -> Vec<Vec<String>> {
            let one = |entry: &ControlPolicyEntry| {
                let (line, column) = entry.place;
                format!("{} {} {line}:{column}", entry.path.display(), entry.member)
            };
            levels.iter().map(|level| level.iter().map(one).collect()).collect()
        };
        assert_eq!(
            of(&read[0].service_control_policies),
            [
                vec![
                    "a account[0].service_control_policies[0][0] 3:30",
                    "b account[0].service_control_policies[0][1] 3:35"
                ],
                vec!["c account[0].service_control_policies[1][0] 3:42"]
            ]
        );
        assert!(read[0].resource_control_policies.is_empty() && !read[0].management);
        assert_eq!(
            of(&read[1].resource_control_policies),
            [vec![], vec!["d account[1].resource_control_policies[1][0] 7:35"]]
        );
        assert!(read[1].management);
        assert!(parse("").unwrap().is_empty());
    }

    #[test]
    fn a_member_knows_its_organisation_and_its_path() {
        let text = "id = \"o-a1b2c3d4e5\"\n[[account]]\nid = \"111122223333\"\n\
            path = \"o-a1b2c3d4e5/r-ab12/ou-ab12-11111111/ou-ab12-22222222/\"\n\
            [[account]]\nid = \"444455556666\"\npath = \"o-a1b2c3d4e5/r-ab12/\"\n[[account]]\nid = \"777788889999\"\n";
        let told: Vec<_> = parse(text).unwrap().into_iter().map(|entry| entry.membership.unwrap()).collect();
        assert!(told.iter().all(|membership| &*membership.organization == "o-a1b2c3d4e5"));
        let paths: Vec<_> = told.iter().map(|membership| membership.path.as_deref()).collect();
        let deep = "o-a1b2c3d4e5/r-ab12/ou-ab12-11111111/ou-ab12-22222222/";
        assert_eq!(paths, [Some(deep), Some("o-a1b2c3d4e5/r-ab12/"), None]);
        assert_eq!(parse("[[account]]\nid = \"111122223333\"\n").unwrap()[0].membership, None);
    }

    #[test]
    fn each_fault_is_named_with_its_place() {
        let account = "[[account]]\nid = \"111122223333\"\n";
        let no_path = "`o-a1b2c3d4e5/ou-ab12-11111111/` is not a path in o-a1b2c3d4e5";
        for (text, expected) in [
            ("[[account]]\nid = \"1111\"", "o.toml:2:6: account[0].id: `1111` is not an account id"),
            ("id = \"a1b2\"", "o.toml:1:6: id: `a1b2` is not an organisation's id (such as `o-a1b2c3d4e5`)"),
            (
                &format!("{account}path = \"o-a1b2c3d4e5/r-ab12/\""),
                "o.toml:3:8: account[0].path: a path needs the organisation's id",
            ),
            (
                &format!("id = \"o-a1b2c3d4e5\"\n{account}path = \"o-a1b2c3d4e5/ou-ab12-11111111/\""),
                &format!("o.toml:4:8: account[0].path: {no_path}"),
            ),
            ("[[account]]\n", "o.toml:1:1: account[0]: missing field `id`"),
            (&format!("{account}scps = []"), "o.toml:3:1: account[0].scps: unknown field `scps`"),
            (
                &format!("{account}{account}"),
                "o.toml:4:6: account[1].id: the account 111122223333 is account[0] already: merge the two",
            ),
            (
                &format!("{account}management = true\n[[account]]\nid = \"444455556666\"\nmanagement = true"),
                "o.toml:6:14: account[1].management: account[0] is the management account already",
            ),
            (
                &format!("{account}service_control_policies = [[\"a\"], []]"),
                "o.toml:3:36: account[0].service_control_policies[1]: no policy is attached at this level",
            ),
            (
                &format!("{account}service_control_policies = [\"a\"]"),
                "o.toml:3:29: account[0].service_control_policies",
            ),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.starts_with(expected), "expected {expected}\n   found {error}");
        }
    }
}
