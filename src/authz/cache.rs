//! The decision cache. Its key names all that a decision reads, so that nothing is ever
//! invalidated by hand: a changed policy is another key, and a late fill can do no harm.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;

use siphasher::sip128::SipHasher13;

use crate::aws::{Arn, ConditionKey, ContextValue, Principal, catalogue};
use crate::cedar::{Clockwork, TimeKey, Values};

use super::grants::SOURCE_ARN;
use super::inputs::Inputs;
use super::values::RequestValues;
use super::{AttachedDocument, AuthzRequest, Decision, GrantPrincipal, Resource};

/// A decision and the span of the engine's clock in which it holds, in milliseconds since the
/// epoch, the end excluded.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) decision: Arc<Decision>,
    from: i64,
    until: i64,
}

/// Decisions by the keyed hash of all that they read.
#[derive(Debug)]
pub(super) struct Cache {
    entries: moka::sync::Cache<u128, Arc<Entry>, PassThrough>,
    hasher: SipHasher13,
}

/// What the key came to.
pub(super) enum Key {
    /// The decision may be kept under this.
    Of(u128),
    /// A clock's value counts at every moment.
    Uncacheable,
    /// The policies read a condition key whose value is not known: nothing is decided by them.
    Refused(Unknown),
}

/// Why the value of a condition key is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unknown {
    /// The request gives it twice.
    Ambiguous,
    /// Nothing here can tell what the service would know of it.
    Undetermined(ConditionKey),
}

impl Entry {
    pub(super) fn new(decision: Arc<Decision>, (from, until): (i64, i64)) -> Self {
        Self { decision, from, until }
    }

    /// Whether the decision holds at that time.
    pub(super) fn holds_at(&self, now: i64) -> bool {
        (self.from..self.until).contains(&now)
    }

    /// About how much memory it takes, in bytes, the cache's own share included.
    fn weight(&self) -> u32 {
        const OVERHEAD: usize = 320;
        let decision = &*self.decision;
        let statements: usize = decision
            .decided_by
            .iter()
            .map(|by| {
                size_of_val(by) + by.sid.as_ref().map_or(0, String::len) + by.file.as_ref().map_or(0, String::len)
            })
            .sum();
        u32::try_from(OVERHEAD + statements + decision.message.as_ref().map_or(0, String::len)).unwrap_or(u32::MAX)
    }
}

impl Cache {
    /// A cache of at most about that many bytes.
    pub(super) fn new(max_bytes: u64) -> Self {
        let entries = moka::sync::Cache::builder()
            .max_capacity(max_bytes)
            .weigher(|_, entry: &Arc<Entry>| entry.weight())
            .build_with_hasher(PassThrough);
        // Random for each process, so that no caller can choose requests that collide.
        let random = || RandomState::new().build_hasher().finish();
        Self { entries, hasher: SipHasher13::new_with_keys(random(), random()) }
    }

    pub(super) fn get(&self, key: u128, now: i64) -> Option<Arc<Entry>> {
        self.entries.get(&key).filter(|entry| entry.holds_at(now))
    }

    /// The entry, made by `make` at most once at a time where there is none that holds.
    pub(super) fn get_or_make(&self, key: u128, now: i64, make: impl FnOnce() -> Arc<Entry>) -> Arc<Entry> {
        self.entries.entry(key).or_insert_with_if(make, |known| !known.holds_at(now)).into_value()
    }

    /// The key of a decision: allocates nothing once the thread's buffer has grown.
    pub(super) fn key(&self, inputs: &Inputs<'_>) -> Key {
        thread_local! {
            static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
        }
        BUFFER.with_borrow_mut(|buffer| {
            buffer.clear();
            match encode(inputs, buffer) {
                Ok(Cacheable(true)) => Key::Of(self.hasher.hash(buffer).as_u128()),
                Ok(Cacheable(false)) => Key::Uncacheable,
                Err(unknown) => Key::Refused(unknown),
            }
        })
    }
}

/// Whether what was projected is all that the values read are.
#[derive(Clone, Copy)]
struct Cacheable(bool);

impl Cacheable {
    fn and(self, other: Self) -> Self {
        Self(self.0 && other.0)
    }
}

/// Everything that the decision reads, each piece with its length or a tag before it. It goes on to the
/// end where the decision can't be cached: an unknown value further on refuses it.
fn encode(inputs: &Inputs<'_>, into: &mut Vec<u8>) -> Result<Cacheable, Unknown> {
    let request = inputs.request;
    let who = &*request.caller;
    into.extend(catalogue::VERSION.to_le_bytes());
    let applicable = inputs.applicable;
    let federated_by = who.federated_by();
    let attached = inputs.resource_policy.as_ref().map(|(attached, _)| *attached);
    let has_origin = attached.is_some_and(|attached| attached.arn.is_some() || attached.source.is_some());
    // One byte tells which of the pieces below are there.
    into.push(
        u8::from(applicable.cross_account)
            | u8::from(applicable.through_ciphertext) << 1
            | u8::from(inputs.service_controls.is_some()) << 2
            | u8::from(inputs.resource_controls.is_some()) << 3
            | u8::from(!applicable.grants.is_empty()) << 4
            | u8::from(federated_by.is_some()) << 5
            | u8::from(attached.is_some()) << 6
            | u8::from(has_origin) << 7,
    );
    into.extend(applicable.principal.fingerprint());
    if let Some(attached) = attached {
        into.extend(attached.document.hash());
        if has_origin {
            origin(attached, into);
        }
    }
    if let Some((levels, _)) = &inputs.service_controls {
        into.extend(levels.fingerprint());
    }
    if let Some((levels, _)) = &inputs.resource_controls {
        into.extend(levels.fingerprint());
    }
    let mut cacheable = Cacheable(true);
    if !applicable.grants.is_empty() {
        cacheable = grants(inputs, into)?;
    }
    if let Some(arn) = federated_by {
        text(arn.as_str(), into);
    }
    text(request.action.as_str(), into);
    caller(&who.principal, into);
    into.extend(who.account.as_str().as_bytes());
    text(who.principal_arn.as_str(), into);
    text(&who.user_id, into);
    match &request.resource {
        Resource::None => into.push(0),
        Resource::Key { arn, attributes } => {
            tagged(1, arn.as_str(), into);
            into.extend(attributes.account.as_str().as_bytes());
        }
        Resource::MissingKey { arn } => tagged(2, arn.as_str(), into),
        Resource::Alias { arn } => tagged(3, arn.as_str(), into),
        Resource::Other { arn, .. } => {
            tagged(4, arn.as_str(), into);
            text(request.resource.owner().unwrap_or_default(), into);
        }
    }
    let values = RequestValues::for_principal(request, inputs.applicable);
    let reads = &inputs.policies.reads;
    cacheable = cacheable.and(project(request, &values, &reads.keys, &reads.clockwork, into)?);
    if let Some((_, levels)) = &inputs.service_controls {
        cacheable = cacheable.and(project(request, &values, &levels.reads.keys, &levels.reads.clockwork, into)?);
    }
    let values = RequestValues::for_resource_policy(request, inputs.applicable);
    if let Some((_, slice)) = &inputs.resource_policy {
        let projection = slice.projection();
        cacheable = cacheable.and(project(request, &values, &projection.keys, &projection.clockwork, into)?);
    }
    if let Some((_, levels)) = &inputs.resource_controls {
        cacheable = cacheable.and(project(request, &values, &levels.reads.keys, &levels.reads.clockwork, into)?);
    }
    Ok(cacheable)
}

/// What an explanation says of a document beside what the document says.
fn origin(attached: &AttachedDocument, into: &mut Vec<u8>) {
    text(attached.arn.as_ref().map_or("", Arn::as_str), into);
    match &attached.source {
        None => into.push(0),
        Some(source) => {
            tagged(1, &source.file, into);
            into.extend(source.first_line.unwrap_or_default().to_le_bytes());
        }
    }
}

/// The grants, and what of the request only they read.
fn grants(inputs: &Inputs<'_>, into: &mut Vec<u8>) -> Result<Cacheable, Unknown> {
    let applicable = inputs.applicable;
    let pairs = |pairs: Option<&BTreeMap<String, String>>, into: &mut Vec<u8>| {
        into.push(u8::from(pairs.is_some()));
        into.extend(pairs.map_or(0, BTreeMap::len).to_le_bytes());
        for (key, value) in pairs.into_iter().flatten() {
            text(key, into);
            text(value, into);
        }
    };
    into.extend(applicable.grants.len().to_le_bytes());
    let mut source_arn = false;
    for grant in applicable.grants {
        text(grant.id.as_deref().unwrap_or_default(), into);
        principal(Some(&grant.grantee), into);
        principal(grant.retiring.as_ref(), into);
        into.extend(grant.operations.len().to_le_bytes());
        for operation in &grant.operations {
            text(operation, into);
        }
        pairs(grant.constraints.encryption_context_equals.as_ref(), into);
        pairs(grant.constraints.encryption_context_subset.as_ref(), into);
        text(grant.constraints.source_arn.as_ref().map_or("", Arn::as_str), into);
        source_arn |= grant.constraints.source_arn.is_some();
        into.extend(grant.issuing_account.as_str().as_bytes());
    }
    pairs(applicable.encryption_context, into);
    if source_arn {
        let key = ConditionKey::new(SOURCE_ARN);
        let values = RequestValues::for_resource_policy(inputs.request, applicable);
        return project(inputs.request, &values, &[key], &[], into);
    }
    Ok(Cacheable(true))
}

fn principal(principal: Option<&GrantPrincipal>, into: &mut Vec<u8>) {
    let Some(principal) = principal else { return into.push(0) };
    into.push(1);
    caller(&principal.principal, into);
    text(principal.unique_id.as_deref().unwrap_or_default(), into);
}

#[inline]
fn caller(principal: &Principal, into: &mut Vec<u8>) {
    match principal {
        Principal::Root(arn) => tagged(1, arn.as_str(), into),
        Principal::User(arn) => tagged(2, arn.as_str(), into),
        Principal::Role(arn) => tagged(3, arn.as_str(), into),
        Principal::Session(arn) => tagged(4, arn.as_str(), into),
        Principal::FederatedUser(arn) => tagged(5, arn.as_str(), into),
        Principal::Service(name) => tagged(6, name, into),
        Principal::Anonymous => into.push(7),
        Principal::WebIdentity(provider) => tagged(8, provider.as_str(), into),
    }
}

/// The values that a slice can read: the order of the keys is the slice's own.
fn project(
    request: &AuthzRequest,
    values: &RequestValues<'_>,
    keys: &[ConditionKey],
    clockwork: &[Clockwork],
    into: &mut Vec<u8>,
) -> Result<Cacheable, Unknown> {
    let mut cacheable = true;
    for key in keys {
        check(request, key)?;
        value(values.value(key).as_ref(), into);
    }
    for clockwork in clockwork {
        check(request, &clockwork.name)?;
        if let Some(given) = request.given(&clockwork.name) {
            value(Some(given), into);
        } else if !request.supplies_time(clockwork.key) {
            value(None, into);
        } else if clockwork.turns.is_none() {
            cacheable = false;
        } else if clockwork.key == TimeKey::MultiFactorAuthAge {
            let proved = request.caller.session.as_ref().and_then(|session| session.mfa_authenticated_at);
            value(proved.map(ContextValue::Time).as_ref(), into);
        } else {
            into.push(b'c');
        }
    }
    Ok(Cacheable(cacheable))
}

/// Whether the request has one value of the key, or is known to have none.
fn check(request: &AuthzRequest, key: &ConditionKey) -> Result<(), Unknown> {
    if request.is_ambiguous(key) {
        return Err(Unknown::Ambiguous);
    }
    match &request.determined {
        Some(determined) if !determined.has(key) => Err(Unknown::Undetermined(key.clone())),
        _ => Ok(()),
    }
}

fn value(value: Option<&ContextValue<'_>>, into: &mut Vec<u8>) {
    match value {
        None => into.push(b'-'),
        Some(ContextValue::Text(value)) => tagged(b't', value, into),
        Some(ContextValue::Number(number)) => {
            into.push(b'n');
            into.extend(number.to_le_bytes());
        }
        Some(ContextValue::Bool(value)) => into.extend([b'b', u8::from(*value)]),
        Some(ContextValue::Time(time)) => {
            into.push(b'd');
            into.extend(time.as_nanosecond().to_le_bytes());
        }
        Some(ContextValue::Ip(std::net::IpAddr::V4(address))) => {
            into.push(b'4');
            into.extend(address.octets());
        }
        Some(ContextValue::Ip(std::net::IpAddr::V6(address))) => {
            into.push(b'6');
            into.extend(address.octets());
        }
        Some(ContextValue::Many(values)) => {
            into.push(b'm');
            into.extend(values.len().to_le_bytes());
            for value in values {
                text(value, into);
            }
        }
    }
}

fn tagged(tag: u8, value: &str, into: &mut Vec<u8>) {
    into.push(tag);
    text(value, into);
}

fn text(text: &str, into: &mut Vec<u8>) {
    into.extend(text.len().to_le_bytes());
    into.extend(text.as_bytes());
}

/// The span of the clock in which the request's comparisons with literal times do not turn,
/// capped at the session's end.
pub(super) fn validity(inputs: &Inputs<'_>) -> (i64, i64) {
    let request = inputs.request;
    let now = request.surroundings.now.as_millisecond();
    let session = request.caller.session.as_ref();
    let (mut from, mut until) = (i64::MIN, i64::MAX);
    if let Some(expires) = session.and_then(|session| session.expires) {
        until = expires.as_millisecond();
    }
    let of_policy = inputs.resource_policy.as_ref().map(|(_, slice)| &*slice.projection().clockwork);
    let controls = [&inputs.service_controls, &inputs.resource_controls];
    let of_controls = controls.into_iter().flatten().flat_map(|(_, levels)| &levels.reads.clockwork);
    for clockwork in inputs.policies.reads.clockwork.iter().chain(of_policy.unwrap_or_default()).chain(of_controls) {
        if request.given(&clockwork.name).is_some() || !request.supplies_time(clockwork.key) {
            continue;
        }
        let proved = session.and_then(|session| session.mfa_authenticated_at).map(jiff::Timestamp::as_millisecond);
        for turn in clockwork.turns.iter().flatten() {
            let at = match (clockwork.key, proved) {
                (TimeKey::CurrentTime | TimeKey::EpochTime, _) => *turn,
                (TimeKey::MultiFactorAuthAge, Some(proved)) => proved.saturating_add(turn.saturating_mul(1000)),
                (TimeKey::MultiFactorAuthAge, None) => continue,
            };
            if at <= now {
                from = from.max(at);
            } else {
                until = until.min(at);
            }
        }
    }
    (from, until)
}

/// Keys are hashes already.
#[derive(Clone, Copy, Debug, Default)]
struct PassThrough;

impl BuildHasher for PassThrough {
    type Hasher = Taken;

    fn build_hasher(&self) -> Taken {
        Taken(0)
    }
}

struct Taken(u64);

impl Hasher for Taken {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "any half of a hash is a hash")]
    fn write_u128(&mut self, key: u128) {
        self.0 = key as u64;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
