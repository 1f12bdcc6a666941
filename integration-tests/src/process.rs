//! What the system says of a process: its time, its memory, what it wrote.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context as _, Result};

/// How often memory is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Looks at a process's resident memory again and again.
#[derive(Debug)]
pub struct Memory {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<f64>>,
}

impl Memory {
    /// Begins to look.
    #[must_use]
    pub fn watch(process: u32) -> Self {
        let stop = Arc::<AtomicBool>::default();
        let told = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let mut seen = Vec::new();
            while !told.load(Ordering::SeqCst) {
                seen.extend(resident(process));
                thread::sleep(LOOK_AGAIN);
            }
            seen
        });
        Self { stop, thread }
    }

    /// The most in each tenth of the time, in MiB.
    #[must_use]
    pub fn tenths(self) -> Vec<f64> {
        self.stop.store(true, Ordering::SeqCst);
        let seen = self.thread.join().unwrap_or_default();
        seen.chunks(seen.len().div_ceil(10).max(1)).map(|some| some.iter().copied().fold(0.0, f64::max)).collect()
    }
}

fn resident(process: u32) -> Result<f64> {
    Ok(proc_number(&format!("/proc/{process}/status"), "VmRSS:")? / 1024.0)
}

/// Processor time of a process, user and system, in seconds.
///
/// # Errors
/// When there is no such process.
pub fn cpu(process: u32) -> Result<f64> {
    // Fields 14 and 15 of proc(5), counted from behind the name.
    times(process, &[11, 12])
}

/// Processor time of the thread of this name, in seconds; `None` when a process has no such thread.
///
/// # Errors
/// When there is no such process.
pub fn thread_cpu(process: u32, name: &str) -> Result<Option<f64>> {
    for task in fs::read_dir(format!("/proc/{process}/task"))? {
        let task = task?.path();
        // A thread that has ended meanwhile has no name.
        if fs::read_to_string(task.join("comm")).is_ok_and(|comm| comm.trim_end() == name) {
            return fields(&task.join("stat"), &[11, 12]).map(Some);
        }
    }
    Ok(None)
}

/// Times of a process, in seconds: fields of `/proc/PID/stat`, counted from behind the name.
///
/// # Errors
/// When there is no such process.
pub fn times(process: u32, places: &[usize]) -> Result<f64> {
    fields(Path::new(&format!("/proc/{process}/stat")), places)
}

fn fields(stat: &Path, places: &[usize]) -> Result<f64> {
    let stat = fs::read_to_string(stat)?;
    let fields: Vec<&str> = stat.rsplit_once(") ").context("no name in stat")?.1.split(' ').collect();
    let ticks = |place: usize| fields.get(place).and_then(|ticks| ticks.parse::<f64>().ok()).unwrap_or(0.0);
    // A tick is 10 ms on every Linux.
    Ok(places.iter().map(|place| ticks(*place)).sum::<f64>() / 100.0)
}

/// The most memory a process ever had resident, in MiB.
///
/// # Errors
/// When there is no such process.
pub fn peak(process: u32) -> Result<f64> {
    Ok(proc_number(&format!("/proc/{process}/status"), "VmHWM:")? / 1024.0)
}

/// What a process had written to storage, in MiB.
///
/// # Errors
/// When there is no such process.
pub fn written(process: u32) -> Result<f64> {
    Ok(proc_number(&format!("/proc/{process}/io"), "write_bytes:")? / 1_048_576.0)
}

fn proc_number(file: &str, name: &str) -> Result<f64> {
    let page = fs::read_to_string(file)?;
    let value =
        page.lines().find_map(|line| line.strip_prefix(name)).with_context(|| format!("no {name} in {file}"))?;
    Ok(value.split_whitespace().next().unwrap_or_default().parse()?)
}

/// The kind of file system that a folder is on.
///
/// # Errors
/// When there is no such folder.
pub fn file_system(folder: &Path) -> Result<String> {
    let folder = folder.canonicalize()?;
    let mounts = fs::read_to_string("/proc/mounts")?;
    let at = |line: &str| {
        let mut fields = line.split(' ').skip(1);
        Some((PathBuf::from(fields.next()?), fields.next()?.to_owned()))
    };
    let over = mounts.lines().filter_map(at).filter(|(mount, _)| folder.starts_with(mount));
    Ok(over.max_by_key(|(mount, _)| mount.components().count()).map_or_else(|| "?".to_owned(), |(_, kind)| kind))
}
