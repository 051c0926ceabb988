//! The system calls that touch files, by what they do.

/// What a call does to a file or a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Opens or makes a file.
    Open,
    /// Reads bytes.
    Read,
    /// Writes bytes.
    Write,
    /// Carries bytes or names to the device.
    Sync,
    /// Looks at what a name or a file is.
    Look,
    /// Lists a folder.
    List,
    /// Makes, moves or removes a name.
    Name,
    /// Makes a file shorter or longer.
    Size,
    /// Changes modes, owners or times.
    Mode,
    /// Locks.
    Lock,
}

/// What a call is, on this kind of processor; `None` for those that don't touch files.
#[cfg(target_arch = "x86_64")]
pub fn kind(number: u64) -> Option<Kind> {
    Some(match number {
        // open, creat, openat, openat2
        2 | 85 | 257 | 437 => Kind::Open,
        // read, pread64, readv, preadv
        0 | 17 | 19 | 295 => Kind::Read,
        // write, pwrite64, writev, pwritev, copy_file_range, sendfile
        1 | 18 | 20 | 296 | 326 | 40 => Kind::Write,
        // fsync, fdatasync, sync_file_range
        74 | 75 | 277 => Kind::Sync,
        // stat, fstat, lstat, newfstatat, statx, readlink, readlinkat, access, faccessat, faccessat2
        4 | 5 | 6 | 262 | 332 | 89 | 267 | 21 | 269 | 439 => Kind::Look,
        // getdents64
        217 => Kind::List,
        // rename, mkdir, rmdir, link, unlink, symlink, mkdirat, unlinkat, renameat, linkat, symlinkat, renameat2
        82 | 83 | 84 | 86 | 87 | 88 | 258 | 263 | 264 | 265 | 266 | 316 => Kind::Name,
        // truncate, ftruncate, fallocate
        76 | 77 | 285 => Kind::Size,
        // chmod, fchmod, chown, fchown, fchownat, fchmodat, utimensat
        90 | 91 | 92 | 93 | 260 | 268 | 280 => Kind::Mode,
        // flock
        73 => Kind::Lock,
        _ => return None,
    })
}

/// The numbers of calls whose effect on a disk is followed.
#[cfg(target_arch = "x86_64")]
pub mod number {
    #![allow(missing_docs)]

    pub const READ: u64 = 0;
    pub const WRITE: u64 = 1;
    pub const OPEN: u64 = 2;
    pub const CLOSE: u64 = 3;
    pub const PWRITE: u64 = 18;
    pub const DUP: u64 = 32;
    pub const FCNTL: u64 = 72;
    pub const FSYNC: u64 = 74;
    pub const FDATASYNC: u64 = 75;
    pub const FTRUNCATE: u64 = 77;
    pub const RENAME: u64 = 82;
    pub const MKDIR: u64 = 83;
    pub const RMDIR: u64 = 84;
    pub const UNLINK: u64 = 87;
    pub const OPENAT: u64 = 257;
    pub const MKDIRAT: u64 = 258;
    pub const UNLINKAT: u64 = 263;
    pub const RENAMEAT: u64 = 264;
    pub const RENAMEAT2: u64 = 316;
    pub const COPY_FILE_RANGE: u64 = 326;
}
