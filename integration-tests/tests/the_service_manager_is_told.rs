//! `sd_notify(3)`, played by this test: ready, how it goes, that it lives, that it reads its settings anew, that it stops. And the unit that is shipped.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use integration_tests::{Simulator, World};

/// The socket of a manager, and everything that it was told.
struct Manager {
    socket: UnixDatagram,
    told: Vec<String>,
}

impl Manager {
    fn start(world: &mut World) -> Result<Self> {
        let path = world.folder().join("notify");
        let socket = UnixDatagram::bind(&path)?;
        socket.set_read_timeout(Some(Duration::from_secs(30)))?;
        world.set_environment("NOTIFY_SOCKET", &path.display().to_string());
        Ok(Self { socket, told: Vec::new() })
    }

    /// Waits until it is told this.
    fn wait(&mut self, line: &str) -> Result<Vec<String>> {
        loop {
            let mut buffer = [0; 4096];
            let length =
                self.socket.recv(&mut buffer).with_context(|| format!("waiting for {line} after {:?}", self.told))?;
            let lines: Vec<String> = String::from_utf8_lossy(&buffer[..length]).lines().map(str::to_owned).collect();
            self.told.extend(lines.iter().cloned());
            if lines.iter().any(|told| told == line) {
                return Ok(lines);
            }
        }
    }

    fn count(&self, line: &str) -> usize {
        self.told.iter().filter(|told| *told == line).count()
    }
}

#[test]
fn of_everything_in_its_order() -> Result<()> {
    let simulator = Simulator::start()?;
    let mut world = World::with_simulator(&simulator, "")?;
    let mut manager = Manager::start(&mut world)?;
    world.set_environment("WATCHDOG_USEC", "3000000");
    let mut gateway = world.spawn()?;
    manager.wait("READY=1")?;
    ensure!(manager.told == ["READY=1"], "nothing is told before: {:?}", manager.told);
    manager.wait("STATUS=1 of 1 links bound; no database")?;
    for _ in 0..3 {
        manager.wait("WATCHDOG=1")?;
    }
    gateway.hang_up()?;
    let reloading = manager.wait("RELOADING=1")?;
    ensure!(reloading.iter().any(|line| line.starts_with("MONOTONIC_USEC=")), "in one message: {reloading:?}");
    manager.wait("READY=1")?;
    ensure!(manager.count("RELOADING=1") == 1 && manager.count("READY=1") == 2, "{:?}", manager.told);
    gateway.ask_to_stop()?;
    let stopping = manager.wait("STOPPING=1")?;
    ensure!(stopping.contains(&"STATUS=stopping".to_owned()), "{stopping:?}");
    let status = gateway.wait_exit()?;
    ensure!(status.code() == Some(0), "{status}");
    Ok(())
}

/// A process that stands still is not told to live.
#[test]
fn nothing_when_it_stands_still() -> Result<()> {
    let mut world = World::new()?;
    let mut manager = Manager::start(&mut world)?;
    world.set_environment("WATCHDOG_USEC", "600000");
    let gateway = world.spawn()?;
    manager.wait("WATCHDOG=1")?;
    let pid = gateway.id().to_string();
    ensure!(Command::new("kill").args(["-STOP", &pid]).status()?.success(), "kill -STOP");
    // What is on its way already is taken; then there is silence for longer than the watchdog waits.
    manager.socket.set_read_timeout(Some(Duration::from_millis(1500)))?;
    let mut buffer = [0; 4096];
    let mut late = 0;
    while manager.socket.recv(&mut buffer).is_ok() {
        late += 1;
    }
    ensure!(late <= 2, "{late} messages of a process that stands still");
    ensure!(Command::new("kill").args(["-CONT", &pid]).status()?.success(), "kill -CONT");
    manager.socket.set_read_timeout(Some(Duration::from_secs(30)))?;
    manager.wait("WATCHDOG=1")?;
    gateway.stop()
}

#[test]
fn by_a_unit_that_systemd_understands() -> Result<()> {
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/systemd/afterring.service");
    let text = fs::read_to_string(shipped)?;
    for line in ["Type=notify", "RestartPreventExitStatus=64 78", "StateDirectory=afterring", "WatchdogSec=60"] {
        ensure!(text.lines().any(|found| found == line), "{line} is missing");
    }
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        println!("no systemd-analyze here: the unit is not verified");
        return Ok(());
    }
    // The program isn't installed where tests run: a file that can be run stands in its place.
    let folder = tempfile::tempdir()?;
    let unit = folder.path().join("afterring.service");
    fs::write(&unit, text.replace("/usr/bin/afterring", "/bin/true"))?;
    let verified = Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&unit).output()?;
    let said = format!("{}{}", String::from_utf8_lossy(&verified.stdout), String::from_utf8_lossy(&verified.stderr));
    let ours: Vec<&str> = said.lines().filter(|line| line.contains("afterring")).collect();
    ensure!(verified.status.success() && ours.is_empty(), "{}\n{said}", verified.status);
    Ok(())
}
