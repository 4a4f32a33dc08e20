//! A case as the library decides it, and what it decides otherwise than the interpreter.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use keystile::authz::{
    Applicable, AttachedDocument, Authorizer, AuthzRequest, ControlPolicies, Decision, Grant, GrantConstraints,
    KeyAttributes, Layer, Outcome, PrincipalPolicies, Resource, Settings, Supplied,
};
use keystile::aws::{Caller, ConditionKey, ContextValue, Principal, Session, Surroundings, catalogue};
use keystile::cedar::Documents;
use keystile::iam::DocumentKind;
use serde_json::Value;

use crate::explaining;
use crate::interpreter::{self, Case, Values, Verdict};

/// The library with one compile cache and one decision cache.
pub(crate) struct Library {
    documents: Documents,
    pub(crate) authorizer: Authorizer,
}

impl Default for Library {
    fn default() -> Self {
        Self { documents: Documents::default(), authorizer: Authorizer::new(Settings { max_bytes: 4 << 20 }) }
    }
}

/// All that the library needs for one decision.
pub(crate) struct Question {
    pub(crate) request: AuthzRequest,
    principal: PrincipalPolicies,
    resource_policy: Option<AttachedDocument>,
    grants: Vec<Grant>,
    encryption_context: Option<BTreeMap<String, String>>,
    caller_controls: Option<ControlPolicies>,
    resource_controls: Option<ControlPolicies>,
    cross_account: bool,
}

impl Question {
    pub(crate) fn applicable(&self) -> Applicable<'_> {
        Applicable {
            resource_policy: self.resource_policy.as_ref(),
            grants: &self.grants,
            encryption_context: self.encryption_context.as_ref(),
            caller_controls: self.caller_controls.as_ref(),
            resource_controls: self.resource_controls.as_ref(),
            cross_account: self.cross_account,
            ..Applicable::new(&self.principal)
        }
    }
}

impl Library {
    /// What the library is asked, or why it refuses a document.
    pub(crate) fn question(&self, case: &Case, supplied: Supplied) -> Result<Question, String> {
        let own = |kind, documents: &[Value]| -> Result<Vec<_>, String> {
            documents.iter().map(|document| self.attached(kind, document)).collect()
        };
        let levels = |kind, levels: &[Vec<Value>]| -> Result<Vec<Vec<_>>, String> {
            levels.iter().map(|level| own(kind, level)).collect()
        };
        let session = own(DocumentKind::SessionPolicy, &case.session)?;
        let boundary =
            case.boundary.as_ref().map(|document| self.attached(DocumentKind::PermissionsBoundary, document));
        let policy_kind = if case.is_kms() { DocumentKind::KeyPolicy } else { DocumentKind::ResourcePolicy };
        let service = levels(DocumentKind::ServiceControlPolicy, &case.service_controls)?;
        let resource = levels(DocumentKind::ResourceControlPolicy, &case.resource_controls)?;
        let request = request(case, supplied);
        Ok(Question {
            principal: PrincipalPolicies::new(
                own(DocumentKind::IdentityPolicy, &case.identity)?,
                boundary.transpose()?,
                Some(session).filter(|session| !session.is_empty()),
            ),
            resource_policy: case
                .resource_policy
                .as_ref()
                .map(|policy| self.attached(policy_kind, policy))
                .transpose()?,
            grants: case.grants.iter().map(|grant| library_grant(case, grant)).collect(),
            encryption_context: encryption_context(case),
            caller_controls: Some(ControlPolicies::new(service, Vec::new(), case.beyond.caller_in_management)),
            resource_controls: Some(ControlPolicies::new(Vec::new(), resource, case.beyond.resource_in_management)),
            cross_account: !case.is_kms() || catalogue::kms::works_across_accounts(&request.action),
            request,
        })
    }

    pub(crate) fn attached(&self, kind: DocumentKind, document: &Value) -> Result<AttachedDocument, String> {
        let compiled = self.documents.compile(kind, &document.to_string());
        let document = compiled.map_err(|error| format!("{error} in {document}"))?;
        Ok(AttachedDocument { document, arn: None, source: None })
    }

    /// The decision, made anew and from the cache, which must be the same.
    pub(crate) fn decide(&self, question: &Question) -> Result<Decision, String> {
        let applicable = question.applicable();
        let decision = self.authorizer.decide_uncached(&question.request, &applicable);
        for which in ["first", "second"] {
            let cached = self.authorizer.decide(&question.request, &applicable);
            if *cached != decision {
                return Err(format!("the cache's {which} answer differs\nmade anew: {decision:?}\ncached: {cached:?}"));
            }
        }
        if self.authorizer.counters().errors.load(Ordering::Relaxed) > 0 {
            return Err("a decision failed".to_owned());
        }
        Ok(decision)
    }

    /// How library and interpreter differ on a case; none where they agree. A document that the
    /// library refuses is an error of the case.
    pub(crate) fn difference(&self, case: &Case, supplied: Supplied) -> Result<Option<String>, String> {
        let question = self.question(case, supplied)?;
        let mut case = case.clone();
        if supplied == Supplied::All {
            case.context.extend(known_to_the_gateway(&question.request, &case));
        }
        let verdict = interpreter::decide(&case);
        Ok(match self.decide(&question) {
            Err(wrong) => Some(wrong),
            Ok(decision) if agree(&decision, &verdict, &case) => {
                explaining::disagreement(&question.request, &question.applicable(), &decision)
            }
            Ok(decision) => Some(format!("the library: {decision:?}\nthe interpreter: {verdict:?}")),
        })
    }
}

/// The condition keys that follow from caller, key and surroundings, as far as the case's
/// documents read them: taken from the library, since only their use is in question here.
fn known_to_the_gateway(request: &AuthzRequest, case: &Case) -> Vec<(String, Values)> {
    let text = case.to_json().to_string().to_lowercase();
    let keys = [
        "aws:username",
        "aws:TagKeys",
        "k:arn",
        "aws:PrincipalArn",
        "aws:PrincipalAccount",
        "aws:PrincipalType",
        "aws:ResourceAccount",
        "aws:CurrentTime",
        "aws:EpochTime",
        "aws:SourceIp",
        "aws:PrincipalTag/Team",
        "aws:ResourceTag/Dept",
        "kms:CallerAccount",
        "kms:RotationPeriodInDays",
        "kms:ViaService",
    ];
    let given = |key: &str| case.context.keys().any(|known| known.eq_ignore_ascii_case(key));
    keys.iter()
        .filter(|key| text.contains(&key.to_lowercase()) && !given(key))
        .filter_map(|key| {
            let value = request.value(&ConditionKey::new(key))?;
            let multivalued = matches!(value, ContextValue::Many(_));
            let values = value.texts().iter().map(ToString::to_string).collect();
            Some(((*key).to_owned(), Values { multivalued, values }))
        })
        .collect()
}

fn agree(decision: &Decision, verdict: &Verdict, case: &Case) -> bool {
    let layer = |layer| layer_of(layer, case);
    let place = |place: Option<u32>| place.map(|place| place as usize);
    let same_outcome = decision.outcome
        == match verdict.outcome {
            interpreter::Outcome::Allow => Outcome::Allow,
            interpreter::Outcome::ImplicitDeny => Outcome::ImplicitDeny,
            interpreter::Outcome::ExplicitDeny => Outcome::ExplicitDeny,
        };
    same_outcome
        && match decision.outcome {
            // A root user and a retirer may be allowed by no statement at all.
            Outcome::Allow if case.is_root() || case.needs_no_permission() => true,
            Outcome::Allow => decision.decided_by.iter().any(|by| by.layer == layer(verdict.layer)),
            Outcome::ImplicitDeny => decision.decided_by.first().is_some_and(|by| {
                by.layer == layer(verdict.layer) && place(by.level) == verdict.level && by.statement.is_none()
            }),
            Outcome::ExplicitDeny => {
                let found = decision
                    .decided_by
                    .iter()
                    .map(|by| (by.layer, place(by.level), place(by.document), place(by.statement)));
                let expected =
                    verdict.denying.iter().map(|by| (layer(by.layer), by.level, Some(by.document), Some(by.statement)));
                found.eq(expected)
            }
        }
}

pub(crate) fn layer_of(layer: interpreter::Layer, case: &Case) -> Layer {
    match layer {
        interpreter::Layer::ResourceControl => Layer::ResourceControlPolicy,
        interpreter::Layer::ServiceControl => Layer::ServiceControlPolicy,
        interpreter::Layer::Resource if case.is_kms() => Layer::KeyPolicy,
        interpreter::Layer::Resource => Layer::ResourcePolicy,
        interpreter::Layer::Identity => Layer::IdentityPolicy,
        interpreter::Layer::Boundary => Layer::PermissionsBoundary,
        interpreter::Layer::Session => Layer::SessionPolicy,
        interpreter::Layer::Grant => Layer::Grant,
    }
}

fn request(case: &Case, supplied: Supplied) -> AuthzRequest {
    let principal: Principal = case.principal.parse().unwrap();
    let has_session = matches!(principal, Principal::Session(_) | Principal::FederatedUser(_));
    let account = case.account().unwrap_or("000000000000").parse().unwrap();
    let own_arn = || {
        if case.principal.starts_with("arn:") {
            case.principal.clone()
        } else {
            "arn:aws:iam::000000000000:root".to_owned()
        }
    };
    let mut operation: Vec<_> =
        case.context.iter().map(|(key, values)| (Cow::Owned(key.to_lowercase()), context_value(values))).collect();
    let given = operation.iter().any(|(key, _)| key == "kms:rotationperiodindays");
    if case.action == "kms:EnableKeyRotation" && !given {
        operation.push((Cow::Borrowed("kms:rotationperiodindays"), ContextValue::Number(365)));
    }
    let supplied = match supplied {
        Supplied::All => Supplied::All,
        Supplied::Implied { .. } => Supplied::Implied { now: case.now.is_some() },
    };
    AuthzRequest {
        caller: Arc::new(Caller {
            account,
            principal,
            principal_arn: case.role_arn().unwrap_or_else(own_arn).parse().unwrap(),
            user_id: case.beyond.unique_id.clone().unwrap_or_else(|| "AIDAEXAMPLE".to_owned()).into(),
            access_key_id: "AKIAIOSFODNN7EXAMPLE".into(),
            tags: Vec::new(),
            session: has_session.then(Session::default),
        }),
        action: case.action.parse().unwrap(),
        resource: resource(case),
        operation,
        surroundings: Arc::new(Surroundings {
            source_ip: None,
            user_agent: None,
            referer: None,
            secure_transport: true,
            region: "us-east-1".parse().unwrap(),
            now: case.now.as_deref().unwrap_or("2024-05-06T00:00:00Z").parse().unwrap(),
        }),
        supplied,
        determined: None,
    }
}

fn resource(case: &Case) -> Resource {
    if case.resource == "*" {
        return Resource::None;
    }
    let arn: keystile::aws::Arn = case.resource.parse().unwrap();
    if !case.is_kms() {
        let account = case.resource_account.as_deref().map(|account| account.parse().unwrap());
        return Resource::Other { arn, account };
    }
    if arn.resource().starts_with("alias/") {
        return Resource::Alias { arn };
    }
    if case.beyond.missing_key {
        return Resource::MissingKey { arn };
    }
    let attributes = Arc::new(KeyAttributes {
        account: arn.account().parse().unwrap(),
        key_spec: "SYMMETRIC_DEFAULT".into(),
        key_usage: "ENCRYPT_DECRYPT".into(),
        origin: "AWS_KMS".into(),
        multi_region: false,
        multi_region_key_type: None,
        aliases: Vec::new(),
        tags: Vec::new(),
    });
    Resource::Key { arn, attributes }
}

/// The value in the type that the gateway would give it, where its text comes out the same.
fn context_value(values: &Values) -> ContextValue<'static> {
    if values.multivalued {
        return ContextValue::Many(values.values.iter().map(|text| Cow::Owned(text.clone())).collect());
    }
    let text = values.values.first().cloned().unwrap_or_default();
    let candidates = [
        text.parse().ok().map(ContextValue::Number),
        text.parse().ok().map(ContextValue::Bool),
        text.parse().ok().map(ContextValue::Ip),
        text.parse().ok().map(ContextValue::Time),
    ];
    let same = |value: &ContextValue<'static>| value.texts() == [text.as_str()];
    candidates.into_iter().flatten().find(same).unwrap_or(ContextValue::Text(Cow::Owned(text)))
}

fn library_grant(case: &Case, grant: &interpreter::Grant) -> Grant {
    let principal = |text: &str| -> Principal { text.parse().unwrap() };
    Grant {
        id: None,
        grantee: principal(&grant.grantee).into(),
        retiring: grant.retiring.as_deref().map(|text| principal(text).into()),
        operations: grant.operations.clone(),
        constraints: GrantConstraints {
            encryption_context_equals: grant.equals.clone(),
            encryption_context_subset: grant.subset.clone(),
            source_arn: grant.source_arn.as_deref().map(|arn| arn.parse().unwrap()),
        },
        issuing_account: grant.issuing_account.as_deref().or(case.owner()).unwrap().parse().unwrap(),
    }
}

fn encryption_context(case: &Case) -> Option<BTreeMap<String, String>> {
    let pairs: BTreeMap<String, String> = case
        .context
        .iter()
        .filter(|(_, values)| values.values.len() == 1)
        .filter_map(|(key, values)| {
            Some((key.strip_prefix("kms:EncryptionContext:")?.to_owned(), values.values[0].clone()))
        })
        .collect();
    (!pairs.is_empty()).then_some(pairs)
}
