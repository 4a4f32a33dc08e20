use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::ops::RangeInclusive;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::credentials::tags_fault;
use super::json::{Text, UniqueMembers, offset_in};
use super::{IdentityError, Source};
use crate::aws::{AccountId, Arn, Principal};
use crate::iam::DocumentKind;

/// What `aws iam get-account-authorization-details` printed of one account, with every reference
/// resolved. Members that AWS adds are ignored; those known here are held to their types.
#[derive(Debug)]
pub struct AuthorizationDetails {
    pub(super) file: Arc<str>,
    pub(super) account: Option<AccountId>,
    pub(super) users: Vec<PrincipalDetail>,
    pub(super) roles: Vec<PrincipalDetail>,
    /// The default versions of the managed policies, by ARN: a session may name them.
    pub(super) managed: HashMap<String, PolicyText>,
}

/// The longest session of a role where nothing else is said, in seconds (IAM API Reference, Role:
/// MaxSessionDuration).
pub(super) const DEFAULT_SESSION_SECONDS: u32 = 3600;

/// What a role's longest session may be, in seconds.
const SESSION_SECONDS: RangeInclusive<u32> = 3600..=43_200;

/// A user or a role.
#[derive(Debug)]
pub(super) struct PrincipalDetail {
    pub(super) arn: Arn,
    /// `AIDA…` or `AROA…`.
    pub(super) id: String,
    pub(super) name: String,
    pub(super) tags: Vec<(String, String)>,
    /// Inline first, then attached, then those of the groups.
    pub(super) policies: Vec<PolicyText>,
    pub(super) boundary: Option<PolicyText>,
    /// Who may assume it; none for a user.
    pub(super) trust: Option<PolicyText>,
    /// The longest session of a role, in seconds.
    pub(super) max_session_seconds: u32,
}

/// A policy's text and where it stands in the file.
#[derive(Clone, Debug)]
pub(super) struct PolicyText {
    pub(super) text: Arc<str>,
    /// The managed policy's ARN; none for an inline policy.
    pub(super) arn: Option<Arn>,
    /// Such as `user alice, policy rotate`, for errors.
    pub(super) member: Arc<str>,
    /// Where the document begins in the file.
    pub(super) place: (u32, u32),
    /// Whether the file's lines are the document's (an object), or all in one string.
    pub(super) in_place: bool,
}

/// A policy that stands in authorization details.
#[derive(Clone, Copy, Debug)]
pub struct EmbeddedDocument<'a>(&'a PolicyText);

impl EmbeddedDocument<'_> {
    /// Its text in AWS JSON.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// Such as `user alice, policy rotate`.
    #[must_use]
    pub fn member(&self) -> &str {
        &self.0.member
    }

    /// The place in the file of a line and column of the text; where the document begins, for one
    /// that stands in a string.
    #[must_use]
    pub fn place_in_the_file(&self, place: (u32, u32)) -> (u32, u32) {
        if self.0.in_place { self.0.place_in_the_file(place) } else { self.0.place }
    }
}

impl PolicyText {
    /// The place in the file of a line and column of a document that stands there as an object.
    pub(super) fn place_in_the_file(&self, (line, column): (u32, u32)) -> (u32, u32) {
        let (first_line, first_column) = self.place;
        match line {
            0 | 1 => (first_line, first_column.saturating_add(column.saturating_sub(1))),
            below => (first_line.saturating_add(below - 1), column),
        }
    }
}

impl AuthorizationDetails {
    /// The policies that a customer wrote, each once, with what they are attached as: those of AWS
    /// are not the account's to mend.
    #[must_use]
    pub fn documents(&self) -> Vec<(DocumentKind, EmbeddedDocument<'_>)> {
        let of_aws = |policy: &PolicyText| policy.arn.as_ref().is_some_and(|arn| arn.account() == "aws");
        let mut documents: Vec<(DocumentKind, &PolicyText)> = Vec::new();
        for detail in self.users.iter().chain(&self.roles) {
            let boundary = detail.boundary.iter().map(|policy| (DocumentKind::PermissionsBoundary, policy));
            let policies = detail.policies.iter().map(|policy| (DocumentKind::IdentityPolicy, policy));
            documents.extend(policies.chain(boundary).filter(|(_, policy)| !of_aws(policy)));
        }
        documents.sort_by_key(|(_, policy)| policy.place);
        documents.dedup_by_key(|(kind, policy)| (*kind, policy.place));
        documents.into_iter().map(|(kind, policy)| (kind, EmbeddedDocument(policy))).collect()
    }

    /// Reads one account's details. Nothing is compiled yet.
    ///
    /// # Errors
    /// Bad JSON, duplicate members, wrong types, principals of several accounts, names that don't
    /// fit their ARNs, duplicates, an attached policy, boundary or group that the file does not
    /// hold: with file, line and column.
    pub fn parse(file: &Arc<str>, text: &str) -> Result<Self, IdentityError> {
        let source = Source::new(file, text);
        serde_json::from_str::<UniqueMembers>(text).map_err(|error| source.json(&error))?;
        // serde would take a list for the object.
        if !text.trim_start().starts_with('{') {
            return Err(source.at(
                0,
                "authorization_details",
                "it is not a JSON object as `aws iam get-account-authorization-details` prints it",
            ));
        }
        let read: File<'_> = serde_json::from_str(text).map_err(|error| source.json(&error))?;
        if read.is_truncated {
            let message = "the list is not complete; print it without --max-items and --no-paginate";
            return Err(source.error(None, "IsTruncated", message));
        }
        Reader { source, account: None, managed: HashMap::new(), groups: HashMap::new() }.read(read)
    }

    /// The account, where the file holds any user, role, group or policy of a customer.
    #[must_use]
    pub fn account(&self) -> Option<AccountId> {
        self.account
    }
}

#[derive(Deserialize)]
struct File<'a> {
    #[serde(borrow, default, rename = "UserDetailList")]
    users: Vec<UserDetail<'a>>,
    #[serde(borrow, default, rename = "GroupDetailList")]
    groups: Vec<GroupDetail<'a>>,
    #[serde(borrow, default, rename = "RoleDetailList")]
    roles: Vec<RoleDetail<'a>>,
    #[serde(borrow, default, rename = "Policies")]
    policies: Vec<ManagedPolicyDetail<'a>>,
    #[serde(default, rename = "IsTruncated")]
    is_truncated: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UserDetail<'a> {
    #[serde(borrow)]
    arn: Text<'a>,
    #[serde(borrow)]
    user_name: Text<'a>,
    #[serde(borrow)]
    user_id: Text<'a>,
    #[serde(borrow, default)]
    user_policy_list: Vec<InlinePolicy<'a>>,
    #[serde(borrow, default)]
    group_list: Vec<Text<'a>>,
    #[serde(borrow, default)]
    attached_managed_policies: Vec<AttachedPolicy<'a>>,
    #[serde(borrow)]
    permissions_boundary: Option<Boundary<'a>>,
    #[serde(default)]
    tags: Vec<Tag>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GroupDetail<'a> {
    #[serde(borrow)]
    arn: Text<'a>,
    #[serde(borrow)]
    group_name: Text<'a>,
    #[serde(borrow, default)]
    group_policy_list: Vec<InlinePolicy<'a>>,
    #[serde(borrow, default)]
    attached_managed_policies: Vec<AttachedPolicy<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RoleDetail<'a> {
    #[serde(borrow)]
    arn: Text<'a>,
    #[serde(borrow)]
    role_name: Text<'a>,
    #[serde(borrow)]
    role_id: Text<'a>,
    #[serde(borrow)]
    assume_role_policy_document: Option<&'a RawValue>,
    /// `get-role` prints it, these details don't: whoever needs another than AWS's default adds it.
    max_session_duration: Option<u32>,
    #[serde(borrow, default)]
    role_policy_list: Vec<InlinePolicy<'a>>,
    #[serde(borrow, default)]
    attached_managed_policies: Vec<AttachedPolicy<'a>>,
    #[serde(borrow)]
    permissions_boundary: Option<Boundary<'a>>,
    #[serde(default)]
    tags: Vec<Tag>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ManagedPolicyDetail<'a> {
    #[serde(borrow)]
    arn: Text<'a>,
    #[serde(borrow)]
    default_version_id: Text<'a>,
    #[serde(borrow, default)]
    policy_version_list: Vec<PolicyVersion<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PolicyVersion<'a> {
    version_id: String,
    #[serde(borrow)]
    document: &'a RawValue,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InlinePolicy<'a> {
    policy_name: String,
    #[serde(borrow)]
    policy_document: &'a RawValue,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AttachedPolicy<'a> {
    #[serde(borrow)]
    policy_arn: Text<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Boundary<'a> {
    #[serde(borrow)]
    permissions_boundary_arn: Text<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tag {
    key: String,
    value: String,
}

struct Reader<'a> {
    source: Source<'a>,
    account: Option<AccountId>,
    /// The default versions, by ARN.
    managed: HashMap<String, PolicyText>,
    groups: HashMap<String, Vec<PolicyText>>,
}

impl<'a> Reader<'a> {
    fn read(mut self, file: File<'a>) -> Result<AuthorizationDetails, IdentityError> {
        for policy in &file.policies {
            self.managed_policy(policy)?;
        }
        for group in &file.groups {
            let member = format!("group {}", group.group_name.value);
            self.arn(&group.arn, &group.group_name, "group/", &member)?;
            let policies = self.policies(&member, &group.group_policy_list, &group.attached_managed_policies)?;
            if self.groups.insert(group.group_name.value.clone(), policies).is_some() {
                return Err(self.twice(&group.group_name, &member));
            }
        }
        let mut names = HashSet::new();
        let mut users = Vec::with_capacity(file.users.len());
        for user in file.users {
            let member = format!("user {}", user.user_name.value);
            let arn = self.arn(&user.arn, &user.user_name, "user/", &member)?;
            if !names.insert(user.user_name.value.clone()) {
                return Err(self.twice(&user.user_name, &member));
            }
            let mut policies = self.policies(&member, &user.user_policy_list, &user.attached_managed_policies)?;
            for group in &user.group_list {
                let of_group = self.groups.get(&group.value).ok_or_else(|| {
                    let message =
                        format!("belongs to the group `{}`, which GroupDetailList does not hold; add it", group.value);
                    self.at(group, &member, message)
                })?;
                policies.extend(of_group.iter().cloned());
            }
            let boundary = self.boundary(&member, user.permissions_boundary.as_ref())?;
            let tags = self.tags(&user.user_name, &member, user.tags)?;
            users.push(PrincipalDetail {
                arn,
                id: user.user_id.value,
                name: user.user_name.value,
                tags,
                policies,
                boundary,
                trust: None,
                max_session_seconds: DEFAULT_SESSION_SECONDS,
            });
        }
        names.clear();
        let mut roles = Vec::with_capacity(file.roles.len());
        for role in file.roles {
            let member = format!("role {}", role.role_name.value);
            let arn = self.arn(&role.arn, &role.role_name, "role/", &member)?;
            if !names.insert(role.role_name.value.clone()) {
                return Err(self.twice(&role.role_name, &member));
            }
            let trust = match role.assume_role_policy_document {
                None => None,
                Some(trust) => {
                    let trust = self.document(trust, format!("{member}, AssumeRolePolicyDocument"), None)?;
                    serde_json::from_str::<UniqueMembers>(&trust.text).map_err(|error| {
                        self.source.error(Some(trust.place), &*trust.member, format!("is not JSON: {error}"))
                    })?;
                    Some(trust)
                }
            };
            let max_session_seconds = role.max_session_duration.unwrap_or(DEFAULT_SESSION_SECONDS);
            if !SESSION_SECONDS.contains(&max_session_seconds) {
                let message = format!("MaxSessionDuration is {max_session_seconds}; it must be 3600 to 43200 seconds");
                return Err(self.at(&role.role_name, &member, message));
            }
            let policies = self.policies(&member, &role.role_policy_list, &role.attached_managed_policies)?;
            let boundary = self.boundary(&member, role.permissions_boundary.as_ref())?;
            let tags = self.tags(&role.role_name, &member, role.tags)?;
            roles.push(PrincipalDetail {
                arn,
                id: role.role_id.value,
                name: role.role_name.value,
                tags,
                policies,
                boundary,
                trust,
                max_session_seconds,
            });
        }
        let file = Arc::clone(self.source.file());
        Ok(AuthorizationDetails { file, account: self.account, users, roles, managed: self.managed })
    }

    /// The policy's default version, kept by the policy's ARN.
    fn managed_policy(&mut self, policy: &ManagedPolicyDetail<'_>) -> Result<(), IdentityError> {
        let member = format!("policy {}", policy.arn.value);
        let arn: Arn = policy.arn.value.parse().map_err(|error| self.at(&policy.arn, &member, format!("{error}")))?;
        if arn.service() != "iam" || !arn.resource().starts_with("policy/") {
            return Err(self.at(&policy.arn, &member, "is not the ARN of an IAM policy"));
        }
        if arn.account() != "aws" {
            self.same_account(&policy.arn, &arn, &member)?;
        }
        let wanted = &policy.default_version_id.value;
        let mut defaults = policy.policy_version_list.iter().filter(|version| version.version_id == *wanted);
        let (Some(default), None) = (defaults.next(), defaults.next()) else {
            let message = format!("PolicyVersionList holds the default version `{wanted}` not exactly once");
            return Err(self.at(&policy.default_version_id, &member, message));
        };
        let text = self.document(default.document, member.clone(), Some(arn))?;
        if self.managed.insert(policy.arn.value.clone(), text).is_some() {
            return Err(self.twice(&policy.arn, &member));
        }
        Ok(())
    }

    /// The ARN of a user, group or role: of this account, ending in its name.
    fn arn(&mut self, text: &Text<'_>, name: &Text<'_>, kind: &str, member: &str) -> Result<Arn, IdentityError> {
        let arn: Arn = text.value.parse().map_err(|error| self.at(text, member, format!("{error}")))?;
        let fits = arn.service() == "iam"
            && arn.region().is_empty()
            && arn.resource().starts_with(kind)
            && arn.resource().rsplit('/').next() == Some(name.value.as_str())
            && (kind == "group/" || text.value.parse::<Principal>().is_ok());
        if !fits {
            let message = format!("`{arn}` is not the ARN of a {} named `{}`", kind.trim_end_matches('/'), name.value);
            return Err(self.at(text, member, message));
        }
        self.same_account(text, &arn, member)?;
        Ok(arn)
    }

    fn same_account(&mut self, text: &Text<'_>, arn: &Arn, member: &str) -> Result<(), IdentityError> {
        let account: AccountId = arn.account().parse().map_err(|error| self.at(text, member, format!("{error}")))?;
        match *self.account.get_or_insert(account) {
            first if first == account => Ok(()),
            first => Err(self.at(
                text,
                member,
                format!("is of account {account}, others in this file of {first}; give each account its own file"),
            )),
        }
    }

    fn policies(
        &self,
        member: &str,
        inline: &[InlinePolicy<'_>],
        attached: &[AttachedPolicy<'_>],
    ) -> Result<Vec<PolicyText>, IdentityError> {
        let inline = inline.iter().map(|policy| {
            self.document(policy.policy_document, format!("{member}, policy {}", policy.policy_name), None)
        });
        let attached = attached.iter().map(|policy| self.managed(member, &policy.policy_arn, "the attached policy"));
        inline.chain(attached).collect()
    }

    fn boundary(&self, member: &str, boundary: Option<&Boundary<'_>>) -> Result<Option<PolicyText>, IdentityError> {
        boundary
            .map(|boundary| self.managed(member, &boundary.permissions_boundary_arn, "the permissions boundary"))
            .transpose()
    }

    /// A managed policy by its ARN. One that the file does not hold is an error: without its
    /// text a Deny in it would be lost.
    fn managed(&self, member: &str, arn: &Text<'_>, role: &str) -> Result<PolicyText, IdentityError> {
        self.managed.get(&arn.value).cloned().ok_or_else(|| {
            let message = format!(
                "{role} `{}` is not in Policies; print the details without --filter, or add the policy",
                arn.value
            );
            self.at(arn, member, message)
        })
    }

    /// A document given as an object, as URL-encoded text, or as JSON text.
    fn document(&self, raw: &RawValue, member: String, arn: Option<Arn>) -> Result<PolicyText, IdentityError> {
        let place = self.source.position(offset_in(raw.get(), self.source.text()));
        let wrong = |message: &str| self.source.error(Some(place), member.clone(), message);
        let in_place = raw.get().starts_with('{');
        let text: Cow<'_, str> = if in_place {
            raw.get().into()
        } else {
            let text: String = serde_json::from_str(raw.get())
                .map_err(|_| wrong("a policy document is an object, or text that holds one, URL-encoded or plain"))?;
            if text.trim_start().starts_with('{') {
                text.into()
            } else {
                let decoded = percent_encoding::percent_decode_str(&text).decode_utf8();
                decoded.map_err(|_| wrong("the URL-encoded policy document is not UTF-8"))?.into_owned().into()
            }
        };
        Ok(PolicyText { text: text.into(), arn, member: member.into(), place, in_place })
    }

    fn tags(&self, at: &Text<'_>, member: &str, tags: Vec<Tag>) -> Result<Vec<(String, String)>, IdentityError> {
        let tags: Vec<_> = tags.into_iter().map(|tag| (tag.key, tag.value)).collect();
        tags_fault(&tags).map_or(Ok(tags), |message| Err(self.at(at, member, message)))
    }

    fn twice(&self, text: &Text<'_>, member: &str) -> IdentityError {
        self.at(text, member, "is in the file twice; keep one")
    }

    fn at(&self, text: &Text<'_>, member: &str, message: impl Into<String>) -> IdentityError {
        self.source.at(text.offset_in(self.source.text()), member, message)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DETAILS: &str = include_str!("../../fixtures/iam/111122223333.json");

    fn parse(text: &str) -> Result<AuthorizationDetails, IdentityError> {
        AuthorizationDetails::parse(&"d.json".into(), text)
    }

    fn error(text: &str) -> String {
        parse(text).unwrap_err().to_string()
    }

    fn detail<'a>(list: &'a [PrincipalDetail], name: &str) -> &'a PrincipalDetail {
        list.iter().find(|detail| detail.name == name).unwrap()
    }

    #[test]
    fn a_users_policies_are_its_own_the_attached_and_its_groups() {
        let details = parse(DETAILS).unwrap();
        assert_eq!(details.account().unwrap().as_str(), "111122223333");
        let alice = detail(&details.users, "alice");
        let members: Vec<&str> = alice.policies.iter().map(|policy| &*policy.member).collect();
        assert_eq!(
            members,
            [
                "user alice, policy DenyScheduleKeyDeletion",
                "policy arn:aws:iam::111122223333:policy/team/UseKeys",
                "group KeyAdministrators, policy Rotate"
            ]
        );
        assert!(alice.policies[1].text.contains("GenerateDataKey*"), "the default version");
        assert!(alice.policies[2].text.starts_with(r#"{"Version":"2012-10-17""#), "URL-decoded");
        assert!(alice.boundary.is_none());
        assert_eq!(detail(&details.users, "bob").boundary.as_ref().unwrap().place.0, 196);
    }

    #[test]
    fn each_fault_is_named_with_its_place() {
        let user = |body: &str| {
            format!(
                "{{\"UserDetailList\": [\n{{\"Arn\": \"arn:aws:iam::111122223333:user/a\", \"UserName\": \"a\", \"UserId\": \"AIDAX\"{body}}}]}}"
            )
        };
        let table = [
            ("{".to_owned(), "d.json:1:1: EOF while parsing an object"),
            ("[1]".to_owned(), "d.json:1:"),
            ("{\"Other\": 1,\n \"Other\": 2}".to_owned(), "d.json:2:8: the member `Other` is given twice; keep one"),
            (r#"{"UserDetailList": 7}"#.to_owned(), "d.json:1:20: invalid type: integer `7`, expected a sequence"),
            (r#"{"UserDetailList": [{}]}"#.to_owned(), "d.json:1:22: missing field `Arn`"),
            (r#"{"IsTruncated": true}"#.to_owned(), "d.json: IsTruncated: the list is not complete"),
            (user(", \"GroupList\": [8]"), "d.json:2:"),
            (
                user(", \"AttachedManagedPolicies\": [{\"PolicyArn\": \"arn:aws:iam::aws:policy/ReadOnlyAccess\"}]"),
                "d.json:2:123: user a: the attached policy `arn:aws:iam::aws:policy/ReadOnlyAccess` is not in Policies",
            ),
            (
                user(", \"PermissionsBoundary\": {\"PermissionsBoundaryArn\": \"arn:aws:iam::aws:policy/X\"}"),
                "d.json:2:131: user a: the permissions boundary `arn:aws:iam::aws:policy/X` is not in Policies",
            ),
            (user(", \"GroupList\": [\"g\"]"), "d.json:2:95: user a: belongs to the group `g`, which GroupDetailList"),
            (
                user(", \"Tags\": [{\"Key\": \"T\", \"Value\": \"1\"}, {\"Key\": \"t\", \"Value\": \"2\"}]"),
                "d.json:2:57: user a: the tag keys `T` and `t` differ by case only; keep one",
            ),
            (
                user(", \"UserPolicyList\": [{\"PolicyName\": \"p\", \"PolicyDocument\": 5}]"),
                "d.json:2:138: user a, policy p: a policy document is an object, or text that holds one",
            ),
            (
                user("}, {\"Arn\": \"arn:aws:iam::111122223333:user/a\", \"UserName\": \"a\", \"UserId\": \"AIDAY\""),
                "d.json:2:138: user a: is in the file twice; keep one",
            ),
            (
                user("}, {\"Arn\": \"arn:aws:iam::444455556666:user/b\", \"UserName\": \"b\", \"UserId\": \"AIDAY\""),
                "d.json:2:90: user b: is of account 444455556666, others in this file of 111122223333; give each",
            ),
            (
                user("}, {\"Arn\": \"arn:aws:iam::111122223333:user/c\", \"UserName\": \"b\", \"UserId\": \"AIDAY\""),
                "d.json:2:90: user b: `arn:aws:iam::111122223333:user/c` is not the ARN of a user named `b`",
            ),
            (
                r#"{"RoleDetailList": [{"Arn": "arn:aws:iam::111122223333:role/r", "RoleName": "r", "RoleId": "AROAX", "AssumeRolePolicyDocument": "nonsense"}]}"#.to_owned(),
                "d.json:1:129: role r, AssumeRolePolicyDocument: is not JSON",
            ),
            (
                r#"{"Policies": [{"Arn": "arn:aws:iam::111122223333:policy/p", "DefaultVersionId": "v3", "PolicyVersionList": []}]}"#.to_owned(),
                "d.json:1:81: policy arn:aws:iam::111122223333:policy/p: PolicyVersionList holds the default version `v3` not exactly once",
            ),
        ];
        let wrong: Vec<_> = table
            .into_iter()
            .filter_map(|(text, expected)| {
                let found = error(&text);
                (!found.starts_with(expected)).then(|| format!("expected {expected}\n   found {found}"))
            })
            .collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn members_that_aws_adds_are_ignored() {
        assert!(parse(r#"{"UserDetailList": [], "NewList": [{"a": null}]}"#).unwrap().account().is_none());
    }

    proptest! {
        #[test]
        fn no_text_panics_the_reader(cut in 0usize..6000, byte in any::<char>(), text in ".{0,40}") {
            let _ = parse(&text);
            let mut changed: String = DETAILS.chars().take(cut).collect();
            let _ = parse(&changed);
            changed.push(byte);
            changed.extend(DETAILS.chars().skip(cut + 1));
            let _ = parse(&changed);
        }
    }
}
