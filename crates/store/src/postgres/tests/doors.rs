//! Who is let in: passwords, TLS, PgBouncer.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use model::Timestamp;
use throwaway_postgres::{Cluster, try_sql};

use super::super::super::{Class, Probe, UrlError, migrate, partitions};
use super::super::Connector;
use super::{clock, connector, refused, settings, wait_for};

/// Asks for a password (and TLS), except of the superuser.
fn guarded(kind: &str) -> Cluster {
    let cluster = Cluster::start(&[]);
    let rules = format!("host all postgres 127.0.0.1/32 trust\n{kind} all all 127.0.0.1/32 scram-sha-256\n");
    fs::write(cluster.data().join("pg_hba.conf"), rules).unwrap();
    cluster.sql("create role plain login password 'sesame'; select pg_reload_conf()");
    cluster
}

fn url(cluster: &Cluster, user: &str, host: &str, rest: &str) -> String {
    format!("postgres://{user}@{host}:{}/postgres{rest}", cluster.port())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_let_in_is_told_why_and_no_password_is_shown() {
    let cluster = guarded("host");
    let at = |user: &str| connector(&url(&cluster, user, "127.0.0.1", "?sslmode=disable"));
    at("plain:sesame").connect().await.unwrap();

    for (user, says) in [("plain:geheim", "28P01"), ("nobody:geheim", "28P01"), ("plain", "password")] {
        let fault = refused(&at(user)).await;
        assert_eq!(fault.class, Class::Denied, "{fault}");
        assert!(fault.text.contains(says) && !format!("{fault:?}").contains("geheim"), "{fault:?}");
    }
    assert!(!format!("{:?}", settings("postgres://a:geheim@h/d")).contains("geheim"));

    let fault = refused(&connector(&cluster.url().replace("/postgres?", "/nothing?"))).await;
    assert!(fault.class == Class::Denied && fault.text.contains("\"nothing\" does not exist (3D000)"), "{fault}");

    cluster.sql("alter role plain connection limit 0");
    let fault = refused(&at("plain:sesame")).await;
    assert!(fault.class == Class::Connections && fault.text.contains("AFTERRING_DATABASE__POOL"), "{fault}");
}

/// An authority and a certificate of it for `localhost`, where the server finds them.
fn certified(cluster: &Cluster) -> PathBuf {
    let data = cluster.data();
    let openssl = |arguments: &str| {
        let output = Command::new("openssl").args(arguments.split(' ')).current_dir(data).output().unwrap();
        assert!(output.status.success(), "openssl: {}", String::from_utf8_lossy(&output.stderr));
    };
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(&format!("req -x509 {key} -keyout ca.key -out ca.crt -days 2 -subj /CN=authority"));
    openssl(&format!("req {key} -keyout server.key -out server.csr -subj /CN=localhost"));
    fs::write(data.join("names"), "subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n").unwrap();
    openssl("x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -extfile names -days 2 -out server.crt");
    let key = data.join("server.key");
    let owner = fs::metadata(data).unwrap();
    chown(&key, Some(owner.uid()), Some(owner.gid())).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    cluster.sql("alter system set ssl = on; select pg_reload_conf()");
    let at = url(cluster, "postgres", "127.0.0.1", "?sslmode=require");
    wait_for("TLS does not come on", || try_sql(&at, "select 1").is_ok());
    data.join("ca.crt")
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_is_checked_as_far_as_sslmode_says() {
    let cluster = guarded("hostssl");
    let ca = certified(&cluster);
    let with = |host: &str, mode: &str, ca: Option<&Path>| {
        let url = url(&cluster, "plain:sesame", host, &format!("?sslmode={mode}"));
        let settings = super::PostgresSettings { ca: ca.map(Path::to_owned), ..settings(&url) };
        Connector::new(&settings).unwrap()
    };
    for (host, mode, ca) in [
        ("127.0.0.1", "prefer", None),
        ("127.0.0.1", "require", None),
        ("127.0.0.1", "verify-ca", Some(&*ca)),
        ("localhost", "verify-full", Some(&*ca)),
    ] {
        let session = with(host, mode, ca).connect().await.unwrap_or_else(|fault| panic!("{mode}: {fault}"));
        let ours = "select ssl from pg_stat_ssl where pid = pg_backend_pid()";
        assert!(session.query_typed(ours, &[]).await.unwrap()[0].get::<_, bool>(0), "{mode}");
    }
    for (host, mode, ca, says) in [
        ("127.0.0.1", "disable", None, "no encryption"),
        ("127.0.0.1", "verify-full", Some(&*ca), "not valid for name"),
        ("127.0.0.1", "verify-ca", None, "UnknownIssuer"),
        ("localhost", "verify-full", None, "UnknownIssuer"),
    ] {
        let fault = refused(&with(host, mode, ca)).await;
        assert!(fault.class == Class::Denied && fault.text.contains(says), "{mode}: {:?} {fault}", fault.class);
    }
    // In the address itself.
    let written = ca.display().to_string().replace('/', "%2F");
    let inside = url(&cluster, "plain:sesame", "localhost", &format!("?sslmode=verify-full&sslrootcert={written}"));
    connector(&inside).connect().await.unwrap();
    let missing = super::PostgresSettings { ca: Some("/no/such.pem".into()), ..settings(&inside) };
    assert!(matches!(Connector::new(&missing), Err(UrlError::Authorities { .. })));
}

/// PgBouncer in transaction mode, with fewer connections than there are sessions.
struct Bouncer {
    child: Child,
    port: u16,
}

impl Bouncer {
    fn before(cluster: &Cluster) -> Self {
        let (home, port) = (cluster.socket(), throwaway_postgres::Proxy::to(1).port());
        let settings = format!(
            "[databases]\n* = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = any\npool_mode = transaction\ndefault_pool_size = 3\n",
            cluster.port()
        );
        // With auth_type any everybody is who the database's line says; here the superuser.
        fs::write(home.join("bouncer.ini"), settings.replace("host=", "user=postgres host=")).unwrap();
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]);
        if fs::metadata("/proc/self").unwrap().uid() == 0 {
            command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]);
        }
        command.args(["/usr/sbin/pgbouncer", "-q"]).arg(home.join("bouncer.ini"));
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("install pgbouncer");
        let bouncer = Self { child, port };
        wait_for("PgBouncer does not answer: install pgbouncer", || try_sql(&bouncer.url(), "select 1").is_ok());
        bouncer
    }

    fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres?sslmode=disable", self.port)
    }
}

impl Drop for Bouncer {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pgbouncer_in_transaction_mode_will_do() {
    let cluster = Cluster::start(&[]);
    let bouncer = Bouncer::before(&cluster);
    let connector = connector(&bouncer.url());
    let (one, other) = tokio::join!(migrate::migrate(&connector), migrate::migrate(&connector));
    assert_eq!((one.unwrap().to, other.unwrap().to), (3, 3));
    let mut probes: Vec<Probe> =
        (0..6).map(|node| Probe::new(connector.clone(), node, &settings(&bouncer.url()), clock)).collect();
    let retention = settings("").retention;
    for round in 0..10 {
        let session = connector.connect().await.unwrap();
        partitions::keep(&session, Timestamp::from_millis(round * 86_400_000), &retention, None).await.unwrap();
        let probing = probes.iter_mut().map(|probe| probe.once(std::time::Duration::from_secs(2)));
        for report in futures_util::future::join_all(probing).await {
            report.unwrap();
        }
    }
    assert_eq!(cluster.sql("select count(*) from heartbeat").trim(), "6");
}
