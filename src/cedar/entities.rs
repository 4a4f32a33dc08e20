//! The entities of a request: its caller with its ancestors, and the actions with their group.

use std::collections::HashSet;
use std::str::FromStr;
use std::sync::LazyLock;

use cedar_policy::{Entities, Entity, EntityId, EntityTypeName, EntityUid};

use crate::aws::{AccountId, Arn, Caller, Principal, catalogue};
use crate::iam::{PrincipalElement, PrincipalPattern};

use super::actions::ActionUid;
use super::slice::EvaluationError;

/// The entity types, parsed once.
pub(super) struct Types {
    pub(super) account: EntityTypeName,
    pub(super) user: EntityTypeName,
    pub(super) root_user: EntityTypeName,
    pub(super) role: EntityTypeName,
    pub(super) session: EntityTypeName,
    pub(super) unique_id: EntityTypeName,
    pub(super) federated_user: EntityTypeName,
    pub(super) federated: EntityTypeName,
    pub(super) service: EntityTypeName,
    pub(super) anonymous: EntityTypeName,
    pub(super) key: EntityTypeName,
    pub(super) alias: EntityTypeName,
    pub(super) other: EntityTypeName,
    pub(super) kms_action: EntityTypeName,
    pub(super) aws_action: EntityTypeName,
}

/// The entity types.
pub(super) fn types() -> &'static Types {
    static TYPES: LazyLock<Types> = LazyLock::new(|| Types {
        account: type_name("aws::Account"),
        user: type_name("iam::User"),
        root_user: type_name("iam::RootUser"),
        role: type_name("iam::Role"),
        session: type_name("iam::Session"),
        unique_id: type_name("iam::UniqueId"),
        federated_user: type_name("sts::FederatedUser"),
        federated: type_name("aws::Federated"),
        service: type_name("aws::Service"),
        anonymous: type_name("aws::Anonymous"),
        key: type_name("kms::Key"),
        alias: type_name("kms::Alias"),
        other: type_name("aws::Resource"),
        kms_action: type_name("kms::Action"),
        aws_action: type_name("aws::Action"),
    });
    &TYPES
}

#[expect(clippy::expect_used, reason = "constants of this file; a test makes them all")]
fn type_name(text: &str) -> EntityTypeName {
    EntityTypeName::from_str(text).expect("an entity type's name")
}

fn uid(type_name: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(type_name.clone(), EntityId::new(id))
}

/// An action as Cedar sees it.
pub(super) fn action_uid(action: &ActionUid) -> EntityUid {
    let types = types();
    uid(if action.kms { &types.kms_action } else { &types.aws_action }, &action.id)
}

/// A caller and its ancestors, with the actions: made once for each caller, shared by its requests.
#[derive(Clone, Debug)]
pub struct CallerEntities {
    pub(super) principal: EntityUid,
    pub(super) entities: Entities,
    /// What Principal elements are compared with when statements are chosen.
    caller: Principal,
    account: Option<AccountId>,
    principal_arn: Arn,
    unique_id: String,
}

impl CallerEntities {
    /// The entities of that caller.
    ///
    /// # Errors
    /// Where Cedar refuses them.
    pub fn new(caller: &Caller) -> Result<Self, EvaluationError> {
        let types = types();
        let account = uid(&types.account, caller.account.as_str());
        let unique_id = |id: &str| uid(&types.unique_id, id.split(':').next().unwrap_or_default());
        let (principal, parents) = match &caller.principal {
            Principal::Root(_) => (uid(&types.root_user, caller.account.as_str()), vec![account]),
            Principal::User(arn) => (uid(&types.user, arn.as_str()), vec![account, unique_id(&caller.user_id)]),
            Principal::Role(arn) => (uid(&types.role, arn.as_str()), vec![account, unique_id(&caller.user_id)]),
            Principal::Session(arn) => {
                let role = uid(&types.role, caller.principal_arn.as_str());
                (uid(&types.session, arn.as_str()), vec![account, role, unique_id(&caller.user_id)])
            }
            Principal::FederatedUser(arn) => (uid(&types.federated_user, arn.as_str()), vec![account]),
            Principal::WebIdentity(provider) => (uid(&types.federated, provider.as_str()), Vec::new()),
            Principal::Service(name) => (uid(&types.service, name), Vec::new()),
            Principal::Anonymous => (uid(&types.anonymous, "anonymous"), Vec::new()),
        };
        let mut all = vec![Entity::new_no_attrs(principal.clone(), parents.iter().cloned().collect())];
        all.extend(parents.into_iter().map(Entity::with_uid));
        let group = action_uid(&ActionUid::kms_group());
        for action in catalogue::kms_actions() {
            let action = uid(&types.kms_action, action.name);
            all.push(Entity::new_no_attrs(action, HashSet::from([group.clone()])));
        }
        all.push(Entity::with_uid(group));
        let entities = Entities::from_entities(all, None).map_err(|error| EvaluationError::new(&error))?;
        Ok(Self {
            principal,
            entities,
            caller: caller.principal.clone(),
            account: caller.principal.account().map(|_| caller.account),
            principal_arn: caller.principal_arn.clone(),
            unique_id: caller.user_id.split(':').next().unwrap_or_default().to_owned(),
        })
    }

    /// Whether a statement with that Principal element can apply to the caller. Cedar has the
    /// last word; what is left out here could not match there.
    pub(super) fn may_be(&self, element: Option<&PrincipalElement>) -> bool {
        let Some(PrincipalElement::Principal(patterns)) = element else { return true };
        patterns.iter().any(|pattern| match pattern {
            PrincipalPattern::Anyone => true,
            PrincipalPattern::Account(account) => self.account == Some(*account),
            PrincipalPattern::User(arn)
            | PrincipalPattern::Role(arn)
            | PrincipalPattern::Session(arn)
            | PrincipalPattern::FederatedUser(arn) => self.caller.arn() == Some(arn) || self.principal_arn == *arn,
            PrincipalPattern::UniqueId(id) => self.unique_id == *id,
            PrincipalPattern::Service(name) => matches!(&self.caller, Principal::Service(own) if **own == **name),
            PrincipalPattern::Federated(name) => {
                matches!(&self.caller, Principal::WebIdentity(own) if own.as_str() == name)
            }
            PrincipalPattern::CanonicalUser(_) => false,
        })
    }
}
