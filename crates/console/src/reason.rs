//! Why somebody does something: asked for by everything that changes the gateway or people, and kept in the audit log.

use axum::http::HeaderMap;

/// The longest reason, in characters; it is shown in a line.
const LONGEST: usize = 200;

/// A reason as it is kept: 1 to 200 characters in one line.
pub(crate) fn read(text: &str) -> Option<String> {
    let text = text.trim();
    let fits = !text.is_empty() && text.chars().count() <= LONGEST && !text.chars().any(char::is_control);
    fits.then(|| text.to_owned())
}

/// The reason that a program gives in the header `x-reason`, in UTF-8, where it gives one that can be kept.
pub(crate) fn of_header(headers: &HeaderMap) -> Option<String> {
    let value = headers.get("x-reason")?;
    read(std::str::from_utf8(value.as_bytes()).ok()?)
}
