//! Resources as Cedar entities, ARNs as Cedar records, and Resource elements as clauses.

use cedar_policy::{EntityId, EntityUid, RestrictedExpression};

use crate::aws::Arn;
use crate::iam::{DocumentKind, ResourceElement, ResourcePattern, Statement};

use super::atoms::AtomKind;
use super::entities::types;
use super::text::{any_of_term, pattern_test, string};
use super::translate::{Clause, Sink};

/// The type of an ARN in the schema.
pub(super) const ARN_TYPE: &str =
    "{ raw: String, partition: String, service: String, region: String, account: String, resource: String }";

/// What a request is about, as Cedar sees it.
#[derive(Clone, Debug)]
pub struct ResourceEntity {
    pub(super) uid: EntityUid,
    pub(super) arn: Option<Arn>,
}

impl ResourceEntity {
    /// The resource of that ARN; none is the resource of actions that take no resource.
    #[must_use]
    pub fn new(arn: Option<Arn>) -> Self {
        let types = types();
        let (type_name, id) = match &arn {
            None => (&types.other, "*"),
            Some(arn) if is_kms(arn, "key/") => (&types.key, arn.as_str()),
            Some(arn) if is_kms(arn, "alias/") => (&types.alias, arn.as_str()),
            Some(arn) => (&types.other, arn.as_str()),
        };
        Self { uid: EntityUid::from_type_name_and_id(type_name.clone(), EntityId::new(id)), arn }
    }
}

fn is_kms(arn: &Arn, prefix: &str) -> bool {
    arn.service() == "kms" && arn.resource().starts_with(prefix)
}

/// An ARN as a Cedar record.
pub(super) fn arn_record(raw: &str, components: [&str; 6]) -> Option<RestrictedExpression> {
    let [_, partition, service, region, account, resource] = components;
    let text = |text: &str| RestrictedExpression::new_string(text.to_owned());
    RestrictedExpression::new_record([
        ("raw".to_owned(), text(raw)),
        ("partition".to_owned(), text(partition)),
        ("service".to_owned(), text(service)),
        ("region".to_owned(), text(region)),
        ("account".to_owned(), text(account)),
        ("resource".to_owned(), text(resource)),
    ])
    .ok()
}

/// The resource's ARN as `context.resource`.
pub(super) fn resource_record(arn: &Arn) -> Option<RestrictedExpression> {
    let components = ["arn", arn.partition(), arn.service(), arn.region(), arn.account(), arn.resource()];
    arn_record(arn.as_str(), components)
}

/// A Resource element: the resource part of the scope, and what stands below it. None where
/// nothing matches.
pub(super) fn translate(
    statement: &Statement,
    kind: DocumentKind,
    sink: &mut Sink<'_>,
) -> Option<(String, Option<Clause>)> {
    let scope = if kind == DocumentKind::KeyPolicy { "resource is kms::Key" } else { "resource" }.to_owned();
    let (patterns, negated) = match statement.resource.as_ref() {
        None => return is_about_its_bearer(kind).then_some((scope, None)),
        Some(ResourceElement::Resource(patterns)) => (patterns, false),
        Some(ResourceElement::NotResource(patterns)) => (patterns, true),
    };
    if patterns.contains(&ResourcePattern::Any) {
        return (!negated).then_some((scope, None));
    }
    if let ([ResourcePattern::Arn { text, segments }], false) = (patterns.as_slice(), negated) {
        let literal = segments.iter().all(|segment| segment.as_literal().is_some());
        let same = segments.iter().filter_map(|segment| segment.as_literal()).collect::<Vec<_>>().join(":");
        if literal
            && text.parse::<Arn>().is_ok_and(|arn| is_kms(&arn, "key/"))
            && text.strip_prefix("arn:") == Some(&same)
        {
            return Some((format!("resource == kms::Key::{}", string(text)), None));
        }
    }
    let test = match patterns.iter().map(arn_test).collect::<Option<Vec<_>>>() {
        Some(terms) => {
            sink.resource();
            format!("context has resource && {}", any_of_term(&terms))
        }
        None => sink.atom(AtomKind::Resource(patterns.as_slice().into())),
    };
    Some((scope, Some(if negated { Clause::Unless(test) } else { Clause::When(test) })))
}

/// Whether a statement without a Resource element is about the resource that bears the document: a
/// trust policy's is. In a key policy it has no effect.
pub(super) fn is_about_its_bearer(kind: DocumentKind) -> bool {
    kind == DocumentKind::ResourcePolicy
}

/// The pattern against `context.resource`, as a term that can stand under `&&`; none where Cedar
/// cannot say it.
fn arn_test(pattern: &ResourcePattern) -> Option<String> {
    let ResourcePattern::Arn { segments, .. } = pattern else { return Some("true".to_owned()) };
    let names = ["partition", "service", "region", "account", "resource"];
    let mut terms = Vec::new();
    for (name, segment) in names.iter().zip(segments) {
        terms.extend(pattern_test(&format!("context.resource.{name}"), segment)?);
    }
    match terms.as_slice() {
        [] => None,
        [term] => Some(term.clone()),
        terms => Some(format!("({})", terms.join(" && "))),
    }
}
