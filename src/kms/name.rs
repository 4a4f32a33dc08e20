use super::api::KeyIds;
use super::error::{KmsError, texts};
use super::key_id::KeyId;
use crate::aws::{AccountId, Arn, Region};

/// Which key: its account, region and id.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct KeyName {
    pub(super) account: AccountId,
    pub(super) region: Region,
    pub(super) id: KeyId,
}

impl KeyName {
    pub(super) fn arn(&self) -> Result<Arn, KmsError> {
        arn(&self.region, self.account, &format!("key/{}", self.id))
    }
}

/// Which alias: its account, region and name with the `alias/` prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AliasName {
    pub(super) account: AccountId,
    pub(super) region: Region,
    pub(super) name: String,
}

impl AliasName {
    pub(super) fn arn(&self) -> Result<Arn, KmsError> {
        arn(&self.region, self.account, &self.name)
    }
}

fn arn(region: &Region, account: AccountId, resource: &str) -> Result<Arn, KmsError> {
    format!("arn:{}:kms:{region}:{account}:{resource}", region.partition())
        .parse()
        .map_err(|error: crate::aws::InvalidArn| KmsError::internal(error.to_string()))
}

/// What a `KeyId` member names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Named {
    Key(KeyName),
    Alias(AliasName),
}

pub(super) const ALIAS_PREFIX: &str = "alias/";

impl Named {
    /// Reads a `KeyId` member: key id, key ARN, alias name or alias ARN, as far as the operation
    /// takes them. A bare id or name belongs to the caller's account.
    pub(super) fn parse(text: &str, caller: AccountId, region: &Region, accepted: KeyIds) -> Result<Self, KmsError> {
        let (account, resource) = if text.starts_with("arn:") {
            let malformed = || KmsError::new("InvalidArnException", format!("Invalid arn {text}"));
            let arn: Arn = text.parse().map_err(|_| malformed())?;
            let account = arn.account().parse().map_err(|_| malformed())?;
            if arn.service() != "kms" {
                return Err(malformed());
            }
            if arn.region() != region.as_str() || arn.partition() != region.partition() {
                return Err(texts::other_region(arn.region()));
            }
            let resource = arn.resource().to_owned();
            let Some(resource) = resource
                .strip_prefix("key/")
                .map(str::to_owned)
                .or_else(|| resource.starts_with(ALIAS_PREFIX).then(|| resource.clone()))
            else {
                return Err(malformed());
            };
            (account, resource)
        } else {
            (caller, text.to_owned())
        };
        if resource.starts_with(ALIAS_PREFIX) {
            return match accepted {
                KeyIds::WithAliases => Ok(Self::Alias(AliasName { account, region: region.clone(), name: resource })),
                KeyIds::KeysOnly => Err(texts::invalid_key_id(text)),
                KeyIds::RotationKeysOnly => Err(texts::aliases_not_supported()),
            };
        }
        match KeyId::read(&resource) {
            Some(id) => Ok(Self::Key(KeyName { account, region: region.clone(), id })),
            None => Err(texts::invalid_key_id(text)),
        }
    }
}

/// An alias's name as `CreateAlias` and its kin take it.
pub(super) fn alias_name(text: &str, account: AccountId, region: &Region) -> Result<AliasName, KmsError> {
    if !text.starts_with(ALIAS_PREFIX) {
        return Err(texts::validation(
            "Alias must start with the prefix \"alias/\". Please see https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html",
        ));
    }
    if text.len() == ALIAS_PREFIX.len() {
        return Err(KmsError::new(
            "InvalidAliasNameException",
            format!("The alias name {text} is empty after its prefix."),
        ));
    }
    if text.contains(':') {
        return Err(KmsError::new(
            "InvalidAliasNameException",
            format!("{text} contains invalid characters for an alias"),
        ));
    }
    Ok(AliasName { account, region: region.clone(), name: text.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "1234abcd-12ab-34cd-56ef-1234567890ab";

    fn read(text: &str, accepted: KeyIds) -> Result<Named, (&'static str, String)> {
        Named::parse(text, "111122223333".parse().unwrap(), &"us-east-1".parse().unwrap(), accepted)
            .map_err(|error| (error.code(), error.message().unwrap_or_default().to_owned()))
    }

    #[test]
    fn a_key_has_four_spellings() {
        let own = read(ID, KeyIds::KeysOnly).unwrap();
        assert_eq!(
            read(&format!("arn:aws:kms:us-east-1:111122223333:key/{ID}"), KeyIds::RotationKeysOnly).unwrap(),
            own
        );
        let Named::Key(foreign) =
            read(&format!("arn:aws:kms:us-east-1:444455556666:key/{ID}"), KeyIds::KeysOnly).unwrap()
        else {
            panic!("no key")
        };
        assert_eq!(foreign.account.as_str(), "444455556666");
        assert_eq!(
            read("alias/a", KeyIds::WithAliases).unwrap(),
            read("arn:aws:kms:us-east-1:111122223333:alias/a", KeyIds::WithAliases).unwrap()
        );
        assert!(matches!(read("mrk-1234abcd12ab34cd56ef1234567890ab", KeyIds::KeysOnly), Ok(Named::Key(_))));
    }

    #[test]
    fn what_names_no_key_is_told_in_aws_words() {
        for (text, accepted, code, message) in [
            ("fake-key-id", KeyIds::WithAliases, "NotFoundException", "Invalid keyId 'fake-key-id'"),
            (
                "1234ABCD-12AB-34CD-56EF-1234567890AB",
                KeyIds::WithAliases,
                "NotFoundException",
                "Invalid keyId '1234ABCD-12AB-34CD-56EF-1234567890AB'",
            ),
            ("alias/a", KeyIds::KeysOnly, "NotFoundException", "Invalid keyId 'alias/a'"),
            (
                "alias/a",
                KeyIds::RotationKeysOnly,
                "InvalidArnException",
                "Key Aliases are not supported for this operation.",
            ),
            (
                "arn:aws:kms:us-east-1:111122223333:alias/a",
                KeyIds::RotationKeysOnly,
                "InvalidArnException",
                "Key Aliases are not supported for this operation.",
            ),
            (
                "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
                KeyIds::WithAliases,
                "NotFoundException",
                "Invalid arn eu-west-1",
            ),
            (
                "arn:aws:s3:us-east-1:111122223333:key/x",
                KeyIds::WithAliases,
                "InvalidArnException",
                "Invalid arn arn:aws:s3:us-east-1:111122223333:key/x",
            ),
        ] {
            assert_eq!(read(text, accepted), Err((code, message.to_owned())), "{text}");
        }
    }
}
