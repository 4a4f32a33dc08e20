use crate::aws::Region;
use crate::aws::catalogue::request_rates::{CUSTOM_KEY_STORE, ECC, ML_DSA, RSA, SYMMETRIC};
use crate::kms::api::Kind;
use crate::kms::operation::Input;
use crate::kms::resolve::{Found, Resolved, Target};
use crate::kms::spec::KeySpec;

/// A quota that a request counts against, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counted<'a> {
    pub(super) quota: &'static str,
    pub(super) region: &'a Region,
    /// The id of the custom key store that the quota is of; none of an account's quota.
    pub(super) store: Option<&'a str>,
    pub(super) times: u32,
}

/// The quotas that a request counts against (KMS Developer Guide, "Request quotas for each AWS KMS
/// API operation"): those of its keys' types and custom key stores if it is cryptographic, else its own.
pub(super) fn counted(resolved: &Resolved) -> impl Iterator<Item = Counted<'_>> {
    let here = &resolved.scene.region;
    let once = |quota, region| Some(Counted { quota, region, store: None, times: 1 });
    let operation = &resolved.operation;
    let counts = match (operation.kind, &resolved.target, &operation.input) {
        (_, _, Input::DataKeyPair { pair_spec, .. }) => [of_pair(*pair_spec).and_then(|quota| once(quota, here)), None],
        (kind, Target::Key(found), _) if kind.uses_its_key() => [once(of_key(found), here), None],
        (_, Target::ReEncrypt { source, destination }, _) => {
            let (source, destination) = (of_key(source), of_key(destination));
            [once(source, here), if source == destination { None } else { once(destination, here) }]
        }
        (Kind::GenerateRandom, ..) => [once(SYMMETRIC, here), None],
        (_, Target::Replica { name, .. }, _) => [
            once(operation.name(), here),
            // One of the two tries whether the key can be made.
            Some(Counted { quota: Kind::CreateKey.facts().name, region: &name.region, store: None, times: 2 }),
        ],
        (_, Target::NewPrimary { region, .. }, _) => [once(operation.name(), here), once(operation.name(), region)],
        _ => [once(operation.name(), here), None],
    };
    counts.into_iter().flatten().chain(of_stores(resolved))
}

/// The custom key stores of the keys that a cryptographic operation is done with.
fn of_stores(resolved: &Resolved) -> impl Iterator<Item = Counted<'_>> {
    let found = match &resolved.target {
        Target::Key(found) if resolved.operation.kind.uses_its_key() => [Some(found), None],
        Target::ReEncrypt { source, destination } => [Some(source), Some(destination)],
        _ => [None, None],
    };
    let keys = found.into_iter().flatten().filter_map(|found| found.key().ok());
    keys.filter_map(|key| {
        let store = Some(key.view().record.custom_key_store.as_ref()?.store.as_str());
        Some(Counted { quota: CUSTOM_KEY_STORE, region: &key.view().name.region, store, times: 1 })
    })
}

/// The quota of a request whose key or alias is not known: of a cryptographic one that of the default
/// spec, of others their own.
pub(super) fn counted_unresolved(kind: Kind, region: &Region) -> Counted<'_> {
    let is_cryptographic = kind.uses_its_key() || kind == Kind::GenerateRandom;
    let quota = if is_cryptographic { SYMMETRIC } else { kind.facts().name };
    Counted { quota, region, store: None, times: 1 }
}

/// A key that is missing counts as one with the default spec.
fn of_key(found: &Found) -> &'static str {
    match found.key().map(|key| key.view().record.spec).unwrap_or_default() {
        KeySpec::SymmetricDefault | KeySpec::Hmac224 | KeySpec::Hmac256 | KeySpec::Hmac384 | KeySpec::Hmac512 => {
            SYMMETRIC
        }
        KeySpec::Rsa2048 | KeySpec::Rsa3072 | KeySpec::Rsa4096 => RSA,
        KeySpec::MlDsa44 | KeySpec::MlDsa65 | KeySpec::MlDsa87 => ML_DSA,
        KeySpec::EccNistP256
        | KeySpec::EccNistP384
        | KeySpec::EccNistP521
        | KeySpec::EccSecgP256K1
        | KeySpec::EccNistEdwards25519 => ECC,
    }
}

/// None for a spec of which there are no pairs, which the operation refuses.
fn of_pair(spec: KeySpec) -> Option<&'static str> {
    Some(match spec {
        KeySpec::EccNistP256 => "GenerateDataKeyPair (ECC_NIST_P256)",
        KeySpec::EccNistP384 => "GenerateDataKeyPair (ECC_NIST_P384)",
        KeySpec::EccNistP521 => "GenerateDataKeyPair (ECC_NIST_P521)",
        KeySpec::EccSecgP256K1 => "GenerateDataKeyPair (ECC_SECG_P256K1)",
        KeySpec::EccNistEdwards25519 => "GenerateDataKeyPair (ECC_NIST_EDWARDS25519)",
        KeySpec::Rsa2048 => "GenerateDataKeyPair (RSA_2048)",
        KeySpec::Rsa3072 => "GenerateDataKeyPair (RSA_3072)",
        KeySpec::Rsa4096 => "GenerateDataKeyPair (RSA_4096)",
        _ => return None,
    })
}
