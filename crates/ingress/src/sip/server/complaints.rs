//! What support finds in the log about peers: one line for each peer and trouble in ten seconds, however often it comes.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::time::Instant;

use crate::Refusal;
use crate::sip::SipSettings;
use crate::sip::envelope::Fault;
use crate::sip::line::Route;
use crate::sip::log_pace::LogPace;
use crate::sip::settings::ReplyTo;

/// Troubles that a peer can have.
const KINDS: usize = Refusal::ALL.len() + 4;

/// Where a trouble is among them.
#[derive(Clone, Copy)]
enum Kind {
    Refused(Refusal),
    Limited,
    Full,
    StoreBehind,
    Unacknowledged,
}

impl Kind {
    const fn place(self) -> usize {
        match self {
            Self::Refused(refusal) => refusal as usize,
            Self::Limited => KINDS - 4,
            Self::StoreBehind => KINDS - 3,
            Self::Full => KINDS - 2,
            Self::Unacknowledged => KINDS - 1,
        }
    }
}

/// What was told when.
#[derive(Debug)]
pub(super) struct Complaints {
    settings: Arc<SipSettings>,
    peers: Vec<[LogPace; KINDS]>,
    strangers: LogPace,
}

impl Complaints {
    pub(super) fn new(settings: Arc<SipSettings>) -> Self {
        let peers = settings.peers.iter().map(|_| [LogPace::new(1); KINDS]).collect();
        Self { settings, peers, strangers: LogPace::new(1) }
    }

    fn ends(&mut self, peer: usize, kind: Kind, now: Instant) -> Option<(&str, u64)> {
        let left_out = self.peers.get_mut(peer)?.get_mut(kind.place())?.admit(now)?;
        Some((&self.settings.peers.get(peer)?.name, left_out))
    }

    /// A request was refused; the fault is the rule that it breaks, where there is one.
    pub(super) fn refused(
        &mut self,
        peer: usize,
        source: SocketAddr,
        refusal: Refusal,
        fault: Option<Fault>,
        now: Instant,
    ) {
        if is_ordinary(refusal) {
            return;
        }
        let Some((peer, left_out)) = self.ends(peer, Kind::Refused(refusal), now) else { return };
        let rule = fault.map(tracing::field::display);
        tracing::warn!(
            peer, %source, refusal = refusal.as_str(), rule, left_out,
            "a SIP request was refused: {refusal}. `afterring sip explain` shows how a captured message is read"
        );
    }

    /// A call was turned away since its peer offers more than its rate or concurrency.
    pub(super) fn limited(&mut self, peer: usize, source: SocketAddr, now: Instant) {
        let Some((peer, left_out)) = self.ends(peer, Kind::Limited, now) else { return };
        tracing::warn!(
            peer, %source, left_out,
            "calls are turned away with 503: the peer offers more than its `rate` or `concurrent` allows"
        );
    }

    /// A call was turned away since the table was full.
    pub(super) fn full(&mut self, peer: usize, source: SocketAddr, now: Instant) {
        let Some((peer, left_out)) = self.ends(peer, Kind::Full, now) else { return };
        tracing::warn!(
            peer, %source, left_out,
            "calls are turned away with 503: as many transactions are kept as may be. Unacknowledged calls stay for 32 s: see whether ACKs arrive"
        );
    }

    /// A call was turned away since too many wait for the store.
    pub(super) fn store_behind(&mut self, peer: usize, source: SocketAddr, now: Instant) {
        let Some((peer, left_out)) = self.ends(peer, Kind::StoreBehind, now) else { return };
        tracing::warn!(
            peer, %source, left_out,
            "calls are turned away with 503: they come faster than they are stored. See how long the disk of the journal takes"
        );
    }

    /// A final response was given up without an ACK.
    pub(super) fn unacknowledged(&mut self, peer: usize, route: Route, now: Instant) {
        let reply_to = self.settings.peers.get(peer).map_or(ReplyTo::Via, |peer| peer.rules.reply_to);
        let Some((peer, left_out)) = self.ends(peer, Kind::Unacknowledged, now) else { return };
        let to = route.to;
        let advice = match (route.line.is_reliable(), reply_to) {
            (true, _) => "they went back on its connection: see why it sends no ACK",
            (false, ReplyTo::Via) => {
                "they went where its Via says: if that is not where it listens, set `reply_to` of this peer to `source`, or let it ask for `rport`"
            }
            (false, ReplyTo::Source) => {
                "they went where its requests come from: if it listens elsewhere, set `reply_to` of this peer to `via`; see whether a firewall keeps them"
            }
        };
        tracing::warn!(peer, %to, left_out, "final responses are never acknowledged: {advice}");
    }

    /// Something came from nobody's network.
    pub(super) fn stranger(&mut self, source: SocketAddr, now: Instant) {
        let Some(left_out) = self.strangers.admit(now) else { return };
        tracing::warn!(%source, left_out, "a SIP message was refused: {}", Refusal::NotAPeer);
    }
}

/// Refusals that come in every network and lose no call.
const fn is_ordinary(refusal: Refusal) -> bool {
    matches!(refusal, Refusal::Merged | Refusal::NoDialog | Refusal::Draining)
}

#[cfg(test)]
mod tests {
    use std::fmt::{Debug, Write as _};
    use std::sync::Mutex;

    use model::Numbering;
    use tracing::field::{Field, Visit};
    use tracing::{Event, Metadata, Subscriber, span};

    use super::*;
    use crate::sip::line::Line;
    use crate::sip::log_pace::SPAN;
    use std::time::Duration;

    /// Keeps every line of the log.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<String>>>);

    struct Text(String);

    impl Visit for Text {
        fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
            let _ = write!(self.0, "{}={value:?} ", field.name());
        }
    }

    impl Subscriber for Log {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }
        fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
            span::Id::from_u64(1)
        }
        fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
        fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
        fn event(&self, event: &Event<'_>) {
            let mut text = Text(String::new());
            event.record(&mut text);
            self.0.lock().unwrap().push(text.0);
        }
        fn enter(&self, _: &span::Id) {}
        fn exit(&self, _: &span::Id) {}
    }

    fn log_of(tell: impl FnOnce(&mut Complaints)) -> Vec<String> {
        let numbering = Numbering::new("45", "", "00");
        let mut settings = SipSettings::new(numbering);
        settings.peers[0].name = "msc-1".into();
        let mut second = settings.peers[0].clone();
        second.name = "msc-2".into();
        second.rules.reply_to = ReplyTo::Source;
        settings.peers.push(second);
        let log = Log::default();
        tracing::subscriber::with_default(log.clone(), || tell(&mut Complaints::new(Arc::new(settings))));
        std::mem::take(&mut *log.0.lock().unwrap())
    }

    const SOURCE: &str = "192.0.2.9:4000";

    #[test]
    fn each_trouble_of_a_peer_is_told_once_in_ten_seconds_with_how_many_were_left_out() {
        let source = SOURCE.parse().unwrap();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let log = log_of(|complaints| {
            for second in 0..10 {
                complaints.refused(0, source, Refusal::NoCalled, None, at(second));
            }
            complaints.refused(0, source, Refusal::Unreadable, Some(Fault::CSeq), at(9));
            complaints.refused(1, source, Refusal::NoCalled, None, at(9));
            complaints.refused(0, source, Refusal::NoCalled, None, at(10));
            for ordinary in [Refusal::Merged, Refusal::NoDialog, Refusal::Draining] {
                complaints.refused(0, source, ordinary, None, at(10));
            }
        });
        assert_eq!(log.len(), 4, "{log:#?}");
        for (line, expected) in log.iter().zip([
            ["peer=\"msc-1\" ", "left_out=0 ", "refusal=\"no_called\" ", "source=192.0.2.9:4000 "],
            ["peer=\"msc-1\" ", "left_out=0 ", "refusal=\"unreadable\" ", "rule=CSeq is missing"],
            ["peer=\"msc-2\" ", "left_out=0 ", "refusal=\"no_called\" ", "`afterring sip explain` shows"],
            ["peer=\"msc-1\" ", "left_out=9 ", "no called party", "`afterring sip explain` shows"],
        ]) {
            assert!(expected.iter().all(|part| line.contains(part)), "{line}\n{expected:?}");
        }
    }

    #[test]
    fn unacknowledged_responses_are_told_with_where_they_went_and_what_to_set() {
        let to = SOURCE.parse().unwrap();
        let log = log_of(|complaints| {
            let now = Instant::now();
            complaints.unacknowledged(0, Route { line: Line::Datagrams(0), to }, now);
            complaints.unacknowledged(1, Route { line: Line::Datagrams(0), to }, now);
            complaints.unacknowledged(0, Route { line: Line::Connection(1), to }, now + SPAN);
        });
        for (line, advice) in log.iter().zip(["`reply_to` of this peer to `source`", "to `via`", "on its connection"]) {
            assert!(line.contains("to=192.0.2.9:4000 ") && line.contains(advice), "{line}");
        }
        assert_eq!(log.len(), 3);
    }

    #[test]
    fn excess_and_strangers_are_told() {
        let source = SOURCE.parse().unwrap();
        let log = log_of(|complaints| {
            let now = Instant::now();
            for _ in 0..1_000 {
                complaints.limited(0, source, now);
                complaints.full(0, source, now);
                complaints.store_behind(0, source, now);
                complaints.stranger(source, now);
            }
            complaints.stranger(source, now + SPAN);
        });
        assert_eq!(log.len(), 5, "{log:#?}");
        for (line, part) in
            log.iter().zip(["`rate` or `concurrent`", "transactions", "the disk", "list of peers", "left_out=999 "])
        {
            assert!(line.contains(part), "{line}");
        }
    }
}
