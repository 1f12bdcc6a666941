//! One gateway's surroundings: its folder, its ports, its settings. Starts it as an operator would: by the environment.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use crate::{Gateway, Make, Simulator, Smsc, paths, ports};

/// Where a gateway can be reached.
#[derive(Clone, Copy, Debug)]
pub struct Doors {
    /// `POST /v1/calls`.
    pub http: u16,
    /// Operators' API, health, metrics.
    pub admin: u16,
    /// SIP over UDP.
    pub sip: u16,
}

/// One gateway's surroundings; the folder goes when this is dropped.
#[derive(Debug)]
pub struct World {
    folder: TempDir,
    doors: Doors,
    settings: BTreeMap<String, String>,
}

/// Our short code in every test.
pub const SERVICE_CODE: &str = "12599";

impl World {
    /// Surroundings with a store, three doors on 127.0.0.1, the service code, English texts and Shanghai time; no SMSC and no range.
    ///
    /// # Errors
    /// When there is no folder or no port.
    pub fn new() -> Result<Self> {
        let folder = TempDir::with_prefix("afterring-test-")?;
        let doors = Doors { http: ports::free()?, admin: ports::free()?, sip: ports::free()? };
        let store = folder.path().join("store");
        fs::create_dir(&store)?;
        let mut world = Self { folder, doors, settings: BTreeMap::new() };
        world
            .set("STORE__DIR", &store.display().to_string())
            .set("HTTP__LISTEN", &format!("127.0.0.1:{}", doors.http))
            .set("ADMIN__LISTEN", &format!("127.0.0.1:{}", doors.admin))
            .set("SIP__LISTEN", &format!("udp://127.0.0.1:{}", doors.sip))
            .set("SERVICE__CODE", SERVICE_CODE)
            .set("TEXT__LANGUAGE", "en")
            .set("TEXT__TIME_ZONE", "Asia/Shanghai")
            .set("LOG__FORMAT", "json");
        Ok(world)
    }

    /// Surroundings in which this SMSC is connected.
    ///
    /// # Errors
    /// As [`World::new`].
    pub fn with(smsc: &Smsc) -> Result<Self> {
        let mut world = Self::new()?;
        // OsmoMSC gives all messages one id.
        let parameters = if smsc.make() == Make::Osmo { "?receipt_id=reference" } else { "" };
        world.set("SMSC__URLS", &format!("{}{parameters}", smsc.url()));
        Ok(world)
    }

    /// Surroundings in which this simulated SMSC is connected, with these parameters of its URL (they begin with `?`), and alerts don't wait for each other.
    ///
    /// # Errors
    /// As [`World::new`].
    pub fn with_simulator(simulator: &Simulator, parameters: &str) -> Result<Self> {
        let mut world = Self::new()?;
        world.set("SMSC__URLS", &simulator.url(parameters)).set("ALERT__MIN_INTERVAL", "0s");
        Ok(world)
    }

    /// Sets `AFTERRING_<key>`.
    pub fn set(&mut self, key: &str, value: &str) -> &mut Self {
        self.settings.insert(format!("AFTERRING_{key}"), value.to_owned());
        self
    }

    /// Sets a variable of the environment that is no setting.
    pub fn set_environment(&mut self, name: &str, value: &str) -> &mut Self {
        self.settings.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Takes a setting away.
    pub fn unset(&mut self, key: &str) -> &mut Self {
        self.settings.remove(&format!("AFTERRING_{key}"));
        self
    }

    /// Where the gateway listens.
    #[must_use]
    pub const fn doors(&self) -> Doors {
        self.doors
    }

    /// The folder of this world.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where everything that any life of the gateway printed is kept.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// Everything that any life of the gateway printed.
    ///
    /// # Errors
    /// When nothing was ever started.
    pub fn printed(&self) -> Result<String> {
        Ok(String::from_utf8_lossy(&fs::read(self.log())?).into_owned())
    }

    /// `afterring` with these arguments, with this world's settings and nothing else of ours in its environment.
    ///
    /// # Errors
    /// When there is no binary.
    pub fn command(&self, arguments: &[&str]) -> Result<Command> {
        let mut command = Command::new(paths::afterring()?);
        command.args(arguments).env_clear().envs(&self.settings).current_dir(self.folder()).stdin(Stdio::null());
        Ok(command)
    }

    /// Runs `afterring` to its end.
    ///
    /// # Errors
    /// When it can't be run.
    pub fn output(&self, arguments: &[&str]) -> Result<Output> {
        self.command(arguments)?.output().context("running afterring")
    }

    /// Starts the gateway and waits until it answers.
    ///
    /// # Errors
    /// When it ends or doesn't answer.
    pub fn start(&self) -> Result<Gateway> {
        let gateway = self.spawn()?;
        gateway.wait_alive().with_context(|| format!("it printed:\n{}", self.printed().unwrap_or_default()))?;
        Ok(gateway)
    }

    /// Starts the gateway and waits until its links are bound.
    ///
    /// # Errors
    /// When it ends, doesn't answer or doesn't bind.
    pub fn start_bound(&self) -> Result<Gateway> {
        let gateway = self.start()?;
        gateway.wait_bound().with_context(|| format!("it printed:\n{}", self.printed().unwrap_or_default()))?;
        Ok(gateway)
    }

    /// Starts the gateway and waits for nothing.
    ///
    /// # Errors
    /// When it can't be started.
    pub fn spawn(&self) -> Result<Gateway> {
        let log = File::options().create(true).append(true).open(self.log())?;
        let mut command = self.command(&["run"])?;
        command.stdout(log.try_clone()?).stderr(log);
        Ok(Gateway::new(command.spawn().context("starting afterring")?, self.doors))
    }
}
