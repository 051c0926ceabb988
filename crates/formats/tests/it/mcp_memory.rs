//! Graphs of MCP's memory server, clean and damaged, and what has to be read from them.

use annals_formats::Remark;
use annals_formats::mcp_memory::{Graph, Part};
use serde_json::{Value, json};

use crate::expected::{expected, testdata};

fn told(part: &Part<'_>) -> (Value, Value) {
    let entities: Vec<&str> = part.entities.iter().map(|entity| &*entity.name).collect();
    let relations: Vec<[&str; 3]> = part
        .relations
        .iter()
        .map(|relation| [&*relation.from, &*relation.relation_type, &*relation.to])
        .collect();
    (json!(entities), json!(relations))
}

#[test]
fn every_file_gives_what_is_expected() {
    let spec = expected("mcp-memory");
    for file in spec["files"].as_array().unwrap() {
        let name = file["file"].as_str().unwrap();
        let graph = Graph::open(testdata(name)).unwrap();
        assert_eq!(json!(graph.entities), file["entities_in_file_order"], "{name}");
        assert_eq!(json!(graph.relations), file["relations_in_file_order"], "{name}");
        let names: Vec<&str> = graph.distinct_entities().map(|entity| &*entity.name).collect();
        assert_eq!(json!(names), file["distinct_entities"], "{name}");
        assert_eq!(
            json!(graph.dangling_relations().collect::<Vec<_>>()),
            file["dangling_relations"],
            "{name}"
        );
        let repeated = graph.relations.len() - graph.distinct_relations().count();
        assert_eq!(repeated, file["duplicate_relations"].as_array().unwrap().len(), "{name}");
        let neither: Vec<Value> = graph.neither.iter().map(|line| json!({"line": line})).collect();
        assert_eq!(json!(neither), file["objects_that_are_neither"], "{name}");
        let bad = file["physical"]["bad"].as_array().unwrap();
        let (others, bad): (Vec<&Value>, Vec<&Value>) =
            bad.iter().partition(|bad| bad["kind"] == "not_object");
        assert_eq!(graph.odd, others.len() as u64, "{name}");
        let salvaged: Vec<usize> = graph
            .remarks
            .iter()
            .map(|remark| match remark {
                Remark::Damaged { salvaged, .. } => *salvaged,
                other => panic!("{other}"),
            })
            .collect();
        let wanted: Vec<usize> =
            bad.iter().map(|bad| bad["salvage"].as_array().map_or(0, Vec::len)).collect();
        assert_eq!(salvaged, wanted, "{name}");
        for case in file["search"].as_array().into_iter().flatten() {
            let found = graph.search(case["query"].as_str().unwrap());
            assert_eq!(
                told(&found),
                (case["entities"].clone(), case["relations"].clone()),
                "{}",
                case["query"]
            );
        }
        for case in file["open"].as_array().into_iter().flatten() {
            let names: Vec<&str> =
                case["names"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
            assert_eq!(
                told(&graph.named(&names)),
                (case["entities"].clone(), case["relations"].clone()),
                "{names:?}"
            );
        }
    }
}
