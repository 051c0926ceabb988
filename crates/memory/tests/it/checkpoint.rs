//! Does a checkpoint change nothing but the time it takes to open?

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use annals_memory::{Error, Filter, Memory, NewItem};

use crate::support::{Place, ids_of};

/// A memory that is large enough for a checkpoint.
fn large() -> Place {
    let place = Place::new();
    let memory = place.open();
    let items: Vec<NewItem> = (0..5000)
        .map(|n| {
            let item = NewItem::fact(format!("fact {n} {}", "c".repeat(300)));
            match n % 10 {
                0 => item.expires(crate::support::start()),
                1 => item.expires(crate::support::start() + Duration::from_secs(1 << 40)),
                _ => item,
            }
        })
        .collect();
    memory.add_all(&items).unwrap();
    for id in (1..5000).step_by(7) {
        memory.forget(id).unwrap();
    }
    memory.close().unwrap();
    assert!(checkpoint_of(&place).exists());
    place
}

fn checkpoint_of(place: &Place) -> PathBuf {
    place.folder.path().join("memory.jsonl.annals-index")
}

/// What is read with the checkpoint, and without.
fn check_same(place: &Place) -> Vec<u64> {
    let with = place.view();
    let without = place.options().checkpoint(false).view(&place.path).unwrap();
    assert_eq!(with.active(&Filter::new()).unwrap(), without.active(&Filter::new()).unwrap());
    assert_eq!(with.verify().unwrap().next_id, without.verify().unwrap().next_id);
    assert_eq!(with.report().records, without.report().records);
    ids_of(&with)
}

#[test]
fn it_goes_on_from_there() {
    let place = large();
    check_same(&place);
    let memory = place.open();
    memory.forget(5).unwrap().unwrap();
    let id = memory.add(&NewItem::fact("new")).unwrap().id();
    drop(memory);
    let ids = check_same(&place);
    assert!(ids.contains(&id) && !ids.contains(&5));
}

#[test]
fn it_is_really_used_and_never_believed_over_the_log() {
    let place = large();
    let bytes = fs::read(checkpoint_of(&place)).unwrap();
    let ids = check_same(&place);
    // One that says something else, with a checksum that fits, is believed: that is what shows that it is used.
    let newline = bytes.iter().position(|byte| *byte == b'\n').unwrap();
    let mut lie = bytes.clone();
    let first = newline + 1;
    // The second slot is that of an active item: its fate becomes forgotten.
    lie[first + 32 + 29] = 1;
    let body = lie.len() - 4;
    let sum = crc32(&lie[..body]);
    lie[body..].copy_from_slice(&sum.to_le_bytes());
    fs::write(checkpoint_of(&place), &lie).unwrap();
    assert_eq!(place.view().get(2).unwrap(), None);
    // Without the right checksum it is not.
    lie[first + 32 + 29] = 2;
    fs::write(checkpoint_of(&place), &lie).unwrap();
    assert!(place.view().get(2).unwrap().is_some());
    assert_eq!(check_same(&place).len(), ids.len());
}

/// CRC-32, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |sum, byte| {
        (0..8).fold(
            sum ^ u32::from(*byte),
            |sum, _| if sum & 1 == 1 { sum >> 1 ^ 0xEDB8_8320 } else { sum >> 1 },
        )
    })
}

#[test]
fn one_that_is_damaged_cut_or_foreign_is_passed_over() {
    let place = large();
    let bytes = fs::read(checkpoint_of(&place)).unwrap();
    let expected = check_same(&place);
    let step = bytes.len() / 40;
    for cut in (0..bytes.len()).step_by(step) {
        fs::write(checkpoint_of(&place), &bytes[..cut]).unwrap();
        assert_eq!(ids_of(&place.view()).len(), expected.len(), "cut at {cut}");
        let mut flipped = bytes.clone();
        flipped[cut] ^= 4;
        fs::write(checkpoint_of(&place), &flipped).unwrap();
        assert_eq!(ids_of(&place.view()).len(), expected.len(), "flipped at {cut}");
    }
    let mut longer = bytes.clone();
    longer.push(0);
    for other in [&longer[..], b"", b"{}\n", b"{\"annals_index\":1}\n", b"\xFF\xFE"] {
        fs::write(checkpoint_of(&place), other).unwrap();
        assert_eq!(ids_of(&place.view()).len(), expected.len());
    }
    // Of another memory.
    let other = large();
    fs::copy(checkpoint_of(&other), checkpoint_of(&place)).unwrap();
    assert_eq!(ids_of(&place.view()).len(), expected.len());
}

#[test]
fn a_log_that_was_changed_behind_it_is_read_again() {
    let place = large();
    let text = place.text();
    // In place, so that the file's number stays: in front of the witness, and without changing its length.
    let changed = text.replacen("\"content\":\"fact 1 ", "\"content\":\"FACT 1 ", 1);
    fs::write(&place.path, &changed).unwrap();
    // The record's checksum doesn't fit any more, and the checkpoint hides it no longer.
    assert!(matches!(place.options().view(&place.path), Err(Error::Incomplete { .. })));
    // Shorter: what was cut off is gone, and nothing of it comes out of the checkpoint.
    let half = text.lines().take(2000).collect::<Vec<_>>().join("\n") + "\n";
    fs::write(&place.path, &half).unwrap();
    let view = place.view();
    assert!(view.get(4000).unwrap().is_none());
    assert_eq!(view.verify().unwrap().next_id, Some(2000));
}

#[test]
fn small_memories_and_those_who_want_none_have_none() {
    let place = Place::new();
    place.open().add(&NewItem::fact("small")).unwrap();
    place.open().close().unwrap();
    assert!(!checkpoint_of(&place).exists());
    let place = large();
    fs::remove_file(checkpoint_of(&place)).unwrap();
    let memory: Memory = place.options().checkpoint(false).open(&place.path).unwrap();
    memory.close().unwrap();
    assert!(!checkpoint_of(&place).exists());
    // Opening for writing makes it again.
    place.open().close().unwrap();
    assert!(checkpoint_of(&place).exists());
    let memory = place.open();
    memory.clear(&Filter::new()).unwrap();
    memory.compact().unwrap();
    assert!(!checkpoint_of(&place).exists(), "it was that of the file before");
}

#[test]
fn damage_at_the_end_does_not_keep_it_away() {
    let place = large();
    let text = fs::read_to_string(&place.path).unwrap();
    // Another text than the one that the checksum is of.
    fs::write(&place.path, text.replace("fact 4990 ", "Fact 4990 ")).unwrap();
    let memory: Memory = place.options().accept_loss(true).open(&place.path).unwrap();
    memory.close().unwrap();
    fs::remove_file(checkpoint_of(&place)).unwrap();
    place.open().close().unwrap();
    assert!(checkpoint_of(&place).exists());
    assert!(!check_same(&place).contains(&4991));
}
