//! A world: the documents that may be attached at each place, and requests in it. Requests share
//! documents, so that compiled ones and cached decisions are met again.

use serde_json::{Value, json};

use super::condition::{GeneratedCondition, base_context};
use super::dice::Dice;
use super::document::{Kind, document_about};
use super::grant::grant;
use super::names::{ACCOUNT, CALLERS, OTHER_ACCOUNT, SERVICES, Service};
use crate::interpreter::{Beyond, Case, Context, Grant, Values};

pub(crate) struct World {
    service: &'static Service,
    resource: Vec<Value>,
    identity: Vec<Value>,
    boundary: Vec<Value>,
    session: Vec<Value>,
    service_controls: Vec<Vec<Value>>,
    resource_controls: Vec<Vec<Value>>,
    grants: Vec<Grant>,
    conditions: Vec<GeneratedCondition>,
}

impl World {
    pub(crate) fn new(dice: &mut Dice) -> Self {
        let service = *dice.pick(&SERVICES);
        let mut conditions = Vec::new();
        let mut documents = |dice: &mut Dice, kind: Kind, least: usize, most: usize| -> Vec<Value> {
            let mut make = |dice: &mut Dice| {
                let (document, more) = document_about(dice, kind, service);
                conditions.extend(more);
                document
            };
            (0..dice.between(least, most)).map(|_| make(dice)).collect()
        };
        let mut resource = documents(dice, Kind::Resource, 1, 2);
        let mut identity = documents(dice, Kind::Identity, 1, 3);
        let boundary = documents(dice, Kind::Identity, 1, 1);
        let session = documents(dice, Kind::Identity, 1, 2);
        let mut levels = |dice: &mut Dice, kind: Kind, often: usize| -> Vec<Vec<Value>> {
            if !dice.percent(often) {
                return Vec::new();
            }
            (0..dice.between(1, 3)).map(|_| documents(dice, kind, 0, 1)).collect()
        };
        let mut service_controls = levels(dice, Kind::Identity, 50);
        let resource_controls = levels(dice, Kind::ResourceControl, 30);
        // Most levels bear AWS's own FullAWSAccess.
        for level in &mut service_controls {
            if dice.percent(75) {
                level.push(allow_all(None));
            }
        }
        if dice.percent(40) {
            resource.push(allow_all(Some(
                dice.pick(&[json!({"AWS": ACCOUNT}), json!({"AWS": OTHER_ACCOUNT}), json!("*")]).clone(),
            )));
        }
        if dice.percent(50) {
            identity.push(allow_all(None));
        }
        let grants =
            if service.name == "kms" { (0..dice.between(0, 3)).map(|_| grant(dice)).collect() } else { Vec::new() };
        Self { service, resource, identity, boundary, session, service_controls, resource_controls, grants, conditions }
    }

    /// A request in this world.
    pub(crate) fn case(&self, dice: &mut Dice) -> Case {
        let (principal, role) = *dice.pick(&CALLERS);
        let (action, resources) = *dice.pick(self.service.asked);
        let resource = *dice.pick(resources);
        let is_session = principal.contains(":sts:");
        let has_policies = principal.starts_with("arn:") && !principal.ends_with(":root");
        let can_have_policy = resource != "*" && self.service.name != "iam" && !resource.contains(":alias/");
        let some = |dice: &mut Dice, from: &[Value], often: usize| -> Vec<Value> {
            from.iter().filter(|_| dice.percent(often)).cloned().collect()
        };
        Case {
            principal: principal.to_owned(),
            role: role.map(str::to_owned),
            action: action.to_owned(),
            resource: resource.to_owned(),
            resource_account: resource
                .starts_with("arn:aws:s3")
                .then(|| (*dice.pick(&[ACCOUNT, ACCOUNT, OTHER_ACCOUNT])).to_owned()),
            context: self.context(dice),
            now: dice.maybe(70, |_| "2024-05-06T00:00:00Z".to_owned()),
            resource_policy: if can_have_policy {
                dice.maybe(90, |dice| dice.pick(&self.resource).clone())
            } else {
                None
            },
            identity: if has_policies { some(dice, &self.identity, 60) } else { Vec::new() },
            boundary: if has_policies { dice.maybe(25, |dice| dice.pick(&self.boundary).clone()) } else { None },
            session: if is_session && dice.percent(30) { some(dice, &self.session, 70) } else { Vec::new() },
            service_controls: self.service_controls.clone(),
            resource_controls: self.resource_controls.clone(),
            grants: if resource.contains(":key/") { self.grants.clone() } else { Vec::new() },
            beyond: Beyond {
                unique_id: dice
                    .maybe(20, |_| "AIDACKCEVSQ6C2EXAMPLE".to_owned())
                    .filter(|_| principal.contains(":user/")),
                caller_in_management: dice.percent(10),
                resource_in_management: dice.percent(10),
                missing_key: resource.contains(":key/") && dice.percent(5),
            },
        }
    }

    fn context(&self, dice: &mut Dice) -> Context {
        let mut context = base_context(dice);
        for condition in &self.conditions {
            if let (Some(values), true) = (&condition.request, dice.percent(80)) {
                // Now and then the value of another condition's key.
                let values = if dice.percent(10) {
                    dice.pick(&self.conditions).request.as_ref().unwrap_or(values)
                } else {
                    values
                };
                context.entry(condition.key.clone()).or_insert_with(|| values.clone());
            }
        }
        context.retain(|_, values| is_sayable(values));
        context
    }
}

/// A single-valued key has a value.
fn is_sayable(values: &Values) -> bool {
    values.multivalued || values.values.len() == 1
}

fn allow_all(principal: Option<Value>) -> Value {
    let mut statement = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
    if let Some(principal) = principal {
        statement["Principal"] = principal;
    }
    json!({"Version": "2012-10-17", "Statement": [statement]})
}
