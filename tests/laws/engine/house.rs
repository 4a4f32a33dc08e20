//! An engine over redb in a temporary directory, with a clock that tests move, asked by the
//! account's root user through the real authorizer.

use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use keystile::authz::{Authorizer, PrincipalDirectory, PrincipalLookup, PrincipalPolicies};
use keystile::aws::{Caller, Clock, OffsetClock, Principal, Surroundings};
use keystile::cedar::Documents;
use keystile::iam::PrincipalPattern;
use keystile::kms::{Kms, KmsError, OpenError, Operation, Quotas, Settings};
use keystile::seal::{Keyring, RootKey};
use keystile::store::{RedbSettings, RedbStore, Store};
use serde_json::{Value, json};

use super::counting::{Count, Counting};
use super::proxy::FakeProxy;

pub(crate) const ACCOUNT: &str = "111122223333";
pub(crate) const DAY: i64 = 86_400;
/// 2026-01-01T00:00:00Z.
pub(crate) const START: i64 = 1_767_225_600;

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub(crate) struct ManualClock(AtomicI64);

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.0.load(Ordering::Relaxed)).unwrap()
    }
}

/// Everyone exists but whoever is called a ghost.
pub(crate) struct Directory;

impl PrincipalDirectory for Directory {
    fn exists(&self, principal: &PrincipalPattern) -> bool {
        !format!("{principal:?}").contains("ghost")
    }

    fn look_up(&self, principal: &Principal) -> PrincipalLookup {
        match principal {
            Principal::User(arn) | Principal::Role(arn) if arn.as_str().contains("ghost") => PrincipalLookup::Missing,
            _ => PrincipalLookup::Unknown,
        }
    }
}

pub(crate) struct House {
    pub(crate) kms: Kms,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) authorizer: Arc<Authorizer>,
    pub(crate) directory: tempfile::TempDir,
    /// The proxy of every external key store.
    pub(crate) proxy: Arc<FakeProxy>,
    region: &'static str,
}

/// What a request came to: its body (null where it is empty), or code and text.
pub(crate) type Outcome = Result<Value, (String, String)>;

pub(crate) fn root_key(byte: u8) -> RootKey {
    RootKey::from_base64(&data_encoding::BASE64.encode(&[byte; 32])).unwrap()
}

pub(crate) async fn open(
    directory: &Path,
    key: RootKey,
    clock: &Arc<ManualClock>,
    settings: Settings,
    test_clock: bool,
) -> Result<(Kms, Arc<Authorizer>), OpenError> {
    let store = Arc::new(RedbStore::open(directory, &RedbSettings::default()).unwrap());
    let authorizer = Arc::new(Authorizer::new(keystile::authz::Settings::default()));
    let offset = OffsetClock::new(Arc::clone(clock) as Arc<dyn Clock>, 0);
    let documents = Arc::new(Documents::default());
    let kms = Kms::open(store, key, offset, documents, Arc::clone(&authorizer), settings, test_clock).await?;
    Ok((kms, authorizer))
}

impl House {
    pub(crate) async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock(AtomicI64::new(START)));
        let (kms, authorizer) = open(directory.path(), root_key(1), &clock, Settings::default(), false).await.unwrap();
        let proxy = FakeProxy::of(&kms);
        Self { kms, clock, authorizer, directory, proxy, region: "us-east-1" }
    }

    pub(crate) async fn with_quotas(quotas: Quotas) -> Self {
        let house = Self::new().await;
        house.kms.enforce_quotas(quotas);
        house
    }

    /// A house over a store that notes which rows are read and written.
    pub(crate) async fn counted() -> (Self, Arc<Mutex<Count>>) {
        let directory = tempfile::tempdir().unwrap();
        let (store, count) =
            Counting::over(Arc::new(RedbStore::open(directory.path(), &RedbSettings::default()).unwrap()));
        let house = Self::over(Arc::new(store), root_key(1)).await.unwrap();
        (Self { directory, ..house }, count)
    }

    /// Over a store of the test's own, under these root keys.
    pub(crate) async fn over(store: Arc<dyn Store>, keys: impl Into<Keyring>) -> Result<Self, OpenError> {
        let clock = Arc::new(ManualClock(AtomicI64::new(START)));
        let authorizer = Arc::new(Authorizer::new(keystile::authz::Settings::default()));
        let offset = OffsetClock::new(Arc::clone(&clock) as Arc<dyn Clock>, 0);
        let documents = Arc::new(Documents::default());
        let shared = Arc::clone(&authorizer);
        let kms = Kms::open(store, keys, offset, documents, shared, Settings::default(), false).await?;
        let proxy = FakeProxy::of(&kms);
        Ok(Self { kms, clock, authorizer, directory: tempfile::tempdir().unwrap(), proxy, region: "us-east-1" })
    }

    /// Closes everything and opens it again.
    pub(crate) async fn restarted(self) -> Self {
        let Self { kms, clock, authorizer, directory, proxy, region } = self;
        drop((kms, authorizer));
        let (kms, authorizer) = open(directory.path(), root_key(1), &clock, Settings::default(), false).await.unwrap();
        kms.reach_external_key_stores(Arc::clone(&proxy) as _);
        Self { kms, clock, authorizer, directory, proxy, region }
    }

    pub(crate) fn sleep(&self, days: i64) {
        self.pass(days * DAY);
    }

    pub(crate) fn pass(&self, seconds: i64) {
        self.clock.0.fetch_add(seconds, Ordering::Relaxed);
    }

    pub(crate) fn caller(principal: &str, account: &str) -> Arc<Caller> {
        Arc::new(Caller {
            principal: principal.parse().unwrap(),
            account: account.parse().unwrap(),
            principal_arn: principal.parse().unwrap(),
            user_id: account.into(),
            access_key_id: "AKIAIOSFODNN7EXAMPLE".into(),
            tags: Vec::new(),
            session: None,
        })
    }

    pub(crate) fn root() -> Arc<Caller> {
        Self::caller("arn:aws:iam::111122223333:root", ACCOUNT)
    }

    pub(crate) fn surroundings(&self) -> Arc<Surroundings> {
        Arc::new(Surroundings {
            source_ip: None,
            user_agent: None,
            referer: None,
            secure_transport: true,
            region: self.region.parse().unwrap(),
            now: self.clock.now(),
        })
    }

    /// One request by the root user, with what the gateway does on a conflict.
    pub(crate) async fn call(&self, operation: &str, body: Value) -> Outcome {
        self.call_as(&Self::root(), operation, body).await
    }

    pub(crate) async fn call_as(&self, caller: &Arc<Caller>, operation: &str, body: Value) -> Outcome {
        self.call_in(self.region, caller, operation, body).await
    }

    pub(crate) async fn call_in(&self, region: &str, caller: &Arc<Caller>, operation: &str, body: Value) -> Outcome {
        let surroundings = || {
            let here = Surroundings::clone(&self.surroundings());
            Arc::new(Surroundings { region: region.parse().unwrap(), ..here })
        };
        let text = body.to_string();
        let failed = |error: KmsError| (error.code().to_owned(), error.message().unwrap_or_default().to_owned());
        let mut is_counted = false;
        loop {
            let parsed = Operation::parse(operation, text.as_bytes()).map_err(failed)?;
            let resolved = self.kms.resolve(parsed, caller, &surroundings()).await;
            if !std::mem::replace(&mut is_counted, true) {
                let counted = match &resolved {
                    Ok(resolved) => self.kms.count_request(resolved),
                    Err(_) => self.kms.count_unresolved(operation, caller.account, &surroundings().region),
                };
                counted.map_err(failed)?;
            }
            let resolved = resolved.map_err(failed)?;
            let permit = self.authorizer.authorize(resolved, &Arc::new(PrincipalPolicies::default()), None).map_err(
                |denial| ("AccessDeniedException".to_owned(), denial.decision.message.clone().unwrap_or_default()),
            )?;
            match self.kms.execute(permit, &Directory).await {
                Ok(answer) => return Ok(answer.body.map_or(Value::Null, |body| body.to_value())),
                Err(error) if error.is_conflict() => {}
                Err(error) => return Err(failed(error)),
            }
        }
    }

    /// The answer of a request that must succeed.
    pub(crate) async fn ok(&self, operation: &str, body: Value) -> Value {
        match self.call(operation, body.clone()).await {
            Ok(answer) => answer,
            Err(error) => panic!("{operation} {body}: {error:?}"),
        }
    }

    /// Code and text of a request that must fail.
    pub(crate) async fn fails(&self, operation: &str, body: Value) -> (String, String) {
        match self.call(operation, body.clone()).await {
            Err(error) => error,
            Ok(answer) => panic!("{operation} {body}: {answer}"),
        }
    }

    /// A new key's id and ARN.
    pub(crate) async fn key(&self) -> (String, String) {
        let made = self.ok("CreateKey", json!({})).await;
        let metadata = &made["KeyMetadata"];
        (text(&metadata["KeyId"]), text(&metadata["Arn"]))
    }

    pub(crate) async fn rotations(&self, key: &str) -> Vec<Value> {
        let listed = self.ok("ListKeyRotations", json!({"KeyId": key, "Limit": 1000})).await;
        listed["Rotations"].as_array().unwrap().clone()
    }
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}
