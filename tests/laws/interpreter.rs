//! A plain interpreter of IAM policies, written from AWS's rules alone: obvious, slow, and without
//! a line of the library's code. What the fast path decides is held to what this decides.
//!
//! Where AWS's rules leave something open, it takes the side that the library documents.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde_json::Value;

/// A request's condition keys: name as the request spells it → values.
pub(crate) type Context = BTreeMap<String, Values>;

/// The values of one key.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Values {
    pub(crate) multivalued: bool,
    pub(crate) values: Vec<String>,
}

impl Values {
    pub(crate) fn one(value: &str) -> Self {
        Self { multivalued: false, values: vec![value.to_owned()] }
    }

    pub(crate) fn many(values: &[&str]) -> Self {
        Self { multivalued: true, values: values.iter().map(|value| (*value).to_owned()).collect() }
    }
}

/// One request with the policies that apply to it.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// Of the user, root user, role session or federated user; empty for an anonymous caller; or a
    /// service's name.
    pub(crate) principal: String,
    /// The role's ARN, path included, of a role session.
    pub(crate) role: Option<String>,
    /// The caller's unique id (`AIDA…`, or `AROA…` of a session's role), if it has one.
    pub(crate) unique_id: Option<String>,
    /// The caller's account; empty where it has none.
    pub(crate) account: String,
    /// `kms:Decrypt`.
    pub(crate) action: String,
    /// The key's ARN; none for an operation on no key (identity policies alone decide).
    pub(crate) resource: Option<String>,
    pub(crate) context: Context,
    pub(crate) key_policy: Option<Value>,
    pub(crate) identity: Vec<Value>,
    pub(crate) boundary: Option<Value>,
    pub(crate) session: Option<Vec<Value>>,
    /// Whether principals of other accounts can do this at all.
    pub(crate) cross_account_operation: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Allow,
    ImplicitDeny,
    ExplicitDeny,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layer {
    KeyPolicy,
    Identity,
    Boundary,
    Session,
}

/// The outcome with the layer that decided: that denied explicitly, that allowed, or that was
/// silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) outcome: Outcome,
    pub(crate) layer: Layer,
}

/// How the key policy allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grant {
    /// Names the user, the session, the federated user, the service, or everyone.
    Direct,
    /// Names the session's role.
    Role,
    /// Names the account.
    Account,
}

pub(crate) fn decide(case: &Case) -> Verdict {
    let verdict = |outcome, layer| Verdict { outcome, layer };
    let is_root = case.principal.starts_with("arn:") && case.principal.ends_with(":root");
    let account_of_key = case.resource.as_deref().map(|arn| arn.split(':').nth(4).unwrap_or("").to_owned());
    // A principal that holds its permissions through another account's documents does not exist:
    // the documents below are the caller's own, the key policy the key's.
    let no_session = Vec::new();
    let session = case.session.as_ref().unwrap_or(&no_session);

    // Explicit denies, in the flow's order.
    if case.key_policy.iter().any(|policy| denies(case, policy, true)) {
        return verdict(Outcome::ExplicitDeny, Layer::KeyPolicy);
    }
    if case.identity.iter().any(|policy| denies(case, policy, false)) {
        return verdict(Outcome::ExplicitDeny, Layer::Identity);
    }
    if case.boundary.iter().any(|policy| denies(case, policy, false)) {
        return verdict(Outcome::ExplicitDeny, Layer::Boundary);
    }
    if session.iter().any(|policy| denies(case, policy, false)) {
        return verdict(Outcome::ExplicitDeny, Layer::Session);
    }

    let identity_allows = case.identity.iter().any(|policy| allows(case, policy));
    let boundary_allows = case.boundary.iter().all(|policy| allows(case, policy));
    let session_allows = case.session.is_none() || session.iter().any(|policy| allows(case, policy));
    // The first of the caller's own layers that is silent.
    let own_side = |with_identity: bool| {
        if with_identity && !identity_allows && !is_root {
            Err(verdict(Outcome::ImplicitDeny, Layer::Identity))
        } else if !boundary_allows {
            Err(verdict(Outcome::ImplicitDeny, Layer::Boundary))
        } else if !session_allows {
            Err(verdict(Outcome::ImplicitDeny, Layer::Session))
        } else {
            Ok(())
        }
    };

    let Some(account_of_key) = account_of_key else {
        // Operations on no key.
        return match own_side(true) {
            Ok(()) => verdict(Outcome::Allow, Layer::Identity),
            Err(silent) => silent,
        };
    };

    let grants: Vec<Grant> = case.key_policy.iter().flat_map(|policy| grants(case, policy)).collect();
    let same_account = !case.account.is_empty() && case.account == account_of_key;
    // A caller of no account (a service, nobody) has no side of its own to be asked.
    if case.account.is_empty() {
        return if grants.contains(&Grant::Direct) && case.principal.ends_with(".amazonaws.com") {
            verdict(Outcome::Allow, Layer::KeyPolicy)
        } else {
            verdict(Outcome::ImplicitDeny, Layer::KeyPolicy)
        };
    }
    if !same_account {
        if !case.cross_account_operation || grants.is_empty() {
            return verdict(Outcome::ImplicitDeny, Layer::KeyPolicy);
        }
        return match own_side(true) {
            Ok(()) => verdict(Outcome::Allow, Layer::KeyPolicy),
            Err(silent) => silent,
        };
    }
    if grants.contains(&Grant::Direct) {
        return verdict(Outcome::Allow, Layer::KeyPolicy);
    }
    if grants.is_empty() {
        return verdict(Outcome::ImplicitDeny, Layer::KeyPolicy);
    }
    if grants.contains(&Grant::Role) && own_side(false).is_ok() {
        return verdict(Outcome::Allow, Layer::KeyPolicy);
    }
    if grants.contains(&Grant::Account) {
        return match own_side(true) {
            Ok(()) => verdict(Outcome::Allow, Layer::Identity),
            Err(silent) => silent,
        };
    }
    match own_side(false) {
        Ok(()) => verdict(Outcome::Allow, Layer::KeyPolicy),
        Err(silent) => silent,
    }
}

// Documents and statements.

fn statements(policy: &Value) -> Vec<&Value> {
    match &policy["Statement"] {
        Value::Array(list) => list.iter().collect(),
        Value::Null => Vec::new(),
        one => vec![one],
    }
}

fn has_variables(policy: &Value) -> bool {
    policy["Version"] == "2012-10-17"
}

/// Whether a Deny of the document applies.
fn denies(case: &Case, policy: &Value, is_key_policy: bool) -> bool {
    statements(policy).into_iter().any(|statement| {
        statement["Effect"] == "Deny"
            && (!is_key_policy || deny_names_caller(case, statement))
            && applies(case, statement, has_variables(policy)) != Some(false)
    })
}

/// Whether an Allow of a document of the caller's own applies.
fn allows(case: &Case, policy: &Value) -> bool {
    statements(policy).into_iter().any(|statement| {
        statement["Effect"] == "Allow" && applies(case, statement, has_variables(policy)) == Some(true)
    })
}

/// The ways in which the key policy allows.
fn grants(case: &Case, policy: &Value) -> Vec<Grant> {
    statements(policy)
        .into_iter()
        .filter(|statement| {
            statement["Effect"] == "Allow" && applies(case, statement, has_variables(policy)) == Some(true)
        })
        .flat_map(|statement| principal_entries(&statement["Principal"]))
        .filter_map(|(kind, text)| names(case, &kind, &text))
        .collect()
}

/// Action, Resource and Condition: some truth, or none where the statement is in error.
fn applies(case: &Case, statement: &Value, variables: bool) -> Option<bool> {
    if !action_matches(case, statement) || !resource_matches(case, statement, variables) {
        return Some(false);
    }
    let mut all = true;
    if let Value::Object(operators) = &statement["Condition"] {
        let mut error = false;
        for (operator, keys) in operators {
            for (key, values) in keys.as_object().unwrap() {
                match condition(operator, key, &list(values), &case.context, variables) {
                    None => error = true,
                    Some(holds) => all &= holds,
                }
            }
        }
        if error {
            return None;
        }
    }
    Some(all)
}

/// A string, number or boolean, or a list of them, as texts.
fn list(value: &Value) -> Vec<String> {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match value {
        Value::Array(items) => items.iter().map(text).collect(),
        one => vec![text(one)],
    }
}

// Principals.

/// `(type, text)` of each entry.
fn principal_entries(principal: &Value) -> Vec<(String, String)> {
    match principal {
        Value::String(text) => vec![("AWS".to_owned(), text.clone())],
        Value::Object(types) => types
            .iter()
            .flat_map(|(kind, entries)| list(entries).into_iter().map(move |entry| (kind.clone(), entry)))
            .collect(),
        _ => Vec::new(),
    }
}

/// How the entry names the caller; none where it does not.
fn names(case: &Case, kind: &str, entry: &str) -> Option<Grant> {
    if kind == "Service" {
        return (entry == case.principal).then_some(Grant::Direct);
    }
    if kind == "Federated" || kind == "CanonicalUser" {
        return None;
    }
    if entry == "*" {
        return Some(Grant::Direct);
    }
    if !case.account.is_empty() {
        let root = format!(":iam::{}:root", case.account);
        if entry == case.account || (entry.starts_with("arn:") && entry.ends_with(&root)) {
            return Some(Grant::Account);
        }
    }
    if entry == case.principal && entry.starts_with("arn:") {
        return Some(Grant::Direct);
    }
    if case.role.as_deref() == Some(entry) {
        return Some(Grant::Role);
    }
    if case.unique_id.as_deref() == Some(entry) {
        return Some(if entry.starts_with("AROA") { Grant::Role } else { Grant::Direct });
    }
    None
}

fn deny_names_caller(case: &Case, statement: &Value) -> bool {
    if statement.get("Principal").is_some() {
        return principal_entries(&statement["Principal"]).iter().any(|(kind, text)| names(case, kind, text).is_some());
    }
    // NotPrincipal: a caller with a permissions boundary is denied whatever it lists; exempt is
    // only who is named exactly. The account's entry exempts its root user alone, a role's entry
    // none of its sessions.
    if case.boundary.is_some() {
        return true;
    }
    let is_root = case.principal.ends_with(":root");
    !principal_entries(&statement["NotPrincipal"]).iter().any(|(kind, text)| match names(case, kind, text) {
        Some(Grant::Account) => is_root,
        Some(Grant::Direct) => true,
        Some(Grant::Role) | None => false,
    })
}

// Actions and resources.

fn action_matches(case: &Case, statement: &Value) -> bool {
    let matches = |patterns: &Value| {
        list(patterns).iter().any(|pattern| {
            let pattern = pattern.to_lowercase();
            if pattern == "*" {
                return true;
            }
            let (service, name) = pattern.split_once(':').unwrap();
            let action = case.action.to_lowercase();
            let (asked_service, asked_name) = action.split_once(':').unwrap();
            wildcard_text(service, asked_service) && wildcard_text(name, asked_name)
        })
    };
    match (statement.get("Action"), statement.get("NotAction")) {
        (Some(patterns), _) => matches(patterns),
        (None, Some(patterns)) => !matches(patterns),
        (None, None) => false,
    }
}

fn resource_matches(case: &Case, statement: &Value, variables: bool) -> bool {
    let matches = |patterns: &Value| {
        list(patterns).iter().any(|pattern| {
            if pattern == "*" {
                return true;
            }
            // An operation on no resource asks for `*`, which no ARN pattern covers.
            let Some(resource) = &case.resource else { return false };
            let pattern: Vec<&str> = pattern.splitn(6, ':').collect();
            let resource: Vec<&str> = resource.splitn(6, ':').collect();
            (1..5).all(|at| wildcard_text(pattern[at], resource[at]))
                && match substitute(pattern[5], &case.context, variables, true) {
                    None => false,
                    Some(symbols) => wildcard(&symbols, &units(resource[5])),
                }
        })
    };
    match (statement.get("Resource"), statement.get("NotResource")) {
        (Some(patterns), _) => matches(patterns),
        (None, Some(patterns)) => !matches(patterns),
        (None, None) => false,
    }
}

// Wildcards and variables.

/// One symbol of a pattern.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Symbol {
    Unit(u16),
    Star,
    Question,
}

fn units(text: &str) -> Vec<u16> {
    text.encode_utf16().collect()
}

fn literal(text: &str) -> Vec<Symbol> {
    units(text).into_iter().map(Symbol::Unit).collect()
}

fn wildcard_text(pattern: &str, text: &str) -> bool {
    let empty = Context::new();
    wildcard(&substitute(pattern, &empty, false, true).unwrap(), &units(text))
}

/// By the definition: a table of which pattern ends match which text ends.
fn wildcard(pattern: &[Symbol], text: &[u16]) -> bool {
    let mut matches = vec![vec![false; text.len() + 1]; pattern.len() + 1];
    for p in (0..=pattern.len()).rev() {
        for t in (0..=text.len()).rev() {
            matches[p][t] = if p == pattern.len() {
                t == text.len()
            } else {
                match pattern[p] {
                    Symbol::Star => matches[p + 1][t] || (t < text.len() && matches[p][t + 1]),
                    Symbol::Question => t < text.len() && matches[p + 1][t + 1],
                    Symbol::Unit(unit) => t < text.len() && text[t] == unit && matches[p + 1][t + 1],
                }
            };
        }
    }
    matches[0][0]
}

/// The pattern with its variables replaced; none where one does not resolve.
fn substitute(text: &str, context: &Context, variables: bool, wildcards: bool) -> Option<Vec<Symbol>> {
    let mut symbols = Vec::new();
    let mut rest = text.to_owned();
    while !rest.is_empty() {
        if variables && rest.starts_with("${") {
            let close = closing_brace(&rest);
            let inside = rest[2..close].to_owned();
            rest = rest[close + 1..].to_owned();
            if inside == "*" || inside == "?" || inside == "$" {
                symbols.extend(literal(&inside));
                continue;
            }
            let (key, default) = match inside.split_once(',') {
                None => (inside.trim(), None),
                Some((key, quoted)) => (key.trim(), Some(quoted.trim().trim_matches('\''))),
            };
            match look_up(context, key) {
                Some(found) if found.multivalued && !found.values.is_empty() => return None,
                Some(found) if !found.values.is_empty() => symbols.extend(literal(&found.values[0])),
                _ => symbols.extend(literal(default?)),
            }
            continue;
        }
        let first = rest.chars().next().unwrap();
        symbols.extend(match first {
            '*' if wildcards => vec![Symbol::Star],
            '?' if wildcards => vec![Symbol::Question],
            other => literal(&other.to_string()),
        });
        rest = rest[first.len_utf8()..].to_owned();
    }
    Some(symbols)
}

/// Where the variable at the start ends; a default in quotes may hold a brace.
fn closing_brace(text: &str) -> usize {
    let mut quoted = false;
    for (at, character) in text.char_indices() {
        match character {
            '\'' => quoted = !quoted,
            '}' if !quoted => return at,
            _ => {}
        }
    }
    panic!("a valid policy closes its variables: {text}");
}

/// Key names ignore case.
fn look_up<'c>(context: &'c Context, key: &str) -> Option<&'c Values> {
    context.iter().find(|(name, _)| name.to_lowercase() == key.to_lowercase()).map(|(_, values)| values)
}

// Conditions.

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

/// Lower-casing with contextual final sigma, characters above U+FFFF as they are: those are set
/// aside, the rest is lower-cased word by word.
fn lower(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let cased = |character: &char| character.is_alphabetic() && (character.is_lowercase() || character.is_uppercase());
    // Marks and a few signs stand between letters without ending a word.
    let ignorable = |character: &&char| {
        matches!(**character, '\'' | '.' | ':' | '^' | '`' | '\u{ad}' | '\u{b7}' | '\u{2019}' | '\u{300}'..='\u{36f}')
    };
    let mut lower = String::new();
    for (at, character) in characters.iter().enumerate() {
        if *character as u32 > 0xFFFF {
            lower.push(*character);
        } else if *character == 'Σ' {
            let before = characters[..at].iter().rev().find(|c| !ignorable(c)).is_some_and(cased);
            let after = characters[at + 1..].iter().find(|c| !ignorable(c)).is_some_and(cased);
            lower.push(if before && !after { 'ς' } else { 'σ' });
        } else {
            lower.extend(character.to_lowercase());
        }
    }
    lower
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

// Numbers: sign, whole digits, fraction digits, all written out.

#[derive(Debug)]
struct Number {
    negative: bool,
    whole: String,
    fraction: String,
}

fn number(text: &str) -> Option<Number> {
    let (negative, text) = match text.chars().next()? {
        '-' => (true, &text[1..]),
        '+' => (false, &text[1..]),
        _ => (false, text),
    };
    let lower = text.to_lowercase();
    let (mantissa, exponent) = match lower.split_once('e') {
        None => (lower.as_str(), 0),
        Some((mantissa, exponent)) => {
            let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            if digits.is_empty() || !digits.chars().all(|c| c.is_ascii_digit()) {
                return None;
            }
            (mantissa, exponent.parse::<i64>().ok()?)
        }
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    if !whole.chars().chain(fraction.chars()).all(|c| c.is_ascii_digit()) {
        return None;
    }
    assert!(exponent.abs() < 100_000, "the oracle writes its numbers out");
    let (mut whole, mut fraction) = (whole.to_owned(), fraction.to_owned());
    for _ in 0..exponent {
        whole.push(if fraction.is_empty() { '0' } else { fraction.remove(0) });
    }
    for _ in exponent..0 {
        fraction.insert(0, whole.pop().unwrap_or('0'));
    }
    let whole = whole.trim_start_matches('0').to_owned();
    let fraction = fraction.trim_end_matches('0').to_owned();
    let zero = whole.is_empty() && fraction.is_empty();
    Some(Number { negative: negative && !zero, whole, fraction })
}

fn compare_numbers(left: &Number, right: &Number) -> Ordering {
    let magnitude = |left: &Number, right: &Number| {
        left.whole
            .len()
            .cmp(&right.whole.len())
            .then_with(|| left.whole.cmp(&right.whole))
            .then_with(|| left.fraction.cmp(&right.fraction))
    };
    match (left.negative, right.negative) {
        (false, true) => Ordering::Greater,
        (true, false) => Ordering::Less,
        (false, false) => magnitude(left, right),
        (true, true) => magnitude(right, left),
    }
}

// Dates.

fn milliseconds(text: &str) -> Option<i128> {
    let digits = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    // Four digits are a year.
    if digits(unsigned) && !(digits(text) && text.len() == 4) {
        // Seconds beyond what milliseconds in 64 bits hold are no date.
        let milliseconds = text.parse::<i128>().ok()? * 1000;
        return (i128::from(i64::MIN)..=i128::from(i64::MAX)).contains(&milliseconds).then_some(milliseconds);
    }
    let two = |text: &str| (text.len() == 2 && digits(text)).then(|| text.parse::<i128>().unwrap());
    let (date, time) = match text.split_once('T') {
        None => (text, None),
        Some((date, time)) => (date, Some(time)),
    };
    let fields: Vec<&str> = date.split('-').collect();
    if fields.len() > 3 || (time.is_some() && fields.len() != 3) || fields[0].len() != 4 || !digits(fields[0]) {
        return None;
    }
    let year: i128 = fields[0].parse().ok()?;
    let month = fields.get(1).map_or(Some(1), |text| two(text))?;
    let day = fields.get(2).map_or(Some(1), |text| two(text))?;
    let leap = |year: i128| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days_of = |year: i128, month: i128| match month {
        2 => 28 + i128::from(leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    if !(1..=12).contains(&month) || day < 1 || day > days_of(year, month) {
        return None;
    }
    // Count the days one by one: years, then months.
    let mut days = 0;
    for earlier in 1970..year {
        days += 365 + i128::from(leap(earlier));
    }
    for later in year..1970 {
        days -= 365 + i128::from(leap(later));
    }
    for earlier in 1..month {
        days += days_of(year, earlier);
    }
    days += day - 1;
    let Some(time) = time else { return Some(days * 86_400_000) };

    let (clock, offset) = if let Some(clock) = time.strip_suffix('Z') {
        (clock, 0)
    } else if let Some((clock, zone)) = time.split_once('+') {
        (clock, zone_minutes(zone)?)
    } else if let Some((clock, zone)) = time.split_once('-') {
        (clock, -zone_minutes(zone)?)
    } else {
        (time, 0)
    };
    let fields: Vec<&str> = clock.split(':').collect();
    if fields.len() < 2 || fields.len() > 3 {
        return None;
    }
    let (hours, minutes) = (two(fields[0])?, two(fields[1])?);
    let (seconds, thousandths) = match fields.get(2) {
        None => (0, 0),
        Some(text) => match text.split_once('.') {
            None => (two(text)?, 0),
            Some((seconds, fraction)) => {
                if !digits(fraction) {
                    return None;
                }
                (two(seconds)?, format!("{fraction}000")[..3].parse().unwrap())
            }
        },
    };
    if hours > 23 || minutes > 59 || seconds > 59 {
        return None;
    }
    Some(((days * 24 + hours) * 60 + minutes - offset) * 60_000 + seconds * 1000 + thousandths)
}

fn zone_minutes(zone: &str) -> Option<i128> {
    let (hours, minutes) = zone.split_once(':')?;
    let two = |text: &str| {
        (text.len() == 2 && text.chars().all(|c| c.is_ascii_digit())).then(|| text.parse::<i128>().unwrap())
    };
    let (hours, minutes) = (two(hours)?, two(minutes)?);
    (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
}

// Addresses, as bits.

fn bits(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:08b}")).collect::<Vec<_>>().concat()
}

/// 32 or 128 bits.
fn literal_address(text: &str) -> Option<String> {
    if text.contains(':') {
        let address: std::net::Ipv6Addr = text.parse().ok()?;
        let address = bits(&address.octets());
        let mapped = format!("{}{}", "0".repeat(80), "1".repeat(16));
        return (!text.contains('.') || address.starts_with(&mapped)).then_some(address);
    }
    let parts: Vec<&str> = text.split('.').collect();
    if parts.len() != 4 {
        return None;
    }
    let mut bytes = Vec::new();
    for part in parts {
        if part.is_empty() || part.len() > 3 || !part.chars().all(|c| c.is_ascii_digit()) {
            return None;
        }
        bytes.push(part.parse::<u8>().ok()?);
    }
    Some(bits(&bytes))
}

fn request_address(text: &str) -> Option<String> {
    let address = literal_address(text)?;
    let mapped = format!("{}{}", "0".repeat(80), "1".repeat(16));
    Some(address.strip_prefix(&mapped).map_or(address.clone(), str::to_owned))
}

/// Whether the network of a policy holds the address; a bad policy value holds none.
fn network_holds(network: &str, address: &str) -> bool {
    let (host, prefix) = network.split_once('/').map_or((network, None), |(host, prefix)| (host, Some(prefix)));
    let Some(host) = literal_address(host) else { return false };
    let length = match prefix {
        None => host.len(),
        Some(text) => {
            if text.is_empty() || text.len() > 3 || !text.chars().all(|c| c.is_ascii_digit()) {
                return false;
            }
            text.parse().unwrap()
        }
    };
    if length > host.len() || (host.len() == 128 && host[length..].contains('1')) {
        return false;
    }
    host.len() == address.len() && host[..length] == address[..length]
}

// The interpreter itself, held to AWS's table of who limits whom.

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/k";
    const USER: &str = "arn:aws:iam::111122223333:user/alice";
    const ROLE: &str = "arn:aws:iam::111122223333:role/p/R";
    const SESSION: &str = "arn:aws:sts::111122223333:assumed-role/R/s";
    const EVE: &str = "arn:aws:iam::444455556666:user/eve";

    fn statement(effect: &str, principal: Option<&str>) -> Value {
        let mut statement = json!({"Effect": effect, "Action": "kms:*", "Resource": "*"});
        if let Some(principal) = principal {
            statement["Principal"] = json!({"AWS": principal});
        }
        json!({"Version": "2012-10-17", "Statement": statement})
    }

    /// `own`: identity, boundary, session; `+` allows, `-` denies, `0` is silent, `.` is absent.
    fn decided(principal: &str, key_policy: &Value, own: &str, across: bool) -> (Outcome, Layer) {
        let document = |at: usize| match own.as_bytes()[at] {
            b'+' => Some(statement("Allow", None)),
            b'-' => Some(statement("Deny", None)),
            b'0' => Some(json!({"Statement": []})),
            _ => None,
        };
        let verdict = decide(&Case {
            principal: principal.to_owned(),
            role: (principal == SESSION).then(|| ROLE.to_owned()),
            unique_id: None,
            account: principal.split(':').nth(4).unwrap().to_owned(),
            action: "kms:Decrypt".to_owned(),
            resource: Some(KEY.to_owned()),
            context: Context::new(),
            key_policy: Some(key_policy.clone()),
            identity: document(0).into_iter().collect(),
            boundary: document(1),
            session: document(2).map(|document| vec![document]),
            cross_account_operation: across,
        });
        (verdict.outcome, verdict.layer)
    }

    #[test]
    fn who_limits_whom() {
        use Layer::{Boundary, Identity, KeyPolicy, Session};
        use Outcome::{Allow, ExplicitDeny, ImplicitDeny};
        for (principal, named, own, across, expected) in [
            (USER, USER, ".0.", true, (Allow, KeyPolicy)),
            (USER, "*", ".0.", true, (Allow, KeyPolicy)),
            (SESSION, SESSION, ".00", true, (Allow, KeyPolicy)),
            (SESSION, ROLE, "...", true, (Allow, KeyPolicy)),
            (SESSION, ROLE, ".+0", true, (ImplicitDeny, Session)),
            (SESSION, ROLE, ".0+", true, (ImplicitDeny, Boundary)),
            (USER, "111122223333", "...", true, (ImplicitDeny, Identity)),
            (USER, "111122223333", "+..", true, (Allow, Identity)),
            (USER, "111122223333", "+0.", true, (ImplicitDeny, Boundary)),
            (SESSION, "arn:aws:iam::111122223333:root", "++0", true, (ImplicitDeny, Session)),
            ("arn:aws:iam::111122223333:root", "111122223333", "...", true, (Allow, Identity)),
            ("arn:aws:iam::111122223333:root", USER, "...", true, (ImplicitDeny, KeyPolicy)),
            (USER, EVE, "+..", true, (ImplicitDeny, KeyPolicy)),
            (USER, EVE, "-..", true, (ExplicitDeny, Identity)),
            (USER, USER, "+-.", true, (ExplicitDeny, Boundary)),
            (EVE, "*", "...", true, (ImplicitDeny, Identity)),
            (EVE, EVE, "+..", true, (Allow, KeyPolicy)),
            (EVE, "444455556666", "+..", true, (Allow, KeyPolicy)),
            (EVE, EVE, "+..", false, (ImplicitDeny, KeyPolicy)),
        ] {
            let found = decided(principal, &statement("Allow", Some(named)), own, across);
            assert_eq!(found, expected, "{principal} named by {named} with {own}");
        }
    }

    #[test]
    fn not_principal_exempts_who_is_named_exactly_and_nobody_with_a_boundary() {
        for (principal, listed, own, denied) in [
            (USER, USER, "...", false),
            (USER, USER, ".+.", true),
            (USER, "111122223333", "...", true),
            (SESSION, SESSION, "...", false),
            (SESSION, ROLE, "...", true),
            ("arn:aws:iam::111122223333:root", "111122223333", "...", false),
        ] {
            let policy = json!({"Statement": {"Effect": "Deny", "NotPrincipal": {"AWS": listed}, "Action": "*", "Resource": "*"}});
            let (outcome, _) = decided(principal, &policy, own, true);
            assert_eq!(outcome == Outcome::ExplicitDeny, denied, "{principal} {listed} {own}");
        }
    }
}
