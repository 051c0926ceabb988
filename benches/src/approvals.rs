//! A store of approvals, of which the last is that of a file that is there.

use std::fs;
use std::path::{Path, PathBuf};

use annals_trust::Digest;

pub(crate) struct Approvals {
    pub(crate) store: PathBuf,
    pub(crate) file: PathBuf,
}

impl Approvals {
    /// Makes the folder, which nobody else may look into, the file and so many approvals.
    pub(crate) fn write(folder: &Path, count: u64) -> Self {
        let approvals = Self { store: folder.join("trusted-projects"), file: folder.join(".envrc") };
        fs::create_dir(folder).unwrap();
        only_mine(folder, 0o700);
        let text = "export FERRY=K7\n".repeat(20);
        let digest = Digest::of(text.as_bytes());
        fs::write(&approvals.file, text).unwrap();
        only_mine(&approvals.file, 0o600);
        let approval = |path: &str| {
            format!("{{\"path\":\"{path}\",\"sha256\":\"{digest}\",\"ts\":\"2026-05-16T23:45:07Z\"}}\n")
        };
        let mut text: String = (1..count).map(|n| approval(&format!("/home/u/project-{n}/.envrc"))).collect();
        text += &approval(approvals.file.to_str().unwrap());
        fs::write(&approvals.store, text).unwrap();
        only_mine(&approvals.store, 0o600);
        approvals
    }
}

#[cfg(unix)]
fn only_mine(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[cfg(not(unix))]
fn only_mine(_: &Path, _: u32) {}
