//! Sizes, counts, times and foreign text, as people read them.

use std::path::Path;

use jiff::Timestamp;

/// `1.4 MB`, with powers of 1000.
pub(crate) fn size(bytes: u64) -> String {
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64;
    for unit in ["kB", "MB", "GB", "TB", "PB"] {
        value /= 1000.0;
        // What would be rounded to 1000 belongs to the next unit.
        if value < 99.95 {
            return format!("{value:.1} {unit}");
        }
        if value < 999.5 {
            return format!("{value:.0} {unit}");
        }
    }
    format!("{:.0} EB", value / 1000.0)
}

/// `12,345`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 record`, `2 records`.
pub(crate) fn plural(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(number), if number == 1 { "" } else { "s" })
}

/// `2026-05-09 23:16` in UTC.
pub(crate) fn minute(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M").to_string()
}

/// `2026-05-09 23:16:07` in UTC.
pub(crate) fn second(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// How long ago something was: `now`, `3m`, `5h`, `12d`, or the day.
pub(crate) fn age(then: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_second() - then.as_second();
    match seconds {
        ..0 => then.strftime("%Y-%m-%d").to_string(),
        0..60 => String::from("now"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        86_400..8_640_000 => format!("{}d", seconds / 86_400),
        _ => then.strftime("%Y-%m-%d").to_string(),
    }
}

/// Foreign text for a terminal: control characters and what can't be seen or turns the reading direction are
/// escaped, line breaks and tabs stay.
pub(crate) fn printable(text: &str) -> String {
    escape(text, |character| Some(character).filter(|character| is_blank(*character)))
}

/// The same for what has to stay on its line: names, roles, paths. Nobody forges a line of output by a name.
pub(crate) fn name(text: &str) -> String {
    escape(text, |_| None)
}

/// A path, as a name.
pub(crate) fn path(path: &Path) -> String {
    name(&path.display().to_string())
}

/// A text as one word of a shell's command: quoted where it has to be. What can't be printed is escaped, and then it is for reading only.
pub(crate) fn shell_word(text: &str) -> String {
    let is_plain = |character: char| character.is_alphanumeric() || "-_./:@%+=,~".contains(character);
    if !text.is_empty() && !text.starts_with(['-', '~']) && text.chars().all(is_plain) {
        return text.to_owned();
    }
    let quoted = name(text).replace('\'', r"'\''");
    // Otherwise it would be an option.
    let end_of_options = if text.starts_with('-') { "-- " } else { "" };
    format!("{end_of_options}'{quoted}'")
}

/// Appends a text as [`name`] has it, but with blanks for line breaks and tabs.
pub(crate) fn push_flat(out: &mut String, text: &str) {
    push_escaped(out, text, |character| is_blank(character).then_some(' '));
}

fn is_blank(character: char) -> bool {
    matches!(character, '\n' | '\t')
}

fn escape(text: &str, instead: impl Fn(char) -> Option<char>) -> String {
    let mut out = String::with_capacity(text.len());
    push_escaped(&mut out, text, instead);
    out
}

/// `instead` says what stands for a character that is to be escaped otherwise.
fn push_escaped(out: &mut String, text: &str, instead: impl Fn(char) -> Option<char>) {
    if text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return out.push_str(text);
    }
    let mut copied = 0;
    for (at, character) in text.char_indices() {
        let is_hidden = match character {
            ' '..='~' => continue,
            '\u{61C}'
            | '\u{200B}'
            | '\u{200E}'
            | '\u{200F}'
            | '\u{2028}'..='\u{202E}'
            | '\u{2060}'..='\u{2069}'
            | '\u{FEFF}' => true,
            _ if character.is_control() => false,
            _ => continue,
        };
        out.push_str(&text[copied..at]);
        copied = at + character.len_utf8();
        match instead(character) {
            Some(other) => out.push(other),
            None if is_hidden => out.extend(character.escape_unicode()),
            None => out.extend(character.escape_default()),
        }
    }
    out.push_str(&text[copied..]);
}

/// The text on one line, at most `width` characters before what can't be printed is escaped.
pub(crate) fn one_line(text: &str, width: usize) -> String {
    let mut flat = String::new();
    for word in text.split_whitespace() {
        if !flat.is_empty() {
            flat.push(' ');
        }
        flat.push_str(word);
        if flat.len() / 4 > width {
            // Longer than any line that fits: no need to look at the rest.
            break;
        }
    }
    match flat.char_indices().nth(width) {
        None => name(&flat),
        Some(_) => {
            let end = flat.char_indices().nth(width.saturating_sub(1)).map_or(flat.len(), |(at, _)| at);
            name(&flat[..end]) + "…"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_three_figures() {
        for (bytes, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (99_949, "99.9 kB"),
            (99_950, "100 kB"),
            (999_499, "999 kB"),
            (999_500, "1.0 MB"),
            (4_200_000_000, "4.2 GB"),
            (u64::MAX, "18 EB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn ages_are_short() {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        for (seconds, text) in [
            (-1, "2026-11-21"),
            (59, "now"),
            (60, "1m"),
            (7200, "2h"),
            (86_400, "1d"),
            (8_640_000, "2026-08-13"),
        ] {
            let then = Timestamp::from_second(now.as_second() - seconds).unwrap();
            assert_eq!(age(then, now), text);
        }
    }

    #[test]
    fn words_of_a_shell_are_quoted() {
        for (text, word) in [
            ("main", "main"),
            ("/home/u/Прибой/a.jsonl", "/home/u/Прибой/a.jsonl"),
            ("a b", "'a b'"),
            ("it's", "'it'\\''s'"),
            ("$(rm -rf .)", "'$(rm -rf .)'"),
            ("~/x", "'~/x'"),
            ("-f", "-- '-f'"),
            ("", "''"),
            ("a\nb", "'a\\nb'"),
        ] {
            assert_eq!(shell_word(text), word);
        }
    }

    #[test]
    fn counts_are_grouped() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(count(number), text);
        }
    }

    #[test]
    fn foreign_text_cannot_drive_the_terminal() {
        assert_eq!(printable("a\x1b[2Jb\u{202E}c\td\n"), "a\\u{1b}[2Jb\\u{202e}c\td\n");
        assert_eq!(name("a\nok  b\t\u{2028}"), "a\\nok  b\\t\\u{2028}");
        let mut flat = String::from("a");
        push_flat(&mut flat, "\nb\té\x1b\u{FEFF}\n");
        assert_eq!(flat, "a b é\\u{1b}\\u{feff} ");
        assert_eq!(one_line("a\nb   c", 80), "a b c");
        assert_eq!(one_line("alpha beta gamma", 10), "alpha bet…");
        assert_eq!(one_line("alpha beta", 10), "alpha beta");
    }
}
