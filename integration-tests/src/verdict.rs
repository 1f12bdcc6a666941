//! What an outage came to: counted in the database that survived and at the SMSC, never by what the gateway says of itself.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, ensure};
use throwaway_postgres::sql;

use crate::Smsc;
use crate::load::{FIRST_SUBSCRIBER, called};
use crate::outage::Change;

/// A teaser that was handed to the link when the database became abnormal may still reach the SMSC so much later, in milliseconds.
pub const ON_THEIR_WAY: i64 = 250;

/// Words that only a teaser has.
const TEASER: &str = "This message is free";

/// A teaser that was decided and not handed to the link when the database became abnormal is withdrawn: it is no failure, and nobody was told.
const FAILED: &str = "select kind, called, created_at, body from alert where state = 'failed' and not (kind = 'teaser' and body->>'why' = 'withdrawn')";
const WITHDRAWN: &str =
    "select called from alert where state = 'failed' and kind = 'teaser' and body->>'why' = 'withdrawn'";

/// The longest that alerts may pause. Stated are 1.1 s to detect a database that is silent; the rest is allowed for a busy machine.
pub const LONGEST_PAUSE: i64 = 3_000;

/// When what happened, in milliseconds since 1970.
#[derive(Clone, Copy, Default, Debug)]
pub struct Moments {
    /// The load began.
    pub began: i64,
    /// The fault was complete.
    pub fault: Option<i64>,
    /// It was over.
    pub healed: Option<i64>,
    /// The load ended.
    pub ended: i64,
}

impl Moments {
    /// Of a load that begins.
    #[must_use]
    pub fn beginning(began: i64) -> Self {
        Self { began, ..Self::default() }
    }
}

/// What an outage came to.
#[derive(Clone, Debug)]
pub struct Verdict {
    name: &'static str,
    moments: Moments,
    /// Every change of state since the load began.
    pub changes: Vec<Change>,
    /// Calls that were answered with 202.
    answered: u64,
    refused: u64,
    /// Calls in the database, and different ones.
    recorded: (u64, u64),
    /// How often each number had a message.
    told: BTreeMap<u64, u64>,
    in_doubt: BTreeSet<u64>,
    /// Alerts that were given up, as the database has them.
    failed: Vec<String>,
    withdrawn: BTreeSet<u64>,
    /// Teasers that the SMSC got while the database was abnormal: when, after it became so.
    teasers_while_abnormal: Vec<i64>,
    /// The longest pause between two submits while calls came, in milliseconds.
    pub pause: i64,
    /// Calls that were decided without the database.
    pub backlog: u64,
    /// Everything that the gateway printed.
    pub log: String,
}

impl Verdict {
    /// Counts.
    ///
    /// # Errors
    /// When what is found can't be read.
    pub(crate) fn count(
        name: &'static str,
        truth: &str,
        smsc: &Smsc,
        moments: Moments,
        changes: Vec<Change>,
        log: String,
    ) -> Result<Self> {
        let changes: Vec<Change> = changes.into_iter().filter(|change| change.at >= moments.began).collect();
        let windows = windows(&changes);
        let submits = submits(smsc);
        let mut told = BTreeMap::new();
        for submit in &submits {
            *told.entry(submit.to).or_default() += 1;
        }
        let late = |submit: &Submit| {
            let within = |(from, until): &&(i64, i64)| (from + ON_THEIR_WAY..*until).contains(&submit.at);
            windows.iter().find(within).filter(|_| submit.teaser).map(|(from, _)| submit.at - from)
        };
        let while_coming = submits.iter().map(|submit| submit.at).filter(|at| *at <= moments.ended);
        let times: Vec<i64> = std::iter::once(moments.began).chain(while_coming).collect();
        let alone = |(from, until): &(i64, i64)| {
            format!("decided_at between to_timestamp({from} / 1000.0) and to_timestamp({until} / 1000.0)")
        };
        let alone: Vec<String> = windows.iter().map(alone).collect();
        let alone = if alone.is_empty() { "false".to_owned() } else { alone.join(" or ") };
        let recorded = numbers(truth, "select count(*), count(distinct body->>'id') from missed_call")?;
        let people = |query| sql(truth, query).split_whitespace().filter_map(|number| number.parse().ok()).collect();
        Ok(Self {
            name,
            moments,
            answered: 0,
            refused: 0,
            recorded: (one(&recorded, 0)?, one(&recorded, 1)?),
            told,
            in_doubt: people("select called from alert where state = 'in_doubt'"),
            withdrawn: people(WITHDRAWN),
            failed: sql(truth, FAILED).lines().map(str::to_owned).collect(),
            teasers_while_abnormal: submits.iter().filter_map(late).collect(),
            pause: times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0),
            backlog: one(&numbers(truth, &format!("select count(*) from missed_call where {alone}"))?, 0)?,
            changes,
            log,
        })
    }

    pub(crate) fn of_calls(self, answered: u64, refused: u64) -> Self {
        Self { answered, refused, ..self }
    }

    /// Nothing lost, nobody told twice or not at all, no teaser while abnormal, nothing failed; prints the figures.
    ///
    /// # Errors
    /// When one of it is not so.
    pub fn loses_nothing(&self) -> Result<()> {
        self.print();
        let answered = self.answered;
        ensure!(answered > 1_000, "too little load to prove anything: {answered} calls");
        ensure!(
            self.recorded == (answered, answered),
            "{answered} calls answered, recorded and different: {:?}",
            self.recorded
        );
        let twice: Vec<_> = self.told.iter().filter(|(_, times)| **times > 1).take(20).collect();
        ensure!(twice.is_empty(), "told more than once: {twice:?}");
        let subscribers = (0..answered).map(called).filter(|number| *number >= FIRST_SUBSCRIBER);
        let untold: Vec<u64> =
            subscribers.filter(|number| !self.told.contains_key(number) && !self.in_doubt.contains(number)).collect();
        ensure!(untold.is_empty(), "{} subscribers not told: {:?} …", untold.len(), &untold[..untold.len().min(20)]);
        ensure!(
            self.failed.is_empty(),
            "{} alerts failed: {:#?}",
            self.failed.len(),
            &self.failed[..self.failed.len().min(3)]
        );
        let told: Vec<_> = self.withdrawn.iter().filter(|number| self.told.contains_key(number)).collect();
        ensure!(told.is_empty(), "teasers that were withdrawn and came all the same: {told:?}");
        let teasers = &self.teasers_while_abnormal;
        ensure!(teasers.is_empty(), "teasers while abnormal, ms after it began: {teasers:?}; {:?}", self.changes);
        Ok(())
    }

    /// Alerts went on: the longest pause is what detecting may take, and what a busy machine adds.
    ///
    /// # Errors
    /// When they didn't.
    pub fn goes_on_alerting(&self) -> Result<()> {
        ensure!(self.pause <= LONGEST_PAUSE, "alerts paused for {} ms: {:?}", self.pause, self.changes);
        Ok(())
    }

    /// No answer of the SMSC is missing: the gateway lived all the time.
    ///
    /// # Errors
    /// When one is.
    pub fn leaves_nothing_in_doubt(&self) -> Result<()> {
        ensure!(self.in_doubt.is_empty(), "in doubt: {:?}", self.in_doubt);
        Ok(())
    }

    /// The fault was noticed, and its end too.
    ///
    /// # Errors
    /// When it wasn't.
    pub fn was_abnormal(&self) -> Result<()> {
        self.first("abnormal", self.moments.fault).context("the fault was not noticed")?;
        self.first("normal", self.moments.healed).context("its end was not noticed")?;
        Ok(())
    }

    /// The fault was none of the database as a whole.
    ///
    /// # Errors
    /// When it was taken for one.
    pub fn was_never_abnormal(&self) -> Result<()> {
        let abnormal = self.changes.iter().any(|change| change.to == "abnormal");
        ensure!(!abnormal, "{:?}", self.changes);
        Ok(())
    }

    /// How often it was normal and became abnormal.
    #[must_use]
    pub fn episodes(&self) -> usize {
        windows(&self.changes).len()
    }

    /// All that holds for a fault that the gateway lives through.
    ///
    /// # Errors
    /// When something doesn't.
    pub fn is_sound(&self) -> Result<()> {
        self.loses_nothing()?;
        self.leaves_nothing_in_doubt()?;
        self.goes_on_alerting()
    }

    /// Milliseconds from a moment to the first change to a state after it; a change while the fault became complete counts from then.
    fn first(&self, to: &str, since: Option<i64>) -> Option<i64> {
        let since = since?;
        let before = if to == "abnormal" { 1_000 } else { 0 };
        self.changes
            .iter()
            .find(|change| change.to == to && change.at >= since - before)
            .map(|change| change.at - since)
    }

    fn print(&self) {
        let shown = |figure: Option<i64>| figure.map_or_else(|| "-".to_owned(), |figure| figure.to_string());
        println!(
            "FAULT | {} | detected {} ms | closed {} ms | pause {} ms | decided alone {} | calls {} | repeated requests {} | in doubt {} | withdrawn {}",
            self.name,
            shown(self.first("abnormal", self.moments.fault)),
            shown(self.first("normal", self.moments.healed)),
            self.pause,
            self.backlog,
            self.answered,
            self.refused,
            self.in_doubt.len(),
            self.withdrawn.len()
        );
        for change in &self.changes {
            println!("  {:>6} {} -> {} ({})", change.at - self.moments.began, change.from, change.to, change.why);
        }
        let told = |of: fn(u64) -> bool| self.told.keys().filter(|number| of(**number)).count();
        println!(
            "  told: {} subscribers, {} prospects; fault at {}, healed at {}",
            told(|number| number >= FIRST_SUBSCRIBER),
            told(|number| number < FIRST_SUBSCRIBER),
            shown(self.moments.fault.map(|at| at - self.moments.began)),
            shown(self.moments.healed.map(|at| at - self.moments.began))
        );
    }
}

struct Submit {
    at: i64,
    to: u64,
    teaser: bool,
}

fn submits(smsc: &Smsc) -> Vec<Submit> {
    let read = |event: &serde_json::Value| {
        Some(Submit {
            at: event["at"].as_i64()?,
            to: event["to"].as_str()?.parse().ok()?,
            teaser: event["text"].as_str()?.contains(TEASER),
        })
    };
    smsc.submits("accepted").iter().filter_map(read).collect()
}

/// From each time that the database became abnormal to when it was normal again.
fn windows(changes: &[Change]) -> Vec<(i64, i64)> {
    let mut windows = Vec::new();
    let mut open = None;
    for change in changes {
        match change.to.as_str() {
            "abnormal" => open = open.or(Some(change.at)),
            "normal" => windows.extend(open.take().map(|from| (from, change.at))),
            _ => {}
        }
    }
    windows.extend(open.map(|from| (from, i64::MAX / 2_000)));
    windows
}

fn numbers(database: &str, query: &str) -> Result<Vec<u64>> {
    let row = sql(database, query);
    row.trim().split('|').map(|number| number.parse().with_context(|| format!("{query}: {row}"))).collect()
}

fn one(row: &[u64], place: usize) -> Result<u64> {
    row.get(place).copied().context("too few columns")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(at: i64, to: &str) -> Change {
        Change { at, from: String::new(), to: to.to_owned(), why: String::new() }
    }

    /// What is found when all is well: 1,200 calls, 800 of them for subscribers.
    fn sound() -> Verdict {
        let moments = Moments { began: 0, fault: Some(1_000), healed: Some(4_000), ended: 6_000 };
        Verdict {
            name: "nothing",
            moments,
            changes: vec![change(1_020, "abnormal"), change(4_500, "recovering"), change(4_800, "normal")],
            answered: 1_200,
            refused: 0,
            recorded: (1_200, 1_200),
            told: (0..1_200)
                .map(called)
                .filter(|number| *number >= FIRST_SUBSCRIBER)
                .map(|number| (number, 1))
                .collect(),
            in_doubt: BTreeSet::new(),
            failed: Vec::new(),
            withdrawn: BTreeSet::new(),
            teasers_while_abnormal: Vec::new(),
            pause: 100,
            backlog: 0,
            log: String::new(),
        }
    }

    type Spoil<'a> = &'a dyn Fn(&mut Verdict);

    #[test]
    fn each_fault_is_found() {
        assert!(sound().is_sound().is_ok() && sound().was_abnormal().is_ok() && sound().was_never_abnormal().is_err());
        let number = called(1);
        let spoilt: [(&str, Spoil<'_>); 9] = [
            ("lost", &|verdict| verdict.recorded = (1_199, 1_199)),
            ("recorded twice", &|verdict| verdict.recorded = (1_201, 1_200)),
            ("told twice", &|verdict| verdict.told.extend([(number, 2)])),
            ("not told", &|verdict| verdict.told.retain(|told, _| *told != number)),
            ("in doubt", &|verdict| verdict.in_doubt.extend([number])),
            ("failed", &|verdict| verdict.failed.extend(["fallback".to_owned()])),
            ("withdrawn, and came", &|verdict| verdict.withdrawn.extend([number])),
            ("a teaser", &|verdict| verdict.teasers_while_abnormal.extend([300])),
            ("a pause", &|verdict| verdict.pause = 3_001),
        ];
        for (name, spoil) in spoilt {
            let mut verdict = sound();
            spoil(&mut verdict);
            assert!(verdict.is_sound().is_err(), "{name}");
        }
    }

    #[test]
    fn an_outage_lasts_until_normal() {
        let changes =
            [(10, "suspect"), (20, "abnormal"), (30, "recovering"), (40, "abnormal"), (50, "normal"), (60, "abnormal")];
        let windows = windows(&changes.map(|(at, to)| change(at, to)));
        assert_eq!((windows.len(), windows[0], windows[1].0), (2, (20, 50), 60));
    }
}
