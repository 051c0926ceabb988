//! What the agents on this machine have kept.

use std::collections::BTreeMap;

use annals_formats::transcript::Effect;

use super::{Findings, Kept, Kind, Look, at_home, command, command_on, own, permissions};
use crate::agents::{Agents, CATALOG, Found, catalog_in};
use crate::commands::transcripts::rows::Ids;
use crate::commands::transcripts::verify::of_agent;
use crate::exit::Exit;
use crate::human::{count, name, plural};
use crate::out::Out;

/// Transcripts, by whose they are.
pub(super) type ByAgent = BTreeMap<&'static str, Vec<Found>>;

pub(super) fn find(agents: &Agents, out: &mut Out) -> ByAgent {
    let mut by_agent = ByAgent::new();
    for found in agents.all(out) {
        by_agent.entry(found.agent.name()).or_default().push(found);
    }
    by_agent
}

/// Bytes of all of them.
pub(super) fn len(by_agent: &ByAgent) -> u64 {
    by_agent.values().flatten().map(|found| found.entry.len).sum()
}

pub(super) fn look(
    by_agent: &ByAgent,
    agents: &Agents,
    look: &Look,
    kept: &mut Vec<Kept>,
    findings: &mut Findings,
) {
    let ids = Ids::of(&by_agent.values().flatten().cloned().collect::<Vec<_>>());
    for (who, all) in by_agent {
        transcripts(who, all, &ids, agents, look, kept, findings);
    }
    for folder in agents.catalogs() {
        let verify = command_on("annals catalog verify --store", folder);
        own::catalog(CATALOG, &catalog_in(folder), &verify, kept, findings);
    }
}

fn transcripts(
    who: &'static str,
    all: &[Found],
    ids: &Ids,
    agents: &Agents,
    look: &Look,
    kept: &mut Vec<Kept>,
    findings: &mut Findings,
) {
    let subagents = all.iter().filter(|found| found.is_subagent).count() as u64;
    let packed = all.iter().filter(|found| found.path().extension().is_some_and(|end| end == "zst")).count();
    let mut holds = vec![plural(all.len() as u64 - subagents, "session")];
    if subagents > 0 {
        holds.push(format!("{} of sub-agents", count(subagents)));
    }
    if packed > 0 {
        holds.push(format!("{} packed", count(packed as u64)));
    }
    let len = all.iter().map(|found| found.entry.len).sum();
    let path = agents.folders(who).map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
    kept.push(Kept { who, holds: holds.join(", "), len, path });
    permissions::agents(who, all, findings);
    if look.is_quick {
        return;
    }
    let (mut damaged, mut stuck) = (Vec::new(), Vec::new());
    let mut unfinished = 0;
    for found in all {
        let target = of_agent(found.clone());
        let examined = match target.examine(&look.options) {
            Ok(examined) => examined,
            Err(failure) => {
                findings.failure(who, &failure, None);
                continue;
            }
        };
        let (shown, next) = match ids.name_of(found) {
            Some(id) => (name(&id), command("annals verify", &id)),
            None => (at_home(&target.path), command_on("annals verify", &target.path)),
        };
        let stops = examined.effect() == Effect::Prevents;
        if examined.verdict().1 == Exit::Damaged {
            let what = match &examined.packed {
                Some(remark) => remark.to_string(),
                None => plural(examined.report.damaged(), "damaged line"),
            };
            let and = if stops { ", and its agent can't go on with it" } else { "" };
            damaged.push((format!("{shown}: {what}{and}"), next));
        } else if stops {
            stuck.push((format!("{shown}: its agent can't go on with it"), next));
        }
        unfinished += u64::from(examined.report.is_in_flight());
    }
    let rest = format!("annals verify --agent {who}");
    findings.several(Kind::Damaged, who, damaged, &rest);
    findings.several(Kind::Stuck, who, stuck, &rest);
    if unfinished > 0 {
        let text = format!("{} with an unfinished last line", plural(unfinished, "session"));
        findings.add(Kind::Unfinished, who, text, None);
    }
}
