//! Pieces of Cedar text.

use std::fmt::Write;

use crate::iam::{Part, Pattern};

/// Longest chain of `||` that is written flat; longer ones become trees, for Cedar's evaluator
/// recurses once for each operator.
const FLAT: usize = 8;

/// A Cedar string literal.
pub(super) fn string(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    escape(text, &mut quoted);
    quoted.push('"');
    quoted
}

/// The pattern of a `like`; none where Cedar has no such pattern (`?`, variables).
pub(super) fn like(pattern: &Pattern) -> Option<String> {
    let mut quoted = String::from("\"");
    for part in &pattern.parts {
        match part {
            Part::Literal(text) => {
                for (at, piece) in text.split('*').enumerate() {
                    if at > 0 {
                        quoted.push_str("\\*");
                    }
                    escape(piece, &mut quoted);
                }
            }
            Part::Star => quoted.push('*'),
            Part::Question | Part::Variable { .. } => return None,
        }
    }
    quoted.push('"');
    Some(quoted)
}

/// A test of the text in `of` against a pattern without variables and `?`; none where there is
/// such a part. `Some(None)` is a pattern that every text matches.
#[expect(clippy::option_option, reason = "no test needed and no test possible are different answers")]
pub(super) fn pattern_test(of: &str, pattern: &Pattern) -> Option<Option<String>> {
    if let Some(literal) = pattern.as_literal() {
        return Some(Some(format!("{of} == {}", string(literal))));
    }
    if !pattern.parts.is_empty() && pattern.parts.iter().all(|part| *part == Part::Star) {
        return Some(None);
    }
    like(pattern).map(|pattern| Some(format!("{of} like {pattern}")))
}

/// `a || b || …` as a balanced tree. Terms must bind tighter than `||`.
pub(super) fn any_of(terms: &[String]) -> String {
    if terms.len() <= FLAT {
        return terms.join(" || ");
    }
    let (left, right) = terms.split_at(terms.len() / 2);
    format!("({}) || ({})", any_of(left), any_of(right))
}

/// `any_of` that can stand under `&&`.
pub(super) fn any_of_term(terms: &[String]) -> String {
    if terms.len() == 1 { terms[0].clone() } else { format!("({})", any_of(terms)) }
}

/// `["a", "b"]`.
pub(super) fn set(texts: &[&str]) -> String {
    let quoted: Vec<String> = texts.iter().map(|text| string(text)).collect();
    format!("[{}]", quoted.join(", "))
}

fn escape(text: &str, into: &mut String) {
    for character in text.chars() {
        match character {
            '"' => into.push_str("\\\""),
            '\\' => into.push_str("\\\\"),
            '\n' => into.push_str("\\n"),
            '\r' => into.push_str("\\r"),
            '\t' => into.push_str("\\t"),
            '\0' => into.push_str("\\0"),
            // Controls and characters that reorder or hide text must not stand raw in what people read.
            c if c.is_control()
                || matches!(c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}') =>
            {
                let _ = write!(into, "\\u{{{:x}}}", u32::from(c));
            }
            c => into.push(c),
        }
    }
}
