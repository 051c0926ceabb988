//! What does a handle do after the disk failed it? Files whose writes or syncs fail take the log's place. And what only a crate's own rewriting does.

use super::*;

fn broken_log(durability: Durability) -> (tempfile::TempDir, Writer) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.jsonl");
    let log = WriteOptions::new().create(true).durability(durability).open(&path).unwrap();
    log.append(&1).unwrap();
    (folder, log)
}

#[track_caller]
fn check_poisoned(log: Writer) {
    assert!(matches!(log.append(&3), Err(Error::Poisoned { .. })));
    assert!(matches!(log.append_with(&3, Durability::Buffer), Err(Error::Poisoned { .. })));
    assert!(matches!(log.sync(), Err(Error::Poisoned { .. })));
    assert!(matches!(log.rewrite(|_| Ok(())), Err(Error::Poisoned { .. })));
    let path = log.path().to_owned();
    assert!(matches!(log.close(), Err(Error::Poisoned { .. })));
    // Reopening looks at the disk again, and goes on.
    let log = WriteOptions::new().open(&path).unwrap();
    log.append(&4).unwrap();
    let loaded = crate::Log::open(&path).unwrap().load::<u32>().unwrap();
    assert_eq!(loaded.records, [1, 4]);
}

/// A pipe takes bytes, but can't be synced: EINVAL.
#[cfg(unix)]
#[test]
fn a_failed_sync_poisons() {
    let (_folder, log) = broken_log(Durability::SyncData);
    let (_reader, pipe) = io::pipe().unwrap();
    let pipe = std::os::fd::OwnedFd::from(pipe);
    let good = std::mem::replace(&mut log.disk.lock().file, Arc::new(File::from(pipe)));
    // The path leads elsewhere than the pipe, which is looked at first; only the sync is to fail here.
    let broken = Arc::clone(&log.disk.lock().file);
    let synced = log.sync_file(&broken, Durability::SyncData);
    assert!(matches!(synced, Err(Failure::Io { action: "sync", .. })));
    log.disk.lock().file = good;
    check_poisoned(log);
}

/// The same through `append`, and in several threads at once: everyone who waited hears of it, nobody is
/// acknowledged, and the next one isn't either.
#[cfg(unix)]
#[test]
fn a_failed_sync_reaches_everyone_who_waits() {
    let (_folder, log) = broken_log(Durability::SyncData);
    log.disk.lock().is_poisoned = true;
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert!(log.append(&2).is_err()));
        }
    });
    check_poisoned(log);
}

/// `/dev/full` refuses every byte: ENOSPC.
#[cfg(target_os = "linux")]
#[test]
fn a_failed_write_poisons() {
    for durability in [Durability::Buffer, Durability::SyncData] {
        let (_folder, log) = broken_log(durability);
        let full = OpenOptions::new().read(true).write(true).open("/dev/full").unwrap();
        let mut disk = log.disk.lock();
        let good = std::mem::replace(&mut disk.file, Arc::new(full));
        let error = disk.write(b"\n2\n", 0, &log.path).unwrap_err();
        assert_eq!(error.io_kind(), Some(io::ErrorKind::StorageFull), "{error}");
        disk.file = good;
        drop(disk);
        check_poisoned(log);
    }
}

/// The kernel tells of a failed sync once. A thread whose own sync comes later and succeeds is not acknowledged
/// all the same.
#[test]
fn a_sync_that_succeeds_after_another_failed_acknowledges_nothing() {
    let (_folder, log) = broken_log(Durability::SyncData);
    let file = Arc::clone(&log.disk.lock().file);
    log.disk.lock().is_poisoned = true;
    assert!(matches!(log.sync_file(&file, Durability::SyncData), Err(Failure::Poisoned)));
}

#[test]
fn only_a_refusal_to_sync_the_folder_of_somebody_elses_file_is_passed_over() {
    for kind in [io::ErrorKind::PermissionDenied, io::ErrorKind::InvalidInput, io::ErrorKind::Unsupported] {
        assert!(is_answered_for(false, kind) && !is_answered_for(true, kind));
    }
    assert!(!is_answered_for(false, io::ErrorKind::Other) && !is_answered_for(true, io::ErrorKind::Other));
}

#[test]
fn a_name_that_can_not_be_synced_fails_the_first_sync() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.jsonl");
    let log = WriteOptions::new().create(true).open(&path).unwrap();
    let mut disk = log.disk.lock();
    disk.name_is_synced = false;
    assert!(disk.sync_name(&folder.path().join("gone/log.jsonl")).is_err());
    assert!(disk.sync_name(&path).is_ok());
    // Once is enough.
    assert!(disk.sync_name(&folder.path().join("gone/log.jsonl")).is_ok());
}

#[test]
fn whoever_writes_anew_knows_where_the_next_line_will_stand() {
    let (_folder, log) = broken_log(Durability::Buffer);
    log.rewrite(|new| {
        for (line, end) in [("[1]", 4), ("", 5), ("no record", 15)] {
            new.verbatim(line.as_bytes())?;
            assert_eq!(new.next_offset(), end);
        }
        Ok(())
    })
    .unwrap();
    assert_eq!(fs::read(log.path()).unwrap(), b"[1]\n\nno record\n");
}
