//! What the process takes of its machine, and the room on the journal's disk. Linux says so under `/proc`; elsewhere the figures are left out.

use std::fs;
use std::path::Path;

/// Figures as they were a few seconds ago. What the system doesn't say is absent.
#[derive(Clone, Copy, PartialEq, Default, Debug)]
pub struct Machine {
    /// Processor time so far, user and system, in seconds.
    pub processor_seconds: Option<f64>,
    /// Resident memory in bytes.
    pub memory: Option<u64>,
    /// Open files and connections.
    pub open_files: Option<u64>,
    /// The disk of the store directory: bytes that are free for this process, and its size.
    pub disk: Option<(u64, u64)>,
}

impl Machine {
    /// Asks the system. May wait for a disk that does not answer: for a thread that may wait.
    #[must_use]
    pub fn look(store_dir: &Path) -> Self {
        Self {
            processor_seconds: fs::read_to_string("/proc/self/stat").ok().and_then(|stat| processor_seconds(&stat)),
            memory: fs::read_to_string("/proc/self/statm").ok().and_then(|statm| memory(&statm)),
            open_files: open_files(),
            disk: disk(store_dir),
        }
    }
}

/// Fields 14 and 15 of proc(5)'s `stat`, counted behind the program's name, which may hold spaces and brackets.
fn processor_seconds(stat: &str) -> Option<f64> {
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let user: u32 = fields.next()?.parse().ok()?;
    let system: u32 = fields.next()?.parse().ok()?;
    let per_second = u32::try_from(rustix::param::clock_ticks_per_second()).ok()?;
    Some((f64::from(user) + f64::from(system)) / f64::from(per_second))
}

/// The second field of proc(5)'s `statm`, which is in pages.
fn memory(statm: &str) -> Option<u64> {
    let pages: u64 = statm.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(pages.saturating_mul(u64::try_from(rustix::param::page_size()).ok()?))
}

fn open_files() -> Option<u64> {
    // Reading the list opens it.
    u64::try_from(fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1)).ok()
}

fn disk(dir: &Path) -> Option<(u64, u64)> {
    let found = rustix::fs::statvfs(dir).ok()?;
    Some((found.f_bavail.saturating_mul(found.f_frsize), found.f_blocks.saturating_mul(found.f_frsize)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_spaces_shifts_no_field() {
        let stat = "42 (after) ring) S 1 42 42 0 -1 4194560 9 0 0 0 150 50 0 0 20 0 5 0 1 2 3";
        let ticks = u32::try_from(rustix::param::clock_ticks_per_second()).unwrap();
        assert_eq!(processor_seconds(stat), Some(200.0 / f64::from(ticks)));
        assert_eq!(processor_seconds("42 (afterring) S 1"), None);
    }

    #[test]
    fn this_process_is_told_of_and_its_disk() {
        let machine = Machine::look(&std::env::temp_dir());
        assert!(machine.processor_seconds.is_some());
        assert!(machine.memory.unwrap() > 1_000_000 && machine.open_files.unwrap() > 2);
        let (free, size) = machine.disk.unwrap();
        assert!(free <= size && size > 0);
        assert_eq!(Machine::look(Path::new("/does/not/exist")).disk, None);
    }
}
