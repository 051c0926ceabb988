//! How long ago something was, in sessions-db's words.

use jiff::Timestamp;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// `14d ago`; `-` for what is no time.
pub(super) fn since(text: &str, now: Timestamp) -> String {
    match text.parse::<Timestamp>() {
        Ok(then) => words(now.as_millisecond() - then.as_millisecond()),
        Err(_) => "-".to_owned(),
    }
}

fn words(millis: i64) -> String {
    let seconds = millis.div_euclid(1000);
    match seconds {
        ..0 => "in the future".to_owned(),
        0..5 => "just now".to_owned(),
        5..MINUTE => format!("{seconds}s ago"),
        MINUTE..HOUR => format!("{}m ago", seconds / MINUTE),
        HOUR..DAY => format!("{}h ago", seconds / HOUR),
        _ => {
            let days = seconds / DAY;
            let months = days / 30;
            match (days, months) {
                (..30, _) => format!("{days}d ago"),
                (_, ..12) => format!("{months}mo ago"),
                _ => format!("{}y ago", days / 365),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_those_of_sessions_db() {
        for (seconds, text) in [
            (0, "just now"),
            (4, "just now"),
            (5, "5s ago"),
            (59, "59s ago"),
            (60, "1m ago"),
            (3599, "59m ago"),
            (3600, "1h ago"),
            (86_399, "23h ago"),
            (86_400, "1d ago"),
            (2_505_600, "29d ago"),
            (2_592_000, "1mo ago"),
            (31_017_600, "11mo ago"),
            (31_449_600, "0y ago"),
            (31_536_000, "1y ago"),
            (69_120_000, "2y ago"),
            (-1, "in the future"),
        ] {
            assert_eq!(words(seconds * 1000), text);
        }
        assert_eq!(since("no time", Timestamp::UNIX_EPOCH), "-");
    }
}
