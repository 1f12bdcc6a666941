//! A bad network: a TCP proxy that delays, freezes, cuts and refuses.
//!
//! ```text
//! client ─▶ read ─▶ (bytes, due) ─▶ write ─▶ server      one such pair of threads for each direction
//! ```

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use socket2::SockRef;

use crate::cluster::free_port;

/// Chunks on their way in one direction: 1 MB at most, more than any window on a real slow link.
const ON_THE_WAY: usize = 64;
const CHUNK: usize = 16 * 1024;

/// A TCP proxy on 127.0.0.1. Dropping it cuts every connection.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    to: u16,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    delay: Duration,
    frozen: bool,
    listener: Option<Arc<TcpListener>>,
    connections: Vec<Weak<Connection>>,
}

/// Both ends of one connection through the proxy. They are closed when the last thread lets go.
#[derive(Debug)]
struct Connection {
    client: TcpStream,
    server: TcpStream,
    cut: Mutex<bool>,
}

impl Proxy {
    /// A proxy to a port of 127.0.0.1; at first as good as none.
    #[must_use]
    pub fn to(port: u16) -> Self {
        let shared = Arc::new(Shared { to: port, state: Mutex::default(), changed: Condvar::new() });
        let proxy = Self { port: free_port(), shared };
        proxy.refuse(false);
        proxy
    }

    /// Its own port on 127.0.0.1.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// From now on everything takes so much longer, each way. What a connect itself takes is not delayed.
    pub fn delay(&self, each_way: Duration) {
        self.shared.state().delay = each_way;
    }

    /// Holds everything back, as if packets were lost; connections are kept, and go on afterwards. New ones are accepted and hear nothing.
    pub fn freeze(&self, frozen: bool) {
        self.shared.state().frozen = frozen;
        self.shared.changed.notify_all();
    }

    /// Resets every connection (RST), as a firewall does.
    pub fn cut(&self) {
        let connections = std::mem::take(&mut self.shared.state().connections);
        for connection in connections.iter().filter_map(Weak::upgrade) {
            connection.cut();
        }
        self.shared.changed.notify_all();
        let end = Instant::now() + Duration::from_secs(2);
        while connections.iter().any(|connection| connection.strong_count() > 0) && Instant::now() < end {
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Refuses new connections, or takes them again. Those that are there stay.
    ///
    /// # Panics
    /// When its port was taken by somebody else in between.
    pub fn refuse(&self, refused: bool) {
        let mut state = self.shared.state();
        match (refused, state.listener.take()) {
            (true, Some(listener)) => drop(SockRef::from(&*listener).shutdown(Shutdown::Both)),
            (true, None) => {}
            (false, Some(listener)) => state.listener = Some(listener),
            (false, None) => {
                let listener = Arc::new(bind(self.port));
                state.listener = Some(Arc::clone(&listener));
                let shared = Arc::clone(&self.shared);
                thread::spawn(move || accept(&listener, &shared));
            }
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.refuse(true);
        self.freeze(false);
        self.cut();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits while everything is held back; whether the connection may go on then.
    fn pass(&self, connection: &Connection) -> bool {
        let state = self.state();
        drop(self.changed.wait_while(state, |state| state.frozen && !connection.is_cut()));
        !connection.is_cut()
    }
}

impl Connection {
    fn is_cut(&self) -> bool {
        *self.cut.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes both readers without a word to the peers; closing then resets, because nothing may linger.
    fn cut(&self) {
        *self.cut.lock().unwrap_or_else(PoisonError::into_inner) = true;
        for stream in [&self.client, &self.server] {
            drop(SockRef::from(stream).set_linger(Some(Duration::ZERO)));
            drop(stream.shutdown(Shutdown::Read));
        }
    }
}

/// The port may be held for a moment by a listener that was just shut down.
fn bind(port: u16) -> TcpListener {
    let end = Instant::now() + Duration::from_secs(5);
    loop {
        match TcpListener::bind(("127.0.0.1", port)) {
            Ok(listener) => return listener,
            Err(_) if Instant::now() < end => thread::sleep(Duration::from_millis(5)),
            Err(error) => panic!("the proxy's port {port} can't be had: {error}"),
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    while let Ok((client, _)) = listener.accept() {
        let Ok(server) = TcpStream::connect(("127.0.0.1", shared.to)) else {
            drop(SockRef::from(&client).set_linger(Some(Duration::ZERO)));
            continue;
        };
        drop((client.set_nodelay(true), server.set_nodelay(true)));
        let connection = Arc::new(Connection { client, server, cut: Mutex::new(false) });
        let connections = &mut shared.state().connections;
        connections.retain(|connection| connection.strong_count() > 0);
        connections.push(Arc::downgrade(&connection));
        forward(shared, &connection, |connection| (&connection.client, &connection.server));
        forward(shared, &connection, |connection| (&connection.server, &connection.client));
    }
}

/// From where to where.
type Direction = fn(&Connection) -> (&TcpStream, &TcpStream);

fn forward(shared: &Arc<Shared>, connection: &Arc<Connection>, direction: Direction) {
    let (sender, receiver) = sync_channel(ON_THE_WAY);
    let (one, other) = ((Arc::clone(shared), Arc::clone(connection)), (Arc::clone(shared), Arc::clone(connection)));
    thread::spawn(move || read(&one.0, direction(&one.1).0, &sender));
    thread::spawn(move || write(&other.0, &other.1, direction, &receiver));
}

fn read(shared: &Shared, mut from: &TcpStream, sender: &SyncSender<(Instant, Vec<u8>)>) {
    let mut buffer = vec![0; CHUNK];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        let due = Instant::now() + shared.state().delay;
        if sender.send((due, buffer[..count].to_vec())).is_err() {
            return;
        }
    }
}

fn write(shared: &Shared, connection: &Connection, direction: Direction, receiver: &Receiver<(Instant, Vec<u8>)>) {
    let (from, mut to) = direction(connection);
    for (due, bytes) in receiver {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if !shared.pass(connection) || to.write_all(&bytes).is_err() {
            break;
        }
    }
    // The end is passed on as everything else is; a cut says nothing, and closing resets.
    if shared.pass(connection) {
        drop((to.shutdown(Shutdown::Write), from.shutdown(Shutdown::Read)));
    }
}
