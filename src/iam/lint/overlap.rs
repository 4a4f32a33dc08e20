//! Whether two patterns have a text in common.

use crate::iam::{Part, Pattern, ResourcePattern, Version};

/// Whether some ARN matches both the entry of a Resource element and the template of a resource
/// type, `arn:*:s3:::*`. A policy variable stands for any text.
pub(super) fn arns_meet(entry: &ResourcePattern, template: &str) -> bool {
    let ResourcePattern::Arn { segments, .. } = entry else { return true };
    let template: Vec<&str> = template.splitn(6, ':').skip(1).collect();
    let same_service = || segments[1].as_literal().is_none_or(|service| service == template[1]);
    // No bucket's name has a slash: what has one is an object.
    let is_object = || {
        let has_slash = |part: &Part| matches!(part, Part::Literal(text) if text.contains('/'));
        template[1] == "s3"
            && template.last() == Some(&"*")
            && segments.last().is_some_and(|name| name.parts.iter().any(has_slash))
    };
    template.len() == segments.len()
        && same_service()
        && !is_object()
        && segments.iter().zip(&template).all(|(segment, template)| {
            Pattern::with_wildcards(template, Version::V2008).is_ok_and(|template| meet(segment, &template))
        })
}

/// Whether some text matches both.
pub(super) fn meet(left: &Pattern, right: &Pattern) -> bool {
    let (left, right) = (units(left), units(right));
    // `reach[j]`: what is before `i` on the left and before `j` on the right can be the same text.
    let mut reach = vec![false; right.len() + 1];
    reach[0] = true;
    pass_stars(&mut reach, &right);
    for unit in &left {
        let mut next = vec![false; right.len() + 1];
        for at in 0..=right.len() {
            if !reach[at] {
                continue;
            }
            match unit {
                // It takes any number of the right's units.
                Unit::Any => next[at..].fill(true),
                unit => {
                    if let Some(other) = right.get(at) {
                        match other {
                            Unit::Any => next[at] = true,
                            other if other.may_equal(*unit) => next[at + 1] = true,
                            _ => {}
                        }
                    }
                }
            }
        }
        pass_stars(&mut next, &right);
        reach = next;
    }
    reach[right.len()]
}

/// A star on the right may stand for nothing.
fn pass_stars(reach: &mut [bool], right: &[Unit]) {
    for at in 0..right.len() {
        if reach[at] && right[at] == Unit::Any {
            reach[at + 1] = true;
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Unit {
    /// Any text.
    Any,
    /// Any one character.
    One,
    Is(char),
}

impl Unit {
    fn may_equal(self, other: Self) -> bool {
        self == Self::One || other == Self::One || self == other
    }
}

fn units(pattern: &Pattern) -> Vec<Unit> {
    let mut units = Vec::new();
    for part in &pattern.parts {
        match part {
            Part::Literal(text) => units.extend(text.chars().map(Unit::Is)),
            Part::Question => units.push(Unit::One),
            Part::Star | Part::Variable { .. } => units.push(Unit::Any),
        }
    }
    units
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_meet_where_a_text_matches_both() {
        for (left, right, expected) in [
            ("", "", true),
            ("", "*", true),
            ("", "?", false),
            ("a", "a", true),
            ("a", "b", false),
            ("a*", "*b", true),
            ("a*c", "ab*", true),
            ("a?c", "*c", true),
            ("a?", "a", false),
            ("key/*", "alias/*", false),
            ("*/*", "bucket", false),
            ("*", "key/*", true),
            ("key/?*", "key/*", true),
            ("a*a", "a", false),
            ("*a*b*", "b*a", true),
        ] {
            let read = |text: &str| Pattern::with_wildcards(text, Version::V2008).unwrap();
            assert_eq!(meet(&read(left), &read(right)), expected, "{left} {right}");
            assert_eq!(meet(&read(right), &read(left)), expected, "{right} {left}");
        }
    }

    #[test]
    fn an_entry_meets_a_template_segment_by_segment() {
        for (entry, template, expected) in [
            ("*", "arn:*:s3:::*", true),
            ("arn:aws:s3:::bucket/*", "arn:*:s3:::*/*", true),
            ("arn:aws:s3:::bucket", "arn:*:s3:::*/*", false),
            ("arn:aws:s3:::bucket/*", "arn:*:s3:::*", false),
            ("arn:aws:s3:::bucket*", "arn:*:s3:::*", true),
            ("arn:aws:s3:::${aws:username}", "arn:*:s3:::*/*", true),
            ("arn:aws:kms:*:*:alias/a", "arn:*:kms:*:*:key/*", false),
            ("arn:aws:kms:*:*:*", "arn:*:kms:*:*:key/*", true),
            ("arn:aws:s3:us-east-1:111122223333:bucket", "arn:*:s3:::*", false),
        ] {
            let entry = ResourcePattern::parse(entry, Version::V2012).unwrap();
            assert_eq!(arns_meet(&entry, template), expected, "{} {template}", entry.text());
        }
    }
}
