//! What can be typed about sessions.

use std::path::PathBuf;
use std::str::FromStr;

use annals_formats::Layout;
use annals_formats::document::DocumentKind;

use super::Level;

/// Append a message to a session, which is begun if it isn't there
#[derive(Debug, clap::Args)]
#[command(after_help = "\
With --role, the message's text is TEXT or standard input. Without it, standard
input holds messages as JSON objects with a role, one a line, which are stored
byte for byte. Prints nothing, or with --json the sequence number of each
message when it is as durable as asked for. Examples:
  annals append main --role user 'Is the ferry on time?'
  my-agent | annals append main --json")]
pub(crate) struct Append {
    /// The session
    pub(crate) key: String,

    /// Who speaks: user, assistant, system, tool
    #[arg(long)]
    pub(crate) role: Option<String>,

    /// What they say; by default standard input
    #[arg(requires = "role")]
    pub(crate) text: Option<String>,

    /// What a message has survived when it is acknowledged: `buffer` the end of the process, `data` and
    /// `all` a power cut
    #[arg(long, value_name = "LEVEL", default_value = "data")]
    pub(crate) durability: Level,
}

/// Begin a session with metadata, and print its key
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Nothing has to be begun: append does it, without metadata. Without KEY, the
key is the time, with a number behind it where that is taken. Exits with 1
where there is such a session already. Example:
  key=$(annals begin --metadata '{\"model\":\"fast\"}')")]
pub(crate) struct Begin {
    /// The session
    pub(crate) key: Option<String>,

    /// A JSON object
    #[arg(long, value_name = "JSON")]
    pub(crate) metadata: Option<String>,

    /// Also if there is an archived session with this key, which stays as it is
    #[arg(long, requires = "key")]
    pub(crate) anew: bool,
}

/// Hide old messages from a session's history; nothing is removed
#[derive(Debug, clap::Args)]
#[command(after_help = "\
`annals show` prints sequence numbers. After summarising, --before is the safe
way: messages that arrived meanwhile stay visible. Examples:
  annals truncate main --before 120 --summary 'They talked about ferries.'
  annals truncate main --keep-last 20")]
#[command(group(clap::ArgGroup::new("what").required(true).args(["keep_last", "before", "reveal"])))]
pub(crate) struct Truncate {
    /// The session
    pub(crate) key: String,

    /// All but the last N messages; more where a tool's result would lose its call
    #[arg(long, value_name = "N")]
    pub(crate) keep_last: Option<usize>,

    /// All messages before this sequence number
    #[arg(long, value_name = "SEQ")]
    pub(crate) before: Option<u64>,

    /// Show again what is hidden and has not been removed by compact
    #[arg(long, conflicts_with_all = ["summary", "part_calls"])]
    pub(crate) reveal: bool,

    /// Set the summary together with it
    #[arg(long, value_name = "TEXT")]
    pub(crate) summary: Option<String>,

    /// Also part tool calls from their results
    #[arg(long)]
    pub(crate) part_calls: bool,
}

/// Print or set a session's summary
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  annals summary main 'They asked about the ferry.'
  annals summary main - < summary.txt")]
pub(crate) struct Summary {
    /// The session
    pub(crate) key: String,

    /// The new summary; `-` for standard input
    #[arg(conflicts_with = "clear")]
    pub(crate) text: Option<String>,

    /// Take the summary away
    #[arg(long)]
    pub(crate) clear: bool,
}

/// Print or set a session's metadata
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  annals metadata main
  annals metadata main '{\"model\":\"fast\"}'")]
pub(crate) struct Metadata {
    /// The session
    pub(crate) key: String,

    /// The new metadata, a JSON object
    #[arg(value_name = "JSON", conflicts_with = "clear")]
    pub(crate) metadata: Option<String>,

    /// Take the metadata away
    #[arg(long)]
    pub(crate) clear: bool,
}

/// Take hidden messages out of sessions' logs
#[derive(Debug, clap::Args)]
#[command(after_help = "\
What is taken out is kept in the store's folder `removed`, unless --discard says
otherwise. Sequence numbers stay. Examples:
  annals compact --dry-run main
  annals compact --all")]
pub(crate) struct Compact {
    /// The sessions
    #[arg(required_unless_present = "all", value_name = "KEY")]
    pub(crate) keys: Vec<String>,

    /// All active sessions in which messages are hidden
    #[arg(long, conflicts_with = "keys")]
    pub(crate) all: bool,

    /// Keep nothing of what is taken out
    #[arg(long)]
    pub(crate) discard: bool,

    /// Only say what would be done
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Put sessions aside: still readable, and nothing can be appended
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  annals archive main
  annals archive --dry-run 'telegram:1' 'telegram:2'")]
pub(crate) struct Archive {
    /// The sessions
    #[arg(required = true, value_name = "KEY")]
    pub(crate) keys: Vec<String>,

    /// Only say what would be done
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Make an archived session active again
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  annals restore main
  annals restore main --number 1")]
pub(crate) struct Restore {
    /// The session
    pub(crate) key: String,

    /// Which of several archives of the key; by default the newest
    #[arg(long, value_name = "N")]
    pub(crate) number: Option<u64>,
}

/// Delete sessions, with their archives and what compact took out of them
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  annals rm --dry-run main")]
pub(crate) struct Rm {
    /// The sessions
    #[arg(required = true, value_name = "KEY")]
    pub(crate) keys: Vec<String>,

    /// Only say what would be deleted
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Copy a session, up to a record, to a new one that knows its parent
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  annals fork main try-again --at 12")]
pub(crate) struct Fork {
    /// The session
    pub(crate) key: String,

    /// The new session
    pub(crate) new: String,

    /// The last record that is copied; by default all are
    #[arg(long, value_name = "SEQ")]
    pub(crate) at: Option<u64>,
}

/// Say who holds a session's lock; exits with 1 where nobody does
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  annals who main")]
pub(crate) struct Who {
    /// The session
    pub(crate) key: String,
}

/// List, set and take away other names of sessions
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  annals alias ferry 'telegram:42'
  annals alias --remove ferry")]
pub(crate) struct Alias {
    /// The other name
    #[arg(required_if_eq("remove", "true"))]
    pub(crate) alias: Option<String>,

    /// The session that it leads to from now on
    #[arg(conflicts_with = "remove")]
    pub(crate) key: Option<String>,

    /// Take the name away
    #[arg(long)]
    pub(crate) remove: bool,
}

/// Import sessions of other programs into the store
#[derive(Debug, clap::Args)]
#[command(after_help = "\
SOURCE is a folder with the sessions of picoclaw, orca or aish, a folder with
the transcripts of an agent, one transcript, or the beginning of a session's
id as for `annals show`. It is only read. Messages arrive byte for byte; of
picoclaw, orca and aish with what is hidden, the summary, the metadata and
what is archived, of an agent's transcript the conversation that counts as
messages and every other record as a note, under the key AGENT:ID. What was
imported before is not imported again; where the source has grown, what is new
is appended. The report says what is damaged, changed or left out. Examples:
  annals import --dry-run ~/.picoclaw/workspace/sessions
  annals import @last")]
pub(crate) struct Import {
    /// The folder, the file or the session
    #[arg(value_name = "SOURCE")]
    pub(crate) source: PathBuf,

    /// Whose folder it is: picoclaw, orca or aish; by default what is in it tells
    #[arg(long, value_name = "LAYOUT")]
    pub(crate) from: Option<Layout>,

    /// Only say what would be imported
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Export sessions as picoclaw, orca or aish would have written them, or as documents to read
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Files that are there and hold something else are left alone, and named. The
report says what has no place in the layout, or isn't shown in the document.
HTML is one file that needs nothing else, with the images that are in the
transcript. FOLDER can be - for one document on standard output. Examples:
  annals export --to orca backup/
  annals export --to html reading/ @last
  annals export --to markdown - 24fbb56b | less")]
pub(crate) struct Export {
    /// The folder to write to, which is made if it isn't there
    pub(crate) folder: PathBuf,

    /// The sessions, of the store or of agents, as for `annals show`; by default all of the store
    #[arg(value_name = "NAME")]
    pub(crate) keys: Vec<String>,

    /// The layout, picoclaw, orca or aish, or the kind of document, markdown or html
    #[arg(long, value_name = "FORMAT")]
    pub(crate) to: ExportFormat,
}

/// What sessions are exported as.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ExportFormat {
    Layout(Layout),
    Document(DocumentKind),
}

impl FromStr for ExportFormat {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let layout = text.parse().map(Self::Layout).ok();
        let document = || text.parse().map(Self::Document).ok();
        layout.or_else(document).ok_or("it has to be picoclaw, orca, aish, markdown or html")
    }
}
