//! The engine's share of a request: parsing, resolving, and executing a permit, for the requests
//! that are made most. Decisions are warm, as they are in a server.

#![allow(missing_docs, clippy::unwrap_used, reason = "criterion's macros; a bench may panic")]

use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, RSA_PSS_SHA256, RsaKeyPair};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use keystile::authz::{Authorizer, Permit, PrincipalDirectory, PrincipalLookup, PrincipalPolicies};
use keystile::aws::{Caller, Clock, OffsetClock, Principal, Surroundings, SystemClock};
use keystile::cedar::Documents;
use keystile::iam::PrincipalPattern;
use keystile::kms::{Answer, Kms, Operation, Quotas, Resolved, Settings};
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
        kms.enforce_quotas(Quotas { grants_per_key: 1_000_000, ..Quotas::default() });
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

    fn permitted(&self, operation: &str, body: &str) -> Permit<Resolved> {
        let operation = Operation::parse(operation, body.as_bytes()).unwrap();
        let resolving = self.kms.resolve(operation, &self.caller, &self.surroundings);
        let resolved = self.runtime.block_on(resolving).unwrap();
        self.authorizer.authorize(resolved, &self.policies, None).unwrap()
    }

    fn execute(&self, permit: Permit<Resolved>) -> Answer {
        self.runtime.block_on(self.kms.execute(permit, &Everyone)).unwrap()
    }

    fn call(&self, operation: &str, body: &str) -> Answer {
        self.execute(self.permitted(operation, body))
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
                || bench.permitted(operation, body),
                |permit| bench.execute(permit),
                BatchSize::SmallInput,
            );
        });
        group.bench_function("whole", |bencher| bencher.iter(|| bench.call(operation, body)));
        group.finish();
    }
}

/// An engine's call after its permit beside the library's own (docs/performance.md).
fn cryptography(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().unwrap();
    let bench = Bench::new(directory.path());
    let random = SystemRandom::new();
    let digest = data_encoding::BASE64.encode(&[7; 32]);
    let p256 = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
    let rsa = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let sign_p256 = || p256.sign(&random, &[7; 32]).unwrap();
    let mut signature = vec![0; rsa.public_modulus_len()];
    let mut sign_rsa = || rsa.sign(&RSA_PSS_SHA256, &random, &[7; 32], &mut signature).unwrap();
    for (spec, algorithm) in [("ECC_NIST_P256", "ECDSA_SHA_256"), ("RSA_2048", "RSASSA_PSS_SHA_256")] {
        let made = bench.call("CreateKey", &format!(r#"{{"KeySpec":"{spec}","KeyUsage":"SIGN_VERIFY"}}"#));
        let id = made.key.as_ref().unwrap().0;
        let body = format!(r#"{{"KeyId":"{id}","Message":"{digest}","SigningAlgorithm":"{algorithm}"}}"#);
        let mut group = criterion.benchmark_group(format!("Sign {spec}"));
        group.bench_function("engine", |bencher| {
            bencher.iter_batched(
                || bench.permitted("Sign", &body),
                |permit| bench.execute(permit),
                BatchSize::SmallInput,
            );
        });
        group.bench_function("library", |bencher| match spec {
            "RSA_2048" => bencher.iter(&mut sign_rsa),
            _ => bencher.iter(sign_p256),
        });
        group.finish();
    }
    let made = bench.call("CreateKey", "{}");
    let id = made.key.as_ref().unwrap().0;
    let body = format!(r#"{{"KeyId":"{id}","KeySpec":"AES_256"}}"#);
    let mut group = criterion.benchmark_group("GenerateDataKey");
    group.bench_function("engine", |bencher| {
        bencher.iter_batched(
            || bench.permitted("GenerateDataKey", &body),
            |permit| bench.execute(permit),
            BatchSize::SmallInput,
        );
    });
    group.bench_function("random bytes and AES-GCM", |bencher| {
        bencher.iter(|| {
            let mut key = [0; 32];
            aws_lc_rs::rand::fill(&mut key).unwrap();
            keystile::seal::envelope::seal(&[1; 32], b"bench", b"associated", &key).unwrap()
        });
    });
    group.finish();
}

/// Grants on a key that are not the caller's cost its decision nothing.
fn grants(criterion: &mut Criterion) {
    const MANY: usize = 100_000;
    let directory = tempfile::tempdir().unwrap();
    let mut bench = Bench::new(directory.path());
    let make = |bench: &Bench, grantee: &str, id: &str| {
        let body = format!(r#"{{"KeyId":"{id}","GranteePrincipal":"{grantee}","Operations":["Encrypt"]}}"#);
        bench.call("CreateGrant", &body);
    };
    let alice = "arn:aws:iam::111122223333:user/alice";
    let [few, many] = [0, 1].map(|_| bench.call("CreateKey", "{}").key.unwrap().0.to_string());
    make(&bench, alice, &few);
    for number in 0..MANY {
        make(&bench, &format!("arn:aws:iam::111122223333:user/{number}"), &many);
    }
    make(&bench, alice, &many);
    let caller =
        Caller { principal: alice.parse().unwrap(), principal_arn: alice.parse().unwrap(), ..(*bench.caller).clone() };
    bench.caller = Arc::new(caller);
    let mut group = criterion.benchmark_group("a decision by a grant");
    for (name, id) in [("of 1", &few), ("of 100,001 on the key", &many)] {
        let body = format!(r#"{{"KeyId":"{id}","Plaintext":"c2VjcmV0"}}"#);
        group.bench_function(name, |bencher| bencher.iter(|| bench.permitted("Encrypt", &body)));
    }
    group.finish();
}

criterion_group!(benches, engine, cryptography, grants);
criterion_main!(benches);
