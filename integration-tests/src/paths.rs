//! Where things are: the binaries under test, the peers, the scenarios.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

/// The top of the work tree.
#[must_use]
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// A file or folder of `integration-tests/`.
#[must_use]
pub fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Where cargo puts what it builds.
#[must_use]
pub fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// The gateway: `AFTERRING_BIN`, else the newest of cargo's release and debug builds.
///
/// # Errors
/// When there is none.
pub fn afterring() -> Result<PathBuf> {
    binary("AFTERRING_BIN", "afterring")
}

/// The simulator: `AFTERRING_SIMULATOR_BIN`, else the newest of cargo's release and debug builds.
///
/// # Errors
/// When there is none.
pub fn simulator() -> Result<PathBuf> {
    binary("AFTERRING_SIMULATOR_BIN", "simulator")
}

/// The benchmark of the SMPP side: `AFTERRING_SMPP_BENCH`, else the newest of cargo's release and debug builds.
///
/// # Errors
/// When there is none.
pub fn smpp_bench() -> Result<PathBuf> {
    binary("AFTERRING_SMPP_BENCH", "examples/smpp-throughput")
}

fn binary(variable: &str, name: &str) -> Result<PathBuf> {
    if let Some(given) = env::var_os(variable) {
        return Ok(PathBuf::from(given));
    }
    let built = ["release", "debug"].map(|profile| target().join(profile).join(name));
    let newest = built
        .into_iter()
        .filter(|path| path.exists())
        .max_by_key(|path| path.metadata().and_then(|m| m.modified()).ok());
    let Some(newest) = newest else {
        bail!("no {name} to test: `integration-tests/run` builds it; or say where it is by {variable}")
    };
    Ok(newest)
}
