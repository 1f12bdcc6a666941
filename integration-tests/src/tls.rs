//! Certificates of a test's own authority (`openssl`), and TLS for agents that have none (`socat`).

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::{ports, wait};

/// A certificate for 127.0.0.1 with its key, and the authority that vouches for it, in PEM form.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Certificate {
    /// The authority's certificate.
    pub authority: PathBuf,
    /// The certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// An authority that vouches for certificates as it is asked.
#[derive(Debug)]
pub struct Authority {
    folder: PathBuf,
    name: &'static str,
}

impl Authority {
    /// A new one, with its files in a folder.
    ///
    /// # Errors
    /// When `openssl` isn't there.
    pub fn create(folder: &Path, name: &'static str) -> Result<Self> {
        let authority = Self { folder: folder.to_owned(), name };
        let arguments =
            format!("req -x509 -days 2 -subj /CN={name} {} -keyout {name}.key -out {name}.pem", Self::NEW_KEY);
        authority.openssl(&arguments)?;
        Ok(authority)
    }

    const NEW_KEY: &'static str = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";

    /// A certificate of this name for 127.0.0.1, which serves at either end.
    ///
    /// # Errors
    /// When `openssl` doesn't make it.
    pub fn certify(&self, name: &str) -> Result<Certificate> {
        let ca = self.name;
        self.openssl(&format!(
            "req -subj /CN={name} -addext subjectAltName=IP:127.0.0.1 {} -keyout {name}.key -out {name}.csr",
            Self::NEW_KEY
        ))?;
        self.openssl(&format!(
            "x509 -req -in {name}.csr -CA {ca}.pem -CAkey {ca}.key -CAcreateserial -days 2 -copy_extensions copy -out {name}.pem"
        ))?;
        let file = |name: String| self.folder.join(name);
        Ok(Certificate {
            authority: file(format!("{ca}.pem")),
            certificate: file(format!("{name}.pem")),
            key: file(format!("{name}.key")),
        })
    }

    fn openssl(&self, arguments: &str) -> Result<()> {
        let output = Command::new("openssl")
            .args(arguments.split(' '))
            .current_dir(&self.folder)
            .output()
            .context("openssl: run integration-tests/run once")?;
        ensure!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }
}

/// A port that carries what comes to it over TLS to a gateway, one TLS connection for each that is made to it.
#[derive(Debug)]
pub struct Tunnel {
    child: Child,
    port: u16,
}

impl Tunnel {
    /// Opens one to a TLS listener; the gateway is shown `identity` where there is one.
    ///
    /// # Errors
    /// When `socat` isn't there.
    pub fn open(folder: &Path, to: SocketAddr, authority: &Path, identity: Option<&Certificate>) -> Result<Self> {
        let port = ports::free()?;
        let shown = identity
            .map_or_else(String::new, |it| format!(",cert={},key={}", it.certificate.display(), it.key.display()));
        let log = fs::File::create(folder.join(format!("socat-{port}.log")))?;
        let child = Command::new("socat")
            .arg(format!("TCP-LISTEN:{port},bind=127.0.0.1,fork,reuseaddr"))
            .arg(format!("OPENSSL:{to},cafile={},verify=1{shown}", authority.display()))
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .context("socat: run integration-tests/run once")?;
        let tunnel = Self { child, port };
        // A look at the port would be a connection: what listens is asked of the system instead.
        wait::until_true("socat listens", || Ok(listens(port)))?;
        Ok(tunnel)
    }

    /// Its port on 127.0.0.1.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        // A test is over either way; there's nobody to tell. Each connection has a process of its own, which ends with it.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Whether something listens at a TCP port of this machine, by the kernel's table.
#[must_use]
pub fn listens(port: u16) -> bool {
    const LISTEN: &str = "0A";
    let table = fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    let local = format!(":{port:04X}");
    table.lines().any(|line| {
        let mut fields = line.split_whitespace().skip(1);
        fields.next().is_some_and(|address| address.ends_with(&local)) && fields.nth(1) == Some(LISTEN)
    })
}
