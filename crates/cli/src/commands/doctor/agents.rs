//! What the agents on this machine have kept.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use annals_formats::transcript::Effect;

use super::findings::{Findings, Kind};
use super::{Kept, Look, at_home, catalog, command_on, permissions};
use crate::agents::{Agents, CATALOG, Found, catalog_in};
use crate::commands::transcripts::examine::{Target, examine_all};
use crate::commands::transcripts::rows::Ids;
use crate::exit::Exit;
use crate::human::{count, name, plural};

/// Transcripts, by whose they are.
pub(super) type ByAgent = BTreeMap<&'static str, Vec<Found>>;

pub(super) fn find(agents: &Agents, findings: &mut Findings) -> ByAgent {
    let (mut by_agent, mut unlisted) = (ByAgent::new(), Vec::new());
    for found in agents.all_with(&mut unlisted) {
        by_agent.entry(found.agent.name()).or_default().push(found);
    }
    for (agent, failure) in &unlisted {
        findings.failure(agent.name(), failure);
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
    let ids = Ids::of(by_agent.values().flatten());
    for (who, all) in by_agent {
        let folders: Vec<PathBuf> = agents.folders(who).map(Path::to_owned).collect();
        permissions::agents(who, all, &folders, findings);
        kept.push(Kept {
            who,
            holds: holds(all),
            len: all.iter().map(|found| found.entry.len).sum(),
            beside: 0,
            paths: folders,
        });
        if !look.is_quick {
            transcripts(who, all, &ids, look, findings);
        }
    }
    for folder in agents.catalogs() {
        let found = catalog_in(folder);
        // What can't be found out, looking at it says.
        if found.exists().unwrap_or(true) {
            let verify = command_on("annals catalog verify --store", folder);
            catalog::look(CATALOG, &found, 0, &verify, kept, findings);
        }
    }
}

fn holds(all: &[Found]) -> String {
    let subagents = all.iter().filter(|found| found.is_subagent).count() as u64;
    let packed = all.iter().filter(|found| found.path().extension().is_some_and(|end| end == "zst")).count();
    let mut holds = vec![plural(all.len() as u64 - subagents, "session")];
    if subagents > 0 {
        holds.push(format!("{} of sub-agents", count(subagents)));
    }
    if packed > 0 {
        holds.push(format!("{} packed", count(packed as u64)));
    }
    holds.join(", ")
}

fn transcripts(who: &'static str, all: &[Found], ids: &Ids, look: &Look, findings: &mut Findings) {
    let mut unfinished = 0;
    let targets: Vec<Target> = all.iter().cloned().map(Target::of_agent).collect();
    for (found, (target, examined)) in all.iter().zip(examine_all(&targets, &look.options)) {
        let examined = match examined {
            Ok(examined) => examined,
            Err(failure) => {
                findings.failure(who, &failure);
                continue;
            }
        };
        let shown = ids.name_of(found).map_or_else(|| at_home(&target.path), |id| name(&id));
        // By its path: an id may be a session's key or a file's name, too.
        let next = || Some(command_on("annals verify", &target.path));
        let effect = match examined.effect() {
            Effect::Nothing => "",
            Effect::Prevents => "its agent can't go on with it",
            _ => "its agent goes on without what was said before",
        };
        if examined.verdict().1 == Exit::Damaged {
            let what = match &examined.packed {
                Some(remark) => remark.to_string(),
                None => plural(examined.report.damaged(), "damaged line"),
            };
            let and = if effect.is_empty() { "" } else { ", and " };
            findings.add(Kind::Damaged, who, format!("{shown}: {what}{and}{effect}"), next());
        } else if !effect.is_empty() {
            findings.add(Kind::Stuck, who, format!("{shown}: {effect}"), next());
        }
        unfinished += u64::from(examined.report.is_in_flight());
    }
    if unfinished > 0 {
        let text = format!("{} with an unfinished last line", plural(unfinished, "session"));
        findings.add(Kind::Unfinished, who, text, None);
    }
}
