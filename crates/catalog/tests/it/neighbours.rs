//! Other programs in the same folder: sessions-db's locks, its projection, and whoever watches.

use std::fs;
use std::time::{Duration, Instant, SystemTime};

use annals_catalog::{Catalog, CatalogOptions, Error, Observation, Watched};

use crate::support::copy_of;

fn quick(root: &std::path::Path) -> Catalog {
    CatalogOptions::new().wait(Duration::from_millis(200)).open(root)
}

#[test]
fn a_lock_of_a_living_process_is_respected_whichever_file_it_is() {
    for name in ["sessions-db.json.lock", "sessions-db.lock"] {
        for store in ["main", "variants/torn-tail"] {
            let folder = copy_of(store);
            let lock = folder.path().join(name);
            let stamp = format!("{}\t{}\n", std::process::id(), jiff::Timestamp::now());
            fs::write(&lock, &stamp).unwrap();
            let catalog = quick(folder.path());
            let before = fs::read(catalog.log_path()).unwrap();
            let begun = Instant::now();
            let refused = catalog.observe(&Observation::new("agent"));
            let Err(Error::Locked { pid, .. }) = refused else { panic!("{refused:?}") };
            assert_eq!(pid, Some(std::process::id()));
            assert!(begun.elapsed() >= Duration::from_millis(200));
            assert_eq!(fs::read(catalog.log_path()).unwrap(), before);
            assert_eq!(fs::read_to_string(&lock).unwrap(), stamp);
            // Reading waits for nobody.
            catalog.projection().unwrap();
            fs::remove_file(&lock).unwrap();
            catalog.observe(&Observation::new("agent")).unwrap();
            assert!(!lock.exists());
        }
    }
}

#[cfg(unix)]
#[test]
fn a_lock_of_a_dead_process_is_taken_away() {
    let folder = copy_of("variants/stale-lock");
    let lock = folder.path().join("sessions-db.json.lock");
    // Copied just now, it says when it was made.
    let begun = Instant::now();
    quick(folder.path()).observe(&Observation::new("agent")).unwrap();
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert!(!lock.exists());
}

#[test]
fn a_young_lock_is_respected_whoever_seems_to_hold_it() {
    let folder = copy_of("main");
    let lock = folder.path().join("sessions-db.json.lock");
    let made = |time: SystemTime| {
        fs::File::options().write(true).open(&lock).unwrap().set_modified(time).unwrap();
    };
    let hour = Duration::from_secs(3600);
    // Its maker hasn't said yet who it is; or it lives where its id means something else. Made in the future, it stays
    // young however long this takes.
    let later = jiff::Timestamp::try_from(SystemTime::now() + hour).unwrap();
    for stamp in [String::new(), format!("999999\t{later}\n")] {
        fs::write(&lock, &stamp).unwrap();
        made(SystemTime::now() + hour);
        assert!(matches!(
            quick(folder.path()).observe(&Observation::new("agent")),
            Err(Error::Locked { .. })
        ));
        assert_eq!(fs::read_to_string(&lock).unwrap(), stamp);
        made(SystemTime::now() - hour);
        quick(folder.path()).observe(&Observation::new("agent")).unwrap();
    }
}

#[test]
fn a_waiting_writer_goes_on_when_the_lock_is_given_up() {
    let folder = copy_of("main");
    let lock = folder.path().join("sessions-db.json.lock");
    fs::write(&lock, format!("{}\t{}\n", std::process::id(), jiff::Timestamp::now())).unwrap();
    let catalog = Catalog::open(folder.path());
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| catalog.observe(&Observation::new("agent")).unwrap());
        std::thread::sleep(Duration::from_millis(100));
        assert!(!waiting.is_finished());
        fs::remove_file(&lock).unwrap();
        waiting.join().unwrap();
    });
}

#[test]
fn an_exported_projection_is_whole_and_replaced_by_the_next_event() {
    let folder = copy_of("main");
    let catalog = Catalog::open(folder.path());
    let projection = folder.path().join("sessions-db.json");
    catalog.export(&projection).unwrap();
    let shown: serde_json::Value = serde_json::from_slice(&fs::read(&projection).unwrap()).unwrap();
    assert_eq!(shown["sessions"].as_object().unwrap().len(), 44);
    assert_eq!(shown["_meta"]["event_count"], 157);
    catalog.set_alias("early-bird", Some("later")).unwrap();
    let shown: serde_json::Value = serde_json::from_slice(&fs::read(&projection).unwrap()).unwrap();
    assert_eq!(shown.get("sessions"), None, "sessions-db makes it anew");
    // Where there was none, there is none.
    fs::remove_file(&projection).unwrap();
    catalog.set_alias("later", None).unwrap();
    assert!(!projection.exists());
}

#[test]
fn changes_are_seen_as_they_come_whoever_makes_them() {
    let folder = copy_of("main");
    let (ours, theirs) = (Catalog::open(folder.path()), Catalog::open(folder.path()));
    let mut watch = ours.watch().unwrap();
    assert!(watch.next_within(Duration::ZERO).unwrap().is_none());
    let event = theirs.set_alias("early-bird", Some("later")).unwrap();
    let wait = Duration::from_secs(5);
    let Some(Watched::Event(found)) = watch.next_within(wait).unwrap() else { panic!() };
    assert_eq!(*found, event);
    // What is no event is passed over.
    let mut log = fs::read(ours.log_path()).unwrap();
    log.extend_from_slice(b"{}\nnoise\n");
    fs::write(ours.log_path(), &log).unwrap();
    let event = theirs.set_alias("later", None).unwrap();
    loop {
        match watch.next_within(wait).unwrap() {
            Some(Watched::Event(found)) if *found == event => break,
            // Written in place, it may count as another log.
            Some(_) => {}
            None => panic!("not seen"),
        }
    }
}

#[test]
fn a_log_that_comes_later_is_watched_from_its_beginning() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("later");
    let mut watch = Catalog::open(&root).watch().unwrap();
    assert!(watch.next_within(Duration::ZERO).unwrap().is_none());
    std::thread::scope(|scope| {
        let watching = scope.spawn(|| watch.next_within(Duration::from_secs(10)).unwrap());
        std::thread::sleep(Duration::from_millis(100));
        let seen = Catalog::open(&root).observe(&Observation::new("agent")).unwrap();
        assert!(matches!(watching.join().unwrap(), Some(Watched::Event(event)) if *event == seen.event));
    });
}

#[test]
fn damage_is_named_and_hides_nothing() {
    let folder = copy_of("main");
    let catalog = Catalog::open(folder.path());
    let before = catalog.projection().unwrap();
    let mut log = fs::read(catalog.log_path()).unwrap();
    log.extend_from_slice(b"{\"op\":\"close\",\"stable");
    fs::write(catalog.log_path(), &log).unwrap();
    assert_eq!(catalog.report().unwrap().torn, 1);
    assert_eq!(catalog.projection().unwrap(), before);
    // The next event stands on a line of its own.
    catalog.set_alias("early-bird", Some("later")).unwrap();
    log = fs::read(catalog.log_path()).unwrap();
    log.extend_from_slice(b"no JSON at all\n{}\n5\n\n");
    fs::write(catalog.log_path(), &log).unwrap();
    let (projection, report) = catalog.verify().unwrap();
    assert_eq!((report.events, report.torn, report.odd, report.damaged), (158, 1, 2, 1));
    assert_eq!(projection, catalog.projection().unwrap());
    assert_eq!(projection.with_alias("later").count(), 1);
}

#[test]
fn each_kind_of_damage_is_told_by_itself() {
    let source = copy_of("main");
    let log = fs::read(Catalog::open(source.path()).log_path()).unwrap();
    let lines: Vec<&[u8]> = log.split_inclusive(|byte| *byte == b'\n').collect();
    let (first, rest) = log.split_at(lines[0].len());
    let event = &lines[1][..lines[1].len() - 1];
    let all = lines.len() as u64;
    let changed = [&event[..event.len() - 1], b",\"crc32\":\"00000000\"}\n"].concat();
    // What stands behind the first line, and events, odd, torn, fused and damaged lines.
    let cases: [(&[u8], [u64; 5]); 11] = [
        (&changed, [all, 0, 0, 0, 1]),
        (b"", [all, 0, 0, 0, 0]),
        (b"\n \t\r\n", [all, 0, 0, 0, 0]),
        (b"5\n", [all, 1, 0, 0, 0]),
        (b"{\"op\":\n", [all, 0, 1, 0, 0]),
        (b"\0\0\0\0\n", [all, 0, 1, 0, 0]),
        (b"noise\n", [all, 0, 0, 0, 1]),
        (b"{\"op\":1 2}\n", [all, 0, 0, 0, 1]),
        (&[b"{\"op\":\"close\",\"stab", event, b"\n"].concat(), [all + 1, 0, 0, 1, 0]),
        // An event that somebody says is one, inside of something else.
        (b"noise {\"op\":\"alias\"}\n", [all, 0, 0, 0, 1]),
        (&[b"\"", &vec![b'x'; 17 << 20][..], b"\"\n"].concat(), [all, 0, 0, 0, 1]),
    ];
    for (odd, told) in cases {
        for mark in [&b""[..], b"\xEF\xBB\xBF"] {
            let folder = tempfile::tempdir().unwrap();
            let catalog = Catalog::open(folder.path());
            catalog.init().unwrap();
            fs::write(catalog.log_path(), [mark, first, odd, rest].concat()).unwrap();
            let (projection, report) = catalog.verify().unwrap();
            let what = odd[..odd.len().min(20)].escape_ascii().to_string();
            let found = [report.events, report.odd, report.torn, report.fused, report.damaged];
            assert_eq!(found, told, "{what}");
            assert_eq!(report.is_clean(), found[1..] == [0; 4], "{what}");
            assert_eq!(report.odd_at.len() as u64, told[1], "{what}");
            assert_eq!(report.damages.len() as u64, told[2] + told[3] + told[4], "{what}");
            let offset =
                report.odd_at.first().copied().or(report.damages.first().map(|damage| damage.offset));
            let at = (mark.len() + first.len()) as u64;
            assert_eq!(offset, (!report.is_clean()).then_some(at), "{what}");
            assert_eq!(projection, catalog.projection().unwrap(), "{what}");
        }
    }
}

#[test]
fn of_many_damages_the_first_are_described_and_all_are_counted() {
    let folder = copy_of("main");
    let catalog = Catalog::open(folder.path());
    let mut log = fs::read(catalog.log_path()).unwrap();
    log.extend_from_slice("5\nnoise\n".repeat(1000).as_bytes());
    fs::write(catalog.log_path(), &log).unwrap();
    let (_, report) = catalog.verify().unwrap();
    assert_eq!((report.odd, report.damaged), (1000, 1000));
    assert_eq!((report.odd_at.len(), report.damages.len()), (100, 100));
    assert!(report.odd_at.is_sorted() && report.damages.is_sorted_by_key(|damage| damage.offset));
}

#[test]
fn rebuilding_leaves_a_cache_where_the_last_line_is_over() {
    for (tail, has_cache) in
        [("", true), ("noise\n", true), ("\n\n", true), ("{\"op\":", false), ("5", false)]
    {
        let folder = copy_of("main");
        let catalog = CatalogOptions::new().cache_above(Some(0)).open(folder.path());
        let mut log = fs::read(catalog.log_path()).unwrap();
        log.extend_from_slice(tail.as_bytes());
        fs::write(catalog.log_path(), &log).unwrap();
        let mut cache = catalog.log_path().as_os_str().to_owned();
        cache.push(".annals-index");
        catalog.rebuild().unwrap();
        assert_eq!(std::path::Path::new(&cache).exists(), has_cache, "{tail:?}");
    }
}

#[test]
fn every_cut_of_a_log_is_read_and_continued() {
    let source = copy_of("variants/loose-events");
    let whole = fs::read(Catalog::open(source.path()).log_path()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let catalog = Catalog::open(folder.path());
    catalog.init().unwrap();
    for cut in (0..whole.len()).step_by(3) {
        fs::write(catalog.log_path(), &whole[..cut]).unwrap();
        let catalog = CatalogOptions::new()
            .durability(annals_catalog::Durability::Buffer)
            .cache_above(Some(0))
            .open(folder.path());
        let before = catalog.projection().unwrap();
        let complete = whole[..cut].iter().filter(|byte| **byte == b'\n').count();
        assert!(before.meta().event_count <= complete as u64 + 1);
        let seen = catalog.observe(&Observation::new("after the cut")).unwrap();
        let after = Catalog::open(folder.path()).projection().unwrap();
        assert_eq!(after.meta().event_count, before.meta().event_count + 1, "{cut}");
        assert_eq!(after, catalog.projection().unwrap());
        assert!(after.get(&seen.stable_id).is_some());
    }
}

#[test]
fn where_sessions_db_is_in_use_its_lock_is_held_while_we_write() {
    use std::sync::atomic::{AtomicBool, Ordering};
    let folder = copy_of("main");
    let lock = folder.path().join("sessions-db.json.lock");
    let catalog = Catalog::open(folder.path());
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let looking = scope.spawn(|| {
            let mut stamps = Vec::new();
            while !is_done.load(Ordering::Relaxed) {
                stamps.extend(fs::read_to_string(&lock).ok().filter(|stamp| !stamp.is_empty()));
            }
            stamps
        });
        for number in 0..300 {
            catalog.set_alias("sess_019c2291", Some(&format!("alias {number}"))).unwrap();
        }
        is_done.store(true, Ordering::Relaxed);
        let stamps = looking.join().unwrap();
        assert!(!stamps.is_empty());
        for stamp in stamps {
            let (pid, time) = stamp.strip_suffix('\n').unwrap().split_once('\t').unwrap();
            assert_eq!(pid, std::process::id().to_string());
            assert!(time.len() == 24 && time.ends_with('Z'), "{stamp}");
        }
    });
    assert!(!lock.exists());
    // Where it is not in use, there is none.
    fs::remove_file(folder.path().join("sessions-db.json")).unwrap();
    catalog.set_alias("alias 299", None).unwrap();
    assert!(!lock.exists());
}
