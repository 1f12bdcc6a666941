//! From settings to what a gateway is started with.

use ingress::http::HttpSettings;
use ingress::sip::{PeerNet, Release, ReleaseTable, SipSettings};
use model::{Clock, Reason};
use store::EmbeddedSettings;

use crate::app::Plan;
use crate::config::Settings;

/// What a gateway with these settings is started with. `seed` is any number; it decides the jitter of reconnects.
#[must_use]
pub fn plan(settings: &Settings, clock: Clock, seed: u64) -> Plan {
    let http = HttpSettings {
        token: settings.http.listener.token.clone(),
        body_limit: settings.http.body_limit,
        batch_limit: settings.http.batch_limit,
        numbering: settings.numbering.clone(),
        future_limit: settings.http.future_limit,
        past_limit: settings.http.past_limit,
        answer_timeout: settings.http.answer_timeout,
    };
    Plan {
        clock,
        store: EmbeddedSettings {
            shared: settings.database.is_some(),
            ..EmbeddedSettings::new(settings.store.dir.clone(), settings.store.retention)
        },
        database: settings.database.clone(),
        links: settings.links.clone(),
        policy: settings.policy.clone(),
        http,
        http_listen: settings.http.listener.listen,
        sip: sip(settings),
        sip_listen: settings.sip.listen.clone(),
        admin_listen: settings.admin.listen,
        admin_token: settings.admin.token.clone(),
        seed,
    }
}

fn sip(settings: &Settings) -> SipSettings {
    let door = &settings.sip;
    let mut sip = SipSettings::new(settings.numbering.clone());
    sip.answer_timeout = door.answer_timeout;
    sip.not_found = door.not_found;
    sip.peers = door
        .peers
        .iter()
        .filter_map(|peer| {
            let network = format!("{}/{}", peer.network, peer.prefix).parse().ok()?;
            Some(PeerNet { network, trusted: peer.trusted })
        })
        .collect();
    let of = |reason: Reason, known: Release| {
        door.release.get(&reason).and_then(|given| Release::new(given.status, given.cause).ok()).unwrap_or(known)
    };
    let known = ReleaseTable::default();
    sip.release = ReleaseTable {
        busy: of(Reason::Busy, known.busy),
        no_answer: of(Reason::NoAnswer, known.no_answer),
        unreachable: of(Reason::Unreachable, known.unreachable),
        unconditional: of(Reason::Unconditional, known.unconditional),
        rejected: of(Reason::Rejected, known.rejected),
        unknown: of(Reason::Unknown, known.unknown),
    };
    sip
}
