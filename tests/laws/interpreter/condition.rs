//! Conditions: operators, prefixes, suffixes, missing keys.

use std::cmp::Ordering;

use super::address::{network_holds, request_address};
use super::case::{Context, look_up};
use super::date::milliseconds;
use super::letters::lower;
use super::number::{compare_numbers, number};
use super::wildcard::{Symbol, literal, substitute, units, wildcard};

/// One operator on one key: some truth, or none where the statement is in error.
pub(crate) fn condition(
    operator: &str,
    key: &str,
    values: &[String],
    context: &Context,
    variables: bool,
) -> Option<bool> {
    let (quantifier, rest) = operator.split_once(':').map_or(("", operator), |(quantifier, rest)| (quantifier, rest));
    let (base, if_exists) = rest.strip_suffix("IfExists").map_or((rest, false), |base| (base, true));
    // A key with no values is no different from a missing one.
    let found = look_up(context, key).filter(|found| !found.values.is_empty());
    if base == "Null" {
        return Some(values.iter().any(|value| (value.to_lowercase() == "true") == found.is_none()));
    }
    let negated = base.contains("Not");
    let Some(found) = found else {
        return Some(if_exists || quantifier == "ForAllValues" || (quantifier.is_empty() && negated));
    };
    let one = |request: &str| compare(base, negated, request, values, context, variables);
    match quantifier {
        "" if found.multivalued => Some(false),
        "" => one(&found.values[0]),
        "ForAllValues" => {
            for request in &found.values {
                if !one(request)? {
                    return Some(false);
                }
            }
            Some(true)
        }
        "ForAnyValue" => {
            for request in &found.values {
                if one(request)? {
                    return Some(true);
                }
            }
            Some(false)
        }
        other => panic!("no quantifier: {other}"),
    }
}

/// The base operator, negation included, on one request value.
fn compare(
    base: &str,
    negated: bool,
    request: &str,
    values: &[String],
    context: &Context,
    variables: bool,
) -> Option<bool> {
    let positive = base.replace("Not", "");
    let positive = if positive == "IpAddress" || base == "NotIpAddress" { "IpAddress".to_owned() } else { positive };
    // Some operators compare nothing at all with such a request value.
    if positive == "IpAddress" && request_address(request).is_none() {
        return Some(false);
    }
    if positive.starts_with("Arn") && !is_arn(request) {
        return Some(false);
    }
    for value in values {
        if matches(&positive, request, value, context, variables)? {
            return Some(!negated);
        }
    }
    Some(negated)
}

/// The positive comparison of one pair; none for an error of the statement.
fn matches(positive: &str, request: &str, value: &str, context: &Context, variables: bool) -> Option<bool> {
    let plain = |symbols: &[Symbol]| {
        let units: Vec<u16> =
            symbols.iter().map(|symbol| if let Symbol::Unit(unit) = symbol { *unit } else { unreachable!() }).collect();
        String::from_utf16(&units).unwrap()
    };
    Some(match positive {
        "StringEquals" => substitute(value, context, variables, false).is_some_and(|text| plain(&text) == request),
        "StringEqualsIgnoreCase" => {
            substitute(value, context, variables, false).is_some_and(|text| lower(&plain(&text)) == lower(request))
        }
        "StringLike" => {
            substitute(value, context, variables, true).is_some_and(|pattern| wildcard(&pattern, &units(request)))
        }
        "ArnEquals" | "ArnLike" => {
            let Some(pattern) = substitute(value, context, variables, true) else { return Some(false) };
            let components = arn_components(&pattern)?;
            let request: Vec<&str> = request.splitn(6, ':').collect();
            components.iter().zip(request).all(|(pattern, text)| wildcard(pattern, &units(text)))
        }
        "Bool" => (value.to_lowercase() == "true") == (request.to_lowercase() == "true"),
        "BinaryEquals" => value == request,
        "IpAddress" => network_holds(value, &request_address(request).unwrap()),
        numeric if numeric.starts_with("Numeric") => {
            let (Some(left), Some(right)) = (number(request), number(value)) else { return Some(false) };
            relation(&numeric["Numeric".len()..], compare_numbers(&left, &right))
        }
        date if date.starts_with("Date") => {
            let (Some(left), Some(right)) = (milliseconds(request), milliseconds(value)) else { return Some(false) };
            relation(&date["Date".len()..], left.cmp(&right))
        }
        other => panic!("no operator: {other}"),
    })
}

fn relation(name: &str, ordering: Ordering) -> bool {
    match name {
        "Equals" => ordering == Ordering::Equal,
        "LessThan" => ordering == Ordering::Less,
        "LessThanEquals" => ordering != Ordering::Greater,
        "GreaterThan" => ordering == Ordering::Greater,
        "GreaterThanEquals" => ordering != Ordering::Less,
        other => panic!("no relation: {other}"),
    }
}

fn is_arn(text: &str) -> bool {
    arn_components(&literal(text)).is_some()
}

/// Six components, the first `arn`, and partition, service and resource not empty.
fn arn_components(pattern: &[Symbol]) -> Option<Vec<Vec<Symbol>>> {
    let colon = Symbol::Unit(u16::from(b':'));
    let components: Vec<Vec<Symbol>> = pattern.splitn(6, |symbol| *symbol == colon).map(<[Symbol]>::to_vec).collect();
    (components.len() == 6
        && components[0] == literal("arn")
        && !components[1].is_empty()
        && !components[2].is_empty()
        && !components[5].is_empty())
    .then_some(components)
}
