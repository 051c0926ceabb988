//! Times as aish writes them: UTC, whole seconds, 20 bytes.

use std::time::SystemTime;

use jiff::Timestamp;

/// `2026-05-13T04:53:00Z`. Times before the year 0 and behind 9999-12-30T22:00:00Z become the nearest that fits.
pub(crate) fn to_text(time: SystemTime) -> String {
    // The first second of that year, and the last that every time zone can tell: jiff knows none behind it.
    let (min, max) = (-62_167_219_200, Timestamp::MAX.as_second());
    let seconds = match Timestamp::try_from(time) {
        Ok(timestamp) => timestamp.as_millisecond().div_euclid(1000).clamp(min, max),
        Err(_) if time < SystemTime::UNIX_EPOCH => min,
        Err(_) => max,
    };
    format!("{:.0}", Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH))
}

/// Milliseconds since 1970.
pub(crate) fn millis(time: SystemTime) -> i64 {
    match Timestamp::try_from(time) {
        Ok(timestamp) => timestamp.as_millisecond(),
        Err(_) if time < SystemTime::UNIX_EPOCH => i64::MIN + 1,
        Err(_) => i64::MAX,
    }
}

/// Milliseconds since 1970 of an RFC 3339 text.
pub(crate) fn parse(text: &[u8]) -> Option<i64> {
    if let Some(millis) = parse_plain(text) {
        return Some(millis);
    }
    std::str::from_utf8(text).ok()?.parse::<Timestamp>().ok().map(Timestamp::as_millisecond)
}

/// The time that so many milliseconds since 1970 are.
pub(crate) fn from_millis(millis: i64) -> Option<SystemTime> {
    Timestamp::from_millisecond(millis).ok().map(SystemTime::from)
}

/// `2026-05-13T04:53:00Z` and nothing else, quickly. Dates to days by Howard Hinnant's `days_from_civil`.
fn parse_plain(text: &[u8]) -> Option<i64> {
    let text: &[u8; 20] = text.try_into().ok()?;
    let marks = (text[4], text[7], text[10], text[13], text[16], text[19]);
    if marks != (b'-', b'-', b'T', b':', b':', b'Z') {
        return None;
    }
    let number = |at: usize, len: usize| {
        let digits = &text[at..at + len];
        digits
            .iter()
            .all(u8::is_ascii_digit)
            .then(|| digits.iter().fold(0_i64, |value, digit| value * 10 + i64::from(digit - b'0')))
    };
    let (year, month, day) = (number(0, 4)?, number(5, 2)?, number(8, 2)?);
    let (hour, minute, second) = (number(11, 2)?, number(14, 2)?, number(17, 2)?);
    // Days that not every month has, and leap seconds, are left to the parser that knows them.
    if !(1..=12).contains(&month) || !(1..=28).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = era * 146_097 + day_of_era - 719_468;
    Some((((days * 24 + hour) * 60 + minute) * 60 + second) * 1000)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn both_ways_of_parsing_agree() {
        for seconds in (-62_135_596_800_i64..253_402_207_200).step_by(7_654_321) {
            let text = format!("{:.0}", Timestamp::from_second(seconds).unwrap());
            let slow = text.parse::<Timestamp>().unwrap().as_millisecond();
            assert_eq!(parse(text.as_bytes()), Some(slow), "{text}");
        }
        for (text, expected) in [
            ("2024-02-29T00:00:00Z", Some(1_709_164_800_000)),
            ("2026-05-13T04:53:00.250Z", Some(1_778_647_980_250)),
            ("2026-05-13T06:53:00+02:00", Some(1_778_647_980_000)),
            ("2026-02-30T00:00:00Z", None),
            ("2026-13-01T00:00:00Z", None),
            ("2026-05-13 04:53", None),
            ("", None),
        ] {
            assert_eq!(parse(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn times_have_one_length_and_come_back() {
        // Computed by `date -u -d @…`.
        let time = UNIX_EPOCH + Duration::from_millis(1_795_161_600_250);
        assert_eq!(to_text(time), "2026-11-20T08:00:00Z");
        assert_eq!(parse(b"2026-11-20T08:00:00Z"), Some(1_795_161_600_000));
        assert_eq!(millis(time), 1_795_161_600_250);
        assert_eq!(to_text(UNIX_EPOCH - Duration::from_millis(1)), "1969-12-31T23:59:59Z");
        let latest = to_text(UNIX_EPOCH + Duration::from_secs(1 << 40));
        assert_eq!(latest, "9999-12-30T22:00:00Z");
        assert!(parse(latest.as_bytes()).unwrap() > millis(time));
        let earliest = to_text(UNIX_EPOCH - Duration::from_secs(1 << 40));
        assert_eq!(earliest, "0000-01-01T00:00:00Z");
        assert!(parse(earliest.as_bytes()).unwrap() < 0);
    }
}
