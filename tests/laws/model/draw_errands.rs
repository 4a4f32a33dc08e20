//! Several steps that belong together, for what single ones come to too seldom. Each is by the root
//! user of an account, and names what the others made.

use serde_json::{Value, json};

use super::aliases::MOST_ALIASES;
use super::draw::Draw;
use super::kinds::SYMMETRIC;
use super::state::DAY;
use super::step::Step;
use super::world::{ACCOUNTS, REGIONS};

/// How many of so many steps begin an errand.
const RARELY: usize = 400;

impl Draw<'_> {
    /// Mostly none.
    pub(super) fn errand(&mut self) -> Vec<Step> {
        match self.dice.below(3 * RARELY) {
            0..=1 => self.renew(),
            2..=4 => self.wind_down(),
            5..=7 => self.spread(),
            8 => self.crowd(),
            _ => Vec::new(),
        }
    }

    /// One alias more than a key may have.
    fn crowd(&mut self) -> Vec<Step> {
        let model = self.model;
        let may = |key: &usize| !model.keys[*key].gone && model.keys[*key].managed.is_none();
        let all: Vec<usize> = (0..model.keys.len()).filter(may).collect();
        if all.is_empty() {
            return Vec::new();
        }
        let key = &model.keys[*self.dice.pick(&all)];
        let target = format!("<{}.id>", key.made);
        let alias = |number: usize| json!({"AliasName": format!("alias/n{number}"), "TargetKeyId": target});
        (0..=MOST_ALIASES).map(|number| by_root(key.account, key.region, "CreateAlias", alias(number))).collect()
    }

    /// An imported key comes to have a second material, and loses the first perhaps.
    fn renew(&mut self) -> Vec<Step> {
        let (account, region) = (*self.dice.pick(&ACCOUNTS[..2]), *self.dice.pick(&REGIONS[..2]));
        let step = |operation, body| by_root(account, region, operation, body);
        let (made, token) = (self.number, self.number + 1);
        let key = format!("<{made}.id>");
        let import = |number: u8, import_type: &str| {
            json!({
                "KeyId": key, "ImportToken": format!("<{token}.ImportToken>"),
                "EncryptedKeyMaterial": format!("<{token}.wrapped.{SYMMETRIC}.{number}>"),
                "ImportType": import_type, "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE",
            })
        };
        let mut first = import(1, "NEW_KEY_MATERIAL");
        if self.dice.percent(40) {
            first["ExpirationModel"] = json!("KEY_MATERIAL_EXPIRES");
            first["ValidTo"] = json!(self.model.now + 5 * DAY);
        }
        let parameters =
            json!({"KeyId": key, "WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"});
        let mut steps = vec![
            step("CreateKey", json!({"Origin": "EXTERNAL", "MultiRegion": self.dice.percent(50)})),
            step("GetParametersForImport", parameters),
            step("ImportKeyMaterial", first),
            step("Encrypt", json!({"KeyId": key, "Plaintext": "QQ=="})),
            step("ImportKeyMaterial", import(2, "NEW_KEY_MATERIAL")),
            step("RotateKeyOnDemand", json!({"KeyId": key})),
            step("Encrypt", json!({"KeyId": key, "Plaintext": "QQ=="})),
        ];
        if self.dice.percent(40) {
            let lost = format!("<{}.KeyMaterialId>", made + 2);
            steps.push(step("DeleteImportedKeyMaterial", json!({"KeyId": key, "KeyMaterialId": lost})));
        }
        steps.push(step("DescribeKey", json!({"KeyId": key})));
        steps
    }

    /// An imported key is in two Regions, which lose their material in different ways.
    fn spread(&mut self) -> Vec<Step> {
        let [here, there, ..] = REGIONS;
        let account = *self.dice.pick(&ACCOUNTS[..2]);
        let made = self.number;
        let key = format!("<{made}.id>");
        let step = |region, operation, body| by_root(account, region, operation, body);
        let import = |token: usize, number: u8, valid_to: Option<i64>| {
            let mut body = json!({
                "KeyId": key, "ImportToken": format!("<{token}.ImportToken>"),
                "EncryptedKeyMaterial": format!("<{token}.wrapped.{SYMMETRIC}.{number}>"),
                "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE",
            });
            if let Some(date) = valid_to {
                body["ExpirationModel"] = json!("KEY_MATERIAL_EXPIRES");
                body["ValidTo"] = json!(date);
            }
            body
        };
        let parameters =
            json!({"KeyId": key, "WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"});
        let end = self.model.now + 5 * DAY;
        let ends = [self.dice.percent(30), self.dice.percent(50)].map(|expires| expires.then_some(end));
        let mut second = import(made + 1, 2, None);
        second["ImportType"] = json!("NEW_KEY_MATERIAL");
        let seal = json!({"KeyId": key, "Plaintext": "QQ=="});
        let mut steps = vec![
            step(here, "CreateKey", json!({"Origin": "EXTERNAL", "MultiRegion": true})),
            step(here, "GetParametersForImport", parameters.clone()),
            step(here, "ImportKeyMaterial", import(made + 1, 1, ends[0])),
            step(here, "ReplicateKey", json!({"KeyId": key, "ReplicaRegion": there})),
            step(there, "GetParametersForImport", parameters),
            step(there, "ImportKeyMaterial", import(made + 4, 1, ends[1])),
            step(here, "Encrypt", seal.clone()),
            step(here, "ImportKeyMaterial", second),
        ];
        if self.dice.percent(70) {
            steps.push(step(there, "ImportKeyMaterial", import(made + 4, 2, None)));
        }
        let waiting = json!({"KeyId": key, "KeyMaterialId": format!("<{}.KeyMaterialId>", made + 7)});
        let is_here = self.dice.percent(50);
        match self.dice.below(5) {
            0 => steps.push(step(here, "RotateKeyOnDemand", json!({"KeyId": key}))),
            1 => steps.push(step(if is_here { here } else { there }, "DeleteImportedKeyMaterial", waiting)),
            2 => {
                steps.push(step(
                    if is_here { here } else { there },
                    "DeleteImportedKeyMaterial",
                    json!({"KeyId": key}),
                ));
            }
            3 => steps.push(step(there, "ScheduleKeyDeletion", json!({"KeyId": key, "PendingWindowInDays": 7}))),
            _ => {}
        }
        let days = *self.dice.pick(&[0, 5, 8]);
        steps.push(Step::Sleep { seconds: days * DAY, scheduled: true });
        for region in [here, there] {
            let listed = json!({"KeyId": key, "IncludeKeyMaterial": "ALL_KEY_MATERIAL"});
            steps.push(step(region, "ListKeyRotations", listed));
            steps.push(step(region, "DescribeKey", json!({"KeyId": key})));
            steps.push(step(region, "Decrypt", json!({"CiphertextBlob": format!("<{}.CiphertextBlob>", made + 6)})));
        }
        steps
    }

    /// A primary and its replicas are to be deleted, and the last replica goes late.
    fn wind_down(&mut self) -> Vec<Step> {
        let model = self.model;
        let all: Vec<usize> =
            (0..model.keys.len()).filter(|key| !model.keys[*key].gone && model.has_replicas(*key)).collect();
        let delete = |key: usize, days: i64| {
            let key = &model.keys[key];
            let body = json!({"KeyId": format!("<{}.id>", key.made), "PendingWindowInDays": days});
            by_root(key.account, key.region, "ScheduleKeyDeletion", body)
        };
        if all.is_empty() {
            let (account, made) = (*self.dice.pick(&ACCOUNTS[..2]), self.number);
            let replica = json!({"KeyId": format!("<{made}.id>"), "ReplicaRegion": REGIONS[1]});
            return vec![
                by_root(account, REGIONS[0], "CreateKey", json!({"MultiRegion": true})),
                by_root(account, REGIONS[0], "ReplicateKey", replica),
            ];
        }
        let primary = *self.dice.pick(&all);
        let mut steps = vec![delete(primary, *self.dice.pick(&[7, 20, 30]))];
        let replicas = model.siblings(primary).into_iter().filter(|key| *key != primary);
        steps.extend(replicas.map(|key| delete(key, 7)));
        let late = *self.dice.pick(&[0, 1, 3_600, DAY, 8 * DAY]);
        steps.push(Step::Sleep { seconds: 7 * DAY + late, scheduled: self.dice.percent(50) });
        let shown = json!({"KeyId": format!("<{}.id>", model.keys[primary].made)});
        steps.push(by_root(model.keys[primary].account, model.keys[primary].region, "DescribeKey", shown));
        steps
    }
}

fn by_root(account: &str, region: &'static str, operation: &'static str, body: Value) -> Step {
    let caller = ACCOUNTS.iter().position(|one| *one == account).unwrap_or_default();
    Step::Request { region, caller, operation, body }
}
