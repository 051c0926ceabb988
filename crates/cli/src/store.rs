//! Where annals keeps what is its own, and what a name on the command line means.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use annals_session::{Durability, Resolved, Session, Store, StoreOptions};

use crate::agents::{Agents, Found};
use crate::exit::{Exit, Failure};
use crate::out::Out;

/// The folder of everything that annals keeps.
pub(crate) struct Home {
    folder: Option<PathBuf>,
    /// Whether it was named on the command line.
    is_given: bool,
}

/// What a name means.
pub(crate) enum Target {
    /// A file, and one of its lines.
    File(PathBuf, Option<u64>),
    /// The key of a session, perhaps with `@N` behind it.
    Session(String),
    /// The transcript of an agent's session, and one of its lines.
    Transcript(Box<Found>, Option<u64>),
}

impl Home {
    /// `--root`, or else `ANNALS_HOME`, or else the platform's folder for a user's data.
    pub(crate) fn of(root: Option<&Path>) -> Self {
        let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let under = |name: &str, rest: &str| set(name).map(|folder| folder.join(rest));
        let found = root.map(Path::to_owned).or_else(|| set("ANNALS_HOME")).or_else(|| {
            if cfg!(windows) {
                under("LOCALAPPDATA", "annals")
            } else if cfg!(target_os = "macos") {
                under("HOME", "Library/Application Support/annals")
            } else {
                // A relative one is to be ignored, says the specification of these folders.
                under("XDG_DATA_HOME", "annals")
                    .filter(|folder| folder.is_absolute())
                    .or_else(|| under("HOME", ".local/share/annals"))
            }
        });
        Self { folder: found, is_given: root.is_some() }
    }

    /// How this program is called about the same folder again.
    pub(crate) fn annals(&self) -> String {
        match self.folder.as_ref().filter(|_| self.is_given) {
            Some(root) => {
                let root = std::path::absolute(root).unwrap_or_else(|_| root.clone());
                format!("annals --root {}", crate::human::shell_word(&root.to_string_lossy()))
            }
            None => String::from("annals"),
        }
    }

    /// The sessions.
    pub(crate) fn store(&self) -> Result<Store, Failure> {
        self.store_with(Durability::SyncData)
    }

    pub(crate) fn store_with(&self, durability: Durability) -> Result<Store, Failure> {
        let options = StoreOptions::new().durability(durability).program("annals");
        Ok(options.open(self.join("sessions")?)?)
    }

    /// The folder itself, if there is one for this user.
    pub(crate) fn path(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// The path of something that is kept there.
    pub(crate) fn join(&self, name: &str) -> Result<PathBuf, Failure> {
        match &self.folder {
            Some(home) => Ok(home.join(name)),
            None => {
                let text = format!("there is no folder for {name}; set --root, ANNALS_HOME or HOME");
                Err(Failure::Told(Exit::Usage, text))
            }
        }
    }

    /// The session of a key, or else of an alias, whether it is there or not.
    pub(crate) fn session(&self, store: &Store, name: &str) -> Result<Session, Failure> {
        let session = store.session(name)?;
        // Somebody who types what a list shows means that.
        if session.exists()?.is_some() {
            return Ok(session);
        }
        Ok(match store.resolve(name)? {
            Resolved::Alias(key) => store.session(&key)?,
            _ => session,
        })
    }

    /// The session of a key or an alias, which has to be there.
    pub(crate) fn existing(&self, store: &Store, name: &str) -> Result<Session, Failure> {
        let session = self.session(store, name)?;
        if session.exists()?.is_some() {
            return Ok(session);
        }
        if Path::new(name).exists() {
            let name = crate::human::name(name);
            let text = format!("there is no session {name:?}; to read the file of this name, write ./{name}");
            return Err(Failure::Told(Exit::NotFound, text));
        }
        Err(annals_session::Error::NotFound { key: session.key().to_owned() }.into())
    }

    /// An existing path that holds a separator or ends in `.jsonl` is a file; then comes a session of the store, and then one of an
    /// agent. What is none of these is a session that isn't there.
    pub(crate) fn target(
        &self,
        name: &OsStr,
        is_key: bool,
        agents: &Agents,
        out: &mut Out,
    ) -> Result<Target, Failure> {
        let Some(name) = name.to_str() else {
            if is_key {
                return Err(Failure::Told(Exit::Usage, "a key has to be UTF-8".to_owned()));
            }
            return Ok(Target::File(PathBuf::from(name), None));
        };
        let is_path = |text: &str| {
            let has_separator = text.contains('/') || text.contains(std::path::MAIN_SEPARATOR);
            has_separator || [".jsonl", ".jsonl.zst"].iter().any(|end| text.ends_with(end))
        };
        if is_key {
            return Ok(Target::Session(name.to_owned()));
        }
        if is_path(name) && Path::new(name).exists() {
            return Ok(Target::File(PathBuf::from(name), None));
        }
        let numbered = split_number(name);
        if let Some((path, number)) = numbered
            && is_path(path)
            && Path::new(path).exists()
        {
            return Ok(Target::File(PathBuf::from(path), Some(number)));
        }
        let is_own = |key: &str| -> Result<bool, Failure> {
            Ok(!key.is_empty() && self.session(&self.store()?, key)?.exists()?.is_some())
        };
        if is_own(name)? || numbered.is_some_and(|(key, _)| is_own(key).unwrap_or(false)) {
            return Ok(Target::Session(name.to_owned()));
        }
        if let Some(found) = agents.resolve(name, out)? {
            return Ok(Target::Transcript(Box::new(found), None));
        }
        if let Some((name, number)) = numbered
            && let Some(found) = agents.resolve(name, out)?
        {
            return Ok(Target::Transcript(Box::new(found), Some(number)));
        }
        Ok(Target::Session(name.to_owned()))
    }
}

/// `NAME@12`.
pub(crate) fn split_number(name: &str) -> Option<(&str, u64)> {
    let (name, number) = name.rsplit_once('@')?;
    Some((name, number.parse().ok()?))
}
