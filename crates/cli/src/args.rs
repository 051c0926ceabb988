//! What can be typed.

pub(crate) mod catalog;
pub(crate) mod memory;
pub(crate) mod sessions;
pub(crate) mod trust;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

/// Keep, look into, search, check and mend what AI agents said.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 100, after_help = EXIT_CODES, arg_required_else_help = true)]
pub(crate) struct Args {
    /// Print one JSON object per line, each with a `schema_version`
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// When to use colours; `auto` looks for a terminal and at NO_COLOR
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: Color,

    /// The folder where annals keeps what is its own; by default ANNALS_HOME, or else annals's folder among
    /// the user's data
    #[arg(long, global = true, value_name = "FOLDER")]
    pub(crate) root: Option<PathBuf>,

    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "\
Exit codes: 0 done or yes, 1 no or something found, 2 wrong usage, 3 not found,
4 damaged, 5 denied, changed or unknown, 6 permission denied, 7 busy, 70 internal error. With several files,
the highest one counts.";

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Ls(Ls),
    Show(Show),
    Tail(Tail),
    Search(Search),
    Stats(Stats),
    Verify(Verify),
    Append(sessions::Append),
    Begin(sessions::Begin),
    Truncate(sessions::Truncate),
    Summary(sessions::Summary),
    Metadata(sessions::Metadata),
    Compact(sessions::Compact),
    Archive(sessions::Archive),
    Restore(sessions::Restore),
    Rm(sessions::Rm),
    Fork(sessions::Fork),
    Who(sessions::Who),
    Alias(sessions::Alias),
    Import(sessions::Import),
    Export(sessions::Export),
    Memory(memory::Memory),
    Trust(trust::Trust),
    Catalog(catalog::Catalog),
    /// Append to bare files, and repair them
    #[command(subcommand)]
    Log(LogCommand),
    /// Print a script that completes annals's arguments in a shell
    #[command(
        after_help = "Example:\n  annals completions bash > ~/.local/share/bash-completion/completions/annals"
    )]
    Completions {
        /// The shell to complete for
        shell: Shell,
    },
}

/// List sessions, or logs: newest first
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without PATH, the sessions of the store. With PATH, logs with their size, records,
first and last time and damage: folders are searched for .jsonl, .ndjson and
.jsonl.archived files; a file that is named is listed whatever its name. FIRST
and LAST come from the first and last records. Examples:
  annals ls --limit 20
  annals ls ~/.claude/projects
  annals --json ls . | jq 'select(.damaged > 0).path'")]
pub(crate) struct Ls {
    /// Files and folders
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,

    /// List at most so many, the newest
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,

    /// Archived sessions instead of active ones
    #[arg(long, conflicts_with_all = ["paths", "all"])]
    pub(crate) archived: bool,

    /// Active and archived sessions
    #[arg(long, conflicts_with = "paths")]
    pub(crate) all: bool,

    /// Only sessions with this in their key
    #[arg(long, value_name = "TEXT", conflicts_with = "paths")]
    pub(crate) key: Option<String>,

    /// Only sessions changed since then: 90m, 12h, 7d, 4w, or a date
    #[arg(long, value_name = "WHEN", conflicts_with = "paths")]
    pub(crate) since: Option<String>,
}

/// Show a session or a log for reading: role, time, text, tool calls folded
#[derive(Debug, clap::Args)]
#[command(after_help = "\
An existing path with a separator, or that ends in .jsonl, is a file; anything else
is a session. Of a session, what is visible is shown. Examples:
  annals show main
  annals show main@12                message 12, unfolded
  annals show --all main             also what is hidden, and what happened
  annals show session.jsonl@12       only line 12
  annals show --conversation ~/.claude/projects/p/s.jsonl
  annals show --raw session.jsonl    the records as they are in the file")]
pub(crate) struct Show {
    /// A session or a file, or one of its records as NAME@N
    #[arg(value_name = "NAME[@N]")]
    pub(crate) name: OsString,

    /// It is a session, whatever it looks like
    #[arg(long)]
    pub(crate) key: bool,

    /// Of a session, also hidden messages, notes and events
    #[arg(long)]
    pub(crate) all: bool,

    /// Of a session, this one of its archives
    #[arg(long, value_name = "N")]
    pub(crate) archive: Option<u64>,

    /// Of a transcript of Claude Code, Codex or pi, what was said and counts: without side chains, other branches,
    /// what was taken back, and what stands there twice
    #[arg(long, conflicts_with_all = ["key", "all", "archive"])]
    pub(crate) conversation: bool,

    #[command(flatten)]
    pub(crate) view: View,
}

/// Show the last records, and with -f those to come
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  annals tail -f main
  annals tail -n 3 -f session.jsonl")]
pub(crate) struct Tail {
    /// A session or a file
    pub(crate) name: OsString,

    /// It is a session, whatever it looks like
    #[arg(long)]
    pub(crate) key: bool,

    /// How many records
    #[arg(short = 'n', long, value_name = "N", default_value_t = 10)]
    pub(crate) lines: usize,

    /// Go on with what is appended, also when the log is replaced
    #[arg(short, long)]
    pub(crate) follow: bool,

    #[command(flatten)]
    pub(crate) view: View,
}

/// How records are shown.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct View {
    /// Print records as they are, byte for byte; damaged lines are only named on standard error
    #[arg(long)]
    pub(crate) raw: bool,

    /// Don't fold tool calls, results and long texts
    #[arg(long, conflicts_with = "raw")]
    pub(crate) full: bool,
}

/// Find records by what their strings say, however the writer escaped them
#[derive(Debug, clap::Args)]
#[command(after_help = "\
TEXT is matched against the decoded strings of each record, names of members
included: é finds \"\\u00e9\" too, and a line break is found by -e '\\n'.
Exits with 1 where nothing was found. Examples:
  annals search 'connection pool' ~/.claude/projects
  annals search -i -e 'time(d)? ?out' session.jsonl")]
pub(crate) struct Search {
    /// What to look for
    pub(crate) text: String,

    /// Files and folders; by default the current folder
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,

    /// TEXT is a regular expression
    #[arg(short = 'e', long)]
    pub(crate) regexp: bool,

    /// Upper and lower case are the same
    #[arg(short, long)]
    pub(crate) ignore_case: bool,

    /// Stop after so many records
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u64>,
}

/// Count records, roles, members, bytes, line lengths and damage
#[derive(Debug, clap::Args)]
pub(crate) struct Stats {
    /// Files and folders
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
}

/// Check every byte: JSON, UTF-8, checksums, torn and damaged lines
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exits with 0 when all is well, with 1 when the only thing is an unfinished last
line (somebody may be writing it), and with 4 when something is damaged.
Example:
  annals verify ~/.codex/sessions")]
pub(crate) struct Verify {
    /// Files and folders
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,

    /// Describe at most so many damages of each file
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(crate) limit: usize,

    /// Take lines without a checksum for damaged
    #[arg(long, conflicts_with = "ignore_checksums")]
    pub(crate) require_checksums: bool,

    /// Don't look at checksums: for logs of other programs with a last member `crc32` of their own
    #[arg(long)]
    pub(crate) ignore_checksums: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum LogCommand {
    Append(Append),
    Repair(Repair),
}

/// Append records from standard input, one per line, as they are
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Each line has to be one JSON value. Prints nothing, or with --json the offset of
each record when it is as durable as asked for. A file that is not there is
made, for its owner only. Example:
  echo '{\"role\":\"user\",\"content\":\"hi\"}' | annals log append --checksum session.jsonl")]
pub(crate) struct Append {
    /// The file
    pub(crate) file: PathBuf,

    /// What a record has survived when it is acknowledged: `buffer` the end of the process, `data` and `all`
    /// a power cut
    #[arg(long, value_name = "LEVEL", default_value = "data")]
    pub(crate) durability: Level,

    /// Seal each record with a checksum
    #[arg(long)]
    pub(crate) checksum: bool,

    /// How many seconds to wait for another writer
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0, allow_negative_numbers = true)]
    pub(crate) wait: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Level {
    Buffer,
    Data,
    All,
}

/// Take out of a log what is not a record, and keep it in a file beside it
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Records stay as they are. What is taken out is in FILE.removed-1 (or -2, …)
before the log is replaced, all at once. Nothing is done while annals, or a
program that uses the same lock, writes; stop any other program first: it would
go on writing into the file that was replaced. Example:
  annals log repair --dry-run session.jsonl")]
pub(crate) struct Repair {
    /// The file
    pub(crate) file: PathBuf,

    /// Only say what would be done
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Put complete records found inside damaged lines in their place
    #[arg(long)]
    pub(crate) salvage: bool,

    /// Don't look at checksums: for logs of other programs with a last member `crc32` of their own
    #[arg(long)]
    pub(crate) ignore_checksums: bool,

    /// Also if the last line is unfinished and only seconds old
    #[arg(long)]
    pub(crate) force: bool,

    /// How many seconds to wait for another writer
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0, allow_negative_numbers = true)]
    pub(crate) wait: f64,
}
