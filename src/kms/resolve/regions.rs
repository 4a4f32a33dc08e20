//! What `ReplicateKey` and `UpdatePrimaryRegion` name, and the permissions that they need.

use std::sync::Arc;

use super::{Asking, Found, Scene, Target};
use crate::authz::{Check, Resource};
use crate::aws::{ActionName, Region, Surroundings};
use crate::kms::api::{KeyIds, Kind};
use crate::kms::conditions;
use crate::kms::engine::Kms;
use crate::kms::error::{KmsError, texts};
use crate::kms::name::KeyName;
use crate::kms::operation::{Input, ReplicateKey};

impl Kms {
    /// `kms:ReplicateKey` on the primary; `kms:CreateKey`, and with tags `kms:TagResource`, in the
    /// replica's Region (KMS Developer Guide, "Control access to multi-Region keys").
    pub(super) async fn resolve_replication(
        &self,
        asking: &Asking<'_>,
        request: &ReplicateKey,
        scene: &Scene,
    ) -> Result<(Target, Vec<Check>), KmsError> {
        let region = self.region_beside(&request.region, &scene.region)?;
        let primary = self.named(&request.key_id, KeyIds::KeysOnly, scene).await?;
        let replicate = &ActionName::of("kms:ReplicateKey");
        let conditions = vec![("kms:replicaregion".into(), conditions::owned(&request.region))];
        let mut checks = vec![asking.on_found(replicate, &primary, conditions)];
        let Ok(key) = primary.key() else { return Ok((Target::Key(primary), checks)) };
        let name = KeyName { region: region.clone(), ..key.view().name.clone() };
        let there = Arc::new(Surroundings { region, ..(**asking.surroundings).clone() });
        let there = Asking { surroundings: &there, ..*asking };
        let create = conditions::of_new_replica(&key.view().attributes, request);
        checks.push(there.on(&ActionName::of("kms:CreateKey"), Resource::None, create));
        if !request.tags.is_empty() {
            let replica = Resource::MissingKey { arn: name.arn()? };
            checks.push(there.on(&ActionName::of("kms:TagResource"), replica, conditions::tags(&request.tags)));
        }
        Ok((Target::Replica { primary, name }, checks))
    }

    /// `kms:UpdatePrimaryRegion` on the primary and on the key that takes its place.
    pub(super) async fn resolve_primary(
        &self,
        asking: &Asking<'_>,
        input: &Input,
        key_id: &str,
        region: &str,
        scene: &Scene,
    ) -> Result<(Target, Vec<Check>), KmsError> {
        let region = self.region_beside(region, &scene.region)?;
        let action = &ActionName::of("kms:UpdatePrimaryRegion");
        let conditions = || conditions::of(Kind::UpdatePrimaryRegion, input);
        let primary = self.named(key_id, KeyIds::KeysOnly, scene).await?;
        let mut checks = vec![asking.on_found(action, &primary, conditions())];
        let new = match &primary {
            Found::Key(key) if region != scene.region => {
                let name = KeyName { region: region.clone(), ..key.view().name.clone() };
                let found = self.find(&name, scene.now).await?;
                checks.push(asking.on_found(action, &found, conditions()));
                found
            }
            found => found.clone(),
        };
        Ok((Target::NewPrimary { primary, region, new }, checks))
    }

    /// A Region that is served, of the same partition as another.
    fn region_beside(&self, text: &str, here: &Region) -> Result<Region, KmsError> {
        let region: Option<Region> = text.parse().ok();
        region.filter(|region| region.partition() == here.partition() && self.serves(region)).ok_or_else(|| {
            texts::validation(format!("{text} is not a Region that is served in the partition {}.", here.partition()))
        })
    }
}
