//! Patterns and condition values, against the plain interpreter.

use keystile::iam::{CompiledValues, Operator, Pattern, ResourcePattern, Variable, Verdict, Version};

use super::{fuzz, text};
use crate::interpreter::{self, Context, Values, pattern_matches};

/// What the naive matcher can take.
const LONG: usize = 400;

#[test]
fn a_pattern_matches_as_the_naive_matcher_has_it() {
    let corpus = [
        "a*c\0abbc",
        "*?*\0é",
        "a*b*c\0a__b__c",
        "??\0😀",
        "arn:aws:s3:::b/*\0arn:aws:s3:::b/x",
        "***a\0aaaa",
        "[a]\\*\0[a]\\x",
        "\0",
    ];
    let corpus = corpus.iter().map(|text| text.as_bytes().to_vec()).collect();
    fuzz("pattern", corpus, &["*", "?", "**", "a", "ab", "b", "😀", "é", "\0"], |input| {
        let Some((pattern, value)) = text(input).and_then(|text| text.split_once('\0')) else { return String::new() };
        if pattern.len() > LONG || value.len() > LONG {
            return String::new();
        }
        let none = |_: &keystile::aws::ConditionKey| Variable::Absent;
        let compiled = Pattern::with_wildcards(pattern, Version::V2008).unwrap();
        let found = compiled.matches(value, &none);
        assert_eq!(found, pattern_matches(pattern, value), "{pattern:?} {value:?}");
        // With variables too, nothing may panic; without any, they are the same pattern.
        match Pattern::with_wildcards(pattern, Version::V2012) {
            Ok(other) if !pattern.contains("${") => assert_eq!(other, compiled),
            Ok(other) => assert!(!other.matches(value, &none) || other.bind(&none).is_some()),
            Err(error) => assert!(pattern.contains("${"), "{error}"),
        }
        if let Ok(resource) = ResourcePattern::parse(pattern, Version::V2008) {
            assert_eq!(resource.text(), pattern);
            if let Ok(arn) = value.parse() {
                let segments = pattern.splitn(6, ':').zip(value.splitn(6, ':'));
                let each = pattern == "*" || segments.skip(1).all(|(pattern, value)| pattern_matches(pattern, value));
                assert_eq!(resource.matches(&arn, &none), each, "{pattern} {value}");
            }
        }
        format!("{found} {} {}", pattern.matches('*').count().min(4), pattern.matches('?').count().min(4))
            .replace(|c: char| c.is_ascii_digit(), "n")
    });
}

const OPERATORS: [&str; 14] = [
    "StringEquals",
    "StringEqualsIgnoreCase",
    "StringNotLike",
    "NumericEquals",
    "NumericLessThan",
    "NumericNotEquals",
    "DateEquals",
    "DateGreaterThanEquals",
    "DateNotEquals",
    "Bool",
    "IpAddress",
    "NotIpAddress",
    "ArnLike",
    "ArnNotEquals",
];

#[test]
fn condition_values_compare_as_the_interpreter_has_it() {
    let corpus: Vec<Vec<u8>> = [
        "1\x001.0",
        "9007199254740993\0-9007199254740992",
        "1e10\x0010000000000",
        "2024-05-06T00:00:00.001Z\x001714953600",
        "2024-02-29\x002024-02-29T00:00:00+01:30",
        "-1\x001969-12-31T23:59:59Z",
        "203.0.113.0/24\0::ffff:203.0.113.7",
        "2001:db8::/32\x002001:db8::1",
        "010.1.2.3\x0010.1.2.3",
        "TRUE\0true",
        "ΟΔΟΣ\0οδος",
        "arn:aws:iam::*:user/?\0arn:aws:iam::1:user/a",
        "QUI=\0QUI=",
        "a*\0abc",
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .collect();
    let dictionary = [
        "0", "00", "+", "-", ".", "e", "E1", "T", "Z", "+01:00", "-23:59", "/0", "/32", "/128", "::", "ffff", "255",
        "256", "arn:", "Σ", "σ", "ς", "'", "\0",
    ];
    fuzz("values", corpus, &dictionary, |input| {
        let Some((value, request)) = text(input).and_then(|text| text.split_once('\0')) else { return String::new() };
        // The interpreter writes its numbers out.
        let writes_out = |text: &str| text.split(['e', 'E']).nth(1).is_none_or(|exponent| exponent.len() < 5);
        if value.len() > LONG || request.len() > LONG || !writes_out(value) || !writes_out(request) {
            return String::new();
        }
        let context = Context::from([("k:key".to_owned(), Values::one(request))]);
        let mut outcome = String::new();
        for name in OPERATORS {
            let operator: Operator = name.parse().unwrap();
            let values = [value.to_owned()];
            let compiled = CompiledValues::new(operator.base, &values, Version::V2008).unwrap();
            let found = operator.evaluate(&compiled, Some(&[request]), false, &|_| Variable::Absent);
            let expected = interpreter::condition(name, "k:key", &values, &context, false);
            assert_eq!(found, expected.map_or(Verdict::StatementError, Verdict::from), "{name} {value:?} {request:?}");
            outcome.push(match found {
                Verdict::True => 't',
                Verdict::False => 'f',
                Verdict::StatementError => 'e',
            });
        }
        outcome
    });
}
