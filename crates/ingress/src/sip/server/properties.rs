//! What holds whatever comes, in whatever order, on whatever line.

use std::collections::HashSet;
use std::time::Duration;

use proptest::prelude::*;

use super::tests::{Bench, SOURCE, request, settings, status_of};
use super::*;
use crate::Stored;
use crate::sip::line::Line;

const LINES: [Line; 3] = [Line::Datagrams(0), Line::Connection(1), Line::Connection(2)];

/// How an INVITE and what belongs to it are written.
#[derive(Debug, Clone, Copy)]
enum Form {
    Good,
    /// The cookie is missing: matched as in RFC 2543.
    Old,
    /// One Call-ID for all branches: the same call by several ways.
    Merged,
    /// It names nobody.
    Nobody,
    Broken,
    InDialog,
}

#[derive(Debug, Clone)]
enum Step {
    /// Messages that are read in one go: method, branch, form and line.
    Burst(Vec<(&'static str, u8, Form, usize)>),
    Noise(Vec<u8>, usize),
    /// The store answers for one of the batches that wait.
    Settle(prop::sample::Index, Answered),
    Close(u64),
    Pass(u64),
}

#[derive(Debug, Clone, Copy)]
enum Answered {
    New,
    Known,
    Full,
    Silent,
}

fn step() -> impl Strategy<Value = Step> {
    let method = prop_oneof![
        6 => Just("INVITE"), 4 => Just("ACK"), 2 => Just("CANCEL"), 1 => Just("OPTIONS"), 1 => Just("BYE"), 1 => Just("ODD"),
    ];
    let form = prop_oneof![
        6 => Just(Form::Good), 1 => Just(Form::Old), 2 => Just(Form::Merged), 1 => Just(Form::Nobody), 1 => Just(Form::Broken),
        1 => Just(Form::InDialog),
    ];
    let message = (method, 0..4u8, form, 0..LINES.len());
    let answered = prop_oneof![
        3 => Just(Answered::New), 1 => Just(Answered::Known), 1 => Just(Answered::Full), 1 => Just(Answered::Silent),
    ];
    prop_oneof![
        8 => proptest::collection::vec(message, 1..4).prop_map(Step::Burst),
        1 => (proptest::collection::vec(any::<u8>(), 0..60), 0..LINES.len()).prop_map(|(raw, line)| Step::Noise(raw, line)),
        4 => (any::<prop::sample::Index>(), answered).prop_map(|(which, answered)| Step::Settle(which, answered)),
        1 => (1..3u64).prop_map(Step::Close),
        2 => prop_oneof![Just(1), Just(200), Just(500), Just(5_000), Just(40_000)].prop_map(Step::Pass),
    ]
}

fn written(method: &str, branch: &str, form: Form) -> String {
    let forwarded = "Diversion: <sip:+4530405060@op>;reason=user-busy\r\n";
    let text = request(method, branch, if matches!(form, Form::Nobody) { "" } else { forwarded });
    match form {
        Form::Good | Form::Nobody => text,
        Form::Old => text.replace("z9hG4bK", "old"),
        Form::Merged => text.replace(&format!("{branch}@test"), "same@test"),
        // With a branch of its own: what can't be read is nobody's repeat.
        Form::Broken => text.replace("CSeq: 1", "CSeq: one").replace("z9hG4bK", "z9hG4bKbroken"),
        Form::InDialog => text.replace("To: <sip:+4591100100@mca>", "To: <sip:+4591100100@mca>;tag=x"),
    }
}

fn key(text: &str) -> Option<Key> {
    let message = Message::parse(Bytes::from(text.to_owned())).ok()?;
    let envelope = message.envelope().ok()?;
    Some(Key::of(0, &message, &envelope))
}

/// The method in CSeq.
fn method_of(response: &[u8]) -> String {
    let text = String::from_utf8_lossy(response);
    let line = text.lines().find(|line| line.starts_with("CSeq: ")).unwrap_or_default().to_owned();
    line.rsplit(' ').next().unwrap_or_default().to_owned()
}

/// The transaction of an INVITE that a response is for.
fn answered_key(response: &[u8]) -> Option<Key> {
    let text = String::from_utf8_lossy(response);
    let branch = text.split("branch=").nth(1)?.split([';', '\r']).next()?.to_owned();
    let branch = branch.strip_prefix("z9hG4bK").or_else(|| branch.strip_prefix("old"))?.to_owned();
    let form = match (text.contains("branch=old"), text.contains("same@test")) {
        (true, _) => Form::Old,
        (false, true) => Form::Merged,
        (false, false) => Form::Good,
    };
    key(&written("INVITE", &branch, form))
}

/// A server, and what waits for its store.
struct World {
    bench: Bench,
    batches: Vec<Handed>,
    waiting: HashSet<Key>,
    handed_over: u64,
}

impl World {
    fn take(&mut self, step: Step) {
        match step {
            Step::Burst(messages) => {
                for (method, branch, form, line) in messages {
                    let sent = self.receive(written(method, &branch.to_string(), form), line);
                    assert!(method != "ACK" || sent.is_empty(), "an ACK is never answered");
                }
                self.hand_over();
            }
            Step::Noise(raw, line) => {
                self.receive(raw, line);
                self.hand_over();
            }
            Step::Settle(which, answered) => {
                if !self.batches.is_empty() {
                    let batch = self.batches.swap_remove(which.index(self.batches.len()));
                    self.settle(batch, answered);
                }
            }
            Step::Close(number) => self.bench.server.connection_closed(number),
            Step::Pass(millis) => {
                self.bench.now += Duration::from_millis(millis);
                self.bench.server.tick(self.bench.now);
                let sent = self.bench.server.take_outgoing();
                self.check(&sent);
            }
        }
    }

    fn receive(&mut self, message: impl Into<Bytes>, line: usize) -> Vec<Outgoing> {
        let sent = self.bench.receive_from(message, LINES[line], SOURCE);
        self.check(&sent);
        sent
    }

    fn hand_over(&mut self) {
        let Some((calls, handed)) = self.bench.server.take_batch() else { return };
        assert!(!calls.is_empty());
        for key in handed.keys() {
            assert!(self.waiting.insert(key.clone()), "a call is handed over once while it waits");
            self.handed_over += 1;
        }
        self.batches.push(handed);
    }

    /// Nothing but 100 goes to whoever waits, and never a success to a call.
    fn check(&self, sent: &[Outgoing]) {
        for response in sent.iter().map(|outgoing| &outgoing.bytes) {
            let status = status_of(response);
            if method_of(response) == "INVITE" {
                assert!(!(200..300).contains(&status), "a call is never answered");
                let waits = answered_key(response).is_some_and(|key| self.waiting.contains(&key));
                assert!(!waits || status == 100, "{status} before the store has answered");
            }
        }
    }

    fn settle(&mut self, batch: Handed, answered: Answered) {
        let keys: Vec<Key> = batch.keys().cloned().collect();
        keys.iter().for_each(|key| assert!(self.waiting.remove(key)));
        let outcome = match answered {
            Answered::New => Outcome::Answered(Stored { duplicate: vec![false; keys.len()] }),
            Answered::Known => Outcome::Answered(Stored { duplicate: vec![true; keys.len()] }),
            Answered::Full => Outcome::Full,
            Answered::Silent => Outcome::Silent,
        };
        let unsent = self.bench.status().unsent;
        self.bench.server.settle(batch, outcome, self.bench.now);
        let sent = self.bench.server.take_outgoing();
        self.check(&sent);
        assert!(sent.iter().all(|outgoing| status_of(&outgoing.bytes) >= 300));
        let nowhere = usize::try_from(self.bench.status().unsent - unsent).unwrap();
        assert_eq!(sent.len() + nowhere, keys.len(), "one final response each");
    }

    /// The store answers everything, and time goes by.
    fn end(mut self) {
        while let Some(batch) = self.batches.pop() {
            self.settle(batch, Answered::New);
        }
        while let Some(due) = self.bench.server.deadline() {
            self.bench.now = self.bench.now.max(due);
            self.bench.server.tick(self.bench.now);
            let sent = self.bench.server.take_outgoing();
            self.check(&sent);
        }
        self.bench.server.tick(self.bench.now);
        assert!(self.bench.server.table.is_empty(), "the table empties");
        let status = self.bench.status();
        let settled = [CallResult::Accepted, CallResult::Duplicate, CallResult::Busy, CallResult::Unavailable];
        let results = status.peers[0].results.iter().filter(|(result, _)| settled.contains(result));
        assert_eq!(results.map(|(_, count)| count).sum::<u64>(), self.handed_over, "each has one result");
        assert_eq!((status.peers[0].waiting, status.transactions), (0, 0));
        self.bench.server.drain();
        assert!(self.bench.server.is_drained());
    }
}

proptest! {
    #[test]
    fn every_call_is_handed_over_once_and_answered_once_and_nothing_is_kept_in_the_end(
        steps in proptest::collection::vec(step(), 0..60),
    ) {
        let bench = Bench::new(settings());
        let mut world = World { bench, batches: Vec::new(), waiting: HashSet::new(), handed_over: 0 };
        for step in steps {
            world.take(step);
        }
        world.end();
    }

    #[test]
    fn no_mutation_of_a_request_panics_or_gets_an_ack_answered(
        method in "INVITE|ACK|CANCEL|OPTIONS", at in 0usize..400, by: u8, cut in 0usize..400, line in 0..LINES.len(),
    ) {
        let mut raw = written(&method, "a", Form::Good).into_bytes();
        raw.truncate(raw.len().saturating_sub(cut % 40));
        if let Some(octet) = raw.get_mut(at) {
            *octet = by;
        }
        let is_ack = Message::parse(Bytes::from(raw.clone())).is_ok_and(|message| message.method() == b"ACK");
        let sent = Bench::new(settings()).receive_from(raw, LINES[line], SOURCE);
        prop_assert!(!is_ack || sent.is_empty());
    }
}
