//! SIP over TLS: who is let in, by which certificate, and what is said of those who aren't.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ingress::sip::{BindError, Door, Ended, Limits, SipSettings, TlsError, TlsFiles, Transport};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion, version};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::gateway::{Gateway, Trunk, invite, options, settings, status};

/// Signs certificates, and keeps them in a directory.
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

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        fs::write(self.path(name), text).unwrap();
        self.path(name)
    }

    /// A certificate of localhost and its key, in files of this name.
    fn sign(&self, name: &str) {
        self.sign_with(name, &CertificateParams::new(vec!["localhost".to_owned()]).unwrap());
    }

    fn sign_with(&self, name: &str, params: &CertificateParams) {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        self.write(&format!("{name}.pem"), &certificate.pem());
        self.write(&format!("{name}.key"), &key.serialize_pem());
    }

    fn files(&self, client_ca: Option<PathBuf>) -> TlsFiles {
        TlsFiles { certificate: self.path("gateway.pem"), key: self.path("gateway.key"), client_ca }
    }

    /// A peer that knows this authority, with a certificate of another one if it has any.
    fn peer(&self, own: Option<(&Self, &str)>, versions: &[&'static SupportedProtocolVersion]) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.path("ca.pem")).unwrap()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots);
        let config = match own {
            None => builder.with_no_client_auth(),
            Some((authority, name)) => {
                let certificate = CertificateDer::from_pem_file(authority.path(&format!("{name}.pem"))).unwrap();
                let key = PrivateKeyDer::from_pem_file(authority.path(&format!("{name}.key"))).unwrap();
                builder.with_client_auth_cert(vec![certificate], key).unwrap()
            }
        };
        TlsConnector::from(Arc::new(config))
    }
}

const BOTH: &[&SupportedProtocolVersion] = &[&version::TLS12, &version::TLS13];

fn over_tls(files: TlsFiles) -> SipSettings {
    SipSettings { tls: Some(files), ..settings(&[(Transport::Tls, "127.0.0.1:0")]) }
}

async fn connect(gateway: &Gateway, peer: &TlsConnector) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(gateway.addresses[0]).await.unwrap();
    peer.connect(ServerName::try_from("localhost").unwrap(), stream).await
}

/// A peer of TLS 1.3 believes itself let in until it reads.
async fn is_refused(gateway: &Gateway, peer: &TlsConnector) -> bool {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let Ok(mut stream) = connect(gateway, peer).await else { return true };
    let _ = stream.write_all(options("refused").as_bytes()).await;
    !stream.read(&mut [0; 1]).await.is_ok_and(|read| read > 0)
}

/// The certificate that the gateway shows.
async fn shown(gateway: &Gateway, peer: &TlsConnector) -> Vec<u8> {
    let stream = connect(gateway, peer).await.unwrap();
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

#[tokio::test]
async fn a_call_over_tls_is_released_in_either_version() {
    let authority = Authority::new();
    authority.sign("gateway");
    let mut gateway = Gateway::start(over_tls(authority.files(None))).await;
    for (version, name) in [(&version::TLS12, "a"), (&version::TLS13, "b")] {
        let stream = connect(&gateway, &authority.peer(None, &[version])).await.unwrap();
        let mut trunk = Trunk::over(stream);
        trunk.send(invite(name)).await;
        gateway.store_calls(1).await;
        assert_eq!(status(&trunk.receive().await), 486);
        trunk.send("\r\n\r\n").await;
        trunk.send(options(&format!("{name}-2"))).await;
        assert!(trunk.receive().await.starts_with("\r\nSIP/2.0 200 "), "the keepalive is answered");
        // The largest write is more than one record of TLS.
        let many: String = (0..200).map(|number| options(&format!("{name}-{number}"))).collect();
        trunk.send(many).await;
        for _ in 0..200 {
            assert_eq!(status(&trunk.receive().await), 200);
        }
    }
    assert_eq!(gateway.meter.snapshot().connections[1].0, Transport::Tls);
    gateway.wait_for_end(Ended::Peer, 2).await;
}

#[tokio::test]
async fn where_an_authority_is_named_peers_must_show_a_certificate_of_it() {
    let (authority, other) = (Authority::new(), Authority::new());
    authority.sign("gateway");
    authority.sign("peer");
    other.sign("peer");
    let mut old = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    old.not_after = date_time_ymd(2020, 1, 1);
    authority.sign_with("old", &old);
    let gateway = Gateway::start(over_tls(authority.files(Some(authority.path("ca.pem"))))).await;
    let mut refused = 0;
    for version in BOTH {
        for own in [None, Some((&other, "peer")), Some((&authority, "old"))] {
            assert!(is_refused(&gateway, &authority.peer(own, &[version])).await);
            refused += 1;
            gateway.wait_for_end(Ended::Handshake, refused).await;
        }
    }
    let stream = connect(&gateway, &authority.peer(Some((&authority, "peer")), BOTH)).await.unwrap();
    assert_eq!(Trunk::over(stream).ask(options("a")).await, 200);
}

#[tokio::test]
async fn a_certificate_is_replaced_while_connections_live() {
    let authority = Authority::new();
    authority.sign("gateway");
    let gateway = Gateway::start(over_tls(authority.files(None))).await;
    let peer = authority.peer(None, BOTH);
    let mut trunk = Trunk::over(connect(&gateway, &peer).await.unwrap());
    let before = shown(&gateway, &peer).await;
    assert_eq!(before, shown(&gateway, &peer).await);

    fs::write(authority.path("gateway.key"), "half a ke").unwrap();
    assert_eq!(before, shown(&gateway, &peer).await, "a bad file changes nothing");
    fs::remove_file(authority.path("gateway.pem")).unwrap();
    assert_eq!(before, shown(&gateway, &peer).await, "nor does one that is gone");

    authority.sign("gateway");
    let after = shown(&gateway, &peer).await;
    assert_ne!(before, after);
    assert_eq!(after, shown(&gateway, &peer).await);
    assert_eq!(trunk.ask(options("a")).await, 200, "who was there before stays");
}

#[tokio::test]
async fn plain_text_and_silence_on_the_port_of_tls_end_as_handshakes() {
    let authority = Authority::new();
    authority.sign("gateway");
    let limits = Limits { stall: Duration::from_millis(200), ..Limits::default() };
    let mut gateway = Gateway::start(SipSettings { limits, ..over_tls(authority.files(None)) }).await;
    let mut plain = gateway.trunk().await;
    plain.send(invite("a")).await;
    gateway.wait_for_end(Ended::Handshake, 1).await;
    assert!(gateway.offers.try_recv().is_err(), "nothing of it was taken for a call");
    gateway.trunk().await.expect_end().await;
    gateway.wait_for_end(Ended::Handshake, 2).await;
    assert_eq!(gateway.open(), 0);
}

#[tokio::test]
async fn tls_on_a_port_of_tcp_is_no_sip() {
    let authority = Authority::new();
    let gateway = Gateway::start(crate::gateway::over_tcp()).await;
    assert!(is_refused(&gateway, &authority.peer(None, BOTH)).await);
    gateway.wait_for_end(Ended::Unframed, 1).await;
}

#[tokio::test]
async fn files_that_can_not_be_used_are_named_before_anything_is_served() {
    let (authority, other) = (Authority::new(), Authority::new());
    authority.sign("gateway");
    other.sign("gateway");
    let good = authority.files(Some(authority.path("ca.pem")));
    assert_eq!(good.check(), Ok(()));
    let empty = authority.write("empty.pem", "");
    let missing = authority.path("missing.pem");
    let key = other.path("gateway.key");
    for (files, named) in [
        (TlsFiles { certificate: missing.clone(), ..good.clone() }, &missing),
        (TlsFiles { certificate: empty.clone(), ..good.clone() }, &empty),
        (TlsFiles { key: empty.clone(), ..good.clone() }, &empty),
        (TlsFiles { key: key.clone(), ..good.clone() }, &key),
        (TlsFiles { client_ca: Some(empty.clone()), ..good.clone() }, &empty),
    ] {
        let error = files.check().unwrap_err();
        assert!(error.to_string().contains(&named.display().to_string()), "{error}");
        assert!(matches!(Door::bind(over_tls(files)).await, Err(BindError::Tls { .. })));
    }
    let without = settings(&[(Transport::Tls, "127.0.0.1:0")]);
    assert!(matches!(Door::bind(without).await, Err(BindError::Tls { source: TlsError::Missing, .. })));
}
