use std::collections::HashMap;
use std::sync::Arc;

use super::AttachedDocument;
use super::slices::{Fingerprint, PerAction, Reads};
use crate::aws::{AccountId, ActionName};
use crate::cedar::Slice;

/// The control policies that hold for one account of an organisation (AWS Organizations User
/// Guide, "SCP evaluation", "RCP evaluation").
#[derive(Clone, Debug)]
pub struct ControlPolicies {
    management: bool,
    membership: Option<Membership>,
    service: Levels,
    resource: Levels,
}

/// An account's place in its organisation, which the keys `aws:PrincipalOrgID`,
/// `aws:PrincipalOrgPaths`, `aws:ResourceOrgID` and `aws:ResourceOrgPaths` tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// The organisation's id, `o-a1b2c3d4e5`.
    pub organization: Arc<str>,
    /// The path from the organisation to the account's organisational unit,
    /// `o-a1b2c3d4e5/r-ab12/ou-ab12-11111111/`; none where it is not known.
    pub path: Option<Arc<str>>,
}

/// The documents of one kind at each level, from the root to the account.
#[derive(Clone, Debug)]
pub(super) struct Levels {
    documents: Vec<Vec<AttachedDocument>>,
    /// Names all of them, with their order and levels.
    fingerprint: [u8; 16],
    by_action: Arc<PerAction<ActionLevels>>,
}

/// The slices of the levels for one action, in the documents' order, with what they can read.
#[derive(Debug)]
pub(super) struct ActionLevels {
    pub(super) slices: Vec<Vec<Arc<Slice>>>,
    pub(super) reads: Reads,
}

impl ControlPolicies {
    /// Those of one account: service control policies and resource control policies, each by
    /// level from the root to the account. No levels at all limit nothing; a level without service
    /// control policies allows nothing. `management` says whether it is the organisation's
    /// management account, whose principals no service control policy limits, and whose resources
    /// no resource control policy guards.
    #[must_use]
    pub fn new(service: Vec<Vec<AttachedDocument>>, resource: Vec<Vec<AttachedDocument>>, management: bool) -> Self {
        Self { management, membership: None, service: Levels::new(service), resource: Levels::new(resource) }
    }

    /// The same for an account whose place in the organisation is known.
    #[must_use]
    pub fn of_member(self, membership: Option<Membership>) -> Self {
        Self { membership, ..self }
    }

    /// The account's place in the organisation, where it is known.
    #[must_use]
    pub fn membership(&self) -> Option<&Membership> {
        self.membership.as_ref()
    }

    /// Whether the account is its organisation's management account.
    #[must_use]
    pub fn is_management(&self) -> bool {
        self.management
    }

    /// Service control policies by level, from the root.
    #[must_use]
    pub fn service_control_policies(&self) -> &[Vec<AttachedDocument>] {
        &self.service.documents
    }

    /// Resource control policies by level, from the root.
    #[must_use]
    pub fn resource_control_policies(&self) -> &[Vec<AttachedDocument>] {
        &self.resource.documents
    }

    pub(super) fn service(&self) -> &Levels {
        &self.service
    }

    pub(super) fn resource(&self) -> &Levels {
        &self.resource
    }
}

impl Levels {
    fn new(documents: Vec<Vec<AttachedDocument>>) -> Self {
        let mut fingerprint = Fingerprint::new();
        for level in &documents {
            fingerprint.layer("level", Some(level.iter()));
        }
        Self { documents, fingerprint: fingerprint.finish(), by_action: Arc::default() }
    }

    /// From the root.
    pub(super) fn documents(&self) -> &[Vec<AttachedDocument>] {
        &self.documents
    }

    /// What all of them are, in 128 bits of SHA-256.
    pub(super) fn fingerprint(&self) -> &[u8; 16] {
        &self.fingerprint
    }

    /// The slices for one action.
    pub(super) fn for_action(&self, action: &ActionName) -> Arc<ActionLevels> {
        self.by_action.get(action, || {
            let of_level =
                |level: &Vec<AttachedDocument>| level.iter().map(|attached| attached.document.slice(action)).collect();
            let slices: Vec<Vec<Arc<Slice>>> = self.documents.iter().map(of_level).collect();
            let reads = Reads::of(slices.iter().flatten());
            ActionLevels { slices, reads }
        })
    }
}

/// The control policies of every account of an organisation. It never changes: a reload makes
/// another.
#[derive(Debug, Default)]
pub struct Organization {
    accounts: HashMap<AccountId, ControlPolicies>,
}

impl Organization {
    /// The organisation of these accounts.
    #[must_use]
    pub fn new(accounts: HashMap<AccountId, ControlPolicies>) -> Self {
        Self { accounts }
    }

    /// The control policies of an account; none where it is not in the organisation.
    #[must_use]
    pub fn account(&self, account: AccountId) -> Option<&ControlPolicies> {
        self.accounts.get(&account)
    }
}
