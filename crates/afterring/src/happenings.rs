//! Notes in the audit log what happens to the gateway itself, so that it is known after a restart: when the database was away and what that cost,
//! and which links ended and why.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use console::Audit;
use console::audit::{Action, Entry};
use model::{LinkName, Timestamp};
use routing::{Change, Condition};
use smpp_client::{LinkState, Links};
use store::DatabaseHealth;

use crate::metrics::Metrics;

/// How often links are looked at.
const LOOK: Duration = Duration::from_millis(500);

/// What is watched.
pub(crate) struct Watched {
    pub(crate) audit: Audit,
    pub(crate) links: Links,
    pub(crate) health: DatabaseHealth,
    pub(crate) metrics: Arc<Metrics>,
}

impl Watched {
    /// Never returns.
    pub(crate) async fn run(self) {
        let Self { audit, links, health, metrics } = self;
        tokio::join!(databases(&audit, health, &metrics), closings(&audit, &links));
    }
}

async fn databases(audit: &Audit, health: DatabaseHealth, metrics: &Metrics) {
    let mut seen = health.watch();
    let mut outage = Outage::default();
    loop {
        let (changes, fault) = {
            let seen = seen.borrow_and_update();
            (outage.news(seen.machine.changes()), seen.fault.clone())
        };
        let fallbacks = fallbacks(metrics);
        for change in changes {
            if let Some(entry) = outage.entry(&change, fault.as_deref(), fallbacks) {
                note(audit, entry).await;
            }
        }
        if seen.changed().await.is_err() {
            return std::future::pending().await;
        }
    }
}

/// What is remembered of the database's changes.
#[derive(Default)]
struct Outage {
    last: Option<Change>,
    /// Since when decisions don't ask it, and how many fallbacks had been told by then.
    since: Option<(Timestamp, u64)>,
}

impl Outage {
    /// The changes after the last one that was seen.
    fn news<'a>(&mut self, changes: impl DoubleEndedIterator<Item = &'a Change>) -> Vec<Change> {
        let mut news: Vec<Change> = changes.rev().take_while(|change| Some(**change) != self.last).copied().collect();
        news.reverse();
        self.last = news.last().copied().or(self.last);
        news
    }

    /// What is noted of a change; nothing where it only began to be doubted, or no longer is.
    fn entry(&mut self, change: &Change, fault: Option<&str>, fallbacks: u64) -> Option<Entry> {
        let away = |condition| matches!(condition, Condition::Abnormal | Condition::Recovering);
        if !away(change.from) && !away(change.to) {
            return None;
        }
        let (who, what) = change.why.words();
        let mut detail = format!("{} to {}: {who} {what}", change.from.as_str(), change.to.as_str());
        if let Some(fault) = fault.filter(|_| change.to == Condition::Abnormal) {
            detail = format!("{detail}: {fault}");
        }
        if away(change.to) {
            self.since.get_or_insert((change.at, fallbacks));
        } else if let Some((since, before)) = self.since.take() {
            let lasted = jiff::SignedDuration::try_from(change.at.since(since)).unwrap_or_default();
            let told = fallbacks.saturating_sub(before);
            detail = format!("{detail}; it was away for {lasted:#}, and {told} fallbacks were told");
        }
        Some(Entry::gateway(change.at, Action::DatabaseChanged).about("database").detail(detail))
    }
}

fn fallbacks(metrics: &Metrics) -> u64 {
    let decisions = metrics.decisions();
    decisions
        .iter()
        .filter(|((_, verdict, why), _)| *verdict == "send" && *why == "fallback")
        .map(|(_, count)| count)
        .sum()
}

async fn closings(audit: &Audit, links: &Links) {
    // How many times each had bound when its last end was noted: an attempt that failed is no session.
    let mut noted: HashMap<LinkName, u64> = HashMap::new();
    let mut tick = tokio::time::interval(LOOK);
    loop {
        tick.tick().await;
        for link in links.status() {
            let before = noted.get(&link.name).copied().unwrap_or(0);
            let ended = match link.last_closed {
                // One that is bound has not ended yet.
                Some(closed) if matches!(link.state, LinkState::Bound | LinkState::Draining) => {
                    (link.counts.connects.saturating_sub(1), closed)
                }
                Some(closed) => (link.counts.connects, closed),
                None => continue,
            };
            let (sessions, closed) = ended;
            if sessions <= before {
                continue;
            }
            let mut entry = Entry::gateway(closed.at, Action::LinkClosed).about(link.name.0.clone());
            entry = match sessions - before {
                1 => entry.detail(closed.why.to_string()),
                ends => entry.detail(format!("{}; {ends} sessions ended since the last look", closed.why)),
            };
            noted.insert(link.name, sessions);
            note(audit, entry).await;
        }
    }
}

/// Notes what happened by itself: nobody can be refused where it fails, and the writer has said so.
pub(crate) async fn note(audit: &Audit, entry: Entry) {
    let action = entry.action.as_str();
    if let Err(error) = audit.note(entry).await {
        tracing::error!(%error, action, "what happened to the gateway is missing in the audit log");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use routing::{Trouble, Why};

    fn change(from: Condition, to: Condition, seconds: i64) -> Change {
        Change { from, to, why: Why::Probe(Trouble::Gone), at: Timestamp::from_millis(seconds * 1_000) }
    }

    #[test]
    fn an_outage_is_noted_with_what_it_cost() {
        use Condition::{Abnormal, Normal, Recovering, Suspect};
        let mut outage = Outage::default();
        let mut changes = vec![change(Normal, Suspect, 0), change(Suspect, Abnormal, 1)];
        assert_eq!(outage.news(changes.iter()), changes);
        let details: Vec<_> = changes.iter().map(|change| outage.entry(change, Some("refused"), 5)).collect();
        assert_eq!(details[0], None);
        assert_eq!(details[1].as_ref().unwrap().detail.as_deref().unwrap(), "suspect to abnormal: probe gone: refused");
        changes.extend([change(Abnormal, Recovering, 100), change(Recovering, Normal, 121)]);
        let news = outage.news(changes.iter());
        assert_eq!(news, changes[2..]);
        let ended = news.iter().filter_map(|change| outage.entry(change, None, 17)).next_back().unwrap();
        let detail = ended.detail.unwrap();
        assert!(detail.ends_with("it was away for 2m, and 12 fallbacks were told"), "{detail}");
        assert_eq!(outage.news(changes.iter()), []);
    }
}
