//! Where the server's programs are.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// The path of one program of the server: `$PG_BIN`, else the newest of Debian's, else what `pg_config` says, else `$PATH`.
pub(crate) fn binary(name: &str) -> PathBuf {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND.get_or_init(find).join(name)
}

fn find() -> PathBuf {
    let given = std::env::var_os("PG_BIN").map(PathBuf::from);
    let found = given.or_else(newest_of_debian).or_else(told_by_pg_config).or_else(on_path);
    let found =
        found.expect("no Postgres is installed: install postgresql-15 (or newer), or set PG_BIN to its bin directory");
    assert!(
        found.join("initdb").exists(),
        "{} has no initdb: set PG_BIN to the bin directory of a Postgres",
        found.display()
    );
    found
}

fn newest_of_debian() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
    let numbered =
        versions.filter_map(|entry| Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path().join("bin"))));
    numbered.filter(|(_, bin)| bin.join("initdb").exists()).max().map(|(_, bin)| bin)
}

fn told_by_pg_config() -> Option<PathBuf> {
    let said = Command::new("pg_config").arg("--bindir").output().ok()?;
    let bin = PathBuf::from(String::from_utf8(said.stdout).ok()?.trim());
    bin.join("initdb").exists().then_some(bin)
}

fn on_path() -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?).find(|bin| bin.join("initdb").exists())
}
