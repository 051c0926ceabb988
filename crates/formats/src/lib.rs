//! Other programs' transcripts, read where they lie.
//!
//! > **Foreign files are never changed. What was read is given byte for byte, and what could not be read is said.**
//!
//! - Nothing is locked, and nothing is mapped: the writers of these files know nothing of us, and may be writing.
//! - Every message says where its raw line is, so what a reader doesn't understand is never out of reach.
//! - Damage is data: torn lines, glued lines, side files that are stale or gone are [remarked](Remark), and hide nothing else.
//! - What counts is told from what stands there: side chains, branches that were left, records that were copied or taken back.
//!
//! # Words
//!
//! A **transcript** is what an agent wrote of one session, in its own way. A **record** is one of its lines; a **message** is a record in which
//! somebody says something. The **conversation** is the messages that count, oldest first: those that the agent would go on from. A **layout** is the
//! shape of a session store that is read *and* written.
//!
//! # Transcripts
//!
//! ```
//! # fn main() -> annals_formats::Result<()> {
//! # let folder = tempfile::tempdir().unwrap();
//! # let path = folder.path().join("019e.jsonl");
//! # std::fs::write(&path, concat!(
//! #   r#"{"type":"user","uuid":"a","parentUuid":null,"sessionId":"s","message":{"role":"user","content":"Is it late?"}}"#, "\n",
//! #   r#"{"type":"assistant","uuid":"b","parentUuid":"a","sessionId":"s","message":{"role":"assistant","content":[{"type":"text","text":"Six minutes."}]}}"#, "\n",
//! #   r#"{"type":"user","uuid":"c","par"#,
//! # )).unwrap();
//! use annals_formats::Transcript;
//!
//! let Some(transcript) = Transcript::open(&path)? else { panic!("no agent's that is known") };
//! assert_eq!(transcript.agent().name(), "claude-code");
//! let mut said = Vec::new();
//! for index in transcript.conversation().messages {
//!     let message = transcript.message(index)?;
//!     said.push(format!("line {}, {}: {}", message.line, message.role.name(), message.text()));
//! }
//! assert_eq!(said, ["line 1, user: Is it late?", "line 2, assistant: Six minutes."]);
//! assert_eq!(transcript.overview().remarks.len(), 1); // the torn line, and where it is
//! # Ok(())
//! # }
//! ```
//!
//! [`claude_code`] reads the transcripts of Claude Code, a tree of records; [`codex`] those of Codex, in which everything
//! stands twice; [`pi`] those of pi, a tree again; [`gemini`] those of Gemini CLI, a log of changes; [`chat`] those that are one message
//! a line. All tell what is in them as [`transcript`] does, whoever wrote it; [`detect`](detect()) tells whose it is,
//! [`Transcript`] is one of any of them, [`homes`](homes()) finds where they lie, [`document`] makes something to read of one, and
//! [`said`](said()) is what one record says. [`mcp_memory`] reads the graphs of MCP's memory server.
//!
//! For very many files there is [`Transcript::glance`], which reads a head and an end; for very large ones [`Transcript::tally`], which
//! keeps no index, and [`Transcript::open_end`], which reads the last messages.
//!
//! # Session stores
//!
//! Three are read and written: [`picoclaw`], [`orca`] and [`aish`]. Each gives a [`ForeignSession`] with its messages as they are written,
//! what is hidden, the summary and what else its program keeps about it.
//!
//! ```
//! # fn main() -> annals_formats::Result<()> {
//! # let folder = tempfile::tempdir().unwrap();
//! # let dir = folder.path();
//! # std::fs::write(dir.join("cli_1.jsonl"), "{\"role\":\"user\",\"content\":\"hi\"}\n{\"role\":\"assi").unwrap();
//! # std::fs::write(dir.join("cli_1.meta.json"), "{\"key\":\"cli:1\",\"skip\":0}").unwrap();
//! use annals_formats::Layout;
//!
//! let layout = Layout::detect(dir)?.unwrap();
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
//!
//! # What it does not do
//!
//! - Change a transcript. [`Layout`] writes sessions to new files; what is there stays.
//! - Decode images, unless [asked](Transcript::message_with_images): their size and kind are told.
//! - Guess. A file that no agent is known to write is [nobody's](detect()), and can still be read as a log.
//!
//! # Elsewhere
//!
//! - Programs: [`whose`](https://github.com/annals-rs/annals/blob/main/crates/formats/examples/whose.rs), whose transcript it is, what was said last, what is wrong with it.
//! - [What stays](https://github.com/annals-rs/annals/blob/main/docs/stability.md) as it is.

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
pub use homes::{Home, Keeps, TranscriptEntry, homes, list_transcripts, list_transcripts_with};
pub use layout::Layout;
pub use packed::{is_packed, open_log};
pub use said::{Said, input_text, said};
