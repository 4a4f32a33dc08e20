use std::cell::RefCell;
use std::fmt::Write as _;

use jiff::Timestamp;

use crate::aws::json::raw;

/// Appends a point in time to the second, as CloudTrail writes it.
pub(super) fn write(time: Timestamp, out: &mut Vec<u8>) {
    thread_local! {
        /// The second that was written last, with its text: most records share it.
        static LAST: RefCell<(i64, String)> = const { RefCell::new((i64::MIN, String::new())) };
    }
    LAST.with_borrow_mut(|(second, text)| {
        if *second != time.as_second() {
            text.clear();
            // Writing to a string does not fail.
            let _ = write!(text, "\"{time:.0}\"");
            *second = time.as_second();
        }
        raw(out, text);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_cut_to_the_second() {
        for (given, shown) in [
            ("2026-01-02T03:04:05.999Z", "\"2026-01-02T03:04:05Z\""),
            ("2026-01-02T03:04:05Z", "\"2026-01-02T03:04:05Z\""),
            ("2026-01-02T03:04:06Z", "\"2026-01-02T03:04:06Z\""),
        ] {
            let mut out = Vec::new();
            write(given.parse().unwrap(), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), shown);
        }
    }
}
