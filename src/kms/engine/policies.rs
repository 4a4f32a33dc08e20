use std::sync::Arc;

use data_encoding::HEXLOWER;
use serde_json::json;

use super::change::Change;
use super::page::{LONG, Window};
use super::{Kms, answer, changed};
use crate::authz::{Permit, PrincipalDirectory, Resource};
use crate::aws::{AccountId, ActionName};
use crate::cedar::CompiledDocument;
use crate::iam::{DocumentKind, PrincipalElement, PrincipalPattern};
use crate::kms::Answer;
use crate::kms::api::Kind;
use crate::kms::error::{KmsError, texts};
use crate::kms::managed::{self, Service};
use crate::kms::operation::Page;
use crate::kms::records::{KeyRecord, KeyView, PolicyRef, decode};
use crate::kms::resolve::{Key, Resolved};
use crate::kms::rows;
use crate::kms::wire::ObjectText;

/// The only name a key policy has.
const POLICY_NAME: &str = "default";

/// A key policy that a request gives, compiled and found good.
pub(super) struct NewPolicy {
    pub(super) text: String,
    pub(super) hash: String,
    compiled: Arc<CompiledDocument>,
}

impl NewPolicy {
    pub(super) fn reference(&self) -> PolicyRef {
        PolicyRef::Text { sha256: self.hash.clone(), bytes: self.text.len() }
    }
}

/// The policy of a key that was created without one (KMS Developer Guide, "Default key policy").
fn default_policy(account: AccountId, partition: &str) -> String {
    format!(
        r#"{{
  "Version" : "2012-10-17",
  "Id" : "key-default-1",
  "Statement" : [ {{
    "Sid" : "Enable IAM User Permissions",
    "Effect" : "Allow",
    "Principal" : {{
      "AWS" : "arn:{partition}:iam::{account}:root"
    }},
    "Action" : "kms:*",
    "Resource" : "*"
  }} ]
}}"#
    )
}

impl Kms {
    /// The compiled policy of a key; none where its row has gone, which tells that the record was
    /// replaced since it was read.
    pub(super) async fn policy_of(&self, view: &KeyView) -> Result<Option<Arc<CompiledDocument>>, KmsError> {
        if let Some(policy) = view.policy.get() {
            return Ok(Some(Arc::clone(policy)));
        }
        let text = match &view.record.policy {
            PolicyRef::Default => default_policy(view.name.account, view.arn.partition()),
            PolicyRef::Managed { service } => {
                let service = Service::named(service)
                    .ok_or_else(|| KmsError::internal(format!("no policy is known of the service of {}", view.arn)))?;
                managed::policy(service, view.name.account, &view.name.region)
            }
            PolicyRef::Text { sha256, .. } => {
                let row = rows::policy(&view.name, sha256);
                match self.store().snapshot().await?.get(&row).await? {
                    Some(found) => decode::<String>(&found.value).map_err(KmsError::internal)?,
                    None => return Ok(None),
                }
            }
        };
        let compiled = self
            .inner
            .documents
            .compile(DocumentKind::KeyPolicy, &text)
            .map_err(|error| KmsError::internal(format!("the stored policy of {}: {error}", view.arn)))?;
        Ok(Some(Arc::clone(view.policy.get_or_init(|| compiled))))
    }

    /// Reads a key policy that a request gives.
    ///
    /// # Errors
    /// `LimitExceededException` for one too long; `MalformedPolicyDocumentException` with the place
    /// for one that is not in the policy grammar, or that names a principal that does not exist.
    pub(super) fn new_policy(&self, text: &str, directory: &dyn PrincipalDirectory) -> Result<NewPolicy, KmsError> {
        let most = self.enforced().quotas.key_policy_bytes;
        if text.len() > most {
            return Err(texts::limit(format!("The key policy has {} bytes, and may have at most {most}.", text.len())));
        }
        let compiled = self
            .inner
            .documents
            .compile(DocumentKind::KeyPolicy, text)
            .map_err(|error| texts::malformed_policy(error.to_string()))?;
        let named =
            compiled.document().statements.iter().filter_map(|statement| statement.principal.as_ref()).flat_map(
                |(PrincipalElement::Principal(patterns) | PrincipalElement::NotPrincipal(patterns))| patterns,
            );
        for pattern in named {
            let exists = match pattern {
                // A unique id is what is left of a principal that was deleted.
                PrincipalPattern::UniqueId(_) => false,
                PrincipalPattern::User(_)
                | PrincipalPattern::Role(_)
                | PrincipalPattern::Session(_)
                | PrincipalPattern::FederatedUser(_)
                | PrincipalPattern::Account(_) => directory.exists(pattern),
                _ => true,
            };
            if !exists {
                return Err(texts::malformed_policy(
                    "Policy contains a statement with one or more invalid principals.",
                ));
            }
        }
        Ok(NewPolicy { text: text.to_owned(), hash: HEXLOWER.encode(&compiled.hash()), compiled })
    }

    /// The lock-out check: the caller must be able to change the policy again (KMS API Reference,
    /// "`PutKeyPolicy`", `BypassPolicyLockoutSafetyCheck`).
    pub(super) fn hold_open(
        &self,
        permit: &Permit<Resolved>,
        view: &KeyView,
        policy: &NewPolicy,
    ) -> Result<(), KmsError> {
        const PUT_KEY_POLICY: ActionName = ActionName::of("kms:PutKeyPolicy");
        let key = Resource::Key { arn: view.arn.clone(), attributes: Arc::clone(&view.attributes) };
        if permit.would_still_allow_on(&self.inner.authorizer, PUT_KEY_POLICY, key, &policy.compiled) {
            return Ok(());
        }
        Err(texts::malformed_policy("The new key policy will not allow you to update the key policy in the future."))
    }

    pub(super) async fn put_key_policy(
        &self,
        permit: &Permit<Resolved>,
        key: &Key,
        name: Option<&str>,
        text: &str,
        bypass: bool,
        directory: &dyn PrincipalDirectory,
    ) -> Result<Answer, KmsError> {
        named_default(name)?;
        let view = key.view();
        let policy = self.new_policy(text, directory)?;
        if !bypass {
            self.hold_open(permit, view, &policy)?;
        }
        let mut change = Change::of(&key.record);
        if let PolicyRef::Text { sha256, .. } = &view.record.policy {
            change.delete(rows::policy(&view.name, sha256));
        }
        change.put(rows::policy(&view.name, &policy.hash), &policy.text)?;
        change.put_key(view, &KeyRecord { policy: policy.reference(), ..view.record.clone() })?;
        self.commit(change).await?;
        Ok(changed(key))
    }

    pub(super) fn key_policy(key: &Key, name: Option<&str>) -> Result<Answer, KmsError> {
        named_default(name)?;
        Ok(answer(
            key,
            Some(ObjectText::new().text("Policy", key.policy.text()).text("PolicyName", POLICY_NAME).finish()),
        ))
    }

    pub(super) fn list_key_policies(key: &Key, page: &Page) -> Result<Answer, KmsError> {
        let window = Window::read(Kind::ListKeyPolicies, page, &LONG)?;
        let names = if window.after.is_some() { Vec::new() } else { vec![POLICY_NAME] };
        Ok(answer(key, Some(window.answer("PolicyNames", names, |name| name.as_bytes().to_vec(), |name| json!(name)))))
    }
}

fn named_default(name: Option<&str>) -> Result<(), KmsError> {
    if name.is_none_or(|name| name == POLICY_NAME) { Ok(()) } else { Err(texts::no_such_policy()) }
}
