//! One load on a gateway with a new store.

use std::fs;
use std::time::Duration;

use anyhow::{Result, ensure};
use integration_tests::histogram::quantile;
use integration_tests::process::{Memory, cpu, peak, thread_cpu};
use integration_tests::{Gateway, World, paths, wait};

use crate::callers::{self, Play};
use crate::figures::Figures;
use crate::journal::{self, Agreement};

/// How many times as long those loads are that are more than is taken.
pub(crate) const LONG: u64 = 3;

/// The thread on which the gateway serves SIP.
const THREAD: &str = "sip";

/// How long what was accepted may take to be decided afterwards.
const PATIENCE: Duration = Duration::from_secs(120);

/// How calls come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Way {
    Udp,
    /// One connection.
    Tcp,
}

/// Calls that come at a rate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) name: &'static str,
    way: Way,
    /// Calls per second.
    rate: u64,
    /// Calls per second that the peer is allowed; `None`: no limit.
    allowed: Option<u64>,
    /// Acknowledgements of a hundred that never come.
    lost: u64,
    long: bool,
}

impl Load {
    pub(crate) const fn new(name: &'static str, way: Way, rate: u64) -> Self {
        Self { name, way, rate, allowed: None, lost: 0, long: false }
    }

    pub(crate) const fn losing(self, lost: u64) -> Self {
        Self { lost, ..self }
    }

    pub(crate) const fn allowed(self, rate: u64) -> Self {
        Self { allowed: Some(rate), ..self }
    }

    pub(crate) const fn long(self) -> Self {
        Self { long: true, ..self }
    }

    /// Whether Kamailio is given the same calls.
    pub(crate) fn is_like_kamailio(self) -> bool {
        self.way == Way::Udp && self.rate == crate::FULL && self.lost == 0
    }
}

/// Runs a load.
///
/// # Errors
/// When something can't be started, or the counts disagree.
pub(crate) fn run(load: Load, seconds: u64) -> Result<Figures> {
    // On the disk that builds are on: /tmp may be memory.
    let store = paths::target().join("bench-sip-store");
    let _ = fs::remove_dir_all(&store);
    fs::create_dir_all(&store)?;
    let mut world = World::new()?;
    let (port, way) = (world.doors().sip, if load.way == Way::Tcp { "tcp" } else { "udp" });
    world
        .set("STORE__DIR", &store.display().to_string())
        .set("SIP__LISTEN", &format!("{way}://127.0.0.1:{port}"))
        .set("LOG__FILTER", "warn");
    if let Some(rate) = load.allowed {
        world.set("SIP__PEERS", &format!("127.0.0.0/8;trusted;rate={rate}"));
    }
    let gateway = world.start()?;
    let seconds = if load.long { seconds * LONG } else { seconds };
    let play = Play { port, tcp: load.way == Way::Tcp, rate: load.rate, seconds, lost: load.lost };
    let figures = measure(play, &gateway, &world)?;
    gateway.stop()?;
    let journal = journal::compare(&store, &figures.heard)?;
    fs::remove_dir_all(&store)?;
    Ok(Figures { journal, ..figures })
}

fn measure(play: Play, gateway: &Gateway, world: &World) -> Result<Figures> {
    let sip = || thread_cpu(gateway.id(), THREAD);
    let before = (cpu(gateway.id())?, sip()?);
    let memory = Memory::watch(gateway.id());
    let heard = callers::call(play, world.folder())?;
    let memory_mib = memory.tenths();
    wait::within(PATIENCE, "every call is decided", || {
        Ok((gateway.metric("afterring_journal_pending", &[])? == 0.0).then_some(()))
    })?;
    ensure!(!heard.released.is_empty(), "no call was released; the gateway printed:\n{}", world.printed()?);
    let page = gateway.look("/metrics")?.text;
    let answer_ms = |share| quantile(&page, "afterring_sip_answer_seconds", share) * 1000.0;
    Ok(Figures {
        gateway_cpu: cpu(gateway.id())? - before.0,
        sip_cpu: sip()?.zip(before.1).map(|(after, before)| after - before),
        repeats: gateway.metric("afterring_sip_repeats_total", &[])?,
        unacknowledged: gateway.metric("afterring_sip_unacknowledged_total", &[])?,
        own_p50_ms: answer_ms(0.5),
        own_p99_ms: answer_ms(0.99),
        peak_mib: peak(gateway.id())?,
        memory_mib,
        heard,
        journal: Agreement::default(),
    })
}
