//! The URL of an SMSC taken apart: who binds, where, and the parameters.
//!
//! No problem told here holds a piece of a URL: a password in which `@`, `/`, `?` or a comma isn't percent-encoded ends up in any of them.

use crate::config::fault::Problems;
use crate::config::form;
use crate::config::layer::Raw;

/// The registered port of SMPP.
const PORT: u16 = 2775;

/// What precedes `://` where a link is by TLS, and where it isn't.
const SCHEMES: [(&str, bool); 2] = [("smpp", false), ("smpps", true)];

/// A URL taken apart, nothing decoded yet.
pub(super) struct Pieces<'a> {
    pub tls: bool,
    pub system_id: &'a str,
    pub password: &'a str,
    /// A name, an IPv4 address, or an IPv6 address in brackets.
    pub host: &'a str,
    pub port: u16,
    pub parameters: Vec<(&'a str, &'a str)>,
}

/// The URLs of a value: separated by commas, or one a line in a file.
pub(super) fn items(raw: &Raw) -> Vec<&str> {
    form::list(raw, ',').into_iter().flat_map(str::lines).map(str::trim).filter(|item| !item.is_empty()).collect()
}

/// A URL that could be used, without its password.
pub(super) fn without_password(url: &str) -> Option<String> {
    let pieces = take_apart(url).ok()?;
    let scheme = SCHEMES.iter().find(|(_, tls)| *tls == pieces.tls).map(|(scheme, _)| *scheme)?;
    let query = url.split_once('?').map_or(String::new(), |(_, query)| format!("?{query}"));
    Some(format!("{scheme}://{}:***@{}:{}{query}", pieces.system_id, pieces.host, pieces.port))
}

/// Takes a URL apart.
pub(super) fn take_apart(url: &str) -> Result<Pieces<'_>, Problems> {
    let encode = "; in a system id or password write @ as %40, : as %3A, / as %2F, ? as %3F, # as %23, % as %25 and a comma as %2C";
    let scheme = url
        .split_once("://")
        .and_then(|(scheme, rest)| SCHEMES.iter().find(|(known, _)| *known == scheme).map(|(_, tls)| (*tls, rest)));
    let Some((tls, rest)) = scheme else {
        return Err(format!("not a URL that begins with smpp:// or smpps:// (TLS){encode}").into());
    };
    let (authority, query) = rest.split_once('?').unwrap_or((rest, ""));
    let authority = authority.strip_suffix('/').unwrap_or(authority);
    // What follows an unencoded ? of a password holds the @ before the host: so no piece of a password passes for a parameter.
    if query.contains(['@', '#', '?']) || authority.contains(['/', '#']) || authority.matches('@').count() > 1 {
        return Err(format!("not a URL: an @, /, ? or # where none can be{encode}").into());
    }
    let (user, place) =
        authority.split_once('@').ok_or_else(|| format!("no system_id:password@ before the host{encode}"))?;
    let (system_id, password) = user.split_once(':').unwrap_or((user, ""));
    if password.contains(':') {
        return Err(format!("two colons before the host{encode}").into());
    }
    let (host, port) = host_and_port(place)?;
    let parameters = query
        .split('&')
        .filter(|part| !part.is_empty())
        .map(|part| part.split_once('=').unwrap_or((part, "")))
        .collect();
    Ok(Pieces { tls, system_id, password, host, port, parameters })
}

fn host_and_port(place: &str) -> Result<(&str, u16), Problems> {
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
    Ok((host, port))
}
