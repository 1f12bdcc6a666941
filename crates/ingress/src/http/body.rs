//! How a body is cut into calls: one object, an array, or one object a line.

use std::fmt;

use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};

use super::element::Element;

/// A place in a body where a call should be: the call, or what is wrong with the JSON of that line.
pub(super) type Item<'a> = Result<Element<'a>, String>;

/// What the sender says the body is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Declared {
    /// `application/x-ndjson`.
    Lines,
    /// Anything else, or nothing: looked at.
    Anything,
}

/// Why nothing was taken from a body.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BodyError {
    #[error("the body is empty: send a call as a JSON object, an array of calls, or one call a line (NDJSON)")]
    Empty,
    #[error("invalid JSON: {0}; send a call as a JSON object, an array of calls, or one call a line (NDJSON)")]
    Syntax(String),
    #[error("no line holds a JSON value; the first one, {0}")]
    NoLine(String),
    #[error("more than {0} calls in one request: send them in several; nothing of this one was taken")]
    TooMany(usize),
}

/// Cuts a body into at most `limit` items.
///
/// A body that isn't declared as lines is one value if it is one; several values, one a line, are taken as lines. A broken line
/// of several costs only itself; a broken array or object, everything.
pub(super) fn read(body: &[u8], declared: Declared, limit: usize) -> Result<Vec<Item<'_>>, BodyError> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii();
    let whole = match (body.first(), declared) {
        (None, _) => return Err(BodyError::Empty),
        (Some(_), Declared::Lines) => return lines(body, limit),
        (Some(b'['), Declared::Anything) => return array(body, limit),
        (Some(_), Declared::Anything) => serde_json::from_slice::<Element<'_>>(body),
    };
    match whole {
        Ok(element @ Element::Object(_)) => Ok(vec![Ok(element)]),
        Ok(Element::Other(kind)) => Err(BodyError::Syntax(format!("a call is a JSON object, not {kind}"))),
        // One broken object over many lines is not a batch: a batch has a line that is an object by itself.
        Err(whole) => match lines(body, limit) {
            Err(BodyError::NoLine(_)) => Err(BodyError::Syntax(whole.to_string())),
            Ok(items) if items.len() < 2 || !items.iter().any(|item| matches!(item, Ok(Element::Object(_)))) => {
                Err(BodyError::Syntax(whole.to_string()))
            }
            read => read,
        },
    }
}

fn lines(body: &[u8], limit: usize) -> Result<Vec<Item<'_>>, BodyError> {
    let mut items: Vec<Item<'_>> = Vec::new();
    for (number, line) in (1..).zip(body.split(|byte| *byte == b'\n')) {
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        if items.len() >= limit {
            return Err(BodyError::TooMany(limit));
        }
        let place = |why: &serde_json::Error| {
            let text = why.to_string();
            // Each line is read by itself, so serde_json counts it as the first.
            let what = text.split_once(" at line ").map_or(&*text, |(what, _)| what);
            format!("line {number} column {}: invalid JSON: {what}", why.column())
        };
        items.push(serde_json::from_slice(line).map_err(|why| place(&why)));
    }
    match items.first() {
        Some(Err(first)) if items.iter().all(Result::is_err) => Err(BodyError::NoLine(first.clone())),
        _ => Ok(items),
    }
}

fn array(body: &[u8], limit: usize) -> Result<Vec<Item<'_>>, BodyError> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let read = (&mut json).deserialize_seq(ArrayVisitor { limit });
    match read.and_then(|items| json.end().map(|()| items)) {
        Ok(Some(elements)) => Ok(elements.into_iter().map(Ok).collect()),
        Ok(None) => Err(BodyError::TooMany(limit)),
        Err(why) => Err(BodyError::Syntax(why.to_string())),
    }
}

struct ArrayVisitor {
    limit: usize,
}

impl<'de> Visitor<'de> for ArrayVisitor {
    /// `None` when there are more than the limit.
    type Value = Option<Vec<Element<'de>>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of calls")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut elements = Vec::new();
        while elements.len() < self.limit {
            let Some(element) = items.next_element()? else { return Ok(Some(elements)) };
            elements.push(element);
        }
        let mut over = false;
        while items.next_element::<IgnoredAny>()?.is_some() {
            over = true;
        }
        Ok((!over).then_some(elements))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shape(body: &str, declared: Declared) -> Result<Vec<bool>, BodyError> {
        read(body.as_bytes(), declared, 3).map(|items| items.iter().map(Result::is_ok).collect())
    }

    #[test]
    fn a_body_is_cut_by_what_it_holds() {
        use Declared::{Anything, Lines};
        let one = vec![true];
        assert_eq!(shape("{\"id\":\"a\"}", Anything).unwrap(), one);
        assert_eq!(shape("\u{feff} {\n\"id\":\n\"a\"}\r\n", Anything).unwrap(), one);
        assert_eq!(shape("[]", Anything).unwrap(), Vec::<bool>::new());
        assert_eq!(shape("[{},{},{}]", Anything).unwrap(), vec![true; 3]);
        assert_eq!(shape("{}\n{}\r\n\n{}\n", Anything).unwrap(), vec![true; 3]);
        assert_eq!(shape("{}\n{}\n{\"id\":", Anything).unwrap(), vec![true, true, false]);
        assert_eq!(shape("{\"id\":\n{}", Anything).unwrap(), vec![false, true]);
        assert_eq!(shape("{}", Lines).unwrap(), one);
        assert_eq!(shape("{}\n{}\n{}\n{}", Lines), Err(BodyError::TooMany(3)));
        assert_eq!(shape("[{},{},{},{}]", Anything), Err(BodyError::TooMany(3)));
        assert_eq!(shape(" \n", Anything), Err(BodyError::Empty));
        assert!(matches!(shape("[{},{]", Anything), Err(BodyError::Syntax(why)) if why.contains("line 1 column 6")));
        assert!(matches!(shape("{\n\"id\": }\n", Anything), Err(BodyError::Syntax(why)) if why.contains("line 2")));
        assert!(matches!(shape("not json\nnor this", Lines), Err(BodyError::NoLine(why)) if why.starts_with("line 1")));
        assert!(matches!(shape("42", Anything), Err(BodyError::Syntax(_))));
    }

    proptest! {
        #[test]
        fn no_body_panics(body in proptest::collection::vec(any::<u8>(), 0..200), lined: bool) {
            let declared = if lined { Declared::Lines } else { Declared::Anything };
            let _ = read(&body, declared, 10);
        }
    }
}
