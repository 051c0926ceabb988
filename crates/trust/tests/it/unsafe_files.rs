//! Does everything that somebody else could change fail closed, and say why?

use std::fs;
use std::os::unix::fs::{chown, symlink};
use std::path::Path;

use annals_trust::{Digest, Error, Reason, Trust};

use crate::support::{Place, check, chmod};

/// Refused by every way to ask or decide, and why.
#[track_caller]
fn reason(trust: &Trust, path: &Path) -> Reason {
    let why = |error| match error {
        Error::Unsafe { reason, .. } => reason,
        other => panic!("{other}"),
    };
    let reason = why(trust.check(path).unwrap_err());
    assert_eq!(why(trust.look(path).unwrap_err()), reason);
    assert_eq!(why(trust.allow(path, Digest::of(b"x")).unwrap_err()), reason);
    assert_eq!(why(trust.check_set(&[path.to_owned()]).unwrap_err()), reason);
    reason
}

fn is_root() -> bool {
    // A test that needs another owner needs to be allowed to give a file away.
    let place = Place::new();
    chown(&place.project, Some(12_345), None).is_ok()
}

#[test]
fn modes_of_the_file() {
    let place = Place::new();
    let path = place.approved(".envrc", "x");
    let trust = place.trust();
    for mode in 0..=0o777 {
        chmod(&path, mode);
        if mode & 0o022 != 0 {
            match trust.check(&path) {
                Err(Error::Unsafe { reason: Reason::Writable { mode: found }, .. }) => {
                    assert_eq!(found, mode)
                }
                // Without the owner's right to read, one who is not root does not get so far.
                Err(Error::Io { .. }) if mode & 0o400 == 0 => {}
                other => panic!("{mode:o}: {other:?}"),
            }
        } else if mode & 0o400 != 0 {
            assert_eq!(check(&trust, &path), "allowed", "{mode:o}");
        }
    }
}

#[test]
fn modes_of_the_folders() {
    let place = Place::new();
    let path = place.approved(".envrc", "x");
    let trust = place.trust();
    for mode in 0..=0o777 {
        for folder in [&place.project, &place.root] {
            chmod(folder, mode);
            let found = trust.check(&path);
            chmod(folder, 0o700);
            match found {
                Ok(verdict) => {
                    assert_eq!(crate::support::word(&verdict), "allowed");
                    assert_eq!(mode & 0o022, 0, "{mode:o}");
                }
                Err(Error::Unsafe { reason: Reason::Writable { .. }, .. }) => {
                    assert_ne!(mode & 0o022, 0, "{mode:o}")
                }
                Err(Error::Io { .. }) => assert_eq!(mode & 0o100, 0, "{mode:o}"),
                Err(error) => panic!("{mode:o}: {error}"),
            }
        }
    }
    // In a sticky folder nobody can take away what is others': such is the folder for temporary files.
    chmod(&place.root, 0o1777);
    assert_eq!(check(&trust, &path), "allowed");
}

#[test]
fn modes_of_the_store() {
    let place = Place::new();
    let path = place.approved(".envrc", "x");
    let folder = place.store.parent().unwrap().to_owned();
    for mode in 0..=0o777 {
        for (what, rest) in [(&place.store, 0o600), (&folder, 0o700)] {
            chmod(what, mode);
            // One that has just been opened, and one that knows what stood there: both look.
            let found = [
                place.trust().check(&path),
                place.trust().deny(&place.project.join("n")).map(|()| place.trust().check(&path).unwrap()),
            ];
            chmod(what, rest);
            for found in found {
                match found {
                    Ok(verdict) => {
                        assert_eq!(crate::support::word(&verdict), "allowed", "{mode:o}");
                        assert_eq!(mode & 0o022, 0, "{mode:o}");
                    }
                    Err(Error::Unsafe { reason: Reason::Writable { .. }, .. }) => {
                        assert_ne!(mode & 0o022, 0, "{mode:o}")
                    }
                    Err(Error::Io { .. } | Error::Log(_)) => assert_ne!(mode & 0o700, 0o700, "{mode:o}"),
                    Err(error) => panic!("{mode:o}: {error}"),
                }
            }
        }
        if mode % 64 == 0 {
            fs::write(&place.store, "").unwrap();
            place.trust().allow(&path, Digest::of(b"x")).unwrap();
        }
    }
}

#[test]
fn symbolic_links() {
    let place = Place::new();
    let path = place.approved(".envrc", "x");
    let trust = place.trust();
    let link = place.project.join("link");
    symlink(&path, &link).unwrap();
    assert_eq!(reason(&trust, &link), Reason::Link { leads_to: Some(path.clone()) });
    // Nothing was decided about it, and what it leads to is another file.
    assert!(matches!(trust.revoke(&link), Err(Error::Unsafe { reason: Reason::Link { .. }, .. })));
    // A folder on the way, near and far.
    let folder = place.root.join("elsewhere");
    symlink(&place.project, &folder).unwrap();
    assert_eq!(reason(&trust, &folder.join(".envrc")), Reason::Link { leads_to: Some(path.clone()) });
    let far = place.root.join("far");
    symlink(&place.root, &far).unwrap();
    assert_eq!(reason(&trust, &far.join("project/.envrc")), Reason::Link { leads_to: Some(path.clone()) });
    // Behind `..`, where the text leads somewhere else than the link.
    assert_eq!(check(&trust, &place.project.join("../project/./.envrc")), "allowed");
    fs::create_dir_all(place.root.join("deep/down")).unwrap();
    symlink(place.root.join("deep/down"), place.project.join("up")).unwrap();
    assert!(trust.check(&place.project.join("up/../project/.envrc")).is_err());
    // One that leads nowhere, and one that leads to itself.
    symlink(place.root.join("nowhere"), place.project.join("dangling")).unwrap();
    assert!(trust.check(&place.project.join("dangling")).is_err());
    symlink(place.project.join("loop"), place.project.join("loop")).unwrap();
    assert!(trust.check(&place.project.join("loop")).is_err());
    // The store itself.
    fs::rename(&place.store, place.root.join("moved")).unwrap();
    symlink(place.root.join("moved"), &place.store).unwrap();
    assert!(matches!(place.trust().check(&path), Err(Error::Unsafe { reason: Reason::Link { .. }, .. })));
    assert!(matches!(place.trust().deny(&path), Err(Error::Unsafe { reason: Reason::Link { .. }, .. })));
    // A dangling one is not followed either: nothing is made where it leads.
    fs::remove_file(&place.store).unwrap();
    symlink(place.root.join("made"), &place.store).unwrap();
    assert!(place.trust().deny(&path).is_err());
    assert!(!place.root.join("made").exists());
}

#[test]
fn hard_links() {
    let place = Place::new();
    let path = place.approved(".envrc", "x");
    let other = place.root.join("other");
    fs::hard_link(&path, &other).unwrap();
    assert_eq!(reason(&place.trust(), &path), Reason::HardLink);
    fs::remove_file(&other).unwrap();
    assert_eq!(check(&place.trust(), &path), "allowed");
    fs::hard_link(&place.store, &other).unwrap();
    assert!(matches!(place.trust().check(&path), Err(Error::Unsafe { reason: Reason::HardLink, .. })));
}

#[test]
fn what_is_no_file() {
    let place = Place::new();
    let trust = place.trust();
    let fifo = place.project.join("fifo");
    rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
    // Without waiting for somebody at the other end.
    assert_eq!(reason(&trust, &fifo), Reason::NotAFile { found: "a FIFO" });
    let socket = place.project.join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    chmod(&socket, 0o600);
    assert_eq!(reason(&trust, &socket), Reason::NotAFile { found: "a socket or device" });
    assert_eq!(reason(&trust, &place.project), Reason::NotAFile { found: "a folder" });
    assert_eq!(reason(&trust, Path::new("/")), Reason::NotAFile { found: "a folder" });
    assert_eq!(reason(&trust, Path::new("/dev/null")), Reason::NotAFile { found: "a device" });
    let file = place.file("file", "x");
    assert!(trust.check(&file.join("under")).is_err());
    // The store.
    fs::create_dir(place.store.parent().unwrap()).unwrap();
    chmod(place.store.parent().unwrap(), 0o700);
    fs::create_dir(&place.store).unwrap();
    assert!(matches!(place.trust().check(&file), Err(Error::Unsafe { reason: Reason::NotAFile { .. }, .. })));
}

#[test]
fn what_is_too_large_to_have_been_read() {
    let place = Place::new();
    let path = place.file("large", &"x".repeat(1 << 20));
    assert_eq!(check(&place.trust(), &path), "unknown");
    let path = place.file("large", &"x".repeat((1 << 20) + 1));
    assert_eq!(reason(&place.trust(), &path), Reason::TooLarge { len: (1 << 20) + 1, max: 1 << 20 });
    let small = place.options().max_file_len(3).open(&place.store);
    assert_eq!(check(&small, &place.file("abc", "abc")), "unknown");
    assert_eq!(reason(&small, &place.file("abcd", "abcd")), Reason::TooLarge { len: 4, max: 3 });
}

#[test]
fn what_belongs_to_somebody_else() {
    let place = Place::new();
    let path = place.approved(".envrc", "x");
    let trust = place.trust();
    if !is_root() {
        // Only root can give files away; but what is root's is as safe as what is one's own.
        return;
    }
    let other = Reason::Owner { uid: 12_345 };
    for what in [&path, &place.project, &place.root] {
        chown(what, Some(12_345), None).unwrap();
        assert_eq!(reason(&trust, &path), other);
        chown(what, Some(0), None).unwrap();
    }
    assert_eq!(check(&trust, &path), "allowed");
    for what in [&place.store, &place.store.parent().unwrap().to_owned()] {
        chown(what, Some(12_345), None).unwrap();
        assert!(matches!(trust.check(&path), Err(Error::Unsafe { reason, .. }) if reason == other));
        assert!(matches!(trust.revoke(&path), Err(Error::Unsafe { reason, .. }) if reason == other));
        chown(what, Some(0), None).unwrap();
    }
    assert_eq!(check(&trust, &path), "allowed");
}
