//! What can be typed about the catalog.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};

/// Which coding sessions exist, who they are, how they hang together
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The catalog is that of sessions-db: the folder that DRUUMEN_SESSIONS_DB_ROOT
names, or the nearest tickets/_logs or .dru-code upwards from here that has
one. --own takes annals's own. A session is given by its id, the beginning of
it, or its alias. To note every session of Claude Code, put this into its
settings.json:
  \"hooks\": {\"SessionStart\": [{\"hooks\": [{\"type\": \"command\",
    \"command\": \"annals catalog --own hook session-start\"}]}]}
Examples:
  annals catalog init && annals catalog find --branch main
  annals catalog alias 019dbe44 'timetable import'
  annals catalog close 'timetable import' --outcome done
Output and JSON are those of sessions-db where it has the command. Its exit
codes: 1 (not found) is 3 here, and 3 (unknown command) is 2.")]
pub(crate) struct Catalog {
    /// The catalog in this folder
    #[arg(long, global = true, help_heading = "Which catalog, and how", value_name = "FOLDER", conflicts_with_all = ["workspace", "own"])]
    pub(crate) store: Option<PathBuf>,

    /// The catalog in tickets/_logs of this folder
    #[arg(
        long,
        global = true,
        help_heading = "Which catalog, and how",
        value_name = "FOLDER",
        conflicts_with = "own"
    )]
    pub(crate) workspace: Option<PathBuf>,

    /// annals's own catalog, in its own folder
    #[arg(long, global = true, help_heading = "Which catalog, and how")]
    pub(crate) own: bool,

    /// Understand events exactly as sessions-db does
    #[arg(long, global = true, help_heading = "Which catalog, and how")]
    pub(crate) compat: bool,

    /// Don't say that it is done
    #[arg(long, global = true, help_heading = "Which catalog, and how")]
    pub(crate) quiet: bool,

    /// The same as --color never
    #[arg(long, global = true, help_heading = "Which catalog, and how", hide = true)]
    pub(crate) no_color: bool,

    #[command(subcommand)]
    pub(crate) command: CatalogCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CatalogCommand {
    #[command(visible_alias = "ls")]
    Find(Find),
    Tree(Tree),
    Show(Show),
    Alias(Alias),
    Link(Link),
    Unlink(Unlink),
    LinkParent(LinkParent),
    Close(Close),
    Reopen(Reopen),
    Sweep(Sweep),
    Rebuild(Rebuild),
    Init(Init),
    Watch(Watch),
    Export(Export),
    Verify(Verify),
    #[command(subcommand)]
    Hook(Hook),
}

/// List sessions, the one with the latest progress first
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Sessions for which all holds that is asked for. Examples:
  annals catalog find --state active --limit 10
  annals catalog --json find --project harbour | jq '.[].alias'")]
pub(crate) struct Find {
    /// Those that belong to this task
    #[arg(long)]
    pub(crate) task: Option<String>,

    /// Those that belong to this project
    #[arg(long)]
    pub(crate) project: Option<String>,

    /// The one with this alias
    #[arg(long)]
    pub(crate) alias: Option<String>,

    /// Those that are on this branch, or began on it
    #[arg(long)]
    pub(crate) branch: Option<String>,

    /// Those with this in the path of their folder or worktree
    #[arg(long, value_name = "TEXT")]
    pub(crate) cwd: Option<String>,

    /// Those in this state
    #[arg(long)]
    pub(crate) state: Option<State>,

    /// Those that ended so
    #[arg(long)]
    pub(crate) outcome: Option<Outcome>,

    /// List at most so many; 0 lists all
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub(crate) limit: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum State {
    Active,
    Idle,
    Archived,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Outcome {
    Open,
    Done,
    Blocked,
    Abandoned,
    Merged,
    Superseded,
}

/// Show what goes on from a session
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  annals catalog tree 'timetable import'
  annals catalog tree --up 019db3ec")]
pub(crate) struct Tree {
    /// The session
    #[arg(value_name = "SESSION")]
    pub(crate) id: String,

    /// What it goes on from instead, its parent first
    #[arg(long)]
    pub(crate) up: bool,
}

/// Show all that is known of a session
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  annals catalog show 019db3ec")]
pub(crate) struct Show {
    /// The session
    #[arg(value_name = "SESSION")]
    pub(crate) id: String,
}

/// Give a session a name
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  annals catalog alias 019db3ec 'timetable import'
  annals catalog alias --clear 'timetable import'")]
pub(crate) struct Alias {
    /// The session
    #[arg(value_name = "SESSION")]
    pub(crate) id: String,

    /// The name
    #[arg(required_unless_present = "clear", conflicts_with = "clear")]
    pub(crate) alias: Option<String>,

    /// Take its name away
    #[arg(long)]
    pub(crate) clear: bool,

    #[command(flatten)]
    pub(crate) dry: Dry,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Dry {
    /// Say what would be written, and don't
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = true)]
pub(crate) struct Links {
    /// A task; several may be given
    #[arg(long = "task", value_name = "TASK")]
    pub(crate) tasks: Vec<String>,

    /// A project; several may be given
    #[arg(long = "project", value_name = "PROJECT")]
    pub(crate) projects: Vec<String>,
}

/// Note that a session belongs to tasks and projects
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  annals catalog link 'timetable import' --task T-17 --project harbour")]
pub(crate) struct Link {
    /// The session
    #[arg(value_name = "SESSION")]
    pub(crate) id: String,

    #[command(flatten)]
    pub(crate) links: Links,

    /// That it doesn't, as unlink does
    #[arg(long)]
    pub(crate) remove: bool,

    #[command(flatten)]
    pub(crate) dry: Dry,
}

/// Note that a session doesn't belong to tasks and projects
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  annals catalog unlink 'timetable import' --task T-17")]
pub(crate) struct Unlink {
    /// The session
    #[arg(value_name = "SESSION")]
    pub(crate) id: String,

    #[command(flatten)]
    pub(crate) links: Links,

    #[command(flatten)]
    pub(crate) dry: Dry,
}

/// Note which session a session goes on from
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  annals catalog link-parent 019e274f 'timetable import'
  annals catalog link-parent --remove 019e274f")]
pub(crate) struct LinkParent {
    /// The session
    #[arg(value_name = "SESSION")]
    pub(crate) child: String,

    /// The one that it goes on from
    #[arg(required_unless_present = "remove", conflicts_with = "remove")]
    pub(crate) parent: Option<String>,

    /// That it goes on from none
    #[arg(long)]
    pub(crate) remove: bool,

    #[command(flatten)]
    pub(crate) dry: Dry,
}

/// Note how a session ended
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  annals catalog close 'timetable import' --outcome done --reason shipped")]
pub(crate) struct Close {
    /// The session
    #[arg(value_name = "SESSION")]
    pub(crate) id: String,

    /// How
    #[arg(long)]
    pub(crate) outcome: Outcome,

    /// Why
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,

    #[command(flatten)]
    pub(crate) dry: Dry,
}

/// Note that a session goes on after all
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  annals catalog reopen 'timetable import' --reason 'the Sunday column is wrong again'")]
pub(crate) struct Reopen {
    /// The session
    #[arg(value_name = "SESSION")]
    pub(crate) id: String,

    /// Why
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,

    #[command(flatten)]
    pub(crate) dry: Dry,
}

/// Note which sessions have been idle for long
#[derive(Debug, clap::Args)]
#[command(after_help = "\
What counts is a session's last event and when its transcripts were last
changed. Archived sessions stay archived until they are seen again. Example:
  annals catalog sweep --dry-run --idle-threshold-days 7")]
pub(crate) struct Sweep {
    /// After so many days a session is idle [default: 14]
    #[arg(long, value_name = "DAYS", allow_negative_numbers = true)]
    pub(crate) idle_threshold_days: Option<f64>,

    /// After so many days it is archived [default: 30]
    #[arg(long, value_name = "DAYS", allow_negative_numbers = true)]
    pub(crate) archive_threshold_days: Option<f64>,

    #[command(flatten)]
    pub(crate) dry: Dry,
}

/// Read the whole log, and write the cache anew
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  annals catalog rebuild")]
pub(crate) struct Rebuild {}

/// Make a catalog
#[derive(Debug, clap::Args)]
#[command(after_help = "Without --store, --workspace or --own, in .dru-code of this folder. Example:
  annals catalog --own init")]
pub(crate) struct Init {}

/// Print events as they come
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  annals catalog --json watch --timeout 60")]
pub(crate) struct Watch {
    /// End after so many seconds without one; by default never
    #[arg(long, value_name = "SECONDS")]
    pub(crate) timeout: Option<f64>,
}

/// Write what is known as sessions-db's projection
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  annals catalog export sessions-db.json")]
pub(crate) struct Export {
    /// Where to; by default standard output
    pub(crate) file: Option<PathBuf>,
}

/// Read the whole log, and say what in it is no event
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  annals catalog --own verify")]
pub(crate) struct Verify {}

/// Note what an agent tells of itself; never fails it
#[derive(Debug, Subcommand)]
pub(crate) enum Hook {
    SessionStart(SessionStart),
}

/// Note that a session of Claude Code begins or goes on; always exits with 0
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Reads one JSON object from standard input (session_id, cwd, transcript_path),
or else CLAUDE_SESSION_ID and CLAUDE_PROJECT_DIR. With --store, --workspace or
--own, every session is noted; without, those in a git worktree in or under a
folder that has a catalog, or whose CLAUDE.md names a Druumen Workspace, as
sessions-db's hook does. DRUUMEN_SESSIONS_DB_DISABLED=1 switches it off,
DRUUMEN_SESSIONS_DB_STORE_PREVIEW=0 keeps no prompts,
DRUUMEN_SESSIONS_DB_VERBOSE=1 says on standard error what went wrong. Example:
  annals catalog --own hook session-start < event.json")]
pub(crate) struct SessionStart {}
