//! What can be said of a file of ours whatever is in it.

use std::fs;
use std::path::Path;

use super::findings::{Findings, Kind};
use super::{Kept, Look, at_home, command_on};
use crate::commands::transcripts::examine::Target;
use crate::human::plural;

/// Somebody has to look at it: annals writes something into each file of its own when it makes it.
pub(super) const EMPTY: &str = "empty, so it was begun and never written to, or somebody has emptied it";

/// Folders in folders, so deep; what annals makes is four deep.
pub(super) const DEPTH_MAX: usize = 16;

/// What names go on with that annals has put beside a log.
pub(super) const BESIDE: &str = ".annals-";

/// Bytes of a file, or of all files in a folder.
pub(super) fn len_of_all(who: &'static str, path: &Path, findings: &mut Findings) -> u64 {
    fn walk(who: &'static str, path: &Path, depth: usize, findings: &mut Findings) -> u64 {
        let found = findings.looked(who, "look at", path, fs::symlink_metadata(path).map(Some));
        match found {
            Some(metadata) if metadata.is_file() => metadata.len(),
            Some(metadata) if metadata.is_dir() && depth < DEPTH_MAX => {
                let inside = findings.entries(who, path);
                inside.iter().map(|entry| walk(who, &entry.path(), depth + 1, findings)).sum()
            }
            _ => 0,
        }
    }
    walk(who, path, 0, findings)
}

/// Bytes of what annals has put beside a log.
fn len_beside(who: &'static str, log: &Path, findings: &mut Findings) -> u64 {
    let (Some(folder), Some(name)) = (log.parent(), log.file_name()) else { return 0 };
    let beside = format!("{}{BESIDE}", name.to_string_lossy());
    let mut inside = findings.entries(who, folder);
    inside.retain(|entry| entry.file_name().to_string_lossy().starts_with(&beside));
    inside.iter().map(|entry| len_of_all(who, &entry.path(), findings)).sum()
}

/// A store that is one file.
pub(super) fn of_file(who: &'static str, holds: Vec<String>, path: &Path, findings: &mut Findings) -> Kept {
    let len = fs::metadata(path).map(|metadata| metadata.len());
    if matches!(len, Ok(0)) {
        findings.add(Kind::Unfinished, who, String::from(EMPTY), None);
    }
    let len = findings.looked(who, "look at", path, len);
    let beside = len_beside(who, path, findings);
    Kept { who, holds: holds.join(", "), len, beside, paths: vec![path.to_owned()] }
}

/// A log that belongs to a store: whether each of its lines is a record.
pub(super) fn judge(who: &'static str, path: &Path, look: &Look, findings: &mut Findings) {
    match Target::of_file(path, findings.len_of(who, path)).examine(&look.options) {
        Ok(examined) if examined.report.is_clean() || examined.report.is_in_flight() => {}
        Ok(examined) => {
            let text = format!("{}: {}", at_home(path), plural(examined.report.damaged(), "damaged line"));
            findings.add(Kind::Damaged, who, text, Some(command_on("annals verify", path)));
        }
        Err(failure) => findings.failure(who, &failure),
    }
}
