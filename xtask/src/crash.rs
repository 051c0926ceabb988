//! Runs the harnesses that kill, fill, cut and break, and puts their table into the README.

use std::fs;
use std::process::{Command, Stdio};

use crate::{Outcome, built, cargo, root, run as run_command, target};

/// The table stands between these.
const BEGIN: &str = "<!-- The table is made by `cargo xtask crash --report`. -->\n";
const END: &str = "<!-- End of the table. -->";

pub(crate) fn run(args: &[String]) -> Outcome {
    // What CI has time for is done with what the tests have built already.
    let folder = match args.iter().any(|arg| arg == "--quick") {
        true => built()?,
        // The program is one of those that are broken.
        false => {
            run_command(&mut cargo(&[
                "build",
                "--release",
                "--quiet",
                "-p",
                "annals",
                "-p",
                "annals-crash",
            ]))?;
            target().join("release")
        }
    };
    let mut harnesses = Command::new(folder.join("annals-crash"));
    harnesses.arg("--annals").arg(folder.join("annals")).args(args);
    if !args.iter().any(|arg| arg == "--report") {
        return run_command(&mut harnesses);
    }
    let output = harnesses.current_dir(root()).stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| format!("annals-crash: {error}"))?;
    let table = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        return Err(format!("{table}\nnot good; see above"));
    }
    let path = root().join("README.md");
    let readme = fs::read_to_string(&path).map_err(|error| format!("README.md: {error}"))?;
    let parts = readme.split_once(BEGIN).and_then(|(head, rest)| Some((head, rest.split_once(END)?.1)));
    let Some((head, tail)) = parts else { return Err(String::from("README.md has no place for the table")) };
    let readme = format!("{head}{BEGIN}\n{table}\n{END}{tail}");
    fs::write(&path, readme).map_err(|error| format!("README.md: {error}"))
}
