//! Imported material of multi-Region keys (KMS Developer Guide, "Importing key material into
//! multi-Region keys"). Which material the key has is the same in all Regions: it comes in through the
//! primary. Whether it is there, until when, and how it is described is each Region's own. Its bytes lie
//! in the store once, for as long as some Region has them.

use std::sync::Arc;

use super::Kms;
use super::change::Change;
use crate::kms::error::{KmsError, texts};
use crate::kms::imports::Import;
use crate::kms::records::KeyView;
use crate::kms::rows;
use crate::kms::spec::ImportType;
use crate::store::Record;

impl Kms {
    /// Takes the bytes of material that a Region's key loses out of the store, if no other Region has
    /// it; the change holds only while that is so.
    pub(super) async fn leave_material(
        &self,
        view: &KeyView,
        material: &str,
        change: &mut Change,
    ) -> Result<(), KmsError> {
        let mut is_elsewhere = false;
        for sibling in self.siblings(view).await? {
            is_elsewhere |= sibling.value.record.has(material);
            change.hold(rows::key(&sibling.value.name), sibling.mod_rev);
        }
        if !is_elsewhere {
            change.delete(rows::material(&view.name, material));
        }
        Ok(())
    }

    /// What a deletion on request takes away: of pending material that of all Regions, where it is the
    /// primary's (KMS API Reference, "DeleteImportedKeyMaterial").
    pub(super) async fn take_material(
        &self,
        view: &KeyView,
        import: &Import,
        change: &mut Change,
    ) -> Result<(), KmsError> {
        if !import.is_pending || view.primary_of_replica().is_some() {
            return self.leave_material(view, &import.material, change).await;
        }
        change.delete(rows::material(&view.name, &import.material));
        self.change_siblings(view, change, |_, record| record.lose(&import.material)).await
    }
}

/// Whether pending material may become current: in a multi-Region key, once each Region has it (KMS API
/// Reference, "RotationsListEntry", `KeyMaterialState`).
pub(super) fn is_ready(pending: &Import, siblings: &[Arc<Record<KeyView>>]) -> bool {
    let has = |sibling: &Arc<Record<KeyView>>| sibling.value.record.has(&pending.material);
    siblings.is_empty() || (pending.is_there && siblings.iter().all(has))
}

/// New material comes in through the primary.
pub(super) fn held_to_primary(view: &KeyView, import_type: ImportType) -> Result<(), KmsError> {
    if import_type == ImportType::New && view.primary_of_replica().is_some() {
        return Err(texts::unsupported(format!(
            "New key material cannot be imported into {}, because it is a multi-region replica key. Import it into the primary key first.",
            view.arn
        )));
    }
    Ok(())
}
