//! The callers: sipp, one process for some thousand calls a second, and what it saw.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use integration_tests::process::times;
use integration_tests::{paths, ports, wait};

/// Calls per second that one sipp makes with ease.
const EACH: u64 = 5_000;

/// How long sipp may take longer than its calls come: its own patience for a final response is 40 s.
const PATIENCE: Duration = Duration::from_secs(90);

/// The first called number; each call is for another.
const CALLED: u64 = 8_613_800_000_000;

/// Octets of sipp's socket buffers; the system may give less.
const BUFFER: u64 = 4_000_000;

const SCENARIO: &str = "uac_mca_load.xml";

/// What is sent where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Play {
    pub(crate) port: u16,
    pub(crate) tcp: bool,
    pub(crate) rate: u64,
    pub(crate) seconds: u64,
    /// Acknowledgements of a hundred that are not sent.
    pub(crate) lost: u64,
}

/// What all callers saw together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard {
    /// Calls that were made.
    pub(crate) offered: u64,
    /// Numbers whose call got 480.
    pub(crate) released: HashSet<u64>,
    /// Numbers whose call got 503.
    pub(crate) refused: HashSet<u64>,
    /// INVITEs that were sent again.
    pub(crate) repeated: u64,
    /// Calls that sipp counts as failed: no answer, or one that the scenario doesn't know.
    pub(crate) failed: u64,
    /// From INVITE to final response, in ms, sorted; sipp's clock has steps of some milliseconds.
    pub(crate) answer_ms: Vec<f64>,
    /// How long it took to make the calls, in seconds.
    pub(crate) seconds: f64,
    /// Processor time of sipp, in seconds.
    pub(crate) cpu: f64,
}

impl Heard {
    /// Calls made per second.
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    pub(crate) fn rate(&self) -> f64 {
        self.offered as f64 / self.seconds.max(0.001)
    }

    /// The time that this share of the answers took at most, in ms.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a place in a list that is in memory"
    )]
    pub(crate) fn within(&self, share: f64) -> f64 {
        let last = self.answer_ms.len().saturating_sub(1);
        self.answer_ms.get((last as f64 * share).round() as usize).copied().unwrap_or(0.0)
    }
}

/// A sipp that runs. Killed when dropped.
#[derive(Debug)]
struct Caller {
    child: Child,
    folder: PathBuf,
}

impl Drop for Caller {
    fn drop(&mut self) {
        // Ended already, mostly; there's nobody to tell.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Makes the calls, and waits until each has ended.
///
/// # Errors
/// When sipp can't be had, or doesn't end.
pub(crate) fn call(play: Play, folder: &Path) -> Result<Heard> {
    // Processor times of children count once they are waited for.
    let reaped = || times(std::process::id(), &[13, 14]);
    let before = reaped()?;
    let callers = play.rate.div_ceil(EACH);
    let mut running = Vec::new();
    for place in 0..callers {
        running.push(start(play, callers, place, &folder.join(format!("sipp-{place}")))?);
    }
    let mut heard = Heard::default();
    for mut caller in running {
        let patience = Duration::from_secs(play.seconds) + PATIENCE;
        let status = wait::within(patience, "sipp ends", || Ok(caller.child.try_wait()?))?;
        ensure!(matches!(status.code(), Some(0 | 1)), "sipp: {status}");
        collect(&caller.folder, &mut heard)?;
    }
    heard.cpu = reaped()? - before;
    heard.answer_ms.sort_by(f64::total_cmp);
    Ok(heard)
}

fn start(play: Play, callers: u64, place: u64, folder: &Path) -> Result<Caller> {
    let calls = play.rate * play.seconds / callers;
    fs::create_dir_all(folder)?;
    fs::write(folder.join(SCENARIO), scenario(play.lost)?)?;
    let mut table = "SEQUENTIAL\n".to_owned();
    for number in (0..calls).map(|call| CALLED + place * calls + call) {
        writeln!(table, "+45{};+{number};no-answer", 2_000_000_000 + number % 1_000_000_000)?;
    }
    fs::write(folder.join("calls.csv"), table)?;
    let mut command = Command::new("sipp");
    command
        .arg(format!("127.0.0.1:{}", play.port))
        .args(["-sf", SCENARIO, "-inf", "calls.csv", "-m", &calls.to_string(), "-l", &calls.to_string()])
        .args(["-r", &(play.rate / callers).to_string(), "-t", if play.tcp { "t1" } else { "u1" }])
        .args(["-i", "127.0.0.1", "-p", &ports::free()?.to_string()])
        .args(["-ci", "127.0.0.1", "-cp", &ports::free()?.to_string()])
        .args(["-buff_size", &BUFFER.to_string(), "-timer_resol", "1", "-deadcall_wait", "0", "-nostdin"])
        .args(["-trace_logs", "-log_file", "log", "-trace_stat", "-stf", "stat.csv", "-fd", "1"])
        .args(["-trace_rtt", "-rtt_freq", "1000"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let child = command.spawn().context("sipp: integration-tests/bench-sip installs it")?;
    Ok(Caller { child, folder: folder.to_owned() })
}

/// The scenario, in which so many of a hundred acknowledgements are lost.
fn scenario(lost: u64) -> Result<String> {
    let path = paths::here("scenarios").join(SCENARIO);
    let written = fs::read_to_string(&path)?;
    let acknowledge = "<send next=\"left\">";
    ensure!(written.contains(acknowledge), "{} sends no ACK", path.display());
    Ok(written.replace(acknowledge, &format!("<send next=\"left\" lost=\"{lost}\">")))
}

/// Adds what one sipp left in its files.
fn collect(folder: &Path, heard: &mut Heard) -> Result<()> {
    let log = fs::read_to_string(folder.join("log")).unwrap_or_default();
    for line in log.lines() {
        let number = |text: &str| text.parse::<u64>().with_context(|| format!("sipp logged {line:?}"));
        // A call may be released once only.
        let first = match line.split_once(" +").context("sipp logs pairs")? {
            ("released", called) => heard.released.insert(number(called)?),
            ("refused", called) => heard.refused.insert(number(called)?),
            _ => bail!("sipp logged {line:?}"),
        };
        ensure!(first, "answered twice: {line}");
    }
    let statistics = fs::read_to_string(folder.join("stat.csv"))?;
    let rows: Vec<Vec<&str>> = statistics.lines().map(|line| line.split(';').collect()).collect();
    let (names, last) = (rows.first().context("no statistics")?, rows.last().context("no statistics")?);
    let place = |name: &str| {
        names.iter().position(|other| *other == name).with_context(|| format!("sipp's statistics have no {name}"))
    };
    let count = |name: &str| -> Result<u64> {
        last.get(place(name)?).and_then(|value| value.parse().ok()).with_context(|| format!("no number: {name}"))
    };
    let created = count("TotalCallCreated")?;
    heard.offered += created;
    heard.repeated += count("Retransmissions(C)")?;
    heard.failed += count("FailedCall(C)")?;
    // The first second in whose row all calls had been made, and the rows before it; each is one second.
    let made = place("TotalCallCreated")?;
    let until = rows.iter().position(|row| row.get(made).is_some_and(|value| value.parse() == Ok(created)));
    let time = |row: Option<&Vec<&str>>, name| row.and_then(|row| seconds(row.get(place(name).ok()?)?));
    let (began, ended) = (time(Some(last), "StartTime"), time(until.and_then(|at| rows.get(at)), "CurrentTime"));
    heard.seconds = heard.seconds.max(ended.zip(began).map_or(0.0, |(ended, began)| ended - began));
    heard.answer_ms.extend(answer_times(folder)?);
    Ok(())
}

/// The seconds since 1970 in one of sipp's times, which are a date, a time and that, with tabs between.
fn seconds(time: &str) -> Option<f64> {
    time.rsplit('\t').next()?.parse().ok()
}

/// The second column of `uac_mca_load_<pid>_rtt.csv`.
fn answer_times(folder: &Path) -> Result<Vec<f64>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.to_string_lossy().ends_with("_rtt.csv") {
            let rows = fs::read_to_string(path)?;
            found.extend(rows.lines().filter_map(|row| row.split(';').nth(1)?.parse::<f64>().ok()));
        }
    }
    Ok(found)
}
