//! Who else can read or change what is kept.

use std::path::{Path, PathBuf};

use super::findings::Findings;
use crate::agents::Found;

#[cfg(unix)]
mod unix {
    use std::collections::{BTreeMap, HashMap};
    use std::fs::{self, Metadata};
    use std::os::unix::fs::MetadataExt;
    use std::path::{Path, PathBuf};

    use super::Findings;
    use crate::agents::Found;
    use crate::commands::doctor::files::{BESIDE, DEPTH_MAX};
    use crate::commands::doctor::findings::Kind;
    use crate::commands::doctor::{at_home, command_on};
    use crate::files::is_gone;
    use crate::human::{count, plural};

    /// Names of annals's own and what they hold; whatever else lies in its folder is somebody else's.
    const OWN: [(&str, &str); 4] = [
        ("sessions", "sessions"),
        ("memory.jsonl", "memory"),
        ("trusted-projects", "trust"),
        ("catalog", "catalog"),
    ];

    const WHO: &str = "permissions";

    /// Who may go through a folder.
    const OTHERS: u32 = 0o001;
    const GROUP_AND_OTHERS: u32 = 0o011;

    /// What is found below a folder.
    #[derive(Default)]
    struct Below {
        /// Files and folders that others may read, change or look into.
        open: u64,
        /// Those of another user.
        others: u64,
        /// What replacements that were killed have left, or what a running one is about to put in place.
        unplaced: u64,
    }

    impl Below {
        fn walk(&mut self, path: &Path, depth: usize, findings: &mut Findings) {
            let found = findings.looked(WHO, "look at", path, fs::symlink_metadata(path).map(Some));
            let Some(metadata) = found else { return };
            self.note(&metadata);
            self.unplaced += u64::from(path.to_string_lossy().contains(".annals-tmp-"));
            if metadata.is_dir() && depth < DEPTH_MAX {
                for entry in findings.entries(WHO, path) {
                    self.walk(&entry.path(), depth + 1, findings);
                }
            }
        }

        fn note(&mut self, metadata: &Metadata) {
            self.open += u64::from(!metadata.is_symlink() && metadata.mode() & 0o077 != 0);
            self.others += u64::from(metadata.uid() != rustix::process::geteuid().as_raw());
        }
    }

    /// annals's own folder: what annals has made in it, and nothing else that may lie there.
    pub(super) fn own(root: &Path, findings: &mut Findings) {
        if let Err(error) = fs::metadata(root) {
            // A link to nothing is something; what isn't there yet is nothing.
            if root.is_symlink() && is_gone(&error) {
                findings.add(
                    Kind::Unreadable,
                    WHO,
                    format!("{}: a link that leads nowhere", at_home(root)),
                    None,
                );
            }
            // What isn't there is nothing.
            return findings.looked(WHO, "look at", root, Err(error));
        }
        // Behind a door that is shut, nobody reads what lies open.
        let is_reached = is_reached(root, GROUP_AND_OTHERS, &mut HashMap::new());
        let mut unplaced: BTreeMap<&str, u64> = BTreeMap::new();
        for entry in findings.entries(WHO, root) {
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_of = |(own, _): &&(&str, &str)| {
                name.strip_prefix(*own).is_some_and(|rest| rest.is_empty() || rest.starts_with(BESIDE))
            };
            let Some((_, who)) = OWN.iter().find(is_of) else { continue };
            let path = entry.path();
            let mut below = Below::default();
            below.walk(&path, 0, findings);
            *unplaced.entry(who).or_default() += below.unplaced;
            let shown = at_home(&path);
            let several = |number: u64| match number {
                1 => String::from("1 file or folder"),
                number => format!("{} files and folders", count(number)),
            };
            if below.open > 0 && is_reached {
                let text = format!("{shown}: {} that others can read or look into", several(below.open));
                findings.add(Kind::Open, WHO, text, Some(command_on("chmod -R go=", &path)));
            }
            if below.others > 0 {
                let text = format!("{shown}: {} of another user", several(below.others));
                findings.add(Kind::Open, WHO, text, Some(command_on("sudo chown -R \"$(id -un)\"", &path)));
            }
        }
        let writable = rustix::fs::access(root, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK);
        if let Err(error) = writable {
            let why = std::io::Error::from(error);
            let text = format!("{}: nothing can be written there: {why}", at_home(root));
            findings.add(Kind::Stuck, WHO, text, Some(command_on("ls -ld", root)));
        }
        for (who, number) in unplaced.into_iter().filter(|(_, number)| *number > 0) {
            let files = plural(number, "file");
            let text =
                format!("{files} of compactions that were killed or are running; the next one removes them");
            findings.add(Kind::Space, who, text, None);
        }
    }

    /// The transcripts of an agent: whether everybody on this machine can read them.
    pub(super) fn agents(who: &'static str, all: &[Found], folders: &[PathBuf], findings: &mut Findings) {
        let mut reached = HashMap::new();
        for folder in folders {
            let mut open = 0;
            for found in all.iter().filter(|found| found.path().starts_with(folder)) {
                let mode = fs::metadata(found.path()).map(|metadata| metadata.mode());
                let is_open = findings.looked(who, "look at", found.path(), mode) & 0o004 != 0;
                let folder = found.path().parent().filter(|_| is_open);
                open += u64::from(folder.is_some_and(|folder| is_reached(folder, OTHERS, &mut reached)));
            }
            if open > 0 {
                let text = format!("{} can be read by every user of this machine", plural(open, "session"));
                findings.add(Kind::Open, who, text, Some(command_on("chmod go=", folder)));
            }
        }
    }

    /// Whether any of these can go to a folder, from the root on.
    fn is_reached(folder: &Path, by: u32, known: &mut HashMap<PathBuf, bool>) -> bool {
        if let Some(is_reached) = known.get(folder) {
            return *is_reached;
        }
        // What can't be looked at is no door that is shut.
        let passes = fs::metadata(folder).map_or(true, |metadata| metadata.mode() & by != 0);
        let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        let is_reached = passes && absolute.parent().is_none_or(|parent| is_reached(parent, by, known));
        known.insert(folder.to_owned(), is_reached);
        is_reached
    }
}

pub(super) fn own(root: &Path, findings: &mut Findings) {
    #[cfg(unix)]
    unix::own(root, findings);
    #[cfg(not(unix))]
    let _ = (root, findings);
}

pub(super) fn agents(who: &'static str, all: &[Found], folders: &[PathBuf], findings: &mut Findings) {
    #[cfg(unix)]
    unix::agents(who, all, folders, findings);
    #[cfg(not(unix))]
    let _ = (who, all, folders, findings);
}
