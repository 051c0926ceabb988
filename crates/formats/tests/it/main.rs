//! Tests of `annals-formats` on folders that the programs themselves wrote.

#![allow(clippy::unwrap_used, missing_docs)]

/// The folders, and what has to be read from them.
mod expected;

/// Is every message of Claude Code read, and the conversation told from what is beside it?
mod claude_code;

/// Is every message of Codex read once, although all of them stand there twice?
mod codex;

/// Are the last messages, read from the end, those that are last when all is read?
mod ends;

/// What holds for every transcript, whoever wrote it?
mod every_agent;

/// Is what counts told from what was written again, taken back or left out, in Gemini CLI's log of changes?
mod gemini;

/// Are agents' folders found where they are, and the transcripts in them told by what is in them?
mod homes;

/// Is every entity and relation of MCP's memory read, and found as its server finds it?
mod mcp_memory;

/// Are packed transcripts, and those that go on from other files, read like others?
mod packed;

/// Is every entry of pi read, and the conversation told from its branches?
mod pi;

/// Is every message, summary and state of the three session stores read, and written back the same?
mod stores;
