//! A gateway between a core network, which a test plays, and the simulated SMSC: what becomes of the calls that are forwarded to it.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;

use crate::sip::{Connection, Datagrams};
use crate::sipp::{Carrier, Forwarded, Play, Sipp};
use crate::tls::{Authority, Certificate, Tunnel};
use crate::{Gateway, Simulator, World, ports, wait};

/// A gateway with its SIP doors open and a simulated SMSC behind it, in a country whose code is 45.
#[derive(Debug)]
pub struct Network {
    /// The SMSC.
    pub simulator: Simulator,
    /// The gateway's surroundings.
    pub world: World,
    /// The gateway.
    pub gateway: Gateway,
}

/// A TLS door of a gateway, which asks peers for a certificate, and the certificate that a test's peer shows it.
#[derive(Debug)]
pub struct TlsDoor {
    /// Where it is.
    pub address: SocketAddr,
    /// What lets a peer in.
    pub peer: Certificate,
    /// Where the certificates lie; it goes when this is dropped.
    _folder: TempDir,
}

impl Network {
    /// One whose links are bound and whose SIP door is open over UDP, with further settings.
    ///
    /// # Errors
    /// When something doesn't start.
    pub fn start(configure: impl FnOnce(&mut World)) -> Result<Self> {
        let simulator = Simulator::start()?;
        let mut world = World::with_simulator(&simulator, "?window=100")?;
        world.set("NUMBERING__COUNTRY_CODE", "45").set("NUMBERING__NATIONAL_PREFIX", "");
        configure(&mut world);
        let gateway = world.start_bound()?;
        Ok(Self { simulator, world, gateway })
    }

    /// One whose SIP door is open over UDP and TCP, both at one port.
    ///
    /// # Errors
    /// When something doesn't start.
    pub fn start_with_tcp() -> Result<Self> {
        Self::start(listen_by_tcp)
    }

    /// One whose SIP door is open over UDP and TCP at one port and over TLS at another.
    ///
    /// # Errors
    /// When something doesn't start, or there are no certificates to be had.
    pub fn start_with_tls() -> Result<(Self, TlsDoor)> {
        let folder = TempDir::with_prefix("afterring-tls-")?;
        let authority = Authority::create(folder.path(), "authority")?;
        let (own, peer) = (authority.certify("afterring")?, authority.certify("peer")?);
        let address = SocketAddr::from(([127, 0, 0, 1], ports::free()?));
        let network = Self::start(|world| {
            let at = format!("127.0.0.1:{}", world.doors().sip);
            world
                .set("SIP__LISTEN", &format!("udp://{at},tcp://{at},tls://{address}"))
                .set("SIP__TLS_CERTIFICATE", &own.certificate.display().to_string())
                .set("SIP__TLS_KEY", &own.key.display().to_string())
                .set("SIP__TLS_CLIENT_CA", &own.authority.display().to_string());
        })?;
        Ok((network, TlsDoor { address, peer, _folder: folder }))
    }

    /// Where its SIP door is.
    #[must_use]
    pub fn sip(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.world.doors().sip))
    }

    /// A socket for datagrams at an address of this machine that talks to the gateway.
    ///
    /// # Errors
    /// When the address is no address of this machine.
    pub fn datagrams(&self, from: &str) -> Result<Datagrams> {
        Datagrams::open(&format!("{from}:0"), self.sip())
    }

    /// A connection to its SIP door.
    ///
    /// # Errors
    /// When the door is closed.
    pub fn connection(&self) -> Result<Connection> {
        Connection::open(self.sip())
    }

    /// How sipp plays a scenario to it.
    #[must_use]
    pub fn play<'a>(&'a self, scenario: &'a str) -> Play<'a> {
        Play { scenario, port: self.world.doors().sip, folder: self.folder(), rate: 50 }
    }

    /// A way into its TLS door for agents that have no TLS; the peer's certificate is shown, or none.
    ///
    /// # Errors
    /// When there is none.
    pub fn tunnel(&self, door: &TlsDoor, shown: Option<&Certificate>) -> Result<Tunnel> {
        Tunnel::open(self.folder(), door.address, &door.peer.authority, shown)
    }

    /// Where things may be left.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.world.folder()
    }

    /// Plays a scenario by sipp to its end, once for each call.
    ///
    /// # Errors
    /// When a call goes otherwise than the scenario says.
    pub fn sipp(&self, carrier: Carrier, scenario: &str, calls: &[Forwarded]) -> Result<Vec<String>> {
        Sipp::start_over(carrier, self.play(scenario), calls)?.finish()
    }

    /// So many calls, each to a subscriber of its own; `series` tells them from those of other series.
    ///
    /// # Errors
    /// When somebody can't be registered.
    pub fn calls(&self, series: u64, count: u64, reason: &'static str) -> Result<Vec<Forwarded>> {
        let call = |n: u64| Forwarded {
            caller: format!("+{}", 4_520_000_000 + series * 10_000 + n),
            called: format!("+{}", 4_530_000_000 + series * 10_000 + n),
            reason,
        };
        let calls: Vec<_> = (0..count).map(call).collect();
        calls.iter().try_for_each(|call| self.gateway.subscribe(&call.called))?;
        Ok(calls)
    }

    /// Each of these calls is in the timeline once, with its caller and this reason, and its called person got one SMS that names the caller.
    ///
    /// # Errors
    /// When one is not.
    pub fn told_once(&self, calls: &[Forwarded], reason: &str) -> Result<()> {
        for call in calls {
            let handset = call.called.trim_start_matches('+');
            wait::until_true("the called person is told", || Ok(!self.simulator.inbox(handset)?.is_empty()))
                .with_context(|| format!("{call:?}: {}", self.gateway.timeline(&call.called).unwrap_or_default()))?;
        }
        self.gateway.wait_decided()?;
        calls.iter().try_for_each(|call| self.told_this(call, reason).with_context(|| format!("{call:?}")))
    }

    fn told_this(&self, call: &Forwarded, reason: &str) -> Result<()> {
        let made = self.gateway.calls(&call.called)?;
        let new: Vec<_> = made.iter().filter(|made| made["decision"]["why"] != "duplicate").collect();
        let [only] = new.as_slice() else { anyhow::bail!("{} calls were made of it: {made:?}", new.len()) };
        let said = (only["caller"].as_str(), only["reason"].as_str(), only["source"].as_str());
        ensure!(said == (Some(&call.caller), Some(reason), Some("sip")), "{only}");
        let inbox = self.simulator.inbox(call.called.trim_start_matches('+'))?;
        // "1 missed call:" of a detail, "Missed call:" of a fallback.
        let one = format!("issed call:\n{} ", call.caller);
        ensure!(matches!(inbox.as_slice(), [text] if text.contains(&one)), "told: {inbox:?}");
        Ok(())
    }

    /// Nothing of these calls is known, and nobody was told.
    ///
    /// # Errors
    /// When somebody was.
    pub fn told_nobody(&self, calls: &[Forwarded]) -> Result<()> {
        self.gateway.wait_decided()?;
        for call in calls {
            let (made, inbox) = (self.gateway.calls(&call.called)?, self.simulator.inbox(&call.called[1..])?);
            ensure!(made.is_empty() && inbox.is_empty(), "{call:?}: {made:?} {inbox:?}");
        }
        Ok(())
    }

    /// The only call in a person's timeline.
    ///
    /// # Errors
    /// When there is none or another.
    pub fn call_of(&self, number: &str) -> Result<Value> {
        let made = wait::until("the call is decided", || {
            Ok(Some(self.gateway.calls(number)?).filter(|made| !made.is_empty()))
        })?;
        ensure!(made.len() == 1, "{made:?}");
        made.into_iter().next().context("no call")
    }
}

/// Opens the SIP door for UDP and TCP, both at one port.
pub fn listen_by_tcp(world: &mut World) {
    let at = format!("127.0.0.1:{}", world.doors().sip);
    world.set("SIP__LISTEN", &format!("udp://{at},tcp://{at}"));
}
