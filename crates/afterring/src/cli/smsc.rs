//! `afterring smsc test`: sends one message through an SMSC, and says step by step what the SMSC said.

pub(super) mod advice;
mod conversation;
mod step;
mod updates;

use std::collections::BTreeSet;
use std::io;

use model::{AlertId, Clock, LinkName, SmscName, Submit};
use smpp_client::{Bind, LinkSettings};

use self::conversation::Test;
use self::step::Teller;
use super::{CONFIGURATION, OK, SmscTest, Terminal, UNAVAILABLE, USAGE, told, within};
use crate::config::{Settings, Sources};

pub(super) fn test(asked: &SmscTest, sources: &Sources, clock: Clock, terminal: &mut Terminal<'_>) -> io::Result<u8> {
    let settings = match Settings::load(sources) {
        Ok(settings) => settings,
        Err(faults) => return told(&faults, terminal),
    };
    let links = match choose(&settings.links, asked.smsc.as_deref()) {
        Ok(links) => links,
        Err(unchosen) => {
            writeln!(terminal.err, "{unchosen}")?;
            return Ok(match unchosen {
                Unchosen::NoSmsc | Unchosen::NoTransmitter => CONFIGURATION,
                Unchosen::Unknown(_) | Unchosen::Several(_) => USAGE,
            });
        }
    };
    let destination = match settings.numbering.normalise(&asked.to) {
        Ok(destination) => destination,
        Err(error) => {
            writeln!(terminal.err, "--to: {error}")?;
            return Ok(USAGE);
        }
    };
    let order = Submit {
        alert: AlertId(1),
        attempt: 1,
        kind: asked.kind,
        source: settings.policy.service.source(asked.kind, &[], 0),
        destination,
        text: asked.text.clone(),
        validity: settings.policy.limits.validity.of(asked.kind),
        avoid: None,
    };
    let test = Test { links, order, updates: asked.updates, patience: asked.timeout, clock };
    let mut teller = Teller { out: &mut *terminal.out, json: asked.json };
    let delivered = within(test.run(&mut teller))??;
    Ok(if delivered { OK } else { UNAVAILABLE })
}

/// Why no links can be chosen.
#[derive(Debug, thiserror::Error)]
enum Unchosen {
    #[error("no SMSC is configured: set AFTERRING_SMSC__URLS")]
    NoSmsc,
    #[error("--smsc: no SMSC of that name; there are: {0}")]
    Unknown(String),
    #[error("several SMSCs are configured: say which by --smsc, one of: {0}")]
    Several(String),
    #[error("none of the binds to this SMSC transmits: see bind= in smsc.urls")]
    NoTransmitter,
}

/// A transceiver of the SMSC, or a transmitter and a receiver where it has one. They have names of their own, so that they are told from the gateway's.
fn choose(links: &[LinkSettings], name: Option<&str>) -> Result<Vec<LinkSettings>, Unchosen> {
    let names: BTreeSet<&SmscName> = links.iter().map(|link| &link.smsc).collect();
    let known = || names.iter().map(|name| name.0.as_str()).collect::<Vec<_>>().join(", ");
    let chosen = match (name, names.first()) {
        (_, None) => return Err(Unchosen::NoSmsc),
        (Some(name), Some(_)) => {
            names.iter().find(|known| known.0 == name).ok_or_else(|| Unchosen::Unknown(known()))?
        }
        (None, Some(_)) if names.len() > 1 => return Err(Unchosen::Several(known())),
        (None, Some(only)) => only,
    };
    let first = |bind: Bind, suffix: &str| {
        let link = links.iter().find(|link| link.smsc == **chosen && link.bind == bind)?;
        Some(LinkSettings { name: LinkName(format!("{chosen}/test{suffix}")), ..link.clone() })
    };
    if let Some(transceiver) = first(Bind::Transceiver, "") {
        return Ok(vec![transceiver]);
    }
    let transmitter = first(Bind::Transmitter, "-tx").ok_or(Unchosen::NoTransmitter)?;
    Ok([Some(transmitter), first(Bind::Receiver, "-rx")].into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(urls: &str) -> Vec<LinkSettings> {
        let environment = [("AFTERRING_SERVICE__CODE", "1"), ("AFTERRING_SMSC__URLS", urls)];
        let environment = environment.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        Settings::load(&Sources { environment, ..Sources::default() }).unwrap().links
    }

    fn chosen(urls: &str, name: Option<&str>) -> Result<Vec<String>, String> {
        let chosen = choose(&links(urls), name).map_err(|unchosen| unchosen.to_string())?;
        Ok(chosen.into_iter().map(|link| format!("{} {}", link.name, link.bind.as_str())).collect())
    }

    #[test]
    fn one_session_is_opened_or_one_in_each_direction() {
        assert_eq!(chosen("smpp://a:b@h?name=n&binds=3", None).unwrap(), ["n/test transceiver"]);
        let pair = ["n/test-tx transmitter", "n/test-rx receiver"];
        assert_eq!(chosen("smpp://a:b@h?name=n&bind=pair&binds=2", None).unwrap(), pair);
        let apart = "smpp://a:b@h:1?name=n&bind=receiver,smpp://a:b@h:2?name=n&bind=transmitter";
        assert_eq!(chosen(apart, Some("n")).unwrap(), pair);
    }

    #[test]
    fn who_has_to_choose_is_told_among_whom() {
        let two = "smpp://a:b@h?name=n,smpp://a:b@i?name=m";
        assert_eq!(chosen(two, Some("m")).unwrap(), ["m/test transceiver"]);
        assert!(chosen(two, None).unwrap_err().ends_with("one of: m, n"));
        assert!(chosen(two, Some("x")).unwrap_err().ends_with("there are: m, n"));
        assert!(chosen("", None).unwrap_err().contains("AFTERRING_SMSC__URLS"));
        assert!(chosen("smpp://a:b@h?bind=receiver", None).unwrap_err().contains("none of the binds"));
    }
}
