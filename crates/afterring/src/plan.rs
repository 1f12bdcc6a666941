//! From settings to what a gateway is started with.

use ingress::http::HttpSettings;
use ingress::sip::{Listen, Network, Peer, Release, ReleaseTable, Rules, SipSettings, Transport};
use model::Clock;
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
        admin_listen: settings.admin.listen,
        admin_token: settings.admin.token.clone(),
        seed,
    }
}

fn sip(settings: &Settings) -> SipSettings {
    let door = &settings.sip;
    let mut sip = SipSettings::new(settings.numbering.clone());
    sip.listen = door.listen.iter().map(|address| Listen { transport: Transport::Udp, address: *address }).collect();
    sip.answer_timeout = door.answer_timeout;
    let mut release = ReleaseTable::default();
    for (reason, given) in &door.release {
        if let Ok(given) = Release::new(given.status, given.cause) {
            release.set(*reason, given);
        }
    }
    let given = door.peers.iter().filter_map(|peer| {
        let network = Network::new(peer.network, peer.prefix).ok()?;
        let rules = Rules { trusted: peer.trusted, ..Rules::new(settings.numbering.clone()) };
        Some(Peer::new(network.to_string(), vec![network], rules))
    });
    let given: Vec<Peer> = given.collect();
    if !given.is_empty() {
        sip.peers = given;
    }
    for peer in &mut sip.peers {
        peer.rules.release = release.clone();
        peer.rules.not_found = door.not_found;
    }
    sip
}
