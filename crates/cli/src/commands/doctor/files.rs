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

pub(super) fn len_of(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}

/// Bytes of a file, or of all files in a folder.
pub(super) fn len_of_all(path: &Path) -> u64 {
    fn walk(path: &Path, depth: usize) -> u64 {
        match fs::symlink_metadata(path) {
            Ok(metadata) if metadata.is_file() => metadata.len(),
            Ok(metadata) if metadata.is_dir() && depth < DEPTH_MAX => fs::read_dir(path)
                .into_iter()
                .flatten()
                .flatten()
                .map(|entry| walk(&entry.path(), depth + 1))
                .sum(),
            _ => 0,
        }
    }
    walk(path, 0)
}

/// Bytes of what annals has put beside a log.
fn len_beside(log: &Path) -> u64 {
    let (Some(folder), Some(name)) = (log.parent(), log.file_name()) else { return 0 };
    let beside = format!("{}{BESIDE}", name.to_string_lossy());
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let is_beside = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().starts_with(&beside);
    entries.filter(is_beside).map(|entry| len_of(&entry.path())).sum()
}

/// A store that is one file.
pub(super) fn of_file(who: &'static str, holds: Vec<String>, path: &Path, findings: &mut Findings) -> Kept {
    let len = len_of(path);
    if len == 0 {
        findings.add(Kind::Unfinished, who, String::from(EMPTY), None);
    }
    Kept { who, holds: holds.join(", "), len, beside: len_beside(path), paths: vec![path.to_owned()] }
}

/// A log that belongs to a store: whether each of its lines is a record.
pub(super) fn judge(who: &'static str, path: &Path, look: &Look, findings: &mut Findings) {
    match Target::of_file(path, len_of(path)).examine(&look.options) {
        Ok(examined) if examined.report.is_clean() || examined.report.is_in_flight() => {}
        Ok(examined) => {
            let text = format!("{}: {}", at_home(path), plural(examined.report.damaged(), "damaged line"));
            findings.add(Kind::Damaged, who, text, Some(command_on("annals verify", path)));
        }
        Err(failure) => findings.failure(who, &failure),
    }
}
