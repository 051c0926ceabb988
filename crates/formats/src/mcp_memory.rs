//! The knowledge graph of MCP's memory server: entities and relations, one line each, in whatever order.
//!
//! The server keys entities by their name and relations by all that they have, and ignores what is there already; files that were
//! written by several of them, or by hand, have both more than once. Of an entity the first one counts.

use std::collections::HashSet;
use std::path::Path;

use jsonl_core::{Span, parse_json, scan};
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::foreign::Remark;
use crate::lines;

/// A knowledge graph.
///
/// ```
/// # fn main() -> annals_formats::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("memory.jsonl");
/// # std::fs::write(&path, concat!(
/// #   r#"{"type":"entity","name":"api","entityType":"service","observations":["uses pgbouncer"]}"#, "\n",
/// #   r#"{"type":"relation","from":"api","to":"db","relationType":"reads_from"}"#, "\n",
/// # )).unwrap();
/// use annals_formats::mcp_memory::Graph;
///
/// let graph = Graph::open(&path)?;
/// let found = graph.search("PGBOUNCER");
/// assert_eq!(found.entities[0].name, "api");
/// assert_eq!(found.relations[0].to, "db");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Graph {
    /// Entities, in the order of the file; those whose name was there before, too.
    pub entities: Vec<Entity>,
    /// Relations, in the order of the file; repeated ones, too.
    pub relations: Vec<Relation>,
    /// The lines of objects that are neither.
    pub neither: Vec<u64>,
    /// JSON that is no object.
    pub odd: u64,
    /// What is damaged, in the order of the file.
    pub remarks: Vec<Remark>,
}

/// Something that is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Entity {
    /// By this it is known.
    pub name: String,
    /// What it is.
    pub entity_type: String,
    /// What is known of it.
    pub observations: Vec<String>,
}

/// What one has to do with another.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Relation {
    /// One entity's name.
    pub from: String,
    /// The other's.
    pub to: String,
    /// What it is.
    pub relation_type: String,
}

/// A part of a graph.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Part<'a> {
    /// Entities, in the order of the file.
    pub entities: Vec<&'a Entity>,
    /// Every relation that touches one of them, in the order of the file.
    pub relations: Vec<&'a Relation>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Line {
    Entity(Entity),
    Relation(Relation),
}

impl Graph {
    /// Reads a graph. The file is neither locked nor mapped.
    ///
    /// # Errors
    ///
    /// [`Error::Log`](crate::Error::Log) if it can't be read.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let log = lines::open(path.as_ref())?;
        let mut graph = Self::default();
        let is_ours = |raw: &[u8]| parse_json::<Line>(raw).is_ok();
        lines::index(&log, parse, is_ours, |line, found| {
            match found.record(&mut graph.odd, &mut graph.remarks) {
                Some(Some(Line::Entity(entity))) => graph.entities.push(entity),
                Some(Some(Line::Relation(relation))) => graph.relations.push(relation),
                Some(None) => graph.neither.push(line),
                None => {}
            }
        })?;
        Ok(graph)
    }

    /// Entities, the first of each name.
    pub fn distinct_entities(&self) -> impl Iterator<Item = &Entity> {
        let mut seen = HashSet::new();
        self.entities.iter().filter(move |entity| seen.insert(&*entity.name))
    }

    /// Relations, each once.
    pub fn distinct_relations(&self) -> impl Iterator<Item = &Relation> {
        let mut seen = HashSet::new();
        self.relations.iter().filter(move |relation| seen.insert(*relation))
    }

    /// Relations to or from something that is not in the graph.
    pub fn dangling_relations(&self) -> impl Iterator<Item = &Relation> {
        let names: HashSet<&str> = self.entities.iter().map(|entity| &*entity.name).collect();
        let is_whole =
            move |relation: &Relation| names.contains(&*relation.from) && names.contains(&*relation.to);
        self.distinct_relations().filter(move |relation| !is_whole(relation))
    }

    /// Entities with this in their name, their type or what is known of them, in whatever case, as the server finds them.
    #[must_use]
    pub fn search(&self, text: &str) -> Part<'_> {
        let text = text.to_lowercase();
        let has_it = |field: &String| field.to_lowercase().contains(&text);
        self.part(|entity| {
            has_it(&entity.name) || has_it(&entity.entity_type) || entity.observations.iter().any(has_it)
        })
    }

    /// Entities of these names.
    #[must_use]
    pub fn named(&self, names: &[&str]) -> Part<'_> {
        self.part(|entity| names.contains(&&*entity.name))
    }

    fn part(&self, is_meant: impl Fn(&Entity) -> bool) -> Part<'_> {
        let entities: Vec<&Entity> = self.distinct_entities().filter(|entity| is_meant(entity)).collect();
        let names: HashSet<&str> = entities.iter().map(|entity| &*entity.name).collect();
        let touches = |relation: &&Relation| names.contains(&*relation.from) || names.contains(&*relation.to);
        let relations = self.distinct_relations().filter(touches).collect();
        Part { entities, relations }
    }
}

/// A line that is an object, and what it is if it is one of ours.
fn parse(_: Span, raw: &[u8]) -> Option<Option<Line>> {
    let mut members = scan::members(raw);
    (&mut members).for_each(drop);
    members.is_whole().then(|| parse_json::<Line>(raw).ok())
}
