//! A small file system of its own, to be filled.

use std::ffi::CStr;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

/// A mounted tmpfs. Unmounted when dropped.
#[derive(Debug)]
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts one of 8 MiB at a folder that it makes. Needs the right to mount.
    ///
    /// # Errors
    /// When that right is missing.
    pub fn mount(at: &Path) -> Result<Self> {
        const EIGHT_MEBIBYTES: &CStr = c"size=8m,mode=0755";
        fs::create_dir_all(at)?;
        mount("tmpfs", at, "tmpfs", MountFlags::empty(), EIGHT_MEBIBYTES).context("mounting a small disk")?;
        Ok(Self(at.to_owned()))
    }

    /// Fills what is left, to the last page, with a file that may be removed to make room again.
    ///
    /// # Errors
    /// When the file can't be made.
    pub fn fill(&self) -> Result<PathBuf> {
        let path = self.0.join("ballast");
        let mut file = File::create(&path)?;
        while file.write_all(&[0; 4096]).is_ok() {}
        Ok(path)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: the gateway may have files open still when a test fails.
        let _ = unmount(&self.0, UnmountFlags::DETACH);
    }
}
