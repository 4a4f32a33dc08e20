//! Keys: made, described, enabled, disabled, deleted; their descriptions, tags and policies.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::ask::{Ask, Expected, Refusal, is_hex, said, silent, some};
use super::decide::{Check, On, conditions, of_kind, of_tags};
use super::kinds;
use super::naming::names_of;
use super::state::{DAY, Deletion, Family, Import, Key, Material, Model, date};
use super::world::{GHOST, REGIONS, default_key_policy};
use crate::interpreter::{Context, Values};

/// Whether a text is the id of a new key.
pub(super) fn is_new_id(text: &str, multi_region: bool) -> bool {
    match text.strip_prefix("mrk-") {
        Some(rest) => multi_region && is_hex(rest, 32),
        None => !multi_region && text.len() == 36 && text.split('-').all(|part| is_hex(part, part.len())),
    }
}

/// Tags by their keys (kms.md, "TagException").
pub(super) fn tags_of(body: &Value) -> Result<BTreeMap<String, String>, Refusal> {
    let mut tags = BTreeMap::new();
    let all = body.as_array().map(Vec::as_slice).unwrap_or_default();
    if all.iter().any(|tag| tag["TagKey"].as_str().unwrap().starts_with("aws:")) {
        return Err(said("TagException", "Tags beginning with aws: are reserved"));
    }
    for tag in all {
        let (name, value) = (tag["TagKey"].as_str().unwrap(), tag["TagValue"].as_str().unwrap());
        if tags.insert(name.to_owned(), value.to_owned()).is_some() {
            return Err(said("TagException", "Duplicate tag keys"));
        }
    }
    if tags.len() > 50 { Err(said("TagException", "Too many tags")) } else { Ok(tags) }
}

impl Model {
    /// Key, permission and state of an operation on one key: what most begin with.
    pub(super) fn one_key(&self, ask: &Ask<'_>, context: Context) -> Result<usize, Refusal> {
        let named = self.named(ask, ask.must("KeyId"), names_of(ask.operation))?;
        self.hold(ask, &[Check::new(ask.operation, named.on(), context)])?;
        let key = named.there()?;
        self.in_state(ask.operation, key)?;
        Ok(key)
    }

    pub(super) fn create_key(&mut self, ask: &Ask<'_>) -> Expected {
        let (origin, multi_region) = (ask.text("Origin").unwrap_or("AWS_KMS"), ask.truth("MultiRegion"));
        if origin == "AWS_CLOUDHSM" {
            return Err(some("UnsupportedOperationException"));
        }
        let spec = ask.text("KeySpec").unwrap_or(kinds::SYMMETRIC);
        let Some((usages, default)) = kinds::usages(spec) else { return Err(some("UnsupportedOperationException")) };
        let Some(usage) = ask.text("KeyUsage").or(default) else { return Err(some("ValidationException")) };
        if !usages.contains(&usage) {
            return Err(some("ValidationException"));
        }
        if origin == "EXTERNAL" && spec.starts_with("ML_DSA") {
            return Err(some("UnsupportedOperationException"));
        }
        Self::fits_store(ask, origin, spec, multi_region)?;
        let mut context = Context::new();
        of_kind(spec, usage, origin, multi_region, &mut |name: &str, value: &str| {
            context.insert(name.to_owned(), Values::one(value))
        });
        if multi_region {
            context.insert("kms:MultiRegionKeyType".to_owned(), Values::one("PRIMARY"));
        }
        self.hold_new(ask, ask.region, context, &[])?;
        let is_imported = origin == "EXTERNAL";
        let family = Family {
            spec: spec.to_owned(),
            usage: usage.to_owned(),
            origin: origin.to_owned(),
            multi_region,
            primary: ask.region,
            materials: if is_imported { Vec::new() } else { vec![first_material()] },
            schedule: None,
            on_demand: 0,
            public_key: None,
        };
        let id = ask.drawn("/KeyMetadata/KeyId", |text| is_new_id(text, multi_region) && self.is_fresh(text));
        self.families.push(family);
        let key = self.new_key(ask, ask.region, id, self.families.len() - 1)?;
        match self.store_of_new_key(ask) {
            Ok(store) => self.keys[key].store = store,
            Err(refusal) => {
                self.keys.pop();
                return Err(refusal);
            }
        }
        Ok(json!({"KeyMetadata": self.metadata(ask, key)}))
    }

    fn is_fresh(&self, id: &str) -> bool {
        self.keys.iter().all(|key| key.id != id)
    }

    /// `kms:CreateKey`, and for tags `kms:TagResource` (KMS API Reference, "CreateKey", "Required
    /// permissions"), beside what a replica needs.
    pub(super) fn hold_new(
        &self,
        ask: &Ask<'_>,
        region: &'static str,
        mut context: Context,
        before: &[Check<'_>],
    ) -> Result<(), Refusal> {
        if let Some(flag) = ask.body["BypassPolicyLockoutSafetyCheck"].as_bool() {
            context.insert("kms:BypassPolicyLockoutSafetyCheck".to_owned(), Values::one(&flag.to_string()));
        }
        of_tags(&ask.body["Tags"], &mut context);
        self.hold(ask, before)?;
        self.hold(ask, &[Check { region: Some(region), ..Check::new("CreateKey", On::Nothing, context) }])?;
        if ask.body["Tags"].as_array().is_none_or(Vec::is_empty) {
            return Ok(());
        }
        let mut context = Context::new();
        of_tags(&ask.body["Tags"], &mut context);
        // Its id is not known yet.
        let arn = format!("arn:aws:kms:{region}:{}:key/00000000-0000-0000-0000-000000000000", ask.who().account);
        self.hold(ask, &[Check { region: Some(region), ..Check::new("TagResource", On::Missing(&arn), context) }])
    }

    /// Puts a new key into the list, if its tags and policy are good.
    pub(super) fn new_key(
        &mut self,
        ask: &Ask<'_>,
        region: &'static str,
        id: String,
        family: usize,
    ) -> Result<usize, Refusal> {
        let tags = tags_of(&ask.body["Tags"])?;
        let policy = ask.text("Policy").map(str::to_owned);
        self.keys.push(Key {
            made: ask.step,
            account: ask.who().account,
            region,
            id,
            family,
            created: self.now,
            description: ask.must("Description").to_owned(),
            enabled: true,
            deletion: None,
            policy: policy.clone(),
            tags,
            last_use: None,
            imports: BTreeMap::new(),
            store: None,
            managed: None,
            gone: false,
        });
        let key = self.keys.len() - 1;
        if let Some(policy) = policy
            && let Err(refusal) = self.hold_policy(ask, key, &policy)
        {
            self.keys.pop();
            return Err(refusal);
        }
        Ok(key)
    }

    /// A policy that a key may have.
    fn hold_policy(&self, ask: &Ask<'_>, key: usize, policy: &str) -> Result<(), Refusal> {
        if policy.len() > 32 * 1024 {
            return Err(some("LimitExceededException"));
        }
        let malformed = "MalformedPolicyDocumentException";
        if serde_json::from_str::<Value>(policy).is_err() {
            return Err(some(malformed));
        }
        if policy.contains(GHOST) {
            return Err(some(malformed));
        }
        if ask.truth("BypassPolicyLockoutSafetyCheck") || self.could_change_again(ask, key, policy) {
            return Ok(());
        }
        Err(said(malformed, "The new key policy will not allow you to update the key policy in the future."))
    }

    /// What DescribeKey shows.
    pub(super) fn metadata(&mut self, ask: &Ask<'_>, key: usize) -> Value {
        let state = self.state(key);
        let arn = self.arn(key);
        let (this, family) = (&self.keys[key], self.family(key));
        let mut shown = json!({
            "AWSAccountId": this.account,
            "KeyId": this.id,
            "Arn": arn,
            "CreationDate": date(this.created),
            "Enabled": state == "Enabled",
            "Description": this.description,
            "KeyUsage": family.usage,
            "KeyState": state,
            "Origin": family.origin,
            "KeyManager": if this.managed.is_some() { "AWS" } else { "CUSTOMER" },
            "CustomerMasterKeySpec": family.spec,
            "KeySpec": family.spec,
            "MultiRegion": family.multi_region,
        });
        let (member, algorithms) = kinds::algorithms(&family.spec, &family.usage);
        shown[member] = json!(algorithms);
        let current = family.current();
        // KMS API Reference, "KeyMetadata", `ValidTo`: the earliest date of what the key needs.
        let needed = this.imports.iter().filter(|(place, _)| !family.materials[**place].pending);
        let there: Vec<&Import> = needed.map(|(_, import)| import).filter(|import| import.there).collect();
        if let Some((store, external)) = &this.store {
            shown["CustomKeyStoreId"] = json!(self.stores[*store].id);
            shown["XksKeyConfiguration"] = json!({"Id": external});
        }
        if !there.is_empty() {
            let end = there.iter().filter_map(|import| import.valid_to).min();
            shown["ExpirationModel"] =
                json!(if end.is_some() { "KEY_MATERIAL_EXPIRES" } else { "KEY_MATERIAL_DOES_NOT_EXPIRE" });
            if let Some(end) = end {
                shown["ValidTo"] = date(end);
            }
        }
        match this.deletion {
            Some(Deletion { at: Some(end), .. }) => shown["DeletionDate"] = date(end),
            Some(Deletion { at: None, window }) => shown["PendingDeletionWindowInDays"] = json!(window),
            None => {}
        }
        if family.multi_region {
            let show = |key: usize| json!({"Arn": self.arn(key), "Region": self.keys[key].region});
            let mut shown_keys = self.siblings(key);
            if shown_keys.is_empty() {
                shown_keys.push(key);
            }
            let (primaries, replicas): (Vec<usize>, Vec<usize>) =
                shown_keys.into_iter().partition(|other| !self.is_replica(*other));
            shown["MultiRegionConfiguration"] = json!({
                "MultiRegionKeyType": if self.is_replica(key) { "REPLICA" } else { "PRIMARY" },
                "PrimaryKey": primaries.into_iter().map(show).next(),
                "ReplicaKeys": replicas.into_iter().map(show).collect::<Vec<_>>(),
            });
        }
        if let (true, Some(current)) = (family.is_symmetric() && this.store.is_none(), current) {
            let told = ["/KeyMetadata/CurrentKeyMaterialId", "/ReplicaKeyMetadata/CurrentKeyMaterialId"]
                .into_iter()
                .find_map(|pointer| ask.told.pointer(pointer).and_then(Value::as_str).map(str::to_owned));
            shown["CurrentKeyMaterialId"] = json!(self.material_id(key, current, told.as_deref()));
        }
        shown
    }

    /// The id of a material: what was told of it first, which must be new, and the same ever after.
    pub(super) fn material_id(&mut self, key: usize, place: usize, told: Option<&str>) -> String {
        let family = self.keys[key].family;
        if let Some(known) = &self.families[family].materials[place].id {
            return known.clone();
        }
        let is_known = |id: &str| {
            self.families.iter().flat_map(|family| &family.materials).any(|material| material.id.as_deref() == Some(id))
        };
        match told.filter(|id| is_hex(id, 64) && !is_known(id)) {
            Some(id) => {
                self.families[family].materials[place].id = Some(id.to_owned());
                id.to_owned()
            }
            None => "the id of a material".to_owned(),
        }
    }

    pub(super) fn describe_key(&mut self, ask: &Ask<'_>) -> Expected {
        let key = self.one_key(ask, request_alias(ask.must("KeyId")))?;
        // What names an AWS managed key is in the answer of any step that describes it.
        if self.keys[key].managed.is_some() {
            self.keys[key].made = ask.step;
        }
        Ok(json!({"KeyMetadata": self.metadata(ask, key)}))
    }

    pub(super) fn enable_key(&mut self, ask: &Ask<'_>) -> Expected {
        let key = self.one_key(ask, Context::new())?;
        if !self.keys[key].enabled {
            self.keys[key].enabled = true;
            self.make_up(key);
        }
        Ok(Value::Null)
    }

    pub(super) fn disable_key(&mut self, ask: &Ask<'_>) -> Expected {
        let key = self.on_last_use(ask, Context::new())?;
        self.keys[key].enabled = false;
        Ok(Value::Null)
    }

    /// With `kms:TrailingDaysWithoutKeyUsage`.
    fn on_last_use(&self, ask: &Ask<'_>, mut context: Context) -> Result<usize, Refusal> {
        let named = self.named(ask, ask.must("KeyId"), names_of(ask.operation))?;
        if let Ok(key) = named.there() {
            let this = &self.keys[key];
            let last = this.last_use.as_ref().map_or(this.created, |last| last.at);
            let days = ((self.now - last) / DAY).to_string();
            context.insert("kms:TrailingDaysWithoutKeyUsage".to_owned(), Values::one(&days));
        }
        self.one_key(ask, context)
    }

    pub(super) fn schedule_key_deletion(&mut self, ask: &Ask<'_>) -> Expected {
        let window = ask.number("PendingWindowInDays");
        if window.is_some_and(|days| !(7..=30).contains(&days)) {
            return Err(some("ValidationException"));
        }
        let context = window
            .map(|days| ("kms:ScheduleKeyDeletionPendingWindowInDays".to_owned(), Values::one(&days.to_string())));
        let key = self.on_last_use(ask, context.into_iter().collect())?;
        let window = window.unwrap_or(30);
        let at = (!self.has_replicas(key)).then(|| self.now + window * DAY);
        self.keys[key].deletion = Some(Deletion { at, window });
        let mut answer = json!({"KeyId": self.arn(key), "KeyState": self.state(key), "PendingWindowInDays": window});
        if let Some(at) = at {
            answer["DeletionDate"] = date(at);
        }
        Ok(answer)
    }

    /// Disabled afterwards; its schedule is restored, and a rotation that is overdue comes at once.
    pub(super) fn cancel_key_deletion(&mut self, ask: &Ask<'_>) -> Expected {
        let key = self.one_key(ask, Context::new())?;
        self.keys[key].deletion = None;
        self.keys[key].enabled = false;
        self.make_up(key);
        Ok(json!({"KeyId": self.arn(key)}))
    }

    pub(super) fn update_key_description(&mut self, ask: &Ask<'_>) -> Expected {
        let key = self.one_key(ask, Context::new())?;
        ask.must("Description").clone_into(&mut self.keys[key].description);
        Ok(Value::Null)
    }

    pub(super) fn tag_resource(&mut self, ask: &Ask<'_>) -> Expected {
        let mut context = Context::new();
        of_tags(&ask.body["Tags"], &mut context);
        let key = self.one_key(ask, context)?;
        let mut tags = self.keys[key].tags.clone();
        tags.extend(tags_of(&ask.body["Tags"])?);
        if tags.len() > 50 {
            return Err(said("TagException", "Too many tags"));
        }
        self.keys[key].tags = tags;
        Ok(Value::Null)
    }

    pub(super) fn untag_resource(&mut self, ask: &Ask<'_>) -> Expected {
        let names: Vec<&str> = ask.body["TagKeys"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        let context = if names.is_empty() {
            Context::new()
        } else {
            Context::from([("aws:TagKeys".to_owned(), Values::many(&names))])
        };
        let key = self.one_key(ask, context)?;
        if names.iter().any(|name| name.starts_with("aws:")) {
            return Err(said("TagException", "Tags beginning with aws: are reserved"));
        }
        self.keys[key].tags.retain(|name, _| !names.contains(&name.as_str()));
        Ok(Value::Null)
    }

    pub(super) fn list_resource_tags(&mut self, ask: &Ask<'_>) -> Expected {
        let key = self.one_key(ask, Context::new())?;
        let tags = &self.keys[key].tags;
        let items: Vec<(String, Value)> =
            tags.iter().map(|(name, value)| (name.clone(), json!({"TagKey": name, "TagValue": value}))).collect();
        self.page(ask, "Tags", &self.arn(key), &items, (50, 50))
    }

    pub(super) fn get_key_policy(&mut self, ask: &Ask<'_>) -> Expected {
        let key = self.one_key(ask, Context::new())?;
        named_default(ask)?;
        Ok(json!({"Policy": self.shown_policy(ask, key, "/Policy"), "PolicyName": "default"}))
    }

    /// The policy as it was put; the default, however it is laid out.
    pub(super) fn shown_policy(&self, ask: &Ask<'_>, key: usize, pointer: &str) -> String {
        if let Some(service) = self.keys[key].managed {
            return ask.drawn(pointer, |text| super::managed::is_policy(text, service, self.keys[key].account));
        }
        self.keys[key].policy.clone().unwrap_or_else(|| {
            let default = default_key_policy(self.keys[key].account);
            ask.drawn(pointer, |text| serde_json::from_str::<Value>(text).is_ok_and(|shown| shown == default))
        })
    }

    pub(super) fn put_key_policy(&mut self, ask: &Ask<'_>) -> Expected {
        let flag = ask.body["BypassPolicyLockoutSafetyCheck"].as_bool();
        let context =
            flag.map(|flag| ("kms:BypassPolicyLockoutSafetyCheck".to_owned(), Values::one(&flag.to_string())));
        let key = self.one_key(ask, context.into_iter().collect())?;
        named_default(ask)?;
        self.hold_policy(ask, key, ask.must("Policy"))?;
        self.keys[key].policy = Some(ask.must("Policy").to_owned());
        Ok(Value::Null)
    }

    pub(super) fn list_key_policies(&mut self, ask: &Ask<'_>) -> Expected {
        let key = self.one_key(ask, Context::new())?;
        self.page(ask, "PolicyNames", &self.arn(key), &[("default".to_owned(), json!("default"))], (100, 1000))
    }

    pub(super) fn list_keys(&mut self, ask: &Ask<'_>) -> Expected {
        self.hold(ask, &[Check::new("ListKeys", On::Nothing, Context::new())])?;
        let own = (0..self.keys.len()).filter(|key| {
            let key = &self.keys[*key];
            !key.gone && key.account == ask.who().account && key.region == ask.region
        });
        let mut items: Vec<(String, Value)> = own
            .map(|key| (self.keys[key].id.clone(), json!({"KeyId": self.keys[key].id, "KeyArn": self.arn(key)})))
            .collect();
        items.sort_by(|one, other| one.0.cmp(&other.0));
        self.page(ask, "Keys", ask.who().account, &items, (100, 1000))
    }

    pub(super) fn get_key_last_usage(&mut self, ask: &Ask<'_>) -> Expected {
        let key = self.one_key(ask, Context::new())?;
        let this = &self.keys[key];
        let usage = this.last_use.as_ref().map_or_else(
            || json!({}),
            |last| {
                json!({
                    "Operation": last.operation,
                    "Timestamp": date(last.at),
                    "KmsRequestId": uuid::Uuid::from_u128(2 * last.step as u128).to_string(),
                    "CloudTrailEventId": uuid::Uuid::from_u128(2 * last.step as u128 + 1).to_string(),
                })
            },
        );
        Ok(json!({
            "KeyId": self.arn(key),
            "KeyLastUsage": usage,
            "TrackingStartDate": date(this.created),
            "KeyCreationDate": date(this.created),
        }))
    }

    /// One page of a list whose items are in order, each under the text that orders it. `sizes` are
    /// the items of a page where no limit is given, and the most.
    pub(super) fn page(
        &mut self,
        ask: &Ask<'_>,
        member: &str,
        about: &str,
        items: &[(String, Value)],
        sizes: (i64, i64),
    ) -> Expected {
        let (limit, after) = self.window(ask, about, sizes)?;
        let left: Vec<&(String, Value)> = items.iter().filter(|(order, _)| *order > after).collect();
        let shown: Vec<&(String, Value)> = left.iter().copied().take(limit).collect();
        let mut answer = json!({"Truncated": left.len() > shown.len()});
        answer[member] = shown.iter().map(|(_, item)| item.clone()).collect();
        if left.len() > shown.len() {
            let marker = ask.drawn("/NextMarker", |text| !text.is_empty() && text.len() <= 1024);
            answer["NextMarker"] = json!(marker);
            let last = shown.last().unwrap().0.clone();
            self.markers.insert((marker, format!("{} {about}", ask.operation)), last);
        }
        Ok(answer)
    }

    /// How many items a page has at most, and the last item before it; `sizes` as for [`Model::page`].
    pub(super) fn window(&self, ask: &Ask<'_>, about: &str, sizes: (i64, i64)) -> Result<(usize, String), Refusal> {
        let limit = ask.number("Limit").unwrap_or(sizes.0);
        if limit > sizes.1 {
            let text = format!(
                "1 validation error detected: Value '{limit}' at 'limit' failed to satisfy constraint: Member must have value less than or equal to {}",
                sizes.1
            );
            return Err(said("ValidationException", text));
        }
        let after = match ask.text("Marker") {
            None => String::new(),
            Some(_) => self.after(ask, about).ok_or_else(|| some("InvalidMarkerException"))?,
        };
        Ok((usize::try_from(limit).unwrap(), after))
    }

    /// The last item before a request's marker in a list.
    pub(super) fn after(&self, ask: &Ask<'_>, about: &str) -> Option<String> {
        self.markers.get(&(ask.must("Marker").to_owned(), format!("{} {about}", ask.operation))).cloned()
    }

    /// `GenerateRandom`.
    pub(super) fn generate_random(&mut self, ask: &Ask<'_>) -> Expected {
        let Some(length) = ask.number("NumberOfBytes") else { return Err(some("ValidationException")) };
        self.hold(ask, &[Check::new("GenerateRandom", On::Nothing, Context::new())])?;
        // Of a store's own hardware alone, and external key stores have none.
        if let Some(store) = ask.text("CustomKeyStoreId") {
            self.store_of_id(ask, store)?;
            return Err(some("UnsupportedOperationException"));
        }
        let length = usize::try_from(length).unwrap();
        Ok(
            json!({"Plaintext": ask.drawn("/Plaintext", |text| super::ask::bytes(text).is_some_and(|bytes| bytes.len() == length))}),
        )
    }
}

pub(super) fn first_material() -> Material {
    Material { id: None, rotated: None, pending: false, number: None }
}

fn named_default(ask: &Ask<'_>) -> Result<(), Refusal> {
    match ask.text("PolicyName") {
        None | Some("default") => Ok(()),
        Some(_) => Err(said("NotFoundException", "No such policy exists")),
    }
}

/// `kms:RequestAlias`: the alias's name without the ARN.
pub(super) fn request_alias(id: &str) -> Context {
    let name = id.split_once(":alias/").map_or_else(|| id.to_owned(), |(_, name)| format!("alias/{name}"));
    if name.starts_with("alias/") { conditions([("kms:RequestAlias", name.as_str())]) } else { Context::new() }
}

impl Model {
    pub(super) fn replicate_key(&mut self, ask: &Ask<'_>) -> Expected {
        let Some(region) = served(ask.must("ReplicaRegion")) else { return Err(some("ValidationException")) };
        let named = self.named(ask, ask.must("KeyId"), names_of(ask.operation))?;
        let replicate = Check::new("ReplicateKey", named.on(), conditions([("kms:ReplicaRegion", region)]));
        let Ok(primary) = named.there() else {
            self.hold(ask, &[replicate])?;
            return Err(named.there().unwrap_err());
        };
        let mut context = conditions([("kms:MultiRegionKeyType", "REPLICA")]);
        let family = self.family(primary);
        of_kind(&family.spec, &family.usage, &family.origin, true, &mut |name: &str, value: &str| {
            context.insert(name.to_owned(), Values::one(value))
        });
        self.hold_new(ask, region, context, &[replicate])?;
        self.in_state("ReplicateKey", primary)?;
        if !self.family(primary).multi_region {
            return Err(some("UnsupportedOperationException"));
        }
        if self.is_replica(primary) {
            let text =
                format!("{} is a multi-region replica key which is not valid for ReplicateKey.", self.arn(primary));
            return Err(said("UnsupportedOperationException", text));
        }
        if self.siblings(primary).iter().any(|sibling| self.keys[*sibling].region == region) {
            return Err(some("AlreadyExistsException"));
        }
        let (id, family) = (self.keys[primary].id.clone(), self.keys[primary].family);
        let replica = self.new_key(ask, region, id, family)?;
        let tags: Vec<Value> =
            self.keys[replica].tags.iter().map(|(name, value)| json!({"TagKey": name, "TagValue": value})).collect();
        Ok(json!({
            "ReplicaKeyMetadata": self.metadata(ask, replica),
            "ReplicaPolicy": self.shown_policy(ask, replica, "/ReplicaPolicy"),
            "ReplicaTags": tags,
        }))
    }

    pub(super) fn update_primary_region(&mut self, ask: &Ask<'_>) -> Expected {
        let Some(region) = served(ask.must("PrimaryRegion")) else { return Err(some("ValidationException")) };
        let named = self.named(ask, ask.must("KeyId"), names_of(ask.operation))?;
        let context = conditions([("kms:PrimaryRegion", region)]);
        let there = match &named {
            super::naming::Named::Key(key) if region != ask.region => {
                Some(self.by_id(self.keys[*key].account, region, &self.keys[*key].id))
            }
            _ => None,
        };
        let of = |named: &super::naming::Named| named.clone();
        let all: Vec<_> = std::iter::once(of(&named)).chain(there.as_ref().map(of)).collect();
        let checks: Vec<Check<'_>> =
            all.iter().map(|named| Check::new("UpdatePrimaryRegion", named.on(), context.clone())).collect();
        self.hold(ask, &checks)?;
        let primary = named.there()?;
        self.in_state("UpdatePrimaryRegion", primary)?;
        if !self.family(primary).multi_region {
            return Err(some("UnsupportedOperationException"));
        }
        if self.is_replica(primary) {
            return Err(some("KMSInvalidStateException"));
        }
        let Some(there) = there else { return Ok(Value::Null) };
        let new = there.there()?;
        self.in_state("UpdatePrimaryRegion", new)?;
        let family = self.keys[primary].family;
        self.families[family].primary = region;
        Ok(Value::Null)
    }
}

fn served(region: &str) -> Option<&'static str> {
    REGIONS.into_iter().find(|served| *served == region)
}

/// Silences what is not of a key of that kind.
pub(super) fn unsupported() -> Refusal {
    silent("UnsupportedOperationException")
}
