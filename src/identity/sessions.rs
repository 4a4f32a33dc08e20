//! The sessions that a directory's principals hold, found in the tokens that come with requests.

use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::directory::{next_version, overridden};
use super::known::Known;
use super::session::MAX_TOKEN_CHARACTERS;
use super::{Directory, Identity, SessionRecord, SessionSubject};
use crate::authz::{AttachedDocument, PrincipalPolicies};
use crate::aws::{AccountId, Arn, Caller, Principal, Session};
use crate::cedar::Documents;
use crate::iam::DocumentKind;
use crate::seal::SealingKey;
use crate::sigv4::{Credential, CredentialSource, SecretKey, SessionToken, Unavailable};

/// What the root user that federates may do: everything, within what the session is given.
const EVERYTHING: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;

/// A directory with the sessions of its principals: the access keys that it lists, and those whose
/// session token tells of them.
///
/// A session is what its token says of it within what its principal may do NOW: a reload makes another
/// directory and another of these, and who is not there any more has no sessions.
pub struct Sessions {
    directory: Arc<Directory>,
    key: Arc<SealingKey>,
    documents: Arc<Documents>,
    /// By the hash of access key id and token.
    opened: moka::sync::Cache<[u8; 32], Arc<Credential<Arc<Identity>>>>,
}

impl Sessions {
    /// Most memory that opened sessions may take, in bytes.
    const MAX_BYTES: u64 = 64 << 20;

    /// The sessions of a directory's principals.
    #[must_use]
    pub fn new(directory: Arc<Directory>, key: Arc<SealingKey>, documents: Arc<Documents>) -> Self {
        let opened = moka::sync::Cache::builder()
            .max_capacity(Self::MAX_BYTES)
            .weigher(|_, credential: &Arc<Credential<Arc<Identity>>>| weight(credential))
            .build();
        Self { directory, key, documents, opened }
    }

    /// The directory.
    #[must_use]
    pub fn directory(&self) -> &Arc<Directory> {
        &self.directory
    }

    fn opened(&self, access_key_id: &str, token: &[u8]) -> Option<Arc<Credential<Arc<Identity>>>> {
        // Nothing longer was issued, and nothing is hashed for it.
        if token.len() > MAX_TOKEN_CHARACTERS {
            return None;
        }
        let mut hash = Sha256::new();
        hash.update(access_key_id.len().to_le_bytes());
        hash.update(access_key_id);
        hash.update(token);
        let hash = hash.finalize().into();
        if let Some(known) = self.opened.get(&hash) {
            return Some(known);
        }
        let credential = Arc::new(self.open(access_key_id, token)?);
        self.opened.insert(hash, Arc::clone(&credential));
        Some(credential)
    }

    fn open(&self, access_key_id: &str, token: &[u8]) -> Option<Credential<Arc<Identity>>> {
        let (session, secret) = SessionRecord::open(&self.key, access_key_id, token)?;
        let id: Arc<str> = access_key_id.into();
        let identity = self.directory.identity_of(&session, &id, &self.documents)?;
        let token = SessionToken::from(std::str::from_utf8(token).ok()?.to_owned());
        let expires = Timestamp::from_second(session.expires).ok()?;
        let secret = SecretKey::from(secret.as_str().to_owned());
        Some(Credential::new(id, secret, next_version(), Arc::new(identity)).temporary(token, Some(expires)))
    }
}

impl CredentialSource for Sessions {
    type Identity = Arc<Identity>;

    fn credential(
        &self,
        access_key_id: &str,
        session_token: Option<&[u8]>,
    ) -> Result<Option<Arc<Credential<Arc<Identity>>>>, Unavailable> {
        let listed = self.directory.access_key(access_key_id).map(Arc::clone);
        Ok(listed.or_else(|| self.opened(access_key_id, session_token?)))
    }
}

/// About how much memory an opened session takes, in bytes.
fn weight(credential: &Credential<Arc<Identity>>) -> u32 {
    let identity = &credential.identity;
    let tags: usize = identity.caller.tags.iter().map(|(key, value)| key.len() + value.len() + 48).sum();
    let documents = identity.policies.session().map_or(0, |documents| {
        let texts: usize = documents.iter().map(|attached| attached.document.text().len()).sum();
        // The session's own view of its role's policies, and what its documents compiled to.
        8192 + 16 * texts
    });
    u32::try_from(4096 + tags + documents).unwrap_or(u32::MAX)
}

impl Directory {
    /// Who holds a session, with the policies that hold for it now; none where its principal is not
    /// there any more, or one of its policies.
    fn identity_of(
        &self,
        session: &SessionRecord,
        access_key_id: &Arc<str>,
        documents: &Documents,
    ) -> Option<Identity> {
        let of = self.subject(&session.subject, documents)?;
        let account = of.principal.account()?;
        let policies = match of.limits(self.policies_of(session, account, documents)?) {
            None => of.policies,
            limited => Arc::new(PrincipalPolicies::new(
                of.policies.identity().to_vec(),
                of.policies.boundary().cloned(),
                limited,
            )),
        };
        let caller = Caller {
            principal: of.principal,
            account,
            principal_arn: of.principal_arn,
            user_id: of.user_id,
            access_key_id: Arc::clone(access_key_id),
            tags: overridden(&of.tags, &session.tags),
            session: Some(Session {
                issued_at: Some(Timestamp::from_second(session.issued_at).ok()?),
                expires: Some(Timestamp::from_second(session.expires).ok()?),
                mfa_authenticated_at: match session.mfa_authenticated_at {
                    None => None,
                    Some(at) => Some(Timestamp::from_second(at).ok()?),
                },
                source_identity: session.source_identity.clone(),
                federated_provider: session.federated_provider.clone(),
                federated_by: of.federated_by,
                transitive_tag_keys: session.transitive_tag_keys.clone(),
            }),
        };
        Some(Identity { caller: Arc::new(caller), policies, recorded: OnceLock::new() })
    }

    /// The session's own policies, inline first.
    fn policies_of(
        &self,
        session: &SessionRecord,
        account: AccountId,
        documents: &Documents,
    ) -> Option<Vec<AttachedDocument>> {
        let inline = session
            .policy
            .iter()
            .map(|text| documents.compile(DocumentKind::SessionPolicy, text).ok().map(AttachedDocument::from));
        // One that is gone may have denied: the session ends with it.
        let managed = session.policy_arns.iter().map(|arn| self.session_policy(account, arn, documents)?.ok());
        inline.chain(managed).collect()
    }

    fn subject(&self, subject: &SessionSubject, documents: &Documents) -> Option<Subject> {
        match subject {
            SessionSubject::Role { arn, id, name } => {
                let arn: Arn = arn.parse().ok()?;
                let role = self.known_role(&arn).filter(|role| *role.id == **id)?;
                let role_name = arn.resource().rsplit('/').next()?;
                let session = format!("arn:{}:sts::{}:assumed-role/{role_name}/{name}", arn.partition(), arn.account());
                Some(Subject {
                    principal: Principal::Session(session.parse().ok()?),
                    user_id: format!("{id}:{name}").into(),
                    ..Subject::of(role)
                })
            }
            SessionSubject::User { arn, id } => Some(Subject::of(self.known_user(arn, id)?)),
            SessionSubject::Root { arn } => {
                let arn: Arn = arn.parse().ok()?;
                let account: AccountId = arn.account().parse().ok()?;
                self.account(account)?;
                Some(Subject {
                    principal: Principal::Root(arn.clone()),
                    principal_arn: arn,
                    user_id: account.as_str().into(),
                    tags: Vec::new(),
                    policies: Arc::default(),
                    federated_by: None,
                })
            }
            SessionSubject::FederatedUser { name, by, by_id } => {
                let (base, federated_by) = if let Some(id) = by_id {
                    let user = self.known_user(by, id)?;
                    (Subject::of(user), Some(user.arn.clone()))
                } else {
                    let root = self.subject(&SessionSubject::Root { arn: by.clone() }, documents)?;
                    let everything = documents.compile(DocumentKind::IdentityPolicy, EVERYTHING).ok()?;
                    let policies = Arc::new(PrincipalPolicies::new(vec![everything.into()], None, None));
                    (Subject { policies, ..root }, None)
                };
                let account = base.principal.account()?;
                let partition = base.principal_arn.partition();
                let arn: Arn = format!("arn:{partition}:sts::{account}:federated-user/{name}").parse().ok()?;
                Some(Subject {
                    principal: Principal::FederatedUser(arn.clone()),
                    principal_arn: arn,
                    user_id: format!("{account}:{name}").into(),
                    federated_by,
                    ..base
                })
            }
        }
    }

    fn known_role(&self, arn: &Arn) -> Option<&Known> {
        let account = self.account(arn.account().parse().ok()?)?;
        account.roles.get(arn.resource().rsplit('/').next()?).filter(|role| role.arn == *arn)
    }

    fn known_user(&self, arn: &str, id: &str) -> Option<&Known> {
        let parsed: Arn = arn.parse().ok()?;
        self.account(parsed.account().parse().ok()?)?.users.get(arn).filter(|user| *user.id == *id)
    }
}

/// Whose a session is, with what it has before anything of the session's own.
struct Subject {
    principal: Principal,
    principal_arn: Arn,
    user_id: Arc<str>,
    tags: Vec<(String, String)>,
    policies: Arc<PrincipalPolicies>,
    federated_by: Option<Arn>,
}

impl Subject {
    /// A user, or what a role gives to its sessions.
    fn of(known: &Known) -> Self {
        Self {
            principal: Principal::User(known.arn.clone()),
            principal_arn: known.arn.clone(),
            user_id: Arc::clone(&known.id),
            tags: known.tags.clone(),
            policies: Arc::clone(&known.policies),
            federated_by: None,
        }
    }

    /// The session policies that limit it. A federated user who was given none may do nothing but what
    /// a resource's policy grants to it (STS API Reference, "GetFederationToken").
    fn limits(&self, policies: Vec<AttachedDocument>) -> Option<Vec<AttachedDocument>> {
        let is_federated = matches!(self.principal, Principal::FederatedUser(_));
        (is_federated || !policies.is_empty()).then_some(policies)
    }
}
