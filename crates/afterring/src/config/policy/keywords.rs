//! What people may text, with the faults that `routing` finds told by their keys.

use std::collections::BTreeMap;

use routing::{Action, KeywordError, Keywords};

use crate::config::form;
use crate::config::reader::Reader;

/// Keywords of all actions together; each fault goes to the key that it belongs to.
pub(super) fn keywords(reader: &mut Reader) -> Option<Keywords> {
    let path = |action: &str| format!("keywords.{action}");
    let mut given = BTreeMap::new();
    for action in Action::ALL {
        let words = form::list(&reader.raw(&path(action.as_str())), ',').into_iter().map(str::to_owned).collect();
        given.insert(action, words);
    }
    match Keywords::new(&given) {
        Ok(keywords) => Some(keywords),
        Err(errors) => {
            for error in errors {
                let action = match &error {
                    KeywordError::None(action) | KeywordError::Twice(_, _, action) => action,
                    KeywordError::Empty(word) => holder(&given, word),
                };
                reader.fault(&path(action), error.to_string());
            }
            None
        }
    }
}

/// The action that a keyword was given for.
fn holder(given: &BTreeMap<Action, Vec<String>>, word: &String) -> &'static str {
    given.iter().find(|(_, words)| words.contains(word)).map_or("fetch", |(action, _)| action.as_str())
}
