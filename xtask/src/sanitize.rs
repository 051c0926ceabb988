//! Runs tests where more is seen than whether they pass: Miri, AddressSanitizer, ThreadSanitizer. Installs nothing; says what to install.

use std::process::{Command, Stdio};

use crate::{Outcome, root, run as run_command};

/// The modules that touch no file: Miri can't map one, or start a process.
const PURE: [(&str, &[&str]); 2] = [
    ("jsonl-core", &["line::", "checksum::", "scan::", "verdict::", "salvage::", "report::", "group::"]),
    ("annals-session", &["key::", "record::"]),
];

/// Where threads share something.
const SHARED: [(&str, &str, &str); 3] = [
    ("jsonl-core", "--lib", "group::"),
    ("jsonl-core", "--test=it", "writing::"),
    ("annals-session", "--test=it", "together::"),
];

pub(crate) fn run(args: &[String]) -> Outcome {
    let all = [String::from("miri"), String::from("address"), String::from("thread")];
    for name in if args.is_empty() { &all[..] } else { args } {
        match name.as_str() {
            "miri" => miri()?,
            "address" => address()?,
            "thread" => thread()?,
            other => return Err(format!("there is no sanitizer {other}; miri, address or thread")),
        }
    }
    Ok(())
}

pub(crate) fn nightly(args: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    command.arg("+nightly").args(args).current_dir(root());
    command
}

pub(crate) fn is_there(args: &[&str]) -> bool {
    nightly(args).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// `x86_64-unknown-linux-gnu`.
pub(crate) fn host() -> Option<String> {
    let output = Command::new("rustc").arg("-vV").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.lines().find_map(|line| line.strip_prefix("host: ")).map(str::to_owned)
}

fn miri() -> Outcome {
    if !is_there(&["miri", "--version"]) {
        println!("skipped Miri: rustup component add miri --toolchain nightly");
        return Ok(());
    }
    for (package, modules) in PURE {
        let mut test = nightly(&[
            "miri",
            "test",
            "--quiet",
            "-p",
            package,
            "--lib",
            "--target-dir",
            "target/miri",
            "--",
        ]);
        // Random tests read their number of cases; each takes seconds here.
        test.args(modules).env("MIRIFLAGS", "-Zmiri-disable-isolation").env("PROPTEST_CASES", "2");
        // Where the processor decides, Miri's has nothing but what is asked for.
        if cfg!(target_arch = "x86_64") {
            test.env("RUSTFLAGS", "-Ctarget-feature=+avx2");
        }
        run_command(&mut test)?;
    }
    println!("Miri: nothing found");
    Ok(())
}

fn address() -> Outcome {
    let Some(host) = host().filter(|_| is_there(&["--version"])) else {
        println!("skipped AddressSanitizer: rustup toolchain install nightly");
        return Ok(());
    };
    let mut test =
        nightly(&["test", "--quiet", "-p", "jsonl-core", "--lib", "--test", "it", "--target", &host]);
    run_command(test.args(["--target-dir", "target/address"]).env("RUSTFLAGS", "-Zsanitizer=address"))?;
    println!("AddressSanitizer: nothing found");
    Ok(())
}

fn thread() -> Outcome {
    let has_sources =
        Command::new("rustc").args(["+nightly", "--print", "sysroot"]).output().is_ok_and(|output| {
            let sysroot = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            std::path::Path::new(&sysroot).join("lib/rustlib/src/rust/library/std").is_dir()
        });
    let Some(host) = host().filter(|_| has_sources) else {
        println!("skipped ThreadSanitizer: rustup component add rust-src --toolchain nightly");
        return Ok(());
    };
    for (package, tests, filter) in SHARED {
        // The standard library has to be built with it, or its locks are not seen.
        let mut test = nightly(&["test", "--quiet", "-Zbuild-std", "-p", package, tests, "--target", &host]);
        test.args(["--target-dir", "target/thread", "--", filter]).env("RUSTFLAGS", "-Zsanitizer=thread");
        run_command(&mut test)?;
    }
    println!("ThreadSanitizer: nothing found");
    Ok(())
}
