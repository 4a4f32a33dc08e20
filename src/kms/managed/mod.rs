//! AWS managed keys: the keys that AWS keeps in each account for the services that encrypt with one
//! (KMS Developer Guide, "AWS managed keys"). A service's key comes into being when its alias is
//! first used; nobody in the account can change it, for its key policy allows nobody to.

mod policy;
mod services;

use sha2::{Digest, Sha256};
use uuid::Builder;

use super::key_id::KeyId;
use super::name::AliasName;
use policy::Statement;
use services::SERVICES;

pub(super) use policy::policy;

/// Names of aliases that AWS keeps for its own keys.
pub(super) const PREFIX: &str = "alias/aws/";

/// What the ids of AWS managed keys are made for.
const ID_LABEL: &str = "keystile AWS managed key v1";

/// A service that has an AWS managed key in each account and Region.
pub(super) struct Service {
    /// What follows [`PREFIX`] in the name of the key's alias.
    pub(super) name: &'static str,
    /// What the key protects, in the words of its description.
    protects: &'static str,
    /// The `Id` of its key policy.
    policy: &'static str,
    statements: &'static [Statement],
}

impl Service {
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        SERVICES.iter().find(|service| service.name == name)
    }

    /// The service whose key a predefined alias stands for.
    pub(super) fn of_alias(alias: &str) -> Option<&'static Self> {
        Self::named(alias.strip_prefix(PREFIX)?)
    }

    /// The description that AWS gives the key.
    pub(super) fn description(&self) -> String {
        format!("Default key that protects my {} when no other key is defined", self.protects)
    }
}

/// The names of the predefined aliases, sorted.
pub(super) fn aliases() -> impl Iterator<Item = String> {
    SERVICES.iter().map(|service| format!("{PREFIX}{}", service.name))
}

/// The id of the AWS managed key of a predefined alias. It follows from the alias, so that whoever
/// asks for the key before there is one is told of the one that will be.
pub(super) fn key_id(alias: &AliasName) -> KeyId {
    let text = format!("{ID_LABEL}/{}/{}/{}", alias.account, alias.region, alias.name);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&Sha256::digest(text.as_bytes())[..16]);
    KeyId::of(Builder::from_random_bytes(bytes).into_uuid().into_bytes(), false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alias(account: &str, region: &str, name: &str) -> AliasName {
        AliasName { account: account.parse().unwrap(), region: region.parse().unwrap(), name: name.to_owned() }
    }

    #[test]
    fn each_account_and_region_has_a_key_of_its_own_for_each_service() {
        let all: Vec<String> = ["111122223333", "444455556666"]
            .iter()
            .flat_map(|account| ["us-east-1", "eu-west-1"].map(|region| (account, region)))
            .flat_map(|(account, region)| aliases().map(|name| key_id(&alias(account, region, &name)).to_string()))
            .collect();
        let mut ids = all.clone();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), all.len());
        // It is a random UUID's form, and must stay what it is: stored keys bear it.
        assert_eq!(
            key_id(&alias("111122223333", "us-east-1", "alias/aws/s3")).to_string(),
            "780321ed-d895-4482-918e-03030b3a47da"
        );
    }

    #[test]
    fn a_predefined_alias_is_one_of_the_table() {
        let names: Vec<String> = aliases().collect();
        assert!(names.is_sorted() && names.len() == 21);
        for name in &names {
            assert_eq!(Service::of_alias(name).map(|service| service.name), name.strip_prefix("alias/aws/"));
        }
        for name in ["alias/aws/", "alias/aws/nonsense", "alias/s3", "s3", "alias/aws/S3", "alias/aws/s3/x"] {
            assert!(Service::of_alias(name).is_none(), "{name}");
        }
    }
}
