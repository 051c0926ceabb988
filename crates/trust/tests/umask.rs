//! Are the store and its folder their owner's only, whatever the umask?
//!
//! A umask belongs to a process, so each is tried in a process of its own: this program, called with `make …`.

#![allow(clippy::unwrap_used, missing_docs)]

use std::process::ExitCode;

#[cfg(unix)]
fn main() -> ExitCode {
    use std::path::Path;

    use libtest_mimic::{Arguments, Trial};

    let args: Vec<String> = std::env::args().skip(1).collect();
    if let ["make", umask, root] = args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        unix::make(umask, Path::new(root));
        return ExitCode::SUCCESS;
    }
    let trial = Trial::test("umask::files_are_their_owners_only", || {
        unix::files_are_their_owners_only();
        Ok(())
    });
    libtest_mimic::run(&Arguments::from_args(), vec![trial]).exit_code()
}

#[cfg(not(unix))]
fn main() -> ExitCode {
    ExitCode::SUCCESS
}

#[cfg(unix)]
mod unix {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;
    use std::process::Command;

    use annals_trust::{Digest, Trust};

    pub(crate) fn make(umask: &str, root: &Path) {
        let umask = u32::from_str_radix(umask, 8).unwrap();
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(umask));
        let trust = Trust::open(root.join("a/b/trusted-projects"));
        let file = root.join("file");
        trust.allow(&file, Digest::of(b"x")).unwrap();
        trust.deny(&root.join("other")).unwrap();
    }

    pub(crate) fn files_are_their_owners_only() {
        for umask in ["000", "022", "077", "777"] {
            let folder = tempfile::tempdir().unwrap();
            let root = folder.path().canonicalize().unwrap();
            let file = root.join("file");
            fs::write(&file, "x").unwrap();
            fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
            let program = std::env::current_exe().unwrap();
            let status =
                Command::new(program).args(["make", umask, root.to_str().unwrap()]).status().unwrap();
            assert!(status.success(), "umask {umask}");
            let copies = root.join("a/b/trusted-projects.annals-approved");
            for (path, expected) in [
                (root.join("a"), 0o700),
                (root.join("a/b"), 0o700),
                (root.join("a/b/trusted-projects"), 0o600),
                (copies.join(Digest::of(b"x").to_string()), 0o600),
                (copies, 0o700),
            ] {
                let mode = fs::symlink_metadata(&path).unwrap().permissions().mode() & 0o7777;
                assert_eq!(mode, expected, "umask {umask}: {}", path.display());
            }
        }
    }
}
