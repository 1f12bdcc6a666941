//! Directories that the server's user can use, and that are gone when the test process is.

use std::fs::{DirBuilder, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::binaries::binary;
use crate::process::{as_server, owner, run};

/// Deletes what is given after it, once its input ends: when this process does, however it ends. Servers get a moment to end first.
const JANITOR: &str =
    "trap '' INT TERM HUP; cat >/dev/null; for i in 1 2 3 4 5; do sleep 0.2; rm -rf -- \"$1\" && exit; done";

/// A new directory of the server's user, below the one that this process has for all of them.
pub(crate) fn make() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let path = root().join(COUNT.fetch_add(1, Ordering::Relaxed).to_string());
    create(&path).unwrap_or_else(|error| panic!("{} can't be made: {error}", path.display()));
    path
}

/// Gives a directory to the server's user.
pub(crate) fn give(path: &Path) {
    if let Some((user, group)) = owner() {
        chown(path, Some(user), Some(group))
            .unwrap_or_else(|error| panic!("{} can't be given away: {error}", path.display()));
    }
}

/// A cluster as `initdb` makes it; made once in a process.
pub(crate) fn template() -> &'static Path {
    static TEMPLATE: OnceLock<PathBuf> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let data = make().join("data");
        let mut initdb = as_server(&binary("initdb"));
        initdb.args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions"]);
        // Small files: what is copied is a fifth.
        initdb.args(["--wal-segsize=1", "-D"]).arg(&data);
        run(initdb);
        data
    })
}

/// The directory of this process. The end of the pipe to the janitor tells it that the process has ended.
fn root() -> &'static Path {
    static ROOT: OnceLock<(PathBuf, Child)> = OnceLock::new();
    &ROOT
        .get_or_init(|| {
            let base = base();
            let root = (0..)
                .map(|count: u32| base.join(format!("throwaway-postgres-{}-{count}", std::process::id())))
                .find(|path| match create(path) {
                    Ok(()) => true,
                    Err(error) if error.kind() == ErrorKind::AlreadyExists => false,
                    Err(error) => panic!("{} can't be made: {error}", path.display()),
                })
                .expect("a number is free");
            let mut janitor = Command::new("sh");
            janitor.args(["-c", JANITOR, "sh"]).arg(&root).current_dir("/");
            janitor.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
            let janitor = janitor.spawn().expect("sh can be started");
            (root, janitor)
        })
        .0
}

/// Where temporary files go, or `/tmp` where the server's user can't get there.
fn base() -> PathBuf {
    let wanted = std::env::temp_dir();
    let reachable = |path: &Path| std::fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o001 != 0);
    let all_reachable = wanted.canonicalize().is_ok_and(|wanted| wanted.ancestors().all(reachable));
    if owner().is_none() || all_reachable { wanted } else { PathBuf::from("/tmp") }
}

/// Others may look for the socket and the log, which need not be secret.
fn create(path: &Path) -> std::io::Result<()> {
    DirBuilder::new().mode(0o700).create(path)?;
    give(path);
    std::fs::set_permissions(path, Permissions::from_mode(0o755))
}
