//! What is counted, as the console reads it once a second: from counters and from what was looked up before; no pump waits for it.

use std::time::Duration;

use console::{LinkReading, Reading, Series, Spread, Waiting};
use model::Timestamp;
use routing::{Database, Policy};
use smpp_client::{LinkState, LinkStatus};

use super::Admin;

impl Admin {
    pub(super) fn reading(&self) -> Reading {
        let now = (self.desk.clock)();
        let health = self.store.local().health();
        let (doors, links) = (self.counts.snapshot(), self.links.status());
        let since = self.since(now);
        let undecided = health.undecided_since.map(|since| now - since.elapsed());
        let mut reading = Reading {
            totals: self.metrics.totals(),
            undecided: Waiting { count: health.backlog, since: undecided },
            queued: Waiting { count: health.alerts.queued, since: since.queued },
            unanswered: Waiting { count: health.alerts.sending, since: since.sending },
            undelivered: Waiting { count: health.alerts.accepted, since: since.accepted },
            unshared: health.unshared,
            database: self.desk.database.is_configured().then(|| self.database()),
            accept_to_submit: self.metrics.accept_to_submit(),
            database_took: self.metrics.database_took(),
            links: links.iter().map(link).collect(),
            ..Reading::none(now)
        };
        reading.set(Series::Calls, doors.sip.accepted + doors.http.accepted);
        reading.set(Series::Submitted, links.iter().map(|link| link.counts.submits).sum());
        reading
    }

    /// Looks up since when the longest of what SMSCs are to do waits.
    pub(super) async fn look_at_oldest(&self) {
        let longest = longest_validity(&self.desk.policy.load());
        // Where it fails, the store says so elsewhere.
        if let Ok(oldest) = self.store.local().oldest((self.desk.clock)() - longest).await {
            self.oldest.store(oldest.into());
        }
    }

    /// Since when the oldest waits, as of the last look. Teasers that wait for the database wait for no link.
    fn since(&self, now: Timestamp) -> Since {
        let oldest = self.oldest.load();
        let teaser = oldest.teaser.filter(|_| self.desk.database.now() == Database::Normal);
        let queued = oldest.queued.into_iter().chain(teaser).min().filter(|since| *since <= now);
        Since { queued, sending: oldest.sending, accepted: oldest.accepted }
    }

    /// How long the oldest has waited, by state.
    pub(super) fn ages(&self) -> Vec<(&'static str, Duration)> {
        let now = (self.desk.clock)();
        let Since { queued, sending, accepted } = self.since(now);
        let age = |since: Option<Timestamp>| since.map_or(Duration::ZERO, |since| now.since(since));
        vec![("queued", age(queued)), ("sending", age(sending)), ("accepted", age(accepted))]
    }
}

/// Since when the oldest waits.
struct Since {
    queued: Option<Timestamp>,
    sending: Option<Timestamp>,
    accepted: Option<Timestamp>,
}

/// After that no receipt comes.
fn longest_validity(policy: &Policy) -> Duration {
    let validity = &policy.limits.validity;
    validity.alert.max(validity.teaser).max(validity.notice).max(validity.notify)
}

fn link(link: &LinkStatus) -> LinkReading {
    let (counts, answers) = (&link.counts, &link.answer_seconds);
    LinkReading {
        name: link.name.0.clone(),
        bound: link.state == LinkState::Bound,
        submits: counts.submits,
        accepted: counts.accepted,
        throttles: counts.throttles,
        answers: Spread { bounds_ms: answers.bounds_ms, counts: answers.counts.clone() },
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ingress::Counts;
    use model::{CallId, Caller, MissedCall, Msisdn, Reason, SmscName, Source, SubmitOutcome};
    use routing::Event;
    use store::{Embedded, EmbeddedSettings, HandOver, Store as _};
    use tokio::sync::{Notify, broadcast};
    use tokio_util::task::TaskTracker;

    use super::*;
    use crate::admin::{Doors, Watched};
    use crate::config::Settings;
    use crate::database::DatabaseState;
    use crate::metrics::Metrics;
    use crate::pump::Desk;
    use crate::pump::decide::Ear;
    use crate::running::Running;
    use crate::telemetry::Logging;
    use crate::traces::Traces;

    fn clock() -> Timestamp {
        Timestamp::from_millis(1_795_000_000_000)
    }

    fn call(n: u64) -> Event {
        Event::Call(MissedCall {
            id: CallId::parse(&format!("call-{n}")).unwrap(),
            caller: Caller::Number(Msisdn::try_from(8_613_900_000_001).unwrap()),
            called: Msisdn::try_from(8_613_600_000_000 + n).unwrap(),
            at: clock(),
            reason: Reason::Busy,
            service_number: None,
            source: Source::Http,
        })
    }

    /// What a metric of the page is, over the lines that have all these in them.
    fn shown(page: &str, words: &[&str]) -> u64 {
        let lines = page.lines().filter(|line| !line.starts_with('#') && words.iter().all(|word| line.contains(word)));
        lines.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
    }

    #[tokio::test]
    async fn the_reading_and_the_metrics_page_say_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let settings = EmbeddedSettings::new(dir.path().to_owned(), Duration::from_secs(86_400));
        let store = HandOver::alone(Embedded::open(settings, clock()).unwrap());
        let settings = Settings::for_demo([("service.code", "12599"), ("ranges", "south=86136*:1000000")]).unwrap();
        let running = Arc::new(Running::new(settings, clock, Logging::elsewhere("info")));
        let database = DatabaseState::open(clock, dir.path(), false);
        let traces = Traces::start(None, running.node(), clock);
        let desk = Desk { clock, policy: running.policy(), database, traces };
        let (links, _arrivals) = smpp_client::start(Vec::new(), clock, 1, &TaskTracker::new());
        let (metrics, live) = (Arc::new(Metrics::default()), broadcast::Sender::new(4));
        let doors = Doors { counts: Arc::new(Counts::default()), sip: None };
        let ear = Ear {
            queued: Arc::new(Notify::new()),
            wanted: Arc::new(Notify::new()),
            metrics: Arc::clone(&metrics),
            live: live.clone(),
        };
        let watched = Watched { desk: desk.clone(), store: store.clone(), links, metrics, live, running };
        let admin = Admin::new(watched, doors);
        let decide = async |events: Vec<Event>| {
            store.local().append(events).await.unwrap();
            let batch = store.local().next(100).await;
            ear.settled(store.settle(batch.clone(), desk.context()).await.unwrap(), &batch);
        };
        assert_eq!(admin.reading().totals, Reading::none(clock()).totals);
        decide((0..3).map(call).chain([call(800_000_000)]).collect()).await;
        let submits = store.lease(2, &desk.context()).await.unwrap();
        let (smsc, message_ids) = (SmscName("north".to_owned()), vec!["1".to_owned()]);
        let outcome = SubmitOutcome::Accepted { smsc, message_ids };
        decide(vec![Event::Submitted { alert: submits[0].alert, attempt: 1, outcome }]).await;
        store.local().append(vec![call(7)]).await.unwrap();
        admin.look_at_oldest().await;

        let (reading, page) = (admin.reading(), admin.metrics());
        let outcomes = |kind: &str, state: &str| shown(&page, &["alert_outcomes", kind, state]);
        assert_eq!((reading.total(Series::Teaser), outcomes("\"teaser\"", "\"queued\"")), (3, 3));
        assert_eq!((reading.total(Series::Accepted), outcomes("", "\"accepted\"")), (1, 1));
        assert_eq!((reading.total(Series::Nothing), shown(&page, &["decisions", "\"nothing\""])), (1, 1));
        assert_eq!((reading.undecided.count, shown(&page, &["journal_pending"])), (1, 1));
        assert!(reading.undecided.since.is_some(), "and it is known since when");
        let now = clock();
        for (waiting, state) in
            [(reading.queued, "queued"), (reading.unanswered, "sending"), (reading.undelivered, "accepted")]
        {
            assert_eq!(waiting, Waiting { count: 1, since: Some(now) }, "{state}");
            assert_eq!(shown(&page, &["afterring_alerts{", &format!("\"{state}\"")]), 1, "{state}");
        }
        assert_eq!(reading.accept_to_submit.counts.len(), reading.accept_to_submit.bounds_ms.len() + 1);
        assert_eq!(reading.database, None);
    }
}
