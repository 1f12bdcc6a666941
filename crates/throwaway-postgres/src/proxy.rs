//! A way to a server that can be slow, silent or cut.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

#[derive(Default)]
struct Way {
    delay: AtomicU64,
    frozen: AtomicBool,
    refusing: AtomicBool,
    open: Mutex<Vec<TcpStream>>,
}

/// A port on 127.0.0.1 that leads to a server.
pub struct Proxy {
    port: u16,
    way: Arc<Way>,
}

impl Proxy {
    /// Leads to this port.
    #[must_use]
    pub fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = listener.local_addr().unwrap().port();
        let way = Arc::new(Way::default());
        let shared = Arc::clone(&way);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if shared.refusing.load(Ordering::SeqCst) {
                    continue;
                }
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else { continue };
                pair(&client, &server, &shared);
            }
        });
        Self { port: own, way }
    }

    /// Where it listens.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Delays both directions.
    pub fn delay(&self, each_way: Duration) {
        self.way.delay.store(u64::try_from(each_way.as_millis()).unwrap(), Ordering::SeqCst);
    }

    /// Keeps connections open and lets nothing through, as a network that loses all packets; or lets all of it go on.
    pub fn freeze(&self, frozen: bool) {
        self.way.frozen.store(frozen, Ordering::SeqCst);
    }

    /// Closes every connection at once; new ones are taken.
    pub fn cut(&self) {
        for stream in self.way.open.lock().unwrap().drain(..) {
            drop(stream.shutdown(Shutdown::Both));
        }
    }

    /// Closes new connections at once.
    pub fn refuse(&self, refusing: bool) {
        self.way.refusing.store(refusing, Ordering::SeqCst);
    }
}

fn pair(client: &TcpStream, server: &TcpStream, way: &Arc<Way>) {
    for (from, to) in [(client, server), (server, client)] {
        drop(from.set_nodelay(true));
        let (Ok(from), Ok(to), Ok(known)) = (from.try_clone(), to.try_clone(), from.try_clone()) else { return };
        way.open.lock().unwrap().push(known);
        let (sender, receiver) = channel();
        let slow = Arc::clone(way);
        thread::spawn(move || deliver(&receiver, to, &slow));
        let mut from = from;
        thread::spawn(move || {
            let mut buffer = vec![0; 65_536];
            while let Ok(count @ 1..) = from.read(&mut buffer) {
                if sender.send((Instant::now(), buffer[..count].to_vec())).is_err() {
                    return;
                }
            }
        });
    }
}

fn deliver(receiver: &Receiver<(Instant, Vec<u8>)>, mut to: TcpStream, way: &Way) {
    while let Ok((at, bytes)) = receiver.recv() {
        let due = at + Duration::from_millis(way.delay.load(Ordering::SeqCst));
        thread::sleep(due.saturating_duration_since(Instant::now()));
        while way.frozen.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(5));
        }
        if to.write_all(&bytes).is_err() {
            break;
        }
    }
    drop(to.shutdown(Shutdown::Both));
}
