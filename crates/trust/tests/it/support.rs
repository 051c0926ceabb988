//! Projects and stores to test with.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use annals_trust::{Digest, Trust, TrustOptions, Verdict};
use tempfile::TempDir;

/// A folder with a store and a project that nobody else can change.
pub(crate) struct Place {
    _folder: TempDir,
    pub(crate) root: PathBuf,
    pub(crate) store: PathBuf,
    pub(crate) project: PathBuf,
    seconds: Arc<AtomicU64>,
}

/// The first time that the clock tells: 2026-11-20T08:00:00Z.
pub(crate) fn start() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_795_161_600)
}

pub(crate) fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

pub(crate) fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        chmod(&root, 0o700);
        let project = root.join("project");
        fs::create_dir(&project).unwrap();
        chmod(&project, 0o700);
        Self {
            _folder: folder,
            store: root.join("store/trusted-projects"),
            project,
            root,
            seconds: Arc::default(),
        }
    }

    /// With a store that holds these bytes.
    pub(crate) fn holding(bytes: &[u8]) -> Self {
        let place = Self::new();
        place.put_store(bytes);
        place
    }

    pub(crate) fn put_store(&self, bytes: &[u8]) {
        let folder = self.store.parent().unwrap();
        fs::create_dir_all(folder).unwrap();
        chmod(folder, 0o700);
        fs::write(&self.store, bytes).unwrap();
        chmod(&self.store, 0o600);
    }

    pub(crate) fn options(&self) -> TrustOptions {
        let seconds = Arc::clone(&self.seconds);
        TrustOptions::new()
            .clock(move || start() + Duration::from_secs(seconds.fetch_add(1, Ordering::Relaxed)))
    }

    /// A handle of its own, as another process would have.
    pub(crate) fn trust(&self) -> Trust {
        self.options().open(&self.store)
    }

    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.project.join(name);
        fs::write(&path, text).unwrap();
        chmod(&path, 0o600);
        path
    }

    /// A file that was approved.
    pub(crate) fn approved(&self, name: &str, text: &str) -> PathBuf {
        let path = self.file(name, text);
        self.trust().allow(&path, Digest::of(text.as_bytes())).unwrap();
        path
    }
}

/// `allowed`, `changed`, `denied`, `unknown`, or `doubtful`.
pub(crate) fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Allowed(_) => "allowed",
        Verdict::Changed { .. } => "changed",
        Verdict::Denied { .. } => "denied",
        Verdict::Unknown { is_doubtful: true, .. } => "doubtful",
        Verdict::Unknown { .. } => "unknown",
        _ => "another",
    }
}

pub(crate) fn check(trust: &Trust, path: &Path) -> &'static str {
    word(&trust.check(path).unwrap())
}

pub(crate) fn testdata(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/testdata").join(name)).unwrap()
}
