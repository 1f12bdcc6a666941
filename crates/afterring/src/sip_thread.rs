//! The SIP door on a thread of its own, named `sip`: its answers wait for no other work of the gateway, and its processor time can be told apart.
//!
//! ```text
//! SipThread::bind ──► bound: listeners are had, nothing is taken ──serve──► serving ──drain──► drained
//!                                    └──────── dropped, or its task aborted ───────────┴──► gone
//! ```

use std::io;
use std::sync::Arc;
use std::thread;

use ingress::sip::{BindError, Door, Listen, Meter, SipSettings};
use ingress::{Counts, Intake};
use model::Clock;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Why the door can't be had.
#[derive(Debug, thiserror::Error)]
pub enum SipThreadError {
    /// A listener has no place.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The system gives no thread, or no means to wait for sockets.
    #[error("the thread of the SIP door can't be started")]
    Thread(#[from] io::Error),
    /// It ended before it could say anything, which is a fault of the program.
    #[error("the thread of the SIP door ended at its start")]
    Ended,
}

/// What the door serves with.
#[derive(Debug)]
struct Work {
    intake: Intake,
    clock: Clock,
    counts: Arc<Counts>,
    drain: CancellationToken,
}

/// The door with its listeners bound; nothing is taken before [`SipThread::serve`]. It ends with this value.
#[derive(Debug)]
pub struct SipThread {
    /// Where it listens, with the ports that the system chose.
    pub listens: Vec<Listen>,
    /// What it counts.
    pub meter: Arc<Meter>,
    work: oneshot::Sender<Work>,
    ended: oneshot::Receiver<()>,
    end: DropGuard,
}

impl SipThread {
    /// Starts the thread and binds every listener; `None` where there is none in the settings.
    ///
    /// # Errors
    /// When a listener or the thread can't be had.
    pub async fn bind(settings: SipSettings) -> Result<Option<Self>, SipThreadError> {
        if settings.listen.is_empty() {
            return Ok(None);
        }
        let (bound, binding) = oneshot::channel();
        let (work, given) = oneshot::channel();
        let (served, ended) = oneshot::channel();
        let stop = CancellationToken::new();
        let end = stop.clone().drop_guard();
        thread::Builder::new().name("sip".to_owned()).spawn(move || {
            // Made here: where no thread is to be had, it could not be dropped among the tasks of another.
            let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => return drop(bound.send(Err(error.into()))),
            };
            runtime.block_on(stop.run_until_cancelled(run(settings, bound, given)));
            drop(runtime);
            // Said last, and also by a panic, which drops it: whoever waits must not wait for ever.
            drop(served);
        })?;
        let (listens, meter) = binding.await.map_err(|_| SipThreadError::Ended)??;
        Ok(Some(Self { listens, meter, work, ended, end }))
    }

    /// Serves until `drain` is cancelled and everyone who waits has got an answer. The task ends when the thread does, and aborting it ends the
    /// thread at its next step.
    #[must_use]
    pub fn serve(self, intake: Intake, clock: Clock, counts: Arc<Counts>, drain: CancellationToken) -> JoinHandle<()> {
        let Self { work, ended, end, .. } = self;
        // Where the thread is gone already, `ended` says so.
        drop(work.send(Work { intake, clock, counts, drain }));
        tokio::spawn(async move {
            drop(ended.await);
            drop(end);
        })
    }
}

type Bound = Result<(Vec<Listen>, Arc<Meter>), SipThreadError>;

async fn run(settings: SipSettings, bound: oneshot::Sender<Bound>, work: oneshot::Receiver<Work>) {
    let door = match Door::bind(settings).await {
        Ok(door) => door,
        Err(error) => return drop(bound.send(Err(error.into()))),
    };
    drop(bound.send(Ok((door.listens(), door.meter()))));
    let Ok(Work { intake, clock, counts, drain }) = work.await else { return };
    if let Err(error) = door.serve(intake, clock, counts, drain).await {
        tracing::error!(%error, listener = "sip", "a listener ended");
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::time::Duration;

    use ingress::sip::Transport;
    use model::{Numbering, Timestamp};
    use tokio::sync::mpsc;

    use super::*;

    fn settings(listen: &str) -> SipSettings {
        let denmark = Numbering::new("45", "", "00");
        let listen = vec![Listen { transport: Transport::Udp, address: listen.parse().unwrap() }];
        SipSettings { listen, ..SipSettings::new(denmark) }
    }

    fn is_free(listen: &Listen) -> bool {
        UdpSocket::bind(listen.address).is_ok()
    }

    /// Whether the address is free within ten seconds.
    async fn becomes_free(listen: &Listen) -> bool {
        for _ in 0..1000 {
            if is_free(listen) {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        false
    }

    fn serve(door: SipThread, drain: &CancellationToken) -> JoinHandle<()> {
        let (intake, _) = mpsc::channel(1);
        door.serve(intake, || Timestamp::from_millis(0), Arc::new(Counts::default()), drain.clone())
    }

    #[tokio::test]
    async fn the_door_ends_when_it_is_drained_or_no_longer_wanted() {
        let drain = CancellationToken::new();
        let door = SipThread::bind(settings("127.0.0.1:0")).await.unwrap().unwrap();
        let listen = door.listens[0];
        assert!(!is_free(&listen));
        let serving = serve(door, &drain);
        assert!(!is_free(&listen) && !serving.is_finished());
        drain.cancel();
        serving.await.unwrap();
        assert!(is_free(&listen), "drained");

        let unused = SipThread::bind(settings("127.0.0.1:0")).await.unwrap().unwrap();
        let listen = unused.listens[0];
        drop(unused);
        assert!(becomes_free(&listen).await, "dropped");

        let door = SipThread::bind(settings("127.0.0.1:0")).await.unwrap().unwrap();
        let listen = door.listens[0];
        let serving = serve(door, &CancellationToken::new());
        serving.abort();
        drop(serving.await);
        assert!(becomes_free(&listen).await, "aborted");
    }

    #[tokio::test]
    async fn a_taken_address_is_told_with_its_transport() {
        let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let error = SipThread::bind(settings(&address.to_string())).await.unwrap_err();
        assert_eq!(error.to_string(), format!("can't listen on udp://{address}"));
        let source = std::error::Error::source(&error).unwrap();
        assert!(source.to_string().contains("in use"), "{source}");
        let none = SipSettings { listen: Vec::new(), ..settings("127.0.0.1:0") };
        assert!(SipThread::bind(none).await.unwrap().is_none());
    }
}
