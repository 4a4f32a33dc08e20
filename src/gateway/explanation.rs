//! The explanation of a denial as a response header, where the operator asks for it.

use std::fmt::Write;

use http::{HeaderName, HeaderValue};

use crate::authz::{Decision, Explanation, Outcome};

pub(super) const NAME: HeaderName = HeaderName::from_static("x-keystile-explanation");

/// Longest value, in bytes.
const MAX_BYTES: usize = 1024;

/// Decision and explanation on one line of printable ASCII; what is beyond [`MAX_BYTES`] is cut.
pub(super) fn value(decision: &Decision, explanation: &Explanation) -> HeaderValue {
    let mut text = decision.outcome.as_str().to_owned();
    for by in &decision.decided_by {
        let _ = write!(text, "; decided by {by}");
    }
    for miss in &explanation.near_misses {
        let title = if decision.outcome == Outcome::ExplicitDeny { "it applies because of" } else { "nearest" };
        let _ = write!(text, "; {title}: {}", miss.statement);
        for failed in &miss.failed {
            let _ = write!(text, ": {failed}");
        }
    }
    if !explanation.missing_context_keys.is_empty() {
        let _ = write!(text, "; read and not given: {}", explanation.missing_context_keys.join(", "));
    }
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_ascii() && !character.is_ascii_control() {
            line.push(character);
        } else {
            line.extend(character.escape_unicode());
        }
    }
    if line.len() > MAX_BYTES {
        line.truncate(MAX_BYTES - 3);
        line.push_str("...");
    }
    HeaderValue::from_str(&line).unwrap_or_else(|_| HeaderValue::from_static("none"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authz::{Actual, DecidedBy, Element, FailedElement, Layer, NearMiss, Outcome};

    #[test]
    fn the_value_is_one_line_of_ascii_and_bounded() {
        let statement = |sid: &str| DecidedBy {
            layer: Layer::KeyPolicy,
            level: None,
            document: Some(0),
            statement: Some(1),
            sid: Some(sid.to_owned()),
            file: None,
            line: None,
        };
        let silent = DecidedBy { document: None, statement: None, sid: None, ..statement("") };
        let decision = Decision { outcome: Outcome::ImplicitDeny, decided_by: vec![silent], message: None };
        let explained = |sid: &str| Explanation {
            missing_context_keys: vec!["aws:SourceIp".to_owned()],
            near_misses: vec![NearMiss {
                statement: statement(sid),
                failed: vec![FailedElement {
                    element: Element::Condition,
                    operator: Some("IpAddress".to_owned()),
                    key: Some("aws:SourceIp".to_owned()),
                    expected: vec!["10.0.0.0/8".to_owned()],
                    actual: Actual::Absent,
                    reason: None,
                }],
            }],
        };
        assert_eq!(
            value(&decision, &explained("a\r\né")),
            "implicit_deny; decided by key policy; nearest: key policy, statement 1 \"a\\r\\n\\u{e9}\": Condition IpAddress aws:SourceIp: expects \"10.0.0.0/8\", the request does not give it; read and not given: aws:SourceIp"
        );
        let long = value(&decision, &explained(&"x".repeat(5000)));
        assert_eq!(long.len(), MAX_BYTES);
        assert!(long.to_str().unwrap().ends_with("xxx..."));
    }
}
