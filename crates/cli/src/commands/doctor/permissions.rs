//! Who else can read or change what is kept.

use std::path::Path;

use super::Findings;
use crate::agents::Found;

#[cfg(unix)]
mod unix {
    use std::collections::HashMap;
    use std::fs::{self, Metadata};
    use std::os::unix::fs::MetadataExt;
    use std::path::{Path, PathBuf};

    use super::Findings;
    use crate::agents::Found;
    use crate::commands::doctor::{Kind, at_home, command_on};
    use crate::human::plural;

    /// Folders in folders, so deep; what annals makes is four deep.
    const DEPTH_MAX: usize = 16;

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
        fn walk(&mut self, folder: &Path, depth: usize) {
            // What can't be looked at shows when it is read.
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                let path = entry.path();
                let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
                self.note(&metadata);
                let is_unplaced = entry.file_name().to_string_lossy().contains(".annals-tmp-");
                self.unplaced += u64::from(is_unplaced);
                if metadata.is_dir() && depth < DEPTH_MAX {
                    self.walk(&path, depth + 1);
                }
            }
        }

        fn note(&mut self, metadata: &Metadata) {
            self.open += u64::from(!metadata.is_symlink() && metadata.mode() & 0o077 != 0);
            self.others += u64::from(metadata.uid() != rustix::process::geteuid().as_raw());
        }
    }

    /// annals's own folder.
    pub(super) fn own(root: &Path, findings: &mut Findings) {
        let Ok(metadata) = fs::metadata(root) else { return };
        let mut below = Below::default();
        below.note(&metadata);
        below.walk(root, 0);
        let (who, shown) = ("permissions", at_home(root));
        // Behind a door that is shut, nobody reads what lies open.
        if below.open > 0 && metadata.mode() & 0o077 != 0 {
            let text = format!("{shown}: others may look into {}", plural(below.open, "file or folder"));
            findings.add(Kind::Open, who, text, Some(command_on("chmod -R go=", root)));
        }
        if below.others > 0 {
            let text = format!("{shown}: {} of another user", plural(below.others, "file or folder"));
            findings.add(Kind::Open, who, text, Some(command_on("sudo chown -R \"$(id -un)\"", root)));
        }
        if below.unplaced > 0 {
            let text = format!(
                "{shown}: {} of compactions that were killed or are running; the next one removes them",
                plural(below.unplaced, "file")
            );
            findings.add(Kind::Space, "space", text, None);
        }
    }

    /// The transcripts of an agent: whether everybody on this machine can read them.
    pub(super) fn agents(who: &'static str, all: &[Found], findings: &mut Findings) {
        let mut reached = HashMap::new();
        let can_read = |found: &&Found| {
            let is_open = fs::metadata(found.path()).is_ok_and(|metadata| metadata.mode() & 0o004 != 0);
            is_open && found.path().parent().is_some_and(|folder| is_reached(folder, &mut reached))
        };
        let open: Vec<&Found> = all.iter().filter(can_read).collect();
        let Some(first) = open.first() else { return };
        let text =
            format!("{} can be read by every user of this machine", plural(open.len() as u64, "session"));
        // The folder that all of them are in.
        let mut folder = first.path().parent().map(Path::to_owned).unwrap_or_default();
        while !open.iter().all(|found| found.path().starts_with(&folder)) && folder.pop() {}
        findings.add(Kind::Open, who, text, Some(command_on("chmod go=", &folder)));
    }

    /// Whether everybody can go to a folder, from the root on.
    fn is_reached(folder: &Path, known: &mut HashMap<PathBuf, bool>) -> bool {
        if let Some(is_reached) = known.get(folder) {
            return *is_reached;
        }
        let passes = fs::metadata(folder).is_ok_and(|metadata| metadata.mode() & 0o001 != 0);
        let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        let is_reached = passes && absolute.parent().is_none_or(|parent| is_reached(parent, known));
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

pub(super) fn agents(who: &'static str, all: &[Found], findings: &mut Findings) {
    #[cfg(unix)]
    unix::agents(who, all, findings);
    #[cfg(not(unix))]
    let _ = (who, all, findings);
}
