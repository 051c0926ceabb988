//! Does a change in any file of a set ask again?

use std::fs;
use std::path::PathBuf;

use annals_trust::{Decided, Digest, Error, Reason, SetVerdict, Trust};

use crate::support::{Place, check};

fn word(trust: &Trust, files: &[PathBuf]) -> &'static str {
    match trust.check_set(files).unwrap() {
        SetVerdict::Allowed(_) => "allowed",
        SetVerdict::Changed { .. } => "changed",
        SetVerdict::Denied { .. } => "denied",
        SetVerdict::Unknown { .. } => "unknown",
        _ => "another",
    }
}

#[test]
fn a_set_is_approved_as_one() {
    let place = Place::new();
    let trust = place.trust();
    let files = vec![place.file("b", "bee"), place.file("a", "ay"), place.file("c\n", "sea")];
    assert_eq!(word(&trust, &files), "unknown");
    let seen = trust.look_set(&files).unwrap();
    assert_eq!(seen.files.len(), 3);
    trust.allow_set(&files, seen.digest).unwrap();
    let SetVerdict::Allowed(approved) = trust.check_set(&files).unwrap() else { panic!() };
    assert_eq!(approved[0].bytes(), b"ay");
    // The order makes no difference, nor does naming one twice.
    let mut turned = files.clone();
    turned.reverse();
    turned.push(files[0].clone());
    assert_eq!(word(&trust, &turned), "allowed");
    // One more, or one less, is another set; and a file alone is not a set.
    assert_eq!(word(&trust, &files[..2]), "unknown");
    turned.push(place.file("d", "dee"));
    assert_eq!(word(&trust, &turned), "unknown");
    assert_eq!(check(&trust, &files[0]), "unknown");
    // A change in any of them.
    place.file("a", "AY");
    match trust.check_set(&files).unwrap() {
        SetVerdict::Changed { files: changed, found, .. } => {
            assert_eq!(changed.len(), 1);
            assert_eq!((changed[0].path.clone(), changed[0].approved), (files[1].clone(), Digest::of(b"ay")));
            assert!(
                matches!(trust.allow_set(&files, seen.digest), Err(Error::NotAsSeen { found: now, .. }) if now == found)
            );
        }
        other => panic!("{other:?}"),
    }
    place.file("a", "ay");
    assert_eq!(word(&place.trust(), &files), "allowed");
    // Contents that are exchanged between two files.
    place.file("a", "bee");
    place.file("b", "ay");
    assert_eq!(word(&trust, &files), "changed");
    let list = trust.list().unwrap();
    assert!(list[0].is_set && list[0].decision == Decided::Allow(seen.digest));
    assert_eq!(trust.history(Some(&files[0])).unwrap().len(), 1);
    assert!(trust.revoke_set(&files).unwrap());
    assert!(!trust.revoke_set(&files).unwrap());
    assert_eq!(word(&trust, &files), "unknown");
}

#[test]
fn a_set_of_one_file_is_a_set() {
    let place = Place::new();
    let trust = place.trust();
    let files = [place.file("a", "ay")];
    let seen = trust.look_set(&files).unwrap();
    trust.allow_set(&files, seen.digest).unwrap();
    assert_eq!((word(&trust, &files), check(&trust, &files[0])), ("allowed", "unknown"));
    let list = trust.list().unwrap();
    assert_eq!((list.len(), list[0].is_set, list[0].decision), (1, true, Decided::Allow(seen.digest)));
    assert_ne!(seen.digest, Digest::of(b"ay"));
}

#[test]
fn a_denied_file_denies_its_sets() {
    let place = Place::new();
    let trust = place.trust();
    let files = vec![place.file("a", "a"), place.file("b", "b")];
    let seen = trust.look_set(&files).unwrap();
    trust.allow_set(&files, seen.digest).unwrap();
    trust.deny(&files[1]).unwrap();
    assert_eq!(word(&trust, &files), "denied");
    assert!(matches!(trust.allow_set(&files, seen.digest), Err(Error::Denied { path }) if path == files[1]));
    trust.revoke(&files[1]).unwrap();
    assert_eq!(word(&trust, &files), "allowed", "what was approved together was never undone");
}

#[test]
fn limits_hold() {
    let place = Place::new();
    let trust = place.trust();
    assert!(matches!(trust.check_set(&[]), Err(Error::SetLen { count: 0 })));
    let file = place.file("a", "a");
    let many = vec![file.clone(); annals_trust::FILES_MAX + 1];
    assert!(matches!(trust.check_set(&many), Err(Error::SetLen { .. })));
    assert_eq!(word(&trust, &many[1..]), "unknown");
    let files = [file, place.file("b", "bees")];
    let with_limit = |len| place.options().max_set_len(len).open(&place.store);
    assert_eq!(word(&with_limit(5), &files), "unknown");
    for len in 0..5 {
        assert!(matches!(
            with_limit(len).check_set(&files),
            Err(Error::Unsafe { reason: Reason::TooLarge { max, .. }, .. }) if max == len
        ));
    }
    // A file of the set that is gone.
    fs::remove_file(&files[1]).unwrap();
    assert!(trust.check_set(&files).is_err());
}
