//! A running gateway: its doors, its answers, its end.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::{Child, ExitStatus};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::http::{Answer, Ask, Client};
use crate::wait;
use crate::world::Doors;

/// A running gateway. Killed when dropped.
#[derive(Debug)]
pub struct Gateway {
    child: Child,
    doors: Doors,
    client: Client,
}

impl Gateway {
    pub(crate) fn new(child: Child, doors: Doors) -> Self {
        Self { child, doors, client: Client::default() }
    }

    /// Its process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The URL of a path behind its calls door.
    #[must_use]
    pub fn calls_url(&self) -> String {
        format!("http://127.0.0.1:{}/v1/calls", self.doors.http)
    }

    /// The address of its admin listener.
    #[must_use]
    pub fn admin_address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.doors.admin))
    }

    /// The URL of a path on its admin listener.
    #[must_use]
    pub fn admin_url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.doors.admin)
    }

    /// Hands in calls: one object, or an array of them.
    ///
    /// # Errors
    /// When nothing was answered.
    pub fn post(&self, calls: &Value) -> Result<Answer> {
        self.client.send("POST", &self.calls_url(), calls)
    }

    /// Hands in calls as they are written here.
    ///
    /// # Errors
    /// When nothing was answered.
    pub fn post_raw(&self, content_type: &str, token: Option<&str>, body: &[u8]) -> Result<Answer> {
        self.client.ask(Ask { method: "POST", url: &self.calls_url(), content_type, token, body })
    }

    /// Hands in calls that must all be taken.
    ///
    /// # Errors
    /// When one isn't.
    pub fn take(&self, calls: &Value) -> Result<()> {
        let answer = self.post(calls)?;
        let count = calls.as_array().map_or(1, Vec::len);
        let whole = answer.status == 202 && answer.json()["accepted"] == json!(count);
        ensure!(whole, "{count} calls were answered {answer:?}");
        Ok(())
    }

    /// Asks the operators' API, which must answer with success.
    ///
    /// # Errors
    /// When it doesn't.
    pub fn admin(&self, method: &str, path: &str, body: &Value) -> Result<Value> {
        let answer = match body {
            Value::Null => {
                self.client.ask(Ask { method, url: &self.admin_url(path), content_type: "", token: None, body: &[] })?
            }
            body => self.client.send(method, &self.admin_url(path), body)?,
        };
        ensure!((200..300).contains(&answer.status), "{method} {path}: {answer:?}");
        Ok(answer.json())
    }

    /// Asks the operators' API for whatever it answers.
    ///
    /// # Errors
    /// When it answers nothing.
    pub fn look(&self, path: &str) -> Result<Answer> {
        self.client.get(&self.admin_url(path))
    }

    /// `GET /v1/status`.
    ///
    /// # Errors
    /// When it fails.
    pub fn status(&self) -> Result<Value> {
        self.admin("GET", "/v1/status", &Value::Null)
    }

    /// Registers a subscriber.
    ///
    /// # Errors
    /// When it fails.
    pub fn subscribe(&self, number: &str) -> Result<()> {
        self.admin("PUT", &format!("/v1/subscribers/{number}"), &json!({ "status": "active" })).map(drop)
    }

    /// Whether a number is registered.
    ///
    /// # Errors
    /// When nothing was answered.
    pub fn is_subscribed(&self, number: &str) -> Result<bool> {
        let answer = self.look(&format!("/v1/subscribers/{number}"))?;
        Ok(answer.status == 200 && answer.json()["status"] == "active")
    }

    /// A person's timeline, as the API writes it.
    ///
    /// # Errors
    /// When it fails.
    pub fn timeline(&self, number: &str) -> Result<String> {
        self.admin("GET", &format!("/v1/subscribers/{number}/timeline"), &Value::Null).map(|json| json.to_string())
    }

    /// What the timeline says of a person's calls, the oldest first; the same call told twice is two, the second decided `duplicate`.
    ///
    /// # Errors
    /// When it fails.
    pub fn calls(&self, number: &str) -> Result<Vec<Value>> {
        Ok(self.entries(number)?.into_iter().filter(|entry| entry["event"] == "call").collect())
    }

    /// The entries of a timeline; none where nothing is known of a number before its first call is decided, or (503) while the database, which may know more, is
    /// away.
    pub(crate) fn entries(&self, number: &str) -> Result<Vec<Value>> {
        let answer = self.look(&format!("/v1/subscribers/{number}/timeline"))?;
        ensure!(matches!(answer.status, 200 | 404 | 503), "{answer:?}");
        Ok(answer.json()["entries"].as_array().cloned().unwrap_or_default())
    }

    /// A person's alerts as they are now, by their ids: `id`, `kind`, `state`, `attempts`, `text`.
    ///
    /// # Errors
    /// When it fails.
    pub fn alerts(&self, number: &str) -> Result<Vec<Value>> {
        let entries = self.entries(number)?;
        let alerts = entries.iter().filter_map(|entry| entry["alerts"].as_array()).flatten();
        let by_id: BTreeMap<u64, Value> =
            alerts.filter_map(|alert| Some((alert["id"].as_u64()?, alert.clone()))).collect();
        Ok(by_id.into_values().collect())
    }

    /// Waits until the states of a person's alerts are these, the oldest first.
    ///
    /// # Errors
    /// When they never are.
    pub fn wait_alerts(&self, number: &str, states: &[&str]) -> Result<()> {
        wait::until_true(&format!("the alerts are {states:?}"), || {
            Ok(self
                .alerts(number)?
                .iter()
                .map(|alert| alert["state"].as_str().unwrap_or_default())
                .eq(states.iter().copied()))
        })
        .with_context(|| format!("alerts: {:?}", self.alerts(number).unwrap_or_default()))
    }

    /// Waits until a person's timeline says this.
    ///
    /// # Errors
    /// When it never does.
    pub fn wait_timeline(&self, number: &str, says: &str) -> Result<()> {
        wait::until_true(&format!("the timeline says {says}"), || Ok(self.timeline(number)?.contains(says)))
            .with_context(|| format!("timeline: {}", self.timeline(number).unwrap_or_default()))
    }

    /// Forces the database state to abnormal, and waits until it is.
    ///
    /// # Errors
    /// When it doesn't become so.
    pub fn force_abnormal(&self) -> Result<()> {
        let order = json!({ "state": "abnormal", "for": "10m", "reason": "a test" });
        self.admin("POST", "/v1/database/force", &order)?;
        self.wait_database("abnormal")
    }

    /// Lifts the forced state, and waits until the database is normal again.
    ///
    /// # Errors
    /// When it doesn't become so.
    pub fn lift_force(&self) -> Result<()> {
        self.admin("DELETE", "/v1/database/force", &Value::Null)?;
        self.wait_database("normal")
    }

    fn wait_database(&self, state: &str) -> Result<()> {
        wait::until_true(&format!("the database is {state}"), || Ok(self.status()?["database"]["state"] == state))
    }

    /// The sum of a metric's samples whose labels hold all these.
    ///
    /// # Errors
    /// When there are no metrics.
    pub fn metric(&self, name: &str, labels: &[&str]) -> Result<f64> {
        let page = self.look("/metrics")?;
        ensure!(page.status == 200, "{page:?}");
        let sample = |line: &str| {
            let (series, value) = line.rsplit_once(' ')?;
            let (found, rest) = series.split_once('{').unwrap_or((series, ""));
            (found == name && labels.iter().all(|label| rest.contains(label))).then(|| value.parse::<f64>().ok())?
        };
        Ok(page.text.lines().filter(|line| !line.starts_with('#')).filter_map(sample).sum())
    }

    /// Waits until it answers.
    ///
    /// # Errors
    /// When it never does.
    pub fn wait_alive(&self) -> Result<()> {
        wait::until_true("the gateway is alive", || Ok(self.look("/livez").is_ok_and(|answer| answer.status == 200)))
    }

    /// Waits until every link is bound.
    ///
    /// # Errors
    /// When one never is.
    pub fn wait_bound(&self) -> Result<()> {
        wait::until_true("the links are bound", || {
            let status = self.status()?;
            let links = status["links"].as_array().map_or(&[][..], Vec::as_slice);
            Ok(!links.is_empty() && links.iter().all(|link| link["state"] == "bound"))
        })
    }

    /// Waits until nothing that was accepted is undecided.
    ///
    /// # Errors
    /// When something stays.
    pub fn wait_decided(&self) -> Result<()> {
        wait::until_true("all is decided", || Ok(self.status()?["journal"]["pending"] == json!(0)))
    }

    /// Asks it to stop (SIGTERM).
    ///
    /// # Errors
    /// When it is gone already.
    pub fn ask_to_stop(&self) -> Result<()> {
        Ok(kill_process(Pid::from_child(&self.child), Signal::TERM)?)
    }

    /// Has it read its settings anew (SIGHUP).
    ///
    /// # Errors
    /// When it is gone already.
    pub fn hang_up(&self) -> Result<()> {
        Ok(kill_process(Pid::from_child(&self.child), Signal::HUP)?)
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When it goes on.
    pub fn wait_exit(&mut self) -> Result<ExitStatus> {
        wait::within(Duration::from_secs(40), "the gateway ends", || Ok(self.child.try_wait()?))
    }

    /// Stops it as an operator does: SIGTERM, after which it must end with 0.
    ///
    /// # Errors
    /// When it ends otherwise.
    pub fn stop(mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("the gateway ended by itself: {status}");
        }
        self.ask_to_stop()?;
        let status = self.wait_exit()?;
        ensure!(status.code() == Some(0), "after SIGTERM: {status}");
        Ok(())
    }

    /// Ends it as a power cut would end the program: SIGKILL.
    ///
    /// # Errors
    /// When it is gone already.
    pub fn kill(mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("the gateway ended by itself: {status}");
        }
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // Ended already, mostly; there's nobody to tell.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
