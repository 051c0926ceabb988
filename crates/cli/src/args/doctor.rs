//! What can be typed behind `annals doctor`.

/// Look at everything at once: stores, agents, damage, locks, permissions, space; and say what to run next
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Looks at annals's own sessions, memory, approvals and catalog, and at what
every agent has kept on this machine, and changes nothing. Every byte is read;
with --quick, of sessions only names, sizes, ends, locks and permissions. Ends
with the commands to run next, which show or mend what was found. Exits with 0
when all is well, with 1 when something is wrong and nothing lost, with 4 when
something is damaged. Examples:
  annals doctor
  annals doctor --quick
  annals --json doctor | jq -r 'select(.next).next'")]
pub(crate) struct Doctor {
    /// Don't read sessions, so damage inside them is not found
    #[arg(long)]
    pub(crate) quick: bool,
}
