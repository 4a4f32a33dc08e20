//! Numbers written out: sign, whole digits, fraction digits. No floating point.

use std::cmp::Ordering;

#[derive(Debug)]
pub(super) struct Number {
    negative: bool,
    whole: String,
    fraction: String,
}

pub(super) fn number(text: &str) -> Option<Number> {
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

pub(super) fn compare_numbers(left: &Number, right: &Number) -> Ordering {
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
