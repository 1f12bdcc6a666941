//! Foreign SMSCs: programs on libraries that no one here wrote, driven by JSON lines (`peers/`).

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::make::Make;
use crate::{ports, wait};

/// A short message as an SMSC took it, its parts joined.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sms {
    /// Originator.
    pub from: String,
    /// Handset.
    pub to: String,
    /// Text, as the SMSC's own codec reads it.
    pub text: String,
    /// In how many parts it came.
    pub parts: usize,
    /// `data_coding`.
    pub data_coding: u64,
}

/// A running SMSC. Killed when dropped.
#[derive(Debug)]
pub struct Smsc {
    make: Make,
    /// What it keeps from one life to the next.
    folder: TempDir,
    port: u16,
    password: Option<String>,
    life: Option<Life>,
    events: Arc<Mutex<Vec<Value>>>,
}

#[derive(Debug)]
struct Life {
    child: Child,
    orders: ChildStdin,
}

impl Smsc {
    /// Starts one that lets everybody in.
    ///
    /// # Errors
    /// When it doesn't start.
    pub fn start(make: Make) -> Result<Self> {
        Self::with_password(make, None)
    }

    /// Starts one that asks for a password.
    ///
    /// # Errors
    /// When it doesn't start.
    pub fn with_password(make: Make, password: Option<&str>) -> Result<Self> {
        let events = Arc::new(Mutex::new(Vec::new()));
        let folder = TempDir::with_prefix("afterring-smsc-")?;
        let password = password.map(str::to_owned);
        let mut smsc = Self { make, folder, port: ports::free()?, password, life: None, events };
        smsc.revive()?;
        Ok(smsc)
    }

    /// On whose library it runs.
    #[must_use]
    pub const fn make(&self) -> Make {
        self.make
    }

    /// The same SMSC as the gateway is told of it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("smpp://afterring:secret@127.0.0.1:{}", self.port)
    }

    /// Ends it at once, as a crash would.
    ///
    /// # Errors
    /// When it can't be ended.
    pub fn kill(&mut self) -> Result<()> {
        if let Some(mut life) = self.life.take() {
            life.child.kill()?;
            life.child.wait()?;
        }
        Ok(())
    }

    /// Starts it again as [`Smsc::revive`], asking for another password.
    ///
    /// # Errors
    /// When it doesn't start.
    pub fn revive_with_password(&mut self, password: Option<&str>) -> Result<()> {
        self.password = password.map(str::to_owned);
        self.revive()
    }

    /// Starts it again on the same port; what it saw before is still known.
    ///
    /// # Errors
    /// When it doesn't start.
    pub fn revive(&mut self) -> Result<()> {
        self.kill()?;
        let before = self.count("listening");
        let mut command = self.make.command();
        command.arg(self.port.to_string()).args(&self.password).current_dir(&self.folder);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("{:?}: run integration-tests/run once", self.make))?;
        let (Some(orders), Some(output)) = (child.stdin.take(), child.stdout.take()) else { bail!("no pipes") };
        let events = Arc::clone(&self.events);
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let event = serde_json::from_str(&line).unwrap_or_else(|_| json!({ "event": "noise", "line": line }));
                events.lock().unwrap_or_else(PoisonError::into_inner).push(event);
            }
        });
        self.life = Some(Life { child, orders });
        wait::until_true("the SMSC listens", || Ok(self.count("listening") > before))
    }

    /// Gives an order (README.md) and waits until it is carried out.
    ///
    /// # Errors
    /// When the SMSC is gone.
    pub fn order(&mut self, order: &Value) -> Result<()> {
        let before = self.count("done");
        let Some(life) = &mut self.life else { bail!("the SMSC is not running") };
        writeln!(life.orders, "{order}")?;
        life.orders.flush()?;
        wait::until_true("the SMSC does as told", || Ok(self.count("done") > before))
    }

    /// Gives a number a phone that is on: an SMSC that delivers knows only those that it has; at the others every number has one.
    ///
    /// # Errors
    /// When the SMSC is gone.
    pub fn handset(&mut self, number: &str) -> Result<()> {
        self.order(&json!({ "handset": number }))
    }

    /// Switches a phone on or off, at an SMSC that keeps messages for phones that are off.
    ///
    /// # Errors
    /// When the SMSC is gone.
    pub fn switch(&mut self, number: &str, on: bool) -> Result<()> {
        self.order(&json!({ if on { "on" } else { "off" }: number }))
    }

    /// Lets a person text us.
    ///
    /// # Errors
    /// When the SMSC is gone.
    pub fn reply(&mut self, from: &str, to: &str, text: &str) -> Result<()> {
        self.order(&json!({ "reply": { "from": from, "to": to, "text": text } }))
    }

    /// Everything that happened, in order.
    #[must_use]
    pub fn events(&self) -> Vec<Value> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many events of this name happened.
    #[must_use]
    pub fn count(&self, event: &str) -> usize {
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        events.iter().filter(|happened| happened["event"] == event).count()
    }

    /// Every submit that was met with this answer: `accepted`, `throttled`, `refused`, `silent`.
    #[must_use]
    pub fn submits(&self, answer: &str) -> Vec<Value> {
        self.events().into_iter().filter(|e| e["event"] == "submit" && e["answer"] == answer).collect()
    }

    /// The messages that the SMSC has, whole ones only, in order of their last part.
    #[must_use]
    pub fn messages(&self) -> Vec<Sms> {
        whole(self.submits("accepted"))
    }

    /// What phones show, whole messages only, in order of their last part: what waits for a phone that is off isn't among it.
    #[must_use]
    pub fn shown(&self) -> Vec<Sms> {
        whole(self.events().into_iter().filter(|happened| happened["event"] == "shown"))
    }

    /// The messages to one handset.
    #[must_use]
    pub fn messages_to(&self, handset: &str) -> Vec<Sms> {
        self.messages().into_iter().filter(|sms| sms.to == handset).collect()
    }

    /// Waits until a handset has `count` messages, and gives the last of them.
    ///
    /// # Errors
    /// When they don't come, or more come.
    pub fn message_to(&self, handset: &str, count: usize) -> Result<Sms> {
        let seen = |messages: &Vec<Sms>| messages.len() >= count;
        let messages =
            wait::until(&format!("message {count} at the SMSC"), || Ok(Some(self.messages_to(handset)).filter(seen)))
                .with_context(|| format!("the SMSC saw {:#?}", self.events()))?;
        match messages.as_slice() {
            [.., last] if messages.len() == count => Ok(last.clone()),
            _ => bail!("{} messages instead of {count}: {messages:#?}", messages.len()),
        }
    }
}

/// Joins parts.
fn whole(parts: impl IntoIterator<Item = Value>) -> Vec<Sms> {
    let mut open: BTreeMap<(String, u64), BTreeMap<u64, String>> = BTreeMap::new();
    let mut whole = Vec::new();
    for part in parts {
        let word = |key: &str| part[key].as_str().unwrap_or_default().to_owned();
        let sms = Sms {
            from: word("from"),
            to: word("to"),
            text: word("text"),
            parts: 1,
            data_coding: part["data_coding"].as_u64().unwrap_or(u64::MAX),
        };
        let header = &part["concatenated"];
        let Some(parts) = header["parts"].as_u64() else {
            whole.push(sms);
            continue;
        };
        let key = (sms.to.clone(), header["reference"].as_u64().unwrap_or(0));
        let texts = open.entry(key.clone()).or_default();
        texts.insert(header["part"].as_u64().unwrap_or(0), sms.text.clone());
        if texts.len() as u64 == parts && texts.keys().copied().eq(1..=parts) {
            let text = texts.values().map(String::as_str).collect();
            whole.push(Sms { text, parts: texts.len(), ..sms });
            open.remove(&key);
        }
    }
    whole
}

impl Drop for Smsc {
    fn drop(&mut self) {
        // A test is over either way; there's nobody to tell.
        drop(self.kill());
    }
}
