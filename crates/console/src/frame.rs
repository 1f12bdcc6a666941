//! The live parts of a page: each is the content of one element, sent again only when it changed.

use std::sync::Arc;

use model::Msisdn;

/// A live part of a page.
#[derive(Clone)]
struct Part {
    /// The element's id.
    id: String,
    /// Its content; shared with the frame before when it is the same.
    html: Arc<str>,
}

/// All live parts of a page, as one viewer sees them.
#[derive(Clone, Default)]
pub(crate) struct Frame {
    parts: Vec<Part>,
}

impl Frame {
    /// These parts (id of the element, its content); those that are as in `before` share its text.
    pub(crate) fn of(drawn: Vec<(String, String)>, before: &Self) -> Self {
        let share = |(id, html): (String, String)| {
            let same = before.parts.iter().find(|part| part.id == id && *part.html == *html);
            same.cloned().unwrap_or_else(|| Part { id, html: Arc::from(html) })
        };
        Self { parts: drawn.into_iter().map(share).collect() }
    }

    /// The parts that `seen` does not have as they are here, as one message of `<hx-partial>` elements; `None` when there are none.
    pub(crate) fn since(&self, seen: Option<&Self>) -> Option<String> {
        let mut message = String::new();
        for part in &self.parts {
            let known = seen.is_some_and(|seen| seen.parts.iter().any(|old| Arc::ptr_eq(&old.html, &part.html)));
            if !known {
                message.push_str("<hx-partial hx-target=\"#");
                message.push_str(&part.id);
                message.push_str("\" hx-swap=\"innerMorph\">");
                message.push_str(&part.html);
                message.push_str("</hx-partial>\n");
            }
        }
        (!message.is_empty()).then_some(message)
    }

    /// The content of one part.
    pub(crate) fn part(&self, id: &str) -> &str {
        self.parts.iter().find(|part| part.id == id).map_or("", |part| &part.html)
    }

    /// The content of a part that there is one of for each number.
    pub(crate) fn numbered(&self, id: &str, number: &Msisdn) -> &str {
        self.part(&format!("{id}-{}", number.reveal()))
    }
}
