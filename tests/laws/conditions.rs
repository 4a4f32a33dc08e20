//! The sentences of AWS's documentation on conditions, one row each.

use keystile::aws::ConditionKey;
use keystile::iam::Verdict::{False, StatementError, True};
use keystile::iam::{CompiledValues, Operator, Variable, Verdict, Version};

fn variables(key: &ConditionKey) -> Variable<'static> {
    match key.as_str() {
        "aws:username" => "a*b".into(),
        "k:arn" => "arn:aws:iam::111122223333:user/*".into(),
        "aws:tagkeys" => Variable::Multivalued,
        _ => Variable::Absent,
    }
}

fn check(operator: &str, values: &[&str], request: Option<&[&str]>, multivalued: bool) -> Verdict {
    let operator: Operator = operator.parse().unwrap();
    let values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
    let compiled = CompiledValues::new(operator.base, &values, Version::V2012).unwrap();
    operator.evaluate(&compiled, request, multivalued, &variables)
}

const ARN: &str = "arn:aws:iam::111122223333:user/alice";

#[test]
fn single_values() {
    for (operator, values, request, expected) in [
        ("StringEquals", &["a", "b"][..], "b", True),
        ("StringEquals", &["A"], "a", False),
        ("StringEquals", &["*"], "a", False),
        ("StringNotEquals", &["a", "b"], "b", False),
        ("StringNotEquals", &["a", "b"], "c", True),
        ("StringLike", &["${aws:username}"], "a*b", True),
        ("StringLike", &["${aws:username}"], "axb", False),
        ("StringEquals", &["${k:gone}"], "", False),
        ("StringNotEquals", &["${k:gone}"], "x", True),
        ("StringEquals", &["${k:gone, 'x'}"], "x", True),
        ("StringEquals", &["${aws:TagKeys, 'x'}"], "x", False),
        ("StringNotEquals", &["${aws:TagKeys, 'x'}"], "x", True),
        ("StringEqualsIgnoreCase", &["ΟΔΟΣ"], "οδος", True),
        ("StringEqualsIgnoreCase", &["ΟΔΟΣ"], "οδοσ", False),
        ("StringEqualsIgnoreCase", &["ß"], "ss", False),
        ("StringNotEqualsIgnoreCase", &["\u{10400}"], "\u{10428}", True),
        ("NumericEquals", &["1e0"], "01", True),
        ("NumericEquals", &["9007199254740993"], "9007199254740992", False),
        ("NumericNotEquals", &["1"], "NaN", True),
        ("NumericNotEquals", &["NaN"], "1", True),
        ("NumericLessThan", &["10"], "9", True),
        ("NumericLessThan", &["10"], "10abc", False),
        ("DateEquals", &["2024-05-06"], "1714953600", True),
        ("DateEquals", &["2024-05-06T00:00:00.0009Z"], "2024-05-06", True),
        ("DateEquals", &["soon"], "soon", False),
        ("DateNotEquals", &["soon"], "soon", True),
        ("DateGreaterThan", &["2024-05-06T00:00:00Z"], "2024-05-05T23:59:59-00:01", True),
        ("Bool", &["TRUE"], "true", True),
        ("Bool", &["false"], "anything", True),
        ("Bool", &["true"], " true", False),
        ("BinaryEquals", &["QQ=="], "QQ", False),
        ("IpAddress", &["0.0.0.0/0"], "203.0.113.7", True),
        ("IpAddress", &["203.0.113.0/24"], "::ffff:203.0.113.7", True),
        ("NotIpAddress", &["203.0.113.0/24"], "203.0.113.0/24", False),
        ("NotIpAddress", &["203.0.113.0/24"], "3405803783", False),
        ("NotIpAddress", &["2001:db8::1/32"], "203.0.113.7", True),
        ("ArnEquals", &["arn:aws:iam::*:user/*"], ARN, True),
        ("ArnLike", &["arn:aws:iam::111122223333:USER/*"], ARN, False),
        ("ArnLike", &["arn:aws:*:user/alice:x:y"], ARN, False),
        ("ArnLike", &["arn:aws:iam::1:x"], "no arn", False),
        ("ArnNotLike", &["arn:aws:iam::1:x"], "no arn", False),
        ("ArnLike", &["no arn"], ARN, StatementError),
        ("ArnNotLike", &["no arn"], ARN, StatementError),
        ("ArnLike", &["no arn"], "no arn", False),
        ("ArnLike", &["${aws:username}"], ARN, StatementError),
        ("ArnLike", &[ARN, "no arn"], ARN, True),
        ("ArnLike", &["no arn", ARN], ARN, StatementError),
        ("ArnLike", &["${k:arn}"], ARN, False),
        ("ArnNotLike", &["${k:gone}"], ARN, True),
        ("Null", &["true"], "", False),
        ("Null", &["False"], "", True),
        ("Null", &["perhaps"], "x", True),
    ] {
        assert_eq!(check(operator, values, Some(&[request]), false), expected, "{operator} {values:?} {request}");
    }
}

#[test]
fn missing_keys_and_several_values() {
    for (operator, values, request, multivalued, expected) in [
        ("StringEquals", &["a"][..], None, false, False),
        ("StringNotEquals", &["a"], None, false, True),
        ("StringEqualsIfExists", &["a"], None, false, True),
        ("StringEqualsIfExists", &["a"], Some(&["b"][..]), false, False),
        ("IpAddress", &["::/0"], None, false, False),
        ("NotIpAddress", &["::/0"], None, false, True),
        ("ArnNotLike", &["no arn"], None, false, True),
        ("Null", &["true"], None, false, True),
        ("Null", &["false"], None, false, False),
        ("ForAllValues:StringEquals", &["a"], None, true, True),
        ("ForAllValues:StringEquals", &["a"], Some(&[]), true, True),
        ("ForAllValues:StringEquals", &["a"], Some(&[""]), true, False),
        ("ForAllValues:StringEquals", &["a", "b"], Some(&["a", "b", "a"]), true, True),
        ("ForAllValues:StringEquals", &["a", "b"], Some(&["a", "c"]), true, False),
        ("ForAllValues:StringNotEquals", &["a"], Some(&["b", "c"]), true, True),
        ("ForAllValues:StringNotEquals", &["a"], Some(&["b", "a"]), true, False),
        ("ForAnyValue:StringEquals", &["a"], None, true, False),
        ("ForAnyValue:StringNotEquals", &["a"], None, true, False),
        ("ForAnyValue:StringEqualsIfExists", &["a"], None, true, True),
        ("ForAnyValue:StringEquals", &["a"], Some(&["b", "a"]), true, True),
        ("ForAnyValue:StringNotEquals", &["a"], Some(&["a", "b"]), true, True),
        ("ForAnyValue:StringNotEquals", &["a"], Some(&["a", "a"]), true, False),
        ("ForAnyValue:StringEquals", &["a"], Some(&["a"]), false, True),
        ("StringEquals", &["a"], Some(&["a"]), true, False),
        ("StringNotEquals", &["a"], Some(&["b"]), true, False),
        ("StringNotEqualsIfExists", &["a"], Some(&["b"]), true, False),
        ("StringNotEquals", &["a"], None, true, True),
        ("StringEquals", &[], Some(&["a"]), false, False),
        ("StringNotEquals", &[], Some(&["a"]), false, True),
    ] {
        assert_eq!(check(operator, values, request, multivalued), expected, "{operator} {values:?} {request:?}");
    }
}

#[test]
fn in_documents_of_2008_variables_are_text() {
    let operator: Operator = "StringEquals".parse().unwrap();
    let compiled = CompiledValues::new(operator.base, &["${aws:username}".to_owned()], Version::V2008).unwrap();
    assert_eq!(operator.evaluate(&compiled, Some(&["${aws:username}"]), false, &variables), True);
    assert_eq!(operator.evaluate(&compiled, Some(&["a*b"]), false, &variables), False);
}
