//! What a record of Codex's says, part by part.

use crate::json::{self, Json};
use crate::transcript::{Image, Part, texts_and_images};

pub(crate) fn parts(item: &Json<'_>) -> Vec<Part> {
    let string = |name: &str| item[name].string();
    match item["type"].word() {
        Some("message") => item["content"].items().iter().map(part).collect(),
        Some("reasoning") => {
            let texts = |name: &str| {
                let texts: Vec<String> =
                    item[name].items().iter().filter_map(|part| part["text"].text()).collect();
                texts.join("\n")
            };
            [texts("summary"), texts("content")]
                .into_iter()
                .filter(|text| !text.is_empty())
                .map(Part::Reasoning)
                .collect()
        }
        Some("function_call") => {
            vec![Part::ToolCall { id: string("call_id"), name: string("name"), input: string("arguments") }]
        }
        Some("custom_tool_call") => {
            let input = item["input"].json();
            vec![Part::ToolCall { id: string("call_id"), name: string("name"), input }]
        }
        Some("local_shell_call") => {
            let (id, input) = (string("call_id"), item["action"].json());
            vec![Part::ToolCall { id, name: "local_shell".to_owned(), input }]
        }
        Some("web_search_call") => {
            let (id, input) = (string("id"), item["action"].json());
            vec![Part::ToolCall { id, name: "web_search".to_owned(), input }]
        }
        Some("function_call_output" | "custom_tool_call_output") => vec![output(item)],
        _ => vec![Part::Other(string("type"))],
    }
}

fn part(item: &Json<'_>) -> Part {
    match item["type"].word() {
        Some("input_text" | "output_text" | "text") => Part::Text(item["text"].string()),
        Some("input_image") => Part::Image(Image::at(&item["image_url"].string(), None)),
        _ => Part::Other(item["type"].string()),
    }
}

/// A text, or an object with items; older ones have a text that is such an object.
fn output(item: &Json<'_>) -> Part {
    let output = &item["output"];
    let text = output.text();
    // `{"output":…,"metadata":{"exit_code":0}}`, written as a text.
    let inner = text.as_ref().filter(|text| text.starts_with('{')).and_then(|text| {
        json::with(text.as_bytes(), |inner| {
            let code = inner["metadata"]["exit_code"].number();
            inner["output"].text().filter(|_| inner["metadata"].is_object()).map(|text| (text, code))
        })
    });
    let failed = inner.as_ref().and_then(|(_, code)| *code).is_some_and(|code| code != 0);
    let said = inner.map(|(text, _)| text).or(text);
    let items = if output.is_array() { output } else { &output["content_items"] };
    let (inside, images) = texts_and_images(items.items().iter().map(part));
    let texts: Vec<String> = said.into_iter().chain(inside).chain(output["content"].text()).collect();
    Part::ToolResult {
        id: item["call_id"].string(),
        text: texts.join("\n"),
        is_error: failed || output["success"].is_false(),
        images,
    }
}
