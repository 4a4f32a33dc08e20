//! The engine's share of a request: parsing, resolving, and executing a permit, for the requests
//! that are made most. Decisions are warm, as they are in a server.

#![allow(missing_docs, clippy::unwrap_used, reason = "criterion's macros; a bench may panic")]

use std::sync::Arc;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use keystile::authz::{Authorizer, PrincipalDirectory, PrincipalLookup, PrincipalPolicies};
use keystile::aws::{Caller, Clock, OffsetClock, Principal, Surroundings, SystemClock};
use keystile::cedar::Documents;
use keystile::iam::PrincipalPattern;
use keystile::kms::{Answer, Kms, Operation, Settings};
use keystile::seal::RootKey;
use keystile::store::{RedbSettings, RedbStore};
use tokio::runtime::Runtime;

struct Everyone;

impl PrincipalDirectory for Everyone {
    fn exists(&self, _: &PrincipalPattern) -> bool {
        true
    }

    fn look_up(&self, _: &Principal) -> PrincipalLookup {
        PrincipalLookup::Unknown
    }
}

struct Bench {
    runtime: Runtime,
    kms: Kms,
    authorizer: Authorizer,
    caller: Arc<Caller>,
    surroundings: Arc<Surroundings>,
    policies: Arc<PrincipalPolicies>,
}

impl Bench {
    fn new(directory: &std::path::Path) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let store = Arc::new(RedbStore::open(directory, &RedbSettings::default()).unwrap());
        let clock = OffsetClock::new(Arc::new(SystemClock), 0);
        let key = RootKey::from_base64("AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=").unwrap();
        let opening = Kms::open(
            store,
            key,
            clock.clone(),
            Arc::new(Documents::default()),
            Arc::new(Authorizer::new(keystile::authz::Settings::default())),
            Settings::default(),
            false,
        );
        let kms = runtime.block_on(opening).unwrap();
        let root = "arn:aws:iam::111122223333:root";
        let caller = Caller {
            principal: root.parse().unwrap(),
            account: "111122223333".parse().unwrap(),
            principal_arn: root.parse().unwrap(),
            user_id: "111122223333".into(),
            access_key_id: "AKIAIOSFODNN7EXAMPLE".into(),
            tags: Vec::new(),
            session: None,
        };
        let surroundings = Surroundings {
            source_ip: None,
            user_agent: None,
            referer: None,
            secure_transport: true,
            region: "us-east-1".parse().unwrap(),
            now: clock.now(),
        };
        Self {
            runtime,
            kms,
            authorizer: Authorizer::new(keystile::authz::Settings::default()),
            caller: Arc::new(caller),
            surroundings: Arc::new(surroundings),
            policies: Arc::default(),
        }
    }

    fn call(&self, operation: &str, body: &str) -> Answer {
        let operation = Operation::parse(operation, body.as_bytes()).unwrap();
        self.runtime.block_on(async {
            let resolved = self.kms.resolve(operation, &self.caller, &self.surroundings).await.unwrap();
            let permit = self.authorizer.authorize(resolved, &self.policies, None).unwrap();
            self.kms.execute(permit, &Everyone).await.unwrap()
        })
    }
}

fn engine(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().unwrap();
    let bench = Bench::new(directory.path());
    let made = bench.call("CreateKey", "{}");
    let id = made.key.as_ref().unwrap().0;
    bench.call("EnableKeyRotation", &format!(r#"{{"KeyId":"{id}"}}"#));
    let sealed =
        bench.call("Encrypt", &format!(r#"{{"KeyId":"{id}","Plaintext":"c2VjcmV0","EncryptionContext":{{"a":"b"}}}}"#));
    let sealed = sealed.body.as_ref().unwrap().to_value()["CiphertextBlob"].as_str().unwrap().to_owned();
    let requests = [
        ("GetKeyRotationStatus", format!(r#"{{"KeyId":"{id}"}}"#)),
        ("GenerateDataKey", format!(r#"{{"KeyId":"{id}","KeySpec":"AES_256"}}"#)),
        ("Encrypt", format!(r#"{{"KeyId":"{id}","Plaintext":"c2VjcmV0","EncryptionContext":{{"a":"b"}}}}"#)),
        ("Decrypt", format!(r#"{{"CiphertextBlob":"{sealed}","EncryptionContext":{{"a":"b"}}}}"#)),
    ];
    for (operation, body) in &requests {
        let mut group = criterion.benchmark_group(*operation);
        group.bench_function("parse", |bencher| bencher.iter(|| Operation::parse(operation, body.as_bytes()).unwrap()));
        group.bench_function("resolve", |bencher| {
            bencher.iter_batched(
                || Operation::parse(operation, body.as_bytes()).unwrap(),
                |parsed| bench.runtime.block_on(bench.kms.resolve(parsed, &bench.caller, &bench.surroundings)).unwrap(),
                BatchSize::SmallInput,
            );
        });
        group.bench_function("execute", |bencher| {
            bencher.iter_batched(
                || {
                    let parsed = Operation::parse(operation, body.as_bytes()).unwrap();
                    let resolving = bench.kms.resolve(parsed, &bench.caller, &bench.surroundings);
                    bench
                        .authorizer
                        .authorize(bench.runtime.block_on(resolving).unwrap(), &bench.policies, None)
                        .unwrap()
                },
                |permit| bench.runtime.block_on(bench.kms.execute(permit, &Everyone)).unwrap(),
                BatchSize::SmallInput,
            );
        });
        group.bench_function("whole", |bencher| bencher.iter(|| bench.call(operation, body)));
        group.finish();
    }
}

criterion_group!(benches, engine);
criterion_main!(benches);
