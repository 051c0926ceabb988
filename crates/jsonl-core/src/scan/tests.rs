//! Does the walk accept exactly what RFC 8259 allows, and does it find everything where it is?

use proptest::prelude::*;

use super::members::FAR;
use super::strings::{decode, unescape_lossy};
use super::vector::{
    escapes_of, first_special_in_words, into_string, pass_content, pass_content_narrow, utf8_narrow,
};
use super::*;

/// Of many cases, every how many-th is tried: all of them, or in Miri, where each takes a thousand times as long, a few.
const SOME: usize = if cfg!(miri) { 211 } else { 1 };

/// The slow twin: `serde_json` checking a text without building it, which accepts just the grammar.
fn serde_accepts(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok() && serde_json::from_slice::<&serde_json::value::RawValue>(text).is_ok()
}

#[track_caller]
fn check_fault(text: &str, at: usize, kind: FaultKind) {
    assert_eq!(check(text.as_bytes(), 128), Err(Fault { at, kind }), "{text}");
}

#[test]
fn faults_are_found_where_they_are() {
    check_fault("", 0, FaultKind::End);
    check_fault("  ", 2, FaultKind::End);
    check_fault("{", 1, FaultKind::End);
    check_fault("{\"a", 3, FaultKind::End);
    check_fault("{\"a\"", 4, FaultKind::End);
    check_fault("{\"a\":", 5, FaultKind::End);
    check_fault("{\"a\":1", 6, FaultKind::End);
    check_fault("{\"a\":1,", 7, FaultKind::End);
    check_fault("[1,", 3, FaultKind::End);
    check_fault("\"\\u12", 5, FaultKind::End);
    check_fault("-", 1, FaultKind::End);
    check_fault("1.", 2, FaultKind::End);
    check_fault("1e", 2, FaultKind::End);
    check_fault("1e+", 3, FaultKind::End);
    check_fault("tru", 3, FaultKind::End);
    check_fault("[1,]", 3, FaultKind::Byte);
    check_fault("{\"a\":1,}", 7, FaultKind::Byte);
    check_fault("{1:2}", 1, FaultKind::Byte);
    check_fault("[1}", 2, FaultKind::Byte);
    check_fault("{\"a\":1]", 6, FaultKind::Byte);
    check_fault("01", 1, FaultKind::Byte);
    check_fault("+1", 0, FaultKind::Byte);
    check_fault(".5", 0, FaultKind::Byte);
    check_fault("1 2", 2, FaultKind::Byte);
    check_fault("\"\\x\"", 2, FaultKind::Byte);
    check_fault("\"\\u12g4\"", 5, FaultKind::Byte);
    check_fault("truth", 3, FaultKind::Byte);
    check_fault("\"a\tb\"", 2, FaultKind::Byte);
    check_fault("NaN", 0, FaultKind::Byte);
}

#[test]
fn nesting_has_a_limit_and_flat_texts_none() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let text = |levels: usize| format!("{}1{}", open.repeat(levels), close.repeat(levels));
        assert_eq!(check(text(128).as_bytes(), 128), Ok(()));
        let fault = check(text(129).as_bytes(), 128).unwrap_err();
        assert_eq!(fault, Fault { at: 128 * open.len(), kind: FaultKind::Deep });
        assert_eq!(check(text(3).as_bytes(), 3), Ok(()));
        assert!(check(text(4).as_bytes(), 3).is_err());
    }
    let wide = format!("[{}1]", "[],{},".repeat(10_000));
    assert_eq!(check(wide.as_bytes(), 2), Ok(()));
    // A million levels neither overflow a stack nor take long.
    assert!(check(&vec![b'['; 1_000_000], 128).is_err());
}

#[test]
fn members_are_as_deep_as_the_walk_allows() {
    for depth in [NESTING_MAX - 2, NESTING_MAX - 1, NESTING_MAX] {
        let text = format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(is_whole_object(text.as_bytes()), is_object(text.as_bytes()), "{depth}");
    }
}

#[test]
fn members_are_those_of_the_object() {
    let text = br#" {"a":1, "b" : {"a":2,"x":[1]}, "c\n":"v\"w" ,"a":null} "#;
    let found: Vec<_> = members(text)
        .map(|member| (str::from_utf8(member.key).unwrap(), str::from_utf8(member.value).unwrap()))
        .collect();
    let expected = [("a", "1"), ("b", r#"{"a":2,"x":[1]}"#), ("c\\n", r#""v\"w""#), ("a", "null")];
    assert_eq!(found, expected);
    for other in ["", "[1]", "{}", "5", "{\"a\" 1}"] {
        assert_eq!(members(other.as_bytes()).count(), 0, "{other}");
    }
}

#[test]
fn items_are_those_of_the_array() {
    let found = |text: &'static str| -> Vec<&str> {
        items(text.as_bytes()).map(|item| std::str::from_utf8(item).unwrap()).collect()
    };
    assert_eq!(found(r#" [1 , {"a":[2]},"x", [] ] "#), ["1", r#"{"a":[2]}"#, "\"x\"", "[]"]);
    for other in ["", "[]", "[ ]", "{}", "5", "{\"a\":[1]}"] {
        assert!(found(other).is_empty(), "{other}");
    }
}

#[test]
fn unescaping_is_what_serde_json_does() {
    for content in [
        "plain",
        r#"\"\\\/\b\f\n\r\t"#,
        r"\u00e9\u00E9\u20ac",
        r"\ud83d\ude00 and \uD83D\uDE00",
        r"\u0000",
        "größer",
        "",
    ] {
        let expected: String = serde_json::from_str(&format!("\"{content}\"")).unwrap();
        assert_eq!(unescape(content.as_bytes()), expected, "{content}");
    }
}

#[test]
fn unescaping_never_fails() {
    for (content, expected) in [
        (&br"\ud83d"[..], "\u{FFFD}"),
        (br"\ud83dx", "\u{FFFD}x"),
        (br"\ude00\ud83d", "\u{FFFD}\u{FFFD}"),
        (br"\ud83d\u0041", "\u{FFFD}A"),
        (br"\ud83d\ud83d\ude00", "\u{FFFD}😀"),
        (br"a\", "a\u{FFFD}"),
        (br"\u12", "\u{FFFD}12"),
        (br"\q", "\u{FFFD}"),
        (b"\xFF", "\u{FFFD}"),
    ] {
        assert_eq!(unescape(content), expected, "{}", content.escape_ascii());
    }
}

/// Texts that are JSON, or nearly.
fn nearly_json() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        "[-+]?[0-9]{0,3}(\\.[0-9]{0,2})?([eE][-+]?[0-9]{0,2})?",
        "\"[ -~é\u{2028}]{0,40}\"?",
        "\"(\\\\[\"\\\\/bfnrtu0-9a-f]|[a-z]){0,12}\"",
        Just(String::from("true")),
        Just(String::from("nul")),
        Just(String::from("null")),
        Just(String::from("{}")),
    ];
    scalar.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            proptest::collection::vec(("[a-z\"]{0,3}", inner.clone()), 0..4).prop_map(|members| {
                let members: Vec<_> =
                    members.iter().map(|(key, value)| format!("\"{key}\" : {value}")).collect();
                format!("{{{}}}", members.join(" ,"))
            }),
            ("[ \t\r]{0,2}", inner, "[ ,\\]}]{0,2}").prop_map(|(a, b, c)| a + &b + &c),
        ]
    })
}

/// What going through the members says, and what the walk does.
fn is_whole_object(text: &[u8]) -> bool {
    let mut members = members(text);
    members.by_ref().for_each(drop);
    members.is_whole()
}

fn is_object(text: &[u8]) -> bool {
    check(text, NESTING_MAX).is_ok() && text.trim_ascii().first() == Some(&b'{')
}

/// What the walk says, together with the question that it leaves to its caller.
fn accepts(text: &[u8]) -> bool {
    check(text, 128).is_ok() && std::str::from_utf8(text).is_ok()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn agrees_with_serde_json(text in nearly_json()) {
        prop_assert_eq!(accepts(text.as_bytes()), serde_accepts(text.as_bytes()), "{}", text);
        prop_assert_eq!(is_whole_object(text.as_bytes()), is_object(text.as_bytes()), "{}", text);
    }

    #[test]
    fn agrees_with_serde_json_on_damaged_texts(text in nearly_json(), at in 0_usize..200, byte in 0_u8..0x80) {
        let mut bytes = text.into_bytes();
        if let Some(place) = bytes.get_mut(at) {
            *place = byte;
        }
        prop_assert_eq!(accepts(&bytes), serde_accepts(&bytes), "{}", bytes.escape_ascii());
        prop_assert_eq!(is_whole_object(&bytes), is_object(&bytes), "{}", bytes.escape_ascii());
    }

    /// One vector compare, two words and sixteen bytes find the same.
    #[test]
    fn blocks_are_searched_alike(bytes in proptest::array::uniform16(prop_oneof![
        proptest::num::u8::ANY, Just(b'"'), Just(b'\\'), Just(0x1F), Just(0x20), Just(b'a'), Just(b'a'), Just(b'a'),
    ])) {
        let naive = bytes.iter().position(|&byte| is_special(byte));
        prop_assert_eq!(first_special(&bytes), naive);
        prop_assert_eq!(first_special_in_words(&bytes), naive);
    }

    #[test]
    fn content_is_passed_as_byte_by_byte(
        pieces in prop::collection::vec(
            prop_oneof![
                8 => "[a-u ]{1,40}",
                4 => r#"(\\["\\/bfnrt]){1,40}"#,
                3 => r"(\\u[0-9a-fA-F]{4}){1,12}",
                3 => r"(\\\\){1,70}",
                2 => "[é渡🦀]{1,20}",
                1 => Just(String::from("\"")),
                1 => Just(String::from("\\")),
                1 => Just(String::from("\\u00")),
                1 => Just(String::from("\\x")),
                1 => Just(String::from("\u{1f}")),
            ],
            0..20,
        ),
        start in 0_usize..70,
    ) {
        let text = pieces.concat();
        let start = start.min(text.len());
        for pass in [pass_content, pass_content_narrow] {
            let passed = pass(text.as_bytes(), start);
            // The slow twin: an escape or a byte, each by itself.
            let mut at = start;
            while at < passed {
                at = match text.as_bytes()[at] {
                    b'\\' => escape_end(text.as_bytes(), at).unwrap(),
                    byte => {
                        prop_assert!(!is_special(byte), "{} at {at}", text.escape_debug());
                        at + 1
                    }
                };
            }
            let is_digit = |byte: &u8| byte.is_ascii_hexdigit();
            prop_assert!(text.as_bytes()[passed..at].iter().all(is_digit), "an escape is cut in {}", text.escape_debug());
            let rest = &text.as_bytes()[at..];
            let is_end = match rest.first() {
                Some(b'\\') => escape_end(rest, 0).is_err(),
                Some(byte) => is_special(*byte),
                None => true,
            };
            // Not on every processor.
            let is_quick = pass(&[b'a'; 64], 0) > 0;
            prop_assert!(is_end || rest.len() <= 64 || !is_quick, "{} at {at}", text.escape_debug());
        }
    }

    /// Checked with vectors, or by the standard library.
    #[test]
    fn bytes_become_a_string_if_they_are_one(
        pieces in prop::collection::vec(prop_oneof!["[a-z]{0,90}", "[é渡🦀\u{fffd}]{1,90}", ".{0,80}"], 0..8),
        at in 0_usize..600,
        byte in 0_u8..,
    ) {
        let mut bytes = pieces.concat().into_bytes();
        for _ in 0..2 {
            let expected = String::from_utf8(bytes.clone()).ok();
            prop_assert_eq!(utf8(&bytes), expected.as_deref());
            prop_assert_eq!(utf8_narrow(&bytes), expected.as_deref());
            prop_assert_eq!(into_string(bytes.clone()), expected);
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
        }
    }

    #[test]
    fn what_backslashes_escape_is_found_as_one_by_one(
        runs in prop::collection::vec((0_u32..20, 1_u32..40), 1..12),
        is_escaped: bool,
    ) {
        // Runs of backslashes, and what is between.
        let mut backslashes = 0_u64;
        for (between, len) in runs {
            backslashes = backslashes.unbounded_shl(between + len) | u64::MAX.unbounded_shr(64 - len) << between;
        }
        let mut carry = u64::from(is_escaped);
        let found = escapes_of(backslashes, &mut carry);
        let (mut escapes, mut escaped, mut is_escaped) = (0, 0, is_escaped);
        for bit in 0..64 {
            escaped |= u64::from(is_escaped) << bit;
            is_escaped = backslashes >> bit & 1 == 1 && !is_escaped;
            escapes |= u64::from(is_escaped) << bit;
        }
        prop_assert_eq!(found, (escapes, escaped));
        prop_assert_eq!(carry, u64::from(is_escaped));
    }

    /// A beginning of JSON is reported as one that could still be completed.
    #[test]
    fn every_prefix_is_unfinished_or_a_record(text in nearly_json()) {
        prop_assume!(check(text.as_bytes(), 128).is_ok());
        for end in 0..text.len() {
            match check(&text.as_bytes()[..end], 128) {
                Ok(()) => {}
                Err(fault) => prop_assert_eq!(fault.kind, FaultKind::End, "{}", &text[..end.min(text.len())]),
            }
        }
    }

    #[test]
    fn long_strings_end_where_they_end(len in 0_usize..200, special in prop_oneof![Just('"'), Just('\\'), Just('\u{1f}'), Just('\0')]) {
        let text = format!("\"{}{special}\"", "a".repeat(len));
        let expected = serde_accepts(text.as_bytes());
        prop_assert_eq!(check(text.as_bytes(), 128).is_ok(), expected);
        prop_assert_eq!(skip_plain(text.as_bytes(), 1), len + 1);
    }
}

/// Every sequence of bytes that could be a character or nearly one, wherever it stands in what is looked at together.
#[test]
fn nothing_but_utf8_is_text() {
    let bytes = [0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1];
    let bytes = [&bytes[..], &[0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xF8, 0xFF]].concat();
    let count = bytes.len().pow(4);
    for n in (0..count).step_by(SOME) {
        let sequence = [0, 1, 2, 3].map(|place| bytes[n / bytes.len().pow(place) % bytes.len()]);
        let mut text = [b'x'; 600];
        // At the ends of blocks, of groups of them, and of the whole.
        let end = [3, 4, 63, 64, 65, 66, 67, 255, 256, 257, 258, 259, 512, 513, 515, 600][n % 16];
        text[end - end.min(4)..end].copy_from_slice(&sequence[4 - end.min(4)..]);
        for text in [&text[..], &text[..end]] {
            let expected = str::from_utf8(text).ok();
            assert_eq!(utf8(text), expected, "{} up to {end}", text.escape_ascii());
            assert_eq!(utf8_narrow(text), expected, "{} up to {end}", text.escape_ascii());
        }
    }
}

#[test]
fn unescaping_at_once_and_piece_by_piece_agree() {
    let far = "x".repeat(40);
    // U+E000 begins with what is an `n` but for its highest bit.
    let pieces = [
        "a",
        "é",
        "漢",
        r"\n",
        r"\\",
        r"\u00e9",
        r"\ud83d\ude00",
        r"\ud83d",
        r"\q",
        "\\é",
        "\\\u{e000}",
        r"\u12",
        &far,
    ];
    let mut state = 1_u32;
    for _ in 0..5000 / SOME {
        let mut text = String::new();
        for _ in 0..8 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            text.push_str(pieces[(state >> 16) as usize % pieces.len()]);
        }
        for content in
            [text.as_bytes(), &text.as_bytes()[..text.len() - 1], &[text.as_bytes(), b"\\"].concat()]
        {
            assert_eq!(unescape(content), unescape_lossy(content), "{text}");
            for end in ["", "\"", "\\\"", "\u{1f}\"", "\", \"and what is behind it\""] {
                check_decode(&[b"\"x", content, end.as_bytes()].concat());
            }
        }
    }
}

/// In one pass is as in two: the end of a string, and its text.
#[track_caller]
fn check_decode(text: &[u8]) {
    let expected = string_end(text, 1).map(|end| (unescape_lossy(&text[1..end - 1]), end));
    assert_eq!(decode(text, 1), expected, "{}", text.escape_ascii());
}

#[test]
fn strings_of_every_length_are_decoded_in_one_pass() {
    for len in (0..2_000).step_by(SOME) {
        let plain = "y".repeat(len);
        for text in [
            format!("\"{plain}\""),
            format!("\"{plain}\\n\","),
            format!("\"{plain}é\\\"{plain}\"]"),
            format!("\"\\n{plain}\\x\""),
        ] {
            check_decode(text.as_bytes());
        }
    }
    check_decode(b"\"\xC3\\n\xA9\"");
    check_decode(b"\"\xC3\xA9\xFF\"");
    let (text, _) =
        decode(b"\"\\n\"                                                                ", 1).unwrap();
    assert!(text.into_owned().capacity() < 8);
}

#[test]
fn four_hexadecimal_digits_are_a_number_or_none() {
    for code in (0..=0xFFFF_u32).step_by(SOME) {
        assert_eq!(hex4(Some(format!("{code:04x}").as_bytes())), Some(code));
        assert_eq!(hex4(Some(format!("{code:04X}").as_bytes())), Some(code));
    }
    for byte in 0..=255_u8 {
        let expected = char::from(byte).to_digit(16);
        for place in 0..4 {
            let mut digits = *b"0000";
            digits[place] = byte;
            assert_eq!(hex4(Some(&digits)), expected.map(|digit| digit << (4 * (3 - place))), "{byte:#x}");
        }
    }
    assert_eq!((hex4(None), hex4(Some(b"123")), hex4(Some(b"12345"))), (None, None, None));
}

/// The slow twin of [`member`]: goes through all of them.
fn last_member<'a>(object: &'a [u8], wanted: &str) -> Option<&'a [u8]> {
    members(object).filter(|member| unescape(member.key) == wanted).last().map(|member| member.value)
}

/// The slow twin of [`values`]: a name after the other, from the first to the last.
#[track_caller]
fn check_values<const N: usize>(object: &[u8], names: [&str; N]) {
    let slow = names.map(|name| {
        last_member(object, name).map(|value| string(value).map_or(Value::Other(value), Value::Text))
    });
    assert_eq!(values(object, names), slow, "{names:?}: {}", object.escape_ascii());
    for (name, value) in names.iter().zip(slow) {
        assert_eq!(
            string_member(object, name),
            value.and_then(Value::into_text),
            "{name}: {}",
            object.escape_ascii()
        );
    }
}

#[test]
fn the_last_of_several_names_is_found_near_and_far() {
    let long = "x y\\n".repeat(FAR);
    for last in ["", ",\"role\":\"v\"", ",\"content\":\"d\"", ",\"r\\u006fle\":5", ",\"c\\u006Fntent\":[]"] {
        for first in [
            "\"role\":\"u\",\"content\":\"c\"",
            "\"content\":\"c\",\"role\":1",
            "\"role\":\"u\"",
            "\"content\":null",
        ] {
            for between in ["", &format!(",\"z\":\"{long}\""), &format!(",\"z\":\"role{long}\"")] {
                if cfg!(miri) && !between.is_empty() && !(last.is_empty() && first.contains("null")) {
                    // Miri takes long to walk that far.
                    continue;
                }
                let text = format!("{{{first}{between}{last}}}");
                check_values(text.as_bytes(), ["role", "content"]);
                check_values(text.as_bytes(), ["content", "role"]);
                check_values(text.as_bytes(), ["role", "content", "z"]);
            }
        }
    }
    check_values::<0>(b"{\"a\":1}", []);
}

/// The object is one level of those that the walk allows: a value that is too deep ends it, and what is before it is found.
#[test]
fn a_member_is_found_as_deep_as_the_walk_goes() {
    for depth in NESTING_MAX - 2..=NESTING_MAX + 1 {
        let deep = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let is_allowed = depth < NESTING_MAX;
        for (text, is_found) in [
            (format!("{{\"a\":{deep}}}"), is_allowed),
            (format!("{{\"b\":{deep},\"a\":\"x\"}}"), is_allowed),
            (format!("{{\"a\":\"x\",\"b\":{deep}}}"), true),
        ] {
            assert_eq!(check(text.as_bytes(), NESTING_MAX).is_ok(), is_allowed, "{depth}");
            assert_eq!(member(text.as_bytes(), "a").is_some(), is_found, "{depth}");
            assert_eq!(values(text.as_bytes(), ["a"])[0].is_some(), is_found, "{depth}");
            assert_eq!(members(text.as_bytes()).any(|member| member.key == b"a"), is_found, "{depth}");
        }
    }
}

/// Searching the rest again at each of so many members would take minutes.
#[test]
#[cfg_attr(miri, ignore = "millions of members")]
fn the_rest_is_searched_once() {
    let equal = format!("{{\"x\":1,{}\"y\":2}}", "\"role\":\"u\",".repeat(2_000_000));
    let found = values(equal.as_bytes(), ["x", "role"]);
    assert_eq!(found, [Some(Value::Other(b"1")), Some(Value::Text("u".into()))]);
}

#[test]
#[cfg_attr(miri, ignore = "a thousand long texts, several times each")]
fn the_last_member_of_a_name_is_found_near_and_far() {
    let long = "x y\\n".repeat(FAR);
    for between in
        ["1", &format!("\"{long}\""), &format!("[\"{long}\",{{\"role\":3}}]"), "\"\\u001b[0m\"", "\"role\""]
    {
        for last in [
            "",
            ",\"role\":2",
            ",\"r\\u006fle\":2",
            ",\"role\\u0000\":2",
            ",\"Role\":2",
            ",\"role\":\"x\\n\"",
            ",\"r\\u006fle\":\"\"",
            ",\"role\":\"x\\q\"",
            ",\"role\":2,",
            ",\"role\":",
            ",\"role",
        ] {
            for end in ["}", "", "} x"] {
                let text = format!("{{\"role\":\"u\",\"content\":{between}{last}{end}");
                for name in ["role", "content", "", "ro", "a/b"] {
                    assert_eq!(
                        member(text.as_bytes(), name),
                        last_member(text.as_bytes(), name),
                        "{name}: {text}"
                    );
                    check_values(text.as_bytes(), [name, "z"]);
                }
            }
        }
    }
    let odd = format!("{{\"a/b\":1,\"c\":\"{long}\",\"a\\/b\":2}}");
    assert_eq!(member(odd.as_bytes(), "a/b"), Some(&b"2"[..]));
    assert_eq!((member(b"[]", "a"), member(b"", "a"), member(b"{\"a\"", "a")), (None, None, None));
}

#[test]
fn texts_of_strings_and_of_nothing_else() {
    assert_eq!(string(b"\"a\\u00e9\"").as_deref(), Some("a\u{e9}"));
    for value in ["7", "null", "[\"a\"]", "", "\"", "{\"a\":\"b\"}"] {
        assert_eq!(string(value.as_bytes()), None, "{value}");
    }
}
