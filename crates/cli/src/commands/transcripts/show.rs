//! `annals show` of an agent's transcript: what was said, and counts.

use annals_formats::Transcript;
use annals_formats::codex::{Missing, lineage};
use annals_formats::transcript::{Agent, Conversation, Stop};

use super::{is_any_by, print};
use crate::agents::{Agents, Found, spool};
use crate::args::Show;
use crate::exit::{Exit, Failure};
use crate::human::{name, path, plural};
use crate::out::{Out, Paint};

pub(crate) fn run(args: &Show, found: &Found, agents: &Agents, out: &mut Out) -> Result<Exit, Failure> {
    if let Some(count) = args.tail {
        let Some((transcript, conversation)) = found.open_end(count)? else {
            return Ok(no_transcript(found, out));
        };
        if conversation.messages.len() < count
            && let Some(home) = goes_on_in(&transcript, found, agents)
        {
            return show_lineage(args, found, &home, out);
        }
        print_messages(args, &transcript, &conversation.messages, out)?;
        return Ok(Exit::Done);
    }
    let Some(transcript) = Transcript::open_in(found.path(), &spool())? else {
        return Ok(no_transcript(found, out));
    };
    if let Some(home) = goes_on_in(&transcript, found, agents) {
        return show_lineage(args, found, &home, out);
    }
    let (conversation, records) = match args.leaf {
        None => (transcript.conversation(), transcript.records()),
        Some(line) => match transcript.at_line(line) {
            Some(leaf) => transcript.conversation_to(leaf),
            None => {
                let file = path(found.path());
                let text = format!("{file}: no conversation ends with line {line}; --records shows them all");
                return Err(Failure::Told(Exit::NotFound, text));
            }
        },
    };
    if !out.json && !args.view.raw {
        print_head(&transcript, &conversation, out)?;
    }
    print_messages(args, &transcript, &records, out)?;
    match &conversation.stop {
        Some(Stop::MissingParent { id }) => {
            let id = name(id);
            out.note(format_args!(
                "it goes on from a record that is not in the file ({id}); --records shows what came before"
            ));
        }
        Some(Stop::Cycle { id }) => {
            let id = name(id);
            out.note(format_args!("it goes in a circle, at {id}; --records shows everything"));
        }
        _ => {}
    }
    say_damaged(transcript.overview().damaged() as u64, found, out);
    if let Transcript::ClaudeCode(_) = &transcript {
        let subagents = annals_formats::claude_code::subagents(found.path()).unwrap_or_else(|error| {
            out.note(format_args!("its sub-agents can't be looked for: {}", name(&error.to_string())));
            Vec::new()
        });
        if !subagents.is_empty() && !out.json {
            let count = plural(subagents.len() as u64, "transcript");
            let first = subagents.iter().map(|entry| path(&entry.path)).min().unwrap_or_default();
            out.note(format_args!("its sub-agents have {count}, such as {first}"));
        }
    }
    Ok(Exit::Done)
}

/// Where the files are that it goes on from, if it goes on from others.
fn goes_on_in(transcript: &Transcript, found: &Found, agents: &Agents) -> Option<std::path::PathBuf> {
    let Transcript::Codex(codex) = transcript else { return None };
    codex.base()?;
    agents.codex_home(found.path())
}

/// A thread that goes on from other files, from its beginning, or its last messages.
fn show_lineage(args: &Show, found: &Found, home: &std::path::Path, out: &mut Out) -> Result<Exit, Failure> {
    let lineage = lineage(found.path(), home, &spool())?;
    let all: usize = lineage.segments.iter().map(|segment| segment.conversation.messages.len()).sum();
    let mut passed = args.tail.map_or(0, |count| all.saturating_sub(count));
    for segment in &lineage.segments {
        let messages = &segment.conversation.messages;
        let indexes = match args.tail {
            None => &segment.records[..],
            Some(_) => &messages[passed.min(messages.len())..],
        };
        passed = passed.saturating_sub(messages.len());
        if indexes.is_empty() {
            continue;
        }
        if !out.json && !args.view.raw {
            let file = path(&segment.path);
            out.line(out.paint(Paint::Dim, format_args!("from {file}\n")))?;
        }
        for index in indexes {
            let (message, raw) = (segment.transcript.message(*index)?, segment.transcript.raw(*index)?);
            if is_any_by(message.role, &message.parts, &args.role) {
                print(&message, &raw, args.view, out)?;
            }
        }
    }
    let damaged = lineage.segments.iter().map(|segment| segment.transcript.overview().damaged() as u64);
    say_damaged(damaged.sum(), found, out);
    match &lineage.missing {
        Some(Missing::NotFound(base)) => {
            lineage.unlisted.into_iter().for_each(|error| out.complain(&error.into()));
            let named = base.path.as_ref().map(|file| path(file)).or_else(|| base.id.as_deref().map(name));
            out.note(format_args!(
                "it goes on from {}, which is not in {}",
                named.unwrap_or_default(),
                path(home)
            ));
        }
        Some(Missing::Cycle(file)) => out.note(format_args!("it goes in a circle, to {}", path(file))),
        _ => {}
    }
    Ok(Exit::Done)
}

fn print_messages(
    args: &Show,
    transcript: &Transcript,
    indexes: &[usize],
    out: &mut Out,
) -> Result<(), Failure> {
    for index in indexes {
        let message = transcript.message(*index)?;
        if is_any_by(message.role, &message.parts, &args.role) {
            print(&message, &transcript.raw(*index)?, args.view, out)?;
        }
    }
    Ok(())
}

fn no_transcript(found: &Found, out: &mut Out) -> Exit {
    let (file, agent) = (path(found.path()), found.agent);
    let text = format!("{file}: holds nothing that {agent} writes; --records shows what is in it");
    out.complain(&Failure::Told(Exit::Findings, text));
    Exit::Findings
}

/// What the transcript says of its session, on one line.
fn print_head(transcript: &Transcript, conversation: &Conversation, out: &mut Out) -> Result<(), Failure> {
    let overview = transcript.overview();
    let mut head = transcript.agent().name().to_owned();
    let branch = overview.branch.as_ref().map(|branch| format!("({branch})"));
    for more in [&overview.title, &overview.project, &branch].into_iter().flatten() {
        head.push_str("  ");
        head.push_str(&name(more));
    }
    let (shown, messages) = (conversation.messages.len(), plural(overview.messages, "message"));
    out.line(out.paint(Paint::Dim, format_args!("{head}  {shown} of {messages}")))?;
    out.line("")
}

fn say_damaged(damaged: u64, found: &Found, out: &mut Out) {
    if damaged > 0 {
        let (file, lines) = (path(found.path()), plural(damaged, "damaged line"));
        out.note(format_args!("{file}: {lines}; annals verify describes them"));
    }
}

/// Whether a file that is named is shown as a conversation: not where every line is a message anyway.
pub(crate) fn is_told_apart(agent: Agent) -> bool {
    !matches!(agent, Agent::Picoclaw | Agent::Orca | Agent::Aish | Agent::Chat)
}
