//! SMSCs as URLs: `smpp://system_id:password@host:2775?window=100&rate=0…`, and the links they stand for.
//!
//! No problem told here holds a piece of a URL before its parameters, nor an unknown parameter: a password in which `@`, `/`, `?` or a comma isn't
//! percent-encoded ends up in any of them.

use std::collections::BTreeSet;
use std::time::Duration;

use model::{LinkName, Numbering, Secret, SmscName};
use percent_encoding::percent_decode_str;
use smpp_client::LinkSettings;

use super::fault::Problems;
use super::form;
use super::layer::Raw;

/// The registered port of SMPP.
const PORT: u16 = 2775;
/// Most binds to one SMSC; more are a slip, and SMSCs allow a handful.
const MOST_BINDS: u32 = 64;
/// Most submits unanswered at a time on one bind; SMSCs close the session long before.
const MOST_WINDOW: usize = 10_000;

/// A parameter of an SMSC's URL, as documented.
pub(super) struct Parameter {
    pub name: &'static str,
    pub default: &'static str,
    pub form: &'static str,
    pub meaning: &'static str,
}

const fn parameter(name: &'static str, default: &'static str, form: &'static str, meaning: &'static str) -> Parameter {
    Parameter { name, default, form, meaning }
}

/// What may follow the `?`, in the order of the documents.
pub(super) const PARAMETERS: [Parameter; 13] = [
    parameter(
        "name",
        "",
        "1 to 64 letters, digits and `. - _ :`",
        "What logs, metrics and pages call the SMSC; `host:port` when it isn't given. Receipts are matched within it: keep it when the address changes.",
    ),
    parameter("bind", "transceiver", "`transceiver`", "How to bind."),
    parameter("binds", "1", "whole number, 1 to 64", "Binds at the same time, called `name/1` and so on."),
    parameter("window", "100", "whole number, 1 to 10000", "Submits of one bind that may be unanswered at a time."),
    parameter("rate", "0", "whole number, 0 to 100000", "Most `submit_sm` per second of one bind; 0: no limit."),
    parameter("priority", "0", "`0`", "Which SMSC is preferred; in this version all are alike."),
    parameter("system_type", "", "at most 12 ASCII characters", "What some SMSCs want to know of who binds."),
    parameter(
        "enquire",
        "30s",
        "length of time, 1s to 1h",
        "Silence after which the SMSC is asked whether it lives (`enquire_link`).",
    ),
    parameter(
        "timeout",
        "10s",
        "length of time, 100ms to 5m",
        "How long an answer may take before a submit is in doubt.",
    ),
    parameter(
        "bind_timeout",
        "10s",
        "length of time, 100ms to 5m",
        "How long connecting may take, and how long binding.",
    ),
    parameter(
        "reconnect_min",
        "1s",
        "length of time, 10ms to 1h",
        "First wait after a lost connection; it doubles with each failure.",
    ),
    parameter("reconnect_max", "30s", "length of time, 10ms to 1h", "Longest wait after a lost connection."),
    parameter(
        "refused_wait",
        "1m",
        "length of time, 1s to 24h",
        "Wait after the SMSC refused the bind (password, system id, already bound).",
    ),
];

/// A URL taken apart, nothing decoded yet.
struct Pieces<'a> {
    system_id: &'a str,
    password: &'a str,
    host: &'a str,
    port: u16,
    parameters: Vec<(&'a str, &'a str)>,
}

/// The URLs of a value: separated by commas, or one a line in a file.
fn items(raw: &Raw) -> Vec<&str> {
    form::list(raw, ',').into_iter().flat_map(str::lines).map(str::trim).filter(|item| !item.is_empty()).collect()
}

/// Stands in where links are only looked at for their faults, and nobody gets them.
pub(super) const fn no_numbering() -> Numbering {
    Numbering { country_code: String::new(), national_prefix: String::new(), international_prefix: String::new() }
}

/// Every link of every SMSC.
pub(super) fn links(raw: &Raw, numbering: &Numbering) -> Result<Vec<LinkSettings>, Problems> {
    let urls = items(raw);
    let mut links: Vec<LinkSettings> = Vec::new();
    let mut names = BTreeSet::new();
    let mut problems = Vec::new();
    for (place, url) in urls.iter().enumerate() {
        let which = if urls.len() == 1 { String::new() } else { format!("SMSC {} of {}: ", place + 1, urls.len()) };
        match one(url, numbering) {
            Ok(one) => {
                if let Some(first) = one.first()
                    && !names.insert(first.smsc.clone())
                {
                    problems.push(format!(
                        "{which}an SMSC before it has the same name: give each its own, such as name=north"
                    ));
                }
                links.extend(one);
            }
            Err(Problems(found)) => problems.extend(found.into_iter().map(|problem| format!("{which}{problem}"))),
        }
    }
    if problems.is_empty() { Ok(links) } else { Err(Problems(problems)) }
}

/// The URLs without their passwords; `***` for one that can't be taken apart, since nobody knows where its password is.
pub(super) fn hidden(raw: &Raw) -> Vec<String> {
    let hide = |url: &str| {
        if one(url, &no_numbering()).is_err() {
            return "***".to_owned();
        }
        let Ok(pieces) = take_apart(url) else { return "***".to_owned() };
        let query = url.split_once('?').map_or(String::new(), |(_, query)| format!("?{query}"));
        format!("smpp://{}:***@{}:{}{query}", pieces.system_id, pieces.host, pieces.port)
    };
    items(raw).into_iter().map(hide).collect()
}

fn take_apart(url: &str) -> Result<Pieces<'_>, Problems> {
    let encode = "; in a system id or password write @ as %40, : as %3A, / as %2F, ? as %3F, # as %23, % as %25 and a comma as %2C";
    let rest = match url.split_once("://") {
        Some(("smpp", rest)) => rest,
        Some(("smpps", _)) => {
            return Err("smpps:// (TLS) is not in this version; use smpp:// within a protected network".into());
        }
        _ => return Err(format!("not a URL that begins with smpp://{encode}").into()),
    };
    let (authority, query) = rest.split_once('?').unwrap_or((rest, ""));
    let authority = authority.strip_suffix('/').unwrap_or(authority);
    if query.contains(['@', '/', '#', '?']) || authority.contains(['/', '#']) || authority.matches('@').count() > 1 {
        return Err(format!("not a URL: an @, /, ? or # where none can be{encode}").into());
    }
    let (user, place) =
        authority.split_once('@').ok_or_else(|| format!("no system_id:password@ before the host{encode}"))?;
    let (system_id, password) = user.split_once(':').unwrap_or((user, ""));
    if password.contains(':') {
        return Err(format!("two colons before the host{encode}").into());
    }
    let (host, port) = match place.rsplit_once(':') {
        Some((host, port)) if !host.ends_with(':') && (!host.starts_with('[') || host.ends_with(']')) => {
            (host, port.parse().ok().filter(|port| *port > 0))
        }
        _ => (place, Some(PORT)),
    };
    let port = port.ok_or("the port is not a number from 1 to 65535")?;
    let named = !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
    let literal = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let ipv6 = literal.is_some_and(|host| host.parse::<std::net::Ipv6Addr>().is_ok());
    if !named && !ipv6 {
        return Err("the host is neither a name nor an address (IPv6 in brackets)".into());
    }
    let parameters = query
        .split('&')
        .filter(|part| !part.is_empty())
        .map(|part| part.split_once('=').unwrap_or((part, "")))
        .collect();
    Ok(Pieces { system_id, password, host, port, parameters })
}

/// The links of one SMSC.
fn one(url: &str, numbering: &Numbering) -> Result<Vec<LinkSettings>, Problems> {
    let pieces = take_apart(url)?;
    let mut problems = Vec::new();
    let mut seen = BTreeSet::new();
    for (name, _) in &pieces.parameters {
        if !PARAMETERS.iter().any(|known| known.name == *name) {
            let known: Vec<&str> = PARAMETERS.iter().map(|known| known.name).collect();
            problems.push(format!("an unknown parameter; known: {}", known.join(", ")));
        } else if !seen.insert(name) {
            problems.push(format!("{name} is given twice"));
        }
    }
    let mut reader = Parameters { given: &pieces.parameters, problems };
    let system_id = reader.credential("system_id", pieces.system_id, 15);
    let password = reader.credential("the password", pieces.password, 8);
    if system_id.is_empty() {
        reader.problems.push("no system_id before the host".to_owned());
    }
    let name = reader.text("name");
    if !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':')) || name.len() > 64 {
        reader.problems.push("name is not 1 to 64 letters, digits and . - _ :".to_owned());
    }
    if reader.text("bind") != "transceiver" {
        reader.problems.push("bind is not transceiver: other binds are not in this version".to_owned());
    }
    if reader.text("priority") != "0" {
        reader.problems.push("priority is not 0: several priorities are not in this version".to_owned());
    }
    let system_type = reader.text("system_type");
    let system_type = reader.credential("system_type", &system_type, 12);
    let binds = reader.read("binds", |text| form::count(text, 1, MOST_BINDS));
    let window = reader.read("window", |text| form::count(text, 1, MOST_WINDOW));
    let rate = reader.read("rate", |text| form::count(text, 0, 100_000));
    let time = |least: u64, most| move |text: &str| form::duration_between(text, Duration::from_millis(least), most);
    let enquire_interval = reader.read("enquire", time(1000, form::HOUR));
    let response_timeout = reader.read("timeout", time(100, form::MINUTE * 5));
    let bind_timeout = reader.read("bind_timeout", time(100, form::MINUTE * 5));
    let reconnect_min = reader.read("reconnect_min", time(10, form::HOUR));
    let reconnect_max = reader.read("reconnect_max", time(10, form::HOUR));
    let refused_wait = reader.read("refused_wait", time(1000, form::DAY));
    if reconnect_min > reconnect_max {
        reader.problems.push("reconnect_min is longer than reconnect_max".to_owned());
    }
    if !reader.problems.is_empty() {
        return Err(Problems(reader.problems));
    }
    let name = if name.is_empty() { format!("{}:{}", pieces.host, pieces.port) } else { name };
    // A resolver takes an IPv6 address without the brackets that a URL needs.
    let host = pieces.host.trim_matches(['[', ']']);
    let smsc = SmscName(name.clone());
    let link = |number: u32| LinkSettings {
        name: LinkName(format!("{name}/{number}")),
        system_type: system_type.clone(),
        // With a rate, no more than a second's worth: what is taken out of the queue can't be withdrawn any more, so it must not wait in the link.
        window: if rate == 0 { window } else { window.min(usize::try_from(rate).unwrap_or(window)) },
        rate,
        enquire_interval,
        response_timeout,
        bind_timeout,
        reconnect_min,
        reconnect_max,
        refused_wait,
        ..LinkSettings::new(
            smsc.clone(),
            host,
            pieces.port,
            &system_id,
            Secret::new(password.clone()),
            numbering.clone(),
        )
    };
    Ok((1..=binds).map(link).collect())
}

/// Reads parameters, each by its own form, and collects what is wrong.
struct Parameters<'a> {
    given: &'a [(&'a str, &'a str)],
    problems: Vec<String>,
}

impl Parameters<'_> {
    /// The text of a parameter, percent-decoded, or its default.
    fn text(&mut self, name: &str) -> String {
        let default = PARAMETERS.iter().find(|known| known.name == name).map_or("", |known| known.default);
        let given = self.given.iter().find(|(given, _)| *given == name).map_or(default, |(_, value)| value);
        match decode(given) {
            Some(text) => text,
            None => {
                self.problems.push(format!("{name} is not UTF-8 when percent-decoded"));
                String::new()
            }
        }
    }

    fn read<T: Default>(&mut self, name: &str, read: impl Fn(&str) -> Result<T, Problems>) -> T {
        let text = self.text(name);
        match read(&text) {
            Ok(value) => value,
            Err(Problems(problems)) => {
                self.problems.extend(problems.into_iter().map(|problem| format!("{name}: {problem}")));
                T::default()
            }
        }
    }

    /// A text that fits its field of the bind.
    fn credential(&mut self, what: &str, text: &str, longest: usize) -> String {
        let decoded = decode(text).unwrap_or_else(|| "\0".to_owned());
        if decoded.len() > longest || !decoded.bytes().all(|b| b.is_ascii() && b != 0) {
            self.problems.push(format!("{what} is not at most {longest} ASCII characters (SMPP 3.4 §5.2)"));
        }
        decoded
    }
}

fn decode(text: &str) -> Option<String> {
    percent_decode_str(text).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbering() -> Numbering {
        Numbering { country_code: "86".into(), national_prefix: "0".into(), international_prefix: "00".into() }
    }

    fn read(text: &str) -> Result<Vec<LinkSettings>, Problems> {
        links(&Raw::Text(text.to_owned()), &numbering())
    }

    #[test]
    fn a_url_stands_for_its_links() {
        let links = read("smpp://after%40ring:0012@smsc.example:2776?binds=2&window=10&rate=50&name=north&system_type=VMA&timeout=500ms").unwrap();
        let names: Vec<_> = links.iter().map(|link| link.name.0.as_str()).collect();
        assert_eq!(names, ["north/1", "north/2"]);
        let link = &links[1];
        assert_eq!((link.system_id.as_str(), link.password.reveal()), ("after@ring", "0012"));
        assert_eq!((link.host.as_str(), link.port, link.window, link.rate), ("smsc.example", 2776, 10, 50));
        assert_eq!((link.system_type.as_str(), link.response_timeout), ("VMA", Duration::from_millis(500)));
        assert_eq!(link.smsc, SmscName("north".into()));
    }

    #[test]
    fn several_urls_have_defaults_and_names_of_their_own() {
        let links = read("smpp://a:b@one, smpp://a:@[::1]:3000/ ,\nsmpp://a@10.0.0.1:1?\n").unwrap();
        let hosts: Vec<_> = links.iter().map(|link| (link.name.0.as_str(), link.host.as_str(), link.port)).collect();
        assert_eq!(
            hosts,
            [("one:2775/1", "one", 2775), ("[::1]:3000/1", "::1", 3000), ("10.0.0.1:1/1", "10.0.0.1", 1)]
        );
        assert_eq!((links[0].window, links[0].rate, links[0].enquire_interval), (100, 0, Duration::from_secs(30)));
        assert!(read("").unwrap().is_empty());
        let Problems(problems) = read("smpp://a:b@one,smpp://c:d@one").unwrap_err();
        assert!(problems[0].starts_with("SMSC 2 of 2: an SMSC before it has the same name"));
    }

    #[test]
    fn what_cannot_be_used_says_why_and_shows_no_piece_of_a_password() {
        for (url, says) in [
            ("smpps://id:s3cret@h", "not in this version"),
            ("http://id:s3cret@h", "begins with smpp://"),
            ("s3cret@h:2775", "begins with smpp://"),
            ("smpp://id:s3cret@x@h", "an @, /, ? or #"),
            ("smpp://id:s3/s3cret@h", "an @, /, ? or #"),
            ("smpp://id:s3?s3cret@h", "an @, /, ? or #"),
            ("smpp://id:s3#s3cret@h", "an @, /, ? or #"),
            ("smpp://id:s3:s3cret@h", "two colons"),
            ("smpp://id:s3,s3cret@h", "no system_id:password@"),
            ("smpp://id:s3cret", "no system_id:password@"),
            ("smpp://:s3cret@h", "no system_id"),
            ("smpp://id:s3cret@", "host"),
            ("smpp://id:s3cret@h:port", "port"),
            ("smpp://id:s3cret@h:0", "port"),
            ("smpp://id:s3cret@h o", "host"),
            ("smpp://id:s3cret@::1", "host"),
            ("smpp://id:s3crets3cret@h", "at most 8"),
            ("smpp://id0123456789abcdef:s3cret@h", "at most 15"),
            ("smpp://id:s3cret@h?bind=receiver", "not in this version"),
            ("smpp://id:s3cret@h?priority=1", "not in this version"),
            ("smpp://id:s3cret@h?s3cret", "unknown parameter"),
            ("smpp://id:s3cret@h?window=0", "window: out of bounds"),
            ("smpp://id:s3cret@h?window=1e5", "window: not a whole number"),
            ("smpp://id:s3cret@h?window=1&window=2", "window is given twice"),
            ("smpp://id:s3cret@h?timeout=10", "timeout: a length of time without its unit"),
            ("smpp://id:s3cret@h?reconnect_min=1m", "longer than reconnect_max"),
            ("smpp://id:s3cret@h?name=a b", "name is not"),
            ("smpp://id:%ffs3cret@h", "at most 8"),
        ] {
            let Problems(problems) = read(url).unwrap_err();
            let told = problems.join("\n");
            assert!(told.contains(says), "{url}: {told}");
            assert!(!told.contains("s3"), "{url}: {told}");
            assert!(!hidden(&Raw::Text(url.into())).join(",").contains("s3"), "{url}");
        }
    }

    #[test]
    fn passwords_are_hidden_and_the_rest_is_shown() {
        let raw = Raw::Text("smpp://id:s3cret@h?window=5,smpp://x@[::1]:1".into());
        assert_eq!(hidden(&raw), ["smpp://id:***@h:2775?window=5", "smpp://x:***@[::1]:1"]);
        assert!(!format!("{:?}", links(&raw, &numbering()).unwrap()).contains("s3cret"));
    }

    #[test]
    fn the_documented_defaults_are_valid() {
        let all: Vec<String> =
            PARAMETERS.iter().filter(|p| !p.default.is_empty()).map(|p| format!("{}={}", p.name, p.default)).collect();
        assert_eq!(read(&format!("smpp://a:b@h?{}", all.join("&"))), read("smpp://a:b@h"));
    }
}
