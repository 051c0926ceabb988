//! Times as people type them.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::exit::{Exit, Failure};

/// `7d` ago, `12h` ago, `2026-11-20` or a whole time. `flag` is what it was typed for.
pub(crate) fn past(flag: &str, text: &str) -> Result<SystemTime, Failure> {
    when(flag, text, |span| SystemTime::now().checked_sub(span))
}

/// In `7d`, in `12h`, `2026-11-20` or a whole time.
pub(crate) fn future(flag: &str, text: &str) -> Result<SystemTime, Failure> {
    when(flag, text, |span| SystemTime::now().checked_add(span))
}

fn when(
    flag: &str,
    text: &str,
    from_now: impl FnOnce(Duration) -> Option<SystemTime>,
) -> Result<SystemTime, Failure> {
    let wrong = || {
        let text =
            format!("{flag} {text:?}: give 90m, 12h, 7d, 4w, a date or a time such as 2026-11-20T08:00:00Z");
        Failure::Told(Exit::Usage, text)
    };
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time.into());
    }
    if let Ok(date) = text.parse::<Date>() {
        return Ok(date.to_zoned(TimeZone::UTC).map_err(|_| wrong())?.timestamp().into());
    }
    let (at, unit) = text.char_indices().last().ok_or_else(wrong)?;
    let number: u64 = text[..at].parse().map_err(|_| wrong())?;
    let unit = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        'w' => 604_800,
        _ => return Err(wrong()),
    };
    let seconds = number.checked_mul(unit).ok_or_else(wrong)?;
    from_now(Duration::from_secs(seconds)).ok_or_else(wrong)
}
