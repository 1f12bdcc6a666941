//! A small file system of its own, to be filled.

use std::ffi::CString;
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
        Self::of(at, 8)
    }

    /// Mounts one of so many MiB.
    ///
    /// # Errors
    /// As [`SmallDisk::mount`].
    pub fn of(at: &Path, mebibytes: u32) -> Result<Self> {
        fs::create_dir_all(at)?;
        let size = CString::new(format!("size={mebibytes}m,mode=0755"))?;
        mount("tmpfs", at, "tmpfs", MountFlags::empty(), &*size).context("mounting a small disk")?;
        Ok(Self(at.to_owned()))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
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
