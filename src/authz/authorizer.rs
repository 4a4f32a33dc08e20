use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::aws::Caller;
use crate::cedar::{CallerEntities, EvaluationError};

use super::cache::{Cache, Entry, Key, Unknown, validity};
use super::explain::{Reason, Shown, message};
use super::flow::Question;
use super::inputs::Inputs;
use super::{
    Applicable, AuthzRequest, Decision, Denial, Explanation, Organization, Outcome, Permit, PrincipalPolicies, Subject,
    explain,
};

/// How the authorizer is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Most memory that cached decisions may take, in bytes.
    pub max_bytes: u64,
}

impl Default for Settings {
    /// 256 MiB of cached decisions.
    fn default() -> Self {
        Self { max_bytes: 256 << 20 }
    }
}

/// What the authorizer has counted since it was made.
#[derive(Debug, Default)]
pub struct Counters {
    /// Decisions that came from the cache.
    pub hits: AtomicU64,
    /// Decisions that were made and kept.
    pub misses: AtomicU64,
    /// Decisions that may not be kept (a time inside a variable or a string operator).
    pub uncached: AtomicU64,
    /// Decisions that allowed.
    pub allows: AtomicU64,
    /// Decisions that no policy allowed.
    pub implicit_denies: AtomicU64,
    /// Decisions that a policy denied.
    pub explicit_denies: AtomicU64,
    /// Decisions that an error made a deny.
    pub errors: AtomicU64,
}

/// Decides, and remembers what it decided.
#[derive(Debug)]
pub struct Authorizer {
    cache: Cache,
    /// The Cedar entities of callers that were seen lately.
    callers: moka::sync::Cache<CallerKey, Arc<CallerEntities>>,
    counters: Counters,
}

/// What a caller's entities are made of.
type CallerKey = (crate::aws::Principal, crate::aws::Arn, Arc<str>, crate::aws::AccountId);

impl Authorizer {
    /// Most callers whose entities are kept.
    const MAX_CALLERS: u64 = 10_000;

    /// An authorizer with an empty cache.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            cache: Cache::new(settings.max_bytes),
            callers: moka::sync::Cache::new(Self::MAX_CALLERS),
            counters: Counters::default(),
        }
    }

    /// What was counted.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// A permit for `subject` where every one of its checks is allowed.
    ///
    /// # Errors
    /// The first check that is not allowed, with its decision.
    pub fn authorize<T: Subject>(
        &self,
        subject: T,
        principal: &Arc<PrincipalPolicies>,
        organization: Option<&Arc<Organization>>,
    ) -> Result<Permit<T>, Denial> {
        let mut decisions = Vec::with_capacity(subject.checks().len());
        for (check, asked) in subject.checks().iter().enumerate() {
            let applicable = Applicable {
                resource_policy: asked.resource_policy.as_ref(),
                grants: &asked.grants,
                encryption_context: asked.encryption_context.as_ref(),
                cross_account: asked.cross_account,
                through_ciphertext: asked.through_ciphertext,
                ..Applicable::new(principal)
            };
            let applicable = applicable.within(organization.map(|organization| &**organization), &asked.request);
            let decision = self.decide(&asked.request, &applicable);
            if decision.outcome != Outcome::Allow {
                let explanation = explain(&asked.request, &applicable, &decision);
                let owner = asked.request.resource.owner();
                let is_foreign = owner.is_some_and(|owner| owner != asked.request.caller.account.as_str());
                return Err(Denial {
                    decision,
                    check,
                    explanation,
                    request: Some(Box::new(asked.request.clone())),
                    is_callers_own: !is_foreign && !asked.through_ciphertext,
                });
            }
            decisions.push(decision);
        }
        let Some(first) = subject.checks().first() else {
            let nothing = Decision { outcome: Outcome::ImplicitDeny, decided_by: Vec::new(), message: None };
            let explanation = Explanation::default();
            return Err(Denial {
                decision: Arc::new(nothing),
                check: 0,
                explanation,
                request: None,
                is_callers_own: false,
            });
        };
        let request = first.request.clone();
        Ok(Permit::new(subject, decisions, request, Arc::clone(principal), organization.cloned()))
    }

    /// The decision on one request, made anew: what [`Authorizer::decide`] must always equal.
    pub fn decide_uncached(&self, request: &AuthzRequest, applicable: &Applicable<'_>) -> Decision {
        let inputs = Inputs::new(request, applicable);
        if let Key::Refused(unknown) = self.cache.key(&inputs) {
            return refused(request, &unknown.reason());
        }
        self.make(&inputs).0
    }

    /// The decision on one request, from the cache where it is there.
    pub fn decide(&self, request: &AuthzRequest, applicable: &Applicable<'_>) -> Arc<Decision> {
        let inputs = Inputs::new(request, applicable);
        let now = request.surroundings.now.as_millisecond();
        let (counter, decision) = match self.cache.key(&inputs) {
            Key::Of(key) => match self.cache.get(key, now) {
                Some(entry) => (&self.counters.hits, Arc::clone(&entry.decision)),
                None => (&self.counters.misses, self.fill(key, now, &inputs)),
            },
            Key::Uncacheable => (&self.counters.uncached, Arc::new(self.make(&inputs).0)),
            Key::Refused(unknown) => (&self.counters.uncached, Arc::new(refused(request, &unknown.reason()))),
        };
        counter.fetch_add(1, Ordering::Relaxed);
        let by_outcome = match decision.outcome {
            Outcome::Allow => &self.counters.allows,
            Outcome::ImplicitDeny => &self.counters.implicit_denies,
            Outcome::ExplicitDeny => &self.counters.explicit_denies,
        };
        by_outcome.fetch_add(1, Ordering::Relaxed);
        decision
    }

    fn fill(&self, key: u128, now: i64, inputs: &Inputs<'_>) -> Arc<Decision> {
        let entry = self.cache.get_or_make(key, now, || {
            let (decision, failed) = self.make(inputs);
            // What an error decided holds at no time, so that the next request tries again.
            let span = if failed { (i64::MAX, i64::MIN) } else { validity(inputs) };
            Arc::new(Entry::new(Arc::new(decision), span))
        });
        Arc::clone(&entry.decision)
    }

    /// The decision, and whether an error made it.
    fn make(&self, inputs: &Inputs<'_>) -> (Decision, bool) {
        let request = inputs.request;
        let decided = self.entities(&request.caller).and_then(|caller| {
            let federating = federating(&request.caller).map(|user| CallerEntities::new(&user)).transpose()?;
            Question { inputs, caller: &caller, federating: federating.as_ref() }.decide()
        });
        match decided {
            Ok(decision) => (decision, false),
            Err(error) => {
                self.counters.errors.fetch_add(1, Ordering::Relaxed);
                tracing::error!(%error, action = %request.action, principal = %request.caller.principal, "a decision failed and denies");
                (refused(request, &Reason::Unevaluated), true)
            }
        }
    }

    fn entities(&self, caller: &Caller) -> Result<Arc<CallerEntities>, EvaluationError> {
        let key = (caller.principal.clone(), caller.principal_arn.clone(), Arc::clone(&caller.user_id), caller.account);
        if let Some(known) = self.callers.get(&key) {
            return Ok(known);
        }
        let made = Arc::new(CallerEntities::new(caller)?);
        self.callers.insert(key, Arc::clone(&made));
        Ok(made)
    }
}

impl Unknown {
    fn reason(&self) -> Reason<'_> {
        match self {
            Self::Ambiguous => Reason::Ambiguous,
            Self::Undetermined(key) => Reason::Undetermined(key),
        }
    }
}

/// The IAM user that federated the caller, as a caller.
fn federating(caller: &Caller) -> Option<Caller> {
    let arn = caller.federated_by()?;
    Some(Caller {
        principal: crate::aws::Principal::User(arn.clone()),
        principal_arn: arn.clone(),
        user_id: "".into(),
        ..caller.clone()
    })
}

/// A denial that no policy's statement gave.
fn refused(request: &AuthzRequest, reason: &Reason<'_>) -> Decision {
    Decision {
        outcome: Outcome::ImplicitDeny,
        decided_by: Vec::new(),
        message: Some(message(request, reason, Shown::Hidden)),
    }
}
