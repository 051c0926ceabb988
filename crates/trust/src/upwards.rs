//! Looks for a project's file from a folder upwards.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use crate::error::{Error, Result};

/// The first `name` in `start` or a folder above it, the nearest first. `stop` is the last folder that is looked into (a
/// home, say); the root is in any case. Whether it may be believed is for [`check`](crate::Trust::check) to say.
///
/// Goes by the text of `start`: give a path without links, such as the current folder's.
///
/// # Errors
///
/// [`Error::NotAName`] where `name` is more than a plain name; [`Error::Io`] where a folder can't be looked into, because what
/// is farther up must not take the place of what could not be seen.
pub fn find_upwards(start: &Path, name: &str, stop: Option<&Path>) -> Result<Option<PathBuf>> {
    let mut components = Path::new(name).components();
    let is_plain = matches!((components.next(), components.next()), (Some(Component::Normal(plain)), None) if plain == name);
    if !is_plain {
        return Err(Error::NotAName { name: PathBuf::from(name) });
    }
    for folder in start.ancestors() {
        let path = folder.join(name);
        match fs::symlink_metadata(&path) {
            Ok(_) => return Ok(Some(path)),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
            Err(source) => return Err(Error::Io { action: "look at", path, source }),
        }
        // By components: `/home/u` is not where `/home/user` is.
        if stop == Some(folder) {
            break;
        }
    }
    Ok(None)
}
