//! Grants (KMS Developer Guide, "Grants in AWS KMS").

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::ask::{Ask, Expected, Refusal, is_hex, said, some};
use super::cryptography::pairs;
use super::decide::{Check, On, of_pairs};
use super::kinds::grantable;
use super::naming::{Named, Names, names_of};
use super::state::{Grant, Model, date};
use super::world::GHOST;
use crate::interpreter::{Context, Values};

/// Items of a page of grants, and the most.
const SIZES: (i64, i64) = (50, 100);

type Constraint = Option<BTreeMap<String, String>>;

/// `kms:GrantConstraintType` and the encryption context of a grant's constraint.
fn of_constraint(equals: &Constraint, subset: &Constraint) -> Context {
    let (kind, given) = match (equals, subset) {
        (Some(equals), _) => ("EncryptionContextEquals", equals),
        (None, Some(subset)) => ("EncryptionContextSubset", subset),
        (None, None) => return Context::new(),
    };
    let mut context = Context::from([("kms:GrantConstraintType".to_owned(), Values::one(kind))]);
    of_pairs(given, &mut context);
    context
}

fn for_aws_resource() -> Context {
    Context::from([("kms:GrantIsForAWSResource".to_owned(), Values::one("false"))])
}

/// A principal that a grant may name.
fn hold_principal(text: &str) -> Result<(), Refusal> {
    if !text.starts_with("arn:") || text.matches('/').count() > 2 && text.contains(":assumed-role/") {
        return Err(said("InvalidArnException", format!("ARN is not valid: {text}")));
    }
    if text == GHOST {
        return Err(said("InvalidArnException", format!("ARN does not refer to a valid principal: {text}")));
    }
    Ok(())
}

impl Model {
    pub(super) fn create_grant(&mut self, ask: &Ask<'_>) -> Expected {
        let mut operations: Vec<String> = Vec::new();
        for operation in ask.body["Operations"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !operations.iter().any(|other| other == operation) {
                operations.push(operation.to_owned());
            }
        }
        let constraint = |name: &str| -> Result<Constraint, Refusal> {
            match &ask.body["Constraints"][name] {
                Value::Null => Ok(None),
                given => match pairs(given) {
                    pairs if (1..=8).contains(&pairs.len()) => Ok(Some(pairs)),
                    _ => Err(some("ValidationException")),
                },
            }
        };
        if operations.is_empty() {
            return Err(some("ValidationException"));
        }
        let (equals, subset) = (constraint("EncryptionContextEquals")?, constraint("EncryptionContextSubset")?);
        let (grantee, retiring) = (ask.must("GranteePrincipal"), ask.text("RetiringPrincipal"));

        let mut context = of_constraint(&equals, &subset);
        context.extend(for_aws_resource());
        context.insert("kms:GrantOperations".to_owned(), Values::many(&operations));
        context.insert("kms:GranteePrincipal".to_owned(), Values::one(grantee));
        if let Some(retiring) = retiring {
            context.insert("kms:RetiringPrincipal".to_owned(), Values::one(retiring));
        }
        let named = self.named(ask, ask.must("KeyId"), names_of(ask.operation))?;
        // A parent that is narrower than the grant that is asked for is no leave to make it.
        let parents = named.there().map(|key| self.grants_of(key)).unwrap_or_default();
        let parents =
            parents.into_iter().filter(|at| self.grants[*at].encloses(&operations, equals.as_ref(), subset.as_ref()));
        let check = Check { grants: Some(parents.collect()), ..Check::new("CreateGrant", named.on(), context) };
        self.hold(ask, &[check])?;
        let key = named.there()?;
        self.in_state(ask.operation, key)?;
        let family = self.family(key);
        let possible = grantable(&family.spec, &family.usage);
        if operations.iter().any(|operation| !possible.contains(&operation.as_str())) {
            return Err(some("ValidationException"));
        }
        if !family.is_symmetric() && (equals.is_some() || subset.is_some()) {
            return Err(some("ValidationException"));
        }
        hold_principal(grantee)?;
        retiring.map(hold_principal).transpose()?;

        Self::unless_dry(ask)?;
        let token = ask.drawn("/GrantToken", |text| !text.is_empty() && self.token(text).is_none());
        let grant = Grant {
            made: ask.step,
            key,
            id: ask.drawn("/GrantId", |text| is_hex(text, 64)),
            name: ask.text("Name").map(str::to_owned),
            created: self.now,
            grantee: grantee.to_owned(),
            retiring: retiring.map(str::to_owned),
            operations,
            equals,
            subset,
            issuer: ask.who().account.to_owned(),
            tokens: vec![token.clone()],
            gone: false,
        };
        // The same name with the same parameters is the same grant.
        let same = self.grants_of(key).into_iter().find(|at| grant.name.is_some() && self.grants[*at].is_same(&grant));
        if let Some(same) = same {
            self.grants[same].tokens.push(token.clone());
            return Ok(json!({"GrantId": self.grants[same].id, "GrantToken": token}));
        }
        let id =
            if self.grants.iter().any(|other| other.id == grant.id) { "a new id".to_owned() } else { grant.id.clone() };
        self.grants.push(grant);
        Ok(json!({"GrantId": id, "GrantToken": token}))
    }

    /// The grant that a token names, there or gone.
    fn token(&self, text: &str) -> Option<usize> {
        self.grants.iter().position(|grant| grant.tokens.iter().any(|token| token == text))
    }

    /// Whether each grant token is one.
    pub(super) fn hold_tokens(&self, ask: &Ask<'_>) -> Result<(), Refusal> {
        let tokens = ask.body["GrantTokens"].as_array().map(Vec::as_slice).unwrap_or_default();
        let is_bad = |token: &Value| self.token(token.as_str().unwrap_or_default()).is_none();
        if tokens.iter().any(is_bad) { Err(some("InvalidGrantTokenException")) } else { Ok(()) }
    }

    pub(super) fn retire_grant(&mut self, ask: &Ask<'_>) -> Expected {
        let (named, id) = match (ask.text("GrantToken"), ask.text("KeyId"), ask.text("GrantId")) {
            (Some(token), None, None) => {
                let Some(grant) = self.token(token) else { return Err(some("InvalidGrantTokenException")) };
                let Grant { key, id, .. } = &self.grants[grant];
                let key = &self.keys[*key];
                if key.region != ask.region {
                    return Err(said("NotFoundException", format!("Invalid arn {}", key.region)));
                }
                (self.by_id(key.account, key.region, &key.id), id.clone())
            }
            (None, Some(key), Some(id)) => {
                if !key.starts_with("arn:") {
                    return Err(said("NotFoundException", format!("Invalid arn {key}")));
                }
                (self.named(ask, key, Names::KeysOnly)?, id.to_owned())
            }
            _ => return Err(some("ValidationException")),
        };
        let found = named.there().ok().and_then(|key| self.grant_of(key, &id));
        let Some(grant) = found else {
            // The caller's own policies decide whether it may know that there is none.
            let arn = match &named {
                Named::Key(key) => self.arn(*key),
                Named::Missing { arn, .. } => arn.clone(),
            };
            self.hold(ask, &[Check::new("RetireGrant", On::Missing(&arn), Context::new())])?;
            named.there()?;
            return Err(no_such_grant(&id));
        };
        let context = of_constraint(&self.grants[grant].equals, &self.grants[grant].subset);
        let check = Check { grants: Some(vec![grant]), ..Check::new("RetireGrant", named.on(), context) };
        self.hold(ask, &[check])?;
        Self::unless_dry(ask)?;
        self.grants[grant].gone = true;
        Ok(Value::Null)
    }

    fn grant_of(&self, key: usize, id: &str) -> Option<usize> {
        self.grants_of(key).into_iter().find(|at| self.grants[*at].id == id)
    }

    pub(super) fn revoke_grant(&mut self, ask: &Ask<'_>) -> Expected {
        let key = self.one_key(ask, for_aws_resource())?;
        let id = ask.must("GrantId");
        let Some(grant) = self.grant_of(key, id) else { return Err(no_such_grant(id)) };
        Self::unless_dry(ask)?;
        self.grants[grant].gone = true;
        Ok(Value::Null)
    }

    pub(super) fn list_grants(&mut self, ask: &Ask<'_>) -> Expected {
        let key = self.one_key(ask, for_aws_resource())?;
        let about = format!("{} {:?} {:?}", self.arn(key), ask.text("GrantId"), ask.text("GranteePrincipal"));
        self.window(ask, &about, SIZES)?;
        let mut found = self.grants_of(key);
        if let Some(id) = ask.text("GrantId") {
            let Some(grant) = self.grant_of(key, id) else { return Err(no_such_grant(id)) };
            found = vec![grant];
        }
        if let Some(grantee) = ask.text("GranteePrincipal") {
            found.retain(|at| self.grants[*at].grantee == grantee);
        }
        self.page_of_grants(ask, &about, &found)
    }

    /// The grants of any account's keys in the Region; the principal is of the caller's account.
    pub(super) fn list_retirable_grants(&mut self, ask: &Ask<'_>) -> Expected {
        self.hold(ask, &[Check::new(ask.operation, On::Nothing, Context::new())])?;
        let retiring = ask.must("RetiringPrincipal");
        if !retiring.starts_with("arn:") {
            return Err(said("InvalidArnException", format!("ARN is not valid: {retiring}")));
        }
        if retiring.split(':').nth(4) != Some(ask.who().account) {
            let text = format!("ARN does not refer to a valid principal: {retiring}");
            return Err(said("InvalidArnException", text));
        }
        let is_shown = |at: &usize| {
            let grant = &self.grants[*at];
            !grant.gone && grant.retiring.as_deref() == Some(retiring) && self.keys[grant.key].region == ask.region
        };
        let found: Vec<usize> = (0..self.grants.len()).filter(is_shown).collect();
        self.page_of_grants(ask, retiring, &found)
    }

    fn page_of_grants(&mut self, ask: &Ask<'_>, about: &str, found: &[usize]) -> Expected {
        let order = |at: usize| {
            let grant = &self.grants[at];
            format!("{} {} {}", self.keys[grant.key].account, self.keys[grant.key].id, grant.id)
        };
        let mut items: Vec<(String, Value)> =
            found.iter().map(|at| (order(*at), self.grants[*at].shown(&self.arn(self.grants[*at].key)))).collect();
        items.sort_by(|one, other| one.0.cmp(&other.0));
        self.page(ask, "Grants", about, &items, SIZES)
    }
}

impl Grant {
    fn is_same(&self, other: &Self) -> bool {
        let sorted = |grant: &Self| {
            let mut operations = grant.operations.clone();
            operations.sort();
            operations
        };
        (&self.name, &self.grantee, &self.retiring, &self.issuer)
            == (&other.name, &other.grantee, &other.retiring, &other.issuer)
            && (&self.equals, &self.subset) == (&other.equals, &other.subset)
            && sorted(self) == sorted(other)
    }

    fn shown(&self, arn: &str) -> Value {
        let mut shown = json!({
            "KeyId": arn,
            "GrantId": self.id,
            "Name": self.name.as_deref().unwrap_or_default(),
            "CreationDate": date(self.created),
            "GranteePrincipal": self.grantee,
            "IssuingAccount": format!("arn:aws:iam::{}:root", self.issuer),
            "Operations": self.operations,
        });
        if let Some(retiring) = &self.retiring {
            shown["RetiringPrincipal"] = json!(retiring);
        }
        for (name, given) in [("EncryptionContextEquals", &self.equals), ("EncryptionContextSubset", &self.subset)] {
            if let Some(given) = given {
                shown["Constraints"][name] = json!(given);
            }
        }
        shown
    }
}

fn no_such_grant(id: &str) -> Refusal {
    said("NotFoundException", format!("Grant ID {id} not found"))
}
