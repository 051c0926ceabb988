//! Does the program end as documented, whatever it is given?

use std::fs;
use std::io::Read;

use crate::support::Place;

#[test]
fn one_bad_path_does_not_keep_the_others_out() {
    let place = Place::new();
    place.file("good.jsonl", "{\"t\":\"word\"}\n");
    for command in [&["ls"][..], &["verify"], &["stats"], &["search", "word"]] {
        let args = [command, &["missing.jsonl", "good.jsonl"]].concat();
        let ended = place.annals(&args).check(3);
        assert!(
            ended.talk.contains("missing.jsonl: cannot open: ") && ended.talk.contains("check the path"),
            "{ended:?}"
        );
        assert!(!ended.out.is_empty(), "{ended:?}");
    }
}

#[test]
fn what_is_no_regular_file_is_refused() {
    let place = Place::new();
    place.file("folder/x.txt", "");
    for args in [
        &["show", "./folder"][..],
        &["tail", "./folder"],
        &["log", "append", "folder"],
        &["log", "repair", "folder"],
    ] {
        let ended = place.annals(args).check(2);
        assert!(ended.talk.contains("folder: is a folder"), "{ended:?}");
    }
    let ended = place.annals(&["ls", "folder"]).check(0);
    assert!(ended.talk.contains("no .jsonl"), "{ended:?}");
}

#[cfg(unix)]
#[test]
fn a_fifo_does_not_hang_anything() {
    let place = Place::new();
    let made = std::process::Command::new("mkfifo").arg(place.path("fifo.jsonl")).status();
    if !made.is_ok_and(|status| status.success()) {
        return;
    }
    for args in [&["verify", "fifo.jsonl"][..], &["show", "fifo.jsonl"], &["log", "append", "fifo.jsonl"]] {
        let ended = place.annals_with(args, b"1\n").check(2);
        assert!(ended.talk.contains("is a FIFO"), "{ended:?}");
    }
    // In a folder it is no log.
    place.file("good.jsonl", "1\n");
    place.annals(&["verify", "."]).check(0);
}

#[cfg(unix)]
#[test]
fn what_may_not_be_read_is_said() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    let path = place.file("secret.jsonl", "1\n");
    place.file("good.jsonl", "1\n");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::File::open(&path).is_ok() {
        // Whoever runs this may read everything.
        return;
    }
    let ended = place.annals(&["verify", "."]).check(6);
    assert!(
        ended.talk.contains("secret.jsonl: cannot open") && ended.out.contains("good.jsonl"),
        "{ended:?}"
    );
}

#[test]
fn circles_of_links_end() {
    #[cfg(unix)]
    {
        let place = Place::new();
        place.file("a/log.jsonl", "1\n");
        std::os::unix::fs::symlink("..", place.path("a/up")).unwrap();
        std::os::unix::fs::symlink("nowhere.jsonl", place.path("a/dangling.jsonl")).unwrap();
        let objects = place.annals(&["--json", "ls", "."]).check(0).objects();
        assert_eq!(objects.len(), 1);
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let place = Place::new();
    place.file("big.jsonl", "{\"role\":\"user\",\"content\":\"word\"}\n".repeat(200_000));
    for n in 0..100 {
        place.file(&format!("many/{n}.jsonl"), "{\"role\":\"user\",\"content\":\"word\"}\n".repeat(1000));
    }
    for args in [
        &["show", "big.jsonl"][..],
        &["search", "word", "big.jsonl"],
        &["search", "word", "."],
        &["search", "word", "many"],
        &["tail", "--raw", "-n", "200000", "big.jsonl"],
    ] {
        let mut child = place.command(args).spawn().unwrap();
        let mut first = [0; 10];
        child.stdout.take().unwrap().read_exact(&mut first).unwrap();
        let mut talk = String::new();
        child.stderr.take().unwrap().read_to_string(&mut talk).unwrap();
        assert_eq!((child.wait().unwrap().code(), talk.as_str()), (Some(0), ""), "{args:?}");
    }
}

#[test]
fn wrong_arguments_are_explained() {
    let place = Place::new();
    for args in [
        &[][..],
        &["stats", "--by", "colour"],
        &["nonsense"],
        &["tail", "-n", "x", "f"],
        &["log"],
        &["show", "--raw", "--full", "f"],
    ] {
        let ended = place.annals(args).check(2);
        assert!(ended.talk.contains("--help"), "{ended:?}");
    }
    place.annals(&["log", "append", "--wait", "-1", "f"]).check(2);
    place.annals(&["log", "append", "--wait=-1", "f"]).check(2);
    place.annals(&["log", "append", "--wait", "nan", "f"]).check(2);
    place.annals(&["log", "append", "no/such/folder.jsonl"]).check(3);
}

#[cfg(target_os = "linux")]
#[test]
fn nobody_listening_to_the_talk_is_no_reason_to_panic() {
    let place = Place::new();
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let status = place.command(&["ls", "missing"]).stderr(full).status().unwrap();
    assert_eq!(status.code(), Some(3));
}

#[cfg(unix)]
#[test]
fn a_file_used_as_a_folder_is_not_found() {
    let place = Place::new();
    place.file("a.jsonl", "1\n");
    place.annals(&["ls", "a.jsonl/b.jsonl"]).check(3);
}

#[test]
fn help_and_completions_are_there() {
    let place = Place::new();
    assert!(place.annals(&["--help"]).check(0).out.contains("Exit codes:"));
    assert!(place.annals(&["--version"]).check(0).out.starts_with("annals "));
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(place.annals(&["completions", shell]).check(0).out.contains("annals"));
    }
}

#[test]
fn every_command_has_a_manual_page_with_an_example() {
    let place = Place::new();
    assert!(place.annals(&["man"]).check(0).out.contains(".TH annals 1"));
    place.annals(&["man", "pages/man1"]).check(0);
    let mut pages = 0;
    for entry in fs::read_dir(place.path("pages/man1")).unwrap() {
        let entry = entry.unwrap();
        let text = fs::read_to_string(entry.path()).unwrap();
        let has_commands = text.contains(".SH SUBCOMMANDS");
        assert!(has_commands || text.contains("Example"), "{:?}", entry.file_name());
        pages += 1;
    }
    assert!(pages > 60, "{pages}");
    assert!(place.path("pages/man1/annals-memory-add.1").exists());
}

#[test]
fn names_of_files_cannot_drive_the_terminal() {
    let place = Place::new();
    if fs::write(place.path("\u{1b}[31m.jsonl"), "x\n").is_err() {
        return;
    }
    for args in [&["ls", "."][..], &["verify", "."], &["search", "x", "."]] {
        let ended = place.annals(args);
        assert!(!ended.out.contains('\u{1b}') && !ended.talk.contains('\u{1b}'), "{ended:?}");
    }
}
