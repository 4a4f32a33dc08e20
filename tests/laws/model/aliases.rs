//! Aliases: on the alias and on each key concerned, permission is needed.

use serde_json::{Value, json};

use super::ask::{Ask, Expected, Refusal, said, some};
use super::decide::{Check, On};
use super::kinds::family;
use super::naming::{Named, Names};
use super::state::{Alias, Model, date};
use crate::interpreter::Context;

/// Aliases of a key (AWS KMS quotas, "Resource quotas").
pub(super) const MOST_ALIASES: usize = 50;

impl Model {
    /// The ARN of the alias that a request names, if it may be one.
    fn alias_arn(ask: &Ask<'_>) -> Result<String, Refusal> {
        let name = ask.must("AliasName");
        let Some(rest) = name.strip_prefix("alias/") else {
            return Err(said(
                "ValidationException",
                "Alias must start with the prefix \"alias/\". Please see https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html",
            ));
        };
        if rest.is_empty() {
            return Err(some("InvalidAliasNameException"));
        }
        Ok(format!("arn:aws:kms:{}:{}:{name}", ask.region, ask.who().account))
    }

    fn new_target(&self, ask: &Ask<'_>) -> Result<Named, Refusal> {
        let target = ask.must("TargetKeyId");
        if target.contains("alias/") {
            return Err(some("ValidationException"));
        }
        self.named(ask, target, Names::KeysOnly)
    }

    fn checks<'a>(ask: &Ask<'a>, arn: &'a str, keys: &'a [Named]) -> Vec<Check<'a>> {
        let on = std::iter::once(On::Alias(arn)).chain(keys.iter().map(Named::on));
        on.map(|on| Check::new(ask.operation, on, Context::new())).collect()
    }

    /// The key that the alias of a request stands for, also one that nobody has used yet.
    fn stands_for(&self, ask: &Ask<'_>) -> Option<usize> {
        let (account, name) = (ask.who().account, ask.must("AliasName"));
        let alias = self.alias_at(account, ask.region, name).map(|alias| self.aliases[alias].target);
        alias.or_else(|| self.managed_key(account, ask.region, name))
    }

    fn has_room(&self, key: usize) -> Result<(), Refusal> {
        if self.aliases_of(key).len() < MOST_ALIASES { Ok(()) } else { Err(some("LimitExceededException")) }
    }

    pub(super) fn create_alias(&mut self, ask: &Ask<'_>) -> Expected {
        let arn = Self::alias_arn(ask)?;
        let target = self.new_target(ask)?;
        self.hold(ask, &Self::checks(ask, &arn, std::slice::from_ref(&target)))?;
        let target = target.there()?;
        self.in_state(ask.operation, target)?;
        let name = ask.must("AliasName");
        if name.starts_with("alias/aws/") {
            return Err(some("InvalidAliasNameException"));
        }
        if self.alias_at(ask.who().account, ask.region, name).is_some() {
            return Err(said("AlreadyExistsException", format!("An alias with the name {arn} already exists")));
        }
        self.has_room(target)?;
        self.aliases.push(Alias {
            account: ask.who().account,
            region: ask.region,
            name: name.to_owned(),
            target,
            created: self.now,
            updated: self.now,
            gone: false,
        });
        Ok(Value::Null)
    }

    pub(super) fn update_alias(&mut self, ask: &Ask<'_>) -> Expected {
        let arn = Self::alias_arn(ask)?;
        let target = self.new_target(ask)?;
        let alias = self.alias_at(ask.who().account, ask.region, ask.must("AliasName"));
        let mut keys = vec![target.clone()];
        if let Some(present) = self.stands_for(ask)
            && !matches!(target, Named::Key(new) if new == present)
        {
            keys.push(Named::Key(present));
        }
        self.hold(ask, &Self::checks(ask, &arn, &keys))?;
        let target = target.there()?;
        let Some(alias) = alias else { return Err(not_found(&arn)) };
        self.in_state(ask.operation, target)?;
        let kind = |key: usize| (family(&self.family(key).spec), self.family(key).usage.clone());
        if kind(self.aliases[alias].target) != kind(target) {
            return Err(some("ValidationException"));
        }
        if self.aliases[alias].target != target {
            self.has_room(target)?;
        }
        self.aliases[alias].target = target;
        self.aliases[alias].updated = self.now;
        Ok(Value::Null)
    }

    pub(super) fn delete_alias(&mut self, ask: &Ask<'_>) -> Expected {
        let arn = Self::alias_arn(ask)?;
        let alias = self.alias_at(ask.who().account, ask.region, ask.must("AliasName"));
        let keys: Vec<Named> = self.stands_for(ask).map(Named::Key).into_iter().collect();
        self.hold(ask, &Self::checks(ask, &arn, &keys))?;
        let Some(alias) = alias else { return Err(not_found(&arn)) };
        self.aliases[alias].gone = true;
        Ok(Value::Null)
    }

    /// Of the account, or of one key of the account: the permission is on no key.
    pub(super) fn list_aliases(&mut self, ask: &Ask<'_>) -> Expected {
        let account = ask.who().account;
        let named = ask.text("KeyId").map(|id| self.named(ask, id, Names::KeysOnly)).transpose()?;
        self.hold(ask, &[Check::new(ask.operation, On::Nothing, Context::new())])?;
        let key = match named {
            None => None,
            Some(named) => {
                let key = named.there()?;
                if self.keys[key].account != account {
                    return Err(said("NotFoundException", format!("Key '{}' does not exist", self.arn(key))));
                }
                Some(key)
            }
        };
        let is_shown = |alias: &&Alias| {
            !alias.gone
                && alias.account == account
                && alias.region == ask.region
                && key.is_none_or(|key| alias.target == key)
        };
        let mut items: Vec<(String, Value)> = self
            .aliases
            .iter()
            .filter(is_shown)
            .map(|alias| {
                let shown = json!({
                    "AliasName": alias.name,
                    "AliasArn": format!("arn:aws:kms:{}:{account}:{}", ask.region, alias.name),
                    "TargetKeyId": self.keys[alias.target].id,
                    "CreationDate": date(alias.created),
                    "LastUpdatedDate": date(alias.updated),
                });
                (alias.name.clone(), shown)
            })
            .collect();
        if key.is_none() {
            for name in PREDEFINED.map(|service| format!("alias/aws/{service}")) {
                if items.iter().all(|(shown, _)| *shown != name) {
                    let arn = format!("arn:aws:kms:{}:{account}:{name}", ask.region);
                    items.push((name.clone(), json!({"AliasName": name, "AliasArn": arn})));
                }
            }
        }
        items.sort_by(|one, other| one.0.cmp(&other.0));
        let about = format!("{account} {}", key.map(|key| self.arn(key)).unwrap_or_default());
        self.page(ask, "Aliases", &about, &items, (50, 100))
    }
}

/// The services whose aliases are there before anybody uses them.
const PREDEFINED: [&str; 21] = [
    "acm",
    "backup",
    "codecommit",
    "dynamodb",
    "ebs",
    "elasticfilesystem",
    "es",
    "fsx",
    "glue",
    "kafka",
    "kinesis",
    "kinesisvideo",
    "lambda",
    "rds",
    "redshift",
    "s3",
    "secretsmanager",
    "sns",
    "sqs",
    "ssm",
    "xray",
];

fn not_found(arn: &str) -> Refusal {
    said("NotFoundException", format!("Alias {arn} is not found."))
}
