//! The simulated SMSC, which can be odd in every way (`simulator smsc --help`, `PUT /faults`): started, told what to do, looked at, ended.
//!
//! It has a codec of its own, so a test against it is no talk of the gateway with itself; what it plays is written here as JSON and octets.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};

use crate::http::Client;
use crate::smsc::Sms;
use crate::{Gateway, paths, ports, wait, world::SERVICE_CODE};

/// A running simulated SMSC. Killed when dropped.
#[derive(Debug)]
pub struct Simulator {
    child: Child,
    smpp: u16,
    control: u16,
    client: Client,
}

impl Simulator {
    /// Starts one that lets everybody in.
    ///
    /// # Errors
    /// When it doesn't start.
    pub fn start() -> Result<Self> {
        Self::start_with(&[])
    }

    /// Starts one with further arguments.
    ///
    /// # Errors
    /// When it doesn't start.
    pub fn start_with(arguments: &[&str]) -> Result<Self> {
        let (smpp, control) = (ports::free()?, ports::free()?);
        let mut command = Command::new(paths::simulator()?);
        command
            .args(["smsc", "--listen", &format!("127.0.0.1:{smpp}"), "--control", &format!("127.0.0.1:{control}")])
            .args(["--keep-submitted", "1000", "--keep-answers", "1000", "--resend-pause", "50ms"])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let mut child = command.spawn().context("starting the simulator")?;
        let mut line = String::new();
        if let Some(output) = child.stdout.take() {
            BufReader::new(output).read_line(&mut line)?;
        }
        let simulator = Self { child, smpp, control, client: Client::default() };
        ensure!(line.starts_with("listening"), "the simulator said {line:?}");
        Ok(simulator)
    }

    /// The same SMSC as the gateway is told of it; `parameters` begin with `?` where there are any.
    #[must_use]
    pub fn url(&self, parameters: &str) -> String {
        format!("smpp://afterring:secret@127.0.0.1:{}{parameters}", self.smpp)
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Result<Value> {
        let url = format!("http://127.0.0.1:{}{path}", self.control);
        let answer = if body.is_null() { self.client.get(&url)? } else { self.client.send(method, &url, body)? };
        ensure!((200..300).contains(&answer.status), "{method} {path} {body}: {answer:?}");
        Ok(answer.json())
    }

    /// Sets how it is odd, in place of what was set before; `{}` heals.
    ///
    /// # Errors
    /// When it doesn't know such a fault.
    pub fn faults(&self, faults: &Value) -> Result<()> {
        self.ask("PUT", "/faults", faults).map(drop)
    }

    /// One of its counts.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn count(&self, name: &str) -> Result<u64> {
        let counts = self.ask("GET", "/counts", &Value::Null)?;
        counts[name].as_u64().with_context(|| format!("no count {name} in {counts}"))
    }

    /// Waits until one of its counts is at least this.
    ///
    /// # Errors
    /// When it never is.
    pub fn wait_count(&self, name: &str, at_least: u64) -> Result<()> {
        wait::until_true(&format!("{name} reaches {at_least}"), || Ok(self.count(name)? >= at_least))
    }

    /// The submits that it took, oldest first.
    ///
    /// # Errors
    /// When it is gone.
    pub fn submits(&self) -> Result<Vec<Value>> {
        self.list("/submitted")
    }

    /// The submits that it took for one handset, oldest first.
    ///
    /// # Errors
    /// When it is gone.
    pub fn submits_to(&self, handset: &str) -> Result<Vec<Value>> {
        Ok(self.submits()?.into_iter().filter(|submit| is(&submit["destination"], handset)).collect())
    }

    /// A person who is called is told by it, once, and its receipt is found.
    ///
    /// # Errors
    /// When it is not so.
    pub fn tells(&self, gateway: &Gateway, handset: &str) -> Result<()> {
        gateway.subscribe(handset)?;
        gateway.take(&json!({ "id": handset, "caller": "8613911112222", "called": handset }))?;
        gateway.wait_alerts(handset, &["delivered"])?;
        let told = self.submits_to(handset)?.len();
        ensure!(told == 1, "told {told} times");
        Ok(())
    }

    /// What the gateway answered, oldest first.
    ///
    /// # Errors
    /// When it is gone.
    pub fn answers(&self) -> Result<Vec<Value>> {
        self.list("/answers")
    }

    /// The bound sessions.
    ///
    /// # Errors
    /// When it is gone.
    pub fn sessions(&self) -> Result<Vec<Value>> {
        self.list("/sessions")
    }

    fn list(&self, path: &str) -> Result<Vec<Value>> {
        match self.ask("GET", path, &Value::Null)? {
            Value::Array(list) => Ok(list),
            other => bail!("{path} told {other}"),
        }
    }

    /// The texts that a handset received, oldest first.
    ///
    /// # Errors
    /// When it is gone.
    pub fn inbox(&self, handset: &str) -> Result<Vec<String>> {
        Ok(self.received(handset)?.into_iter().map(|sms| sms.text).collect())
    }

    /// What a handset received, oldest first.
    ///
    /// # Errors
    /// When it is gone.
    pub fn received(&self, handset: &str) -> Result<Vec<Sms>> {
        let phones = self.list("/phones")?;
        let phone = phones.iter().find(|phone| is(&phone["number"], handset));
        let messages = phone.and_then(|phone| phone["inbox"].as_array()).map_or(&[][..], Vec::as_slice);
        let read = |sms: &Value| Sms {
            from: sms["from"].as_str().unwrap_or_default().to_owned(),
            to: handset.to_owned(),
            text: sms["text"].as_str().unwrap_or_default().to_owned(),
            parts: sms["parts"].as_u64().and_then(|parts| parts.try_into().ok()).unwrap_or(0),
            data_coding: sms["data_coding"].as_u64().unwrap_or(u64::MAX),
        };
        Ok(messages.iter().filter(|sms| sms["direction"] == "in").map(read).collect())
    }

    /// The handsets that it has: those that were switched, texted, or were sent something.
    ///
    /// # Errors
    /// When it is gone.
    pub fn numbers(&self) -> Result<Vec<String>> {
        let phones = self.list("/phones")?;
        Ok(phones.iter().filter_map(|phone| phone["number"].as_u64()).map(|number| number.to_string()).collect())
    }

    /// Switches a handset on or off.
    ///
    /// # Errors
    /// When it is gone.
    pub fn switch(&self, handset: &str, on: bool) -> Result<()> {
        self.ask("POST", &format!("/phones/{handset}/switch"), &json!({ "on": on })).map(drop)
    }

    /// Lets a person text our service code as phones do.
    ///
    /// # Errors
    /// When it is gone.
    pub fn reply(&self, from: &str, text: &str) -> Result<()> {
        self.text(from, SERVICE_CODE, text)
    }

    /// Lets a person text a number as phones do.
    ///
    /// # Errors
    /// When it is gone.
    pub fn text(&self, from: &str, to: &str, text: &str) -> Result<()> {
        self.ask("POST", &format!("/phones/{from}/reply"), &json!({ "to": to, "text": text })).map(drop)
    }

    /// Sends a message to the gateway that differs from a plain one of this handset in these fields; it is sent again until it is acknowledged.
    ///
    /// # Errors
    /// When it doesn't know such a field.
    pub fn deliver(&self, from: &str, fields: &Value) -> Result<()> {
        let mut delivery = json!({
            "source": { "ton": 1, "npi": 1, "digits": from },
            "destination": { "ton": 3, "npi": 0, "digits": SERVICE_CODE },
        });
        for (name, value) in fields.as_object().into_iter().flatten() {
            delivery[name] = value.clone();
        }
        self.ask("POST", "/deliver", &delivery).map(drop)
    }

    /// Writes octets into the session that was bound last, and closes it then if told so.
    ///
    /// # Errors
    /// When no session is bound.
    pub fn raw(&self, octets: &[u8], close: bool) -> Result<()> {
        self.ask("POST", "/raw", &json!({ "hex": hex(octets), "close": close })).map(drop)
    }

    /// Connects to an ESME and asks it to bind.
    ///
    /// # Errors
    /// When it is gone.
    pub fn outbind(&self, address: &str, system_id: &str, password: &str) -> Result<()> {
        let outbind = json!({ "address": address, "system_id": system_id, "password": password });
        self.ask("POST", "/outbind", &outbind).map(drop)
    }

    /// Waits for the gateway's answer to what was written by hand with this sequence number; gives `command_id` and `command_status`.
    ///
    /// # Errors
    /// When there is none.
    pub fn answer_to(&self, sequence: u32) -> Result<(u64, u64)> {
        let answer = wait::until(&format!("an answer to {sequence}"), || {
            Ok(self.answers()?.into_iter().find(|answer| answer["sequence"] == sequence))
        })?;
        Ok((answer["command"].as_u64().unwrap_or(u64::MAX), answer["status"].as_u64().unwrap_or(u64::MAX)))
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        // A test is over either way; there's nobody to tell.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Whether a number, which JSON has as one, is this.
fn is(written: &Value, number: &str) -> bool {
    written.as_u64().is_some_and(|written| number.parse() == Ok(written))
}

/// Octets as hexadecimal digits.
#[must_use]
pub fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// One PDU with its true length (SMPP 3.4 §3.2).
#[must_use]
pub fn pdu(command: u32, status: u32, sequence: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(16 + body.len()).unwrap_or(u32::MAX);
    let mut octets: Vec<u8> = [length, command, status, sequence].into_iter().flat_map(u32::to_be_bytes).collect();
    octets.extend(body);
    octets
}
