//! File systems of our own, on loop devices and in memory, where we are root; and the reason where that can't be.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::subject::{Result, said};

/// A file system that is mounted, and unmounted when dropped.
#[derive(Debug)]
pub struct Mount {
    /// Where.
    pub place: PathBuf,
    image: Option<PathBuf>,
    is_mounted: bool,
}

/// A file system that lies in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// ext4, as `mkfs.ext4` makes it.
    Ext4,
    /// XFS, as `mkfs.xfs` makes it.
    Xfs,
}

impl Kind {
    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ext4 => "ext4",
            Self::Xfs => "xfs",
        }
    }
}

/// Why nothing can be mounted here, if so. Found out by trying: who is root in a container may still not be allowed to.
pub fn can_mount() -> Result<()> {
    let folder = tempfile::tempdir().map_err(said)?;
    Mount::memory(folder.path(), 1 << 20)
        .map(drop)
        .map_err(|error| first_line("nothing can be mounted", &error))
}

/// Why there can be no such file system here, if so.
pub fn can_make(kind: Kind) -> Result<()> {
    let folder = tempfile::tempdir().map_err(said)?;
    Mount::image(kind, folder.path(), 512 << 20)
        .map(drop)
        .map_err(|error| first_line("no such file system", &error))
}

/// A reason that fits into a table.
pub fn first_line(what: &str, error: &str) -> String {
    format!("{what}: {:.100}", error.lines().next().unwrap_or_default())
}

/// Runs a program to its end.
pub(crate) fn run(program: &str, args: &[&str]) -> Result<()> {
    let output = Command::new(program).args(args).output().map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{program} {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr).trim()))
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap_or_default()
}

impl Mount {
    /// A new file system in an image of so many bytes, which lies in `folder` and is as sparse as it can be.
    pub fn image(kind: Kind, folder: &Path, len: u64) -> Result<Self> {
        let image = folder.join(format!("{}.img", kind.name()));
        let file = File::create(&image).map_err(said)?;
        file.set_len(len).map_err(said)?;
        let quiet = if kind == Kind::Ext4 { "-F" } else { "-f" };
        run(&format!("mkfs.{}", kind.name()), &["-q", quiet, text(&image)])?;
        let place = folder.join(format!("{}.mount", kind.name()));
        fs::create_dir(&place).map_err(said)?;
        let mut mount = Self { place, image: Some(image), is_mounted: false };
        mount.mount()?;
        Ok(mount)
    }

    /// A file system in memory of so many bytes.
    pub fn memory(folder: &Path, len: u64) -> Result<Self> {
        let place = folder.join("memory.mount");
        fs::create_dir(&place).map_err(said)?;
        run("mount", &["-t", "tmpfs", "-o", &format!("size={len}"), "tmpfs", text(&place)])?;
        Ok(Self { place, image: None, is_mounted: true })
    }

    /// A file system that lies over a folder of another, as containers have it.
    pub fn overlay(folder: &Path) -> Result<Self> {
        let part = |name: &str| -> Result<PathBuf> {
            let path = folder.join(name);
            fs::create_dir(&path).map_err(said)?;
            Ok(path)
        };
        let (lower, upper, work, place) =
            (part("lower")?, part("upper")?, part("work")?, part("overlay.mount")?);
        let options = format!("lowerdir={},upperdir={},workdir={}", text(&lower), text(&upper), text(&work));
        run("mount", &["-t", "overlay", "-o", &options, "overlay", text(&place)])?;
        Ok(Self { place, image: None, is_mounted: true })
    }

    /// Bytes that are taken.
    pub fn used(&self) -> Result<u64> {
        run("sync", &["-f", text(&self.place)])?;
        let stat = rustix::fs::statvfs(&self.place).map_err(said)?;
        Ok((stat.f_blocks - stat.f_bfree) * stat.f_frsize)
    }

    /// Lets a file system in memory have so many bytes.
    pub fn resize(&self, len: u64) -> Result<()> {
        run("mount", &["-o", &format!("remount,size={len}"), text(&self.place)])
    }

    /// Mounts it again.
    pub fn mount(&mut self) -> Result<()> {
        if let (Some(image), false) = (&self.image, self.is_mounted) {
            run("mount", &["-o", "loop", text(image), text(&self.place)])?;
            self.is_mounted = true;
        }
        Ok(())
    }

    /// Takes it away; what was written is in the image.
    pub fn unmount(&mut self) -> Result<()> {
        if self.is_mounted {
            run("umount", &[text(&self.place)])?;
            self.is_mounted = false;
        }
        Ok(())
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        if self.is_mounted && self.unmount().is_err() {
            let _ = run("umount", &["-l", text(&self.place)]);
        }
    }
}
