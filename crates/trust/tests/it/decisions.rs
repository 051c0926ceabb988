//! Allowing, denying, revoking, pruning, and what is told about them.

use std::fs;

use annals_trust::{Decided, Digest, Error, Verdict};

use crate::support::{Place, check, start, testdata};

#[test]
fn what_was_approved_is_what_is_handed_over() {
    let place = Place::new();
    let path = place.approved(".envrc", "export A=1\n");
    let Verdict::Allowed(approved) = place.trust().check(&path).unwrap() else { panic!() };
    assert_eq!(approved.bytes(), b"export A=1\n");
    assert_eq!(approved.digest(), Digest::of(b"export A=1\n"));
    assert_eq!(approved.path(), path);
    assert_eq!(approved.into_bytes(), b"export A=1\n");
    // An empty file is a content like any other.
    let empty = place.approved("empty", "");
    assert_eq!(check(&place.trust(), &empty), "allowed");
}

#[test]
fn what_has_changed_is_said_and_can_be_shown() {
    let place = Place::new();
    let path = place.approved(".envrc", "export A=1\n");
    place.file(".envrc", "export A=2\n");
    let trust = place.trust();
    let Verdict::Changed { approved, found, since, .. } = trust.check(&path).unwrap() else { panic!() };
    assert_eq!((approved, found), (Digest::of(b"export A=1\n"), Digest::of(b"export A=2\n")));
    assert_eq!(since, Some(start()));
    assert_eq!(trust.copy_of(approved).unwrap().as_deref(), Some(&b"export A=1\n"[..]));
    assert_eq!(trust.copy_of(found).unwrap(), None, "nobody has approved that");
    // A copy that somebody has changed is none.
    let copy = place.root.join("store/trusted-projects.annals-approved").join(approved.to_string());
    assert_eq!(crate::support::mode(&copy), 0o600);
    fs::write(&copy, "else").unwrap();
    assert_eq!(trust.copy_of(approved).unwrap(), None);
    // Approving the new content is the end of the old one.
    trust.allow(&path, found).unwrap();
    assert_eq!(check(&trust, &path), "allowed");
    place.file(".envrc", "export A=1\n");
    assert_eq!(check(&trust, &path), "changed", "what was approved before is not any more");
    // Where the copies can't be looked at, nobody knows that there is none.
    let folder = copy.parent().unwrap();
    fs::remove_dir_all(folder).unwrap();
    fs::write(folder, "").unwrap();
    assert!(trust.copy_of(approved).is_err());
    assert!(trust.prune(false).is_err());
    fs::remove_file(folder).unwrap();
    trust.prune(false).unwrap();
    assert_eq!(trust.copy_of(approved).unwrap(), None);
}

#[test]
fn only_what_was_seen_can_be_approved() {
    let place = Place::new();
    let path = place.file(".envrc", "good");
    let seen = place.trust().look(&path).unwrap();
    assert_eq!((seen.bytes.as_slice(), seen.digest), (&b"good"[..], Digest::of(b"good")));
    place.file(".envrc", "evil");
    match place.trust().allow(&path, seen.digest) {
        Err(Error::NotAsSeen { found, .. }) => assert_eq!(found, Digest::of(b"evil")),
        other => panic!("{other:?}"),
    }
    assert!(!place.store.exists(), "nothing was written");
    assert_eq!(check(&place.trust(), &path), "unknown");
}

#[test]
fn a_deny_beats_every_allow_until_it_is_revoked() {
    let place = Place::new();
    let path = place.approved(".envrc", "x");
    let trust = place.trust();
    trust.deny(&path).unwrap();
    assert_eq!(check(&trust, &path), "denied");
    assert!(matches!(trust.allow(&path, Digest::of(b"x")), Err(Error::Denied { .. })));
    assert_eq!(check(&trust, &path), "denied");
    // Whatever is in it, and if it can't even be read.
    place.file(".envrc", "y");
    assert_eq!(check(&trust, &path), "denied");
    // aish knows nothing of denies, and writes an approval.
    let digest = Digest::of(b"y");
    let line = format!(
        "{{\"path\":\"{}\",\"sha256\":\"{digest}\",\"ts\":\"2026-11-20T09:00:00Z\"}}\n",
        path.display()
    );
    let mut bytes = fs::read(&place.store).unwrap();
    bytes.extend_from_slice(line.as_bytes());
    fs::write(&place.store, bytes).unwrap();
    assert_eq!(check(&trust, &path), "denied");
    assert!(trust.revoke(&path).unwrap());
    assert_eq!(check(&trust, &path), "unknown", "it is asked again");
    trust.allow(&path, digest).unwrap();
    assert_eq!(check(&place.trust(), &path), "allowed");
    // What isn't there can be denied, too.
    let later = place.project.join("later/.envrc");
    trust.deny(&later).unwrap();
    fs::create_dir(place.project.join("later")).unwrap();
    crate::support::chmod(&place.project.join("later"), 0o700);
    let later = place.file("later/.envrc", "z");
    assert_eq!(check(&trust, &later), "denied");
}

#[test]
fn a_revocation_holds() {
    let place = Place::new();
    let path = place.approved(".envrc", "x");
    let trust = place.trust();
    assert!(trust.revoke(&path).unwrap());
    assert_eq!(check(&trust, &path), "unknown");
    assert_eq!(check(&place.trust(), &path), "unknown");
    let len = fs::metadata(&place.store).unwrap().len();
    assert!(!trust.revoke(&path).unwrap(), "there is nothing left to revoke");
    assert!(!trust.revoke(&place.project.join("never")).unwrap());
    assert_eq!(fs::metadata(&place.store).unwrap().len(), len);
    // Of a file that is gone, and of a path that has become a link.
    for make_link in [false, true] {
        let path = place.approved("other", "x");
        fs::remove_file(&path).unwrap();
        if make_link {
            std::os::unix::fs::symlink(&place.store, &path).unwrap();
        }
        assert!(trust.revoke(&path).unwrap(), "{make_link}");
        let _ = fs::remove_file(&path);
        place.file("other", "x");
        assert_eq!(check(&trust, &path), "unknown");
    }
}

#[test]
fn what_was_decided_is_told() {
    let place = Place::new();
    let trust = place.trust();
    assert!(trust.history(None).unwrap().is_empty());
    assert!(trust.list().unwrap().is_empty());
    let path = place.approved(".envrc", "x");
    trust.revoke(&path).unwrap();
    trust.deny(&path).unwrap();
    place.approved("b", "b");
    let history = trust.history(Some(&path)).unwrap();
    let decisions: Vec<Decided> = history.iter().map(|entry| entry.decision).collect();
    assert_eq!(decisions, [Decided::Allow(Digest::of(b"x")), Decided::Revoke, Decided::Deny]);
    assert!(history[0].time < history[2].time);
    assert_eq!(trust.history(None).unwrap().len(), 4);
    let list = trust.list().unwrap();
    assert_eq!(
        list.iter().map(|entry| entry.decision).collect::<Vec<_>>(),
        [Decided::Deny, Decided::Allow(Digest::of(b"b"))]
    );
}

#[test]
fn prune_revokes_what_is_gone() {
    let place = Place::new();
    let trust = place.trust();
    let kept = place.approved("kept", "k");
    let gone = place.approved("gone", "g");
    let denied = place.file("denied", "d");
    trust.deny(&denied).unwrap();
    fs::remove_file(&gone).unwrap();
    fs::remove_file(&denied).unwrap();
    let dry = trust.prune(true).unwrap();
    assert_eq!(dry.iter().map(|entry| &entry.paths[0]).collect::<Vec<_>>(), [&gone]);
    assert_eq!(trust.list().unwrap().len(), 3);
    assert!(trust.copy_of(Digest::of(b"g")).unwrap().is_some());
    assert_eq!(trust.prune(false).unwrap(), dry);
    assert_eq!(trust.list().unwrap().len(), 2);
    assert_eq!(trust.copy_of(Digest::of(b"g")).unwrap(), None);
    assert!(trust.copy_of(Digest::of(b"k")).unwrap().is_some());
    assert_eq!(check(&trust, &kept), "allowed");
    place.file("gone", "g");
    assert_eq!(check(&trust, &gone), "unknown", "who comes back is asked again");
    place.file("denied", "d");
    assert_eq!(check(&trust, &denied), "denied");
    // aish's projects are somewhere else.
    let place = Place::holding(&testdata("trusted-projects"));
    assert_eq!(place.trust().prune(false).unwrap().len(), 6);
    assert!(place.trust().list().unwrap().is_empty());
}

#[test]
fn another_process_is_seen_at_once() {
    let place = Place::new();
    let (ours, theirs) = (place.trust(), place.trust());
    let path = place.file(".envrc", "x");
    for _ in 0..50 {
        assert_eq!(check(&ours, &path), "unknown");
        theirs.allow(&path, Digest::of(b"x")).unwrap();
        assert_eq!(check(&ours, &path), "allowed");
        theirs.revoke(&path).unwrap();
    }
}

#[test]
fn copies_are_kept_for_those_who_want_them() {
    let place = Place::new();
    let path = place.file(".envrc", "secret");
    let trust = place.options().copies(false).open(&place.store);
    trust.allow(&path, Digest::of(b"secret")).unwrap();
    assert_eq!(trust.copy_of(Digest::of(b"secret")).unwrap(), None);
    assert_eq!(fs::read_dir(place.store.parent().unwrap()).unwrap().count(), 1);
}
