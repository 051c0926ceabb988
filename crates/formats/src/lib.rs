//! Other programs' transcripts, read where they lie.
//!
//! > **Foreign files are never changed. What was read is given byte for byte, and what could not be read is said.**
//!
//! [`claude_code`] reads the transcripts of Claude Code, a tree of records; [`codex`] those of Codex, in which everything
//! stands twice; [`pi`] those of pi, a tree again; [`gemini`] those of Gemini CLI, a log of changes; [`chat`] those that are one message
//! a line. All tell what is in them as [`transcript`] does, whoever wrote it; [`detect`](detect()) tells whose it is,
//! [`Transcript`] is one of any of them, [`homes`](homes()) finds where they lie, [`document`] makes something to read of one, and
//! [`said`](said()) is what one record says. [`mcp_memory`] reads the graphs of MCP's memory server.
//!
//! Three session stores are read and written: [`picoclaw`], [`orca`] and [`aish`]. Each gives a [`ForeignSession`]
//! with its messages as they are written, what is hidden, the summary and what else its program keeps about it;
//! and [`Remark`]s for everything that is damaged, changed or left out.
//!
//! ```
//! # fn main() -> annals_formats::Result<()> {
//! # let folder = tempfile::tempdir().unwrap();
//! # let dir = folder.path();
//! # std::fs::write(dir.join("cli_1.jsonl"), "{\"role\":\"user\",\"content\":\"hi\"}\n{\"role\":\"assi").unwrap();
//! # std::fs::write(dir.join("cli_1.meta.json"), "{\"key\":\"cli:1\",\"skip\":0}").unwrap();
//! use annals_formats::Layout;
//!
//! let layout = Layout::detect(dir).unwrap();
//! assert_eq!(layout, Layout::Picoclaw);
//! for entry in layout.list(dir)? {
//!     let session = layout.read(&entry.path)?;
//!     assert_eq!(session.key, "cli:1");
//!     assert_eq!(session.messages().count(), 1);
//!     assert_eq!(session.remarks[0].to_string(), "13 bytes at 31 are no record (torn record)");
//! }
//! # Ok(())
//! # }
//! ```

pub mod aish;
mod any;
pub mod chat;
pub mod claude_code;
pub mod codex;
mod detect;
pub mod document;
mod error;
mod folder;
mod foreign;
pub mod gemini;
mod homes;
mod json;
mod layout;
mod lines;
pub mod mcp_memory;
pub mod orca;
mod packed;
pub mod pi;
pub mod picoclaw;
mod reading;
mod said;
mod take_along;
pub mod transcript;
mod tree;

pub use any::{Tally, Transcript};
pub use detect::{detect, detect_folder};
pub use error::{Error, Result};
pub use folder::{Entry, OutFile, write_files};
pub use foreign::{ForeignRecord, ForeignSession, Remark};
pub use homes::{Home, Keeps, TranscriptEntry, homes, list_transcripts};
pub use layout::Layout;
pub use packed::{is_packed, open_log};
pub use said::{Said, input_text, said};
