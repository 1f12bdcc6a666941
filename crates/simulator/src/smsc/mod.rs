//! The SMS centre: its handle, on a thread of its own.

mod center;
mod delivery;
mod desk;
mod faults;
mod handset;
mod ids;
mod receipt;
mod requests;
mod session;
mod shape;
mod submits;
mod timers;
mod tls;
mod updates;
mod validity;
mod views;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use model::{Clock, Msisdn};
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio_rustls::TlsAcceptor;

use center::{Center, Command};
pub use faults::{AnswerForm, Binds, DefaultAlphabet, Faults, Life, MessageIds, ReceiptsFor, Updates};
pub use handset::{Direction, Phone, PhoneChange, PhoneEvent, Sms};
pub use session::Mode;
pub use shape::{Carrier, Delivery, Hex, ReceiptIdForm, ReceiptOptions, ReceiptShape, TextPlace, WireAddress};
pub use tls::TlsFiles;
pub use views::{EsmeAnswer, SessionView, SmscCounts, Submitted};

/// Calls that may wait for the centre's thread: each caller waits for its answer, so this is the number of calling threads served without a retry.
const COMMANDS: usize = 64;

/// Phone events that a slow watcher may be behind before it misses some.
const WATCHED_EVENTS: usize = 4096;

/// How the centre behaves. [`SmscOptions::new`] gives a quick, kind one.
#[derive(Clone, Debug)]
pub struct SmscOptions {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Who may bind: `system_id` and password. Empty: anyone.
    pub accounts: Vec<(String, String)>,
    /// What tells the time of messages and receipts.
    pub clock: Clock,
    /// From a submit to its answer.
    pub answer_delay: Duration,
    /// From the answer to the phone.
    pub delivery_delay: Duration,
    /// Whether receipts are sent to those who ask for them (`registered_delivery`).
    pub receipts: bool,
    /// Phones kept. Messages for further numbers are delivered all the same, to phones that nobody can look at.
    pub max_phones: usize,
    /// Messages kept per phone, and messages that may wait for one before `ESME_RMSGQFUL`.
    pub inbox_limit: usize,
    /// Whether phones that appear by themselves are kept at all. Off for benchmarks: memory stays flat.
    pub keep_inboxes: bool,
    /// How many of the latest submits [`Smsc::submitted`] remembers; 0 for none.
    pub keep_submitted: usize,
    /// How many of the latest answers of ESMEs [`Smsc::answers`] remembers; 0 for none.
    pub keep_answers: usize,
    /// TLS for those who connect; `None`: plain TCP.
    pub tls: Option<TlsFiles>,
    /// From a refused receipt or reply to its next attempt.
    pub resend_pause: Duration,
    /// How long a receipt or reply may go unanswered before it is sent again.
    pub resend_unanswered: Duration,
    /// Attempts at a receipt or reply before it is given up.
    pub attempts: u32,
}

impl SmscOptions {
    /// A free port on loopback, anyone may bind, no delays, receipts on, 10,000 phones with 100 messages each.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            accounts: Vec::new(),
            clock,
            answer_delay: Duration::ZERO,
            delivery_delay: Duration::ZERO,
            receipts: true,
            max_phones: 10_000,
            inbox_limit: 100,
            keep_inboxes: true,
            keep_submitted: 0,
            keep_answers: 0,
            tls: None,
            resend_pause: Duration::from_secs(1),
            resend_unanswered: Duration::from_secs(10),
            attempts: 1000,
        }
    }
}

/// A running centre; clones are handles to the same one, which ends with the last of them.
///
/// The centre owns its state on a thread of its own. Calls are answered by that thread within one turn of its loop (well under a
/// millisecond when idle) and block for as long; once the centre has stopped they answer with nothing.
#[derive(Clone, Debug)]
pub struct Smsc {
    addr: SocketAddr,
    commands: mpsc::Sender<Command>,
    events: broadcast::Sender<PhoneEvent>,
    stopped: watch::Receiver<()>,
}

impl Smsc {
    /// Listens, and serves on a thread of its own.
    ///
    /// # Errors
    /// When the address can't be listened on, the TLS files can't be used, or no thread can be started.
    pub async fn start(options: SmscOptions) -> io::Result<Self> {
        let tls = options.tls.as_ref().map(TlsFiles::acceptor).transpose()?;
        let listener = std::net::TcpListener::bind(options.listen)?;
        listener.set_nonblocking(true)?;
        let addr = listener.local_addr()?;
        let (commands, orders) = mpsc::channel(COMMANDS);
        let (events, _) = broadcast::channel(WATCHED_EVENTS);
        let (running, stopped) = watch::channel(());
        let (ready, started) = oneshot::channel();
        let center = Center::new(options, events.clone());
        std::thread::Builder::new().name("simulated-smsc".into()).spawn(move || {
            let _running = running;
            serve(center, listener, tls, orders, ready);
        })?;
        started.await.map_err(io::Error::other)??;
        Ok(Self { addr, commands, events, stopped })
    }

    /// Where it listens.
    #[must_use]
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Every phone that is kept, by number.
    #[must_use]
    pub fn phones(&self) -> Vec<Phone> {
        self.ask(Command::Phones).unwrap_or_default()
    }

    /// One phone; `None` when there is none, or it isn't kept.
    #[must_use]
    pub fn phone(&self, number: Msisdn) -> Option<Phone> {
        self.ask(|answer| Command::Phone(number, answer)).flatten()
    }

    /// Adds a phone, or switches the one that is there. It is kept even when [`SmscOptions::keep_inboxes`] is off.
    pub fn add_phone(&self, number: Msisdn, on: bool) {
        self.ask(|answer| Command::Switch { number, on, answer });
    }

    /// Switches a phone, adding it when there is none. On: what waits for it is delivered in order, and receipts follow.
    pub fn switch(&self, number: Msisdn, on: bool) {
        self.ask(|answer| Command::Switch { number, on, answer });
    }

    /// Texts `text` from a phone to `to` (a service code, or `+` and a number), through any session that receives.
    ///
    /// Each part is repeated until it is answered `ESME_ROK`, across sessions, as often as [`SmscOptions::attempts`] says. `false` when
    /// `to` is longer than 20 characters, 100,000 parts wait already, or the centre has stopped.
    pub fn reply(&self, from: Msisdn, to: &str, text: &str) -> bool {
        let (to, text) = (to.to_owned(), text.to_owned());
        self.ask(|answer| Command::Reply { from, to, text, answer }).unwrap_or(false)
    }

    /// What happens on phones from now on. A watcher that falls 4,096 events behind misses the oldest.
    #[must_use]
    pub fn watch(&self) -> broadcast::Receiver<PhoneEvent> {
        self.events.subscribe()
    }

    /// Replaces all faults; `Faults::default()` heals.
    pub fn set_faults(&self, faults: Faults) {
        self.ask(|answer| Command::SetFaults(faults, answer));
    }

    /// What has happened so far.
    #[must_use]
    pub fn counts(&self) -> SmscCounts {
        self.ask(Command::Counts).unwrap_or_default()
    }

    /// The latest submits taken, oldest first: as many as [`SmscOptions::keep_submitted`] says.
    #[must_use]
    pub fn submitted(&self) -> Vec<Submitted> {
        self.ask(Command::Submitted).unwrap_or_default()
    }

    /// The latest answers of ESMEs to whatever they were sent, oldest first: as many as [`SmscOptions::keep_answers`] says.
    #[must_use]
    pub fn answers(&self) -> Vec<EsmeAnswer> {
        self.ask(Command::Answers).unwrap_or_default()
    }

    /// The sessions that are bound, by their numbers.
    #[must_use]
    pub fn sessions(&self) -> Vec<SessionView> {
        self.ask(Command::Sessions).unwrap_or_default()
    }

    /// Sends a message to an ESME, through any session that receives, until it is acknowledged; counted as a part of a reply. `false` when 100,000 wait already,
    /// or the centre has stopped.
    pub fn deliver(&self, delivery: Delivery) -> bool {
        self.ask(|answer| Command::Deliver(Box::new(delivery), answer)).unwrap_or(false)
    }

    /// Writes octets into a session as they are (the bound one that came last, when none is named), and then closes it if told so. `false` when there is none.
    pub fn write_raw(&self, session: Option<u64>, octets: &[u8], close: bool) -> bool {
        let octets = octets.to_vec();
        self.ask(|answer| Command::Raw { session, octets, close, answer }).unwrap_or(false)
    }

    /// Connects to an ESME and asks it to bind (SMPP 3.4 §2.2.1). One that can't be reached is counted.
    pub fn outbind(&self, address: SocketAddr, system_id: &str, password: &str) {
        let (system_id, password) = (system_id.to_owned(), password.to_owned());
        self.ask(|answer| Command::Outbind { address, system_id, password, answer });
    }

    /// Closes all sessions, without unbinding, and the listener; returns when they are closed. What waits for phones is lost.
    pub async fn stop(mut self) {
        let _ = self.commands.send(Command::Stop).await;
        // The sender is dropped with the thread; nothing is ever sent.
        let _ = self.stopped.changed().await;
    }

    fn ask<T>(&self, command: impl FnOnce(SyncSender<T>) -> Command) -> Option<T> {
        let (answer, answered) = std::sync::mpsc::sync_channel(1);
        let mut command = command(answer);
        loop {
            match self.commands.try_send(command) {
                Ok(()) => return answered.recv().ok(),
                Err(mpsc::error::TrySendError::Closed(_)) => return None,
                Err(mpsc::error::TrySendError::Full(unsent)) => command = unsent,
            }
            // More callers than COMMANDS at once: the centre's thread is taking them one after the other.
            std::thread::yield_now();
        }
    }
}

/// Runs the centre on this thread, once it has said whether it can.
fn serve(
    center: Center,
    listener: std::net::TcpListener,
    tls: Option<TlsAcceptor>,
    orders: mpsc::Receiver<Command>,
    ready: oneshot::Sender<io::Result<()>>,
) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = ready.send(Err(error));
            return;
        }
    };
    runtime.block_on(async move {
        match tokio::net::TcpListener::from_std(listener) {
            Ok(listener) => {
                let _ = ready.send(Ok(()));
                center.run(listener, tls, orders).await;
            }
            Err(error) => {
                let _ = ready.send(Err(error));
            }
        }
    });
}
