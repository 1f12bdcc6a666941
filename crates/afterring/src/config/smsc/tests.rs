//! URLs as operators write them: the links they stand for, and what is told of those that can't be used.

use std::time::Duration;

use model::IdForm;
use smpp_client::{Bind, Charset, Long, StatusClass, TonNpi, ValidityForm, Version};

use super::*;

fn numbering() -> Numbering {
    Numbering::new("86", "0", "00")
}

fn read(text: &str) -> Result<Vec<LinkSettings>, Problems> {
    of_urls(&Raw::Text(text.to_owned()), &numbering()).map(|smscs| smscs.links)
}

#[test]
fn a_url_stands_for_its_links() {
    let links = read(
        "smpp://after%40ring:0012@smsc.example:2776?binds=2&window=10&rate=50&name=north&system_type=VMA&timeout=500ms",
    )
    .unwrap();
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
    assert_eq!(hosts, [("one:2775/1", "one", 2775), ("[::1]:3000/1", "::1", 3000), ("10.0.0.1:1/1", "10.0.0.1", 1)]);
    assert_eq!((links[0].window, links[0].rate, links[0].enquire_interval), (100, 0, Duration::from_secs(30)));
    assert!(read("").unwrap().is_empty());
    let Problems(problems) = read("smpp://a:b@one,smpp://c:d@one").unwrap_err();
    assert!(problems[0].starts_with("SMSC 2 of 2: a URL before it has the same host and port"), "{problems:?}");
}

#[test]
fn what_cannot_be_used_says_why_and_shows_no_piece_of_a_password() {
    for (url, says) in [
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
        ("smpp://id:s3cret@h?tls_ca=/s3?/cret", "an @, /, ? or #"),
        ("smpp://id:s3cret@h?version=3.3", "SMPP 3.3 has no transceiver"),
        ("smpp://id:s3cret@h?version=3.3&bind=pair&long=sar", "SMPP 3.3 has no optional parameters"),
        ("smpp://id:s3cret@h?bind=transmitter", "has transmitters only"),
        ("smpp://id:s3cret@h?bind=both", "bind: not one of the words"),
        ("smpp://id:s3cret@h?outbind=127.0.0.1:9000&bind=pair", "outbind needs binds=1 and no pair"),
        ("smpp://id:s3cret@h?outbind=127.0.0.1:9000&binds=2", "outbind needs binds=1 and no pair"),
        ("smpp://id:s3cret@h?outbind=127.0.0.1:0", "can't be 0"),
        ("smpps://id:s3cret@h?outbind=127.0.0.1:9000", "outbind needs smpp://"),
        ("smpp://id:s3cret@h?outbind=h:9000", "outbind: not an IP address"),
        ("smpp://id:s3cret@h?tls_ca=/a.pem", "tls_ca needs smpps://"),
        ("smpps://id:s3cret@h?tls_cert=/a.pem", "tls_cert without tls_key"),
        ("smpps://id:s3cret@h?tls_key=/a.pem", "tls_key without tls_cert"),
        ("smpps://id:s3cret@h?tls_name=a%20b", "no certificate can have this name"),
        ("smpp://id:s3cret@h?priority=100", "priority: out of bounds"),
        ("smpp://id:s3cret@h?weight=0", "weight: out of bounds"),
        ("smpp://id:s3cret@h?packed=true&charset=latin1", "packed=true needs charset=gsm"),
        ("smpp://id:s3cret@h?status=throttled", "status: not of the form number:class"),
        ("smpp://id:s3cret@h?status=0:later", "status: 0 means"),
        ("smpp://id:s3cret@h?status=0x1:later;1:refused", "status: 0x1 is given twice"),
        ("smpp://id:s3cret@h?status=0x100000000:later", "status: out of bounds"),
        ("smpp://id:s3cret@h?status=0x:later", "status: not a hexadecimal number"),
        ("smpp://id:s3cret@h?status=1:accepted", "status: not a class of statuses; known: throttled, later"),
        ("smpp://id:s3cret@h?registered_delivery=256", "registered_delivery: out of bounds"),
        ("smpp://id:s3cret@h?priority_flag.teaser=4", "priority_flag.teaser: out of bounds"),
        ("smpp://id:s3cret@h?service_type=toolong", "service_type: not at most 5"),
        ("smpp://id:s3cret@h?source_ton_npi=5", "source_ton_npi: not of the form ton/npi"),
        ("smpp://id:s3cret@h?dest_ton_npi=1/256", "dest_ton_npi: out of bounds"),
        ("smpp://id:s3cret@h?window.teaser=1", "unknown parameter"),
        ("smpp://id:s3cret@h?priority_flag.s3cret=1", "unknown parameter"),
        ("smpp://id:s3cret@h?address_range=0123456789012345678901234567890123456789x", "address_range: not at most 40"),
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
    assert!(!format!("{:?}", of_urls(&raw, &numbering()).unwrap()).contains("s3cret"));
}

#[test]
fn the_documented_defaults_are_those_of_links() {
    let all: Vec<String> =
        PARAMETERS.iter().filter(|p| !p.default.is_empty()).map(|p| format!("{}={}", p.name, p.default)).collect();
    let links = read(&format!("smpp://a:b@h?name=n&{}", all.join("&"))).unwrap();
    let password = model::Secret::new("b".into());
    assert_eq!(links, [LinkSettings::new(SmscName("n".into()), "h", 2775, "a", password, numbering())]);
    assert_eq!(read("smpp://a:b@h?name=n").unwrap(), links);
}

#[test]
fn every_parameter_has_its_effect() {
    let links = read(
        "smpp://a:b@h?name=n&bind=transceiver&version=5.0&outbind=127.0.0.1:9000&address_range=^1259&priority=2&weight=3&window=7&smsc_rate=9&\
         enquire=1s&enquire_timeout=2s&timeout=3s&update_timeout=4s&bind_timeout=5s&reconnect_min=6s&reconnect_max=7s&refused_wait=8s&\
         status=0x400:throttled;1025:later&charset=latin1&long=payload&validity=absolute&receipt_id=decimal&\
         registered_delivery=0x11&registered_delivery.teaser=0&priority_flag=1&service_type=CMT&protocol_id=64&source_ton_npi=5/0&source_ton_npi.notice=&\
         dest_ton_npi.detail=2/1",
    )
    .unwrap();
    let link = &links[0];
    assert_eq!((link.version, link.outbind), (Version::V5_0, Some("127.0.0.1:9000".parse().unwrap())));
    assert_eq!((link.priority, link.weight, link.window, link.rate, link.smsc_rate), (2, 3, 7, 0, 9));
    assert_eq!(link.address_range, "^1259");
    let times = [
        link.enquire_interval,
        link.enquire_timeout,
        link.response_timeout,
        link.update_timeout,
        link.bind_timeout,
        link.reconnect_min,
        link.reconnect_max,
        link.refused_wait,
    ];
    assert_eq!(times.map(|time| time.as_secs()), [1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!([0x400, 0x401].map(|status| link.statuses.class(status)), [StatusClass::Throttled, StatusClass::Later]);
    let writing = &link.writing;
    assert_eq!((writing.charset, writing.packed, writing.long), (Charset::Latin1, false, Long::Payload));
    assert_eq!((writing.validity, link.id_form), (ValidityForm::Absolute, Some(IdForm::Decimal)));
    let [detail, teaser, notice] = [Kind::Detail, Kind::Teaser, Kind::Notice].map(|kind| writing.of(kind));
    assert_eq!((detail.registered_delivery, teaser.registered_delivery), (0x11, 0));
    assert_eq!((detail.priority_flag, detail.service_type.as_str(), detail.protocol_id), (1, "CMT", 64));
    assert_eq!((detail.source, notice.source), (Some(TonNpi { ton: 5, npi: 0 }), None));
    assert_eq!((detail.destination, teaser.destination), (TonNpi { ton: 2, npi: 1 }, TonNpi { ton: 1, npi: 1 }));
}

fn names_and_binds(links: &[LinkSettings]) -> Vec<(&str, Bind)> {
    links.iter().map(|link| (link.name.0.as_str(), link.bind)).collect()
}

#[test]
fn pairs_are_transmitters_and_receivers() {
    let links = read("smpp://a:b@h?name=n&bind=pair&binds=2").unwrap();
    let (tx, rx) = (Bind::Transmitter, Bind::Receiver);
    assert_eq!(names_and_binds(&links), [("n/tx1", tx), ("n/rx1", rx), ("n/tx2", tx), ("n/rx2", rx)]);
}

#[test]
fn urls_of_one_name_are_one_smsc_whose_links_are_numbered_on() {
    let links = read(
        "smpp://a:b@h:1?name=n&bind=transmitter&binds=2,smpp://a:b@other:2?name=n&bind=receiver,smpp://a:b@third?name=n&bind=pair,smpp://a:b@h?name=m",
    )
    .unwrap();
    let (tx, rx) = (Bind::Transmitter, Bind::Receiver);
    let expected = [("n/1", tx), ("n/2", tx), ("n/3", rx), ("n/tx1", tx), ("n/rx1", rx), ("m/1", Bind::Transceiver)];
    assert_eq!(names_and_binds(&links), expected);
    assert_eq!((links[2].host.as_str(), links[2].port), ("other", 2));
}

/// A value of each parameter that is not its default.
fn another(parameter: &str) -> &'static str {
    match parameter {
        "smsc_rate" => "5",
        "status" => "0x400:later",
        "charset" => "utf8",
        "packed" => "true",
        "long" => "sar",
        "validity" => "omitted",
        "receipt_id" => "same",
        "registered_delivery" => "17",
        "priority_flag" => "2",
        "service_type" => "X",
        "source_ton_npi" => "0/0",
        "dest_ton_npi" => "0/1",
        "protocol_id" | "priority" => "1",
        "version" => "5.0",
        "update" => "cancel",
        other => panic!("no other value for {other}"),
    }
}

#[test]
fn what_belongs_to_the_smsc_must_be_the_same_in_all_urls_of_its_name() {
    for known in PARAMETERS.iter().filter(|known| known.of != Of::Links) {
        let told = read(&format!("smpp://a:b@h?name=n,smpp://a:b@i?name=n&{}={}", known.name, another(known.name)));
        let Problems(problems) = told.unwrap_err();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].starts_with(&format!("SMSC 2 of 2: {} differs", known.name)), "{problems:?}");
    }
    for known in PARAMETERS.iter().filter(|known| known.of == Of::Kind) {
        let own = format!("{}.teaser={}", known.name, another(known.name));
        assert!(read(&format!("smpp://a:b@h?name=n,smpp://a:b@i?name=n&{own}")).is_err(), "{own}");
        assert!(read(&format!("smpp://a:b@h?name=n&{own},smpp://a:b@i?name=n&{own}")).is_ok(), "{own}");
    }
    for name in ["priority", "version"] {
        assert!(read(&format!("smpp://a:b@h?name=n,smpp://a:b@i?name=n&{name}={}", another(name))).is_ok(), "{name}");
    }
}

#[test]
fn an_address_that_an_smsc_connects_to_is_for_one_url() {
    let Problems(problems) =
        read("smpp://a:b@h?outbind=127.0.0.1:9000,smpp://a:b@i?outbind=127.0.0.1:9000").unwrap_err();
    assert!(problems[0].contains("each needs its own"), "{problems:?}");
}

#[test]
fn an_smsc_without_receivers_is_for_messages_without_receipts() {
    let links = read("smpp://a:b@h?bind=transmitter&registered_delivery=0").unwrap();
    assert_eq!(links[0].bind, Bind::Transmitter);
    assert!(read("smpp://a:b@h?bind=transmitter&registered_delivery=0&registered_delivery.detail=1").is_err());
}

#[test]
fn a_rate_bounds_the_window_to_a_second_of_it() {
    for (given, window) in
        [("rate=5", 5), ("smsc_rate=6", 6), ("rate=50&smsc_rate=7", 7), ("rate=0", 100), ("rate=500", 100)]
    {
        assert_eq!(read(&format!("smpp://a:b@h?{given}")).unwrap()[0].window, window, "{given}");
    }
}

/// A certificate and its key, in PEM.
fn certified() -> (String, String) {
    let rcgen::CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed(vec!["h".to_owned()]).unwrap();
    (cert.pem(), signing_key.serialize_pem())
}

#[test]
fn the_files_of_tls_are_looked_at_and_the_paths_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (pem, key) = certified();
    let (certificate, key, other) = (file("a b.pem", &pem), file("key.pem", &key), file("other.pem", &certified().1));
    let broken = file("broken.pem", "-----BEGIN CERTIFICATE-----\n*\n-----END CERTIFICATE-----\n");
    let certificate = certificate.replace(' ', "%20");
    let url =
        format!("smpps://a:s3cret@h?tls_ca={certificate}&tls_cert={certificate}&tls_key={key}&tls_name=smsc.example");
    let tls = read(&url).unwrap()[0].tls.clone().unwrap();
    assert_eq!(tls.ca, Some(dir.path().join("a b.pem")));
    assert_eq!((tls.key, tls.server_name.as_deref()), (Some(dir.path().join("key.pem")), Some("smsc.example")));
    assert_eq!(read("smpps://a:b@h").unwrap()[0].tls, Some(smpp_client::TlsSettings::default()));
    let shown = hidden(&Raw::Text(url));
    assert!(shown[0].starts_with("smpps://a:***@h:2775?tls_ca="), "{shown:?}");
    for (given, says) in [
        (format!("tls_ca={}/none.pem", dir.path().display()), "none.pem can't be read"),
        (format!("tls_ca={}", dir.path().display()), "can't be read"),
        (format!("tls_ca={key}"), "tls_ca: no certificate in PEM form is in"),
        (format!("tls_ca={broken}"), "is not PEM"),
        (format!("tls_cert={certificate}&tls_key={certificate}"), "tls_key: no private key in PEM form is in"),
        (format!("tls_cert={certificate}&tls_key={other}"), "our own certificate can't be used"),
    ] {
        let Problems(problems) = read(&format!("smpps://a:s3cret@h?{given}")).unwrap_err();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].contains(says) && !problems[0].contains("s3cret"), "{given}: {problems:?}");
    }
}
