use jiff::civil::Date;
use jiff::tz::TimeZone;

/// A point in time as condition values write it: milliseconds since 1970-01-01T00:00:00Z, finer
/// digits cut off. None where the text is no date.
///
/// Forms: the profiles of ISO 8601 that the W3C notes (`2024`, `2024-05`, `2024-05-06`,
/// `2024-05-06T07:08`, with `:09` and a fraction; zone `Z`, `+hh:mm`, `-hh:mm`, or none, which is
/// UTC) and seconds since the epoch (`1714953600`, also with a sign). Four digits alone are a
/// year, not an epoch of an hour or so; AWS's reading of them is not settled.
#[must_use]
pub fn epoch_milliseconds(text: &str) -> Option<i64> {
    if let Some(seconds) = epoch_seconds(text) {
        return seconds.checked_mul(1000);
    }
    let (date, time) = match text.split_once('T') {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let mut parts = date.split('-');
    let year = fixed(parts.next()?, 4)?;
    let month = parts.next().map_or(Some(1), |part| fixed(part, 2))?;
    let day_given = parts.next();
    let day = day_given.map_or(Some(1), |part| fixed(part, 2))?;
    if parts.next().is_some() || (time.is_some() && day_given.is_none()) {
        return None;
    }
    let date = Date::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()?;
    let midnight = date.to_zoned(TimeZone::UTC).ok()?.timestamp().as_millisecond();
    match time {
        Some(time) => midnight.checked_add(milliseconds_of_day(time)?),
        None => Some(midnight),
    }
}

fn epoch_seconds(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is_year = text.len() == 4 && digits.len() == 4;
    (!digits.is_empty() && !is_year && digits.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| text.parse().ok())
        .flatten()
}

/// `hh:mm[:ss[.fraction]]` with a zone, as milliseconds from midnight UTC.
fn milliseconds_of_day(text: &str) -> Option<i64> {
    let (clock, offset_minutes) = if let Some(clock) = text.strip_suffix('Z') {
        (clock, 0)
    } else if let Some(at) = text.find(['+', '-']) {
        let sign = if text[at..].starts_with('-') { -1 } else { 1 };
        let (hours, minutes) = text[at + 1..].split_once(':')?;
        (&text[..at], sign * (below(fixed(hours, 2)?, 24)? * 60 + below(fixed(minutes, 2)?, 60)?))
    } else {
        (text, 0)
    };
    let mut parts = clock.splitn(3, ':');
    let hours = below(fixed(parts.next()?, 2)?, 24)?;
    let minutes = below(fixed(parts.next()?, 2)?, 60)?;
    let (seconds, milliseconds) = match parts.next() {
        None => (0, 0),
        Some(text) => match text.split_once('.') {
            None => (fixed(text, 2)?, 0),
            Some((seconds, fraction)) => (fixed(seconds, 2)?, thousandths(fraction)?),
        },
    };
    let seconds = below(seconds, 60)?;
    Some(((hours * 60 + minutes - offset_minutes) * 60 + seconds) * 1000 + milliseconds)
}

fn thousandths(fraction: &str) -> Option<i64> {
    if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = fraction.bytes().chain(std::iter::repeat(b'0')).take(3);
    Some(digits.fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0')))
}

fn fixed(text: &str, length: usize) -> Option<i64> {
    (text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

fn below(number: i64, bound: i64) -> Option<i64> {
    (number < bound).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_of_a_date() {
        for (text, expected) in [
            ("2024-05-06", 1_714_953_600_000),
            ("2024-05", 1_714_521_600_000),
            ("2024", 1_704_067_200_000),
            ("2024-05-06T07:08Z", 1_714_979_280_000),
            ("2024-05-06T07:08:09Z", 1_714_979_289_000),
            ("2024-05-06T07:08:09", 1_714_979_289_000),
            ("2024-05-06T08:08:09+01:00", 1_714_979_289_000),
            ("2024-05-06T00:38:09-06:30", 1_714_979_289_000),
            ("2024-05-06T07:08:09.5Z", 1_714_979_289_500),
            ("2024-05-06T07:08:09.1239Z", 1_714_979_289_123),
            ("1714979289", 1_714_979_289_000),
            ("+1714979289", 1_714_979_289_000),
            ("-1", -1_000),
            ("0", 0),
            ("1969-12-31T23:59:59.999Z", -1),
            ("2024-02-29", 1_709_164_800_000),
        ] {
            assert_eq!(epoch_milliseconds(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_told() {
        for bad in [
            "",
            " ",
            "yesterday",
            "2023-02-29",
            "2024-13-01",
            "2024-5-6",
            "2024-05-06 07:08:09",
            "2024-05-06t07:08:09z",
            "2024-05-06T07",
            "2024-05-06T24:00:00Z",
            "2024-05-06T07:60Z",
            "2024-05-06T07:08:60Z",
            "2024-05T07:08Z",
            "2024-05-06T07:08:09.Z",
            "2024-05-06T07:08:09+0100",
            "2024-05-06T",
            "+",
            "1.5",
            "99999999999999999999",
            " 0",
            "2024-05-06T07:08:09ZZ",
            "2024-05-06-07",
            "02024-05-06",
            "2024-05-06T07:08:09+24:00",
        ] {
            assert_eq!(epoch_milliseconds(bad), None, "{bad}");
        }
    }
}
