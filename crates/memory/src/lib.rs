//! Facts that outlive a session: remembered once, forgotten for good.
//!
//! A memory is one log of items and tombstones, and which items are active is a fold over it:
//!
//! > **A tombstone kills what stands before it, and nothing else. An id is given out once.**
//!
//! - Forgetting writes a tombstone, so a crash can't bring a fact back, and neither can a copy of an older line.
//! - Items and tombstones share one sequence of ids. A number that is missing is a record that was lost, and that
//!   may have been a tombstone: opening then fails and says which, until somebody accepts the loss.
//! - One process writes, for as long as it holds the memory; any number read, without a lock.
//!
//! The lines are those of aish (`memory.jsonl`), whose files open in place and stay readable for it. Ours
//! carry a checksum, and may name what they replace and when they expire.
//!
//! # An example
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("memory.jsonl");
//! use annals_memory::{Filter, Memory, NewItem, Render};
//!
//! let memory = Memory::open(&path)?;
//! let lua = memory.add(&NewItem::fact("uses LuaJIT").tag("lang"))?.id();
//! memory.add(&NewItem::pref("terse answers"))?;
//! memory.supersede(lua, &NewItem::fact("uses Lua 5.4").tag("lang"))?;
//!
//! assert_eq!(memory.get(lua)?, None);
//! assert_eq!(memory.active(&Filter::new().tag("lang"))?[0].content, "uses Lua 5.4");
//! let background = memory.render(&Render::new().budget_chars(500))?;
//! assert_eq!(background.text, "[background]\n- fact: uses Lua 5.4\n- pref: terse answers\n");
//! # Ok(())
//! # }
//! ```
//!
//! # Promises
//!
//! - What [`Memory::add`] and [`Memory::forget`] have acknowledged survives the end of the process and, with the
//!   default durability, a power cut.
//! - No id is given out twice: not after a crash, not after compaction, whatever the items' sizes.
//! - A line that is not as it should be hides no other. What is odd is in the [`Report`].
//! - Opening reads each byte once, on all processors; with a checkpoint, only what is new. The checkpoint is bound to
//!   the log and can be deleted at any time.
//!
//! # What it does not do
//!
//! - Tell apart what is true: two facts may contradict each other. [`NewItem::unless_known`] finds only equal ones.
//! - Wipe a disk: [`Memory::compact`] takes forgotten items out of the file, not out of the file system's free space.
//!
//! # Elsewhere
//!
//! - Programs: [`prompt`](https://github.com/annals-rs/annals/blob/main/crates/memory/examples/prompt.rs), what is known, in front of what is asked.
//! - [The format](https://github.com/annals-rs/annals/blob/main/docs/format.md#a-memory), byte for byte, and [what stays](https://github.com/annals-rs/annals/blob/main/docs/stability.md) as it is.
//! - [What survives what](https://github.com/annals-rs/annals/blob/main/docs/durability.md#when-a-store-asks), and the harnesses that try to make it false.

mod checkpoint;
mod compact;
mod error;
mod filter;
mod fold;
mod ids;
mod index;
mod memory;
mod options;
mod record;
mod render;
mod report;
mod time;
mod view;

pub use compact::Compacted;
pub use error::{Error, Result};
pub use filter::Filter;
pub use index::Fate;
pub use jsonl_core::Durability;
pub use memory::{Added, Memory, NewItem};
pub use options::MemoryOptions;
pub use record::{Item, Kind};
pub use render::{Render, Rendered};
pub use report::{DETAILS_KEPT, IdRange, Loss, OddKind, Oddity, Report};
pub use view::{Step, Verified, View};
