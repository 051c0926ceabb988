//! What is remembered, as text for a prompt.

use crate::filter::Filter;
use crate::record::Item;

/// How items become a block of text.
///
/// ```text
/// [background]
/// - pref: terse answers
/// - fact: uses LuaJIT
/// ```
///
/// Each item takes one line, whatever line breaks it holds: what somebody had remembered can't look like another part of
/// the prompt.
#[derive(Clone, Debug)]
pub struct Render {
    budget_chars: usize,
    heading: String,
    ids: bool,
    pub(crate) filter: Filter,
}

impl Default for Render {
    fn default() -> Self {
        Self::new()
    }
}

/// A block of text, and what became of each item.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rendered {
    /// The block, each line with its newline; empty where there is no item in it.
    pub text: String,
    /// The items in it, in their order.
    pub shown: Vec<u64>,
    /// The items that did not fit.
    pub left_out: Vec<u64>,
}

impl Render {
    /// The defaults that each setter names.
    #[must_use]
    pub fn new() -> Self {
        Self { budget_chars: 2000, heading: String::from("[background]"), ids: false, filter: Filter::new() }
    }

    /// The most characters that the block may have, with its heading and newlines. An item that doesn't fit is left out
    /// whole, and older ones that fit may follow. By default 2000, as in aish.
    #[must_use]
    pub fn budget_chars(mut self, count: usize) -> Self {
        self.budget_chars = count;
        self
    }

    /// The first line; none if it is empty. By default `[background]`.
    #[must_use]
    pub fn heading(mut self, heading: impl Into<String>) -> Self {
        self.heading = heading.into();
        self
    }

    /// Whether items show their ids, for a model that may forget them. By default not.
    #[must_use]
    pub fn ids(mut self, ids: bool) -> Self {
        self.ids = ids;
        self
    }

    /// Which items. By default all active ones.
    #[must_use]
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = filter;
        self
    }

    pub(crate) fn text(&self, items: Vec<Item>) -> Rendered {
        let mut rendered = Rendered { text: String::new(), shown: Vec::new(), left_out: Vec::new() };
        let mut block = match self.heading.as_str() {
            "" => String::new(),
            heading => format!("{}\n", one_line(heading)),
        };
        let mut chars = block.chars().count();
        for item in items {
            let content = one_line(&item.content);
            let line = match self.ids {
                true => format!("- {} {}: {content}\n", item.id, item.kind),
                false => format!("- {}: {content}\n", item.kind),
            };
            let more = line.chars().count();
            if chars + more > self.budget_chars {
                rendered.left_out.push(item.id);
                continue;
            }
            chars += more;
            block += &line;
            rendered.shown.push(item.id);
        }
        if !rendered.shown.is_empty() {
            rendered.text = block;
        }
        rendered
    }
}

/// Words with one space between them. Characters that break lines are white space; other control characters go.
fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").replace(char::is_control, "")
}
