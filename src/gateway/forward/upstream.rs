use std::sync::Arc;
use std::time::Duration;

use aws_credential_types::Credentials;

use super::resign::Signer;
use super::sender::Sender;
use crate::authz::{AttachedDocument, DocumentSource};
use crate::aws::{AccountId, Arn};
use crate::cedar::Documents;
use crate::config::{Config, ConfigError, UpstreamAccount, UpstreamSettings};
use crate::iam::DocumentKind;
use crate::identity::Directory;
use crate::services::Definition;

/// A service behind the gateway.
pub(in super::super) struct Upstream {
    pub(in super::super) definition: Arc<Definition>,
    /// Whose resources it holds; none for each caller's own.
    pub(super) account: Option<AccountId>,
    resource_policies: Vec<(Arn, AttachedDocument)>,
    pub(super) virtual_hosts: Vec<String>,
    pub(super) sender: Sender,
    pub(super) signer: Option<Signer>,
    pub(in super::super) max_body_bytes: usize,
    pub(in super::super) idle_timeout: Duration,
}

impl Upstream {
    /// Reads what the settings name.
    ///
    /// # Errors
    /// A secret, a policy or certificates that can't be read; an account that is not told.
    pub(in super::super) fn new(
        settings: &UpstreamSettings,
        config: &Config,
        directory: &Directory,
        documents: &Documents,
    ) -> Result<Self, ConfigError> {
        let account = match settings.account {
            UpstreamAccount::Of(account) => Some(account),
            UpstreamAccount::Callers => None,
            UpstreamAccount::TheOnlyOne => {
                let mut accounts = directory.accounts();
                let (only, another) = (accounts.next(), accounts.next());
                if another.is_some() {
                    let message = format!(
                        "say whose resources the upstream `{}` holds: `account` is an account id, or \"caller\" where it keeps the accounts of its callers apart by itself",
                        settings.service
                    );
                    return Err(config.error("upstream", message));
                }
                only
            }
        };
        let mut resource_policies = Vec::with_capacity(settings.resource_policies.len());
        for policy in &settings.resource_policies {
            let text = policy.read()?;
            let file: Arc<str> = policy.policy.display().to_string().into();
            let compiled = documents.compile(DocumentKind::ResourcePolicy, &text).map_err(|error| ConfigError {
                file: Some(file.to_string()),
                place: error.line.map(|line| (line, 1)),
                member: String::new(),
                message: error.to_string(),
            })?;
            let source = Some(DocumentSource { file, first_line: Some(1) });
            resource_policies.push((policy.resource.clone(), AttachedDocument { source, ..compiled.into() }));
        }
        let signer = match &settings.resign {
            None => None,
            Some(resign) => {
                let secret = resign.read_secret(config)?;
                let token = resign.session_token.as_ref().map(|token| token.as_str().to_owned());
                Some(Signer {
                    service: settings.service.to_string(),
                    credentials: Credentials::new(&resign.access_key_id, &**secret, token, None, "keystile"),
                    region: resign.region.clone(),
                })
            }
        };
        Ok(Self {
            definition: Arc::clone(&settings.definition),
            account,
            resource_policies,
            virtual_hosts: settings.virtual_hosts.clone(),
            sender: Sender::new(settings).map_err(|message| config.error("upstream", message))?,
            signer,
            max_body_bytes: usize::try_from(settings.max_body_bytes).unwrap_or(usize::MAX),
            idle_timeout: settings.idle_timeout,
        })
    }

    /// The policy of a resource; an S3 object's is its bucket's.
    pub(in super::super) fn resource_policy(&self, arn: &Arn) -> Option<&AttachedDocument> {
        let text = arn.as_str();
        let bearer = match arn.service() {
            "s3" => text.split_once('/').map_or(text, |(bucket, _)| bucket),
            _ => text,
        };
        self.resource_policies.iter().find(|(resource, _)| resource.as_str() == bearer).map(|(_, policy)| policy)
    }
}
