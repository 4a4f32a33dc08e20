//! AWS managed keys (KMS Developer Guide, "AWS managed keys"): made by the first use of their alias,
//! rotated each year, and changed by nobody, for their policies allow nobody to.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::ask::Ask;
use super::decide::{Check, On};
use super::keys::{first_material, is_new_id, request_alias};
use super::kinds::SYMMETRIC;
use super::naming::{Named, names_of};
use super::state::{Alias, DAY, Family, Key, Model};
use super::world::{ACCOUNTS, REGIONS};

/// A service with what its key protects, and what its key policy allows who comes by no service.
struct Service {
    name: &'static str,
    protects: &'static str,
    direct: Direct,
}

enum Direct {
    /// The account's policies decide on looking at the key, and on revoking grants.
    Account,
    /// On looking at it alone.
    AccountWithoutGrants,
    /// Everyone of the account may do the same few things.
    Everyone,
}

/// Services whose policies differ.
pub(super) const SERVICES: [&str; 4] = ["s3", "ebs", "acm", "dynamodb"];

fn service(which: usize) -> Service {
    let (protects, direct) = match SERVICES[which] {
        "s3" => ("S3 objects", Direct::AccountWithoutGrants),
        "ebs" => ("EBS volumes", Direct::Account),
        "acm" => ("ACM private keys", Direct::Everyone),
        _ => ("DynamoDB data", Direct::Account),
    };
    Service { name: SERVICES[which], protects, direct }
}

/// The name of a service's alias.
pub(super) fn alias(which: usize) -> String {
    format!("alias/aws/{}", service(which).name)
}

/// What the key policy of a service's key says to who comes by no service.
pub(super) fn policy(which: usize, owner: &str) -> Value {
    let of_account = |actions: Value| {
        vec![json!({
            "Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{owner}:root")}, "Action": actions, "Resource": "*",
        })]
    };
    let statements = match service(which).direct {
        Direct::Account => of_account(json!(["kms:Describe*", "kms:Get*", "kms:List*", "kms:RevokeGrant"])),
        Direct::AccountWithoutGrants => of_account(json!(["kms:Describe*", "kms:Get*", "kms:List*"])),
        Direct::Everyone => vec![
            json!({
                "Effect": "Allow", "Principal": {"AWS": "*"}, "Resource": "*",
                "Action": ["kms:DescribeKey", "kms:ListGrants", "kms:RevokeGrant", "kms:GetKeyPolicy"],
                "Condition": {"StringEquals": {"kms:CallerAccount": owner}},
            }),
            json!({
                "Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "kms:ReEncrypt*", "Resource": "*",
                "Condition": {"Bool": {"kms:ReEncryptOnSameKey": "false"}},
            }),
        ],
    };
    json!({"Version": "2012-10-17", "Statement": statements})
}

/// Whether a text is the policy of a service's key: what it says to who comes by no service.
pub(super) fn is_policy(text: &str, which: usize, owner: &str) -> bool {
    let Ok(mut shown) = serde_json::from_str::<Value>(text) else { return false };
    let id = shown["Id"].as_str().unwrap_or_default().to_owned();
    let Some(statements) = shown["Statement"].as_array_mut() else { return false };
    let is_of_service = |statement: &Value| {
        statement["Condition"].to_string().contains("kms:ViaService") || !statement["Principal"]["Service"].is_null()
    };
    let has_others = statements.iter().any(is_of_service);
    statements.retain(|statement| !is_of_service(statement));
    for statement in statements.iter_mut() {
        statement.as_object_mut().unwrap().remove("Sid");
    }
    let own = policy(which, owner);
    has_others && id.starts_with(&format!("auto-{}-", service(which).name)) && own["Statement"] == json!(statements)
}

impl Model {
    /// The keys that will be there once somebody uses them.
    pub(super) fn expect_managed_keys(&mut self) {
        for account in ACCOUNTS {
            for region in REGIONS {
                for which in 0..SERVICES.len() {
                    self.families.push(Family {
                        spec: SYMMETRIC.to_owned(),
                        usage: "ENCRYPT_DECRYPT".to_owned(),
                        origin: "AWS_KMS".to_owned(),
                        multi_region: false,
                        primary: region,
                        materials: vec![first_material()],
                        schedule: None,
                        on_demand: 0,
                        public_key: None,
                    });
                    self.keys.push(Key {
                        made: usize::MAX,
                        account,
                        region,
                        id: String::new(),
                        family: self.families.len() - 1,
                        created: self.now,
                        description: format!(
                            "Default key that protects my {} when no other key is defined",
                            service(which).protects
                        ),
                        enabled: true,
                        deletion: None,
                        policy: None,
                        tags: BTreeMap::new(),
                        last_use: None,
                        imports: BTreeMap::new(),
                        store: None,
                        managed: Some(which),
                        gone: true,
                    });
                }
            }
        }
    }

    /// Whether a key is one that nobody has used yet.
    pub(super) fn is_unmade(&self, key: usize) -> bool {
        self.keys[key].gone && self.keys[key].managed.is_some()
    }

    /// The AWS managed key that a predefined alias stands for.
    pub(super) fn managed_key(&self, account: &str, region: &str, name: &str) -> Option<usize> {
        let service = SERVICES.iter().position(|service| name.strip_prefix("alias/aws/") == Some(service))?;
        let is_it =
            |key: &Key| key.account == account && key.region == region && key.managed.is_some_and(|of| of == service);
        self.keys.iter().position(is_it)
    }

    /// Learns the id of a key that nobody has used yet from the first answer or denial that tells it; it
    /// must stay that.
    pub(super) fn learn_managed_keys(&mut self, ask: &Ask<'_>) {
        for member in ["KeyId", "AliasName", "SourceKeyId", "DestinationKeyId"] {
            let text = ask.must(member);
            let name = text.find("alias/").map_or("", |at| &text[at..]);
            let account =
                if text.starts_with("arn:") { text.split(':').nth(4).unwrap_or_default() } else { ask.who().account };
            let Some(key) = self.managed_key(account, ask.region, name).filter(|key| self.keys[*key].id.is_empty())
            else {
                continue;
            };
            let told = ask.told.to_string();
            let ids = told.split(":key/").skip(1).filter_map(|rest| rest.get(..36));
            let mut new = ids.filter(|id| is_new_id(id, false) && self.keys.iter().all(|key| key.id != *id));
            if let Some(id) = new.next() {
                id.clone_into(&mut self.keys[key].id);
            }
        }
    }

    /// A permitted request that names a predefined alias makes its key, whatever comes of it then.
    pub(super) fn make_what_is_first_used(&mut self, ask: &Ask<'_>) {
        if !["DescribeKey", "GetPublicKey"].contains(&ask.operation) {
            return;
        }
        let Ok(Named::Key(key)) = self.named(ask, ask.must("KeyId"), names_of(ask.operation)) else { return };
        let check = Check::new(ask.operation, On::Key(key), request_alias(ask.must("KeyId")));
        if !self.is_unmade(key) || self.hold(ask, &[check]).is_err() {
            return;
        }
        let Key { account, region, family, managed, .. } = self.keys[key];
        self.keys[key].gone = false;
        self.keys[key].created = self.now;
        self.families[family].schedule = Some((365, self.now + 365 * DAY));
        self.aliases.push(Alias {
            account,
            region,
            name: alias(managed.unwrap_or_default()),
            target: key,
            created: self.now,
            updated: self.now,
            gone: false,
        });
    }
}
