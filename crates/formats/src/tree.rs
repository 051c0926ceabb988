//! Records that form a tree: each names the one that it follows. A conversation is the way back from a leaf.

use std::collections::{BTreeMap, HashMap, HashSet};

use jsonl_core::{Log, Span};

use crate::error::Result;
use crate::json::{self, Json};
use crate::lines;
use crate::transcript::{
    Conversation, Effect, Flags, Message, Part, Problem, ProblemKind, Role, Stop, ToolCall, hash_of,
};

/// What of a record is kept in mind.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) line: u64,
    pub(crate) span: Span,
    pub(crate) role: Option<Role>,
    pub(crate) has_text: bool,
    pub(crate) flags: Flags,
    pub(crate) id: Option<Box<str>>,
    pub(crate) parent: Option<Box<str>>,
    /// The parent on the other side of a compaction.
    pub(crate) logical_parent: Option<Box<str>>,
    pub(crate) tools: Vec<Tool>,
}

impl Default for Node {
    fn default() -> Self {
        Self {
            line: 0,
            span: Span { offset: 0, len: 0 },
            role: None,
            has_text: false,
            flags: Flags::default(),
            id: None,
            parent: None,
            logical_parent: None,
            tools: Vec::new(),
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Tool {
    Call { id: Box<str>, name: Box<str> },
    Result { id: Box<str>, is_error: Option<bool> },
}

impl Tool {
    pub(crate) fn id(&self) -> &str {
        match self {
            Self::Call { id, .. } | Self::Result { id, .. } => id,
        }
    }
}

/// The records of a transcript, in the order of the file.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    nodes: Vec<Node>,
    /// The first record of each id.
    ids: HashMap<Box<str>, usize>,
    /// Short names of the ids, where nothing else is kept.
    counted: Option<HashSet<u64>>,
}

/// What became of a record that was added.
pub(crate) struct Pushed {
    pub(crate) is_duplicate: bool,
    pub(crate) has_text: bool,
    /// How many tools it calls.
    pub(crate) calls: u64,
}

impl Tree {
    /// From here on, records are only counted.
    pub(crate) fn count_only(&mut self) {
        self.counted = Some(HashSet::new());
    }

    /// Adds a record; one whose id is there already is marked as a duplicate.
    pub(crate) fn push(&mut self, mut node: Node) -> Pushed {
        let calls = node.tools.iter().filter(|tool| matches!(tool, Tool::Call { .. })).count() as u64;
        let has_text = node.has_text;
        if let Some(counted) = &mut self.counted {
            let is_duplicate = node.id.is_some_and(|id| !counted.insert(hash_of(id)));
            return Pushed { is_duplicate, has_text, calls };
        }
        let index = self.nodes.len();
        if let Some(id) = &node.id {
            node.flags.duplicate = *self.ids.entry(id.clone()).or_insert(index) != index;
        }
        let is_duplicate = node.flags.duplicate;
        self.nodes.push(node);
        Pushed { is_duplicate, has_text, calls }
    }

    /// The first record of a line.
    pub(crate) fn at_line(&self, line: u64) -> Option<usize> {
        self.nodes.iter().position(|node| node.line == line)
    }

    pub(crate) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// A record, byte for byte.
    pub(crate) fn raw(&self, log: &Log, index: usize) -> Result<Vec<u8>> {
        let Some(node) = self.nodes.get(index) else { return Ok(Vec::new()) };
        Ok(log.read(node.span)?)
    }

    /// A record with what it says, which `parts` finds in its JSON; without parts if there is no such record.
    pub(crate) fn message(
        &self,
        log: &Log,
        index: usize,
        parts: impl FnOnce(&Json<'_>) -> Vec<Part>,
    ) -> Result<Message> {
        let nothing = Node::default();
        let node = self.nodes.get(index).unwrap_or(&nothing);
        Ok(json::with(&log.read(node.span)?, |record| Message {
            index,
            line: node.line,
            span: node.span,
            role: node.role.unwrap_or(Role::System),
            id: node.id.as_deref().map(str::to_owned),
            parent: node.parent.as_deref().map(str::to_owned),
            time: record["timestamp"].text().as_deref().and_then(lines::parse_time),
            flags: node.flags,
            parts: parts(record),
        }))
    }

    /// The records that have a text.
    pub(crate) fn messages(&self) -> impl Iterator<Item = usize> {
        self.nodes.iter().enumerate().filter(|(_, node)| node.has_text).map(|(index, _)| index)
    }

    pub(crate) fn conversation_to(&self, leaf: usize) -> Conversation {
        let (path, stop) = self.path_to(leaf);
        Conversation {
            leaf: self.nodes.get(leaf).and_then(|node| node.id.as_deref()).map(str::to_owned),
            messages: path.into_iter().filter(|index| self.nodes[*index].has_text).collect(),
            stop,
        }
    }

    /// The records from the beginning to a leaf, and why it isn't the beginning, if it isn't.
    pub(crate) fn path_to(&self, leaf: usize) -> (Vec<usize>, Option<Stop>) {
        let Some(mut node) = self.nodes.get(leaf) else { return (Vec::new(), None) };
        let mut path = Vec::new();
        let mut index = leaf;
        let mut seen = HashSet::new();
        let stop = loop {
            if !seen.insert(index) {
                let id = node.id.as_deref().unwrap_or_default().to_owned();
                break Some(Stop::Cycle { id });
            }
            path.push(index);
            let Some(parent) = node.parent.as_ref().or(node.logical_parent.as_ref()) else { break None };
            match self.ids.get(parent) {
                Some(next) => (index, node) = (*next, &self.nodes[*next]),
                None => break Some(Stop::MissingParent { id: parent.to_string() }),
            }
        };
        path.reverse();
        (path, stop)
    }

    /// Every record on the way to a leaf, and the results of the tools that are called on it, which stand beside it where a model
    /// calls several at once; in the order of the file.
    pub(crate) fn records_to(&self, leaf: usize) -> Vec<usize> {
        let (mut path, _) = self.path_to(leaf);
        let ids = |index: &usize, wants_calls: bool| -> Vec<&str> {
            let tools = self.nodes[*index].tools.iter();
            tools.filter(|tool| matches!(tool, Tool::Call { .. }) == wants_calls).map(Tool::id).collect()
        };
        let mut open: HashSet<&str> = path.iter().flat_map(|index| ids(index, true)).collect();
        path.iter().flat_map(|index| ids(index, false)).for_each(|id| _ = open.remove(id));
        if !open.is_empty() {
            for (index, node) in self.nodes.iter().enumerate().filter(|(_, node)| !node.flags.duplicate) {
                if ids(&index, false).iter().any(|id| open.contains(id)) && node.role.is_some() {
                    ids(&index, false).iter().for_each(|id| _ = open.remove(id));
                    path.push(index);
                }
            }
            path.sort_unstable();
        }
        path.retain(|index| self.nodes[*index].role.is_some());
        path
    }

    /// What of the tree is not as its format wants it, and what that does to whoever goes on from `leaf`. `refused` is what a
    /// call without a result, and a result without a call, do if they are on the way.
    pub(crate) fn problems(&self, leaf: Option<usize>, refused: [Effect; 2]) -> Vec<Problem> {
        let (path, stop) = leaf.map_or_else(Default::default, |leaf| self.path_to(leaf));
        let on_path: HashSet<u64> = path.iter().map(|index| self.nodes[*index].line).collect();
        // The last calls may be at work: those of the answer that the path ends with, or that has some results already.
        let is_result =
            |node: &Node| !node.has_text && node.tools.iter().any(|tool| matches!(tool, Tool::Result { .. }));
        let nodes = path.iter().rev().map(|index| &self.nodes[*index]).filter(|node| node.role.is_some());
        let nodes = nodes.skip_while(|node| is_result(node));
        let last = nodes.take_while(|node| node.role == Some(Role::Assistant));
        let at_work: HashSet<u64> = last.map(|node| node.line).collect();
        let mut problems = Vec::new();
        let mut add =
            |kind, line, id: String, effect| problems.push(Problem { kind, line, id: Some(id), effect });
        for (id, lines) in self.duplicate_ids() {
            lines[1..].iter().for_each(|line| {
                add(ProblemKind::DuplicateId, *line, id.clone(), Effect::Nothing);
            });
        }
        for (line, id) in self.missing_parents() {
            let is_stop = matches!(&stop, Some(Stop::MissingParent { id: missing }) if *missing == id);
            let effect = if is_stop && on_path.contains(&line) { Effect::Shortens } else { Effect::Nothing };
            add(ProblemKind::MissingParent, line, id, effect);
        }
        if let Some(Stop::Cycle { id }) = stop {
            let line = self.ids.get(&*id).map_or(0, |index| self.nodes[*index].line);
            add(ProblemKind::Cycle, line, id, Effect::Shortens);
        }
        for call in self.tool_calls() {
            if call.result_line.is_none() {
                let counts = on_path.contains(&call.call_line) && !at_work.contains(&call.call_line);
                let effect = if counts { refused[0] } else { Effect::Nothing };
                add(ProblemKind::CallWithoutResult, call.call_line, call.id, effect);
            }
        }
        for (line, id) in results_without_call(self.tools()) {
            let effect = if on_path.contains(&line) { refused[1] } else { Effect::Nothing };
            add(ProblemKind::ResultWithoutCall, line, id.to_owned(), effect);
        }
        problems.sort_by_key(|problem| problem.line);
        problems
    }

    pub(crate) fn tool_calls(&self) -> Vec<ToolCall> {
        tool_calls(self.tools())
    }

    /// The ids of results whose call is not in the file, each once.
    pub(crate) fn results_without_call(&self) -> Vec<String> {
        let mut seen = HashSet::new();
        let orphans = results_without_call(self.tools()).into_iter();
        orphans.filter(|(_, id)| seen.insert(*id)).map(|(_, id)| id.to_owned()).collect()
    }

    fn tools(&self) -> impl Iterator<Item = (u64, &Tool)> + Clone {
        let nodes = self.nodes.iter().filter(|node| !node.flags.duplicate);
        nodes.flat_map(|node| node.tools.iter().map(|tool| (node.line, tool)))
    }

    pub(crate) fn duplicate_ids(&self) -> Vec<(String, Vec<u64>)> {
        let mut lines: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
        for node in &self.nodes {
            if let Some(id) = &node.id {
                lines.entry(id).or_default().push(node.line);
            }
        }
        let several = lines.into_iter().filter(|(_, lines)| lines.len() > 1);
        several.map(|(id, lines)| (id.to_owned(), lines)).collect()
    }

    pub(crate) fn missing_parents(&self) -> Vec<(u64, String)> {
        let of = |node: &Node| {
            let parent = node.parent.as_deref().filter(|parent| !self.ids.contains_key(*parent))?;
            Some((node.line, parent.to_owned()))
        };
        self.nodes.iter().filter(|node| !node.flags.duplicate).filter_map(of).collect()
    }
}

/// Every call with its result, in the order of the file: a result belongs to the last call of its id that has none, for some programs
/// count their calls from 0 in every turn.
pub(crate) fn tool_calls<'a>(tools: impl Iterator<Item = (u64, &'a Tool)>) -> Vec<ToolCall> {
    let mut calls: Vec<ToolCall> = Vec::new();
    let mut open: HashMap<&str, usize> = HashMap::new();
    for (line, tool) in tools {
        match tool {
            Tool::Call { id, name } => {
                open.insert(id, calls.len());
                let (id, name) = (id.to_string(), name.to_string());
                calls.push(ToolCall { id, name, call_line: line, result_line: None, is_error: None });
            }
            Tool::Result { id, is_error } => {
                if let Some(call) = open.remove(&**id).and_then(|place| calls.get_mut(place)) {
                    (call.result_line, call.is_error) = (Some(line), *is_error);
                }
            }
        }
    }
    calls
}

/// Every result whose call is nowhere, with its line.
pub(crate) fn results_without_call<'a>(
    tools: impl Iterator<Item = (u64, &'a Tool)> + Clone,
) -> Vec<(u64, &'a str)> {
    let is_call = |tool: &Tool| matches!(tool, Tool::Call { .. });
    let calls: HashSet<&str> =
        tools.clone().filter(|(_, tool)| is_call(tool)).map(|(_, tool)| tool.id()).collect();
    let results = tools.filter(|(_, tool)| !is_call(tool));
    results.map(|(line, tool)| (line, tool.id())).filter(|(_, id)| !calls.contains(id)).collect()
}
