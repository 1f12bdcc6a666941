//! `afterring top` on a terminal, which it gives back however it ends, and `afterring tail` in a pipe.

use std::fs;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use anyhow::{Context as _, Result, ensure};
use integration_tests::{World, paths, wait};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

/// What a terminal is told at the beginning of a picture over the whole of it, and at its end (xterm, private mode 1049).
const WHOLE_SCREEN: &str = "\x1b[?1049h";
const GIVEN_BACK: &str = "\x1b[?1049l";

/// Pieces of output that wait to be looked at.
const PIECES: usize = 64;

/// A command on a terminal of its own: `script`, of util-linux.
struct OnTerminal {
    script: Child,
    printed: Receiver<Vec<u8>>,
    seen: String,
}

impl OnTerminal {
    /// With so many columns and rows. The first line says the number of the process.
    fn start(world: &World, arguments: &str, (columns, rows): (u16, u16)) -> Result<Self> {
        let line =
            format!("stty cols {columns} rows {rows}; echo $$; exec {} {arguments}", paths::afterring()?.display());
        let settings = world.command(&[])?;
        let settings = settings.get_envs().filter_map(|(name, value)| Some((name, value?)));
        let mut script = Command::new("script")
            .args(["-qec", &line, "/dev/null"])
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("SHELL", "/bin/sh")
            .env("TERM", "xterm-256color")
            .envs(settings)
            .current_dir(world.folder())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("script")?;
        let mut output = script.stdout.take().context("no output")?;
        let (pass_on, printed) = mpsc::sync_channel(PIECES);
        thread::spawn(move || {
            let mut piece = [0; 4_096];
            while let Ok(length @ 1..) = output.read(&mut piece) {
                if pass_on.send(piece.get(..length).unwrap_or_default().to_vec()).is_err() {
                    return;
                }
            }
        });
        Ok(Self { script, printed, seen: String::new() })
    }

    fn look(&mut self) {
        for piece in self.printed.try_iter() {
            self.seen.push_str(&String::from_utf8_lossy(&piece));
        }
    }

    /// Waits for a word: between words the cursor only moves, and only what changed is drawn.
    fn wait_for(&mut self, what: &str) -> Result<()> {
        wait::until_true(what, || {
            self.look();
            Ok(self.seen.contains(what))
        })
        .with_context(|| self.seen.clone())
    }

    fn press(&mut self, keys: &str) -> Result<()> {
        let input = self.script.stdin.as_mut().context("no keys")?;
        input.write_all(keys.as_bytes())?;
        Ok(input.flush()?)
    }

    fn process(&self) -> Result<Pid> {
        let number = self.seen.lines().next().and_then(|line| line.trim().parse().ok());
        number.and_then(Pid::from_raw).with_context(|| format!("no process in {}", self.seen))
    }

    /// Waits for its end, which must be a good one with the terminal as it was.
    fn ended(mut self) -> Result<()> {
        let status = wait::until("its end", || Ok(self.script.try_wait()?))?;
        self.wait_for(GIVEN_BACK)?;
        ensure!(status.success(), "{status}: {}", self.seen);
        Ok(())
    }
}

impl Drop for OnTerminal {
    fn drop(&mut self) {
        drop(self.script.kill());
        drop(self.script.wait());
    }
}

#[test]
fn top_shows_the_flow_follows_keys_and_gives_the_terminal_back() -> Result<()> {
    let world = World::new()?;
    let gateway = world.start()?;
    for (size, widest, last) in [((80, 24), "waiting", "q"), ((120, 40), "oldest", "\x03"), ((40, 12), "second", "q")] {
        let mut top = OnTerminal::start(&world, "top", size)?;
        for word in [WHOLE_SCREEN, widest, "sorts"] {
            top.wait_for(word)?;
        }
        // The links, by rate.
        top.press("s")?;
        top.wait_for("by")?;
        top.press(last)?;
        top.ended()?;
    }
    // Whoever ends it from elsewhere leaves no broken terminal behind.
    let mut top = OnTerminal::start(&world, "top", (80, 24))?;
    top.wait_for("sorts")?;
    kill_process(top.process()?, Signal::TERM)?;
    top.ended()?;
    // Nor does it go on where its terminal is gone.
    let mut top = OnTerminal::start(&world, "top", (80, 24))?;
    top.wait_for("sorts")?;
    let process = top.process()?;
    drop(top);
    wait::until_true("its end without a terminal", || Ok(!runs(process)))?;
    gateway.stop()
}

/// Whether a process runs; one that has ended may wait for somebody who asks how.
fn runs(process: Pid) -> bool {
    let state = fs::read_to_string(format!("/proc/{}/stat", process.as_raw_nonzero()));
    state.is_ok_and(|state| !state.contains(") Z "))
}

#[test]
fn top_outlives_the_gateway() -> Result<()> {
    let world = World::new()?;
    let gateway = world.start()?;
    let mut top = OnTerminal::start(&world, "top --interval 200ms", (120, 40))?;
    top.wait_for("sorts")?;
    gateway.stop()?;
    top.wait_for("stale,")?;
    let gateway = world.start()?;
    // Not said while it is stale.
    top.press("p")?;
    top.wait_for("paused,")?;
    top.press("q")?;
    top.ended()?;
    gateway.stop()
}

#[test]
fn tail_prints_calls_and_ends_when_nobody_reads() -> Result<()> {
    let world = World::new()?;
    let gateway = world.start()?;
    let mut tail = world.command(&["tail", "--event", "call"])?.stdout(Stdio::piped()).spawn()?;
    let mut output = BufReader::new(tail.stdout.take().context("no output")?);
    let (pass_on, printed) = mpsc::sync_channel(PIECES);
    // One line is read, as `head -1` does.
    thread::spawn(move || {
        let mut line = String::new();
        let _ = output.read_line(&mut line);
        drop(output);
        let _ = pass_on.send(line);
    });
    let mut calls = 0;
    // Not before it listens, and then on until its next line finds nobody.
    let mut call = || {
        calls += 1;
        gateway.take(&json!({ "id": format!("{calls}"), "called": "+8613800000001", "caller": "+8613900000001" }))
    };
    let line = wait::until("a call is printed", || {
        call()?;
        Ok(printed.try_recv().ok())
    })?;
    ensure!(line.contains("  call ") && line.contains("+86*********01"), "{line}");
    let status = wait::until("its end", || {
        call()?;
        Ok(tail.try_wait()?)
    })?;
    ensure!(status.success(), "{status}");
    gateway.stop()
}
