//! Every cell of the box's states × every event, against the rules that hold whatever the cell.

use super::*;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Who {
    Stranger,
    Active,
    Paused,
    Suspended,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Waits {
    Nothing,
    Queued,
    Retried,
    Doubted,
    Sending,
    InDoubt,
    Accepted,
    AcceptedLongAgo,
    Delivered,
    Failed,
    Wanted,
    WantedLongAgo,
    WantedAgain,
    Asking,
    AskingAgain,
    Forgotten,
    Done,
    GivenUp,
    Superseded,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Offered {
    Nothing,
    Open,
    Fetched,
    Expired,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    Room,
    Full,
    Counted,
    Outside,
    /// On the do-not-contact list.
    Unwanted,
    /// In a range that asks for consent, which nobody gave.
    NoConsent,
    /// In a range whose quiet hours it is.
    Quiet,
}

impl Place {
    const ALL: [Self; 7] =
        [Self::Room, Self::Full, Self::Counted, Self::Outside, Self::Unwanted, Self::NoConsent, Self::Quiet];

    fn policy(self) -> Policy {
        let ranges = match self {
            Self::Room | Self::Full | Self::Counted | Self::Unwanted => "north=86139*:5",
            Self::Outside => "south=86138*:5",
            Self::NoConsent => "north=86139*:5?consent=explicit",
            Self::Quiet => "north=86139*:5?quiet=07:30-09:00",
        };
        Policy { ranges: Ranges::parse(ranges).unwrap(), ..policy() }
    }

    /// Whether an event may be decided otherwise here than where there is room.
    fn concerned_by(self, event: &Event) -> bool {
        matches!(
            (self, event),
            (Self::Room, _)
                | (_, Event::Call(_))
                | (Self::Unwanted, Event::Submitted { .. } | Event::Dropped { .. } | Event::Due { .. })
                | (Self::NoConsent, Event::Due { .. })
        )
    }

    /// Why nobody here is ever teased.
    const fn bars(self) -> Option<NothingWhy> {
        match self {
            Self::Room | Self::Full | Self::Counted | Self::Outside | Self::Quiet => None,
            Self::Unwanted => Some(NothingWhy::DoNotContact),
            Self::NoConsent => Some(NothingWhy::NoConsent),
        }
    }
}

/// One cell: all that the view is made of.
#[derive(Clone, Copy, Debug)]
struct Cell {
    who: Who,
    pending: Waits,
    kind: Kind,
    offered: Offered,
    refused: bool,
    database: Database,
    place: Place,
    registry_loaded: bool,
}

impl Cell {
    fn all() -> impl Iterator<Item = Self> {
        use Waits::*;
        let whos = [Who::Stranger, Who::Active, Who::Paused, Who::Suspended];
        let pendings = [
            Nothing,
            Queued,
            Retried,
            Doubted,
            Sending,
            InDoubt,
            Accepted,
            AcceptedLongAgo,
            Delivered,
            Failed,
            Wanted,
            WantedLongAgo,
            WantedAgain,
            Asking,
            AskingAgain,
            Forgotten,
            Done,
            GivenUp,
            Superseded,
        ];
        let kinds = [Kind::Detail, Kind::Fallback, Kind::Teaser];
        let offers = [Offered::Nothing, Offered::Open, Offered::Fetched, Offered::Expired];
        let places = Place::ALL;
        let databases = [Database::Normal, Database::Abnormal];
        let sizes = [whos.len(), pendings.len(), kinds.len(), offers.len(), 2, databases.len(), places.len(), 2];
        (0..sizes.iter().product())
            .map(move |mut rest: usize| {
                let mut next = |size: usize| {
                    let place = rest % size;
                    rest /= size;
                    place
                };
                Self {
                    who: whos[next(sizes[0])],
                    pending: pendings[next(sizes[1])],
                    kind: kinds[next(sizes[2])],
                    offered: offers[next(sizes[3])],
                    refused: next(2) == 1,
                    database: databases[next(sizes[5])],
                    place: places[next(sizes[6])],
                    registry_loaded: next(2) == 1,
                }
            })
            .filter(|cell| !cell.is_updated() || cell.concerns_updates())
    }

    /// Whether the alert has, or had, an update.
    fn is_updated(self) -> bool {
        self.pending as u8 > Waits::Failed as u8
    }

    /// What becomes of an update doesn't depend on whether an offer was taken or is over, nor on a refusal, and it does the same for both lists: those cells
    /// are left out.
    fn concerns_updates(self) -> bool {
        matches!(self.offered, Offered::Nothing | Offered::Open) && !self.refused && self.kind != Kind::Fallback
    }

    fn view(self) -> View {
        let mut view = view();
        view.database = self.database;
        view.registry_loaded = self.registry_loaded;
        view.subscriber = match self.who {
            Who::Stranger => None,
            Who::Active => Some(subscriber()),
            Who::Paused => Some(Subscriber { paused_until: Some(NOW + HOUR), ..subscriber() }),
            Who::Suspended => Some(Subscriber { status: SubscriberStatus::Suspended, ..subscriber() }),
        };
        view.range_used = if matches!(self.place, Place::Full | Place::Counted) { 5 } else { 4 };
        view.listed.do_not_contact = self.place == Place::Unwanted;
        view.alert = self.alert();
        let call_box = &mut view.call_box;
        call_box.untold = vec![tally(2, 2)];
        call_box.more = 3;
        if self.place == Place::Counted {
            call_box.counted_in.push(RangeName("north".to_owned()));
        }
        call_box.refused_at = self.refused.then_some(NOW - DAY);
        let open = view.alert.as_ref().is_some_and(|a| !a.state.is_final() && self.pending != Waits::InDoubt);
        call_box.open = open.then_some(OPEN);
        // A teaser's offer is its own, made when it was.
        let teased_at = view.alert.as_ref().map_or(NOW - HOUR, |alert| alert.created_at);
        let fetched = Some(Fetched { at: NOW - MINUTE, list: vec![tally(5, 1)], more: 0 });
        call_box.offer = match self.offered {
            Offered::Nothing => None,
            Offered::Open => Some(Offer { teased_at, ..offer() }),
            Offered::Fetched => Some(Offer { teased_at, fetched, ..offer() }),
            Offered::Expired => Some(Offer { teased_at: NOW - DAY * 2, expires_at: NOW - DAY, ..offer() }),
        };
        call_box.due = Some(NOW);
        view
    }

    fn alert(self) -> Option<Alert> {
        let parts = vec![Part { id: "a".to_owned(), state: None }];
        let of_teaser = self.kind == Kind::Teaser;
        let updated = |state, doubts, since| AlertState::Accepted {
            at: NOW,
            smsc: smsc(),
            parts: parts.clone(),
            update: Some(Box::new(update(state, doubts, since, of_teaser))),
        };
        let accepted = |at| AlertState::Accepted { at, smsc: smsc(), parts: parts.clone(), update: None };
        let (state, attempts, doubts) = match self.pending {
            Waits::Nothing => return None,
            Waits::Queued => (AlertState::Queued { not_before: NOW }, 0, 0),
            Waits::Retried => (AlertState::Queued { not_before: NOW }, 1, 0),
            Waits::Doubted => (AlertState::Queued { not_before: NOW }, 1, 1),
            Waits::Sending => (AlertState::Sending { since: NOW }, 1, 0),
            Waits::InDoubt => (AlertState::InDoubt { since: NOW }, 1, 1),
            Waits::Accepted => (accepted(NOW), 1, 0),
            Waits::AcceptedLongAgo => (accepted(NOW - HOUR), 1, 0),
            Waits::Delivered => (AlertState::Delivered { at: NOW }, 1, 0),
            Waits::Superseded => (AlertState::Superseded { at: NOW }, 1, 0),
            Waits::Wanted => (updated(UpdateState::Wanted { not_before: NOW }, 0, NOW), 1, 0),
            Waits::WantedLongAgo => (updated(UpdateState::Wanted { not_before: NOW }, 0, NOW - HOUR), 1, 0),
            Waits::WantedAgain => (updated(UpdateState::Wanted { not_before: NOW }, 1, NOW), 1, 0),
            Waits::Asking => (updated(UpdateState::Asking { since: NOW }, 0, NOW), 1, 0),
            Waits::AskingAgain => (updated(UpdateState::Asking { since: NOW }, 2, NOW), 1, 0),
            Waits::Forgotten => (updated(UpdateState::Asking { since: NOW - HOUR }, 0, NOW - HOUR), 1, 0),
            Waits::Done => (updated(UpdateState::Done { at: NOW }, 0, NOW), 1, 0),
            Waits::GivenUp => (updated(UpdateState::GivenUp, 0, NOW), 1, 0),
            Waits::Failed => (AlertState::Failed { at: NOW, why: FailedWhy::Refused(1) }, 1, 0),
        };
        Some(Alert { attempts, doubts, ..alert(self.kind, state) })
    }

    fn in_the_dark(self) -> bool {
        self.who == Who::Stranger && self.database == Database::Abnormal && !self.registry_loaded
    }
}

fn events() -> Vec<Event> {
    let mut events = vec![call("c1"), call_to("c1", Some("1")), call_to("c1", Some("2"))];
    events.extend(outcomes().map(submitted));
    let states = [ReceiptState::Delivered, ReceiptState::Undeliverable, ReceiptState::Expired, ReceiptState::Unknown];
    events.extend(states.map(receipt));
    events.extend(update_outcomes().map(|outcome| Event::Updated { alert: OPEN, attempt: 1, outcome }));
    events.extend(["C", "KT", "QX", "R", "?", "see you"].map(reply));
    events.extend(Kind::ALL.map(|kind| Event::Resend(resend(3, kind))));
    events.extend([reply_to("10086", "C"), Event::Dropped { alert: OPEN }, Event::Due { called: called() }]);
    events
}

/// Calls in an alert that is not certain to have failed.
fn live(alert: &Alert) -> u32 {
    match alert.state {
        AlertState::Undelivered { .. }
        | AlertState::Expired { .. }
        | AlertState::Failed { .. }
        | AlertState::Superseded { .. } => 0,
        _ => {
            let added = alert.update().map_or(0, |update| total(&update.added) + update.added_more);
            total(&alert.told) + alert.more + added
        }
    }
}

fn total(list: &[Tally]) -> u32 {
    list.iter().map(|tally| tally.count).sum()
}

fn untold(call_box: &CallBox) -> u32 {
    call_box.untold.iter().map(|tally| tally.count).sum::<u32>() + call_box.more
}

/// One decision in one cell, with what the rules look at.
struct Step<'a> {
    cell: Cell,
    event: &'a Event,
    policy: &'a Policy,
    before: View,
    after: View,
    decision: Decision,
}

impl Step<'_> {
    fn made(&self) -> impl Iterator<Item = &Alert> {
        self.decision.alerts().filter(|alert| alert.id >= NEXT)
    }

    fn replied(&self) -> Option<ReplyVerdict> {
        match self.decision.verdict {
            Verdict::Reply(verdict) => Some(verdict),
            _ => None,
        }
    }

    fn count_effects(&self, which: impl Fn(&Effect) -> bool) -> usize {
        self.decision.effects.iter().filter(|effect| which(effect)).count()
    }

    /// As many effects as there may be, one box, each alert once, new ids in order, everything to the called person.
    fn is_well_formed(&self) {
        assert!(self.decision.effects.len() <= MAX_EFFECTS);
        assert!(self.count_effects(|effect| matches!(effect, Effect::CallBox(_))) <= 1);
        let made: Vec<_> = self.made().map(|alert| alert.id.0).collect();
        assert_eq!(made, (NEXT.0..).take(made.len()).collect::<Vec<_>>());
        assert!(self.decision.alerts().filter(|alert| alert.id == OPEN).count() <= 1);
        assert!(self.decision.alerts().all(|alert| alert.to == called()));
        assert!(self.made().all(|alert| matches!(alert.state, AlertState::Queued { .. }) && !alert.text.is_empty()));
    }

    /// Never a teaser where none may go, and never a caller in one; fallbacks only while abnormal; no list to the suspended.
    fn keeps_to_its_kind(&self) {
        let Cell { who, refused, database, place, .. } = self.cell;
        if matches!(self.event, Event::Resend(_)) {
            return;
        }
        let told_now = |kind| self.made().any(|alert| alert.kind == kind);
        if told_now(Kind::Teaser) {
            assert!(matches!(self.event, Event::Call(_)));
            assert_eq!((who, refused, database), (Who::Stranger, false, Database::Normal));
            assert!(matches!(place, Place::Room | Place::Counted));
        }
        if told_now(Kind::Fallback) {
            assert_eq!(database, Database::Abnormal);
        }
        if told_now(Kind::Detail) {
            assert_eq!(database, Database::Normal);
        }
        let lists = told_now(Kind::Fallback) || told_now(Kind::Detail) || told_now(Kind::Teaser);
        assert!(!(who == Who::Suspended && lists), "a list to a suspended subscriber");
        if who == Who::Paused && told_now(Kind::Detail) {
            assert_eq!(self.replied(), Some(ReplyVerdict::Granted), "in the quiet window only on request");
        }
        for alert in self.decision.alerts().filter(|alert| matches!(alert.kind, Kind::Teaser | Kind::Notice)) {
            assert!(alert.told.is_empty() && alert.more == 0);
            assert!(!alert.text.contains("86137"), "a caller's number in {}", alert.text);
        }
    }

    /// What bars a person from teasers is said, and takes one out of the queue that was made before; not while nobody can know it.
    fn keeps_away(&self) {
        let Cell { who, refused, database, place, .. } = self.cell;
        let Some(why) = place.bars().filter(|_| who == Who::Stranger && database == Database::Normal) else { return };
        let decided = match self.event {
            Event::Call(_) if refused => return,
            Event::Call(call) if call.service_number.as_ref().is_some_and(|number| *number == short("1")) => {
                if why == NothingWhy::NoConsent {
                    assert_eq!(self.decision.verdict, Verdict::Nothing(NothingWhy::NotSubscribed));
                    return;
                }
                assert_eq!(self.decision.verdict, Verdict::Nothing(why));
                true
            }
            Event::Call(_) => {
                assert_eq!(self.decision.verdict, Verdict::Nothing(why));
                true
            }
            Event::Due { .. } => true,
            _ => self.decision.verdict == Verdict::Alert,
        };
        let queued = |alert: &Alert| alert.kind == Kind::Teaser && matches!(alert.state, AlertState::Queued { .. });
        assert!(!decided || !self.after.alert.as_ref().is_some_and(queued), "a teaser stays in the queue");
    }

    /// What an operator sends again is that message, to a person to whom it is due, and tells no calls.
    fn says_again_what_it_said(&self) {
        let Event::Resend(wanted) = self.event else { return };
        let Cell { who, offered, database, .. } = self.cell;
        let made: Vec<_> = self.made().collect();
        assert_eq!(made.len(), usize::from(self.decision.verdict == Verdict::Send(wanted.kind)));
        assert!(made.len() == 1 || matches!(self.decision.verdict, Verdict::Nothing(_)));
        assert_eq!(self.before.alert, self.after.alert);
        assert_eq!(self.before.call_box.open, self.after.call_box.open);
        let due = match (who, wanted.kind) {
            (_, Kind::Teaser | Kind::Notify) | (Who::Suspended, _) => false,
            (Who::Active | Who::Paused, _) => true,
            (Who::Stranger, Kind::Notice | Kind::Detail | Kind::Fallback) => {
                let answers =
                    wanted.kind == Kind::Notice || (wanted.kind == Kind::Detail && offered == Offered::Fetched);
                answers && database == Database::Normal
            }
        };
        assert_eq!(!made.is_empty(), due);
        for alert in made {
            assert_eq!((alert.kind, &alert.source, &alert.text), (wanted.kind, &wanted.source, &wanted.text));
            assert!(alert.told.is_empty() && alert.more == 0);
            assert_eq!(alert.again.as_ref().map(|again| again.of), Some(wanted.of));
        }
    }

    /// A person is counted in a quota exactly when first teased, and never above it.
    fn keeps_the_quota(&self) {
        let counted = self.count_effects(|effect| matches!(effect, Effect::Count(_)));
        let teased = self.decision.verdict == Verdict::Send(Kind::Teaser);
        assert_eq!(counted == 1, teased && self.cell.place == Place::Room);
        assert!(self.after.range_used <= 5);
    }

    /// A charge only for a grant of an offer that was open, with its list.
    fn charges_grants_only(&self) {
        let charges = self.count_effects(|effect| matches!(effect, Effect::Charge(_)));
        let due = self.cell.who == Who::Stranger && self.replied() == Some(ReplyVerdict::Granted);
        assert_eq!(charges, usize::from(due));
        if due {
            assert_eq!(self.cell.offered, Offered::Open);
            assert!(self.made().any(|alert| alert.kind == Kind::Detail && live(alert) > 0));
        }
    }

    /// Each call is in one place: not yet told, told by an alert that has not certainly failed, or gone for a reason.
    fn loses_no_call(&self) {
        let known = |view: &View| view.alert.as_ref().map_or(0, live) + untold(&view.call_box);
        let before = known(&self.before) + u32::from(self.counts_the_call());
        let after = known(&self.after) + self.made().map(live).sum::<u32>();
        let gone = before.checked_sub(after).unwrap_or_else(|| panic!("{after} calls from {before}"));
        if gone > 0 {
            assert!(self.may_forget(), "{gone} calls of {before} are lost");
        }
    }

    fn counts_the_call(&self) -> bool {
        if !matches!(self.event, Event::Call(_)) {
            return false;
        }
        match self.decision.verdict {
            Verdict::Send(_) | Verdict::Joined(_) | Verdict::Held(_) => true,
            Verdict::Nothing(why) => match why {
                NothingWhy::TeaserCapped
                | NothingWhy::QuietHours
                | NothingWhy::DailyCap
                | NothingWhy::AbnormalNoRegistry => true,
                NothingWhy::AbnormalNotRegistered => !self.cell.refused,
                _ => false,
            },
            Verdict::Reply(_) | Verdict::Alert => false,
        }
    }

    fn may_forget(&self) -> bool {
        let Cell { who, offered, refused, database, .. } = self.cell;
        let left =
            self.replied() == Some(ReplyVerdict::Unsubscribed) && (who != Who::Stranger || self.cell.in_the_dark());
        let stranger = who == Who::Stranger && !self.cell.in_the_dark();
        let refusal = refused || self.replied() == Some(ReplyVerdict::Refused);
        // The list of an alert to somebody who is no longer registered, or what was to be added to it.
        let over = |alert: &Alert| alert.state.is_final() || !alert.is_updating();
        let orphaned = database == Database::Normal && self.after.alert.as_ref().is_some_and(over);
        left || (stranger && (refusal || offered == Offered::Expired || orphaned))
    }

    /// Nobody waits for nothing: what is held is looked at again, and not at once.
    fn wakes_again(&self) {
        let due = self.after.call_box.due;
        if matches!(self.decision.verdict, Verdict::Held(_)) {
            assert!(due.is_some());
        }
        if matches!(self.event, Event::Due { .. }) {
            assert!(due.is_none_or(|due| due > NOW), "a look asks for a look at once");
        }
    }

    /// An active subscriber's call has an answer that tells it, now or later.
    fn serves_subscribers(&self) {
        if matches!((self.cell.who, self.event), (Who::Active | Who::Paused, Event::Call(_))) {
            let told = matches!(self.decision.verdict, Verdict::Send(_) | Verdict::Joined(_) | Verdict::Held(_));
            assert!(told, "{:?}", self.decision.verdict);
        }
    }

    /// A refusal counts in every cell; requests are deferred exactly while abnormal, and answered at the first look after.
    fn keeps_its_word(&self) {
        if *self.event == reply("R") {
            assert!(self.after.call_box.refused_at.is_some() && self.after.call_box.offer.is_none());
        }
        if *self.event == reply("C") || *self.event == reply("KT") {
            let deferred = self.replied() == Some(ReplyVerdict::Deferred);
            assert_eq!(deferred, self.cell.database == Database::Abnormal);
            assert_eq!(deferred, !self.after.call_box.deferred.is_empty());
            if deferred {
                let back = View { database: Database::Normal, alert: None, ..self.after.clone() };
                let decision = decide(self.policy, &back, &Event::Due { called: called() }, NOW);
                assert!(matches!(decision.verdict, Verdict::Reply(_)), "{:?}", decision.verdict);
                assert_eq!(apply(&back, &decision).call_box.deferred, []);
            }
        }
    }

    /// The same event in the same view gives the same; committed and told again, it changes nothing more.
    fn is_repeatable(&self) {
        assert_eq!(decide(self.policy, &self.before, self.event, NOW), self.decision);
        if matches!(
            self.event,
            Event::Call(_)
                | Event::Submitted { .. }
                | Event::Updated { .. }
                | Event::Receipt(_)
                | Event::Dropped { .. }
                | Event::Resend(_)
        ) {
            let again = decide(self.policy, &self.after, self.event, NOW);
            assert_eq!(again.effects, [], "told again: {:?}", again.verdict);
            assert!(matches!(again.verdict, Verdict::Nothing(_)));
        }
    }
}

/// The cell and event at hand, printed when a rule fails in it.
struct Guard<'a>(Cell, &'a Event);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("in {:?}\non {:?}", self.0, self.1);
        }
    }
}

#[test]
fn the_rules_hold_in_every_cell() {
    let events = events();
    let policies = Place::ALL.map(|place| (place, place.policy()));
    let mut decisions = 0;
    for cell in Cell::all() {
        let Some((_, policy)) = policies.iter().find(|(place, _)| *place == cell.place) else { panic!("{cell:?}") };
        let before = cell.view();
        // Outcomes of updates concern alerts that have one, or might.
        let concerned = |event: &&Event| match event {
            Event::Updated { .. } => {
                cell.place == Place::Room && (cell.is_updated() || cell.pending == Waits::Accepted)
            }
            event => cell.place.concerned_by(event),
        };
        for event in events.iter().filter(concerned) {
            let _guard = Guard(cell, event);
            let decision = decide(policy, &before, event, NOW);
            let after = apply(&before, &decision);
            let step = Step { cell, event, policy, before: before.clone(), after, decision };
            step.is_well_formed();
            step.keeps_to_its_kind();
            step.keeps_away();
            step.says_again_what_it_said();
            step.keeps_the_quota();
            step.charges_grants_only();
            step.loses_no_call();
            step.wakes_again();
            step.serves_subscribers();
            step.keeps_its_word();
            step.is_repeatable();
            decisions += 1;
        }
    }
    let (each, with_calls_elsewhere, outcomes) = (4 * 2 * 2, events.len() + 6 * 3 + 7 + 1, update_outcomes().len());
    let (others, updated) = (3 * 4 * 2, 2 * 2);
    let plain = each * others * (10 * (with_calls_elsewhere - outcomes) + outcomes);
    assert_eq!(decisions, plain + each * updated * 9 * with_calls_elsewhere);
}
