//! Scenes that the demo plays by itself: what a visitor could do by hand, at a pace that one can follow.

use std::sync::Arc;
use std::time::Duration;

use console::phones::{PhoneCaller, PhoneCommand, PhonesView, Role, Scene};
use model::{Msisdn, Reason};
use tokio::sync::{mpsc, watch};

/// Between two things that happen: long enough to see the first.
const PACE: Duration = Duration::from_millis(1200);
/// How long a scene waits for what should come. A visitor may do something else meanwhile that keeps it away; the scene then ends.
const PATIENCE: Duration = Duration::from_secs(15);

/// Who plays: the phones of the demo by what they are at its start.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cast {
    pub(super) subscriber: Msisdn,
    pub(super) second: Msisdn,
    pub(super) prospect: Msisdn,
    pub(super) outside: Msisdn,
}

/// What a scene does next.
#[derive(Clone, Debug)]
enum Act {
    /// As a visitor would.
    Do(PhoneCommand),
    /// Waits until a phone has got another message since the latest thing was done.
    Message(Msisdn),
}

/// Plays scenes one at a time; another that is asked for ends the one before.
pub(super) struct Director {
    pub(super) cast: Cast,
    pub(super) commands: mpsc::Sender<PhoneCommand>,
    pub(super) view: watch::Receiver<Arc<PhonesView>>,
}

impl Director {
    /// Plays what is asked for, until nobody can ask any more.
    pub(super) async fn work(mut self, mut asked: mpsc::Receiver<Scene>) {
        let mut next = asked.recv().await;
        while let Some(scene) = next {
            next = tokio::select! {
                biased;
                another = asked.recv() => another,
                () = self.play(scene) => asked.recv().await,
            };
        }
    }

    async fn play(&mut self, scene: Scene) {
        // As it was before the latest thing was done: what that brings may come while the scene pauses.
        let mut before = Arc::clone(&self.view.borrow());
        for act in setting(scene, self.cast, &Arc::clone(&before)).into_iter().chain(acts(scene, self.cast)) {
            let done = match act {
                Act::Do(command) => {
                    before = Arc::clone(&self.view.borrow());
                    self.commands.send(command).await.is_ok()
                }
                Act::Message(number) => self.message(number, received(&before, number)).await,
            };
            if !done {
                return;
            }
            tokio::time::sleep(PACE).await;
        }
    }

    /// Whether a phone has got another message than its newest `before`, in time.
    async fn message(&mut self, number: Msisdn, before: Option<u64>) -> bool {
        let came = self.view.wait_for(|view| received(view, number) != before);
        matches!(tokio::time::timeout(PATIENCE, came).await, Ok(Ok(_)))
    }
}

/// The newest message that a phone got.
fn received(view: &PhonesView, number: Msisdn) -> Option<u64> {
    let phone = view.phones.iter().find(|phone| phone.number == number)?;
    phone.messages.iter().filter(|message| message.incoming).map(|message| message.id).max()
}

/// What must be otherwise before a scene can begin: whatever was played before, phones are on and the database is normal.
fn setting(scene: Scene, cast: Cast, view: &PhonesView) -> Vec<Act> {
    let mut acts = Vec::new();
    if view.database.abnormal {
        acts.push(Act::Do(PhoneCommand::Database { abnormal: false }));
    }
    for phone in view.phones.iter().filter(|phone| !phone.on) {
        acts.push(Act::Do(PhoneCommand::Switch { number: phone.number, on: true }));
    }
    let subscribed = view.phones.iter().any(|phone| phone.number == cast.prospect && phone.role == Role::Subscriber);
    if scene == Scene::Offer && subscribed {
        acts.push(text(cast.prospect, "QX"));
    }
    acts
}

fn acts(scene: Scene, cast: Cast) -> Vec<Act> {
    let Cast { subscriber, second, prospect, outside } = cast;
    match scene {
        Scene::PhoneOff => vec![
            switch(second, false),
            call(second, subscriber, Reason::Unreachable),
            call(second, prospect, Reason::Unreachable),
            call(second, outside, Reason::Unreachable),
            switch(second, true),
        ],
        Scene::DatabaseDies => vec![
            Act::Do(PhoneCommand::Database { abnormal: true }),
            call(subscriber, second, Reason::NoAnswer),
            call(prospect, second, Reason::NoAnswer),
            Act::Do(PhoneCommand::Database { abnormal: false }),
            call(subscriber, outside, Reason::NoAnswer),
        ],
        Scene::Offer => vec![
            call(prospect, outside, Reason::NoAnswer),
            Act::Message(prospect),
            text(prospect, "C"),
            Act::Message(prospect),
            text(prospect, "KT"),
            Act::Message(prospect),
            call(prospect, outside, Reason::Busy),
        ],
        Scene::Notify => vec![
            switch(second, false),
            call(second, subscriber, Reason::Unreachable),
            switch(second, true),
            Act::Message(subscriber),
        ],
    }
}

fn call(called: Msisdn, caller: Msisdn, reason: Reason) -> Act {
    Act::Do(PhoneCommand::Call { called, caller: PhoneCaller::Phone(caller), reason })
}

fn text(from: Msisdn, text: &str) -> Act {
    Act::Do(PhoneCommand::Reply { from, text: text.to_owned() })
}

const fn switch(number: Msisdn, on: bool) -> Act {
    Act::Do(PhoneCommand::Switch { number, on })
}

#[cfg(test)]
mod tests {
    use console::phones::{DatabaseView, Label, PhoneView};
    use model::Timestamp;

    use super::*;

    fn number(last: u64) -> Msisdn {
        Msisdn::try_from(8_613_800_000_000 + last).unwrap()
    }

    fn cast() -> Cast {
        Cast { subscriber: number(1), second: number(2), prospect: number(3), outside: number(4) }
    }

    fn phone(last: u64, role: Role, on: bool) -> PhoneView {
        let name = Label { zh: "手机".to_owned(), en: "Phone".to_owned() };
        PhoneView { number: number(last), name, role, on, pending: 0, messages: Vec::new(), last_decision: None }
    }

    /// Whatever a visitor left behind, a scene begins with phones that are on, a database that works, and a prospect who is one.
    #[test]
    fn a_scene_clears_the_stage_first() {
        let view = PhonesView {
            database: DatabaseView { abnormal: true, since: Timestamp::from_millis(0) },
            phones: vec![phone(2, Role::Subscriber, false), phone(3, Role::Subscriber, true)],
            ..PhonesView::default()
        };
        let cleared = |scene| {
            let acts = setting(scene, cast(), &view).into_iter();
            acts.filter_map(|act| if let Act::Do(command) = act { Some(command) } else { None }).collect::<Vec<_>>()
        };
        let mut wanted =
            vec![PhoneCommand::Database { abnormal: false }, PhoneCommand::Switch { number: number(2), on: true }];
        assert_eq!(cleared(Scene::PhoneOff), wanted);
        wanted.push(PhoneCommand::Reply { from: number(3), text: "QX".to_owned() });
        assert_eq!(cleared(Scene::Offer), wanted);
        assert!(setting(Scene::Offer, cast(), &PhonesView::default()).is_empty());
    }

    /// Nobody is left with a phone that is off or a database that is broken.
    #[test]
    fn every_scene_ends_as_it_began() {
        for scene in Scene::ALL {
            let (mut off, mut abnormal, mut calls) = (0, false, 0);
            for act in acts(scene, cast()) {
                match act {
                    Act::Do(PhoneCommand::Switch { on, .. }) => off += if on { -1 } else { 1 },
                    Act::Do(PhoneCommand::Database { abnormal: broken }) => abnormal = broken,
                    Act::Do(PhoneCommand::Call { called, caller, .. }) => {
                        assert_ne!(caller, PhoneCaller::Phone(called), "{scene:?}");
                        calls += 1;
                    }
                    Act::Do(PhoneCommand::Reply { .. } | PhoneCommand::Scene(_)) | Act::Message(_) => {}
                }
            }
            assert!(off == 0 && !abnormal && calls > 0, "{scene:?}");
        }
    }

    #[tokio::test]
    async fn the_scene_asked_for_last_is_the_one_that_is_played() {
        let (commands, mut done) = mpsc::channel(8);
        let (_show, view) = watch::channel(Arc::new(PhonesView::default()));
        let (ask, asked) = mpsc::channel(1);
        let directing = tokio::spawn(Director { cast: cast(), commands, view }.work(asked));
        ask.send(Scene::PhoneOff).await.unwrap();
        assert_eq!(done.recv().await, Some(PhoneCommand::Switch { number: number(2), on: false }));
        ask.send(Scene::DatabaseDies).await.unwrap();
        assert_eq!(done.recv().await, Some(PhoneCommand::Database { abnormal: true }));
        directing.abort();
    }
}
