//! One condition as Cedar text.

use std::sync::Arc;

use crate::iam::compare::{Decimal, Network, epoch_milliseconds, is_true, lower_case};
use crate::iam::{BaseOperator, Part, Pattern, Quantifier, Version};

use super::atoms::{AtomKind, PreparedCondition, may_be_several};
use super::attributes::{Attribute, Shape, datetime_text};
use super::text::{any_of_term, like, pattern_test, set, string};
use super::translate::{Clause, Sink};

/// The condition, in Cedar where Cedar can say it, else by an atom.
pub(super) fn translate(prepared: &Arc<PreparedCondition>, version: Version, sink: &mut Sink<'_>) -> Clause {
    if sink.atoms_only() {
        return Clause::When(sink.atom(AtomKind::Whole(Arc::clone(prepared))));
    }
    native(prepared, version, sink).unwrap_or_else(|| by_atom(prepared, sink))
}

fn native(prepared: &PreparedCondition, version: Version, sink: &mut Sink<'_>) -> Option<Clause> {
    let condition = &prepared.condition;
    let attribute = Attribute::native(&condition.key);
    if condition.operator.base == BaseOperator::Null {
        let absent = is_true(condition.values.first()?);
        if condition.values.iter().any(|value| is_true(value) != absent) {
            return None;
        }
        sink.attribute(&attribute);
        let has = attribute.has();
        return Some(if absent { Clause::Unless(has) } else { Clause::When(has) });
    }
    if let Some(quantifier) = condition.operator.quantifier {
        return quantified(prepared, quantifier, &attribute, version, sink);
    }
    if may_be_several(&condition.key) {
        return None;
    }
    let Test { attribute, also, text } = positive(prepared, &attribute, version)?;
    sink.attribute(&attribute);
    for attribute in also {
        sink.attribute(&attribute);
    }
    let has = attribute.has();
    let operator = condition.operator;
    Some(if operator.base.negates().is_some() {
        Clause::Unless(format!("{has} && {text}"))
    } else if operator.if_exists {
        Clause::When(format!("if {has} then {text} else true"))
    } else {
        Clause::When(format!("{has} && {text}"))
    })
}

/// An atom for the positive match, with presence, `IfExists` and negation in Cedar, where the
/// negated operator is the exact opposite on every present value; elsewhere for the whole condition.
fn by_atom(prepared: &Arc<PreparedCondition>, sink: &mut Sink<'_>) -> Clause {
    let condition = &prepared.condition;
    let operator = condition.operator;
    let opposite = !matches!(
        operator.base,
        BaseOperator::Null
            | BaseOperator::IpAddress
            | BaseOperator::NotIpAddress
            | BaseOperator::ArnEquals
            | BaseOperator::ArnLike
            | BaseOperator::ArnNotEquals
            | BaseOperator::ArnNotLike
    );
    if operator.quantifier.is_some() || may_be_several(&condition.key) || !opposite {
        return Clause::When(sink.atom(AtomKind::Whole(Arc::clone(prepared))));
    }
    let atom = sink.atom(AtomKind::Positive(Arc::clone(prepared)));
    if operator.base.negates().is_some() {
        // The single shape keeps several values away: they fail a negated operator too.
        let attribute = Attribute::native(&condition.key);
        sink.attribute(&attribute);
        Clause::Unless(format!("{} && {atom}", attribute.has()))
    } else if operator.if_exists {
        let attribute = Attribute::native(&condition.key);
        sink.attribute(&attribute);
        Clause::When(format!("if {} then {atom} else true", attribute.has()))
    } else {
        Clause::When(atom)
    }
}

/// A test that holds of a present value, as a term that can stand under `&&`.
struct Test {
    attribute: Attribute,
    also: Vec<Attribute>,
    text: String,
}

fn positive(prepared: &PreparedCondition, native: &Attribute, version: Version) -> Option<Test> {
    use BaseOperator as Op;
    let condition = &prepared.condition;
    let values = &condition.values;
    if values.is_empty() {
        return None;
    }
    let base = condition.operator.base;
    let base = base.negates().unwrap_or(base);
    let mut attribute = native.clone();
    let mut also = Vec::new();
    let text = match (base, native.shape) {
        (Op::StringEquals | Op::StringLike, _) => {
            let of = match native.shape {
                Shape::Text => native.reference(),
                Shape::Arn => format!("{}.raw", native.reference()),
                _ => {
                    attribute = native.shadow(Shape::AsText);
                    attribute.reference()
                }
            };
            let read = if base == Op::StringLike { Pattern::with_wildcards } else { Pattern::without_wildcards };
            let patterns = values.iter().map(|value| read(value, version).ok()).collect::<Option<Vec<_>>>()?;
            texts(&of, &patterns, base == Op::StringLike, &mut also)?
        }
        (Op::StringEqualsIgnoreCase, Shape::Text) => {
            attribute = native.shadow(Shape::Lower);
            let patterns = values
                .iter()
                .map(|value| Pattern::without_wildcards(value, version).ok())
                .collect::<Option<Vec<_>>>()?;
            let lower =
                patterns.iter().map(|pattern| pattern.as_literal().map(lower_case)).collect::<Option<Vec<_>>>()?;
            equal_to(&attribute.reference(), &lower.iter().map(AsRef::as_ref).collect::<Vec<_>>())
        }
        (Op::BinaryEquals, Shape::Text) => {
            equal_to(&native.reference(), &values.iter().map(String::as_str).collect::<Vec<_>>())
        }
        (Op::Bool, Shape::Bool) => {
            let wanted = is_true(&values[0]);
            if values.iter().any(|value| is_true(value) != wanted) {
                return None;
            }
            format!("{} == {wanted}", native.reference())
        }
        (
            Op::NumericEquals
            | Op::NumericLessThan
            | Op::NumericLessThanEquals
            | Op::NumericGreaterThan
            | Op::NumericGreaterThanEquals,
            Shape::Long,
        ) => {
            let of = native.reference();
            let terms = values.iter().map(|value| number(&of, base, value)).collect::<Option<Vec<_>>>()?;
            any_of_term(&terms)
        }
        (
            Op::DateEquals
            | Op::DateLessThan
            | Op::DateLessThanEquals
            | Op::DateGreaterThan
            | Op::DateGreaterThanEquals,
            Shape::Date,
        ) => {
            let of = native.reference();
            let terms = values
                .iter()
                .map(|value| {
                    let date = datetime_text(epoch_milliseconds(value)?)?;
                    Some(format!("{of} {} datetime({})", relation(base), string(&date)))
                })
                .collect::<Option<Vec<_>>>()?;
            any_of_term(&terms)
        }
        (Op::IpAddress, Shape::Ip) => {
            let of = native.reference();
            let terms = values
                .iter()
                .map(|value| Some(format!("{of}.isInRange(ip({}))", string(&network(value)?))))
                .collect::<Option<Vec<_>>>()?;
            any_of_term(&terms)
        }
        (Op::ArnEquals | Op::ArnLike, Shape::Arn) if !prepared.values.may_err() => {
            let of = native.reference();
            let terms = values.iter().map(|value| arn(&of, value, version)).collect::<Option<Vec<_>>>()?;
            any_of_term(&terms)
        }
        _ => return None,
    };
    Some(Test { attribute, also, text })
}

/// String values: literals in one set, patterns and whole-value variables each on their own.
fn texts(of: &str, patterns: &[Pattern], wildcards: bool, also: &mut Vec<Attribute>) -> Option<String> {
    let mut terms = Vec::new();
    let mut literals = Vec::new();
    for pattern in patterns {
        match pattern.parts.as_slice() {
            [Part::Variable { key, default: None }] => {
                let other = Attribute::native(key);
                if other.shape != Shape::Text {
                    return None;
                }
                terms.push(format!("({} && {of} == {})", other.has(), other.reference()));
                also.push(other);
            }
            _ => match pattern.as_literal() {
                Some(literal) if !wildcards => literals.push(literal),
                _ => terms.push(format!("{of} like {}", like(pattern)?)),
            },
        }
    }
    if !literals.is_empty() {
        terms.insert(0, equal_to(of, &literals));
    }
    Some(any_of_term(&terms))
}

fn equal_to(of: &str, texts: &[&str]) -> String {
    match texts {
        [text] => format!("{of} == {}", string(text)),
        texts => format!("{}.contains({of})", set(texts)),
    }
}

fn quantified(
    prepared: &PreparedCondition,
    quantifier: Quantifier,
    attribute: &Attribute,
    version: Version,
    sink: &mut Sink<'_>,
) -> Option<Clause> {
    use BaseOperator::{StringEquals, StringNotEquals};
    let condition = &prepared.condition;
    let base = condition.operator.base;
    if attribute.shape != Shape::TextSet
        || !matches!(base, StringEquals | StringNotEquals)
        || condition.values.is_empty()
    {
        return None;
    }
    let patterns = condition
        .values
        .iter()
        .map(|value| Pattern::without_wildcards(value, version).ok())
        .collect::<Option<Vec<_>>>()?;
    let literals = patterns.iter().map(Pattern::as_literal).collect::<Option<Vec<_>>>()?;
    let (of, literals) = (attribute.reference(), set(&literals));
    let test = match (quantifier, base) {
        (Quantifier::ForAllValues, StringEquals) => format!("{literals}.containsAll({of})"),
        (Quantifier::ForAllValues, _) => format!("!{of}.containsAny({literals})"),
        (Quantifier::ForAnyValue, StringEquals) => format!("{of}.containsAny({literals})"),
        (Quantifier::ForAnyValue, _) => format!("!{literals}.containsAll({of})"),
    };
    sink.attribute(attribute);
    let has = attribute.has();
    Some(Clause::When(if condition.operator.holds_when_missing() {
        format!("if {has} then {test} else true")
    } else {
        format!("{has} && {test}")
    }))
}

/// A bound on an integer key: a fractional bound rounds exactly.
fn number(of: &str, base: BaseOperator, value: &str) -> Option<String> {
    let relation = relation(base);
    if let Some(bound) = Decimal::parse(value)?.to_i64() {
        return Some(format!("{of} {relation} {}", long(bound)?));
    }
    let (whole, fraction) = value.split_once('.')?;
    let plain = |text: &str| !text.is_empty() && text.len() <= 15 && text.bytes().all(|byte| byte.is_ascii_digit());
    if !plain(whole) || !plain(fraction) {
        return None;
    }
    let floor: i64 = whole.parse().ok()?;
    match base {
        BaseOperator::NumericLessThan | BaseOperator::NumericLessThanEquals => Some(format!("{of} <= {floor}")),
        BaseOperator::NumericGreaterThan | BaseOperator::NumericGreaterThanEquals => {
            Some(format!("{of} >= {}", floor + 1))
        }
        _ => None,
    }
}

/// Cedar reads the sign as an operator, so that the least number has no literal.
fn long(number: i64) -> Option<String> {
    (number != i64::MIN).then(|| number.to_string())
}

fn relation(base: BaseOperator) -> &'static str {
    use BaseOperator as Op;
    match base {
        Op::NumericLessThan | Op::DateLessThan => "<",
        Op::NumericLessThanEquals | Op::DateLessThanEquals => "<=",
        Op::NumericGreaterThan | Op::DateGreaterThan => ">",
        Op::NumericGreaterThanEquals | Op::DateGreaterThanEquals => ">=",
        _ => "==",
    }
}

/// A network as Cedar spells it. IPv4-mapped networks, which Cedar does not read, match no request.
fn network(value: &str) -> Option<String> {
    let net = Network::parse(value)?.net();
    match net {
        ipnet::IpNet::V6(v6) if v6.addr().to_ipv4_mapped().is_some() => None,
        net if net.prefix_len() == net.max_prefix_len() => Some(net.addr().to_string()),
        net => Some(net.to_string()),
    }
}

/// An ARN pattern against an ARN record, component by component.
fn arn(of: &str, value: &str, version: Version) -> Option<String> {
    let pattern = Pattern::with_wildcards(value, version).ok()?;
    if pattern.as_literal().is_some() {
        return pattern.as_literal().map(|literal| format!("{of}.raw == {}", string(literal)));
    }
    let pieces: Vec<&str> = value.splitn(6, ':').collect();
    let [_, components @ ..] = pieces.as_slice() else { return None };
    if components.len() != 5 || pattern.has_variables() {
        return None;
    }
    let names = ["partition", "service", "region", "account", "resource"];
    let mut terms = Vec::new();
    for (name, component) in names.iter().zip(components) {
        // Read as of version 2012-10-17 too, so that `${*}` and its like are the characters themselves.
        let component = Pattern::with_wildcards(component, version).ok()?;
        terms.extend(pattern_test(&format!("{of}.{name}"), &component)?);
    }
    match terms.as_slice() {
        [] => None,
        [term] => Some(term.clone()),
        terms => Some(format!("({})", terms.join(" && "))),
    }
}
