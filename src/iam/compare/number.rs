use std::borrow::Cow;
use std::cmp::Ordering;

/// A decimal number of any size, compared exactly.
///
/// `01`, `+1`, `1.`, `1.0` and `1e0` are all 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decimal<'a> {
    negative: bool,
    /// Without leading and trailing zeros; empty for zero.
    digits: Cow<'a, [u8]>,
    /// How many of the digits stand before the point (may be negative, or beyond their number).
    point: i64,
}

impl<'a> Decimal<'a> {
    /// Largest exponent that is read, either way: that of the arbitrary-precision decimals of
    /// common run times. Beyond it a text is no number.
    const MAX_EXPONENT: i64 = i32::MAX as i64;

    /// Reads a sign, digits with an optional point, and an exponent. None for anything else: the
    /// empty text, surrounding space, `NaN`, `Infinity`, `0x10`.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let (negative, unsigned) = match text.as_bytes() {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] | rest => (false, rest),
        };
        let mark = unsigned.iter().position(|byte| matches!(byte, b'e' | b'E')).unwrap_or(unsigned.len());
        let exponent = exponent(&unsigned[mark..])?;
        let mantissa = &unsigned[..mark];
        let dot = mantissa.iter().position(|byte| *byte == b'.');
        let (whole, fraction) = match dot {
            Some(dot) => (&mantissa[..dot], &mantissa[dot + 1..]),
            None => (mantissa, &mantissa[mantissa.len()..]),
        };
        let all_digits = |bytes: &[u8]| bytes.iter().all(u8::is_ascii_digit);
        if whole.len() + fraction.len() == 0 || !all_digits(whole) || !all_digits(fraction) {
            return None;
        }
        let digits = if fraction.is_empty() { Cow::Borrowed(whole) } else { Cow::Owned([whole, fraction].concat()) };
        let point = i64::try_from(whole.len()).ok()?.checked_add(exponent)?;
        Some(Self { negative, digits, point }.normalised())
    }

    /// The number on its own.
    #[must_use]
    pub fn into_owned(self) -> Decimal<'static> {
        Decimal { negative: self.negative, digits: Cow::Owned(self.digits.into_owned()), point: self.point }
    }

    /// The number as an integer; none where it is none or does not fit.
    #[must_use]
    pub fn to_i64(&self) -> Option<i64> {
        let point = usize::try_from(self.point).ok().filter(|point| *point <= 19 && *point >= self.digits.len());
        if self.digits.is_empty() {
            return Some(0);
        }
        let padding = point? - self.digits.len();
        let magnitude = self
            .digits
            .iter()
            .chain(std::iter::repeat_n(&b'0', padding))
            .try_fold(0_i128, |sum, digit| sum.checked_mul(10)?.checked_add(i128::from(digit - b'0')))?;
        i64::try_from(if self.negative { -magnitude } else { magnitude }).ok()
    }

    fn normalised(mut self) -> Self {
        let leading = self.digits.iter().take_while(|digit| **digit == b'0').count();
        let kept = self.digits.len() - self.digits.iter().rev().take_while(|digit| **digit == b'0').count();
        if leading == self.digits.len() {
            return Self { negative: false, digits: Cow::Borrowed(&[]), point: 0 };
        }
        self.point -= i64::try_from(leading).unwrap_or(i64::MAX);
        self.digits = match self.digits {
            Cow::Borrowed(digits) => Cow::Borrowed(&digits[leading..kept]),
            Cow::Owned(digits) => Cow::Owned(digits[leading..kept].to_vec()),
        };
        self
    }
}

/// Reads `e`, an optional sign and digits; zero where there is nothing.
fn exponent(bytes: &[u8]) -> Option<i64> {
    let [_, rest @ ..] = bytes else { return Some(0) };
    let (negative, digits) = match rest {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    if digits.is_empty() {
        return None;
    }
    let magnitude = digits.iter().try_fold(0_i64, |sum, digit| {
        let sum = sum * 10 + i64::from(digit.is_ascii_digit().then(|| digit - b'0')?);
        (sum <= Decimal::MAX_EXPONENT).then_some(sum)
    })?;
    Some(if negative { -magnitude } else { magnitude })
}

impl Ord for Decimal<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let sign = |number: &Self| match (number.digits.is_empty(), number.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        };
        sign(self).cmp(&sign(other)).then_with(|| {
            let magnitude = self.point.cmp(&other.point).then_with(|| self.digits.cmp(&other.digits));
            if self.negative { magnitude.reverse() } else { magnitude }
        })
    }
}

impl PartialOrd for Decimal<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_compare_by_value_and_exactly() {
        for (left, right, expected) in [
            ("01", "1", Ordering::Equal),
            ("+1", "1", Ordering::Equal),
            ("1.", "1", Ordering::Equal),
            ("1.0", "1", Ordering::Equal),
            ("1e0", "1", Ordering::Equal),
            ("100e-2", "1", Ordering::Equal),
            ("0.001E+3", "1", Ordering::Equal),
            (".5", "0.50", Ordering::Equal),
            ("-0", "0", Ordering::Equal),
            ("0e999", "-0.0", Ordering::Equal),
            ("9007199254740993", "9007199254740992", Ordering::Greater),
            ("9007199254740993", "9007199254740993.0000000000000000000000001", Ordering::Less),
            ("-2", "-1", Ordering::Less),
            ("-1", "0", Ordering::Less),
            ("10", "9", Ordering::Greater),
            ("-10", "-9", Ordering::Less),
            ("0.1", "0.09", Ordering::Greater),
            ("1e400", "1e399", Ordering::Greater),
            ("1e-400", "0", Ordering::Greater),
            ("12", "1.2e1", Ordering::Equal),
            ("123", "12", Ordering::Greater),
        ] {
            let (left, right) = (Decimal::parse(left).unwrap(), Decimal::parse(right).unwrap());
            assert_eq!(left.cmp(&right), expected, "{left:?} {right:?}");
            assert_eq!(right.cmp(&left), expected.reverse(), "{left:?} {right:?}");
            assert_eq!(left == right, expected.is_eq());
        }
    }

    #[test]
    fn what_is_no_number_is_told() {
        for bad in [
            "",
            " ",
            " 1",
            "1 ",
            "10abc",
            "NaN",
            "Infinity",
            "-",
            "+",
            ".",
            "e1",
            "1e",
            "1e+",
            "--1",
            "1.2.3",
            "1_000",
            "0x10",
            "١",
            "1e99999999999999999999",
            "1,5",
        ] {
            assert_eq!(Decimal::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn integers_that_fit_are_told() {
        for (text, expected) in [
            ("180", Some(180)),
            ("1.80e2", Some(180)),
            ("-5.0", Some(-5)),
            ("0", Some(0)),
            ("180.5", None),
            ("9223372036854775807", Some(i64::MAX)),
            ("9223372036854775808", None),
            ("1e400", None),
        ] {
            assert_eq!(Decimal::parse(text).unwrap().to_i64(), expected, "{text}");
        }
    }
}
