//! The database's disk is full: alerts go on, and when there is room again it has everything, each thing once.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::Command;

use anyhow::{Result, ensure};
use integration_tests::disk::SmallDisk;
use integration_tests::outage::Scene;
use integration_tests::wait;
use tempfile::TempDir;
use throwaway_postgres::Cluster;

/// Calls that come while there is no room: three seconds of them.
const FULL: u64 = 1_500;

/// Room for a whole server and the load, in MiB.
const ROOM: u32 = 300;

/// A small disk below a folder that the server's user can get to.
fn small_disk(folder: &TempDir) -> Result<Option<SmallDisk>> {
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
    match SmallDisk::of(&folder.path().join("small"), ROOM) {
        Ok(disk) => Ok(Some(disk)),
        Err(error) => {
            eprintln!("NOT TESTED: a full disk, because a small one can't be mounted here (run as root): {error:#}");
            Ok(None)
        }
    }
}

/// The server lives, answers, and takes small changes that find room in their own page; large ones fail.
#[test]
fn of_its_data() -> Result<()> {
    let folder = TempDir::with_prefix_in("afterring-test-", "/tmp")?;
    let Some(disk) = small_disk(&folder)? else { return Ok(()) };
    let cluster = Cluster::start(&[]);
    let room = cluster.give(disk.path(), "space");
    cluster.sql(&format!("create tablespace small location '{}'", room.display()));
    cluster.sql("create database t tablespace small template template0");
    let database = cluster.url_of("t");
    let mut outage = Scene::beside(&database)?.begin("disk full (data)", &database)?;
    let ballast = outage.fault(|| disk.fill())?;
    outage.wait_abnormal()?;
    outage.load.go_on_for(FULL)?;
    outage.heal(|| fs::remove_file(&ballast))?;
    outage.wait_normal()?;
    let verdict = outage.verdict(&database)?;
    drop(cluster);
    verdict.is_sound()?;
    verdict.was_abnormal()
}

/// The server gives up and stays down until somebody makes room and starts it.
#[test]
fn of_its_log() -> Result<()> {
    let folder = TempDir::with_prefix_in("afterring-test-", "/tmp")?;
    let Some(disk) = small_disk(&folder)? else { return Ok(()) };
    let mut cluster = Cluster::start(&[]);
    cluster.stop();
    let (log, elsewhere) = (cluster.data().join("pg_wal"), disk.path().join("pg_wal"));
    ensure!(Command::new("cp").arg("-a").args([&log, &elsewhere]).status()?.success(), "the log can't be moved");
    fs::remove_dir_all(&log)?;
    symlink(&elsewhere, &log)?;
    cluster.restart();
    let database = cluster.database();
    let mut outage = Scene::beside(&database)?.begin("disk full (log), server down", &database)?;
    let ballast = disk.fill()?;
    let stopped = outage.fault(|| wait::until_true("the server has given up", || Ok(!cluster.is_running())));
    stopped?;
    outage.wait_abnormal()?;
    outage.load.go_on_for(FULL)?;
    outage.heal(|| fs::remove_file(&ballast).map(|()| cluster.restart()))?;
    outage.wait_normal()?;
    let verdict = outage.verdict(&database)?;
    drop(cluster);
    verdict.is_sound()?;
    verdict.was_abnormal()
}
