//! The key material that was imported into a key: what its record says of it (KMS Developer Guide,
//! "Importing key material").

use serde::{Deserialize, Serialize};

use super::records::{KeyRecord, State};
use super::spec::{ExpirationModel, Origin};

/// Key material that was imported at least once: a key knows it again for as long as it exists. The
/// keys of a multi-Region key know the same, and each has it or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Import {
    /// Its id, a function of the key and the material.
    pub(super) material: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<String>,
    /// When it expires, in milliseconds since 1970; none: it does not.
    pub(super) valid_to: Option<i64>,
    /// Whether it is there: neither deleted nor expired since it was imported last.
    pub(super) is_there: bool,
    /// Whether it waits for the rotation that makes it current: nothing was encrypted under it.
    pub(super) is_pending: bool,
}

impl Import {
    /// Material that is known, and not there.
    fn missing(material: &str) -> Self {
        Self { material: material.to_owned(), description: None, valid_to: None, is_there: false, is_pending: false }
    }

    /// About how many bytes it takes in memory.
    pub(super) fn weigh(&self) -> usize {
        size_of::<Self>() + self.material.len() + self.description.as_ref().map_or(0, String::len)
    }

    /// When it expires, if it is there and does.
    pub(super) fn expiry(&self) -> Option<i64> {
        self.valid_to.filter(|_| self.is_there)
    }
}

impl KeyRecord {
    /// What is known of imported material.
    pub(super) fn import(&self, material: &str) -> Option<&Import> {
        self.imports.iter().find(|import| import.material == material)
    }

    /// Whether imported material is there.
    pub(super) fn has(&self, material: &str) -> bool {
        self.import(material).is_some_and(|import| import.is_there)
    }

    /// Knows exactly the material that the key of another Region knows, as pending as it is there. What
    /// of it is there, until when, and how it is described stays as it was.
    pub(super) fn know(&mut self, imports: &[Import]) {
        let mut own = std::mem::take(&mut self.imports);
        for other in imports {
            let known = own.iter().position(|import| import.material == other.material).map(|at| own.swap_remove(at));
            let import = known.unwrap_or_else(|| Import::missing(&other.material));
            self.imports.push(Import { is_pending: other.is_pending, ..import });
        }
        self.wait_for_material();
    }

    /// The material that the next rotation makes current.
    pub(super) fn pending_import(&self) -> Option<&Import> {
        self.imports.iter().find(|import| import.is_pending)
    }

    /// Makes the pending material one of those that the key needs, and answers its id.
    pub(super) fn take_pending(&mut self) -> Option<String> {
        let import = self.imports.iter_mut().find(|import| import.is_pending)?;
        import.is_pending = false;
        Some(import.material.clone())
    }

    /// Notes that imported material is gone. A key that needs it then waits for it, unless it is to
    /// be deleted.
    pub(super) fn lose(&mut self, material: &str) {
        for import in self.imports.iter_mut().filter(|import| import.material == material) {
            import.is_there = false;
            import.valid_to = None;
        }
        self.wait_for_material();
    }

    fn wait_for_material(&mut self) {
        if let State::Enabled | State::Disabled = self.state {
            self.state = self.state_with_material(self.state);
        }
    }

    /// `PendingImport` for as long as material is missing that the key needs, and otherwise the
    /// given state.
    pub(super) fn state_with_material(&self, otherwise: State) -> State {
        let mut needed = self.imports.iter().filter(|import| !import.is_pending).peekable();
        let has_all = needed.peek().is_some() && needed.all(|import| import.is_there);
        if self.origin == Origin::External && !has_all { State::PendingImport } else { otherwise }
    }

    /// The first date at which imported material expires.
    pub(super) fn first_expiry(&self) -> Option<i64> {
        self.imports.iter().filter_map(Import::expiry).min()
    }

    /// What DescribeKey says of the expiry of the material that the key needs: nothing before any
    /// is there, and the earliest date (KMS API Reference, "KeyMetadata", `ValidTo`).
    pub(super) fn expiration(&self) -> Option<(ExpirationModel, Option<i64>)> {
        let mut there = self.imports.iter().filter(|import| !import.is_pending && import.is_there).peekable();
        there.peek()?;
        Some(match there.filter_map(Import::expiry).min() {
            Some(date) => (ExpirationModel::Expires, Some(date)),
            None => (ExpirationModel::DoesNotExpire, None),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kms::records::KeyRecord;

    fn import(material: &str, is_there: bool, is_pending: bool) -> Import {
        let (description, valid_to) = (Some(format!("d{material}")), is_there.then_some(7));
        Import { material: material.to_owned(), description, valid_to, is_there, is_pending }
    }

    fn record(state: &str, imports: Vec<Import>) -> KeyRecord {
        let json = format!(
            r#"{{"created":1,"description":"","state":"{state}","policy":"Default","schedule":null,"material":"","first_material":"","rotations":0,"on_demand":0,"origin":"EXTERNAL"}}"#
        );
        KeyRecord { imports, ..serde_json::from_str(&json).unwrap() }
    }

    #[test]
    fn a_region_knows_what_another_knows_and_has_what_it_has() {
        let there = [import("a", true, false), import("b", true, false), import("c", true, true)];
        let mut here =
            record("Enabled", vec![import("b", true, true), import("a", true, false), import("x", true, true)]);
        here.know(&there);
        let expected =
            [import("a", true, false), import("b", true, false), Import { is_pending: true, ..Import::missing("c") }];
        assert_eq!((here.imports.as_slice(), here.state), (expected.as_slice(), State::Enabled));
        assert!(here.has("a") && !here.has("c") && !here.has("x"));
        // Material that becomes one of those that the key needs, and is not there.
        here.know(&[import("a", true, false), import("c", true, false)]);
        assert_eq!(here.state, State::PendingImport);
        let mut going = record("PendingImport", Vec::new());
        going.know(&there);
        assert_eq!((going.imports.len(), going.state), (3, State::PendingImport));
        assert!(going.imports.iter().all(|import| !import.is_there && import.description.is_none()));
    }
}
