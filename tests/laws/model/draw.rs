//! The next step of a history at random, drawn mostly from what there is.
//!
//! What the engine draws is named by the step that made it, `<17.id>`, so that a history can be
//! played again, and with steps left out.

use data_encoding::BASE64;
use serde_json::{Value, json};

use super::cryptography::digest;
use super::imports::MATERIALS;
use super::kinds::{self, grantable};
use super::names::Names;
use super::state::{Blob, DAY, Model};
use super::step::Step;
use super::world::{
    self, ACCOUNTS, GHOST, GRANTEES, IDENTITIES, KEY_POLICIES, LIMITS, ORGANIZATIONS, PEOPLE, Policies, REGIONS,
};
use crate::engine::requests::is_of_stores;
use crate::generate::Dice;

/// Operations with how often each is drawn.
const OPERATIONS: [(&str, usize); 54] = [
    ("CreateKey", 20),
    ("CreateAlias", 14),
    ("UpdateAlias", 9),
    ("DeleteAlias", 6),
    ("ListAliases", 6),
    ("DescribeKey", 10),
    ("ListKeys", 10),
    ("EnableKey", 14),
    ("DisableKey", 7),
    ("ScheduleKeyDeletion", 10),
    ("CancelKeyDeletion", 12),
    ("UpdateKeyDescription", 5),
    ("TagResource", 10),
    ("UntagResource", 6),
    ("ListResourceTags", 4),
    ("GetKeyPolicy", 5),
    ("PutKeyPolicy", 16),
    ("ListKeyPolicies", 3),
    ("EnableKeyRotation", 14),
    ("DisableKeyRotation", 5),
    ("GetKeyRotationStatus", 7),
    ("RotateKeyOnDemand", 14),
    ("ListKeyRotations", 7),
    ("GetKeyLastUsage", 6),
    ("Encrypt", 26),
    ("Decrypt", 36),
    ("ReEncrypt", 18),
    ("GenerateDataKey", 10),
    ("GenerateDataKeyWithoutPlaintext", 6),
    ("GenerateDataKeyPair", 6),
    ("GenerateDataKeyPairWithoutPlaintext", 5),
    ("GenerateRandom", 3),
    ("GenerateMac", 9),
    ("VerifyMac", 10),
    ("Sign", 11),
    ("Verify", 12),
    ("GetPublicKey", 9),
    ("DeriveSharedSecret", 8),
    ("CreateGrant", 26),
    ("ListGrants", 6),
    ("ListRetirableGrants", 5),
    ("RevokeGrant", 8),
    ("RetireGrant", 14),
    ("GetParametersForImport", 7),
    ("ImportKeyMaterial", 30),
    ("DeleteImportedKeyMaterial", 12),
    ("ReplicateKey", 12),
    ("UpdatePrimaryRegion", 9),
    ("CreateCustomKeyStore", 9),
    ("ConnectCustomKeyStore", 11),
    ("DisconnectCustomKeyStore", 8),
    ("DescribeCustomKeyStores", 6),
    ("UpdateCustomKeyStore", 10),
    ("DeleteCustomKeyStore", 7),
];

/// Where keys are made, most of them in one Region.
pub(super) const HOMES: [&str; 6] = ["us-east-1", "us-east-1", "us-east-1", "us-east-1", "eu-west-1", "ap-southeast-2"];
/// What to choose a key for whose public key another one may agree with.
const PEER: &str = "GetPublicKey of a peer";
const UNKNOWN: &str = "1234abcd-12ab-34cd-56ef-1234567890ab";
const ALIASES: [&str; 6] = ["alias/a", "alias/ab", "alias/b", "alias/c", "alias/d/e", "alias/f"];
const MESSAGES: [&str; 3] = ["QQ==", "c2lnbiB0aGlz", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="];

/// Draws the steps of one history.
pub(super) struct Draw<'a> {
    pub(super) dice: &'a mut Dice,
    pub(super) model: &'a Model,
    pub(super) names: &'a Names,
    /// That of the next step.
    pub(super) number: usize,
}

impl Draw<'_> {
    pub(super) fn step(&mut self) -> Step {
        match self.dice.below(1000) {
            0..=49 => self.sleep(),
            50..=57 => Step::Restart,
            58..=94 => self.policies(),
            95..=109 => self.proxy(),
            110..=114 => self.organization(),
            115..=164 if self.is_troubled() => self.proxy(),
            _ => self.request(),
        }
    }

    /// For a while; mostly until about a date at which something comes due.
    fn sleep(&mut self) -> Step {
        let model = self.model;
        let deletions = model.keys.iter().filter(|key| !key.gone).filter_map(|key| key.deletion?.at);
        let rotations = model.families.iter().filter_map(|family| family.schedule).map(|(_, next)| next);
        let imports = model.keys.iter().filter(|key| !key.gone).flat_map(|key| key.imports.values());
        let tokens = model.tokens.iter().map(|token| token.valid_to);
        let mut dates: Vec<i64> =
            deletions.chain(rotations).chain(imports.filter_map(|import| import.valid_to)).chain(tokens).collect();
        dates.retain(|date| *date > model.now);
        dates.sort_unstable();
        dates.dedup();
        dates.truncate(4);
        let seconds = if dates.is_empty() || self.dice.percent(40) {
            let days = *self.dice.pick(&[0, 0, 0, 1, 1, 3, 8, 20, 31, 91]);
            days * DAY + i64::try_from(self.dice.below(86_400)).unwrap()
        } else {
            let late = *self.dice.pick(&[-6 * DAY, -1, 0, 0, 1, 3_600, DAY]);
            (self.dice.pick(&dates) - model.now + late).max(0)
        };
        Step::Sleep { seconds, scheduled: self.dice.percent(50) }
    }

    /// Someone's policies change.
    fn policies(&mut self) -> Step {
        let who = self.dice.between(ACCOUNTS.len(), PEOPLE.len() - 1);
        let present = self.model.policies[who];
        let is_session = PEOPLE[who].principal.contains(":sts:");
        let policies = match self.dice.below(4) {
            0 => PEOPLE[who].policies,
            1 if !is_session => Policies { boundary: self.dice.below(LIMITS), ..present },
            1 => Policies { session: self.dice.below(LIMITS), ..present },
            _ => Policies { identity: self.dice.below(IDENTITIES), ..present },
        };
        Step::Policies { who, policies }
    }

    /// The accounts are in another organisation; in none mostly.
    fn organization(&mut self) -> Step {
        Step::Organization(if self.dice.percent(50) { 0 } else { self.dice.below(ORGANIZATIONS) })
    }

    fn operation(&mut self) -> &'static str {
        let all: usize = OPERATIONS.iter().map(|(_, weight)| weight).sum();
        let mut at = self.dice.below(all);
        for (operation, weight) in OPERATIONS {
            if at < weight {
                return operation;
            }
            at -= weight;
        }
        unreachable!("the dice stay below the sum")
    }

    fn request(&mut self) -> Step {
        let operation = self.operation();
        if let Some(next) = self.names.next_pages(operation).last().filter(|_| self.dice.percent(40)) {
            return (*next).clone();
        }
        if is_of_stores(operation) {
            return self.of_stores(operation);
        }
        if self.dice.percent(3) && !self.model.keys.is_empty() {
            return self.of_managed_key(operation);
        }
        let key = self.key(operation);
        // What an operation lacks is made first, mostly.
        let (operation, wanted) = match self.lacking(operation).filter(|_| self.dice.percent(70)) {
            Some(first) => (first, Some(operation)),
            None => (operation, None),
        };
        let key = match wanted {
            Some("DeriveSharedSecret") if operation == "GetPublicKey" => self.key(PEER),
            Some(_) => self.key(operation),
            None => key,
        };
        let (account, region) = match key {
            Some(key) => (self.model.keys[key].account, self.model.keys[key].region),
            None => (*self.dice.pick(&[world::A, world::A, world::A, world::B]), *self.dice.pick(&HOMES)),
        };
        let region = if self.dice.percent(3) { *self.dice.pick(&REGIONS) } else { region };
        let store = if operation == "CreateKey" && self.dice.percent(22) { self.store_for_key() } else { None };
        let (account, region) = store.map_or((account, region), |store| {
            let store = &self.model.stores[store];
            (store.account, store.region)
        });
        let caller = self.caller(operation, key, account);
        let mut body = self.body(operation, key, region, caller);
        if let ("CreateKey", Some(wanted)) = (operation, wanted) {
            body = self.key_for(wanted);
            if self.dice.percent(40) {
                body["Policy"] = json!(world::key_policy(self.dice.below(KEY_POLICIES), PEOPLE[caller].account));
            }
        }
        if store.is_some() || (operation == "CreateKey" && self.dice.percent(1)) {
            for member in ["KeySpec", "KeyUsage", "MultiRegion"] {
                body.as_object_mut().unwrap().remove(member);
            }
            let in_store = self.key_in_store(store);
            body.as_object_mut().unwrap().extend(in_store.as_object().unwrap().clone());
        }
        let operation = self.telling(operation, &body, region, caller);
        if self.dice.percent(2) {
            self.spoil(operation, &mut body);
        }
        Step::Request { region, caller, operation, body }
    }

    /// GetPublicKey makes an AWS managed key and tells its id to nobody: what tells it comes first.
    fn telling(&self, operation: &'static str, body: &Value, region: &str, caller: usize) -> &'static str {
        let name = body["KeyId"].as_str().unwrap_or_default();
        let account = if name.starts_with("arn:") { name.split(':').nth(4) } else { None };
        let alias = name.find("alias/").map_or("", |at| &name[at..]);
        let key = self.model.managed_key(account.unwrap_or(PEOPLE[caller].account), region, alias);
        let is_unknown = key.is_some_and(|key| self.model.keys[key].id.is_empty());
        if operation == "GetPublicKey" && is_unknown { "DescribeKey" } else { operation }
    }

    /// What would be done with an AWS managed key, used before or not, by its alias or by its id.
    fn of_managed_key(&mut self, operation: &'static str) -> Step {
        let model = self.model;
        let managed = |key: &usize| model.keys[*key].managed.is_some();
        let mut all: Vec<usize> = (0..model.keys.len()).filter(managed).collect();
        let home = |key: &usize| model.keys[*key].account == world::A && model.keys[*key].region == "us-east-1";
        if self.dice.percent(60) {
            all.retain(home);
        }
        let key = *self.dice.pick(&all);
        let (account, region) = (model.keys[key].account, model.keys[key].region);
        // Before anybody was told of a key's id, what is told makes it.
        let is_unknown = model.keys[key].id.is_empty();
        let operation = if is_unknown || self.dice.percent(15) { "DescribeKey" } else { operation };
        let caller = self.caller(operation, Some(key), account);
        let mut body = self.body(operation, Some(key), region, caller);
        let name = super::managed::alias(model.keys[key].managed.unwrap_or_default());
        let takes_alias = super::naming::names_of(operation) == super::naming::Names::Aliases;
        if body["AliasName"].is_string() && self.dice.percent(60) {
            body["AliasName"] = json!(name);
        }
        for member in ["KeyId", "SourceKeyId", "DestinationKeyId"] {
            if body[member].is_string() && takes_alias && (model.is_unmade(key) || self.dice.percent(50)) {
                let arn = format!("arn:aws:kms:{region}:{account}:{name}");
                let is_foreign = PEOPLE[caller].account != account;
                body[member] = json!(if is_foreign || self.dice.percent(40) { &arn } else { &name });
            }
        }
        let operation = self.telling(operation, &body, region, caller);
        Step::Request { region, caller, operation, body }
    }

    /// Mostly one who may.
    fn caller(&mut self, operation: &str, key: Option<usize>, account: &str) -> usize {
        let root = ACCOUNTS.iter().position(|one| *one == account).unwrap();
        let grantee = key.and_then(|key| self.grantee(key));
        match self.dice.below(100) {
            0..=47 => root,
            48..=67 if grantee.is_some() => grantee.unwrap(),
            48..=72 if operation != "CreateKey" => self.dice.between(ACCOUNTS.len(), PEOPLE.len() - 1),
            73..=95 => {
                let own: Vec<usize> = (0..PEOPLE.len()).filter(|who| PEOPLE[*who].account == account).collect();
                *self.dice.pick(&own)
            }
            _ => self.dice.below(PEOPLE.len()),
        }
    }

    /// One whom a grant on the key names.
    fn grantee(&mut self, key: usize) -> Option<usize> {
        let grants = self.model.grants_of(key);
        let grant = &self.model.grants[*grants.get(self.dice.below(grants.len().max(1)))?];
        let of_grant = |who: &usize| {
            let someone = &PEOPLE[*who];
            [Some(grant.grantee.as_str()), grant.retiring.as_deref()]
                .into_iter()
                .flatten()
                .any(|named| someone.principal == named || someone.role == Some(named))
        };
        let all: Vec<usize> = (0..PEOPLE.len()).filter(of_grant).collect();
        if all.is_empty() { None } else { Some(*self.dice.pick(&all)) }
    }

    /// What would make an operation possible that nothing fits; none where something does.
    fn lacking(&self, operation: &'static str) -> Option<&'static str> {
        let is_lacking = |operation| !(0..self.model.keys.len()).any(|key| self.fits(operation, key));
        if !is_lacking(operation) {
            return None;
        }
        let first = match operation {
            "EnableKey" => "DisableKey",
            "CancelKeyDeletion" => "ScheduleKeyDeletion",
            "RevokeGrant" | "RetireGrant" | "ListGrants" => "CreateGrant",
            "ImportKeyMaterial" => "GetParametersForImport",
            "Decrypt" | "ReEncrypt" => "Encrypt",
            "VerifyMac" => "GenerateMac",
            "Verify" => "Sign",
            "UpdatePrimaryRegion" => "ReplicateKey",
            "UpdateAlias" | "DeleteAlias" => "CreateAlias",
            "DeriveSharedSecret" => "GetPublicKey",
            _ => "CreateKey",
        };
        let is_possible = if first == "GetPublicKey" { !is_lacking(PEER) } else { !is_lacking(first) };
        Some(if is_possible { first } else { "CreateKey" })
    }

    /// A new key that would fit the operation.
    fn key_for(&mut self, operation: &str) -> Value {
        let ec = ["ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521"];
        let (spec, usage) = match operation {
            "GenerateMac" | "VerifyMac" => (*self.dice.pick(&["HMAC_256", "HMAC_512"]), "GENERATE_VERIFY_MAC"),
            "Sign" | "Verify" | "GetPublicKey" => (*self.dice.pick(&ec), "SIGN_VERIFY"),
            "DeriveSharedSecret" => (*self.dice.pick(&ec[..2]), "KEY_AGREEMENT"),
            _ => (kinds::SYMMETRIC, "ENCRYPT_DECRYPT"),
        };
        let mut body = json!({"KeySpec": spec, "KeyUsage": usage});
        match operation {
            "ReplicateKey" | "UpdatePrimaryRegion" => body["MultiRegion"] = json!(true),
            "GetParametersForImport" | "ImportKeyMaterial" | "DeleteImportedKeyMaterial" => {
                body["Origin"] = json!("EXTERNAL");
                if self.dice.percent(40) {
                    body["MultiRegion"] = json!(true);
                }
            }
            _ => self.multi_region_or_imported(&mut body, 20, 15),
        }
        body
    }

    /// Whether a key is one that the operation may well be done with.
    fn fits(&self, operation: &str, key: usize) -> bool {
        let model = self.model;
        let (this, family, state) = (&model.keys[key], model.family(key), model.state(key));
        let rotates = family.is_symmetric() && this.store.is_none();
        if this.gone || (this.managed.is_some() && !["DescribeKey", "ListKeyRotations"].contains(&operation)) {
            return false;
        }
        let usage = match operation {
            "Encrypt" | "Decrypt" | "ReEncrypt" => Some("ENCRYPT_DECRYPT"),
            "GenerateMac" | "VerifyMac" => Some("GENERATE_VERIFY_MAC"),
            "Sign" | "Verify" => Some("SIGN_VERIFY"),
            "DeriveSharedSecret" | PEER => Some("KEY_AGREEMENT"),
            _ => None,
        };
        let made = |is_it: &dyn Fn(&Blob) -> bool| model.blobs.values().any(is_it);
        let has_token = || model.tokens.iter().any(|token| token.key == key && token.valid_to > model.now);
        usage.is_none_or(|usage| family.usage == usage)
            && match operation {
                "CancelKeyDeletion" => state == "PendingDeletion" || state == "PendingReplicaDeletion",
                "EnableKey" => state == "Disabled",
                "DisableKey" | "Encrypt" | "Sign" | "GenerateMac" => state == "Enabled",
                "Decrypt" | "ReEncrypt" => {
                    made(&|blob| matches!(blob, Blob::Ciphertext { family, .. } if *family == this.family))
                }
                "VerifyMac" => made(&|blob| matches!(blob, Blob::Mac { secret, .. } if *secret == model.secret(key))),
                "Verify" => {
                    made(&|blob| matches!(blob, Blob::Signature { secret, .. } if *secret == model.secret(key)))
                }
                "DeriveSharedSecret" => {
                    model.families.iter().any(|other| other.public_key.is_some() && other.spec == family.spec)
                }
                "GetPublicKey" => !family.is_symmetric() && family.usage != "GENERATE_VERIFY_MAC",
                "EnableKeyRotation" => rotates && !family.is_imported() && !model.is_replica(key),
                "RotateKeyOnDemand" => {
                    rotates && (!family.is_imported() || family.materials.iter().any(|material| material.pending))
                }
                "ReplicateKey" => family.multi_region && !model.is_replica(key),
                "UpdatePrimaryRegion" => model.has_replicas(key),
                "DeleteAlias" => !model.aliases_of(key).is_empty(),
                "UpdateAlias" => model.aliases.iter().any(|alias| {
                    !alias.gone
                        && (alias.account, alias.region) == (this.account, this.region)
                        && self.alias_may_move(alias.target, key)
                }),
                "GetParametersForImport" => family.is_imported() && !has_token(),
                "ImportKeyMaterial" => family.is_imported() && has_token(),
                "DeleteImportedKeyMaterial" => family.is_imported() && !family.materials.is_empty(),
                name if name.starts_with("GenerateDataKey") => family.is_symmetric(),
                "RevokeGrant" | "RetireGrant" | "ListGrants" => !model.grants_of(key).is_empty(),
                _ => true,
            }
    }

    /// A key for the operation, mostly one that fits it; none before the first.
    fn key(&mut self, operation: &str) -> Option<usize> {
        let model = self.model;
        let all: Vec<usize> = (0..model.keys.len()).filter(|key| !model.is_unmade(*key)).collect();
        if all.is_empty() || operation == "CreateKey" {
            return None;
        }
        let mut fitting: Vec<usize> = all.iter().copied().filter(|key| self.fits(operation, *key)).collect();
        // Imported material that waits is rare.
        let waits = |key: &usize| model.family(*key).materials.iter().any(|material| material.pending);
        if operation == "RotateKeyOnDemand" && fitting.iter().any(waits) && self.dice.percent(50) {
            fitting.retain(waits);
        }
        let rare: Vec<usize> = fitting.iter().copied().filter(|key| self.is_rare(operation, *key)).collect();
        if !rare.is_empty() && self.dice.percent(40) {
            fitting = rare;
        }
        let there: Vec<usize> = all.iter().copied().filter(|key| !model.keys[*key].gone).collect();
        match self.dice.below(100) {
            0..=79 if !fitting.is_empty() => Some(*self.dice.pick(&fitting)),
            0..=96 if !there.is_empty() => Some(*self.dice.pick(&there)),
            _ => Some(*self.dice.pick(&all)),
        }
    }

    /// Whether the operation meets something with the key that it seldom meets.
    fn is_rare(&self, operation: &str, key: usize) -> bool {
        let model = self.model;
        let (this, family) = (&model.keys[key], model.family(key));
        let comes_due = |days: i64| family.schedule.is_some_and(|(_, next)| next < model.now + days * DAY);
        let primary = &model.keys[model.primary(key)];
        match operation {
            // A rotation falls due meanwhile, or a primary waits for its replica.
            "ScheduleKeyDeletion" => {
                (comes_due(30) && !model.is_replica(key))
                    || (model.is_replica(key) && primary.deletion.is_some())
                    || model.has_replicas(key)
            }
            "CancelKeyDeletion" => comes_due(0),
            "ReplicateKey" | "UpdatePrimaryRegion" => family.is_imported(),
            "GetParametersForImport" | "ImportKeyMaterial" => {
                family.materials.len() > 1 || model.siblings(key).len() > 1
            }
            "DeleteImportedKeyMaterial" => family.current().is_some_and(|current| current > 0),
            "Encrypt" | "Decrypt" | "ReEncrypt" | "GenerateDataKey" => this.store.is_some(),
            _ => false,
        }
    }

    /// A key's name in one of its spellings, good in a Region mostly, for a caller.
    fn name(&mut self, operation: &str, key: Option<usize>, region: &str, caller: usize) -> String {
        let Some(key) = key else { return UNKNOWN.to_owned() };
        let this = &self.model.keys[key];
        let made = this.made;
        let is_foreign = PEOPLE[caller].account != this.account;
        let aliases = self.model.aliases_of(key);
        let takes_alias = super::naming::names_of(operation) == super::naming::Names::Aliases;
        match self.dice.below(100) {
            0 => "fake-key-id".to_owned(),
            1 => UNKNOWN.to_owned(),
            2 => format!("arn:aws:kms:{region}:{}:key/{UNKNOWN}", this.account),
            3 => format!("arn:aws:kms:{region}:{}:nonsense", this.account),
            4 => self.dice.pick(&ALIASES).to_string(),
            5 => format!("arn:aws:kms:{region}:{}:{}", this.account, self.dice.pick(&ALIASES)),
            6 => {
                let elsewhere = self.dice.pick(&REGIONS);
                format!("arn:aws:kms:{elsewhere}:{}:key/<{made}.id>", this.account)
            }
            7..=30 if takes_alias && !aliases.is_empty() => {
                let alias = self.dice.pick(&aliases).clone();
                if is_foreign || self.dice.percent(50) {
                    format!("arn:aws:kms:{region}:{}:{alias}", this.account)
                } else {
                    alias
                }
            }
            31..=70 if !is_foreign => format!("<{made}.id>"),
            71..=72 => format!("<{made}.id>"),
            _ => format!("arn:aws:kms:{region}:{}:key/<{made}.id>", this.account),
        }
    }

    fn context(&mut self) -> Value {
        self.dice
            .pick(&[json!({}), json!({"tenant": "a"}), json!({"tenant": "b"}), json!({"tenant": "a", "Dept": "x"})])
            .clone()
    }

    fn tags(&mut self) -> Value {
        let many: Vec<Value> = (0..51).map(|n| json!({"TagKey": format!("k{n}"), "TagValue": "v"})).collect();
        match self.dice.below(40) {
            0 => json!([{"TagKey": "aws:x", "TagValue": "y"}]),
            1 => json!([{"TagKey": "a", "TagValue": "1"}, {"TagKey": "a", "TagValue": "2"}]),
            2 => json!(many),
            3..=6 => json!([{"TagKey": "secret", "TagValue": ""}]),
            7..=20 => json!([{"TagKey": "team", "TagValue": "blue"}]),
            21..=30 => json!([{"TagKey": "team", "TagValue": "red"}, {"TagKey": "Cost", "TagValue": "1"}]),
            _ => json!([{"TagKey": "Cost", "TagValue": "2"}]),
        }
    }

    fn policy(&mut self, body: &mut Value, account: &str) {
        let policy = match self.dice.below(40) {
            0 => "{\"Version\": ".to_owned(),
            1 => format!("{:33000}", world::key_policy(0, account)),
            2 => json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": {"AWS": GHOST}, "Action": "kms:*", "Resource": "*"}}).to_string(),
            3..=10 => world::key_policy(0, account),
            _ => world::key_policy(self.dice.below(KEY_POLICIES), account),
        };
        body["Policy"] = json!(policy);
        if let Some(flag) = self.dice.maybe(30, |dice| dice.percent(70)) {
            body["BypassPolicyLockoutSafetyCheck"] = json!(flag);
        }
    }

    pub(super) fn page(&mut self, body: &mut Value) {
        if self.dice.percent(35) {
            body["Limit"] = json!(*self.dice.pick(&[1, 1, 2, 2, 3, 50, 100, 1000, 0, 0]));
        }
        if self.dice.percent(8) {
            body["Marker"] = json!("nonsense");
        }
    }

    fn kind_of_new_key(&mut self, body: &mut Value) {
        let (spec, usage) = match self.dice.below(100) {
            0..=44 => return self.multi_region_or_imported(body, 35, 25),
            45..=54 => {
                (*self.dice.pick(&["HMAC_224", "HMAC_256", "HMAC_384", "HMAC_512"]), Some("GENERATE_VERIFY_MAC"))
            }
            55..=68 => (
                *self.dice.pick(&[
                    "ECC_NIST_P256",
                    "ECC_NIST_P384",
                    "ECC_NIST_P521",
                    "ECC_SECG_P256K1",
                    "ECC_NIST_EDWARDS25519",
                ]),
                Some("SIGN_VERIFY"),
            ),
            69..=78 => (
                *self.dice.pick(&["ECC_NIST_P256", "ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521"]),
                Some("KEY_AGREEMENT"),
            ),
            79..=83 => (*self.dice.pick(&["ML_DSA_44", "ML_DSA_65", "ML_DSA_87"]), Some("SIGN_VERIFY")),
            84..=87 => ("RSA_2048", Some("ENCRYPT_DECRYPT")),
            88..=90 => ("RSA_2048", Some("SIGN_VERIFY")),
            91 => ("SM2", Some("SIGN_VERIFY")),
            92 => ("HMAC_256", None),
            93 => ("HMAC_256", Some("SIGN_VERIFY")),
            94 => ("NO_SUCH_SPEC", None),
            _ => ("SYMMETRIC_DEFAULT", Some("ENCRYPT_DECRYPT")),
        };
        body["KeySpec"] = json!(spec);
        if let Some(usage) = usage {
            body["KeyUsage"] = json!(usage);
        }
        self.multi_region_or_imported(body, 15, 15);
    }

    fn multi_region_or_imported(&mut self, body: &mut Value, multi_region: usize, imported: usize) {
        if self.dice.percent(multi_region) {
            body["MultiRegion"] = json!(true);
        }
        if self.dice.percent(imported) {
            body["Origin"] = json!("EXTERNAL");
        }
    }

    /// The members of a request, as it would be made.
    fn body(&mut self, operation: &'static str, key: Option<usize>, region: &str, caller: usize) -> Value {
        let account = key.map_or(PEOPLE[caller].account, |key| self.model.keys[key].account);
        let mut body = json!({"KeyId": self.name(operation, key, region, caller)});
        match operation {
            "CreateKey" => {
                body = json!({});
                self.kind_of_new_key(&mut body);
                if self.dice.percent(55) {
                    self.policy(&mut body, PEOPLE[caller].account);
                }
                if self.dice.percent(30) {
                    body["Tags"] = self.tags();
                }
                if self.dice.percent(20) {
                    body["Description"] = json!("made");
                }
            }
            "CreateAlias" | "UpdateAlias" | "DeleteAlias" => {
                let target = body["KeyId"].clone();
                body = json!({"AliasName": self.alias(operation, key, region, caller)});
                if operation != "DeleteAlias" {
                    body["TargetKeyId"] = target;
                }
            }
            "ListAliases" | "ListKeys" => {
                if operation == "ListKeys" || self.dice.percent(50) {
                    body = json!({});
                }
                self.page(&mut body);
            }
            "ListKeyPolicies" | "ListResourceTags" => self.page(&mut body),
            "ListKeyRotations" => {
                if self.dice.percent(60) {
                    body["IncludeKeyMaterial"] =
                        json!(*self.dice.pick(&["ALL_KEY_MATERIAL", "ALL_KEY_MATERIAL", "ROTATIONS_ONLY"]));
                }
                self.page(&mut body);
            }
            "ScheduleKeyDeletion" => {
                if self.dice.percent(80) {
                    body["PendingWindowInDays"] = json!(*self.dice.pick(&[7, 7, 7, 8, 14, 20, 30, 6, 31]));
                }
            }
            "UpdateKeyDescription" => body["Description"] = json!(*self.dice.pick(&["", "one", "another"])),
            "TagResource" => body["Tags"] = self.tags(),
            "UntagResource" => {
                body["TagKeys"] = self
                    .dice
                    .pick(&[json!(["team"]), json!(["Cost", "none"]), json!(["secret"]), json!(["aws:x"])])
                    .clone();
            }
            "GetKeyPolicy" | "PutKeyPolicy" => {
                if operation == "PutKeyPolicy" {
                    self.policy(&mut body, account);
                }
                if self.dice.percent(20) {
                    body["PolicyName"] = json!(*self.dice.pick(&["default", "default", "other"]));
                }
            }
            "EnableKeyRotation" => {
                if self.dice.percent(70) {
                    body["RotationPeriodInDays"] = json!(*self.dice.pick(&[90, 90, 100, 180, 181, 365, 2560, 89]));
                }
            }
            "ReplicateKey" => {
                body["ReplicaRegion"] = json!(*self.dice.pick(&[
                    "us-east-1",
                    "eu-west-1",
                    "ap-southeast-2",
                    "ap-southeast-2",
                    "eu-west-1",
                    "cn-north-1"
                ]));
                if self.dice.percent(30) {
                    self.policy(&mut body, PEOPLE[caller].account);
                }
                if self.dice.percent(30) {
                    body["Tags"] = self.tags();
                }
            }
            "UpdatePrimaryRegion" => {
                let siblings: Vec<&str> = key
                    .map(|key| self.model.siblings(key))
                    .unwrap_or_default()
                    .into_iter()
                    .map(|key| self.model.keys[key].region)
                    .collect();
                let region = if siblings.is_empty() || self.dice.percent(20) {
                    *self.dice.pick(&REGIONS)
                } else {
                    *self.dice.pick(&siblings)
                };
                body["PrimaryRegion"] = json!(region);
            }
            "GenerateRandom" => {
                body = json!({"NumberOfBytes": *self.dice.pick(&[1, 16, 1024, 0])});
                if self.dice.percent(20) {
                    body["CustomKeyStoreId"] =
                        self.key_in_store(self.model.stores.len().checked_sub(1))["CustomKeyStoreId"].clone();
                }
            }
            "ListRetirableGrants" => {
                let retiring = *self.dice.pick(&GRANTEES);
                body = json!({"RetiringPrincipal": retiring});
                if retiring.split(':').nth(4) == Some(PEOPLE[caller].account) {
                    self.page(&mut body);
                }
            }
            "CreateGrant" => self.grant(&mut body, key),
            "ListGrants" | "RevokeGrant" | "RetireGrant" => self.of_grant(operation, &mut body, key),
            "GetParametersForImport" | "ImportKeyMaterial" | "DeleteImportedKeyMaterial" => {
                self.import(operation, &mut body, key);
            }
            _ => self.cryptographic(operation, &mut body, key, region, caller),
        }
        body
    }

    fn alias_may_move(&self, from: usize, to: usize) -> bool {
        let kind = |key: usize| (kinds::family(&self.model.family(key).spec), &self.model.family(key).usage);
        kind(from) == kind(to)
    }

    fn alias(&mut self, operation: &str, key: Option<usize>, region: &str, caller: usize) -> String {
        let model = self.model;
        // One that may move to the key, or go.
        let fitting: Vec<&str> = model
            .aliases
            .iter()
            .filter(|alias| !alias.gone && alias.account == PEOPLE[caller].account && alias.region == region)
            .filter(|alias| operation == "DeleteAlias" || key.is_none_or(|key| self.alias_may_move(alias.target, key)))
            .map(|alias| alias.name.as_str())
            .collect();
        match self.dice.below(50) {
            0 => "no-prefix".to_owned(),
            1 => "alias/".to_owned(),
            2..=39 if operation != "CreateAlias" && !fitting.is_empty() => self.dice.pick(&fitting).to_string(),
            _ => self.dice.pick(&ALIASES).to_string(),
        }
    }

    fn grant(&mut self, body: &mut Value, key: Option<usize>) {
        let possible = match key {
            Some(key) => grantable(&self.model.family(key).spec, &self.model.family(key).usage),
            None => vec!["Encrypt"],
        };
        let mut operations = self.dice.some(&possible, 1, 5);
        if self.dice.percent(30) {
            operations.push("CreateGrant");
        }
        if self.dice.percent(3) {
            operations.push(*self.dice.pick(&["Sign", "GenerateMac", "EnableKeyRotation"]));
        }
        body["Operations"] = json!(operations);
        body["GranteePrincipal"] = json!(match self.dice.below(40) {
            0 => "alice",
            1 => GHOST,
            2 => "arn:aws:sts::111122223333:assumed-role/ops/Rotator/nightly",
            _ => *self.dice.pick(&GRANTEES),
        });
        if self.dice.percent(50) {
            body["RetiringPrincipal"] = json!(*self.dice.pick(&GRANTEES));
        }
        let is_symmetric = key.is_none_or(|key| self.model.family(key).is_symmetric());
        if self.dice.percent(if is_symmetric { 45 } else { 5 }) {
            let kind = *self.dice.pick(&["EncryptionContextEquals", "EncryptionContextSubset"]);
            body["Constraints"] = json!({kind: self.context()});
            if self.dice.percent(25) {
                body["Constraints"] = json!({
                    "EncryptionContextEquals": self.context(), "EncryptionContextSubset": self.context(),
                });
            }
        }
        if self.dice.percent(30) {
            body["Name"] = json!(*self.dice.pick(&["n", "n", "m"]));
        }
        self.maybe_dry(body);
        self.maybe_tokens(body);
    }

    fn maybe_dry(&mut self, body: &mut Value) {
        if self.dice.percent(6) {
            body["DryRun"] = json!(self.dice.percent(80));
        }
    }

    fn maybe_tokens(&mut self, body: &mut Value) {
        if self.dice.percent(5) && !self.model.grants.is_empty() {
            let grant = self.dice.pick(&self.model.grants).made;
            body["GrantTokens"] =
                if self.dice.percent(15) { json!(["nonsense"]) } else { json!([format!("<{grant}.GrantToken>")]) };
        }
    }

    fn of_grant(&mut self, operation: &'static str, body: &mut Value, key: Option<usize>) {
        let model = self.model;
        let of_key: Vec<usize> = key.map(|key| model.grants_of(key)).unwrap_or_default();
        let all: Vec<usize> = (0..model.grants.len()).collect();
        let grant = match self.dice.below(20) {
            0 if !all.is_empty() => Some(*self.dice.pick(&all)),
            _ if !of_key.is_empty() => Some(*self.dice.pick(&of_key)),
            _ => None,
        };
        let made = grant.map(|grant| model.grants[grant].made);
        let id = made.map_or_else(|| "f".repeat(64), |made| format!("<{made}.GrantId>"));
        match operation {
            "ListGrants" => {
                if self.dice.percent(15) {
                    body["GrantId"] = json!(id);
                }
                if self.dice.percent(25) {
                    body["GranteePrincipal"] = json!(*self.dice.pick(&GRANTEES));
                }
                self.page(body);
                return;
            }
            "RetireGrant" if self.dice.percent(50) && made.is_some() => {
                *body = json!({"GrantToken": format!("<{}.GrantToken>", made.unwrap())});
            }
            "RetireGrant" => {
                if let Some(key) = key.filter(|_| self.dice.percent(90)) {
                    body["KeyId"] = json!(format!("<{}.arn>", model.keys[key].made));
                }
                body["GrantId"] = json!(id);
            }
            _ => body["GrantId"] = json!(id),
        }
        self.maybe_dry(body);
    }

    fn import(&mut self, operation: &str, body: &mut Value, key: Option<usize>) {
        let model = self.model;
        let spec = key.map_or("SYMMETRIC_DEFAULT".to_owned(), |key| model.family(key).spec.clone());
        let is_long = spec.starts_with("RSA") || spec.starts_with("ECC");
        if operation == "GetParametersForImport" {
            let short: &[&str] = &["RSAES_OAEP_SHA_256", "RSAES_OAEP_SHA_1", "RSA_AES_KEY_WRAP_SHA_256"];
            let long: &[&str] = &["RSA_AES_KEY_WRAP_SHA_256", "RSA_AES_KEY_WRAP_SHA_1"];
            body["WrappingAlgorithm"] = json!(if self.dice.percent(5) {
                "RSAES_PKCS1_V1_5"
            } else {
                self.dice.pick(if is_long { long } else { short })
            });
            body["WrappingKeySpec"] = json!("RSA_2048");
            return;
        }
        let family = key.map(|key| model.family(key));
        let ids: Vec<String> = family
            .into_iter()
            .flat_map(|family| &family.materials)
            .filter_map(|material| self.names.name_of(material.id.as_deref()?))
            .collect();
        let id = if ids.is_empty() || self.dice.percent(10) { "a".repeat(64) } else { self.dice.pick(&ids).clone() };
        if operation == "DeleteImportedKeyMaterial" {
            if self.dice.percent(50) {
                body["KeyMaterialId"] = json!(id);
            }
            return;
        }
        let tokens: Vec<usize> =
            model.tokens.iter().filter(|token| Some(token.key) == key).map(|token| token.made).collect();
        let others: Vec<usize> = model.tokens.iter().map(|token| token.made).collect();
        let token = match (tokens.last(), others.last()) {
            (Some(last), _) if self.dice.percent(80) => Some(*last),
            (Some(_), _) => Some(*self.dice.pick(&tokens)),
            (None, Some(_)) => Some(*self.dice.pick(&others)),
            (None, None) => None,
        };
        let token = token.map(|token| token.to_string()).unwrap_or_default();
        body["ImportToken"] =
            json!(if self.dice.percent(3) { "QQ==".to_owned() } else { format!("<{token}.ImportToken>") });
        // Mostly what the key has had, or the next.
        let had = family.map_or(0, |family| family.materials.len());
        let is_symmetric = spec == kinds::SYMMETRIC;
        let one = |family: &super::state::Family| family.materials.len() == 1;
        let is_next = is_symmetric && self.dice.percent(if family.is_some_and(one) { 60 } else { 40 });
        // What the Region lacks comes first.
        let lacking = key.and_then(|key| {
            let family = model.family(key);
            let place = (0..family.materials.len()).find(|place| !model.has(key, *place))?;
            family.materials[place].number
        });
        let is_next = is_next && (lacking.is_none() || self.dice.percent(40));
        let number = match self.dice.below(20) {
            0 => 0,
            1..=14 if lacking.is_some() && !is_next => usize::from(lacking.unwrap_or_default()),
            1..=15 => (had + usize::from(is_next && had > 0)).clamp(1, usize::from(MATERIALS)),
            _ => self.dice.between(1, usize::from(MATERIALS)),
        };
        body["EncryptedKeyMaterial"] =
            json!(if self.dice.percent(3) { "QQ==".to_owned() } else { format!("<{token}.wrapped.{spec}.{number}>") });
        match self.dice.below(10) {
            0..=5 => body["ExpirationModel"] = json!("KEY_MATERIAL_DOES_NOT_EXPIRE"),
            6 => {}
            _ => body["ValidTo"] = json!(model.now + *self.dice.pick(&[1, 3, 10, 40, 365, 366, 0]) * DAY),
        }
        if is_next || self.dice.percent(5) {
            body["ImportType"] =
                json!(if is_next && self.dice.percent(90) { "NEW_KEY_MATERIAL" } else { "EXISTING_KEY_MATERIAL" });
        }
        if self.dice.percent(if is_symmetric { 8 } else { 4 }) {
            body["KeyMaterialId"] = json!(id);
        }
        if self.dice.percent(if is_symmetric { 20 } else { 4 }) {
            body["KeyMaterialDescription"] = json!(*self.dice.pick(&["the one", "the other"]));
        }
    }

    /// The steps that made blobs of a kind, those of the key first.
    fn blobs(&self, is_kind: impl Fn(&Blob) -> Option<usize>) -> Vec<(usize, Blob)> {
        let mut all: Vec<(usize, Blob)> =
            self.model.blobs.values().filter_map(|blob| Some((is_kind(blob)?, blob.clone()))).collect();
        all.sort_by_key(|(made, _)| *made);
        all.dedup_by_key(|(made, _)| *made);
        all
    }

    fn cryptographic(
        &mut self,
        operation: &'static str,
        body: &mut Value,
        key: Option<usize>,
        region: &str,
        caller: usize,
    ) {
        let model = self.model;
        let family = key.map(|key| model.family(key));
        let (spec, usage) = family
            .map_or((kinds::SYMMETRIC, "ENCRYPT_DECRYPT"), |family| (family.spec.as_str(), family.usage.as_str()));
        let own = kinds::algorithms(spec, usage).1;
        let is_rsa = usage == "ENCRYPT_DECRYPT" && spec != kinds::SYMMETRIC;
        match operation {
            "Encrypt" => {
                let plaintext: String = match self.dice.below(20) {
                    0 => BASE64.encode(&[7; 200]),
                    1 => BASE64.encode(&[7; 4096]),
                    2 if self.dice.percent(20) => String::new(),
                    _ => self.dice.pick(&MESSAGES).to_string(),
                };
                body["Plaintext"] = json!(plaintext);
                if is_rsa || self.dice.percent(10) {
                    body["EncryptionAlgorithm"] =
                        json!(self.algorithm(own, &["SYMMETRIC_DEFAULT", "RSAES_OAEP_SHA_1"]));
                }
                if !is_rsa || self.dice.percent(10) {
                    body["EncryptionContext"] = self.context();
                }
            }
            "Decrypt" | "ReEncrypt" => self.decryption(operation, body, key, region, caller),
            "GenerateDataKey" | "GenerateDataKeyWithoutPlaintext" => {
                body["EncryptionContext"] = self.context();
                match self.dice.below(12) {
                    0 => {}
                    1..=3 => body["NumberOfBytes"] = json!(*self.dice.pick(&[1, 24, 1024, 1025])),
                    4..=5 => body["KeySpec"] = json!("AES_128"),
                    _ => body["KeySpec"] = json!("AES_256"),
                }
            }
            "GenerateDataKeyPair" | "GenerateDataKeyPairWithoutPlaintext" => {
                body["EncryptionContext"] = self.context();
                body["KeyPairSpec"] = json!(*self.dice.pick(&[
                    "ECC_NIST_P256",
                    "ECC_NIST_P384",
                    "ECC_NIST_P521",
                    "ECC_SECG_P256K1",
                    "ECC_NIST_EDWARDS25519",
                    "SM2"
                ]));
                // Those of RSA take long.
                if self.dice.percent(2) {
                    body["KeyPairSpec"] = json!("RSA_2048");
                }
            }
            "GenerateMac" | "VerifyMac" => {
                body["Message"] = json!(*self.dice.pick(&MESSAGES));
                body["MacAlgorithm"] = json!(self.algorithm(own, &["HMAC_SHA_256", "HMAC_SHA_512"]));
                if operation == "VerifyMac" {
                    self.proof(body, key, "Mac");
                }
            }
            "Sign" | "Verify" => {
                let algorithm = self.algorithm(own, &["ECDSA_SHA_256", "RSASSA_PSS_SHA_256", "ML_DSA_SHAKE_256"]);
                let message = *self.dice.pick(&MESSAGES);
                body["Message"] = json!(message);
                body["SigningAlgorithm"] = json!(algorithm);
                match self.dice.below(10) {
                    0..=3 => {
                        body["MessageType"] = json!("DIGEST");
                        let takes = !algorithm.starts_with("ML_DSA") && !algorithm.starts_with("ED");
                        if takes && self.dice.percent(90) {
                            body["Message"] = json!(digest(&algorithm, &BASE64.decode(message.as_bytes()).unwrap()));
                        } else if !takes && self.dice.percent(80) {
                            body["MessageType"] = json!("RAW");
                        }
                    }
                    4 => body["MessageType"] = json!("RAW"),
                    5 if self.dice.percent(30) => {
                        body["MessageType"] = json!("EXTERNAL_MU");
                        body["Message"] = json!(BASE64.encode(&[5; 64]));
                    }
                    _ => {}
                }
                if algorithm.starts_with("ED25519") && self.dice.percent(8) {
                    body["SigningAlgorithm"] = json!("ED25519_PH_SHA_512");
                }
                if operation == "Verify" {
                    self.proof(body, key, "Signature");
                }
            }
            "DeriveSharedSecret" => {
                let spec_of = |family: &&super::state::Family| family.public_key.is_some() && (family.spec == spec);
                let peers: Vec<String> = model
                    .families
                    .iter()
                    .filter(spec_of)
                    .filter_map(|family| self.names.name_of(family.public_key.as_deref()?))
                    .collect();
                let peer = if peers.is_empty() || self.dice.percent(10) {
                    "QQ==".to_owned()
                } else {
                    self.dice.pick(&peers).clone()
                };
                body["PublicKey"] = json!(peer);
                body["KeyAgreementAlgorithm"] = json!("ECDH");
            }
            _ => {}
        }
        if ![
            "DescribeKey",
            "GetPublicKey",
            "EnableKey",
            "DisableKey",
            "CancelKeyDeletion",
            "GetKeyLastUsage",
            "GetKeyRotationStatus",
            "DisableKeyRotation",
            "RotateKeyOnDemand",
        ]
        .contains(&operation)
        {
            self.maybe_dry(body);
            self.maybe_tokens(body);
            if ["Decrypt", "ReEncrypt"].contains(&operation) && self.dice.percent(6) {
                self.without_ciphertext(body);
            }
        } else if ["DescribeKey", "GetPublicKey"].contains(&operation) {
            self.maybe_tokens(body);
        }
    }

    /// A dry run that looks at no ciphertext.
    fn without_ciphertext(&mut self, body: &mut Value) {
        body["DryRunModifiers"] = self
            .dice
            .pick(&[
                json!(["IGNORE_CIPHERTEXT"]),
                json!(["IGNORE_CIPHERTEXT"]),
                json!(["IGNORE_CIPHERTEXT", "IGNORE_CIPHERTEXT"]),
                json!([]),
                json!(["IGNORE_KEY"]),
            ])
            .clone();
        if self.dice.percent(85) {
            body["DryRun"] = json!(true);
        }
        match self.dice.below(4) {
            0 => {}
            1 => body["CiphertextBlob"] = json!("QQ=="),
            _ => {
                body.as_object_mut().unwrap().remove("CiphertextBlob");
            }
        }
    }

    /// One of the key's own, or of those that the operation has for others.
    fn algorithm(&mut self, own: &[&'static str], others: &[&'static str]) -> String {
        let is_of_operation =
            |name: &&str| others.iter().any(|other| name.split('_').next() == other.split('_').next());
        let fits = own.iter().any(|name| is_of_operation(name) || name.starts_with("ED25519"));
        let all = if !fits || self.dice.percent(10) { others } else { own };
        self.dice.pick(all).to_string()
    }

    /// A ciphertext with what opens it, mostly.
    fn decryption(&mut self, operation: &str, body: &mut Value, key: Option<usize>, region: &str, caller: usize) {
        let model = self.model;
        let of_key = |blob: &Blob| match blob {
            Blob::Ciphertext { made, family, .. } if Some(*family) == key.map(|key| model.keys[key].family) => {
                Some(*made)
            }
            _ => None,
        };
        let any = |blob: &Blob| if let Blob::Ciphertext { made, .. } = blob { Some(*made) } else { None };
        let mut pool = self.blobs(of_key);
        if pool.is_empty() || self.dice.percent(8) {
            pool = self.blobs(any);
        }
        let name = body["KeyId"].clone();
        let (prefix, id) = if operation == "Decrypt" { ("", "KeyId") } else { ("Source", "SourceKeyId") };
        if pool.is_empty() {
            body["CiphertextBlob"] = json!("QQ==");
        } else {
            let (made, blob) = self.dice.pick(&pool).clone();
            let Blob::Ciphertext { algorithm, context, .. } = blob else { return };
            let label = if self.names.has(made, "PrivateKeyCiphertextBlob") {
                "PrivateKeyCiphertextBlob"
            } else {
                "CiphertextBlob"
            };
            body["CiphertextBlob"] = json!(match self.dice.below(30) {
                0 => format!("<{made}.{label}.tampered>"),
                1 => "QQ==".to_owned(),
                _ => format!("<{made}.{label}>"),
            });
            let context = if self.dice.percent(6) { self.context() } else { json!(context) };
            if context != json!({}) {
                body[format!("{prefix}EncryptionContext")] = context;
            }
            let is_rsa = algorithm != kinds::SYMMETRIC;
            if is_rsa || self.dice.percent(5) {
                body[format!("{prefix}EncryptionAlgorithm")] =
                    json!(if self.dice.percent(5) { "RSAES_OAEP_SHA_1" } else { &algorithm });
            }
            body.as_object_mut().unwrap().remove("KeyId");
            if is_rsa || self.dice.percent(50) {
                body[id] = name;
            }
        }
        if operation == "ReEncrypt" {
            body.as_object_mut().unwrap().remove("KeyId");
            let destinations: Vec<usize> = (0..model.keys.len())
                .filter(|other| {
                    !model.keys[*other].gone
                        && model.keys[*other].region == region
                        && model.family(*other).usage == "ENCRYPT_DECRYPT"
                })
                .collect();
            let own: Vec<usize> =
                destinations.iter().copied().filter(|key| model.keys[*key].account == PEOPLE[caller].account).collect();
            let destinations = if own.is_empty() || self.dice.percent(20) { destinations } else { own };
            let destination = if destinations.is_empty() { key } else { Some(*self.dice.pick(&destinations)) };
            body["DestinationKeyId"] = json!(self.name(operation, destination, region, caller));
            if destination.is_some_and(|key| !model.family(key).is_symmetric()) {
                body["DestinationEncryptionAlgorithm"] = json!("RSAES_OAEP_SHA_256");
            } else {
                body["DestinationEncryptionContext"] = self.context();
            }
        }
    }

    /// A MAC or signature that was made, with what it was made of, mostly.
    fn proof(&mut self, body: &mut Value, key: Option<usize>, member: &str) {
        let secret = key.map(|key| self.model.secret(key));
        let of_key = |blob: &Blob| match blob {
            Blob::Mac { made, secret: of, .. } if member == "Mac" && Some(of) == secret.as_ref() => Some(*made),
            Blob::Signature { made, secret: of, .. } if member == "Signature" && Some(of) == secret.as_ref() => {
                Some(*made)
            }
            _ => None,
        };
        let pool = self.blobs(of_key);
        if pool.is_empty() {
            body[member] = json!("QQ==");
            return;
        }
        let (made, blob) = self.dice.pick(&pool).clone();
        body[member] = json!(if self.dice.percent(5) {
            format!("<{made}.{member}.tampered>")
        } else {
            format!("<{made}.{member}>")
        });
        if self.dice.percent(10) {
            return;
        }
        match blob {
            Blob::Mac { algorithm, message, .. } => {
                body["MacAlgorithm"] = json!(algorithm);
                body["Message"] = json!(message);
            }
            Blob::Signature { algorithm, signed, .. } => {
                let takes_digests = !algorithm.starts_with("ED25519") && !algorithm.starts_with("ML_DSA");
                body["SigningAlgorithm"] = json!(algorithm);
                body["Message"] = json!(signed);
                body["MessageType"] = json!(if takes_digests { "DIGEST" } else { "RAW" });
            }
            _ => {}
        }
    }

    /// Something that breaks the shape, or leaves out what is needed.
    pub(super) fn spoil(&mut self, operation: &str, body: &mut Value) {
        let members: Vec<String> = body.as_object().unwrap().keys().cloned().collect();
        match self.dice.below(4) {
            0 => *body = json!([operation]),
            1 if body.get("KeyId").is_some() => body["KeyId"] = json!(""),
            2 if body.get("KeyId").is_some() => body["KeyId"] = json!("x".repeat(2049)),
            _ if !members.is_empty() => {
                let member = self.dice.pick(&members).clone();
                body.as_object_mut().unwrap().remove(&member);
            }
            _ => {}
        }
    }

    /// What everyone's root user may look at: each key in turn.
    pub(super) fn review(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        for (caller, account) in ACCOUNTS.iter().enumerate() {
            for region in REGIONS {
                for operation in ["ListKeys", "ListAliases", "DescribeCustomKeyStores"] {
                    steps.push(Step::Request { region, caller, operation, body: json!({"Limit": 100}) });
                }
                let mut retiring: Vec<&str> = self
                    .model
                    .grants
                    .iter()
                    .filter(|grant| self.model.keys[grant.key].region == region)
                    .filter_map(|grant| grant.retiring.as_deref())
                    .filter(|arn| arn.split(':').nth(4) == Some(account))
                    .collect();
                retiring.sort_unstable();
                retiring.dedup();
                for retiring in retiring {
                    let body = json!({"RetiringPrincipal": retiring});
                    steps.push(Step::Request { region, caller, operation: "ListRetirableGrants", body });
                }
            }
        }
        for key in self.model.keys.iter().filter(|key| !key.gone) {
            let caller = ACCOUNTS.iter().position(|account| *account == key.account).unwrap();
            for operation in [
                "DescribeKey",
                "GetKeyRotationStatus",
                "ListKeyRotations",
                "ListGrants",
                "ListResourceTags",
                "GetKeyPolicy",
                "GetKeyLastUsage",
            ] {
                let mut body = json!({"KeyId": format!("<{}.arn>", key.made)});
                if operation == "ListKeyRotations"
                    && self.model.families[key.family].is_symmetric()
                    && key.store.is_none()
                {
                    body["IncludeKeyMaterial"] = json!("ALL_KEY_MATERIAL");
                }
                steps.push(Step::Request { region: key.region, caller, operation, body });
            }
        }
        steps
    }
}
