//! What the SIP side is told: where it listens, whom it trusts, how it releases calls.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use model::Reason;

use super::fault::Problems;
use super::form;
use super::layer::Raw;

/// Calls that the core network forwards by SIP.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SipDoor {
    /// UDP addresses; empty: off.
    pub listen: Vec<SocketAddr>,
    /// Who may forward calls, the first that holds the source counts; empty: this machine only, trusted.
    pub peers: Vec<Peer>,
    /// How a call is released; every reason is there.
    pub release: BTreeMap<Reason, Release>,
    /// What the network means by cause 404, which is "not logged in" to some and "unknown" to others.
    pub not_found: Reason,
    /// How long the journal may take before the call is answered 503.
    pub answer_timeout: Duration,
}

/// A network that may forward calls.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Peer {
    /// Its first address.
    pub network: IpAddr,
    /// Leading bits that all its addresses share.
    pub prefix: u8,
    /// Whether it is believed about a caller's asserted identity (RFC 3325 §3).
    pub trusted: bool,
}

/// How a forwarded call is released.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Release {
    /// The status of the final response, 400 to 699.
    pub status: u16,
    /// The Q.850 cause of its Reason header (RFC 6432), 1 to 127.
    pub cause: u8,
}

/// Addresses to listen on.
pub(super) fn listen(raw: &Raw) -> Result<Vec<SocketAddr>, Problems> {
    all(form::list(raw, ','), |item| match item.split_once("://") {
        Some(("udp", address)) => match form::listen(address)? {
            Some(address) => Ok(address),
            None => Err("no address behind udp://".into()),
        },
        Some(("tcp" | "tls", _)) => Err(format!("{item:?}: TCP and TLS are not in this version; use udp://").into()),
        _ => Err(format!("{item:?} does not begin with udp://").into()),
    })
}

/// Networks that may forward calls.
pub(super) fn peers(raw: &Raw) -> Result<Vec<Peer>, Problems> {
    all(form::list(raw, ','), |item| peer(item).map_err(|problem| format!("{item:?}: {problem}").into()))
}

fn peer(item: &str) -> Result<Peer, &'static str> {
    let (network, trusted) = match item.split_once(';') {
        None => (item, false),
        Some((network, "trusted")) => (network, true),
        Some(_) => return Err("the only word that may follow a network is ;trusted"),
    };
    let (address, prefix) = match network.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (network, None),
    };
    let address: IpAddr = address.parse().map_err(|_| "not an IP address (names aren't looked up)")?;
    let (bits, width) = match address {
        IpAddr::V4(v4) => (u128::from(u32::from(v4)), 32_u8),
        IpAddr::V6(v6) => (u128::from(v6), 128),
    };
    let prefix = match prefix {
        None => width,
        Some(prefix) => {
            form::count(prefix, 0, width).map_err(|_| "the prefix is not a number of bits of the address")?
        }
    };
    let beyond = u32::from(width - prefix);
    // A shift by all 128 bits overflows; then every bit is beyond the prefix.
    let kept = bits.checked_shr(beyond).and_then(|kept| kept.checked_shl(beyond)).unwrap_or(0);
    if kept != bits {
        return Err("the address has bits beyond its prefix: write the first address of the network");
    }
    Ok(Peer { network: address, prefix, trusted })
}

/// How calls are released: `defaults`, with what `raw` says instead.
pub(super) fn release(defaults: &Raw, raw: &Raw) -> Result<BTreeMap<Reason, Release>, Problems> {
    let mut table: BTreeMap<Reason, Release> = releases(defaults)?.into_iter().collect();
    let mut seen = BTreeMap::new();
    let mut problems = Vec::new();
    for (reason, release) in releases(raw)? {
        if seen.insert(reason, release).is_some() {
            problems.push(format!("'{reason}' is given twice"));
        }
    }
    table.extend(seen);
    if problems.is_empty() { Ok(table) } else { Err(Problems(problems)) }
}

fn releases(raw: &Raw) -> Result<Vec<(Reason, Release)>, Problems> {
    all(form::list(raw, ','), |item| one_release(item).map_err(|problem| format!("{item:?}: {problem}").into()))
}

fn one_release(item: &str) -> Result<(Reason, Release), &'static str> {
    let form = "not of the form reason=status/cause, such as busy=486/17";
    let (reason, rest) = item.split_once('=').ok_or(form)?;
    let (status, cause) = rest.split_once('/').ok_or(form)?;
    let reason = Reason::parse(reason.trim())
        .ok_or("not a reason: busy, no_answer, unreachable, unconditional, rejected or unknown")?;
    let status = form::count(status.trim(), 400, 699).map_err(|_| "the status is not a number from 400 to 699")?;
    if matches!(status, 401 | 407 | 481 | 482 | 500 | 503 | 504) {
        return Err(
            "by this status peers would treat the gateway as broken, or ask for a password: use 480, 486, 404 or 603",
        );
    }
    let cause = form::count(cause.trim(), 1, 127).map_err(|_| "the Q.850 cause is not a number from 1 to 127")?;
    Ok((reason, Release { status, cause }))
}

/// Reads every item, and collects every problem.
fn all<T>(items: Vec<&str>, read: impl Fn(&str) -> Result<T, Problems>) -> Result<Vec<T>, Problems> {
    let mut values = Vec::with_capacity(items.len());
    let mut problems = Vec::new();
    for item in items {
        match read(item) {
            Ok(value) => values.push(value),
            Err(Problems(found)) => problems.extend(found),
        }
    }
    if problems.is_empty() { Ok(values) } else { Err(Problems(problems)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Raw {
        Raw::Text(text.to_owned())
    }

    #[test]
    fn addresses_are_udp_in_this_version() {
        let read = listen(&raw("udp://0.0.0.0:5060, udp://[::1]:5060")).unwrap();
        assert_eq!(read.len(), 2);
        let Problems(problems) =
            listen(&raw("tcp://0.0.0.0:5060,tls://[::]:5061,0.0.0.0:5060,udp://sip.example:5060,udp://")).unwrap_err();
        assert_eq!(problems.len(), 5);
        assert!(problems[0].contains("not in this version"));
        assert!(problems[2].contains("udp://"));
    }

    #[test]
    fn peers_are_networks() {
        let read = peers(&raw("10.0.0.0/8;trusted,192.0.2.1,2001:db8::/32,0.0.0.0/0,::/0")).unwrap();
        assert_eq!((read[0].prefix, read[0].trusted), (8, true));
        assert_eq!((read[1].prefix, read[1].trusted), (32, false));
        assert_eq!((read[2].prefix, read[4].prefix), (32, 0));
        for text in [
            "10.0.0.1/8",
            "10.0.0.0/33",
            "10.0.0.0/8;believed",
            "sbc.example",
            "10.0.0.0/",
            "2001:db8::1/64",
            "1.2.3.4/0",
        ] {
            assert!(peers(&raw(text)).is_err(), "{text}");
        }
    }

    #[test]
    fn releases_override_the_defaults_one_by_one() {
        let defaults = raw("busy=486/17,no_answer=480/19");
        let table = release(&defaults, &raw("busy=600/21")).unwrap();
        assert_eq!(table[&Reason::Busy], Release { status: 600, cause: 21 });
        assert_eq!(table[&Reason::NoAnswer], Release { status: 480, cause: 19 });
        for text in [
            "busy=200/17",
            "busy=503/17",
            "busy=401/17",
            "busy=486/0",
            "busy=486/128",
            "busy=486",
            "engaged=486/17",
            "busy=486/17,busy=480/19",
        ] {
            assert!(release(&defaults, &raw(text)).is_err(), "{text}");
        }
    }
}
