//! Is there one writer, and is the other told who it is?

use std::fs::{self, File};
use std::thread;
use std::time::{Duration, Instant};

use jsonl_core::{Durability, Error, Locking, WriteOptions, holder};

use crate::support::Place;

fn options() -> WriteOptions {
    WriteOptions::new().create(true).durability(Durability::Buffer).program("the test")
}

#[test]
fn the_second_writer_is_told_who_the_first_is() {
    let place = Place::new();
    let first = options().open(&place.path).unwrap();
    for locking in [Locking::Held, Locking::PerAppend] {
        let second = options().locking(locking).wait(Duration::from_millis(30));
        let begun = Instant::now();
        let refused = match locking {
            Locking::Held => second.open(&place.path).map(drop).unwrap_err(),
            _ => second.open(&place.path).unwrap().append(&1).map(drop).unwrap_err(),
        };
        assert!(begun.elapsed() >= Duration::from_millis(30));
        let Error::Busy { holder: Some(found), .. } = &refused else { panic!("{refused}") };
        assert_eq!((found.pid, found.program.as_deref()), (Some(std::process::id()), Some("the test")));
        let age = found.since.unwrap().elapsed().unwrap_or_default();
        assert!(age < Duration::from_secs(60), "{age:?}");
        assert!(refused.to_string().contains("(the test) since 20"), "{refused}");
    }
    assert_eq!(holder(&place.path).unwrap().unwrap().pid, Some(std::process::id()));
    first.close().unwrap();
    assert_eq!(holder(&place.path).unwrap(), None);
    assert!(!place.path.with_file_name("log.jsonl.annals-lock").exists());
}

/// A program that knows `flock` but not our note, as aish does.
#[cfg(target_os = "linux")]
#[test]
fn a_foreign_holder_is_respected_and_named() {
    let place = Place::with("1\n");
    let foreign = File::open(&place.path).unwrap();
    foreign.lock().unwrap();
    // A note that a killed writer left says nothing about this one.
    fs::write(place.path.with_file_name("log.jsonl.annals-lock"), "{\"pid\":1,\"program\":\"dead\"}\n")
        .unwrap();
    let refused = options().wait(Duration::ZERO).open(&place.path).unwrap_err();
    let Error::Busy { holder: Some(found), .. } = &refused else { panic!("{refused}") };
    assert_eq!((found.pid, found.since), (Some(std::process::id()), None));
    assert_ne!(found.program.as_deref(), Some("dead"));
    drop(foreign);
    options().open(&place.path).unwrap().append(&2).unwrap();
}

#[test]
fn a_waiting_writer_gets_the_lock_when_it_is_free() {
    let place = Place::new();
    let first = options().open(&place.path).unwrap();
    thread::scope(|scope| {
        let second = scope.spawn(|| options().wait(Duration::from_secs(20)).open(&place.path).map(drop));
        thread::sleep(Duration::from_millis(50));
        first.close().unwrap();
        second.join().unwrap().unwrap();
    });
}

#[test]
fn dropping_a_writer_frees_the_lock() {
    let place = Place::new();
    drop(options().open(&place.path).unwrap());
    options().wait(Duration::ZERO).open(&place.path).unwrap();
}

#[test]
fn what_stands_where_the_note_goes_does_not_matter() {
    for note in ["", "not json", "{}", "[1,2]"] {
        let place = Place::with("1\n");
        let path = place.path.with_file_name("log.jsonl.annals-lock");
        fs::write(&path, note).unwrap();
        options().open(&place.path).unwrap().append(&2).unwrap();
        assert!(!path.exists());
    }
    // A folder can't be replaced by a note, and the log is written all the same.
    let place = Place::with("1\n");
    let path = place.path.with_file_name("log.jsonl.annals-lock");
    fs::create_dir(&path).unwrap();
    let log = options().open(&place.path).unwrap();
    log.append(&2).unwrap();
    let refused = options().wait(Duration::ZERO).open(&place.path).unwrap_err();
    assert!(matches!(refused, Error::Busy { .. }));
}

#[cfg(unix)]
#[test]
fn a_note_is_not_written_through_a_link() {
    let place = Place::with("1\n");
    let victim = place.path.with_file_name("victim");
    fs::write(&victim, "precious").unwrap();
    std::os::unix::fs::symlink(&victim, place.path.with_file_name("log.jsonl.annals-lock")).unwrap();
    let log = options().open(&place.path).unwrap();
    log.append(&2).unwrap();
    log.close().unwrap();
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
}

#[test]
fn a_log_that_is_replaced_while_waiting_is_found_again() {
    let place = Place::with("1\n");
    let first = options().open(&place.path).unwrap();
    thread::scope(|scope| {
        let second = scope.spawn(|| {
            let log = options().wait(Duration::from_secs(20)).open(&place.path).unwrap();
            log.append(&3).unwrap();
        });
        thread::sleep(Duration::from_millis(20));
        first.rewrite(|new| new.record(&2)).unwrap();
        thread::sleep(Duration::from_millis(20));
        first.close().unwrap();
        second.join().unwrap();
    });
    assert_eq!(place.bytes(), b"2\n3\n");
}

#[test]
fn many_short_writers_all_get_their_turn() {
    let place = Place::new();
    let longest = thread::scope(|scope| {
        let writers: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    let log = options().locking(Locking::PerAppend).open(&place.path).unwrap();
                    (0..200)
                        .map(|n| {
                            let begun = Instant::now();
                            log.append(&n).unwrap();
                            begun.elapsed()
                        })
                        .max()
                })
            })
            .collect();
        writers.into_iter().filter_map(|writer| writer.join().unwrap()).max().unwrap()
    });
    assert!(longest < Duration::from_secs(10), "{longest:?}");
    assert_eq!(place.log().verify().unwrap().records, 1600);
}

/// `LOG.lock` is what other programs call theirs.
#[test]
fn lock_files_of_other_programs_are_left_alone() {
    let place = Place::with("1\n");
    let foreign = place.path.with_file_name("log.jsonl.lock");
    fs::write(&foreign, "theirs").unwrap();
    options().open(&place.path).unwrap().close().unwrap();
    assert_eq!(fs::read_to_string(&foreign).unwrap(), "theirs");
}

#[test]
fn asking_for_the_holder_of_something_else_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(holder(folder.path()), Err(Error::NotAFile { .. })));
    #[cfg(unix)]
    {
        let fifo = folder.path().join("fifo");
        let made = std::process::Command::new("mkfifo").arg(&fifo).status();
        if made.is_ok_and(|status| status.success()) {
            assert!(matches!(holder(&fifo), Err(Error::NotAFile { .. })));
        }
    }
}

#[test]
fn names_of_any_length_have_room_beside_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(format!("{}.jsonl", "n".repeat(249)));
    fs::write(&path, "1\nx\n").unwrap();
    let log = options().open(&path).unwrap();
    let refused = options().wait(Duration::ZERO).open(&path).unwrap_err();
    assert!(refused.to_string().contains("(the test)"), "{refused}");
    log.rewrite(|new| new.raw(b"1").and_then(|()| new.raw(b"2"))).unwrap();
    log.close().unwrap();
    fs::write(&path, "1\nx\n").unwrap();
    assert!(jsonl_core::RepairOptions::new().repair(&path).unwrap().kept_in.is_some());
}
