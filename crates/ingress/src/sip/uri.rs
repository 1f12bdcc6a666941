//! SIP and tel URIs, and the addresses that hold them (RFC 3261 §19.1, §20.10; RFC 3966).

use std::borrow::Cow;

use super::lexer;

/// What a URI begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// `sip:` or `sips:`.
    Sip,
    /// `tel:`.
    Tel,
}

/// A URI, cut but not decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Uri<'a> {
    /// What it begins with.
    pub scheme: Scheme,
    /// The user of a SIP URI with the parameters in it, or the whole number of a tel URI; empty when there is none.
    pub user: &'a [u8],
    /// Host and port; empty in a tel URI.
    pub host: &'a [u8],
    /// The URI parameters, `;` between them.
    pub parameters: &'a [u8],
    /// The headers after `?`, `&` between them.
    pub headers: &'a [u8],
}

/// A name-addr or addr-spec, with the parameters of its header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address<'a> {
    /// The URI, without brackets.
    pub uri: &'a [u8],
    /// The header's parameters, `;` between them.
    pub parameters: &'a [u8],
}

impl<'a> Address<'a> {
    /// Reads an address; `None` when a quote or bracket isn't closed, there is no URI, or stray quotes hide another one.
    #[must_use]
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        if !lexer::balanced(value) {
            return None;
        }
        let (uri, rest) = match lexer::find_outside(value, b'<') {
            Some(open) => {
                let display = value.get(..open)?.trim_ascii();
                if display.contains(&b'<') && !lexer::is_quoted(display) {
                    return None;
                }
                let inner = value.get(open + 1..)?;
                let close = inner.iter().position(|byte| *byte == b'>')?;
                (inner.get(..close)?, inner.get(close + 1..)?)
            }
            // Without brackets every parameter is the header's (RFC 3261 §20.10).
            None => value.split_at(value.iter().position(|byte| *byte == b';').unwrap_or(value.len())),
        };
        let parameters = rest.trim_ascii_start();
        let parameters = parameters.strip_prefix(b";").unwrap_or(parameters);
        let uri = uri.trim_ascii();
        (!uri.is_empty()).then_some(Self { uri, parameters })
    }
}

impl<'a> Uri<'a> {
    /// Cuts a URI; `None` when its scheme is another than sip, sips or tel.
    #[must_use]
    pub fn parse(uri: &'a [u8]) -> Option<Self> {
        let colon = uri.iter().position(|byte| *byte == b':')?;
        let (scheme, rest) = (uri.get(..colon)?, uri.get(colon + 1..)?);
        if scheme.eq_ignore_ascii_case(b"tel") {
            // It has no headers (RFC 3966 §3), but some write those of History-Info behind it all the same.
            let (rest, headers) = cut(rest, b'?');
            let (user, parameters) = cut(rest, b';');
            return Some(Self { scheme: Scheme::Tel, user, host: b"", parameters, headers });
        }
        if !scheme.eq_ignore_ascii_case(b"sip") && !scheme.eq_ignore_ascii_case(b"sips") {
            return None;
        }
        // A user may hold `;` and `?`; an `@` in it must be escaped, so the first one ends it.
        let (user, rest) = match rest.iter().position(|byte| *byte == b'@') {
            Some(at) => (rest.get(..at)?, rest.get(at + 1..)?),
            None => (&b""[..], rest),
        };
        let (rest, headers) = cut(rest, b'?');
        let (host, parameters) = cut(rest, b';');
        Some(Self { scheme: Scheme::Sip, user, host, parameters, headers })
    }

    /// The user without its parameters and password, escapes read; `None` when it isn't text or there is none.
    ///
    /// A local number with a global `phone-context` (RFC 3966 §5.1.5) is put behind it, unless that is this country's code: then it
    /// is written as numbers are written here, national prefix and all.
    #[must_use]
    pub fn number(&self, country_code: &str) -> Option<Cow<'a, str>> {
        let (user, inner) = cut(self.user, b';');
        let user = if self.scheme == Scheme::Sip { cut(user, b':').0 } else { user };
        let number = match lexer::unescape(user) {
            Cow::Borrowed(plain) => Cow::Borrowed(std::str::from_utf8(plain).ok()?.trim()),
            Cow::Owned(unescaped) => Cow::Owned(String::from_utf8(unescaped).ok()?.trim().to_owned()),
        };
        if number.is_empty() {
            return None;
        }
        let context = [inner, self.parameters].into_iter().find_map(|at| lexer::parameter_value(at, b"phone-context"));
        let context = context.map(lexer::unescape);
        let global = context.as_deref().and_then(|it| std::str::from_utf8(it).ok()).filter(|it| it.starts_with('+'));
        Some(match global {
            Some(prefix) if !number.starts_with('+') && prefix.get(1..) != Some(country_code) => {
                Cow::Owned(format!("{prefix}{number}"))
            }
            _ => number,
        })
    }

    /// The value of a URI parameter.
    #[must_use]
    pub fn parameter(&self, name: &[u8]) -> Option<&'a [u8]> {
        lexer::parameter_value(self.parameters, name)
    }
}

fn cut(text: &[u8], separator: u8) -> (&[u8], &[u8]) {
    match text.iter().position(|byte| *byte == separator) {
        Some(at) => (text.get(..at).unwrap_or_default(), text.get(at + 1..).unwrap_or_default()),
        None => (text, b""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_are_read_from_every_form_seen() {
        for (uri, number) in [
            ("sip:+4530405060@op.example;user=phone", Some("+4530405060")),
            ("SIPS:30405060@op", Some("30405060")),
            ("tel:+45-3040-5060;ext=5", Some("+45-3040-5060")),
            ("tel:30405060;phone-context=+46", Some("+4630405060")),
            ("sip:30405060;phone-context=national@op;user=phone", Some("30405060")),
            ("sip:30405060;phone-context=+45@op", Some("30405060")),
            ("sip:0493363501;phone-context=+45@op", Some("0493363501")),
            ("sip:405060;phone-context=+4530@op", Some("+4530405060")),
            ("sip:5550100;phone-context=+1-202@op", Some("+1-2025550100")),
            ("sip:30405060;phone-context=%2B46@op", Some("+4630405060")),
            ("sip:%2B4530405060:secret@op", Some("+4530405060")),
            ("sip:op.example", None),
            ("sip:%ff@op", None),
        ] {
            assert_eq!(Uri::parse(uri.as_bytes()).unwrap().number("45").as_deref(), number, "{uri}");
        }
        assert_eq!(Uri::parse(b"soap.beep://192.0.2.103:3002"), None);
        assert_eq!(Uri::parse(b"nothing"), None);
    }

    #[test]
    fn parameters_and_headers_are_apart() {
        let uri = Uri::parse(b"sip:1@h:5060;cause=486;target=sip%3A2%40h?Reason=SIP%3Bcause%3D486&x=y").unwrap();
        assert_eq!((uri.host, uri.parameter(b"cause")), (&b"h:5060"[..], Some(&b"486"[..])));
        assert_eq!(uri.headers, b"Reason=SIP%3Bcause%3D486&x=y");
        let uri = Uri::parse(b"tel:+4530405060;cause=486?Privacy=history").unwrap();
        assert_eq!((uri.user, uri.parameter(b"cause")), (&b"+4530405060"[..], Some(&b"486"[..])));
        assert_eq!(uri.headers, b"Privacy=history");
    }

    #[test]
    fn addresses_are_read_with_and_without_brackets() {
        let address = Address::parse(b"\"Op, <Sales>\" <sip:1@h;a=b>;tag=x").unwrap();
        assert_eq!((address.uri, address.parameters), (&b"sip:1@h;a=b"[..], &b"tag=x"[..]));
        let address = Address::parse(b"sip:1@h;tag=x").unwrap();
        assert_eq!((address.uri, address.parameters), (&b"sip:1@h"[..], &b"tag=x"[..]));
        assert_eq!(Address::parse(b"\"open <sip:1@h>"), None);
        // Inch marks: what stands between the names looks quoted, the first address and its comma too.
        assert_eq!(Address::parse(b"\"A 5\" b\" <sip:1@h>, \"C 7\" d\" <sip:2@h>"), None);
        assert_eq!(Address::parse(b"A\" <sip:1@h>, B\" <sip:2@h>"), None);
        let address = Address::parse(b"\"A 5\" b <sip:1@h>").unwrap();
        assert_eq!(address.uri, b"sip:1@h");
        let address = Address::parse(b"\"\\\" <sip:2@h>\" <sip:1@h>").unwrap();
        assert_eq!(address.uri, b"sip:1@h");
        assert_eq!(Address::parse(b"<sip:1@h"), None);
        assert_eq!(Address::parse(b""), None);
    }

    proptest! {
        #[test]
        fn no_octets_panic(raw in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Some(address) = Address::parse(&raw) {
                let _ = Uri::parse(address.uri).map(|uri| uri.number("45").map(Cow::into_owned));
            }
        }
    }
}
