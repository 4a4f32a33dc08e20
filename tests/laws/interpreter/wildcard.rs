//! Wildcards and variables.

use super::case::{Context, look_up};

/// One symbol of a pattern.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Symbol {
    Unit(u16),
    Star,
    Question,
}

pub(super) fn units(text: &str) -> Vec<u16> {
    text.encode_utf16().collect()
}

pub(super) fn literal(text: &str) -> Vec<Symbol> {
    units(text).into_iter().map(Symbol::Unit).collect()
}

/// Whether the text matches a pattern without variables.
pub(crate) fn pattern_matches(pattern: &str, text: &str) -> bool {
    wildcard(&substitute(pattern, &Context::new(), false, true).unwrap(), &units(text))
}

/// By the definition: a table of which pattern ends match which text ends.
pub(super) fn wildcard(pattern: &[Symbol], text: &[u16]) -> bool {
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
pub(super) fn substitute(text: &str, context: &Context, variables: bool, wildcards: bool) -> Option<Vec<Symbol>> {
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
