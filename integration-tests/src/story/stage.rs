//! The play of one story: a gateway, an SMSC with phones, a database where the story has one; one thing after another.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use throwaway_postgres::Cluster;

use super::phones::Phones;
use super::read::{Call, List, Place, Shows, Step, Story, Told};
use super::text::Times;
use crate::outage::{tell, wait_registered, wait_whole};
use crate::smsc::Sms;
use crate::{Gateway, World, wait};

/// Plays it.
///
/// # Errors
/// With the line at which something is otherwise than the story says.
pub(super) fn play(story: &Story, place: Place) -> Result<()> {
    let mut stage = Stage::set(story, place)?;
    for (line, step) in &story.steps {
        let played = stage.step(step).with_context(|| format!("line {line}"));
        played.with_context(|| stage.told(story))?;
    }
    stage.end(story)
}

/// Everything that is on.
struct Stage {
    phones: Phones,
    world: World,
    cluster: Option<Cluster>,
    /// None before the first thing happens, and while it is dead.
    gateway: Option<Gateway>,
    started: bool,
    times: Times,
    calls: u64,
    /// People who were registered by the operator.
    registered: BTreeSet<String>,
    /// The numbers of everybody in the story.
    people: Vec<String>,
    /// How many messages of each phone the story has told.
    told: BTreeMap<String, usize>,
}

impl Stage {
    fn set(story: &Story, place: Place) -> Result<Self> {
        let phones = Phones::start(place)?;
        let times = Times::begin();
        let mut world = phones.world()?;
        // Calls of the morning are no late ones in a story that is about something else; nor do alerts wait for each other.
        world.set("TEXT__TIME_ZONE", times.zone()).set("TEASER__PATIENCE", "12h").set("ALERT__MIN_INTERVAL", "0s");
        let dies = story.steps.iter().any(|(_, step)| *step == Step::DatabaseDies);
        let cluster = dies.then(|| Cluster::start(&[]));
        if let Some(cluster) = &cluster {
            world.set("DATABASE__URL", &cluster.database());
        }
        Ok(Self {
            phones,
            world,
            cluster,
            gateway: None,
            started: false,
            times,
            calls: 0,
            registered: BTreeSet::new(),
            people: story.people.values().cloned().collect(),
            told: BTreeMap::new(),
        })
    }

    fn step(&mut self, step: &Step) -> Result<()> {
        if let Step::Setting(key, value) = step {
            ensure!(self.gateway.is_none(), "settings come before the gateway starts, or while it is dead");
            self.world.set(key, &self.times.fill(value));
            return Ok(());
        }
        if let Step::Text(file, line) = step {
            return self.write(file, line);
        }
        if !self.started {
            self.start()?;
        }
        match step {
            // Done above.
            Step::Setting(..) | Step::Text(..) => {}
            Step::Subscriber(number, fields) => self.register(number, fields)?,
            Step::Listed(list, number) => self.list(*list, number)?,
            Step::Switch(number, on) => self.phones.switch(number, *on)?,
            Step::Call(call) => self.call(call)?,
            Step::Sms { from, to, text } => self.phones.text(from, to, &self.times.fill(text))?,
            Step::Shows(shows) => return self.shows(shows),
            Step::Says(number, words) => return self.gateway()?.wait_timeline(number, words),
            Step::DatabaseDies => self.database_dies()?,
            Step::DatabaseReturns => self.database_returns()?,
            Step::GatewayKilled => return self.gateway.take().context("it is dead")?.kill(),
            Step::GatewayStarts => self.start()?,
            Step::UpdatesRefused => self.phones.refuse_updates()?,
            Step::Pass(seconds) => sleep(Duration::from_secs(*seconds)),
            Step::Erased(number) => self.erase(number)?,
        }
        self.settle()
    }

    fn gateway(&self) -> Result<&Gateway> {
        self.gateway.as_ref().context("the gateway is dead")
    }

    fn start(&mut self) -> Result<()> {
        ensure!(self.gateway.is_none(), "it is running");
        let gateway = self.world.start_bound()?;
        if self.cluster.is_some() {
            wait_whole(&gateway)?;
        }
        self.gateway = Some(gateway);
        self.started = true;
        Ok(())
    }

    /// Adds a line to one of the operator's texts.
    fn write(&mut self, file: &str, line: &str) -> Result<()> {
        ensure!(self.gateway.is_none(), "texts come before the gateway starts, or while it is dead");
        let folder = self.world.folder().join("texts");
        let path = folder.join(file);
        fs::create_dir_all(path.parent().unwrap_or(&folder))?;
        let written = fs::read_to_string(&path).unwrap_or_default();
        fs::write(&path, format!("{written}{line}\n"))?;
        self.world.set("TEXT__DIR", &folder.display().to_string());
        Ok(())
    }

    fn register(&mut self, number: &str, fields: &[(&'static str, String)]) -> Result<()> {
        let mut body = json!({ "status": "active" });
        for (name, value) in fields {
            body[*name] = json!(self.times.fill(value));
        }
        self.gateway()?.admin("PUT", &format!("/v1/subscribers/{number}"), &body)?;
        self.registered.insert(number.to_owned());
        wait_registered(self.gateway()?, self.registered.len() as u64)
    }

    /// Puts a number on a list as operators do: by a file.
    fn list(&self, list: List, number: &str) -> Result<()> {
        let word = match list {
            List::DoNotContact => "do-not-contact",
            List::Consent => "consent",
            List::Customers => "customers",
        };
        let file = self.world.folder().join(format!("{word}.csv"));
        fs::write(&file, format!("number\n{number}\n"))?;
        self.afterring(&["lists", "import", word, &file.display().to_string()])
    }

    fn erase(&self, number: &str) -> Result<()> {
        self.afterring(&["person", "erase", number, "--reason", "a story"])
    }

    fn afterring(&self, arguments: &[&str]) -> Result<()> {
        let output = self.world.output(arguments)?;
        ensure!(output.status.success(), "afterring {arguments:?}: {output:?}");
        Ok(())
    }

    fn call(&mut self, call: &Call) -> Result<()> {
        self.calls += 1;
        let at = self.times.today_at(call.at.0, call.at.1).to_string();
        let mut told =
            json!({ "id": format!("call-{}", self.calls), "called": call.called, "at": at, "reason": call.reason });
        if call.withheld {
            told["withheld"] = json!(true);
        } else {
            told["caller"] = json!(call.caller);
        }
        self.gateway()?.take(&told)
    }

    fn database_dies(&mut self) -> Result<()> {
        self.cluster.as_mut().context("no database")?.kill();
        self.wait_database("abnormal")
    }

    fn database_returns(&mut self) -> Result<()> {
        self.cluster.as_mut().context("no database")?.restart();
        wait_whole(self.gateway()?)
    }

    fn wait_database(&self, state: &str) -> Result<()> {
        let gateway = self.gateway()?;
        wait::until_true(&format!("the database is {state}"), || Ok(gateway.status()?["database"]["state"] == state))
    }

    /// Waits until everything that has happened is decided and sent, and what phones answered to it as well.
    fn settle(&self) -> Result<()> {
        let Some(gateway) = &self.gateway else { return Ok(()) };
        let settled = || -> Result<bool> {
            let pending = gateway.status()?["journal"]["pending"] != json!(0);
            let leaving =
                gateway.metric("afterring_alerts", &["queued"])? + gateway.metric("afterring_alerts", &["sending"])?;
            Ok(!pending && leaving == 0.0 && self.phones.all_acknowledged()? && self.all_up_to_date(gateway)?)
        };
        // Twice: what one look found done may have led to more before the next was looked at.
        wait::until_true("all is decided and sent", || Ok(settled()? && settled()?))
    }

    /// Whether every call that brought an alert up to date at the SMSC has seen what came of it.
    fn all_up_to_date(&self, gateway: &Gateway) -> Result<bool> {
        for number in &self.people {
            let entries = gateway.entries(number)?;
            let last = |is: &dyn Fn(&Value) -> bool| {
                entries.iter().filter(|entry| is(entry)).filter_map(|e| e["seq"].as_u64()).max()
            };
            let called = last(&|entry| entry["event"] == "call" && entry["decision"]["why"] == "updating");
            if called > last(&|entry| entry["event"] == "updated") {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn shows(&mut self, shows: &Shows) -> Result<()> {
        let before = self.told.get(&shows.number).copied().unwrap_or(0);
        let enough = before + shows.messages.len();
        let come = wait::until_true("the messages come", || Ok(self.phones.shown(&shows.number)?.len() >= enough));
        self.settle()?;
        let all = self.phones.shown(&shows.number)?;
        let new = all.get(before..).unwrap_or_default();
        let as_told = |(sms, told): (&Sms, &Told)| {
            self.times.says(&told.text, &sms.text)
                && sms.from.trim_start_matches('+') == told.from
                && told.parts.is_none_or(|parts| parts == sms.parts)
        };
        let whole = come.is_ok() && new.len() == shows.messages.len() && new.iter().zip(&shows.messages).all(as_told);
        let wanted: Vec<String> = shows.messages.iter().map(|told| self.times.fill(&told.text)).collect();
        ensure!(whole, "the phone shows {new:#?} where the story says {wanted:#?}");
        self.told.insert(shows.number.clone(), all.len());
        Ok(())
    }

    /// At the end every phone shows what the story told, and nothing more.
    fn end(mut self, story: &Story) -> Result<()> {
        self.settle()?;
        let Some(gateway) = self.gateway.take() else { bail!("a story ends with a gateway that lives") };
        gateway.stop()?;
        let numbers: BTreeSet<String> =
            self.phones.numbers()?.into_iter().chain(story.people.values().cloned()).collect();
        for number in numbers {
            let told = self.told.get(&number).copied().unwrap_or(0);
            let all = self.phones.shown(&number)?;
            ensure!(all.len() == told, "the story doesn't tell what {number} shows at last: {:#?}", all.get(told..));
        }
        Ok(())
    }

    /// What there is to say when something is otherwise than it should be.
    fn told(&self, story: &Story) -> String {
        let Some(gateway) = &self.gateway else { return "the gateway is dead".to_owned() };
        let timeline = |number: &String| gateway.timeline(number).unwrap_or_default();
        let people: Vec<Value> =
            story.people.iter().map(|(name, number)| json!({ "name": name, "timeline": timeline(number) })).collect();
        format!("{people:#?}\n{}", tell(gateway, &self.world))
    }
}
