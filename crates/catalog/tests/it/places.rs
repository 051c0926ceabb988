//! Where things are: catalogs, worktrees, transcripts.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use annals_catalog::paths::{self, PlaceSource};
use annals_catalog::{
    GitContext, GitStatus, TranscriptMeta, TranscriptStatus, find_transcript, list_transcripts,
};

#[test]
fn a_catalog_is_where_it_is_said_to_be_or_the_nearest_upwards() {
    let folder = tempfile::tempdir().unwrap();
    let top = folder.path().canonicalize().unwrap();
    let deep = top.join("a/b/c");
    fs::create_dir_all(&deep).unwrap();
    let none = || paths::resolve(None, None, &deep).unwrap();
    assert_eq!((none().source, none().root), (PlaceSource::Default, deep.join(".dru-code")));

    // A folder alone is no catalog.
    fs::create_dir_all(top.join("tickets/_logs")).unwrap();
    assert_eq!(none().source, PlaceSource::Default);
    fs::write(top.join("tickets/_logs/sessions-db.json"), "{}").unwrap();
    assert_eq!((none().source, none().root), (PlaceSource::TicketsLogs, top.join("tickets/_logs")));

    // The nearer one counts, and at the same place that of the tickets.
    fs::create_dir_all(top.join("a/.dru-code")).unwrap();
    fs::write(top.join("a/.dru-code/sessions-db-events.jsonl"), "").unwrap();
    assert_eq!((none().source, none().root), (PlaceSource::DruCode, top.join("a/.dru-code")));
    fs::create_dir_all(top.join("a/tickets/_logs")).unwrap();
    fs::write(top.join("a/tickets/_logs/sessions-db.json"), "{}").unwrap();
    assert_eq!(none().source, PlaceSource::TicketsLogs);

    let by_variable = paths::resolve(None, Some(OsStr::new("x/y")), &deep).unwrap();
    assert_eq!((by_variable.source, by_variable.root), (PlaceSource::Environment, deep.join("x/y")));
    let by_argument = paths::resolve(Some(Path::new("/z")), Some(OsStr::new("x")), &deep).unwrap();
    assert_eq!((by_argument.source, by_argument.root), (PlaceSource::Argument, Path::new("/z").to_owned()));
    // What is empty is not given.
    assert_eq!(
        paths::resolve(Some(Path::new("")), Some(OsStr::new("")), &deep).unwrap().source,
        PlaceSource::TicketsLogs
    );

    // Twelve folders are looked at.
    let far = (0..11).fold(top.join("d"), |path, number| path.join(number.to_string()));
    assert_eq!(paths::resolve(None, None, &far).unwrap().source, PlaceSource::Default);
    assert_eq!(paths::resolve(None, None, far.parent().unwrap()).unwrap().source, PlaceSource::TicketsLogs);

    assert_eq!(paths::of_worktree(&top).unwrap(), top.join("tickets/_logs"));
    assert_eq!(paths::of_worktree(&top.join("a")).unwrap(), top.join("a/.dru-code"));
}

/// A link in a circle is such an error, for every user.
#[cfg(unix)]
#[test]
fn what_cannot_be_looked_at_is_an_error_and_no_other_catalog() {
    let folder = tempfile::tempdir().unwrap();
    let top = folder.path().canonicalize().unwrap();
    let inner = top.join("inner");
    fs::create_dir_all(top.join(".dru-code")).unwrap();
    fs::write(top.join(".dru-code/sessions-db.json"), "{}").unwrap();
    fs::create_dir(&inner).unwrap();
    assert_eq!(paths::resolve(None, None, &inner).unwrap().root, top.join(".dru-code"));
    std::os::unix::fs::symlink(".dru-code", inner.join(".dru-code")).unwrap();
    let is_told = |error| matches!(error, annals_catalog::Error::Io { .. });
    assert!(is_told(paths::resolve(None, None, &inner).unwrap_err()));
    assert!(is_told(paths::of_worktree(&inner).unwrap_err()));
    assert!(is_told(paths::is_catalog(&inner.join(".dru-code")).unwrap_err()));

    let (cwd, id) = (Path::new("/w"), "0e1c3b5c");
    std::os::unix::fs::symlink("-w", top.join("-w")).unwrap();
    assert!(is_told(find_transcript(&top, cwd, id).unwrap_err()));
    let log = top.join("log");
    fs::create_dir(&log).unwrap();
    let catalog = annals_catalog::CatalogOptions::new().open(&log);
    let mut watch = catalog.watch().unwrap();
    std::os::unix::fs::symlink("sessions-db-events.jsonl", log.join("sessions-db-events.jsonl")).unwrap();
    assert!(is_told(watch.next_within(Duration::ZERO).unwrap_err()));
    assert!(is_told(catalog.watch().unwrap_err()));
}

fn git(folder: &Path, args: &[&str]) -> Option<String> {
    let output = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"])
        .args(args)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output();
    let output = output.ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).unwrap().trim_end().to_owned())
}

fn context(folder: &Path) -> GitContext {
    GitContext::read(folder, Duration::from_secs(5))
}

/// Made by hand, so that no git has to be there.
#[test]
fn git_is_read_from_its_files() {
    let folder = tempfile::tempdir().unwrap();
    let top = folder.path().canonicalize().unwrap();
    let commit = "27c87fcef6b94c1228a3f214d89b071a1f389947";
    assert_eq!(context(&top.join("nowhere")).status, GitStatus::Error);
    let inner = top.join("src/deep");
    fs::create_dir_all(&inner).unwrap();
    assert_eq!(context(&inner).status, GitStatus::NotARepo);

    let dir = top.join(".git");
    fs::create_dir_all(dir.join("refs/heads/feat")).unwrap();
    fs::write(dir.join("HEAD"), "ref: refs/heads/feat/x\n").unwrap();
    let unborn = context(&inner);
    assert_eq!(
        (unborn.status, unborn.branch.as_deref(), unborn.head),
        (GitStatus::Partial, Some("feat/x"), None)
    );

    fs::write(
        dir.join("packed-refs"),
        format!("# pack-refs with: peeled\n{commit} refs/heads/feat/x\n^{commit}\n"),
    )
    .unwrap();
    let packed = context(&inner);
    assert_eq!((packed.status, packed.head.as_deref()), (GitStatus::Ok, Some(commit)));
    assert_eq!(packed.worktree_path.as_deref(), inner.to_str());
    assert_eq!(packed.worktree_realpath.as_deref(), top.to_str());
    assert_eq!(packed.common_dir.as_deref(), dir.to_str());
    assert_eq!(packed.worktree_registry_name, None);

    let loose = commit.replace('2', "3");
    fs::write(dir.join("refs/heads/feat/x"), format!("{loose}\n")).unwrap();
    assert_eq!(context(&inner).head, Some(loose.clone()));
    fs::write(dir.join("HEAD"), format!("{commit}\n")).unwrap();
    let detached = context(&inner);
    assert_eq!((detached.branch, detached.head.as_deref()), (None, Some(commit)));

    // References that lead in a circle, or out of the repository.
    for hostile in ["ref: refs/heads/loop\n", "ref: ../../../etc/passwd\n", "ref: \n", "\0\0", "x"] {
        fs::write(dir.join("refs/heads/loop"), "ref: refs/heads/loop\n").unwrap();
        fs::write(dir.join("HEAD"), hostile).unwrap();
        assert_eq!(context(&inner).head, None, "{hostile}");
    }

    // A linked worktree.
    let linked = top.join("elsewhere/linked");
    fs::create_dir_all(&linked).unwrap();
    let its_dir = dir.join("worktrees/wt-1");
    fs::create_dir_all(&its_dir).unwrap();
    fs::write(linked.join(".git"), format!("gitdir: {}\n", its_dir.display())).unwrap();
    fs::write(its_dir.join("commondir"), "../..\n").unwrap();
    fs::write(its_dir.join("HEAD"), "ref: refs/heads/feat/x\n").unwrap();
    let found = context(&linked);
    assert_eq!(found.worktree_registry_name.as_deref(), Some("wt-1"));
    assert_eq!(found.common_dir.as_deref(), dir.to_str());
    assert_eq!((found.branch.as_deref(), found.head), (Some("feat/x"), Some(loose)));
    assert_eq!(found.worktree_realpath.as_deref(), linked.to_str());
}

/// Where git is there, it agrees.
#[test]
fn git_itself_says_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let top = folder.path().canonicalize().unwrap();
    let main = top.join("main");
    fs::create_dir(&main).unwrap();
    if git(&main, &["init", "-q"]).is_none() {
        // There is no git here; the test above needs none.
        return;
    }
    git(&main, &["commit", "-q", "--allow-empty", "-m", "one"]).unwrap();
    git(&main, &["branch", "side"]).unwrap();
    git(&main, &["worktree", "add", "-q", "../linked", "side"]).unwrap();
    let linked = top.join("linked");
    git(&linked, &["commit", "-q", "--allow-empty", "-m", "two"]).unwrap();
    for step in 0..3 {
        for folder in [&main, &linked] {
            let found = context(folder);
            assert_eq!(found.status, GitStatus::Ok);
            assert_eq!(found.head, git(folder, &["rev-parse", "HEAD"]), "{step}");
            assert_eq!(found.branch, git(folder, &["symbolic-ref", "-q", "--short", "HEAD"]), "{step}");
            assert_eq!(found.worktree_realpath, git(folder, &["rev-parse", "--show-toplevel"]), "{step}");
        }
        match step {
            0 => git(&main, &["pack-refs", "--all"]).map(drop).unwrap(),
            _ => git(&linked, &["checkout", "-q", "--detach"]).map(drop).unwrap(),
        }
    }
    assert_eq!(context(&linked).worktree_registry_name.as_deref(), Some("linked"));
}

fn transcript(text: &str) -> TranscriptMeta {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.jsonl");
    fs::write(&path, text).unwrap();
    TranscriptMeta::read(&path).unwrap()
}

#[test]
fn a_transcript_says_whose_it_is_and_how_it_began() {
    let meta = transcript(concat!(
        r#"{"type":"summary","summary":"x","leafUuid":"l"}"#,
        "\n",
        r#"{"type":"user","isMeta":true,"uuid":"u0","parentUuid":"p0","sessionId":"","message":{"role":"user","content":"Caveat"}}"#,
        "\n",
        "not JSON\n",
        r#"{"type":"user","uuid":"u1","parentUuid":"u0","sessionId":"s","cwd":"/w","gitBranch":"main","message":{"role":"user","content":[{"type":"tool_result","content":"no"},{"type":"text","text":"<system-reminder>x</system-reminder>Why"},{"type":"text","text":"so?"}]}}"#,
        "\n",
        r#"{"type":"assistant","uuid":"u2","message":{"role":"assistant","content":"answer"}}"#,
        "\n",
        r#"{"type":"system"}"#,
        "\n",
        r#"{"type":"user","uuid":"torn"#,
    ));
    assert_eq!(meta.status, TranscriptStatus::Ok);
    assert_eq!(meta.session_id.as_deref(), Some("s"));
    assert_eq!((meta.cwd.as_deref(), meta.git_branch.as_deref()), (Some("/w"), Some("main")));
    assert_eq!((meta.first_uuid.as_deref(), meta.first_parent_uuid.as_deref()), (Some("u0"), Some("p0")));
    assert_eq!(meta.last_uuid.as_deref(), Some("u2"));
    assert_eq!(meta.first_prompt.as_deref(), Some("Why\nso?"));
    assert!(meta.mtime.is_some());

    assert_eq!(transcript("").status, TranscriptStatus::Ok);
    assert_eq!(transcript("\u{0}\u{0}\nnothing\n").status, TranscriptStatus::Corrupted);
    let by_type = |user: &str| transcript(user).first_prompt;
    assert_eq!(
        by_type(r#"{"type":"user","userType":"external","message":{"content":"x y"}}"#).as_deref(),
        Some("x y")
    );
    assert_eq!(by_type(r#"{"type":"user","userType":"internal","message":{"content":"x y"}}"#), None);
    assert_eq!(by_type(r#"{"type":"user","message":{"role":"user","content":5}}"#), None);
    assert_eq!(by_type(r#"{"type":"user","message":"x"}"#), None);
    assert_eq!(by_type(r#"5"#), None);
}

#[test]
fn only_a_sessions_own_transcript_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let projects = folder.path();
    let id = "24fbb56b-6e96-4214-9ceb-29ece1d56173";
    let cwd = Path::new("/home/u/src/harbour_api.v2");
    assert_eq!(find_transcript(projects, cwd, id).unwrap(), None);
    for name in ["-home-u-src-harbour-api-v2", "-home-u-src-harbour_api-v2"] {
        let own = projects.join(name);
        fs::create_dir(&own).unwrap();
        fs::write(own.join("another.jsonl"), "{}\n").unwrap();
        assert_eq!(find_transcript(projects, cwd, id).unwrap(), None);
        fs::write(own.join(format!("{id}.jsonl")), "{}\n").unwrap();
        assert_eq!(find_transcript(projects, cwd, id).unwrap(), Some(own.join(format!("{id}.jsonl"))));
        assert_eq!(list_transcripts(&own).unwrap().len(), 2);
        fs::remove_dir_all(&own).unwrap();
    }
    for hostile in ["../x", "", "a/b", "a\0", "."] {
        assert_eq!(find_transcript(projects, cwd, hostile).unwrap(), None, "{hostile:?}");
    }
    assert_eq!(list_transcripts(&projects.join("none")).unwrap(), Vec::<std::path::PathBuf>::new());
}
