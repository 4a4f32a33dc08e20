//! Rotation: schedules, on demand, what there was (kms.md, "Rotation").

use serde_json::{Value, json};

use super::ask::{Ask, Expected, Refusal, said};
use super::decide::conditions;
use super::keys::unsupported;
use super::state::{DAY, Material, Model, date};
use crate::interpreter::Context;

/// On-demand rotations of a key.
const MOST_ON_DEMAND: usize = 25;

impl Model {
    pub(super) fn enable_key_rotation(&mut self, ask: &Ask<'_>) -> Expected {
        let period = ask.number("RotationPeriodInDays");
        let days = period.unwrap_or(365).to_string();
        let key = self.one_key(ask, conditions([("kms:RotationPeriodInDays", days.as_str())]))?;
        self.is_in_no_store(key)?;
        self.rotates(ask, key)?;
        self.makes_its_own(key)?;
        let family = self.keys[key].family;
        let schedule = &mut self.families[family].schedule;
        // An omitted or equal period changes nothing on a key that rotates.
        if schedule.is_none_or(|(present, _)| period.is_some_and(|days| days != present)) {
            let days = period.unwrap_or(365);
            *schedule = Some((days, self.now + days * DAY));
        }
        Ok(Value::Null)
    }

    pub(super) fn disable_key_rotation(&mut self, ask: &Ask<'_>) -> Expected {
        let key = self.one_key(ask, Context::new())?;
        self.is_in_no_store(key)?;
        self.no_replica(ask, key)?;
        self.makes_its_own(key)?;
        let family = self.keys[key].family;
        self.families[family].schedule = None;
        Ok(Value::Null)
    }

    /// Symmetric keys alone rotate, and of a multi-Region key the primary.
    fn rotates(&self, ask: &Ask<'_>, key: usize) -> Result<(), Refusal> {
        if !self.family(key).is_symmetric() {
            return Err(unsupported());
        }
        self.no_replica(ask, key)
    }

    fn no_replica(&self, ask: &Ask<'_>, key: usize) -> Result<(), Refusal> {
        if !self.is_replica(key) {
            return Ok(());
        }
        let text = format!("{} is a multi-region replica key which is not valid for {}.", self.arn(key), ask.operation);
        Err(said("UnsupportedOperationException", text))
    }

    /// No schedule for imported material.
    fn makes_its_own(&self, key: usize) -> Result<(), Refusal> {
        let family = self.family(key);
        if family.is_symmetric() && family.is_imported() { Err(self.wrong_origin(key)) } else { Ok(()) }
    }

    pub(super) fn wrong_origin(&self, key: usize) -> Refusal {
        let text =
            format!("{} origin is {} which is not valid for this operation.", self.arn(key), self.family(key).origin);
        said("UnsupportedOperationException", text)
    }

    pub(super) fn rotate_key_on_demand(&mut self, ask: &Ask<'_>) -> Expected {
        let key = self.one_key(ask, Context::new())?;
        self.is_in_no_store(key)?;
        self.rotates(ask, key)?;
        let arn = self.arn(key);
        let family = self.keys[key].family;
        if self.families[family].on_demand >= MOST_ON_DEMAND {
            let text = format!(
                "The on-demand rotations limit has been reached for the given keyId. No more on-demand rotations can be performed for this key: {arn}"
            );
            return Err(said("LimitExceededException", text));
        }
        let pending = self.families[family].materials.iter().position(|material| material.pending);
        if self.families[family].is_imported() && !pending.is_some_and(|place| self.is_ready(key, place)) {
            let text = format!("No available key material pending rotation for the key: {arn}.");
            return Err(said("KMSInvalidStateException", text));
        }
        self.rotate(family, self.now, "ON_DEMAND");
        self.families[family].on_demand += 1;
        Ok(json!({"KeyId": arn}))
    }

    /// A replica tells its primary's; a key pending deletion, that it does not rotate.
    pub(super) fn get_key_rotation_status(&mut self, ask: &Ask<'_>) -> Expected {
        let key = self.one_key(ask, Context::new())?;
        self.is_in_no_store(key)?;
        let asked = self.primary(key);
        let schedule = self.family(key).schedule.filter(|_| self.state(asked) != "PendingDeletion");
        let mut answer = json!({"KeyId": self.arn(key), "KeyRotationEnabled": schedule.is_some()});
        if let Some((days, next)) = schedule {
            answer["RotationPeriodInDays"] = json!(days);
            answer["NextRotationDate"] = date(next);
        }
        Ok(answer)
    }

    pub(super) fn list_key_rotations(&mut self, ask: &Ask<'_>) -> Expected {
        let key = self.one_key(ask, Context::new())?;
        self.is_in_no_store(key)?;
        let all = ask.text("IncludeKeyMaterial") == Some("ALL_KEY_MATERIAL");
        if all && !self.family(key).is_symmetric() {
            return Err(said(
                "ValidationException",
                "Input parameter includeKeyMaterial can only be used with symmetric keys.",
            ));
        }
        let is_shown = |material: &Material| all || material.rotated.is_some();
        let places: Vec<usize> =
            (0..self.family(key).materials.len()).filter(|at| is_shown(&self.family(key).materials[*at])).collect();
        let arn = self.arn(key);
        let about = format!("{arn} {all}");
        let marker = self.after(ask, &about);
        let (mut items, mut told) = (Vec::new(), 0);
        for place in places {
            let order = format!("{place:08}");
            // Ids are learned from the answer, where the item is on its page.
            let id = if marker.as_ref().is_none_or(|after| order > *after) {
                told += 1;
                let found = ask.told.pointer(&format!("/Rotations/{}/KeyMaterialId", told - 1)).and_then(Value::as_str);
                self.material_id(key, place, found)
            } else {
                String::new()
            };
            items.push((order, self.material_shown(key, place, &arn, &id)));
        }
        self.page(ask, "Rotations", &about, &items, (100, 1000))
    }

    fn material_shown(&self, key: usize, place: usize, arn: &str, id: &str) -> Value {
        let family = self.family(key);
        let material = &family.materials[place];
        let state = if material.pending && !self.is_ready(key, place) {
            "PENDING_MULTI_REGION_IMPORT_AND_ROTATION"
        } else if material.pending {
            "PENDING_ROTATION"
        } else if family.current() == Some(place) {
            "CURRENT"
        } else {
            "NON_CURRENT"
        };
        let mut shown = json!({"KeyId": arn, "KeyMaterialId": id, "KeyMaterialState": state});
        if let Some((at, how)) = material.rotated {
            shown["RotationDate"] = date(at);
            shown["RotationType"] = json!(how);
        }
        if family.is_imported() {
            let import = self.keys[key].imports.get(&place).cloned().unwrap_or_default();
            shown["ImportState"] = json!(if import.there { "IMPORTED" } else { "PENDING_IMPORT" });
            if let Some(description) = &import.description {
                shown["KeyMaterialDescription"] = json!(description);
            }
            if import.there {
                let model =
                    if import.valid_to.is_some() { "KEY_MATERIAL_EXPIRES" } else { "KEY_MATERIAL_DOES_NOT_EXPIRE" };
                shown["ExpirationModel"] = json!(model);
            }
            if let Some(end) = import.valid_to {
                shown["ValidTo"] = date(end);
            }
        }
        shown
    }
}
