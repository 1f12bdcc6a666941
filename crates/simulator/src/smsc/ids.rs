//! What messages are called: their numbers in one of many forms, or names given to them.

use std::collections::{HashMap, VecDeque};

use super::faults::MessageIds;

/// Names kept: those of the latest so many messages that were given one.
const NAMES: usize = 4096;

impl MessageIds {
    /// The `message_id` of a message.
    pub(crate) fn write(self, id: u64) -> String {
        let (high, low) = (id >> 32, id & 0xffff_ffff);
        match self {
            Self::Hex => format!("{id:x}"),
            Self::HexUpper => format!("{id:X}"),
            Self::Decimal => id.to_string(),
            Self::ZeroPadded => format!("{id:020}"),
            Self::Digits => format!("70625{id:020}"),
            Self::Uuid => format!("{high:08x}-{:04x}-4a5f-8a5f-00000000{:04x}", low >> 16, low & 0xffff),
            Self::Punctuated => format!("{high:X}-{low:X}:F000.1"),
            Self::TooLong => format!("a{id:069x}"),
            Self::Constant => "1".into(),
        }
    }
}

/// Names that were given to messages, in place of the form.
#[derive(Debug, Default)]
pub(crate) struct Names {
    given: HashMap<u64, String>,
    order: VecDeque<u64>,
}

impl Names {
    pub(crate) fn give(&mut self, id: u64, name: String) {
        if self.order.len() >= NAMES
            && let Some(oldest) = self.order.pop_front()
        {
            self.given.remove(&oldest);
        }
        self.order.push_back(id);
        self.given.insert(id, name);
    }

    pub(crate) fn given(&self, id: u64) -> Option<&str> {
        // Mostly nobody was given a name, and then nothing is looked up.
        if self.are_none() { None } else { self.given.get(&id).map(String::as_str) }
    }

    pub(crate) fn are_none(&self) -> bool {
        self.order.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_is_what_it_says() {
        let id = 1_790_000_000_123_456;
        let written = |ids: MessageIds| ids.write(id);
        assert_eq!(written(MessageIds::Hex), "65bfeda27c240");
        assert_eq!(written(MessageIds::HexUpper), "65BFEDA27C240");
        assert_eq!(written(MessageIds::Decimal), "1790000000123456");
        assert_eq!(written(MessageIds::ZeroPadded), "00001790000000123456");
        assert_eq!(written(MessageIds::Digits), "7062500001790000000123456");
        assert_eq!(written(MessageIds::Uuid), "00065bfe-da27-4a5f-8a5f-00000000c240");
        assert_eq!(written(MessageIds::Punctuated), "65BFE-DA27C240:F000.1");
        assert_eq!(written(MessageIds::TooLong).len(), 70);
        assert_eq!(written(MessageIds::Constant), MessageIds::Constant.write(7));
    }

    #[test]
    fn only_the_latest_names_are_kept() {
        let mut names = Names::default();
        for id in 0..=4096 {
            names.give(id, id.to_string());
        }
        assert_eq!((names.given(0), names.given(1), names.given(4096)), (None, Some("1"), Some("4096")));
        assert_eq!(names.given.len(), NAMES);
    }
}
