//! Folders of session files: listing them, and writing them.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::foreign::{ForeignSession, Remark};

/// A session file that was found in a folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Entry {
    /// Where its messages are, or would be.
    pub path: PathBuf,
    /// Whether it had been put aside.
    pub archived: bool,
}

/// A file to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OutFile {
    /// Its name in the folder.
    pub name: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// The files of a folder that `archived` takes, with what it says of them, in the order of their names.
pub(crate) fn list(dir: &Path, archived: impl Fn(&str) -> Option<bool>) -> Result<Vec<Entry>> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::io("list", dir)(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(Error::io("list", dir))?;
        let Some(archived) = entry.file_name().to_str().and_then(&archived) else { continue };
        match entry.file_type() {
            Ok(kind) if kind.is_file() => found.push(Entry { path: entry.path(), archived }),
            // Gone meanwhile.
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Error::io("look at", &entry.path())(error));
            }
            _ => {}
        }
    }
    found.sort();
    Ok(found)
}

/// The file's name without its ending.
pub(crate) fn stem(path: &Path, suffix: &str) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.strip_suffix(suffix).unwrap_or(&name).to_owned()
}

/// A key as a file name as it is, if it can be one here and stays in its folder.
pub(crate) fn plain_name(key: &str, suffix: &str) -> Result<String> {
    let refused = |reason| Err(Error::Key { key: key.to_owned(), reason });
    if key.is_empty() || key == "." || key == ".." {
        return refused("it would not be a name");
    }
    let is_special = |c: char| match c {
        '/' => true,
        '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|' => cfg!(windows),
        _ => c.is_control(),
    };
    if key.contains(is_special) {
        return refused("it has a separator or a control character; a fork can have another key");
    }
    if key.starts_with('.') {
        return refused("it would be hidden");
    }
    if key.len() + suffix.len() > 255 {
        return refused("it is too long");
    }
    Ok(format!("{key}{suffix}"))
}

/// What a layout that has only messages, and perhaps a header, can't hold.
pub(crate) fn no_place(session: &ForeignSession, has_archive: bool) -> Vec<Remark> {
    let mut remarks = Vec::new();
    let mut no_place = |what: &str| remarks.push(Remark::NoPlace { what: what.to_owned() });
    if !session.summary.is_empty() {
        no_place("the summary has no place here");
    }
    if session.hidden > 0 {
        no_place("hidden messages are shown here");
    }
    if !session.aliases.is_empty() {
        no_place("aliases have no place here");
    }
    if has_archive && session.metadata.is_some() {
        no_place("metadata has no place here");
    }
    if !has_archive && session.archived {
        no_place("that it is archived has no place here");
    }
    remarks
}

/// How many lines were written.
pub(crate) struct Written {
    pub(crate) total: usize,
    pub(crate) hidden: usize,
}

/// Writes the messages, and those notes that are the layout's own.
pub(crate) fn write_messages(
    session: &ForeignSession,
    bytes: &mut Vec<u8>,
    remarks: &mut Vec<Remark>,
    is_own_note: impl Fn(&[u8]) -> bool,
) -> Written {
    let mut written = Written { total: 0, hidden: 0 };
    let mut notes = 0;
    for (index, record) in session.records.iter().enumerate() {
        if !record.is_message && !is_own_note(&record.raw) {
            notes += 1;
            continue;
        }
        bytes.extend_from_slice(&record.raw);
        bytes.push(b'\n');
        written.total += 1;
        written.hidden += usize::from(index < session.hidden);
    }
    if notes > 0 {
        remarks.push(Remark::NoPlace { what: format!("{notes} notes are left out") });
    }
    written
}

/// Writes files into a folder, which is made if it isn't there: readable by their owner only, whole, and never over
/// a file that holds something else. Returns whether anything was written.
///
/// # Errors
///
/// [`Error::Exists`], and nothing has been written; [`Error::Io`].
pub fn write_files(dir: &Path, files: &[OutFile]) -> Result<bool> {
    let mut missing = Vec::new();
    for file in files {
        let path = dir.join(&file.name);
        match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => missing.push((path, file)),
            Err(error) => return Err(Error::io("look at", &path)(error)),
            Ok(found) => {
                let is_same = found.is_file()
                    && found.len() == file.bytes.len() as u64
                    && fs::read(&path).map_err(Error::io("read", &path))? == file.bytes;
                if !is_same {
                    return Err(Error::Exists { path });
                }
            }
        }
    }
    jsonl_core::create_folder(dir)?;
    for (path, file) in &missing {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let written = options.open(path).and_then(|mut out| {
            out.write_all(&file.bytes)?;
            out.sync_all()
        });
        if let Err(error) = written {
            if error.kind() != io::ErrorKind::AlreadyExists {
                let _ = fs::remove_file(path);
            }
            return Err(Error::io("write", path)(error));
        }
    }
    Ok(!missing.is_empty())
}
