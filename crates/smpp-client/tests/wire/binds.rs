//! How a link binds: as what, in which version, with TLS, on a connection of the SMSC's.

use std::net::{Ipv4Addr, TcpListener as StdListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, pem::PemObject};
use rustls::server::WebPkiClientVerifier;
use smpp_client::{Bind, Inbound, LinkSettings, LinkState, TlsFault, TlsSettings, Version, Why};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::smsc::{
    BIND_RECEIVER, BIND_TRANSCEIVER, BIND_TRANSMITTER, DELIVER_SM, Gateway, OUTBIND, Peer, RESPONSE, Smsc, accepted,
    delivery, order, pdu, settings,
};

#[tokio::test]
async fn every_kind_of_bind_is_made_in_every_version() {
    for (bind, id) in
        [(Bind::Transceiver, BIND_TRANSCEIVER), (Bind::Transmitter, BIND_TRANSMITTER), (Bind::Receiver, BIND_RECEIVER)]
    {
        for (version, octet) in [(Version::V3_3, 0x33), (Version::V3_4, 0x34), (Version::V5_0, 0x50)] {
            let smsc = Smsc::open().await;
            let link = LinkSettings { bind, version, address_range: "12599".into(), ..settings(smsc.port) };
            let possible = link.check().is_ok();
            let gateway = Gateway::start(vec![link]);
            let mut peer = smsc.accept().await;
            if !possible {
                assert_eq!((version, bind), (Version::V3_3, Bind::Transceiver));
                gateway.until(|status| matches!(status.state, LinkState::Down { why: Why::Settings(_), .. })).await;
                continue;
            }
            let request = peer.expect(id).await;
            let expected = [&b"afterring\0secret\0\0"[..], &[octet], b"\0\x0012599\0"].concat();
            assert_eq!(request.body, expected, "{bind:?} {version:?}");
            peer.answer(&request, 0, b"smsc\0").await;
            gateway.until(|status| status.state == LinkState::Bound).await;
        }
    }
}

#[tokio::test]
async fn a_pair_submits_by_one_and_hears_by_the_other() {
    let smsc = Smsc::open().await;
    let link = |bind, name: &str| LinkSettings { bind, name: model::LinkName(name.into()), ..settings(smsc.port) };
    let mut gateway = Gateway::start(vec![link(Bind::Transmitter, "smsc1/tx1"), link(Bind::Receiver, "smsc1/rx1")]);
    let (one, other) = (smsc.bound_as().await, smsc.bound_as().await);
    let (mut tx, mut rx) = if one.1 == BIND_TRANSMITTER { (one.0, other.0) } else { (other.0, one.0) };
    gateway.submit(order(1, "C")).await;
    tx.take("4A").await;
    assert_eq!(gateway.outcome().await, (1, accepted(&["4A"])));
    rx.send(&pdu(DELIVER_SM, 0, 9, &delivery("8613800000001", 4, b"id:4A stat:DELIVRD"))).await;
    let Inbound::Receipt(receipt, acknowledge) = gateway.inbound().await else { panic!("no receipt") };
    assert_eq!((receipt.message_id.as_str(), receipt.smsc.0.as_str()), ("4A", "smsc1"));
    acknowledge.accept();
    assert_eq!(rx.read().await, Some(pdu(DELIVER_SM | RESPONSE, 0, 9, b"\0")));
}

fn free_port() -> u16 {
    StdListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// Connects to where the link listens.
async fn call(port: u16) -> Peer {
    loop {
        // The link's task may not have got so far.
        match TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await {
            Ok(stream) => return Peer::new(stream),
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
}

#[tokio::test]
async fn an_outbind_is_answered_by_a_bind_on_its_connection() {
    let port = free_port();
    let link = LinkSettings { outbind: Some((Ipv4Addr::LOCALHOST, port).into()), ..settings(1) };
    let mut gateway = Gateway::start(vec![link]);
    let outbind = pdu(OUTBIND, 0, 1, b"smsc\0secret\0").octets();
    gateway.until(|status| status.state == LinkState::Awaiting).await;
    for life in 1..=2 {
        // What doesn't begin with an outbind is turned away, and nobody is kept waiting for it.
        let mut stranger = call(port).await;
        stranger.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
        stranger.expect_end().await;
        drop(call(port).await);
        let mut peer = call(port).await;
        for octet in &outbind {
            peer.write(&[*octet]).await;
        }
        let bind = peer.expect(BIND_TRANSCEIVER).await;
        peer.answer(&bind, 0, b"smsc\0").await;
        gateway.until(|status| status.counts.connects == life).await;
        gateway.submit(order(1, "C")).await;
        peer.take("1").await;
        assert_eq!(gateway.outcome().await, (1, accepted(&["1"])));
        drop(peer);
        gateway.until(|status| status.state == LinkState::Awaiting).await;
    }
}

#[tokio::test]
async fn an_outbind_from_elsewhere_is_turned_away_and_a_taken_port_is_told() {
    let port = free_port();
    let link =
        LinkSettings { outbind: Some((Ipv4Addr::LOCALHOST, port).into()), host: "127.0.0.2".into(), ..settings(1) };
    let gateway = Gateway::start(vec![link.clone()]);
    gateway.until(|status| status.state == LinkState::Awaiting).await;
    let mut peer = call(port).await;
    peer.try_write(&pdu(OUTBIND, 0, 1, b"smsc\0secret\0").octets()).await;
    peer.expect_end().await;
    assert_eq!(gateway.status().counts.connects, 0);
    let second = Gateway::start(vec![link]);
    second.until(|status| matches!(status.last_closed.map(|closed| closed.why), Some(Why::Unlistenable(_)))).await;
}

/// Certificates of one authority, in a folder.
struct Authority {
    dir: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let authority = Self { dir: tempfile::tempdir().unwrap(), issuer };
        authority.write("ca.pem", &authority.issuer.pem());
        authority
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn ca(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    /// A certificate for this name: its file and that of its key.
    fn certify(&self, name: &str) -> (PathBuf, PathBuf) {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        let file = name.replace('.', "-");
        (
            self.write(&format!("{file}.pem"), &certificate.pem()),
            self.write(&format!("{file}.key"), &key.serialize_pem()),
        )
    }
}

fn acceptor(certificate: &Path, key: &Path, clients: Option<&Path>) -> TlsAcceptor {
    let read = |path: &Path| {
        rustls::pki_types::CertificateDer::pem_file_iter(path).unwrap().collect::<Result<Vec<_>, _>>().unwrap()
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(ca) => {
            let mut roots = rustls::RootCertStore::empty();
            read(ca).into_iter().for_each(|certificate| roots.add(certificate).unwrap());
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
            builder.with_client_cert_verifier(verifier)
        }
    };
    let config = builder.with_single_cert(read(certificate), PrivateKeyDer::from_pem_file(key).unwrap()).unwrap();
    TlsAcceptor::from(Arc::new(config))
}

fn tls(port: u16, tls: TlsSettings) -> LinkSettings {
    LinkSettings { host: "localhost".into(), tls: Some(tls), ..settings(port) }
}

#[tokio::test]
async fn a_link_speaks_tls_and_shows_its_certificate_where_it_is_asked_for() {
    let authority = Authority::new();
    let (certificate, key) = authority.certify("localhost");
    let (ours, our_key) = authority.certify("afterring.example");
    for clients in [None, Some(authority.ca())] {
        let smsc = Smsc::open().await;
        let acceptor = acceptor(&certificate, &key, clients.as_deref());
        let link = TlsSettings {
            ca: Some(authority.ca()),
            certificate: Some(ours.clone()),
            key: Some(our_key.clone()),
            server_name: None,
        };
        let mut gateway = Gateway::start(vec![tls(smsc.port, link)]);
        let mut peer = Peer::new(acceptor.accept(smsc.accept_stream().await).await.unwrap());
        let bind = peer.expect(BIND_TRANSCEIVER).await;
        peer.answer(&bind, 0, b"smsc\0").await;
        // More than fits one record.
        let text = "a".repeat(153 * 100);
        gateway.submit(order(1, &text)).await;
        for _ in 0..100 {
            peer.take("1").await;
        }
        assert_eq!(gateway.outcome().await.0, 1);
        assert_eq!(gateway.status().counts.accepted, 1);
    }
}

#[tokio::test]
async fn an_smsc_that_signed_its_own_certificate_is_known_by_it() {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["smsc.invalid".to_owned()]).unwrap().self_signed(&key).unwrap();
    let folder = Authority::new();
    let file = folder.write("own.pem", &certificate.pem());
    let key = folder.write("own.key", &key.serialize_pem());
    let smsc = Smsc::open().await;
    let acceptor = acceptor(&file, &key, None);
    let gateway = Gateway::start(vec![tls(smsc.port, TlsSettings { ca: Some(file), ..TlsSettings::default() })]);
    let mut peer = Peer::new(acceptor.accept(smsc.accept_stream().await).await.unwrap());
    let bind = peer.expect(BIND_TRANSCEIVER).await;
    peer.answer(&bind, 0, b"smsc\0").await;
    gateway.until(|status| status.state == LinkState::Bound).await;
}

#[tokio::test]
async fn why_tls_could_not_be_agreed_on_is_told() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let (certificate, key) = authority.certify("localhost");
    let known = TlsSettings { ca: Some(authority.ca()), ..TlsSettings::default() };
    let missing = TlsSettings { ca: Some(authority.dir.path().join("none.pem")), ..TlsSettings::default() };
    let unknown = TlsSettings { ca: Some(stranger.ca()), ..TlsSettings::default() };
    let other_name = TlsSettings { server_name: Some("other.example".into()), ..known.clone() };
    for (link, clients, fault) in [
        (unknown, false, TlsFault::Untrusted),
        (other_name, false, TlsFault::WrongName),
        (missing, false, TlsFault::Files),
        (known.clone(), true, TlsFault::Refused),
    ] {
        let smsc = Smsc::open().await;
        let acceptor = acceptor(&certificate, &key, clients.then(|| authority.ca()).as_deref());
        let gateway = Gateway::start(vec![tls(smsc.port, link)]);
        let _accepting = tokio::spawn(async move {
            loop {
                if let Ok(mut stream) = acceptor.accept(smsc.accept_stream().await).await {
                    let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
                }
            }
        });
        gateway.until(|status| status.last_closed.is_some_and(|closed| closed.why == Why::Tls(fault))).await;
    }
    let plain = Smsc::open().await;
    let gateway = Gateway::start(vec![tls(plain.port, known)]);
    let mut peer = plain.accept().await;
    peer.write(b"\0\0\0\x10\0\0\0\x15\0\0\0\0\0\0\0\x01").await;
    gateway.until(|status| status.last_closed.is_some_and(|closed| closed.why == Why::Tls(TlsFault::NotSpoken))).await;
}
