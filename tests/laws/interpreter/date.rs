//! Dates, counted day by day.

/// Milliseconds since the epoch; none for what is no date.
pub(super) fn milliseconds(text: &str) -> Option<i128> {
    let digits = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    // Four digits are a year.
    if digits(unsigned) && !(digits(text) && text.len() == 4) {
        // Seconds beyond what milliseconds in 64 bits hold are no date.
        let milliseconds = text.parse::<i128>().ok()?.checked_mul(1000)?;
        return (i128::from(i64::MIN)..=i128::from(i64::MAX)).contains(&milliseconds).then_some(milliseconds);
    }
    let two = |text: &str| (text.len() == 2 && digits(text)).then(|| text.parse::<i128>().unwrap());
    let (date, time) = match text.split_once('T') {
        None => (text, None),
        Some((date, time)) => (date, Some(time)),
    };
    let fields: Vec<&str> = date.split('-').collect();
    if fields.len() > 3 || (time.is_some() && fields.len() != 3) || fields[0].len() != 4 || !digits(fields[0]) {
        return None;
    }
    let year: i128 = fields[0].parse().ok()?;
    let month = fields.get(1).map_or(Some(1), |text| two(text))?;
    let day = fields.get(2).map_or(Some(1), |text| two(text))?;
    let leap = |year: i128| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days_of = |year: i128, month: i128| match month {
        2 => 28 + i128::from(leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    if !(1..=12).contains(&month) || day < 1 || day > days_of(year, month) {
        return None;
    }
    // Count the days one by one: years, then months.
    let mut days = 0;
    for earlier in 1970..year {
        days += 365 + i128::from(leap(earlier));
    }
    for later in year..1970 {
        days -= 365 + i128::from(leap(later));
    }
    for earlier in 1..month {
        days += days_of(year, earlier);
    }
    days += day - 1;
    let Some(time) = time else { return Some(days * 86_400_000) };

    let (clock, offset) = if let Some(clock) = time.strip_suffix('Z') {
        (clock, 0)
    } else if let Some((clock, zone)) = time.split_once('+') {
        (clock, zone_minutes(zone)?)
    } else if let Some((clock, zone)) = time.split_once('-') {
        (clock, -zone_minutes(zone)?)
    } else {
        (time, 0)
    };
    let fields: Vec<&str> = clock.split(':').collect();
    if fields.len() < 2 || fields.len() > 3 {
        return None;
    }
    let (hours, minutes) = (two(fields[0])?, two(fields[1])?);
    let (seconds, thousandths) = match fields.get(2) {
        None => (0, 0),
        Some(text) => match text.split_once('.') {
            None => (two(text)?, 0),
            Some((seconds, fraction)) => {
                if !digits(fraction) {
                    return None;
                }
                (two(seconds)?, format!("{fraction}000")[..3].parse().unwrap())
            }
        },
    };
    if hours > 23 || minutes > 59 || seconds > 59 {
        return None;
    }
    Some(((days * 24 + hours) * 60 + minutes - offset) * 60_000 + seconds * 1000 + thousandths)
}

fn zone_minutes(zone: &str) -> Option<i128> {
    let (hours, minutes) = zone.split_once(':')?;
    let two = |text: &str| {
        (text.len() == 2 && text.chars().all(|c| c.is_ascii_digit())).then(|| text.parse::<i128>().unwrap())
    };
    let (hours, minutes) = (two(hours)?, two(minutes)?);
    (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
}
