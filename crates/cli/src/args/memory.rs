//! What can be typed about memories.

use std::path::PathBuf;

use annals_memory::Kind;
use clap::Subcommand;

/// Remember facts, preferences and context, and forget them
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The memory is memory.jsonl in annals's folder, or any of aish's with --file; one
program writes it at a time. Examples:
  annals memory add 'uses LuaJIT' --tag lang
  annals memory add --kind pref 'terse answers' --unless-known
  annals memory forget 2
  annals memory render --budget 2000
  annals memory --file ~/.aish/history/memory.jsonl list")]
pub(crate) struct Memory {
    /// Another memory than annals's own
    #[arg(long, global = true, help_heading = "Which memory, and how", value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,

    /// Put up with missing and damaged records, and note that they are known: one of them may have been the one
    /// that forgot something
    #[arg(long, global = true, help_heading = "Which memory, and how")]
    pub(crate) accept_loss: bool,

    /// How many seconds to wait for another writer
    #[arg(
        long,
        global = true,
        help_heading = "Which memory, and how",
        value_name = "SECONDS",
        default_value_t = 2.0,
        allow_negative_numbers = true
    )]
    pub(crate) wait: f64,

    #[command(subcommand)]
    pub(crate) command: MemoryCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum MemoryCommand {
    Add(Add),
    #[command(visible_alias = "ls")]
    List(List),
    Show(Show),
    Forget(Forget),
    Supersede(Supersede),
    Search(Search),
    Render(Render),
    Clear(Clear),
    Compact(Compact),
    Verify(Verify),
    Import(Import),
    Export(Export),
}

/// What an item says, beside its text.
#[derive(Debug, clap::Args)]
pub(crate) struct Says {
    /// What it says; by default standard input
    pub(crate) text: Option<String>,

    /// fact, pref or context
    #[arg(long, value_name = "KIND", default_value = "fact")]
    pub(crate) kind: Kind,

    /// A word to find it by; may be given several times
    #[arg(long = "tag", value_name = "TAG")]
    pub(crate) tags: Vec<String>,

    /// Where it comes from
    #[arg(long)]
    pub(crate) source: Option<String>,

    /// When it stops being active: in 90m, 12h, 7d, 4w, or a date
    #[arg(long, value_name = "WHEN")]
    pub(crate) expires: Option<String>,
}

/// Which items are meant.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Which {
    /// Only this kind; may be given several times
    #[arg(long = "kind", value_name = "KIND")]
    pub(crate) kinds: Vec<Kind>,

    /// Only with this tag; may be given several times
    #[arg(long = "tag", value_name = "TAG")]
    pub(crate) tags: Vec<String>,

    /// Only from this source, such as `remember` or `summarize`
    #[arg(long)]
    pub(crate) source: Option<String>,

    /// Only remembered since then: 90m, 12h, 7d, 4w, or a date
    #[arg(long, value_name = "WHEN")]
    pub(crate) since: Option<String>,

    /// Only remembered before then
    #[arg(long, value_name = "WHEN")]
    pub(crate) until: Option<String>,
}

/// Remember something, and print its id
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  annals memory add 'Prefers metric units' --tag style
  annals memory add --kind context --expires 7d 'Releases on Friday'")]
pub(crate) struct Add {
    #[command(flatten)]
    pub(crate) says: Says,

    /// Not if an active item of its kind says the same; its id is printed then
    #[arg(long)]
    pub(crate) unless_known: bool,
}

/// List what is remembered, newest first
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  annals memory list --tag style --since 30d
  annals memory --json list | jq -r .content")]
pub(crate) struct List {
    #[command(flatten)]
    pub(crate) which: Which,

    /// List at most so many
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,
}

/// Show an item and what happened to it, also if it was forgotten
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  annals memory show 3")]
pub(crate) struct Show {
    /// The item
    pub(crate) id: u64,
}

/// Forget items; exits with 1 where one is not active
#[derive(Debug, clap::Args)]
#[command(after_help = "\
What is forgotten stays in the file until compact. Example:
  annals memory forget 3 7")]
pub(crate) struct Forget {
    /// The items
    #[arg(required = true, value_name = "ID")]
    pub(crate) ids: Vec<u64>,

    /// Only say what would be forgotten
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Put a new item in the place of another, and print its id
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  annals memory supersede 1 'uses Lua 5.4' --tag lang")]
pub(crate) struct Supersede {
    /// The item that goes
    pub(crate) id: u64,

    #[command(flatten)]
    pub(crate) says: Says,
}

/// Find active items by what they say; exits with 1 where there is none
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  annals memory search lua --tag lang")]
pub(crate) struct Search {
    /// What to look for; upper and lower case are the same
    pub(crate) text: String,

    #[command(flatten)]
    pub(crate) list: List,
}

/// Print what is remembered as a block for a prompt
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  annals memory render --budget 2000 --kind fact --kind pref")]
pub(crate) struct Render {
    #[command(flatten)]
    pub(crate) which: Which,

    /// The most characters that the block may have
    #[arg(long, value_name = "CHARS", default_value_t = 2000)]
    pub(crate) budget: usize,

    /// The first line; none if it is empty
    #[arg(long, default_value = "[background]")]
    pub(crate) heading: String,

    /// Print the id of each item, too
    #[arg(long)]
    pub(crate) ids: bool,
}

/// Forget everything, or all that is meant
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  annals memory clear --dry-run --source summarize
  annals memory clear --yes --until 90d")]
pub(crate) struct Clear {
    #[command(flatten)]
    pub(crate) which: Which,

    /// Without asking; needed where there is nobody to ask
    #[arg(long)]
    pub(crate) yes: bool,

    /// Only say what would be forgotten
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Remove from the file what is forgotten, replaced or expired, for good
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  annals memory compact --dry-run")]
pub(crate) struct Compact {
    /// Only say what would be removed
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Read the whole memory and say what is odd, damaged or missing
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exits with 0 when all is well, with 1 when something is odd but nothing lost,
and with 4 when records are missing or damaged. Example:
  annals memory verify")]
pub(crate) struct Verify {
    /// Describe at most so many findings
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(crate) limit: usize,
}

/// Take over the active items of another memory, with their times; what is known is not added again
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  annals memory import --dry-run ~/.aish/history/memory.jsonl")]
pub(crate) struct Import {
    /// The other memory: aish's or annals's
    pub(crate) from: PathBuf,

    /// Only say what would be added
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Print the active items as a memory of its own, which aish reads, too
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  annals memory export shared.jsonl")]
pub(crate) struct Export {
    /// A file to write, which must not be there; by default standard output
    pub(crate) to: Option<PathBuf>,
}
