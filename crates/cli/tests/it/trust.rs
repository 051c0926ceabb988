//! Do the commands on trust say yes to nothing but what was approved?

#![cfg(unix)]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use annals_trust::Digest;

use crate::support::Place;

/// A place that nobody else can change, with a file `.envrc`.
fn place() -> Place {
    let place = Place::new();
    fs::set_permissions(place.root(), Permissions::from_mode(0o700)).unwrap();
    file(&place, ".envrc", "export FERRY=K7\n");
    place
}

fn file(place: &Place, name: &str, text: &str) {
    let path = place.file(name, text);
    fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn check_says_what_stands_and_cat_gives_what_was_approved() {
    let place = place();
    let digest = Digest::of(b"export FERRY=K7\n").to_string();
    let unknown = place.annals(&["trust", "check", ".envrc"]).check(5);
    assert!(
        unknown.out.starts_with("unknown  .envrc: nobody has approved it") && unknown.out.contains(&digest),
        "{unknown:?}"
    );
    assert_eq!(place.annals(&["trust", "cat", ".envrc"]).check(5).out, "");
    // Nobody is there to be asked.
    assert!(place.annals(&["trust", "allow", ".envrc"]).check(2).talk.contains("--digest or --yes"));
    place.annals(&["trust", "allow", "--digest", "00", ".envrc"]).check(2);
    let wrong = Digest::of(b"else").to_string();
    place.annals(&["trust", "allow", "--digest", &wrong, ".envrc"]).check(5);
    place.annals(&["trust", "check", ".envrc"]).check(5);
    assert_eq!(
        place.annals(&["trust", "allow", "--digest", &digest, ".envrc"]).check(0).out,
        "allowed  .envrc\n"
    );
    assert_eq!(place.annals(&["trust", "check", ".envrc"]).check(0).out, "allowed  .envrc\n");
    assert_eq!(place.annals(&["trust", "cat", ".envrc"]).check(0).out, "export FERRY=K7\n");
    file(&place, ".envrc", "export FERRY=K8\n");
    let changed = &place.annals(&["--json", "trust", "check", ".envrc"]).check(5).objects()[0];
    assert_eq!(
        (changed["verdict"].as_str(), changed["approved"].as_str()),
        (Some("changed"), Some(&*digest))
    );
    assert_eq!(place.annals(&["trust", "cat", ".envrc"]).check(5).out, "");
    let diff = place.annals(&["trust", "diff", ".envrc"]).check(1).out;
    assert!(diff.contains("-export FERRY=K7\n+export FERRY=K8\n"), "{diff}");
    file(&place, ".envrc", "export FERRY=K7\n");
    assert_eq!(place.annals(&["trust", "diff", ".envrc"]).check(0).out, "");
}

#[test]
fn a_shell_runs_what_was_approved() {
    let place = place();
    place.annals(&["trust", "allow", "--yes", ".envrc"]).check(0);
    let run = || {
        let text = format!("eval \"$({} trust cat .envrc)\"; echo \"$FERRY\"", env!("CARGO_BIN_EXE_annals"));
        let output = Command::new("sh")
            .args(["-c", &text])
            .current_dir(place.root())
            .env("ANNALS_HOME", place.path("home"))
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(run(), "K7\n");
    file(&place, ".envrc", "FERRY=evil\n");
    assert_eq!(run(), "\n");
}

#[test]
fn denies_and_revocations_hold() {
    let place = place();
    place.annals(&["trust", "allow", "--yes", ".envrc"]).check(0);
    place.annals(&["trust", "deny", ".envrc", "not-there"]).check(0);
    assert!(place.annals(&["trust", "check", ".envrc"]).check(5).out.starts_with("denied"));
    assert!(place.annals(&["trust", "allow", "--yes", ".envrc"]).check(5).talk.contains("revoke that first"));
    place.annals(&["trust", "diff", ".envrc"]).check(5);
    assert_eq!(place.annals(&["trust", "revoke", ".envrc"]).check(0).out, "revoked  .envrc\n");
    assert!(place.annals(&["trust", "revoke", ".envrc"]).check(1).talk.contains("nothing was decided"));
    assert!(place.annals(&["trust", "check", ".envrc"]).check(5).out.starts_with("unknown"));
    let log = place.annals(&["trust", "log", ".envrc"]).check(0).out;
    let words: Vec<&str> = log.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(words, ["allowed", "denied", "revoked"]);
    let list = place.annals(&["--json", "trust", "list"]).check(0).objects();
    assert_eq!(list.len(), 1);
    assert_eq!(list[0]["decision"], "denied");
}

#[test]
fn a_set_is_one() {
    let place = place();
    file(&place, "setup.sh", "echo\n");
    let set = ["--set", ".envrc", "setup.sh"];
    let run = |command: &str, more: &[&str]| place.annals(&[&["trust", command], &set[..], more].concat());
    assert!(run("check", &[]).check(5).out.starts_with("unknown"));
    run("allow", &["--yes"]).check(0);
    run("check", &[]).check(0);
    place.annals(&["trust", "check", ".envrc"]).check(5);
    file(&place, "setup.sh", "curl\n");
    let changed = run("check", &[]).check(5).out;
    assert!(changed.starts_with("changed") && changed.contains("setup.sh"), "{changed}");
    place
        .annals(&["trust", "allow", "--digest", &Digest::of(b"x").to_string(), ".envrc", "setup.sh"])
        .check(2);
    run("revoke", &[]).check(0);
    run("revoke", &[]).check(1);
}

#[test]
fn prune_and_find() {
    let place = place();
    file(&place, "gone", "x");
    place.annals(&["trust", "allow", "--yes", "gone", ".envrc"]).check(0);
    fs::remove_file(place.path("gone")).unwrap();
    let dry = place.annals(&["trust", "prune", "--dry-run"]).check(0);
    assert!(dry.out.contains("/gone") && dry.out.lines().count() == 1, "{dry:?}");
    place.annals(&["trust", "prune"]).check(0);
    assert!(place.annals(&["trust", "prune"]).check(0).out.is_empty());
    assert_eq!(place.annals(&["trust", "list"]).check(0).out.lines().count(), 1);
    let root = place.root().canonicalize().unwrap();
    let deep = root.join("a/b");
    fs::create_dir_all(&deep).unwrap();
    let find = |name: &str, stop: Option<&std::path::Path>| {
        let mut command = place.command(&["trust", "find", name]);
        command.current_dir(&deep).env("HOME", &root);
        if let Some(stop) = stop {
            command.arg("--stop").arg(stop);
        }
        let output = command.output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    assert_eq!(find(".envrc", None), (0, format!("{}\n", root.join(".envrc").display())));
    assert_eq!(find(".envrc", Some(&root.join("a"))).0, 3);
    assert_eq!(find("nothing-has-this-name", None).0, 3);
    assert_eq!(find("../.envrc", None).0, 2);
}

#[test]
fn what_others_can_change_is_refused_with_the_reason() {
    let place = place();
    place.annals(&["trust", "allow", "--yes", ".envrc"]).check(0);
    let path = place.path(".envrc");
    fs::set_permissions(&path, Permissions::from_mode(0o620)).unwrap();
    let refused = place.annals(&["trust", "check", ".envrc"]).check(5);
    assert!(refused.out.starts_with("unsafe") && refused.out.contains("mode 0620"), "{refused:?}");
    assert!(place.annals(&["trust", "cat", ".envrc"]).check(5).talk.contains("chmod go-w"));
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    std::os::unix::fs::symlink(".envrc", place.path("link")).unwrap();
    assert!(place.annals(&["trust", "check", "link"]).check(5).out.contains("symbolic link"));
    place.annals(&["trust", "check", "not-there"]).check(3);
    place.annals(&["trust", "check", ".envrc", "not-there"]).check(3);
    let store = place.path("home/trusted-projects");
    fs::set_permissions(&store, Permissions::from_mode(0o666)).unwrap();
    for command in ["check", "cat", "deny", "revoke"] {
        place.annals(&["trust", command, ".envrc"]).check(5);
    }
    place.annals(&["trust", "list"]).check(5);
}

#[test]
fn damage_is_said_and_puts_approvals_in_doubt() {
    let place = place();
    place.annals(&["trust", "allow", "--yes", ".envrc"]).check(0);
    let store = place.path("home/trusted-projects");
    let mut bytes = fs::read(&store).unwrap();
    bytes.extend_from_slice(b"not a record\n");
    fs::write(&store, bytes).unwrap();
    let said = place.annals(&["trust", "check", ".envrc"]).check(5);
    assert!(
        said.out.contains("in front of a damaged line") && said.talk.contains("damaged lines"),
        "{said:?}"
    );
    assert!(place.annals(&["trust", "list"]).check(0).out.starts_with("doubtful"));
    place.annals(&["trust", "allow", "--yes", ".envrc"]).check(0);
    place.annals(&["trust", "check", ".envrc"]).check(0);
}

#[test]
fn aishs_store_is_used_where_it_lies() {
    let place = place();
    let path = place.root().canonicalize().unwrap().join(".envrc");
    let digest = Digest::of(b"export FERRY=K7\n");
    let line = format!(
        "{{\"sha256\":\"{digest}\",\"path\":\"{}\",\"ts\":\"2026-05-17T10:32:38Z\"}}\n",
        path.display()
    );
    file(&place, "aish/trusted-projects", &line);
    fs::set_permissions(place.path("aish"), Permissions::from_mode(0o700)).unwrap();
    let run = |args: &[&str]| place.annals(&[&["trust", "--store", "aish/trusted-projects"], args].concat());
    run(&["check", ".envrc"]).check(0);
    // Nobody kept a copy of what it approved.
    file(&place, ".envrc", "x");
    assert!(run(&["diff", ".envrc"]).check(3).talk.contains("no copy"));
    run(&["revoke", ".envrc"]).check(0);
    assert!(fs::read_to_string(place.path("aish/trusted-projects")).unwrap().starts_with(&line));
}
