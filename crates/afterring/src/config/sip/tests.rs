//! Peers, releases and listeners as operators write them, and every fault in its own words.

use std::num::NonZeroU32;

use ingress::sip::{CalledFrom, CallerFrom, IdFrom, Last, Party, Release, ReplyTo, TlsFiles, Transport};
use model::Reason;

use super::*;
use crate::config::{Fault, Settings, Sources};

fn load(environment: &[(&str, &str)]) -> Result<SipSettings, Vec<Fault>> {
    let given = environment.iter().map(|(name, value)| (format!("AFTERRING_SIP__{name}"), *value));
    let all = given.chain([("AFTERRING_SERVICE__CODE".to_owned(), "12599")]);
    let environment = all.map(|(name, value)| (name.into(), value.into())).collect();
    let sources = Sources { environment, ..Sources::default() };
    Settings::load(&sources).map(|settings| settings.sip).map_err(|faults| faults.0)
}

fn problems(environment: &[(&str, &str)]) -> Vec<String> {
    load(environment).err().unwrap_or_default().into_iter().map(|fault| fault.problem).collect()
}

fn china() -> Numbering {
    Numbering::new("86", "0", "00")
}

#[test]
fn the_defaults_are_those_of_the_door() {
    let ours = load(&[]).unwrap();
    let door = SipSettings::new(china());
    assert_eq!((ours.listen.len(), ours.tls, ours.peers), (0, None, door.peers));
    assert_eq!((ours.limits, ours.answer_timeout, ours.timers), (door.limits, door.answer_timeout, door.timers));
    // The defaults that the table prints are those that are used.
    let given = |parameter: &&parameters::Parameter| !parameter.default.is_empty() && parameter.name != "trusted";
    let written = PARAMETERS.iter().filter(given).map(|known| format!(";{}={}", known.name, known.default));
    let trusted = format!("10.0.0.0/8;trusted{}", written.collect::<String>());
    let trusted = trusted.replace("+prefix", "");
    let peers = load(&[("PEERS", &trusted)]).unwrap().peers;
    let mut rules = Rules { trusted: true, ..Rules::new(china()) };
    rules.called.retain(|from| *from != CalledFrom::Prefix);
    assert_eq!(peers, [Peer::new("10.0.0.0/8", vec!["10.0.0.0/8".parse().unwrap()], rules)]);
    let bare = load(&[("PEERS", "10.0.0.0/8")]).unwrap().peers;
    assert_eq!(bare, [Peer::new("10.0.0.0/8", vec!["10.0.0.0/8".parse().unwrap()], Rules::new(china()))]);
}

#[test]
fn a_peer_is_read_with_everything_that_is_said_of_it() {
    let given = "10.1.0.0/24 + 2001:db8::/32 ; trusted; name=msc; rate=500; concurrent=50; connections=7; called=isup+prefix+to;\
        diversion=bottom; party=first; caller=remote_party_id+from; prefix=12599; not_found=unknown; id=call_id; reply_to=source;\
        country_code=45; national_prefix=; international_prefix=009; shortest_national=8; busy=600/21; no_answer=302/sip:gone@ann.example%3Buser=phone%2C1";
    let all = [("PEERS", format!("{given},192.0.2.1")), ("RELEASE", "busy=603/17,rejected=302/tel:+4511".to_owned())];
    let all = all.each_ref().map(|(name, value)| (*name, value.as_str()));
    let settings = load(&[all.as_slice(), &[("NOT_FOUND", "unknown")]].concat()).unwrap();
    let [msc, other] = &settings.peers[..] else { panic!("{:?}", settings.peers) };
    assert_eq!((msc.name.as_str(), msc.networks.len(), msc.connections), ("msc", 2, 7));
    assert_eq!((msc.rate, msc.concurrent), (NonZeroU32::new(500), NonZeroU32::new(50)));
    let rules = &msc.rules;
    assert_eq!(rules.called, [CalledFrom::Isup, CalledFrom::Prefix, CalledFrom::To]);
    assert_eq!(rules.caller, [CallerFrom::RemotePartyId, CallerFrom::From]);
    assert_eq!((rules.trusted, rules.diversion, rules.party), (true, Last::Bottom, Party::First));
    assert_eq!((rules.id, rules.reply_to, rules.not_found), (IdFrom::CallId, ReplyTo::Source, Reason::Unknown));
    assert_eq!(rules.prefix.as_deref(), Some("12599"));
    let denmark = Numbering {
        country_code: "45".into(),
        national_prefix: String::new(),
        international_prefix: "009".into(),
        shortest_national: 8,
    };
    assert_eq!(rules.numbering, denmark);
    let release = |reason| rules.release.of(reason).clone();
    assert_eq!(release(Reason::Busy), Release::new(600, 21).unwrap());
    assert_eq!(release(Reason::NoAnswer), Release::redirect("sip:gone@ann.example;user=phone,1").unwrap());
    assert_eq!(release(Reason::Rejected), Release::redirect("tel:+4511").unwrap());
    assert_eq!(release(Reason::Unreachable), Release::new(480, 20).unwrap());
    assert_eq!((other.name.as_str(), other.rules.trusted, &other.rules.numbering), ("192.0.2.1/32", false, &china()));
    assert_eq!(other.rules.release.of(Reason::Busy), &Release::new(603, 17).unwrap());
    let local = load(&[("RELEASE", "busy=603/17")]).unwrap().peers;
    assert_eq!((local[0].rules.trusted, local[0].rules.release.of(Reason::Busy).status()), (true, 603));
}

#[test]
fn a_peer_that_can_not_be_meant_is_told_in_its_own_words() {
    for (peers, words) in [
        ("10.0.0.1/8", "bits beyond its prefix"),
        ("10.0.0.0/33", "not a number of bits"),
        ("sbc.example", "names aren't looked up"),
        ("10.0.0.0/8+", "not a network"),
        (";trusted", "not a network"),
        (
            "10.0.0.0/8;busy=302/sip:a@b;user=phone",
            "\"user\" is an unknown parameter (in the URI of a redirect a semicolon is written %3B)",
        ),
        ("10.0.0.0/8;believed", "\"believed\" is an unknown parameter; known: name, trusted, rate"),
        ("10.0.0.0/8;rate=5;rate=6", "rate is given twice"),
        ("10.0.0.0/8;name", "name is given without a value: name="),
        ("10.0.0.0/8;rate;trusted", "rate is given without a value: rate="),
        ("10.0.0.0/8;rate=-1", "rate: not a whole number"),
        ("10.0.0.0/8;rate=1000001", "rate: out of bounds: at least 0 and at most 1000000"),
        ("10.0.0.0/8;concurrent=", "concurrent: not a whole number"),
        ("10.0.0.0/8;connections=0", "connections: out of bounds"),
        ("10.0.0.0/8;name=", "name: not 1 to 64"),
        ("10.0.0.0/8;name=a b", "name: not 1 to 64"),
        ("10.0.0.0/8;trusted=yes", "trusted: not true or false"),
        ("10.0.0.0/8;called=diversion+pai", "called: \"pai\" is not one of diversion, history_info"),
        ("10.0.0.0/8;called=", "called: \"\" is not one of"),
        ("10.0.0.0/8;called=to+to", "called: to is there twice"),
        ("10.0.0.0/8;caller=diversion", "caller: \"diversion\" is not one of asserted_identity"),
        ("10.0.0.0/8;caller=remote_party_id", "remote_party_id counts from trusted peers only"),
        ("10.0.0.0/8;caller=asserted_identity+from", "asserted_identity counts from trusted peers only"),
        ("10.0.0.0/8;called=served_user", "served_user counts from trusted peers only"),
        ("10.0.0.0/8;prefix=12599;called=diversion", "called= doesn't name prefix"),
        ("10.0.0.0/8;called=prefix", "add prefix="),
        ("10.0.0.0/8;prefix=+86", "prefix: not 1 to 15 digits"),
        ("10.0.0.0/8;diversion=last", "diversion: not top or bottom"),
        ("10.0.0.0/8;party=top", "party: not last or first"),
        ("10.0.0.0/8;id=Icid", "id: not icid or call_id"),
        ("10.0.0.0/8;reply_to=port", "reply_to: not via or source"),
        ("10.0.0.0/8;not_found=busy", "not_found: not unreachable or unknown"),
        ("10.0.0.0/8;country_code=086", "country_code: not a country code"),
        ("10.0.0.0/8;national_prefix=00", "national_prefix: begins with the international prefix"),
        ("10.0.0.0/8;international_prefix=0", "national_prefix: begins with the international prefix"),
        ("10.0.0.0/8;national_prefix=x", "national_prefix: not at most 6 digits"),
        ("10.0.0.0/8;busy=200/17", "busy: status 200"),
        ("10.0.0.0/8;busy=503/17", "treat the gateway as broken"),
        ("10.0.0.0/8;busy=486", "busy: not of the form"),
        ("10.0.0.0/8;busy=302/http://x", "busy: a redirect needs"),
        ("10.0.0.0/8,10.0.0.0/8;trusted", "10.0.0.0/8 is given twice"),
        ("10.0.0.0/8,10.1.0.0/16;trusted", "10.1.0.0/16 never counts: 10.0.0.0/8 of 10.0.0.0/8 holds its addresses"),
        ("10.1.0.0/16;name=a,10.2.0.0/16;name=a", "two peers are called a"),
    ] {
        let told = problems(&[("PEERS", peers)]);
        assert!(!told.is_empty() && told.iter().all(|it| it.contains(words) || told.len() > 1), "{peers}: {told:?}");
        assert!(told.iter().any(|it| it.contains(words)), "{peers}: {told:?}");
    }
    let told = problems(&[("PEERS", "10.0.0.0/8;rate=x;id=y,192.0.2.1;party=z")]);
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told[0].starts_with("10.0.0.0/8: rate") && told[2].starts_with("192.0.2.1: party"), "{told:?}");
    assert!(load(&[("PEERS", "10.1.0.0/16,10.0.0.0/8;trusted")]).is_ok(), "the narrower one first");
}

#[test]
fn releases_stand_in_for_the_defaults_one_by_one() {
    let settings = load(&[("RELEASE", "busy=600/21, no_answer = 302/sip:a@b;c=d")]).unwrap();
    let release = &settings.peers[0].rules.release;
    assert_eq!(release.of(Reason::Busy), &Release::new(600, 21).unwrap());
    assert_eq!(release.of(Reason::NoAnswer).contact(), Some("sip:a@b;c=d"));
    assert_eq!(release.of(Reason::Rejected).status(), 480);
    for text in [
        "busy=200/17",
        "busy=503/17",
        "busy=401/17",
        "busy=486/0",
        "busy=486/128",
        "busy=486",
        "busy=302/17",
        "engaged=486/17",
        "busy=486/17,busy=480/19",
    ] {
        assert_eq!(problems(&[("RELEASE", text)]).len(), 1, "{text}");
    }
}

#[test]
fn the_door_listens_by_every_transport() {
    let settings = load(&[(
        "LISTEN",
        "udp://0.0.0.0:5060, udp://[::]:5060,tcp://0.0.0.0:5060,tcp://127.0.0.1:0,tcp://127.0.0.1:0",
    )]);
    let shown: Vec<String> = settings.unwrap().listen.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown.join(" "),
        "udp://0.0.0.0:5060 udp://[::]:5060 tcp://0.0.0.0:5060 tcp://127.0.0.1:0 tcp://127.0.0.1:0"
    );
    for (listen, words) in [
        ("0.0.0.0:5060", "does not begin with one of udp://, tcp://, tls://"),
        ("sctp://0.0.0.0:5060", "does not begin with one of"),
        ("udp://sip.example:5060", "names aren't looked up"),
        ("udp://", "no address behind udp://"),
        ("tcp://:::5060", "not an IP address"),
        ("udp://0.0.0.0:5060,udp://0.0.0.0:5060", "taken by a listener before it"),
    ] {
        let told = problems(&[("LISTEN", listen)]);
        assert!(told.len() == 1 && told[0].contains(words), "{listen}: {told:?}");
    }
}

#[test]
fn tls_needs_its_files() {
    let dir = tempfile::tempdir().unwrap();
    let [certificate, key, empty, other] =
        ["cert.pem", "key.pem", "empty.pem", "other.pem"].map(|name| dir.path().join(name));
    let made = rcgen::generate_simple_self_signed(["gateway.example".to_owned()]).unwrap();
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    std::fs::write(&empty, "").unwrap();
    std::fs::write(&other, rcgen::KeyPair::generate().unwrap().serialize_pem()).unwrap();
    let [cert, key, empty, other] = [&certificate, &key, &empty, &other].map(|path| path.to_str().unwrap());
    let listen = ("LISTEN", "tls://0.0.0.0:5061");
    let sound = [listen, ("TLS_CERTIFICATE", cert), ("TLS_KEY", key), ("TLS_CLIENT_CA", cert)];
    let settings = load(&sound).unwrap();
    assert_eq!(settings.listen[0].transport, Transport::Tls);
    let files = TlsFiles { certificate: cert.into(), key: key.into(), client_ca: Some(cert.into()) };
    assert_eq!(settings.tls, Some(files));
    for (given, at, words) in [
        (&[listen][..], "sip.tls_certificate", "missing"),
        (&[listen, ("TLS_CERTIFICATE", cert)], "sip.tls_key", "missing"),
        (&[("TLS_CERTIFICATE", cert), ("TLS_KEY", key)], "sip.tls_certificate", "nothing listens by TLS"),
        (&[("TLS_CLIENT_CA", cert)], "sip.tls_client_ca", "nothing listens by TLS"),
        (&[listen, ("TLS_CERTIFICATE", "/nowhere"), ("TLS_KEY", key)], "sip.tls_certificate", "can't be read"),
        (&[listen, ("TLS_CERTIFICATE", empty), ("TLS_KEY", key)], "sip.tls_certificate", "no certificate in PEM form"),
        (&[listen, ("TLS_CERTIFICATE", cert), ("TLS_KEY", cert)], "sip.tls_key", "no private key in PEM form"),
        (&[listen, ("TLS_CERTIFICATE", cert), ("TLS_KEY", other)], "sip.tls_key", "can't be used with the key"),
        (
            &[listen, ("TLS_CERTIFICATE", cert), ("TLS_KEY", key), ("TLS_CLIENT_CA", key)],
            "sip.tls_client_ca",
            "no certificate",
        ),
        (
            &[("LISTEN", "tcp://0.0.0.0:5061,tls://0.0.0.0:5061"), sound[1], sound[2]],
            "sip.listen",
            "taken by a listener",
        ),
    ] {
        let faults = load(given).unwrap_err();
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(faults[0].key == at && faults[0].problem.contains(words), "{faults:?}");
    }
}
