//! Prompts without what a program put into them, as sessions-db sanitises them.

use unicode_normalization::UnicodeNormalization;

/// A prompt's preview has at most so many characters.
const CHARS_MAX: usize = 200;

/// Elements that are taken out with what is in them, in the order in which this happens.
const ELEMENTS: [&str; 10] = [
    "system-reminder",
    "system",
    "thinking",
    "tool_use",
    "tool_result",
    "parameter",
    "ide_opened_file",
    "ide_selection",
    "command-name",
    "command-message",
];

/// What one element hides may become another, once.
const PASSES: usize = 2;

/// Characters that are looked at: what is left of so many is always more than a preview, or nearly nothing.
const INPUT_MAX: usize = 1 << 20;

/// A prompt for showing and comparing: in compatible characters (NFKC), without elements that a program put in, at
/// most 200 characters.
///
/// ```
/// let prompt = annals_catalog::sanitize("<system-reminder>be brief</system-reminder>\n\nWhy is the ferry late?");
/// assert_eq!(prompt, "Why is the ferry late?");
/// ```
#[must_use]
pub fn prompt(text: &str) -> String {
    let mut text: String = text.chars().take(INPUT_MAX).nfkc().collect();
    for _ in 0..PASSES {
        for element in ELEMENTS {
            text = without(&text, element);
        }
    }
    let mut out = String::with_capacity(text.len());
    let mut newlines = 0;
    for char in text.replace("\r\n", "\n").chars() {
        newlines = if char == '\n' { newlines + 1 } else { 0 };
        if newlines <= 2 {
            out.push(char);
        }
    }
    let out = out.trim_matches(|char: char| char.is_whitespace() || char == '\u{FEFF}');
    match out.char_indices().nth(CHARS_MAX) {
        None => out.to_owned(),
        Some(_) => out.chars().take(CHARS_MAX - 1).chain(['…']).collect(),
    }
}

/// A text without the elements of a name. One that doesn't end stays.
fn without(text: &str, name: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((start, inside)) = opening(rest, name) {
        // Where no end follows, none follows a later beginning.
        let Some(end) = closing(&rest[inside..], name) else { break };
        out.push_str(&rest[..start]);
        rest = &rest[inside + end..];
    }
    if out.is_empty() && rest.len() == text.len() {
        return text.to_owned();
    }
    out.push_str(rest);
    out
}

/// Where `<name …>` begins, and where it ends.
fn opening(text: &str, name: &str) -> Option<(usize, usize)> {
    for (start, _) in text.match_indices('<') {
        let Some(rest) = after(&text[start + 1..], name) else { continue };
        if rest.starts_with('>') || rest.starts_with(char::is_whitespace) {
            // Where no bracket follows, none follows a later beginning.
            return Some((start, text.len() - rest.len() + rest.find('>')? + 1));
        }
    }
    None
}

/// Where the first `</name>` ends.
fn closing(text: &str, name: &str) -> Option<usize> {
    text.match_indices("</").find_map(|(start, _)| {
        let rest = after(&text[start + 2..], name)?.trim_start().strip_prefix('>')?;
        Some(text.len() - rest.len())
    })
}

/// What follows a name, in whatever case.
fn after<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(name.len())?;
    head.eq_ignore_ascii_case(name).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_openings_takes_no_longer_than_its_length() {
        let text = "<system>".repeat(100_000);
        assert_eq!(prompt(&text).chars().count(), 200);
        let text = "<system ".repeat(100_000);
        assert_eq!(prompt(&text).chars().count(), 200);
        assert_eq!(prompt(&"<system>x</system>".repeat(50_000)), "");
    }
}
