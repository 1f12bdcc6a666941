//! One request to the door, as its own server answers it, from peers whose rules differ in every way: what is understood, and what is answered.

#![no_main]

use std::net::{IpAddr, Ipv4Addr};
use std::sync::LazyLock;

use ingress::sip::explain::explain;
use ingress::sip::extract::understand;
use ingress::sip::{CalledFrom, CallerFrom, IdFrom, Last, Party, Peer, ReplyTo, Rules, SipSettings};
use model::{Numbering, Reason};

const SOURCE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// One peer each, with rules of its own.
static DOORS: LazyLock<Vec<SipSettings>> = LazyLock::new(|| rules().into_iter().map(door).collect());

fn door(rules: Rules) -> SipSettings {
    let network = "192.0.2.0/24".parse().expect("a network");
    SipSettings { peers: vec![Peer::new("peer", vec![network], rules.clone())], ..SipSettings::new(rules.numbering) }
}

fn rules() -> Vec<Rules> {
    let denmark = Rules::new(Numbering::new("45", "", "00"));
    let trusted = Rules { trusted: true, ..Rules::new(Numbering::new("86", "0", "00")) };
    vec![
        Rules {
            called: CalledFrom::ALL.into_iter().rev().collect(),
            caller: CallerFrom::ALL.to_vec(),
            diversion: Last::Bottom,
            prefix: Some("12599".into()),
            reply_to: ReplyTo::Source,
            ..trusted.clone()
        },
        Rules {
            called: vec![CalledFrom::Isup, CalledFrom::HistoryInfo],
            caller: vec![CallerFrom::Isup, CallerFrom::From],
            party: Party::First,
            not_found: Reason::Unknown,
            id: IdFrom::CallId,
            ..denmark.clone()
        },
        trusted,
        denmark,
    ]
}

libfuzzer_sys::fuzz_target!(|octets: &[u8]| {
    for door in DOORS.iter() {
        if let Ok(call) = understand(octets, &door.peers[0].rules) {
            let id = call.id.as_str();
            assert!(id.starts_with("sip:") && id.len() <= 128, "{id}");
            assert_ne!(call.original, Some(call.called));
        }
    }
    // A whole server is much for each input: they take turns.
    explained(octets, &DOORS[octets.len() % DOORS.len()]);
});

fn explained(octets: &[u8], door: &SipSettings) {
    let understood = understand(octets, &door.peers[0].rules);
    let explained = explain(octets, door, SOURCE);
    // The server may refuse for more: extensions, a dialog that isn't there, a size.
    match (&understood, &explained.outcome) {
        (Ok(understood), Ok(explained)) => assert_eq!(understood, explained),
        (Err(_) | Ok(_), Err(_)) => {}
        (Err(refusal), Ok(explained)) => panic!("{explained:?} is explained, and {refusal} understood"),
    }
    let is_invite = explained.request.as_ref().is_some_and(|(method, _)| method == "INVITE");
    let status = explained.response.first().and_then(|line| line.split(' ').nth(1)).unwrap_or("400");
    assert!(!is_invite || matches!(status.parse(), Ok(300..700)), "{status} to an INVITE");
}
