//! SMSCs: whether their names, their hosts, TLS and their accounts are as the settings say.

use std::collections::BTreeSet;
use std::io;
use std::time::{Duration, Instant};

use model::{Clock, LinkName};
use smpp_client::{LinkSettings, LinkState, Status, Why, reach_smsc};
use tokio::time::{sleep, timeout};
use tokio_util::task::TaskTracker;

use super::Running;
use super::report::{Finding, Report};
use crate::cli::smsc::advice;

/// Between two looks at a link.
const LOOK: Duration = Duration::from_millis(10);
/// How long unbinding may take.
const UNBIND: Duration = Duration::from_secs(5);
/// How long a name server may take.
const NAMES: Duration = Duration::from_secs(5);

/// `command_status` by which an SMSC says that this account is bound already (SMPP 3.4 §5.1.3).
const ALREADY_BOUND: u32 = 0x05;

const OF: &str = "smsc";

pub(super) async fn look(
    links: &[LinkSettings],
    no_bind: bool,
    gateway: Option<&Running>,
    clock: Clock,
    report: &mut Report<'_>,
) -> io::Result<()> {
    if links.is_empty() {
        let advice = "Set AFTERRING_SMSC__URLS: docs/connect-your-smsc.md says how.";
        return report.tell(Finding::fault(OF, "", "none is configured".to_owned(), advice));
    }
    let mut seen = BTreeSet::new();
    for link in links {
        // One of several binds that are the same but for their number.
        if !seen.insert((link.smsc.clone(), link.host.clone(), link.port, link.bind.as_str(), link.outbind)) {
            continue;
        }
        let name = format!("{} {}", link.smsc, link.bind.as_str());
        if link.outbind.is_some() {
            report.tell(Finding::unchecked(OF, name, "the SMSC connects by itself (outbind)"))?;
            continue;
        }
        if !resolved(link, &name, report).await? {
            continue;
        }
        if no_bind {
            reached(link, &name, report).await?;
        } else {
            bound(link, &name, gateway, clock, report).await?;
        }
    }
    Ok(())
}

/// Whether its name has addresses.
async fn resolved(link: &LinkSettings, name: &str, report: &mut Report<'_>) -> io::Result<bool> {
    let of = format!("{name}: name");
    let found = timeout(NAMES, tokio::net::lookup_host((link.host.as_str(), link.port))).await;
    let advice = "Look at the host in smsc.urls and at this machine's name servers.";
    let why = match found {
        Ok(Ok(addresses)) => {
            let addresses: Vec<String> = addresses.map(|address| address.ip().to_string()).collect();
            if !addresses.is_empty() {
                report.tell(Finding::ok(OF, of, format!("{} is {}", link.host, addresses.join(", "))))?;
                return Ok(true);
            }
            format!("{} has no address", link.host)
        }
        Ok(Err(error)) => format!("{}: {error}", link.host),
        Err(_) => format!("{}: the name server does not answer", link.host),
    };
    report.tell(Finding::fault(OF, of, why, advice))?;
    for step in ["connection", "bind"] {
        report.tell(Finding::unchecked(OF, format!("{name}: {step}"), "it has no address"))?;
    }
    Ok(false)
}

async fn reached(link: &LinkSettings, name: &str, report: &mut Report<'_>) -> io::Result<()> {
    let of = format!("{name}: connection");
    let begun = Instant::now();
    match reach_smsc(link).await {
        Ok(()) => report.tell(Finding::ok(OF, of, connected(link, begun.elapsed())))?,
        Err(why) => report.tell(Finding::fault(OF, of, why.to_string(), advice::not_bound(why)))?,
    }
    report.tell(Finding::unchecked(OF, format!("{name}: bind"), "--no-bind"))
}

fn connected(link: &LinkSettings, took: Duration) -> String {
    let tls = if link.tls.is_some() { " by TLS" } else { "" };
    format!("{}:{}{tls} in {} ms", link.host, link.port, took.as_millis())
}

/// Binds once, under a name of its own, and unbinds.
async fn bound(
    link: &LinkSettings,
    name: &str,
    gateway: Option<&Running>,
    clock: Clock,
    report: &mut Report<'_>,
) -> io::Result<()> {
    let begun = Instant::now();
    let ended = bind(link, clock).await;
    let took = begun.elapsed();
    let (connection, of) = (format!("{name}: connection"), format!("{name}: bind"));
    let Some(why) = ended else {
        report.tell(Finding::ok(OF, connection, connected(link, took)))?;
        let how = format!("bound as {} and unbound, {} ms altogether", link.system_id, took.as_millis());
        return report.tell(Finding::ok(OF, of, how));
    };
    if matches!(why, Why::ConnectFailed(_) | Why::ConnectTimeout | Why::Tls(_)) {
        report.tell(Finding::fault(OF, connection, why.to_string(), advice::not_bound(why)))?;
        return report.tell(Finding::unchecked(OF, of, "there is no connection"));
    }
    report.tell(Finding::ok(OF, connection, connected(link, took)))?;
    let of_gateway = gateway.and_then(|gateway| gateway.link_to(&link.smsc.0));
    match (why, of_gateway) {
        // Whoever is refused for being bound already has the right password.
        (Why::BindRefused { status: ALREADY_BOUND }, Some(other)) => {
            let why =
                format!("{}: the SMSC allows no bind more, and the gateway's {other} is bound", Status(ALREADY_BOUND));
            report.tell(Finding::unchecked(OF, of, why))
        }
        (why, Some(other)) => {
            let found = format!("{why}; the gateway's {other} is bound");
            report.tell(Finding::warning(
                OF,
                of,
                found,
                "The SMSC may allow no bind more than the gateway has; else: was the account changed?",
            ))
        }
        (why, None) => report.tell(Finding::fault(OF, of, why.to_string(), advice::not_bound(why))),
    }
}

/// Why it did not come to a session, or `None`.
async fn bind(link: &LinkSettings, clock: Clock) -> Option<Why> {
    let tracker = TaskTracker::new();
    let named = LinkSettings { name: LinkName(format!("{}/doctor", link.smsc)), trace: None, ..link.clone() };
    // It only spreads reconnections, and there are none.
    let (links, mut arrivals) = smpp_client::start(vec![named], clock, 0, &tracker);
    let until = Instant::now() + link.bind_timeout * 2 + Duration::from_secs(1);
    let ended = loop {
        let Some(status) = links.status().pop() else { break Some(Why::ConnectTimeout) };
        match status.state {
            LinkState::Bound => break None,
            LinkState::Down { why, .. } => break Some(why),
            LinkState::Connecting
            | LinkState::Awaiting
            | LinkState::Binding
            | LinkState::Draining
            | LinkState::Away { .. }
            | LinkState::Closed
                if Instant::now() >= until =>
            {
                break Some(Why::ConnectTimeout);
            }
            LinkState::Connecting
            | LinkState::Awaiting
            | LinkState::Binding
            | LinkState::Draining
            | LinkState::Away { .. }
            | LinkState::Closed => sleep(LOOK).await,
        }
    };
    tokio::join!(links.drain(UNBIND), async {
        // What comes is not ours to take: it is refused, and the SMSC delivers it again.
        while arrivals.inbound.recv().await.is_some() {}
    });
    ended
}
