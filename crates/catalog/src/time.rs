//! Times as sessions-db writes them: UTC, milliseconds, 24 bytes; and whatever else a file may hold.

use std::time::SystemTime;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

/// `2026-11-20T12:08:23.766Z`. What a calendar can't hold becomes the nearest that it can.
pub(crate) fn to_text(time: SystemTime) -> String {
    from_millis(millis(time))
}

pub(crate) fn from_millis(millis: i64) -> String {
    // The first millisecond of the year 0, and the last second that jiff tells in every zone.
    let millis = millis.clamp(-62_167_219_200_000, Timestamp::MAX.as_second() * 1000);
    format!("{:.3}", Timestamp::from_millisecond(millis).unwrap_or(Timestamp::UNIX_EPOCH))
}

/// Milliseconds since 1970.
pub(crate) fn millis(time: SystemTime) -> i64 {
    match Timestamp::try_from(time) {
        Ok(timestamp) => timestamp.as_millisecond(),
        Err(_) if time < SystemTime::UNIX_EPOCH => Timestamp::MIN.as_millisecond(),
        Err(_) => Timestamp::MAX.as_millisecond(),
    }
}

/// Milliseconds since 1970 of an ISO 8601 text; one without an offset is UTC.
pub(crate) fn parse(text: &str) -> Option<i64> {
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return Some(timestamp.as_millisecond());
    }
    let civil = text
        .parse::<DateTime>()
        .ok()
        .or_else(|| Some(text.parse::<Date>().ok()?.to_datetime(jiff::civil::Time::midnight())))?;
    let zoned = civil.to_zoned(TimeZone::UTC).ok()?;
    Some(zoned.timestamp().as_millisecond())
}

/// Whether `a` is later than `b`. Of two times of the usual form, the text tells; what is no time is before all others.
pub(crate) fn is_later(a: &str, b: &str) -> bool {
    if is_usual(a) && is_usual(b) {
        return a > b;
    }
    match (parse(a), parse(b)) {
        (Some(a), Some(b)) => a > b,
        (a, b) => a.is_some() && b.is_none(),
    }
}

/// `2026-11-20T12:08:23.766Z`, going by the marks.
fn is_usual(text: &str) -> bool {
    const FORM: &[u8; 24] = b"0000-00-00T00:00:00.000Z";
    let Ok(bytes) = <&[u8; 24]>::try_from(text.as_bytes()) else { return false };
    let mut is_usual = true;
    for (byte, form) in bytes.iter().zip(FORM) {
        is_usual &= if *form == b'0' { byte.is_ascii_digit() } else { byte == form };
    }
    is_usual
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quick_comparison_says_what_the_slow_one_says() {
        let times = [
            "2026-11-20T12:08:23.766Z",
            "2026-11-20T12:08:23.767Z",
            "2026-11-20T14:08:23.767+02:00",
            "2026-11-20T12:08:23Z",
            "2026-11-20",
            "2026-11-20T12:08:23.7667Z",
            "no time",
            "",
        ];
        for a in times {
            for b in times {
                let slow = match (parse(a), parse(b)) {
                    (Some(a), Some(b)) => a > b,
                    (a, b) => a.is_some() && b.is_none(),
                };
                assert_eq!(is_later(a, b), slow, "{a} {b}");
            }
        }
        assert_eq!(parse("1970-01-02"), Some(86_400_000));
        assert_eq!(to_text(SystemTime::UNIX_EPOCH), "1970-01-01T00:00:00.000Z");
        assert_eq!(from_millis(i64::MAX), "9999-12-30T22:00:00.000Z");
    }
}
