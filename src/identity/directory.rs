use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use zeroize::Zeroizing;

use super::access_key::secret_fault;
use super::authorization_details::{PolicyText, PrincipalDetail};
use super::known::{Described, Known};
use super::organization::organization;
use super::{
    AccessKeyEntry, AuthorizationDetails, ControlPolicyTexts, IdentityError, MfaDevice, OidcProvider,
    OrganizationEntry, SharedCredentials,
};
use crate::authz::{
    AttachedDocument, DocumentSource, Organization, PrincipalDirectory, PrincipalLookup, PrincipalPolicies,
};
use crate::aws::{AccountId, Arn, Caller, Principal, Session};
use crate::cedar::{CompileError, CompiledDocument, Documents};
use crate::iam::{DocumentKind, PrincipalPattern};
use crate::sigv4::{Credential, CredentialSource, SecretKey, SessionToken, Unavailable};

/// Whom an access key belongs to, and the policies of that principal.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Who signs.
    pub caller: Arc<Caller>,
    /// What its policies say.
    pub policies: Arc<PrincipalPolicies>,
    /// How the audit shows it, once it was recorded: kept here because it lives as long.
    pub recorded: OnceLock<String>,
}

/// A snapshot of all identities. It never changes: a reload makes another.
#[derive(Default)]
pub struct Directory {
    keys: HashMap<Arc<str>, Arc<Credential<Arc<Identity>>>>,
    accounts: HashMap<AccountId, Account>,
    organization: Option<Arc<Organization>>,
    /// By serial number.
    mfa_devices: HashMap<String, MfaDevice>,
    /// By issuer.
    oidc_providers: HashMap<String, Arc<OidcProvider>>,
}

/// The principals of an account that is served.
#[derive(Default)]
pub(super) struct Account {
    /// By ARN.
    pub(super) users: HashMap<Arc<str>, Known>,
    /// By name: a session's ARN does not tell the role's path.
    pub(super) roles: HashMap<Arc<str>, Known>,
    /// The texts of the managed policies, by ARN, for the sessions that name them.
    managed: HashMap<String, (PolicyText, Arc<str>)>,
}

/// What a directory finds of a principal.
enum Found<'a> {
    /// Nothing can be known of it: a root user, a service, another account's.
    Unknowable,
    /// It would be known, and is not there.
    Missing,
    Known(&'a Known),
}

impl Directory {
    /// The credential of an access key.
    #[must_use]
    pub fn access_key(&self, id: &str) -> Option<&Arc<Credential<Arc<Identity>>>> {
        self.keys.get(id)
    }

    /// How many access keys there are.
    #[must_use]
    pub fn access_key_count(&self) -> usize {
        self.keys.len()
    }

    /// The control policies of the organisation; none where there is no organisation.
    #[must_use]
    pub fn organization(&self) -> Option<&Arc<Organization>> {
        self.organization.as_ref()
    }

    /// The role of that ARN, path included.
    #[must_use]
    pub fn role(&self, arn: &Arn) -> Option<Described<'_>> {
        let account = self.account(arn.account().parse().ok()?)?;
        let name = arn.resource().strip_prefix("role/")?.rsplit('/').next()?;
        account.roles.get(name).filter(|role| role.arn == *arn).map(Described)
    }

    /// The managed policy of that ARN as a session's policy, as an account's details describe it.
    /// None where they don't.
    ///
    /// # Errors
    /// Where it can't be compiled as one.
    pub fn session_policy(
        &self,
        account: AccountId,
        arn: &str,
        documents: &Documents,
    ) -> Option<Result<AttachedDocument, CompileError>> {
        let (policy, file) = self.account(account)?.managed.get(arn)?;
        let compiled = documents.compile(DocumentKind::SessionPolicy, &policy.text);
        Some(compiled.map(|document| attached(document, policy, file)))
    }

    /// The user, or the role of a session; none where its account's details don't tell of it.
    #[must_use]
    pub fn describe(&self, principal: &Principal) -> Option<Described<'_>> {
        match self.find(principal) {
            Found::Known(known) => Some(Described(known)),
            Found::Unknowable | Found::Missing => None,
        }
    }

    fn find(&self, principal: &Principal) -> Found<'_> {
        let Some(account) = principal.account().and_then(|account| self.accounts.get(&account)) else {
            return Found::Unknowable;
        };
        let known = match principal {
            Principal::User(arn) => account.users.get(arn.as_str()),
            Principal::Role(arn) => {
                principal.name().and_then(|name| account.roles.get(name)).filter(|role| role.arn == *arn)
            }
            Principal::Session(_) => principal.session_role_name().and_then(|name| account.roles.get(name)),
            Principal::Root(_)
            | Principal::FederatedUser(_)
            | Principal::WebIdentity(_)
            | Principal::Service(_)
            | Principal::Anonymous => return Found::Unknowable,
        };
        known.map_or(Found::Missing, Found::Known)
    }

    pub(super) fn account(&self, id: AccountId) -> Option<&Account> {
        self.accounts.get(&id)
    }

    /// The multi-factor device of that serial number.
    #[must_use]
    pub fn mfa_device(&self, serial: &str) -> Option<&MfaDevice> {
        self.mfa_devices.get(serial)
    }

    /// The identity provider whose tokens name that issuer (`iss`).
    #[must_use]
    pub fn oidc_provider(&self, issuer: &str) -> Option<&Arc<OidcProvider>> {
        self.oidc_providers.get(issuer)
    }

    /// The accounts that are served: those of any access key or authorization details.
    pub fn accounts(&self) -> impl Iterator<Item = AccountId> + '_ {
        self.accounts.keys().copied()
    }
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Directory")
            .field("access_keys", &self.keys.len())
            .field("accounts", &self.accounts.len())
            .finish_non_exhaustive()
    }
}

impl CredentialSource for Directory {
    type Identity = Arc<Identity>;

    fn credential(
        &self,
        access_key_id: &str,
        _session_token: Option<&[u8]>,
    ) -> Result<Option<Arc<Credential<Arc<Identity>>>>, Unavailable> {
        Ok(self.access_key(access_key_id).map(Arc::clone))
    }
}

impl PrincipalDirectory for Directory {
    /// Users, roles and sessions' roles must be known where their account is served; of other
    /// accounts, federated users and services nothing is known, so they are taken as they are.
    /// A unique id names a principal that is gone.
    fn exists(&self, principal: &PrincipalPattern) -> bool {
        let account = |arn: &Arn| arn.account().parse().ok().and_then(|id: AccountId| self.accounts.get(&id));
        match principal {
            PrincipalPattern::User(arn) => account(arn).is_none_or(|account| account.users.contains_key(arn.as_str())),
            PrincipalPattern::Role(arn) => account(arn).is_none_or(|account| {
                let name = arn.resource().rsplit('/').next().unwrap_or_default();
                account.roles.get(name).is_some_and(|role| role.arn == *arn)
            }),
            PrincipalPattern::Session(arn) => account(arn).is_none_or(|account| {
                arn.resource().split('/').nth(1).is_some_and(|name| account.roles.contains_key(name))
            }),
            PrincipalPattern::UniqueId(_) => false,
            PrincipalPattern::Anyone
            | PrincipalPattern::Account(_)
            | PrincipalPattern::FederatedUser(_)
            | PrincipalPattern::Service(_)
            | PrincipalPattern::Federated(_)
            | PrincipalPattern::CanonicalUser(_) => true,
        }
    }

    fn look_up(&self, principal: &Principal) -> PrincipalLookup {
        match self.find(principal) {
            Found::Unknowable => PrincipalLookup::Unknown,
            Found::Missing => PrincipalLookup::Missing,
            Found::Known(known) => PrincipalLookup::Known(Arc::clone(&known.id)),
        }
    }
}

/// Makes a [`Directory`]: first all authorization details, then all access keys.
pub struct DirectoryBuilder<'a> {
    documents: &'a Documents,
    directory: Directory,
    /// Which file described an account.
    described: HashMap<AccountId, Arc<str>>,
    /// Where each access key stands.
    places: HashMap<Arc<str>, String>,
}

/// What an [`AccessKeyEntry`] names in other files, read.
pub struct ResolvedSecrets {
    /// The secret access key.
    pub secret: Zeroizing<String>,
    /// The session policies in order: the file's name and its text.
    pub session_policies: Vec<(Arc<str>, String)>,
}

impl<'a> DirectoryBuilder<'a> {
    /// Nobody yet.
    #[must_use]
    pub fn new(documents: &'a Documents) -> Self {
        Self { documents, directory: Directory::default(), described: HashMap::new(), places: HashMap::new() }
    }

    /// Adds an account's users and roles, and compiles their policies.
    ///
    /// # Errors
    /// A policy that can't be compiled, with its place; an account that another file described.
    pub fn add_details(&mut self, details: AuthorizationDetails) -> Result<(), IdentityError> {
        let AuthorizationDetails { file, account, users, roles, managed } = details;
        let Some(account_id) = account else { return Ok(()) };
        if let Some(other) = self.described.insert(account_id, Arc::clone(&file)) {
            return Err(IdentityError {
                file,
                place: None,
                member: String::new(),
                message: format!("the account {account_id} is in {other} already; give each account one file"),
            });
        }
        let mut account = Account::default();
        for user in users {
            let user = self.known(&file, user)?;
            account.users.insert(user.0.arn.shared(), user.0);
        }
        for role in roles {
            let (role, name) = self.known(&file, role)?;
            account.roles.insert(name.into(), role);
        }
        account.managed = managed.into_iter().map(|(arn, policy)| (arn, (policy, Arc::clone(&file)))).collect();
        self.directory.accounts.insert(account_id, account);
        Ok(())
    }

    fn known(&self, file: &Arc<str>, detail: PrincipalDetail) -> Result<(Known, String), IdentityError> {
        let compile = |kind, policy: &PolicyText| self.compile(file, kind, policy);
        let identity = detail
            .policies
            .iter()
            .map(|policy| compile(DocumentKind::IdentityPolicy, policy))
            .collect::<Result<_, _>>()?;
        let boundary =
            detail.boundary.as_ref().map(|policy| compile(DocumentKind::PermissionsBoundary, policy)).transpose()?;
        let known = Known {
            arn: detail.arn,
            id: detail.id.into(),
            tags: detail.tags,
            policies: Arc::new(PrincipalPolicies::new(identity, boundary, None)),
            trust: detail.trust.as_ref().map(|policy| compile(DocumentKind::ResourcePolicy, policy)).transpose()?,
            max_session_seconds: detail.max_session_seconds,
        };
        Ok((known, detail.name))
    }

    fn compile(
        &self,
        file: &Arc<str>,
        kind: DocumentKind,
        policy: &PolicyText,
    ) -> Result<AttachedDocument, IdentityError> {
        let document = self.documents.compile(kind, &policy.text).map_err(|error| {
            let fault = Fault::from(error);
            let (place, message) = match fault.place {
                Some(place) if policy.in_place => (policy.place_in_the_file(place), fault.message),
                Some((line, column)) => {
                    (policy.place, format!("line {line}, column {column} of the document: {}", fault.message))
                }
                None => (policy.place, fault.message),
            };
            let separator = if fault.path.is_empty() { "" } else { ", " };
            let member = format!("{}{separator}{}", policy.member, fault.path);
            IdentityError { file: Arc::clone(file), place: Some(place), member, message }
        })?;
        Ok(attached(document, policy, file))
    }

    /// Adds a multi-factor device.
    ///
    /// # Errors
    /// None where the serial number is new; the device itself otherwise.
    pub fn add_mfa_device(&mut self, device: MfaDevice) -> Result<(), MfaDevice> {
        match self.directory.mfa_devices.entry(device.serial.clone()) {
            Entry::Occupied(_) => Err(device),
            Entry::Vacant(place) => {
                place.insert(device);
                Ok(())
            }
        }
    }

    /// Adds an identity provider.
    ///
    /// # Errors
    /// None where the issuer is new; the provider itself otherwise.
    pub fn add_oidc_provider(&mut self, provider: OidcProvider) -> Result<(), OidcProvider> {
        match self.directory.oidc_providers.entry(provider.issuer.clone()) {
            Entry::Occupied(_) => Err(provider),
            Entry::Vacant(place) => {
                place.insert(Arc::new(provider));
                Ok(())
            }
        }
    }

    /// Adds an access key of a credentials file.
    ///
    /// # Errors
    /// An id that was added before, a secret that is empty or holds white space, a session policy
    /// that can't be compiled.
    pub fn add_access_key(&mut self, entry: AccessKeyEntry, resolved: &ResolvedSecrets) -> Result<(), IdentityError> {
        if let Some(fault) = secret_fault(&resolved.secret) {
            return Err(IdentityError {
                file: entry.file,
                place: Some(entry.secret_place),
                member: format!("{}.secret", entry.member),
                message: format!("the secret that is named here {fault}"),
            });
        }
        let mut session_policies = Vec::with_capacity(resolved.session_policies.len());
        for (file, text) in &resolved.session_policies {
            let document = self.documents.compile(DocumentKind::SessionPolicy, text).map_err(|error| {
                let Fault { place, path, message } = Fault::from(error);
                IdentityError { file: Arc::clone(file), place, member: path, message }
            })?;
            let source = DocumentSource { file: Arc::clone(file), first_line: Some(1) };
            session_policies.push(AttachedDocument { document, arn: None, source: Some(source) });
        }
        let id: Arc<str> = entry.id.as_str().into();
        self.claim(&id, &entry.file, entry.place, &format!("{}.id", entry.member))?;
        let session = entry.session_token.is_some().then(|| Session {
            expires: entry.expires,
            // Unknown is the earliest: what revokes older sessions revokes this one.
            issued_at: Some(entry.issued_at.unwrap_or(jiff::Timestamp::UNIX_EPOCH)),
            mfa_authenticated_at: entry.mfa_authenticated_at,
            ..Session::default()
        });
        let policies = (!session_policies.is_empty()).then_some(session_policies);
        let identity =
            self.identity(&id, entry.principal, session, &entry.session_tags, policies).ok_or_else(|| {
                IdentityError {
                    file: Arc::clone(&entry.file),
                    place: Some(entry.place),
                    member: format!("{}.principal", entry.member),
                    message: "has no access keys; name a user, a root user or a role session".to_owned(),
                }
            })?;
        let mut credential = Credential::new(id, secret_key(&resolved.secret), next_version(), Arc::new(identity));
        if let Some(token) = &entry.session_token {
            credential = credential.temporary(SessionToken::from(token.as_str().to_owned()), entry.expires);
        }
        self.insert(credential);
        Ok(())
    }

    /// Adds the root user's key that a new data directory got.
    ///
    /// # Errors
    /// An id that was added before.
    pub fn add_root_key(&mut self, file: &Arc<str>, key: &SharedCredentials) -> Result<(), IdentityError> {
        let id: Arc<str> = key.id.as_str().into();
        self.claim(&id, file, (key.line, 1), "aws_access_key_id")?;
        let wrong = |message: String| IdentityError {
            file: Arc::clone(file),
            place: Some((key.line, 1)),
            member: "aws_account_id".to_owned(),
            message,
        };
        let root: Arn =
            format!("arn:aws:iam::{}:root", key.account).parse().map_err(|error| wrong(format!("{error}")))?;
        let identity = self
            .identity(&id, Principal::Root(root), None, &[], None)
            .ok_or_else(|| wrong("has no root user".to_owned()))?;
        self.insert(Credential::new(id, secret_key(&key.secret), next_version(), Arc::new(identity)));
        Ok(())
    }

    /// Takes an organisation file's accounts, and compiles their control policies.
    ///
    /// # Errors
    /// A policy that can't be compiled, or that `texts` lack, with its place.
    pub fn set_organization(
        &mut self,
        file: &Arc<str>,
        entries: &[OrganizationEntry],
        texts: &ControlPolicyTexts,
    ) -> Result<(), IdentityError> {
        self.directory.organization = Some(Arc::new(organization(self.documents, file, entries, texts)?));
        Ok(())
    }

    /// The directory.
    #[must_use]
    pub fn build(self) -> Directory {
        self.directory
    }

    fn insert(&mut self, credential: Credential<Arc<Identity>>) {
        self.directory.keys.insert(Arc::clone(&credential.access_key_id), Arc::new(credential));
    }

    /// Takes an access key id that nothing else has.
    fn claim(&mut self, id: &Arc<str>, file: &Arc<str>, place: (u32, u32), member: &str) -> Result<(), IdentityError> {
        let here = format!("{file}:{}:{}", place.0, place.1);
        match self.places.insert(Arc::clone(id), here) {
            None => Ok(()),
            Some(other) => Err(IdentityError {
                file: Arc::clone(file),
                place: Some(place),
                member: member.to_owned(),
                message: format!("the access key {id} is given at {other} already; remove one"),
            }),
        }
    }

    /// The caller and the policies of a principal that can have keys; it is known from now on.
    fn identity(
        &mut self,
        access_key_id: &Arc<str>,
        principal: Principal,
        session: Option<Session>,
        session_tags: &[(String, String)],
        session_policies: Option<Vec<AttachedDocument>>,
    ) -> Option<Identity> {
        let account_id = principal.account()?;
        let account = self.directory.accounts.entry(account_id).or_default();
        let name = principal.name().unwrap_or_default();
        let (principal_arn, user_id, tags, policies) = match &principal {
            Principal::Root(arn) => {
                (arn.clone(), account_id.as_str().into(), Vec::new(), Arc::<PrincipalPolicies>::default())
            }
            Principal::User(arn) => {
                let user =
                    account.users.entry(arn.shared()).or_insert_with(|| Known::without_details("AIDA", arn.clone()));
                (user.arn.clone(), Arc::clone(&user.id), user.tags.clone(), Arc::clone(&user.policies))
            }
            Principal::Session(arn) => {
                let role_name = principal.session_role_name()?;
                if !account.roles.contains_key(role_name) {
                    let role_arn =
                        format!("arn:{}:iam::{account_id}:role/{role_name}", arn.partition()).parse().ok()?;
                    account.roles.insert(role_name.into(), Known::without_details("AROA", role_arn));
                }
                let role = account.roles.get(role_name)?;
                (
                    role.arn.clone(),
                    format!("{}:{name}", role.id).into(),
                    overridden(&role.tags, session_tags),
                    Arc::clone(&role.policies),
                )
            }
            Principal::FederatedUser(arn) => {
                (arn.clone(), format!("{account_id}:{name}").into(), session_tags.to_vec(), Arc::default())
            }
            Principal::Role(_) | Principal::WebIdentity(_) | Principal::Service(_) | Principal::Anonymous => {
                return None;
            }
        };
        let policies = match session_policies {
            None => policies,
            limited => {
                Arc::new(PrincipalPolicies::new(policies.identity().to_vec(), policies.boundary().cloned(), limited))
            }
        };
        let caller = Caller {
            principal,
            account: account_id,
            principal_arn,
            user_id,
            access_key_id: Arc::clone(access_key_id),
            tags,
            session,
        };
        Some(Identity { caller: Arc::new(caller), policies, recorded: OnceLock::new() })
    }
}

/// A document of authorization details.
fn attached(document: Arc<CompiledDocument>, policy: &PolicyText, file: &Arc<str>) -> AttachedDocument {
    let first_line = policy.in_place.then_some(policy.place.0);
    let source = DocumentSource { file: Arc::clone(file), first_line };
    AttachedDocument { document, arn: policy.arn.clone(), source: Some(source) }
}

/// What is wrong in a policy document, and where in it.
pub(super) struct Fault {
    /// Line and column in the document, both from 1.
    pub(super) place: Option<(u32, u32)>,
    /// Such as `Statement[1].Effect`.
    pub(super) path: String,
    pub(super) message: String,
}

impl From<CompileError> for Fault {
    fn from(error: CompileError) -> Self {
        match error.parse {
            Some(parse) => {
                Self { place: Some((parse.line.max(1), parse.column.max(1))), path: parse.path, message: parse.message }
            }
            None => {
                Self { place: error.line.map(|line| (line.max(1), 1)), path: String::new(), message: error.message }
            }
        }
    }
}

/// The role's tags, but for those that the session sets (IAM User Guide, "Pass session tags in AWS
/// STS"): keys are told apart without regard to case.
pub(super) fn overridden(role: &[(String, String)], session: &[(String, String)]) -> Vec<(String, String)> {
    let set = |key: &str| session.iter().any(|(other, _)| other.to_lowercase() == key.to_lowercase());
    role.iter().filter(|(key, _)| !set(key)).chain(session).cloned().collect()
}

fn secret_key(secret: &Zeroizing<String>) -> SecretKey {
    SecretKey::from(secret.as_str().to_owned())
}

/// Each credential that is made has a version of its own, so that a signing key that was derived
/// from another secret is never taken for it.
pub(super) fn next_version() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{SecretSource, parse_credentials};

    const DETAILS: &str = include_str!("../../fixtures/iam/111122223333.json");
    const SESSION_POLICY: &str =
        r#"{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*"}}"#;

    const KEYS: &str = r#"
[[access_key]]
id = "AKIAIOSFODNN7EXAMPLE"
secret = "a"
principal = "arn:aws:iam::111122223333:user/alice"
[[access_key]]
id = "ASIAIOSFODNN7EXAMPLE"
secret = "b"
session_token = "token"
principal = "arn:aws:sts::111122223333:assumed-role/Rotator/nightly"
expires = "2027-01-01T00:00:00Z"
session_policies = ["session.json"]
session_tags = { team = "security" }
[[access_key]]
id = "ASIAUNKNOWNROLE00000"
secret = "c"
session_token = "token"
principal = "arn:aws:sts::444455556666:assumed-role/Elsewhere/s"
[[access_key]]
id = "AKIAUNKNOWNUSER00000"
secret = "d"
principal = "arn:aws:iam::111122223333:user/carol"
"#;

    fn add(builder: &mut DirectoryBuilder<'_>, keys: &str) -> Result<(), IdentityError> {
        for entry in parse_credentials(&"c.toml".into(), keys)? {
            let SecretSource::Inline(secret) = &entry.secret else { panic!("inline") };
            let session_policies =
                entry.session_policies.iter().map(|_| ("session.json".into(), SESSION_POLICY.to_owned())).collect();
            let resolved = ResolvedSecrets { secret: secret.clone(), session_policies };
            builder.add_access_key(entry, &resolved)?;
        }
        Ok(())
    }

    fn directory() -> Directory {
        let documents = Documents::default();
        let mut builder = DirectoryBuilder::new(&documents);
        builder.add_details(AuthorizationDetails::parse(&"d.json".into(), DETAILS).unwrap()).unwrap();
        add(&mut builder, KEYS).unwrap();
        builder.build()
    }

    fn identity(directory: &Directory, id: &str) -> Arc<Identity> {
        Arc::clone(&directory.access_key(id).unwrap().identity)
    }

    #[test]
    fn a_user_has_what_the_details_say_of_it() {
        let alice = identity(&directory(), "AKIAIOSFODNN7EXAMPLE");
        assert_eq!(&*alice.caller.user_id, "AIDACKCEVSQ6C2EXAMPLE");
        assert_eq!(alice.caller.tags, [("team".to_owned(), "security".to_owned())]);
        assert!(alice.caller.session.is_none());
        assert_eq!(alice.policies.identity().len(), 3);
        assert!(alice.policies.boundary().is_none() && alice.policies.session().is_none());
    }

    #[test]
    fn a_session_has_its_roles_arn_with_the_path_its_boundary_and_its_own_tags_over_the_roles() {
        let directory = directory();
        let nightly = identity(&directory, "ASIAIOSFODNN7EXAMPLE");
        assert_eq!(nightly.caller.principal_arn.as_str(), "arn:aws:iam::111122223333:role/service/Rotator");
        assert_eq!(&*nightly.caller.user_id, "AROADBQP57FF2AEXAMPLE:nightly");
        let tag = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(nightly.caller.tags, [tag("stage", "prod"), tag("team", "security")]);
        assert_eq!(nightly.policies.identity().len(), 2);
        assert!(nightly.policies.boundary().is_some());
        assert_eq!(nightly.policies.session().map(<[_]>::len), Some(1));
        let credential = directory.access_key("ASIAIOSFODNN7EXAMPLE").unwrap();
        assert_eq!(credential.expires.unwrap().to_string(), "2027-01-01T00:00:00Z");
        assert!(credential.session_token.is_some());
    }

    #[test]
    fn a_principal_without_an_entry_has_no_policies_and_a_lasting_id() {
        let session = identity(&directory(), "ASIAUNKNOWNROLE00000");
        assert_eq!(session.caller.principal_arn.as_str(), "arn:aws:iam::444455556666:role/Elsewhere");
        assert!(session.caller.user_id.starts_with("AROA") && session.caller.user_id.ends_with(":s"));
        assert!(session.policies.identity().is_empty());
        assert_eq!(session.caller.user_id, identity(&directory(), "ASIAUNKNOWNROLE00000").caller.user_id);
    }

    #[test]
    fn principals_of_served_accounts_exist_only_if_they_are_known() {
        let directory = directory();
        let user = |arn: &str| PrincipalPattern::User(arn.parse().unwrap());
        let role = |arn: &str| PrincipalPattern::Role(arn.parse().unwrap());
        let session = |arn: &str| PrincipalPattern::Session(arn.parse().unwrap());
        for (pattern, expected) in [
            (user("arn:aws:iam::111122223333:user/alice"), true),
            (user("arn:aws:iam::111122223333:user/Alice"), false),
            (user("arn:aws:iam::111122223333:user/contractors/bob"), true),
            (user("arn:aws:iam::111122223333:user/bob"), false),
            (user("arn:aws:iam::111122223333:user/carol"), true),
            (user("arn:aws:iam::999999999999:user/nobody"), true),
            (role("arn:aws:iam::111122223333:role/service/Rotator"), true),
            (role("arn:aws:iam::111122223333:role/Rotator"), false),
            (role("arn:aws:iam::444455556666:role/Elsewhere"), true),
            (role("arn:aws:iam::444455556666:role/Other"), false),
            (session("arn:aws:sts::111122223333:assumed-role/Rotator/any"), true),
            (session("arn:aws:sts::111122223333:assumed-role/Gone/any"), false),
            (PrincipalPattern::Account("111122223333".parse().unwrap()), true),
            (PrincipalPattern::Account("999999999999".parse().unwrap()), true),
            (PrincipalPattern::UniqueId("AIDACKCEVSQ6C2EXAMPLE".to_owned()), false),
            (PrincipalPattern::Service("s3.amazonaws.com".to_owned()), true),
            (PrincipalPattern::Anyone, true),
        ] {
            assert_eq!(directory.exists(&pattern), expected, "{pattern:?}");
        }
    }

    #[test]
    fn an_access_key_that_is_given_twice_is_an_error_with_both_places() {
        let documents = Documents::default();
        let mut builder = DirectoryBuilder::new(&documents);
        add(&mut builder, KEYS).unwrap();
        assert_eq!(
            add(&mut builder, KEYS).unwrap_err().to_string(),
            "c.toml:3:6: access_key[0].id: the access key AKIAIOSFODNN7EXAMPLE is given at c.toml:3:6 already; remove one"
        );
    }

    #[test]
    fn an_account_that_two_files_describe_is_an_error() {
        let documents = Documents::default();
        let mut builder = DirectoryBuilder::new(&documents);
        builder.add_details(AuthorizationDetails::parse(&"a.json".into(), DETAILS).unwrap()).unwrap();
        let again = AuthorizationDetails::parse(&"b.json".into(), DETAILS).unwrap();
        assert_eq!(
            builder.add_details(again).unwrap_err().to_string(),
            "b.json: the account 111122223333 is in a.json already; give each account one file"
        );
    }

    #[test]
    fn a_policy_that_cannot_be_compiled_is_named_with_its_line_in_the_file() {
        let documents = Documents::default();
        let mut builder = DirectoryBuilder::new(&documents);
        let broken = DETAILS.replacen("\"Effect\": \"Deny\"", "\"Effect\": \"Perhaps\"", 1);
        let details = AuthorizationDetails::parse(&"d.json".into(), &broken).unwrap();
        let error = builder.add_details(details).unwrap_err();
        let start = "d.json:16:39: user alice, policy DenyScheduleKeyDeletion, Statement.Effect: ";
        assert!(error.to_string().starts_with(start), "{error}");
    }
}
