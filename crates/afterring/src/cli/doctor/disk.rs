//! The store's directory: whose it is, its room, how long it takes to have something safe on disk, and who holds it.

use std::fs::{self, File, Metadata};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{Access, AtFlags, accessat, statvfs};

use super::report::{Finding, Report};

/// Every call waits for one of these, together with those that come at that time.
const SLOW: Duration = Duration::from_millis(20);

/// Writes that are measured, at most, and for how long.
const WRITES: usize = 64;
const MEASURE: Duration = Duration::from_secs(5);

/// Room below which somebody should look, and below which it will not last.
const SCARCE: u64 = 2 << 30;
const NONE: u64 = 100 << 20;

pub(super) fn look(dir: &Path, report: &mut Report<'_>) -> io::Result<()> {
    let name = dir.display().to_string();
    let found = match fs::metadata(dir) {
        Ok(found) if found.is_dir() => found,
        Ok(_) => {
            report.tell(Finding::fault(
                "store",
                name,
                "not a directory".to_owned(),
                "Set store.dir to a directory.",
            ))?;
            return unchecked(report);
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            report.tell(missing(dir, name))?;
            return unchecked(report);
        }
        Err(error) => {
            let advice = "Let whoever runs the gateway read and write it.";
            report.tell(Finding::fault("store", name, error.to_string(), advice))?;
            return unchecked(report);
        }
    };
    report.tell(owner(dir, &name, &found))?;
    report.tell(room(dir))?;
    report.tell(holder(dir))?;
    report.tell(sync(dir))
}

fn unchecked(report: &mut Report<'_>) -> io::Result<()> {
    for what in ["room", "holder", "sync time"] {
        report.tell(Finding::unchecked("store", what, "there is no directory to look at"))?;
    }
    Ok(())
}

/// The gateway makes it, where it may.
fn missing(dir: &Path, name: String) -> Finding {
    let parent = dir.ancestors().skip(1).find(|parent| parent.as_os_str().is_empty() || parent.exists());
    let parent = parent.filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if accessible(parent) {
        let found = format!("not there yet; the gateway will make it in {}", parent.display());
        return Finding::ok("store", name, found);
    }
    let found = format!("not there, and can't be made in {}", parent.display());
    Finding::fault("store", name, found, "Make it, and give it to whoever runs the gateway; or set store.dir.")
}

fn accessible(dir: &Path) -> bool {
    accessat(rustix::fs::CWD, dir, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS).is_ok()
}

fn owner(dir: &Path, name: &str, found: &Metadata) -> Finding {
    let mode = found.mode() & 0o7777;
    let seen = format!("owner {}, mode {mode:o}", found.uid());
    if !accessible(dir) {
        let found = format!("{seen}: can't be written to by this user ({})", rustix::process::geteuid().as_raw());
        return Finding::fault(
            "store",
            name,
            found,
            "Run this as the gateway's user; or give the directory to that user.",
        );
    }
    if mode & 0o007 != 0 {
        let advice = "It holds people's numbers and calls: chmod o= it.";
        return Finding::warning("store", name, format!("{seen}: open to every user of this machine"), advice);
    }
    Finding::ok("store", name, seen)
}

fn room(dir: &Path) -> Finding {
    let Ok(found) = statvfs(dir) else { return Finding::unchecked("store", "room", "the system does not say") };
    let free = found.f_bavail.saturating_mul(found.f_frsize);
    let all = found.f_blocks.saturating_mul(found.f_frsize).max(1);
    let said = format!("{} MB free of {} MB", free >> 20, all >> 20);
    let advice = "Give it more room, or lower retention.calls: when it is full no call is taken.";
    if free < NONE {
        Finding::fault("store", "room", said, advice)
    } else if free < SCARCE {
        Finding::warning("store", "room", said, advice)
    } else {
        Finding::ok("store", "room", said)
    }
}

/// Looked up and not tried: a lock that is taken for a moment could keep a gateway from starting.
fn holder(dir: &Path) -> Finding {
    let Ok(found) = fs::metadata(dir.join("afterring.lock")) else {
        return Finding::ok("store", "holder", "nobody has used it yet".to_owned());
    };
    let Ok(locks) = fs::read_to_string("/proc/locks") else {
        return Finding::unchecked("store", "holder", "/proc/locks can't be read");
    };
    match holder_of(&locks, found.dev(), found.ino()) {
        Some(pid) => Finding::ok("store", "holder", format!("in use by the process {pid}")),
        None => Finding::ok("store", "holder", "in use by nobody".to_owned()),
    }
}

/// A line is `1: FLOCK  ADVISORY  WRITE 4711 fd:01:1234 0 EOF`.
fn holder_of(locks: &str, device: u64, inode: u64) -> Option<String> {
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    let file = format!("{major:02x}:{minor:02x}:{inode}");
    let lock = locks.lines().find(|line| line.split_whitespace().nth(5) == Some(&file))?;
    lock.split_whitespace().nth(4).map(str::to_owned)
}

fn sync(dir: &Path) -> Finding {
    match measure(dir) {
        Ok(mut took) if !took.is_empty() => {
            took.sort_unstable();
            let (median, worst) = (took.get(took.len() / 2).copied(), took.last().copied());
            judged(took.len(), median.unwrap_or_default(), worst.unwrap_or_default())
        }
        Ok(_) => Finding::unchecked("store", "sync time", "nothing was written in time"),
        Err(error) => {
            let advice = "The gateway could not store a call either: look at the disk, its room, and who may write.";
            Finding::fault("store", "sync time", format!("can't write: {error}"), advice)
        }
    }
}

fn judged(writes: usize, median: Duration, worst: Duration) -> Finding {
    let millis = |time: Duration| time.as_secs_f64() * 1000.0;
    let found = format!("{:.1} ms in the middle, {:.1} ms at worst, of {writes} writes", millis(median), millis(worst));
    if median > SLOW {
        let advice = "Every call waits for the disk before it is answered: use a local SSD, or a volume that confirms writes sooner.";
        return Finding::warning("store", "sync time", found, advice);
    }
    Finding::ok("store", "sync time", found)
}

/// How long each of some small writes took to be safe; the file is gone afterwards, however this ends.
fn measure(dir: &Path) -> io::Result<Vec<Duration>> {
    let mut file: File = tempfile::tempfile_in(dir)?;
    let block = [0x5a; 4096];
    let begun = Instant::now();
    let mut took = Vec::with_capacity(WRITES);
    while took.len() < WRITES && begun.elapsed() < MEASURE {
        let one = Instant::now();
        file.write_all(&block)?;
        file.sync_data()?;
        took.push(one.elapsed());
    }
    Ok(took)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::report::Verdict;

    #[test]
    fn a_slow_disk_is_warned_of() {
        for (median, verdict) in [(20, Verdict::Ok), (21, Verdict::Warning)] {
            let median = Duration::from_millis(median);
            assert_eq!(judged(64, median, Duration::from_secs(1)).verdict, verdict);
        }
        let found = judged(64, Duration::from_micros(1_420), Duration::from_millis(9)).found;
        assert_eq!(found, "1.4 ms in the middle, 9.0 ms at worst, of 64 writes");
    }

    #[test]
    fn who_holds_the_store_is_read_from_the_systems_list() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(holder(dir.path()).found, "nobody has used it yet");
        let file = File::create(dir.path().join("afterring.lock")).unwrap();
        assert_eq!(holder(dir.path()).found, "in use by nobody");
        file.try_lock().unwrap();
        assert_eq!(holder(dir.path()).found, format!("in use by the process {}", std::process::id()));
    }

    #[test]
    fn a_store_that_is_open_to_all_or_not_there_is_told() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let mode = |mode| {
            fs::set_permissions(dir.path(), fs::Permissions::from_mode(mode)).unwrap();
            owner(dir.path(), "", &fs::metadata(dir.path()).unwrap()).verdict
        };
        assert_eq!((mode(0o755), mode(0o750), mode(0o700)), (Verdict::Warning, Verdict::Ok, Verdict::Ok));
        let found = missing(&dir.path().join("a/b"), String::new());
        assert_eq!(found.verdict, Verdict::Ok, "{}", found.found);
    }

    #[test]
    fn the_disk_is_measured_and_nothing_is_left_behind() {
        let dir = tempfile::tempdir().unwrap();
        let finding = sync(dir.path());
        assert!(finding.found.ends_with("writes"), "{}", finding.found);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        assert_eq!(sync(Path::new("/nowhere")).verdict, Verdict::Fault);
    }
}
