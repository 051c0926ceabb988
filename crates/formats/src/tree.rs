//! Records that form a tree: each names the one that it follows. A conversation is the way back from a leaf.

use std::collections::{BTreeMap, HashMap, HashSet};

use jsonl_core::{Log, Span};
use serde_json::Value;

use crate::error::Result;
use crate::lines;
use crate::transcript::{Conversation, Flags, Message, Part, Role, Stop, ToolCall};

/// What of a record is kept in mind.
#[derive(Debug)]
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

#[derive(Debug)]
pub(crate) enum Tool {
    Call { id: Box<str>, name: Box<str> },
    Result { id: Box<str>, is_error: bool },
}

impl Tool {
    fn id(&self) -> &str {
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
}

impl Tree {
    /// Adds a record; one whose id is there already is marked as a duplicate. Returns it.
    pub(crate) fn push(&mut self, mut node: Node) -> &Node {
        let index = self.nodes.len();
        if let Some(id) = &node.id {
            node.flags.duplicate = *self.ids.entry(id.clone()).or_insert(index) != index;
        }
        self.nodes.push(node);
        &self.nodes[index]
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
        parts: impl FnOnce(&Value) -> Vec<Part>,
    ) -> Result<Message> {
        let nothing = Node::default();
        let node = self.nodes.get(index).unwrap_or(&nothing);
        let value = lines::value(&log.read(node.span)?);
        Ok(Message {
            index,
            line: node.line,
            span: node.span,
            role: node.role.unwrap_or(Role::System),
            id: node.id.as_deref().map(str::to_owned),
            parent: node.parent.as_deref().map(str::to_owned),
            time: value["timestamp"].as_str().and_then(lines::parse_time),
            flags: node.flags,
            parts: parts(&value),
        })
    }

    /// The records that have a text.
    pub(crate) fn messages(&self) -> impl Iterator<Item = usize> {
        self.nodes.iter().enumerate().filter(|(_, node)| node.has_text).map(|(index, _)| index)
    }

    pub(crate) fn conversation_to(&self, leaf: usize) -> Conversation {
        let mut found = Conversation::default();
        let Some(mut node) = self.nodes.get(leaf) else { return found };
        found.leaf = node.id.as_deref().map(str::to_owned);
        let mut index = leaf;
        let mut seen = HashSet::new();
        loop {
            if !seen.insert(index) {
                let id = node.id.as_deref().unwrap_or_default().to_owned();
                found.stop = Some(Stop::Cycle { id });
                break;
            }
            if node.has_text {
                found.messages.push(index);
            }
            let Some(parent) = node.parent.as_ref().or(node.logical_parent.as_ref()) else { break };
            match self.ids.get(parent) {
                Some(next) => (index, node) = (*next, &self.nodes[*next]),
                None => {
                    found.stop = Some(Stop::MissingParent { id: parent.to_string() });
                    break;
                }
            }
        }
        found.messages.reverse();
        found
    }

    pub(crate) fn tool_calls(&self) -> Vec<ToolCall> {
        let mut calls: Vec<ToolCall> = Vec::new();
        let mut places = HashMap::new();
        for (line, tool) in self.tools() {
            match tool {
                Tool::Call { id, name } if !places.contains_key(id) => {
                    places.insert(id, calls.len());
                    let (id, name) = (id.to_string(), name.to_string());
                    calls.push(ToolCall { id, name, call_line: line, result_line: None, is_error: None });
                }
                Tool::Result { id, is_error } => {
                    if let Some(call) = places.get(id).and_then(|place: &usize| calls.get_mut(*place))
                        && call.result_line.is_none()
                    {
                        (call.result_line, call.is_error) = (Some(line), Some(*is_error));
                    }
                }
                Tool::Call { .. } => {}
            }
        }
        calls
    }

    pub(crate) fn results_without_call(&self) -> Vec<String> {
        let is_call = |tool: &Tool| matches!(tool, Tool::Call { .. });
        let calls: HashSet<&str> =
            self.tools().filter(|(_, tool)| is_call(tool)).map(|(_, tool)| tool.id()).collect();
        let mut seen = HashSet::new();
        let orphans = self.tools().map(|(_, tool)| tool).filter(|tool| !is_call(tool)).map(Tool::id);
        orphans.filter(|id| !calls.contains(id) && seen.insert(*id)).map(str::to_owned).collect()
    }

    fn tools(&self) -> impl Iterator<Item = (u64, &Tool)> {
        self.nodes.iter().flat_map(|node| node.tools.iter().map(|tool| (node.line, tool)))
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
