//! Builds the benchmarks and runs them; for the gate it builds an earlier revision, too.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Outcome, built, cargo, root, run};

/// The package that links other engines, which nothing else needs to build.
const ENGINES: &str = "benches/engines/Cargo.toml";

pub(crate) fn bench(args: &[String]) -> Outcome {
    let has = |flag: &str| args.iter().any(|arg| arg == flag);
    // What --quick measures says little, so it isn't worth the time that a release build takes.
    let profile = if has("--quick") { "quick" } else { "release" };
    if has("--answers") {
        return run(Command::new(built()?.join("annals-benches")).args(args));
    }
    if has("--gate") {
        return gate(args, profile);
    }
    if has("--engines") {
        let args: Vec<&String> = args.iter().filter(|arg| *arg != "--engines").collect();
        let engines = [
            "run",
            "--quiet",
            "--release",
            "--manifest-path",
            ENGINES,
            "--target-dir",
            "target/engines",
            "--",
        ];
        return run(cargo(&engines).args(args));
    }
    run(&mut build(profile))?;
    run(cargo(&["run", "--profile", profile, "--quiet", "-p", "annals-benches", "--"]).args(args))
}

/// Builds the benchmarks, and the program, which some of them run.
fn build(profile: &str) -> Command {
    cargo(&["build", "--profile", profile, "--quiet", "-p", "annals", "-p", "annals-benches"])
}

/// The same for the gate. No job of the quick one runs the program; the packages stay the same, and with them the features.
fn build_for_gate(profile: &str) -> Command {
    let mut build = build(profile);
    if profile == "quick" {
        build.args(["--bin", "annals-benches"]);
    }
    build
}

/// Compares this tree with an earlier revision: the one that is named, or the last commit that differs.
fn gate(args: &[String], profile: &str) -> Outcome {
    let words: Vec<&String> = args.iter().filter(|arg| !arg.starts_with("--")).collect();
    let named = words.first().and_then(|word| commit(word).ok());
    let words = if named.is_some() { &words[1..] } else { &words[..] };
    let base = match named {
        Some(base) => base,
        None => {
            let is_changed = !git(&["status", "--porcelain", "--untracked-files=no"])?.is_empty();
            let Ok(base) = commit(if is_changed { "HEAD" } else { "HEAD^" }) else {
                println!("skipped: there is no earlier revision here (a shallow clone?)");
                return Ok(());
            };
            base
        }
    };
    println!("against {}", git(&["log", "-1", "--format=%h %s", &base])?);
    let program = build_base(&base, profile)?;
    run(&mut build_for_gate(profile))?;
    let mut gate = Command::new(benchmarks(&root().join("target"), profile));
    gate.arg("--gate").arg(program).args(words);
    run(if profile == "quick" { gate.arg("--quick") } else { &mut gate })
}

/// Builds a revision in a worktree of its own, and gives its benchmarks: beside those of this tree, so that both read the same corpora.
fn build_base(base: &str, profile: &str) -> Result<PathBuf, String> {
    let root = root().canonicalize().map_err(|error| error.to_string())?;
    let (target, tree) = (root.join("target"), root.join("target/gate"));
    let tree_text = tree.to_string_lossy().into_owned();
    // What an interrupted run has left.
    let _ = git(&["worktree", "remove", "--force", &tree_text]);
    git(&["worktree", "add", "--force", "--detach", "--quiet", &tree_text, base])?;
    let mut build = build_for_gate(profile);
    let mut programs = vec!["annals-benches", "annals"];
    if profile == "quick" {
        programs.pop();
        // Both are built alike, also where the earlier revision has no such profile.
        for setting in ["inherits=\"release\"", "lto=false", "codegen-units=16"] {
            build.arg("--config").arg(format!("profile.quick.{setting}"));
        }
    }
    let built = build.arg("--target-dir").arg(&target).current_dir(&tree).status();
    git(&["worktree", "remove", "--force", &tree_text])?;
    match built {
        Ok(status) if status.success() => {}
        Ok(status) => return Err(format!("{base} doesn't build: {status}")),
        Err(error) => return Err(format!("cargo: {error}")),
    }
    // What this tree builds next has the same names.
    let place = benchmarks(&target, "base");
    for program in programs {
        let built = benchmarks(&target, profile).with_file_name(program);
        let copied = std::fs::create_dir_all(target.join("base"))
            .and_then(|()| std::fs::copy(&built, place.with_file_name(program)));
        copied.map_err(|error| format!("{}: {error}", built.display()))?;
    }
    Ok(place)
}

fn benchmarks(target: &Path, profile: &str) -> PathBuf {
    target.join(profile).join("annals-benches")
}

fn commit(name: &str) -> Result<String, String> {
    git(&["rev-parse", "--verify", "--quiet", &format!("{name}^{{commit}}")])
}

fn git(args: &[&str]) -> Result<String, String> {
    let output = Command::new("git").args(args).current_dir(root()).output();
    let output = output.map_err(|error| format!("git: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    Err(format!("git {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr).trim()))
}
