//! Which sessions of coding agents exist, who they are, and how they hang together.
//!
//! An agent starts, is resumed, is compacted, moves to another worktree; each time it may have another id of its own. A catalog
//! gives a *session* one id that stays, and keeps what is known of it: transcripts, branches, tasks, the session that it goes
//! on from, how it ended. It is a log of events and nothing else:
//!
//! > **The log says what happened. Everything that is known is a fold over it.**
//!
//! - What is known can be kept beside the log, so that an event costs the same at ten sessions and at a hundred thousand;
//!   whatever is kept is bound to the bytes that it came from, and never believed over them.
//! - To say that something changes and to write it happen under one lock. Two who see the same agent's session at the same
//!   time see one session, in whatever processes.
//! - The fold, telling which session it is, sweeping and trees are pure functions. A dry run is not writing what they
//!   say.
//!
//! The log is that of `@druumen/sessions-db`: its stores are opened in place, continued, and stay readable for it. What it
//! gets wrong is right here, and listed at [`Rules`]; [`Rules::SessionsDb`] gives exactly its answers.
//!
//! # An example
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! use annals_catalog::{Catalog, Find, Observation, Outcome};
//!
//! let catalog = Catalog::open(folder.path());
//! let seen = catalog.observe(&Observation::new("d22b58f8-7bce-4a20-942f-200f5966cc8b").cwd("/src/harbour"))?;
//! assert!(seen.is_new);
//!
//! catalog.set_alias(&seen.stable_id, Some("timetable import"))?;
//! catalog.close("timetable import", Outcome::Done, Some("shipped"))?;
//!
//! let done = catalog.find(&Find::new().outcome("done"))?;
//! assert_eq!(done[0].alias.as_deref(), Some("timetable import"));
//! # Ok(())
//! # }
//! ```
//!
//! # Promises
//!
//! - An event that was acknowledged survives the end of the process and, with the default durability, a power cut.
//! - A torn tail, a damaged line, JSON that is no event: each is passed over and [named](Report), and hides nothing else.
//! - Answers are those of a fold over the whole log, whatever has become of the cache.
//! - Files are made 0600 in folders of 0700.
//!
//! # What it does not do
//!
//! - Read what was said: that is the transcripts' matter.
//! - Merge the logs of several machines.
//!
//! # Elsewhere
//!
//! - Programs: [`hook`](https://github.com/annals-rs/annals/blob/main/crates/catalog/examples/hook.rs), notes a session when its agent starts.
//! - [The format](https://github.com/annals-rs/annals/blob/main/docs/format.md#a-catalog), byte for byte, and [what stays](https://github.com/annals-rs/annals/blob/main/docs/stability.md) as it is.
//! - [What survives what](https://github.com/annals-rs/annals/blob/main/docs/durability.md#the-operations), and the harnesses that try to make it false.

mod base;
mod cache;
mod catalog;
mod change;
mod error;
mod event;
mod find;
mod fold;
mod foreign;
mod git;
pub mod id;
pub mod identity;
mod kept;
mod keys;
mod observe;
mod options;
mod outline;
pub mod paths;
mod projection;
mod raw;
mod reduce;
mod sanitize;
mod session;
mod sweep;
mod time;
mod transcript;
mod tree;
mod watch;

pub use catalog::{Catalog, EVENTS, Made};
pub use change::Change;
pub use error::{Error, Result};
pub use event::{Event, Fingerprints, Links, Op, Seen, Setting};
pub use find::{Find, find};
pub use fold::{DAMAGES_KEPT, Report};
pub use git::{GitContext, GitStatus};
pub use identity::{Resolution, Signals, resolve};
pub use jsonl_core::Durability;
pub use observe::{Observation, Observed};
pub use options::CatalogOptions;
pub use projection::{Meta, Projection, UNKNOWN_OPS_KEPT};
pub use raw::Raw;
pub use reduce::Rules;
pub use sanitize::prompt as sanitize;
pub use session::{ActivityState, Outcome, Session, TranscriptFile};
pub use sweep::{Thresholds, Transition, sweep};
pub use transcript::{TranscriptMeta, TranscriptStatus, find_transcript, list_transcripts, project_folder};
pub use tree::{DEPTH_MAX, Node, Tree, ancestors, descendants};
pub use watch::{Watch, Watched};
