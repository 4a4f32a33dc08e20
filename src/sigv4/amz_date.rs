use jiff::Timestamp;
use jiff::civil;
use jiff::tz::Offset;

/// A date in ISO 8601's basic format, `20150830T123600Z`: the one format that is signed.
#[derive(Clone, Copy, Debug)]
pub(super) struct AmzDate<'a> {
    text: &'a str,
    at: Timestamp,
}

impl<'a> AmzDate<'a> {
    /// Sixteen bytes, exactly, that name a second that exists (leap seconds do not).
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let &[_, _, _, _, _, _, _, _, b'T', _, _, _, _, _, _, b'Z'] = bytes else { return None };
        let date = civil::DateTime::new(
            number(&bytes[0..4])?,
            i8::try_from(number(&bytes[4..6])?).ok()?,
            i8::try_from(number(&bytes[6..8])?).ok()?,
            i8::try_from(number(&bytes[9..11])?).ok()?,
            i8::try_from(number(&bytes[11..13])?).ok()?,
            i8::try_from(number(&bytes[13..15])?).ok()?,
            0,
        )
        .ok()?;
        Some(Self { text, at: Offset::UTC.to_timestamp(date).ok()? })
    }

    /// As it was sent.
    pub(super) fn text(&self) -> &'a str {
        self.text
    }

    /// `YYYYMMDD`.
    pub(super) fn day(&self) -> &'a str {
        &self.text[..8]
    }

    pub(super) fn timestamp(&self) -> Timestamp {
        self.at
    }
}

/// The instant in the same format, without its part of a second.
pub(super) fn print(at: Timestamp) -> String {
    at.strftime("%Y%m%dT%H%M%SZ").to_string()
}

fn number(digits: &[u8]) -> Option<i16> {
    digits.iter().try_fold(0, |sum: i16, digit| digit.is_ascii_digit().then(|| sum * 10 + i16::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_basic_format_is_a_date() {
        let date = AmzDate::parse(b"20150830T123600Z").unwrap();
        assert_eq!(date.timestamp(), "2015-08-30T12:36:00Z".parse::<Timestamp>().unwrap());
        assert_eq!((date.text(), date.day()), ("20150830T123600Z", "20150830"));
        assert_eq!(print(date.timestamp()), "20150830T123600Z");
        for bad in [
            "",
            "20150830",
            "2015-08-30T12:36:00Z",
            "Sun, 30 Aug 2015 12:36:00 GMT",
            "20150830T123600",
            "20150830t123600Z",
            "20150830T123600z",
            "20150830T123600Z ",
            " 20150830T123600Z",
            "20150830T123660Z",
            "20150830T246000Z",
            "20150230T123600Z",
            "20151330T123600Z",
            "+0150830T123600Z",
            "2015083\u{0660}T12360Z",
        ] {
            assert!(AmzDate::parse(bad.as_bytes()).is_none(), "{bad}");
        }
    }
}
