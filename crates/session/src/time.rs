//! Times as they stand in records: UTC, milliseconds, always 24 bytes.

use std::time::SystemTime;

use jiff::Timestamp;

/// Bytes of a time: `2026-11-21T08:15:00.250Z`.
pub(crate) const TIME_LEN: usize = 24;

/// `2026-11-21T08:15:00.250Z`. Times before the year 0 and behind 9999-12-30T22:00:00Z become the nearest that fits.
pub(crate) fn to_text(time: SystemTime) -> String {
    // The first millisecond of that year, and the last that every time zone can tell: jiff knows none behind it.
    let (min, max) = (-62_167_219_200_000, Timestamp::MAX.as_millisecond());
    let millis = match Timestamp::try_from(time) {
        Ok(timestamp) => timestamp.as_millisecond().clamp(min, max),
        Err(_) if time < SystemTime::UNIX_EPOCH => min,
        Err(_) => max,
    };
    let timestamp = Timestamp::from_millisecond(millis).unwrap_or(Timestamp::UNIX_EPOCH);
    format!("{timestamp:.3}")
}

/// The time that an RFC 3339 text says.
pub(crate) fn parse(text: &str) -> Option<SystemTime> {
    text.parse::<Timestamp>().ok().map(SystemTime::from)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn times_have_one_length_and_come_back() {
        // Computed by `date -u -d @…`.
        let time = UNIX_EPOCH + Duration::from_millis(1_795_161_600_250);
        assert_eq!(to_text(time), "2026-11-20T08:00:00.250Z");
        assert_eq!(parse("2026-11-20T08:00:00.250Z"), Some(time));
        assert_eq!(parse("2026-11-20T09:00:00.25+01:00"), Some(time));
        assert_eq!(parse("yesterday"), None);
        let year = Duration::from_secs(86_400 * 366);
        for time in [UNIX_EPOCH, UNIX_EPOCH - year * 3000, UNIX_EPOCH + year * 9000, UNIX_EPOCH + year] {
            assert_eq!(to_text(time).len(), TIME_LEN, "{}", to_text(time));
            assert_eq!(parse(&to_text(time)).unwrap() < UNIX_EPOCH, time < UNIX_EPOCH);
        }
    }
}
