//! What can be typed about trust.

use std::path::PathBuf;

use clap::Subcommand;

/// Say which project files are approved, and use nothing else
#[derive(Debug, clap::Args)]
#[command(after_help = "\
What was approved is known by its path and its SHA-256. `cat` prints the
approved bytes or nothing, and nobody reads the file a second time:
  eval \"$(annals trust cat .envrc)\"
The store is trusted-projects in annals's folder, or aish's with --store.
Files and folders that others can change are refused, with the reason. More
examples:
  annals trust check .envrc && echo approved
  annals trust diff .envrc
  annals trust --store ~/.aish/trusted-projects list")]
pub(crate) struct Trust {
    /// Another store than annals's own
    #[arg(long, global = true, help_heading = "Which store", value_name = "FILE")]
    pub(crate) store: Option<PathBuf>,

    #[command(subcommand)]
    pub(crate) command: TrustCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TrustCommand {
    Check(Check),
    Cat(Cat),
    Allow(Allow),
    Deny(Deny),
    Revoke(Revoke),
    #[command(visible_alias = "ls")]
    List(List),
    Log(Log),
    Prune(Prune),
    Diff(Diff),
    Find(Find),
}

/// Say whether files are approved; exits with 5 unless all of them are
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  annals trust check .envrc && echo approved
  annals trust check --set .envrc scripts/setup.sh")]
pub(crate) struct Check {
    /// The files
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    /// All of them together, as they were approved together
    #[arg(long)]
    pub(crate) set: bool,
}

/// Print a file if it is approved: exactly the approved bytes, or nothing
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  eval \"$(annals trust cat .envrc)\"")]
pub(crate) struct Cat {
    /// The file
    pub(crate) file: PathBuf,
}

/// Approve files as they are: shows them and asks
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Where there is nobody to ask, give --digest (what was seen) or --yes. A denied
file has to be revoked first. Examples:
  annals trust allow .envrc
  annals trust allow --set .envrc scripts/setup.sh
  annals trust allow --digest 5234de2a… .envrc")]
pub(crate) struct Allow {
    /// The files
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    /// All of them together: a change in any asks again
    #[arg(long)]
    pub(crate) set: bool,

    /// The SHA-256 that was seen: nothing else is approved; with --set, the digest that check prints
    #[arg(long, value_name = "SHA256")]
    pub(crate) digest: Option<String>,

    /// Without asking
    #[arg(long)]
    pub(crate) yes: bool,
}

/// Deny files, whatever is in them, until that is revoked
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  annals trust deny vendor/install.sh")]
pub(crate) struct Deny {
    /// The files; they need not be there
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
}

/// Undo what was decided about files: they are asked about again; exits with 1 where there was nothing
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  annals trust revoke .envrc
  annals trust revoke --set .envrc scripts/setup.sh")]
pub(crate) struct Revoke {
    /// The files; they need not be there
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    /// All of them together, as they were approved together
    #[arg(long)]
    pub(crate) set: bool,
}

/// List what is approved and what is denied
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  annals trust list
  annals trust --store ~/.aish/trusted-projects list")]
pub(crate) struct List {}

/// Show everything that was decided, oldest first
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  annals trust log .envrc")]
pub(crate) struct Log {
    /// Only about this file
    pub(crate) file: Option<PathBuf>,
}

/// Revoke the approvals of files that are no longer there
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  annals trust prune --dry-run")]
pub(crate) struct Prune {
    /// Only say which
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Show what has changed since a file was approved; exits with 1 if something has
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  annals trust diff .envrc")]
pub(crate) struct Diff {
    /// The file
    pub(crate) file: PathBuf,
}

/// Find a file in this folder or the nearest above it; exits with 3 where there is none
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  file=$(annals trust find .envrc) && eval \"$(annals trust cat \"$file\")\"")]
pub(crate) struct Find {
    /// Its name
    pub(crate) name: String,

    /// The last folder that is looked into; by default the user's home, or else the root
    #[arg(long, value_name = "FOLDER")]
    pub(crate) stop: Option<PathBuf>,
}
