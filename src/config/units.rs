use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use serde::de::{self, Deserialize, Deserializer, Visitor};

/// A quantity that a file gives as a number of its base unit or as text with a unit.
pub(super) trait Quantity: Sized {
    /// Goes on after "expected".
    const EXPECTED: &'static str;
    /// From a whole number of the base unit.
    fn from_number(number: u64) -> Self;
    /// From text with a unit.
    fn from_text(text: &str) -> Option<Self>;
}

/// Bytes: `1048576` or `"1MiB"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size(pub(super) u64);

impl Quantity for Size {
    const EXPECTED: &'static str = "a size: a number of bytes, or text such as \"64KiB\", \"256MiB\" or \"1GiB\"";

    fn from_number(number: u64) -> Self {
        Self(number)
    }

    fn from_text(text: &str) -> Option<Self> {
        const UNITS: [(&str, u64); 5] =
            [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)];
        with_unit(text, &UNITS).map(Self)
    }
}

/// A time: `10` seconds or `"10s"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span(pub(super) Duration);

impl Quantity for Span {
    const EXPECTED: &'static str =
        "a duration: a number of seconds, or text such as \"500ms\", \"10s\", \"5m\" or \"1h\"";

    fn from_number(number: u64) -> Self {
        Self(Duration::from_secs(number))
    }

    fn from_text(text: &str) -> Option<Self> {
        const UNITS: [(&str, u64); 4] = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)];
        with_unit(text, &UNITS).map(Duration::from_millis).map(Self)
    }
}

/// Digits, then exactly one of the units.
fn with_unit(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let (digits, unit) = (&text[..end], text[end..].trim_start());
    let factor = units.iter().find(|(name, _)| *name == unit)?.1;
    digits.parse::<u64>().ok()?.checked_mul(factor)
}

struct QuantityVisitor<Q>(PhantomData<Q>);

impl<Q: Quantity> Visitor<'_> for QuantityVisitor<Q> {
    type Value = Q;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Q::EXPECTED)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Q, E> {
        u64::try_from(number).map(Q::from_number).map_err(|_| E::invalid_value(de::Unexpected::Signed(number), &self))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Q, E> {
        Ok(Q::from_number(number))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Q, E> {
        Q::from_text(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(QuantityVisitor(PhantomData))
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(QuantityVisitor(PhantomData))
    }
}

/// Shown in the unit that a person would write.
pub(super) trait Shown {
    fn shown(&self) -> String;
}

impl Shown for Size {
    fn shown(&self) -> String {
        const UNITS: [(u64, &str); 4] = [(1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
        UNITS
            .iter()
            .find(|(factor, _)| self.0 >= *factor && self.0.is_multiple_of(*factor))
            .map_or_else(|| format!("{}B", self.0), |(factor, unit)| format!("{}{unit}", self.0 / factor))
    }
}

impl Shown for Span {
    fn shown(&self) -> String {
        let milliseconds = self.0.as_millis();
        [(3_600_000, "h"), (60_000, "m"), (1000, "s")]
            .iter()
            .find(|(factor, _)| milliseconds >= *factor && milliseconds.is_multiple_of(*factor))
            .map_or_else(|| format!("{milliseconds}ms"), |(factor, unit)| format!("{}{unit}", milliseconds / factor))
    }
}

impl Shown for u32 {
    fn shown(&self) -> String {
        self.to_string()
    }
}

impl PartialOrd for Size {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        self.0.partial_cmp(&other.0)
    }
}

impl PartialOrd for Span {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        self.0.partial_cmp(&other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_durations_have_exactly_one_unit() {
        for (text, bytes) in [("0B", 0), ("512B", 512), ("64KiB", 65536), ("256 MiB", 256 << 20), ("1GiB", 1 << 30)] {
            assert_eq!(Size::from_text(text), Some(Size(bytes)), "{text}");
        }
        for bad in ["", "64", "KiB", "64kb", "64KB", "-1KiB", "1.5MiB", "99999999999999TiB", "1MiB ", "1KiBKiB"] {
            assert_eq!(Size::from_text(bad), None, "{bad}");
        }
        for (text, milliseconds) in [("500ms", 500), ("10s", 10_000), ("5m", 300_000), ("1h", 3_600_000)] {
            assert_eq!(Span::from_text(text), Some(Span(Duration::from_millis(milliseconds))), "{text}");
        }
        for bad in ["", "10", "s", "10sec", "-1s", "1d", "1m30s"] {
            assert_eq!(Span::from_text(bad), None, "{bad}");
        }
    }

    #[test]
    fn quantities_are_shown_in_the_unit_that_a_person_would_write() {
        assert_eq!(Size(256 << 20).shown(), "256MiB");
        assert_eq!(Size(1025).shown(), "1025B");
        assert_eq!(Span(Duration::from_secs(90)).shown(), "90s");
        assert_eq!(Span(Duration::from_millis(100)).shown(), "100ms");
    }
}
