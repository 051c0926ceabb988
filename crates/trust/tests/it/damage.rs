//! Does no damage turn into trust?

use std::fs;

use annals_trust::{DAMAGES_KEPT, Decided, Digest, Trust};

use crate::support::{Place, check};

/// A store in which much was decided, the files, and what stands in the end.
fn eventful() -> (Place, Vec<u8>, [std::path::PathBuf; 4]) {
    let place = Place::new();
    let trust = place.trust();
    let [kept, revoked, denied, changed] =
        ["kept", "revoked", "denied", "changed"].map(|name| place.approved(name, name));
    let twice = place.approved("changed", "another");
    assert_eq!(twice, changed);
    trust.revoke(&revoked).unwrap();
    trust.deny(&denied).unwrap();
    let bytes = fs::read(&place.store).unwrap();
    (place, bytes, [kept, revoked, denied, changed])
}

/// What a reader with all the time in the world makes of the complete lines.
fn by_hand(bytes: &[u8], path: &std::path::Path) -> &'static str {
    let mut stands = "unknown";
    for line in bytes.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n")) {
        let Ok(value) = serde_json::from_slice::<serde_json::Value>(line) else { continue };
        if value["path"].as_str() != path.to_str() {
            continue;
        }
        stands = match (value["decision"].as_str(), stands) {
            (None, "denied") => "denied",
            (None, _) if value["sha256"] == Digest::of(&fs::read(path).unwrap()).to_string() => "allowed",
            (None, _) => "changed",
            (Some("deny"), _) => "denied",
            _ => "unknown",
        };
    }
    stands
}

fn lines(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte == b'\n').count()
}

#[test]
fn a_store_cut_anywhere_says_what_its_lines_say_and_goes_on() {
    let (place, whole, files) = eventful();
    for cut in 0..=whole.len() {
        place.put_store(&whole[..cut]);
        let trust = place.trust();
        for file in &files {
            let found = check(&trust, file);
            let expected = by_hand(&whole[..cut], file);
            // A revocation that only lacks its newline counts already; an approval does not.
            let counts_early = found == "unknown" || found == "denied";
            assert!(
                found == expected || (counts_early && cut < whole.len() && whole[cut] == b'\n'),
                "cut at {cut}: {found} {expected}"
            );
        }
        if cut % 7 == 0 {
            // What was torn is closed, and hides nothing.
            trust.deny(&place.project.join("next")).unwrap();
            let [.., denied, changed] = &files;
            assert_eq!(
                trust.list().unwrap().iter().filter(|entry| entry.decision == Decided::Deny).count(),
                1 + usize::from(check(&trust, denied) == "denied")
            );
            assert_ne!(check(&place.trust(), changed), "doubtful", "cut at {cut}");
        }
    }
}

#[test]
fn a_store_whose_end_became_nuls_says_what_its_lines_say() {
    let (place, whole, files) = eventful();
    for from in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[from..].fill(0);
        place.put_store(&bytes);
        let trust = place.trust();
        for file in &files {
            let (found, expected) = (check(&trust, file), by_hand(&whole[..from], file));
            let counts_early = (found == "unknown" || found == "denied") && whole[from] == b'\n';
            assert!(found == expected || counts_early, "NULs from {from}: {found} {expected}");
        }
        if from % 50 == 0 {
            trust.deny(&files[0]).unwrap();
            assert_eq!(check(&place.trust(), &files[0]), "denied");
        }
    }
}

/// Whatever bit falls over: what was revoked, denied or changed is never allowed.
#[test]
fn no_flipped_bit_turns_into_trust() {
    let (place, whole, files) = eventful();
    let [kept, revoked, denied, changed] = &files;
    fs::write(changed, "changed").unwrap();
    let mut doubtful = 0;
    for bit in 0..whole.len() * 8 {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        fs::write(&place.store, &bytes).unwrap();
        let trust = Trust::open(&place.store);
        for file in [revoked, denied, changed] {
            assert_ne!(check(&trust, file), "allowed", "bit {bit}");
        }
        doubtful += usize::from(check(&trust, kept) == "doubtful");
    }
    assert!(doubtful > whole.len(), "damage behind an approval puts it in doubt: {doubtful}");
}

#[test]
fn an_approval_behind_the_damage_holds() {
    let (place, whole, files) = eventful();
    let mut bytes = whole.clone();
    // A line in the middle that may have been anything.
    let middle = whole.iter().position(|byte| *byte == b'\n').unwrap() + 10;
    bytes[middle] = b'\x01';
    place.put_store(&bytes);
    let trust = place.trust();
    assert_eq!(check(&trust, &files[0]), "doubtful");
    assert_eq!(check(&trust, &files[2]), "denied");
    assert_eq!(trust.report().unwrap().damaged, 1);
    assert!(trust.list().unwrap().iter().any(|entry| entry.is_doubtful));
    trust.allow(&files[0], Digest::of(b"kept")).unwrap();
    assert_eq!(check(&trust, &files[0]), "allowed");
    assert_eq!(lines(&fs::read(&place.store).unwrap()), lines(&whole) + 1);
}

#[test]
fn strange_lines_are_passed_over() {
    let place = Place::new();
    let path = place.approved(".envrc", "x");
    for strange in ["7", "null", "[]", "\"x\"", "{}", "{\"path\":1}", "", "  ", "{\"sha256\":\"x\"}"] {
        let mut bytes = fs::read(&place.store).unwrap();
        bytes.extend_from_slice(format!("{strange}\n").as_bytes());
        fs::write(&place.store, bytes).unwrap();
        assert_eq!(check(&place.trust(), &path), "allowed", "{strange}");
    }
    // A torn line that somebody glued to: what is behind the fragment is whole.
    let other = place.file("other", "y");
    let glued = format!(
        "{{\"path\":\"/somewhere\",\"sha2{{\"path\":\"{}\",\"sha256\":\"{}\",\"ts\":\"2026-11-20T08:00:00Z\"}}\n",
        other.display(),
        Digest::of(b"y")
    );
    let mut bytes = fs::read(&place.store).unwrap();
    bytes.extend_from_slice(glued.as_bytes());
    fs::write(&place.store, bytes).unwrap();
    assert_eq!(check(&place.trust(), &other), "allowed");
    assert_eq!(check(&place.trust(), &path), "allowed");
    assert_eq!(place.trust().report().unwrap().fused, 1);
}

/// Each of them shows, however many there are.
#[test]
fn the_report_counts_what_there_is() {
    let place = Place::new();
    let path = place.approved("a", "a");
    place.approved("b", "b");
    let line = |name: &str| {
        format!(
            "{{\"path\":\"{}/{name}\",\"sha256\":\"{}\",\"ts\":\"x\"}}",
            place.root.display(),
            Digest::of(b"x")
        )
    };
    let mut text = fs::read_to_string(&place.store).unwrap();
    for number in 0..3 {
        text += &format!("{{\"odd\":{number}}}\n");
        text += "{\"path\":\"/to\n";
        text += &format!("{{\"path\":\"/gl{}\n", line("glued"));
        text += "nonsense\n";
    }
    fs::write(&place.store, &text).unwrap();
    let trust = place.trust();
    let report = trust.report().unwrap();
    let counts = [report.decisions, report.odd, report.torn, report.fused, report.damaged];
    // What was glued is a decision, too.
    assert_eq!(counts, [5, 3, 3, 3, 3], "{report:?}");
    assert_eq!(report.damages.len(), 9);
    assert_eq!(check(&trust, &path), "doubtful");
    // So many are described, and all are counted.
    place.put_store("nonsense\n".repeat(DAMAGES_KEPT + 5).as_bytes());
    let report = place.trust().report().unwrap();
    assert_eq!((report.damaged, report.damages.len()), (DAMAGES_KEPT as u64 + 5, DAMAGES_KEPT));
}

/// Behind a torn record, what aish writes is believed, and what is sealed. Anything else may be a part of what was torn.
#[test]
fn only_what_is_surely_whole_is_taken_out_of_a_damaged_line() {
    let sealed = |text: String| {
        let mut line = text.into_bytes();
        assert!(jsonl_core::checksum::seal(&mut line, 0));
        String::from_utf8(line).unwrap()
    };
    let record = |rest: &str| {
        format!(
            "{{\"path\":\"/p\",\"sha256\":\"{}\",\"ts\":\"2026-11-20T08:00:00Z\"{rest}}}",
            Digest::of(b"x")
        )
    };
    for (inner, counts) in [
        (record(""), true),
        (sealed(record("")), true),
        (sealed(record(",\"more\":1")), true),
        (record(",\"more\":1"), false),
        (sealed(record("")).replace("08:00", "09:00"), false),
    ] {
        let place = Place::holding(format!("{{\"path\":\"/other\",\"sh{inner}\n").as_bytes());
        assert_eq!(place.trust().list().unwrap().len(), usize::from(counts), "{inner}");
    }
}

/// Where a line stands is known in every part of a large store.
#[test]
fn damage_far_behind_an_approval_puts_it_in_doubt_and_none_behind_it() {
    let line = |number: u64| {
        format!(
            "{{\"path\":\"/p/{number}\",\"sha256\":\"{}\",\"ts\":\"2026-11-20T08:00:00Z\"}}\n",
            Digest::of(b"x")
        )
    };
    const BEFORE: u64 = 60_000;
    let text: String = (0..BEFORE).map(line).collect::<String>() + "nonsense\n" + &line(BEFORE);
    let place = Place::holding(text.as_bytes());
    let entries = place.trust().list().unwrap();
    assert_eq!(entries.len() as u64, BEFORE + 1);
    for entry in entries {
        assert_eq!(entry.is_doubtful, !entry.paths[0].ends_with(BEFORE.to_string()), "{entry:?}");
    }
}

/// A byte order mark is no part of a record: in front of the file nothing is wrong with it, elsewhere two files were glued together.
#[test]
fn a_byte_order_mark_hides_no_record() {
    let line = |name: &str| {
        format!(
            "\u{FEFF}{{\"path\":\"/p/{name}\",\"sha256\":\"{}\",\"ts\":\"2026-11-20T08:00:00Z\"}}\n",
            Digest::of(b"x")
        )
    };
    let place = Place::holding((line("a") + &line("b")).as_bytes());
    let entries = place.trust().list().unwrap();
    let paths: Vec<_> = entries.iter().map(|entry| entry.paths[0].to_str().unwrap()).collect();
    assert_eq!(paths, ["/p/a", "/p/b"]);
    let report = place.trust().report().unwrap();
    assert_eq!((report.odd, report.fused, report.damaged), (0, 1, 0), "{report:?}");
}

/// aish knows no denials, so it adds approvals behind them.
#[test]
fn an_approval_that_another_program_adds_does_not_lift_a_denial() {
    let place = Place::new();
    let path = place.approved("setup.sh", "x");
    place.trust().deny(&path).unwrap();
    let approval = format!(
        "{{\"path\":\"{}\",\"sha256\":\"{}\",\"ts\":\"2026-11-20T08:00:00Z\"}}\n",
        path.display(),
        Digest::of(b"x")
    );
    let text = fs::read_to_string(&place.store).unwrap() + &approval;
    fs::write(&place.store, text).unwrap();
    assert_eq!(check(&place.trust(), &path), "denied");
    // Behind a revocation, another one counts.
    place.trust().revoke(&path).unwrap();
    let text = fs::read_to_string(&place.store).unwrap() + &approval;
    fs::write(&place.store, text).unwrap();
    assert_eq!(check(&place.trust(), &path), "allowed");
}

/// A file of a set is written like an approval; torn out of its record it is none.
#[test]
fn a_part_of_a_record_is_no_record() {
    let place = Place::new();
    let trust = place.trust();
    let files = [place.file("a", "a"), place.file("b", "b")];
    let seen = trust.look_set(&files).unwrap();
    trust.allow_set(&files, seen.digest).unwrap();
    let whole = fs::read(&place.store).unwrap();
    let other = place.file("c", "c");
    for cut in 1..whole.len() {
        place.put_store(&whole[..cut]);
        // Somebody glues.
        let mut bytes = whole[..cut].to_vec();
        bytes.extend_from_slice(
            format!(
                "{{\"path\":\"{}\",\"sha256\":\"{}\",\"ts\":\"x\"}}\n",
                other.display(),
                Digest::of(b"c")
            )
            .as_bytes(),
        );
        place.put_store(&bytes);
        let trust = place.trust();
        for file in &files {
            assert_eq!(check(&trust, file), "unknown", "cut at {cut}");
        }
    }
}

#[test]
fn an_end_that_no_crash_leaves_puts_what_stands_before_it_in_doubt_at_once() {
    let (place, whole, [kept, ..]) = eventful();
    // The beginning of a record is what a crash leaves.
    place.put_store(&[&whole[..], b"{\"path\":\"/x\",\"deci"].concat());
    assert_eq!(check(&place.trust(), &kept), "allowed");
    place.put_store(&[&whole[..], b"{\"path\"\x02:\"/x\""].concat());
    assert_eq!(check(&place.trust(), &kept), "doubtful");
}

#[test]
fn an_approval_that_was_never_finished_does_not_come_true_when_its_line_is_closed() {
    for earlier in [None, Some("earlier")] {
        let place = Place::new();
        let other = place.approved("other", "other");
        let file = earlier.map(|text| place.approved("file", text));
        let before = fs::read(&place.store).unwrap().len();
        let file = match file {
            Some(_) => place.approved("file", "later"),
            None => place.approved("file", "text"),
        };
        let whole = fs::read(&place.store).unwrap();
        // Only the newline is missing: whoever approved it was told that it failed.
        place.put_store(&whole[..whole.len() - 1]);
        assert!(before < whole.len() - 1);
        let trust = place.trust();
        let expected = if earlier.is_some() { "changed" } else { "unknown" };
        assert_eq!(check(&trust, &file), expected);
        if earlier.is_none() {
            assert!(!trust.revoke(&file).unwrap(), "there is nothing to revoke");
        }
        trust.deny(&other).unwrap();
        assert_eq!(check(&place.trust(), &file), expected, "nobody has decided anything about it");
        assert_eq!(check(&place.trust(), &other), "denied");
    }
}

/// The one who came next closed the line in the same write in which it took the approval back. Dying after the first byte of that, it
/// had approved what nobody has.
#[test]
fn whoever_dies_behind_an_unfinished_approval_approves_nothing() {
    let place = Place::new();
    let [other, file] = ["other", "file"].map(|name| place.approved(name, name));
    let whole = fs::read(&place.store).unwrap();
    place.put_store(&whole[..whole.len() - 1]);
    let before = fs::read(&place.store).unwrap();
    place.trust().deny(&other).unwrap();
    let after = fs::read(&place.store).unwrap();
    assert!(!after.starts_with(&before), "nothing is appended behind it");
    // Whatever of the next write is left, on what was there when it began.
    let kept = after.iter().zip(&before).take_while(|(a, b)| a == b).count();
    for cut in kept..=after.len() {
        place.put_store(&after[..cut]);
        assert_eq!(check(&place.trust(), &file), "unknown", "cut at {cut}");
    }
    assert_eq!(check(&place.trust(), &other), "denied");
    let names = fs::read_dir(place.store.parent().unwrap()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(names.into_iter().all(|name| !name.to_string_lossy().contains("annals-tmp")));
}

#[test]
fn a_denial_is_not_lifted_by_an_approval_that_was_never_finished() {
    let place = Place::new();
    let [file, other] = ["file", "other"].map(|name| place.approved(name, name));
    let whole = fs::read_to_string(&place.store).unwrap();
    let approval = whole.lines().next().unwrap().to_owned();
    place.trust().deny(&file).unwrap();
    let denied = fs::read_to_string(&place.store).unwrap();
    place.put_store(format!("{denied}{approval}").as_bytes());
    place.trust().deny(&other).unwrap();
    assert_eq!(check(&place.trust(), &file), "denied");
}
