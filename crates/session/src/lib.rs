//! Conversations of AI agents, one append-only log each.
//!
//! Everything here follows from one rule:
//!
//! > **What was said stays said. Hiding it, summing it up or putting it aside are records that come after.**
//!
//! - [`Session::append`] returns when the message is on the device. Nobody else's crash takes it away.
//! - [`Session::truncate`] and [`Session::set_summary`] append a record that names a sequence number: there is one
//!   file, one order, and nothing to bring into agreement after a crash. [`Session::history`] is what a model is to
//!   see, [`Session::transcript`] everything.
//! - Only [`Session::compact`] takes messages out of a log, and it keeps them beside it unless told otherwise.
//! - Many threads and many processes can work on the same sessions. The kernel's locks leave nothing behind when a
//!   process is killed.
//! - A damaged line hides nothing but itself, and is reported with its place.
//!
//! # Words
//!
//! A **session** is a conversation with a **key**, any non-empty string. A **message** is a JSON object with a
//! `role`; its bytes are stored as they come. Each record of a session has a **sequence number** that never
//! changes. The **history** is what is visible; to **truncate** it hides messages, to **compact** the log
//! removes hidden ones. To **archive** a session puts it aside, still readable.
//!
//! # An example
//!
//! ```
//! # fn main() -> annals_session::Result<()> {
//! # let folder = tempfile::tempdir().unwrap();
//! # let dir = folder.path();
//! use annals_session::{ChatMessage, Store, Truncate};
//!
//! let store = Store::open(dir)?;
//! let session = store.session("telegram:42")?;
//! session.begin(&serde_json::json!({"model": "fast"}))?;
//! session.append(&ChatMessage::new("user", "Is the ferry on time?"))?;
//! session.append(&ChatMessage::new("assistant", "Six minutes late."))?;
//! let last = session.say("user", "Thanks!")?;
//!
//! // Later, in another process: sum up what was before, whatever arrives meanwhile.
//! let session = Store::open(dir)?.session("telegram:42")?;
//! session.truncate(&Truncate::before(last).summary("The ferry is six minutes late."))?;
//!
//! let history = session.history()?;
//! assert_eq!(history.messages.len(), 1);
//! assert_eq!(history.summary, "The ferry is six minutes late.");
//! assert!(history.report.is_clean());
//! assert_eq!(session.transcript()?.messages().count(), 3);
//! # Ok(())
//! # }
//! ```
//!
//! # What it costs
//!
//! An append is one write under the lock, and one sync that threads share. A history costs what is visible: it is
//! read from the last truncation on, found by halving. [`Session::tail`], [`Session::page`] and [`Store::list`] read
//! a few kilobytes, whatever the size of the log. A store keeps at most [`StoreOptions::handles`] files open.
//!
//! # What it does not do
//!
//! - Encrypt, or hide secrets: what is appended is on the disk as it is, readable by its owner only.
//! - Lock across machines: network file systems are not supported for writing.
//! - Transactions over several messages: a crash can leave the first few of [`Session::append_all`] or
//!   [`Session::edit`]. [`Session::set_history`] and compaction are all or nothing.
//!
//! # Elsewhere
//!
//! - Programs: [`chat_loop`](https://github.com/annals-rs/annals/blob/main/crates/session/examples/chat_loop.rs), a chat that goes on after `kill -9`; [`server`](https://github.com/annals-rs/annals/blob/main/crates/session/examples/server.rs), many conversations, threads that share syncs; [`watch`](https://github.com/annals-rs/annals/blob/main/crates/session/examples/watch.rs), the last messages, and each as it comes.
//! - [The format](https://github.com/annals-rs/annals/blob/main/docs/format.md#a-session), byte for byte, and [what stays](https://github.com/annals-rs/annals/blob/main/docs/stability.md) as it is.
//! - [What survives what](https://github.com/annals-rs/annals/blob/main/docs/durability.md#the-operations), and the harnesses that try to make it false.

mod batch;
mod calls;
mod chat;
mod edit;
mod error;
mod fold;
mod follow;
mod import;
mod key;
mod lifecycle;
mod list;
mod message;
mod read;
mod record;
mod rewrite;
mod session;
mod store;
mod time;
mod view;

pub use chat::{ChatMessage, Content, ToolCall};
pub use edit::{Edit, Truncate};
pub use error::{Error, Result};
pub use follow::{FollowSession, Since};
pub use import::{ImportReport, ImportedEntry, ImportedSession};
pub use jsonl_core::{Durability, Holder};
pub use key::{KEY_LEN_MAX, decode_key, encode_key};
pub use lifecycle::Deleted;
pub use list::{List, ListOptions, Listed, TITLE_LEN_MAX, Unlisted};
pub use message::{Message, Note};
pub use read::ReadReport;
pub use record::Parent;
pub use rewrite::{CompactOptions, Compacted};
pub use session::Session;
pub use store::{Place, Resolved, Store, StoreOptions};
pub use view::{Cursor, Entry, Event, History, NotACursor, Page, Scope, Transcript};
