//! What can be typed.

pub(crate) mod catalog;
pub(crate) mod doctor;
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
    /// Print for programs: one JSON object per line, each with a `schema_version` (not what `catalog` shares with
    /// sessions-db: that prints what sessions-db does)
    #[arg(long, global = true, help_heading = "Options of all commands")]
    pub(crate) json: bool,

    /// When to use colours; `auto` looks for a terminal and at NO_COLOR
    #[arg(
        long,
        global = true,
        help_heading = "Options of all commands",
        value_name = "WHEN",
        default_value = "auto"
    )]
    pub(crate) color: Color,

    /// The folder where annals keeps what is its own; by default ANNALS_HOME, or else annals's folder among
    /// the user's data
    #[arg(long, global = true, help_heading = "Options of all commands", value_name = "FOLDER")]
    pub(crate) root: Option<PathBuf>,

    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "\
Exit codes: 0 done or yes, 1 no or something found, 2 wrong usage, 3 not found,
4 damaged, 5 denied, changed or unknown, 6 permission denied, 7 busy,
70 internal error. With several files, the highest one counts.";

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
    Doctor(doctor::Doctor),
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
    /// Print annals's manual page, or write those of all commands to a folder
    #[command(after_help = "\
A folder that isn't there is made. Examples:
  annals man | man -l -
  annals man ~/.local/share/man/man1")]
    Man {
        /// Where to write annals.1, annals-ls.1 and so on
        folder: Option<PathBuf>,
    },
    /// Print a script that completes annals's arguments in a shell
    #[command(
        after_help = "Example:\n  annals completions bash > ~/.local/share/bash-completion/completions/annals"
    )]
    Completions {
        /// The shell to complete for
        shell: Shell,
    },
}

/// Which sessions.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Filter {
    /// Only sessions of this agent: claude-code, codex, pi, gemini, picoclaw, orca, aish, chat, sessions-db, or
    /// annals for those of the store; may be given several times
    #[arg(long, value_name = "AGENT")]
    pub(crate) agent: Vec<String>,

    /// Only sessions with this in the path of their project's folder
    #[arg(long, value_name = "TEXT")]
    pub(crate) project: Option<String>,

    /// Only sessions changed since then: 90m, 12h, 7d, 4w, or a date
    #[arg(long, value_name = "WHEN")]
    pub(crate) since: Option<String>,
}

impl Filter {
    pub(crate) fn is_set(&self) -> bool {
        !self.agent.is_empty() || self.project.is_some() || self.since.is_some()
    }
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Speaker {
    User,
    Assistant,
    /// Calls of tools and what they gave
    Tool,
    /// What the model thought
    Reasoning,
    System,
}

/// List sessions of all agents, or logs: newest first
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without PATH, the sessions of the store and of all agents whose folders are
found: Claude Code, Codex, pi, Gemini CLI, picoclaw, aish and sessions-db. Of
a large transcript only the head and the end are read, and the number of its
messages is an estimate (~). ID is as long as it has to be for `annals show
ID`. For people, the newest 50 are listed. With PATH, logs with their size,
records, first and last time and damage: folders are searched for .jsonl,
.ndjson and .jsonl.archived files; a file that is named is listed whatever its
name. Examples:
  annals ls --limit 20
  annals ls --agent codex --project api --since 7d
  annals ls ~/.claude/projects
  annals --json ls . | jq 'select(.damaged > 0).path'")]
pub(crate) struct Ls {
    /// Files and folders
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,

    /// List at most so many, the newest
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,

    /// Only archived sessions of the store
    #[arg(long, conflicts_with_all = ["paths", "all"])]
    pub(crate) archived: bool,

    /// Archived sessions of the store, too
    #[arg(long, conflicts_with = "paths")]
    pub(crate) all: bool,

    /// Only sessions of the store with this in their key
    #[arg(long, value_name = "TEXT", conflicts_with = "paths")]
    pub(crate) key: Option<String>,

    #[command(flatten)]
    pub(crate) filter: Filter,

    /// Transcripts of sub-agents, too
    #[arg(long, conflicts_with = "paths")]
    pub(crate) subagents: bool,

    /// Count messages exactly, also in large transcripts
    #[arg(long, conflicts_with = "paths")]
    pub(crate) exact: bool,
}

/// Show a session or a log for reading: role, time, text, tool calls folded
#[derive(Debug, clap::Args)]
#[command(after_help = "\
NAME is the path of a file (with a separator in it, or .jsonl at its end), a
session of the store, the beginning of an agent's session id as `annals ls`
shows it, or @last, the newest session of any agent. Of a transcript of Claude
Code, Codex, pi or Gemini CLI, what was said and counts is shown: no side
chains, no other branches, nothing that was taken back or stands there twice.
Of a session of the store, what is visible. Examples:
  annals show main
  annals show @last --tail 5
  annals show 24fbb56b
  annals show 24fbb56b --leaf 40       the branch that ends with line 40
  annals show main@12                  message 12, unfolded
  annals show --all main               also what is hidden, and what happened
  annals show session.jsonl@12         only line 12
  annals show --records session.jsonl  every record of a transcript
  annals show --raw session.jsonl      as it is in the file")]
pub(crate) struct Show {
    /// A session or a file, or one of its records as NAME@N
    #[arg(value_name = "NAME[@N]")]
    pub(crate) name: OsString,

    /// It is a session of the store, whatever it looks like
    #[arg(long)]
    pub(crate) key: bool,

    /// Of a session of the store, also hidden messages, notes and events
    #[arg(long)]
    pub(crate) all: bool,

    /// Of a session of the store, this one of its archives
    #[arg(long, value_name = "N")]
    pub(crate) archive: Option<u64>,

    /// Of an agent's transcript, every record as it stands in the file
    #[arg(long, conflicts_with_all = ["key", "all", "archive"])]
    pub(crate) records: bool,

    /// Of a transcript of Claude Code or pi, the conversation that ends with this line, also one that was left
    #[arg(long, value_name = "LINE", conflicts_with_all = ["key", "all", "archive", "records", "tail"])]
    pub(crate) leaf: Option<u64>,

    /// Only the last so many messages; not with --role
    #[arg(long, value_name = "N", conflicts_with_all = ["all", "archive"])]
    pub(crate) tail: Option<usize>,

    /// Only messages in which these say something; may be given several times
    #[arg(long, value_name = "ROLE", conflicts_with = "tail")]
    pub(crate) role: Vec<Speaker>,

    #[command(flatten)]
    pub(crate) view: View,
}

/// Show the last records, and with -f those to come
#[derive(Debug, clap::Args)]
#[command(after_help = "\
NAME is as for `annals show`. Examples:
  annals tail -f main
  annals tail -f @last
  annals tail -n 3 -f session.jsonl")]
pub(crate) struct Tail {
    /// A session or a file
    #[arg(value_name = "NAME")]
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

    /// Of an agent's transcript, every record as it stands in the file
    #[arg(long, conflicts_with = "key")]
    pub(crate) records: bool,

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

/// Find what was said, in the sessions of all agents or in any logs
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without NAME, the sessions of the store and of all agents are searched, newest
first. NAME is a file, a folder, or a session as for `annals show`. In a
transcript, what was said is searched: texts, reasoning, and what tools are
given and give, in plain text, whatever way the agent escaped it; never the
inside of an image. In any other log, the strings of each record, names of
members included. At the end, standard error says how much was searched. Exits
with 1 where nothing was found. Examples:
  annals search 'connection pool'
  annals search --count 'connection pool'
  annals search --role user --project api --since 4w timeout
  annals search -i -e 'time(d)? ?out' session.jsonl")]
pub(crate) struct Search {
    /// What to look for
    pub(crate) text: String,

    /// Files, folders and sessions
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<PathBuf>,

    #[command(flatten)]
    pub(crate) filter: Filter,

    /// Only what these say; may be given several times
    #[arg(long, value_name = "ROLE")]
    pub(crate) role: Vec<Speaker>,

    /// Show so many characters in front of what was found, and behind it
    #[arg(short = 'C', long, value_name = "N", default_value_t = 40)]
    pub(crate) context: usize,

    /// Only say in how many records of each it was found
    #[arg(short, long, conflicts_with = "context")]
    pub(crate) count: bool,

    /// In transcripts, too, look at all strings of all records
    #[arg(long, conflicts_with = "role")]
    pub(crate) records: bool,

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

/// Count what agents did by agent, project, day or model; or what logs are made of
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without NAME, all sessions of all agents are counted, sub-agents' too:
messages, tool calls, tokens, bytes, how many of these are in lines that stand
there already, and images. Tokens are those that agents write down; an answer
counts once, also where a fork or a resumed session has copied it. With NAME
and without --by, what the logs are made of: records, roles, members, line
lengths and damage. Examples:
  annals stats
  annals stats --by day --since 7d --agent claude-code
  annals stats session.jsonl")]
pub(crate) struct Stats {
    /// Files, folders and sessions
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<PathBuf>,

    /// What to count by; by default agent
    #[arg(long, value_name = "WHAT")]
    pub(crate) by: Option<By>,

    #[command(flatten)]
    pub(crate) filter: Filter,
}

/// What sessions are counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum By {
    Agent,
    Project,
    /// The day of an answer or of a session's end, in UTC
    Day,
    Model,
    Session,
}

/// Check every byte: JSON, UTF-8, checksums, torn and damaged lines, and what agents' formats forbid
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without NAME, the sessions of the store and of all agents. Of a transcript,
also what its own format or the model's interface forbids is told: calls
without a result, broken chains, ids that stand there twice, gaps; and which
of that would keep the agent from going on with the session. Exits with 0 when
all is well, with 1 when the only thing is an unfinished last line (somebody
may be writing it) or something that an agent stumbles over, and with 4 when
something is damaged. Examples:
  annals verify
  annals verify ~/.codex/sessions")]
pub(crate) struct Verify {
    /// Files, folders and sessions
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<PathBuf>,

    #[command(flatten)]
    pub(crate) filter: Filter,

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

    /// Also if the last line is unfinished and only seconds old, or if most lines are no records
    #[arg(long)]
    pub(crate) force: bool,

    /// How many seconds to wait for another writer
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0, allow_negative_numbers = true)]
    pub(crate) wait: f64,
}

#[cfg(test)]
mod tests {
    use clap::{Command, CommandFactory};

    use super::*;

    /// The words of an example, up to where a shell would do something else with them.
    fn words(example: &str) -> Vec<String> {
        // What stands behind a gap explains.
        let example = example.split("  ").next().unwrap_or_default();
        let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
        for character in example.chars() {
            match (quote, character) {
                (None, '|' | '<' | '>' | '&') => break,
                (None, '\'' | '"') => {
                    quote = Some(character);
                    word.get_or_insert_default();
                }
                (Some(open), _) if open == character => quote = None,
                (None, ' ') => words.extend(word.take()),
                _ => word.get_or_insert_default().push(character),
            }
        }
        words.extend(word);
        words
    }

    fn examples(command: &Command, all: &mut Vec<String>) {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        all.extend(help.lines().map(str::trim).filter(|line| line.starts_with("annals ")).map(str::to_owned));
        command.get_subcommands().for_each(|inner| examples(inner, all));
    }

    #[test]
    fn every_example_in_a_help_text_can_be_typed() {
        let mut all = Vec::new();
        examples(&Args::command(), &mut all);
        assert!(all.len() > 90, "{}", all.len());
        for example in all {
            if let Err(error) = Args::try_parse_from(words(&example)) {
                panic!("{example}: {error}");
            }
        }
    }

    /// On a terminal that is 80 wide, nothing is wrapped by anybody else.
    #[test]
    fn help_texts_fit() {
        fn look(command: &Command) {
            for text in command.get_after_help().map(ToString::to_string).iter().flat_map(|text| text.lines())
            {
                let is_example = text.starts_with("  ");
                assert!(is_example || text.chars().count() <= 80, "{}: {text}", command.get_name());
            }
            command.get_subcommands().for_each(look);
        }
        look(&Args::command());
    }

    #[test]
    fn arguments_agree_with_one_another() {
        Args::command().debug_assert();
    }
}
