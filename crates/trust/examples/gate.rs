//! A gate in front of what a project wants to have run: nobody runs what no person has seen.
//!
//! ```sh
//! mkdir -p target/project; echo 'echo "hello from the project"' > target/project/setup.sh
//! cargo run -p annals-trust --example gate -- target/trusted target/project/setup.sh
//! ```
//!
//! It asks once, and again when the file changes. What runs is what was hashed: the bytes go to the shell's input, and the file isn't
//! read again.

#![allow(clippy::print_stdout, missing_docs)]

use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use annals_trust::{Approved, Trust, Verdict};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(store), Some(file)) = (args.next(), args.next()) else {
        return Err("give a file to keep approvals in, and one to run".into());
    };
    let (trust, file) = (Trust::open(store), Path::new(&file));
    match trust.check(file) {
        Ok(Verdict::Allowed(approved)) => run(&approved),
        Ok(Verdict::Denied { .. }) => Err("a person has denied it".into()),
        Ok(Verdict::Changed { .. }) => ask(&trust, file, "it has changed since it was approved"),
        Ok(_) => ask(&trust, file, "nobody has approved it"),
        // Somebody else could change the file, or a folder on the way to it. The reason says which, and what to do.
        Err(error) => Err(error.into()),
    }
}

/// Shows what is there and asks. The answer is about what was shown: if the file is another by then, it counts for nothing.
fn ask(trust: &Trust, file: &Path, why: &str) -> Result<(), Box<dyn Error>> {
    let seen = trust.look(file)?;
    println!("{}: {why}\n----", file.display());
    std::io::stdout().write_all(&seen.bytes)?;
    print!("----\nrun it now, and whenever it is exactly this? [y/N] ");
    std::io::stdout().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    if answer.trim() != "y" {
        return Err("not approved".into());
    }
    run(&trust.allow(file, seen.digest)?)
}

fn run(approved: &Approved) -> Result<(), Box<dyn Error>> {
    let mut shell = Command::new("sh").arg("-s").stdin(Stdio::piped()).spawn()?;
    if let Some(mut input) = shell.stdin.take() {
        input.write_all(approved.bytes())?;
    }
    let status = shell.wait()?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{} ended with {status}", approved.path().display()).into())
    }
}
