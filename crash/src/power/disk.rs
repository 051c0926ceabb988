//! A disk of which is known what has reached it for certain, and what may have.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::hash::{Hash, Hasher};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use super::Dice;
use crate::subject::{Result, said};

/// What a disk writes at once.
const SECTOR: usize = 512;

/// So many sectors that may or may not be there are tried in all ways.
const SECTORS_ALL: usize = 8;

/// A file or folder, whatever its name.
pub(super) type Node = u64;

/// The folder that everything is in.
pub(super) const ROOT: Node = 0;

/// A name in a folder.
pub(super) type Name = (Node, String);

/// What a call changes.
#[derive(Clone, Debug)]
pub(super) enum Change {
    Write { node: Node, offset: usize, bytes: Vec<u8> },
    Truncate { node: Node, len: usize },
    Sync { node: Node },
    Make { name: Name, node: Node, is_folder: bool },
    Rename { from: Name, to: Name },
    Remove { name: Name },
}

/// A change of names that may or may not have reached the disk.
#[derive(Clone, Debug)]
enum Naming {
    Add(Node),
    Rename(Name),
    Remove,
}

#[derive(Clone, Debug, Default)]
struct File {
    certain: Vec<u8>,
    /// What was done since, in order.
    since: Vec<Piece>,
}

#[derive(Clone, Debug)]
enum Piece {
    Write(usize, Vec<u8>),
    Truncate(usize),
}

/// What has become of everything that is not certain.
#[derive(Clone, Debug)]
pub(super) struct Choice {
    /// Of each folder, so many of its changes have reached the disk.
    names: BTreeMap<Node, usize>,
    /// Of each file, so many writes, the last of them up to this byte.
    data: BTreeMap<Node, (usize, usize)>,
    /// In files: what became of the sectors that no sync has carried, taken in turn.
    sectors: Vec<Sector>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sector {
    New,
    /// As it was; behind the old end, NUL.
    Old,
    Garbage,
}

/// What is on the disk.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk {
    files: BTreeMap<Node, File>,
    folders: BTreeSet<Node>,
    certain: BTreeMap<Name, Node>,
    since: Vec<(Node, String, Naming)>,
}

/// Files and folders by their paths.
#[derive(Clone, Debug, Default, Hash)]
pub(super) struct Image {
    folders: Vec<String>,
    files: Vec<(String, Vec<u8>)>,
}

impl Disk {
    /// A disk on which everything that is in a folder is certain.
    pub(super) fn of(folder: &Path) -> Result<Self> {
        let mut disk = Self { folders: BTreeSet::from([ROOT]), ..Self::default() };
        disk.take(folder, ROOT)?;
        Ok(disk)
    }

    fn take(&mut self, folder: &Path, node: Node) -> Result<()> {
        for path in sorted(folder)? {
            let child = node_at(&path)?;
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            self.certain.insert((node, name), child);
            if path.is_dir() {
                self.folders.insert(child);
                self.take(&path, child)?;
            } else {
                let certain = fs::read(&path).map_err(said)?;
                self.files.insert(child, File { certain, since: Vec::new() });
            }
        }
        Ok(())
    }

    pub(super) fn apply(&mut self, change: &Change) {
        match change.clone() {
            Change::Write { node, offset, bytes } => {
                self.files.entry(node).or_default().since.push(Piece::Write(offset, bytes));
            }
            Change::Truncate { node, len } => {
                self.files.entry(node).or_default().since.push(Piece::Truncate(len))
            }
            Change::Sync { node } if self.folders.contains(&node) => {
                let (mut kept, mut certain) = (Vec::new(), std::mem::take(&mut self.certain));
                for (folder, name, naming) in std::mem::take(&mut self.since) {
                    let from = if let Naming::Rename((from, _)) = &naming { Some(*from) } else { None };
                    if folder == node || from == Some(node) {
                        rename(&mut certain, (folder, name), &naming);
                    } else {
                        kept.push((folder, name, naming));
                    }
                }
                (self.since, self.certain) = (kept, certain);
            }
            Change::Sync { node } => {
                if let Some(file) = self.files.get_mut(&node) {
                    let since = std::mem::take(&mut file.since);
                    file.certain = written(&file.certain, &since, usize::MAX);
                }
            }
            Change::Make { name: (folder, name), node, is_folder } => {
                if is_folder {
                    self.folders.insert(node);
                } else {
                    self.files.entry(node).or_default();
                }
                self.since.push((folder, name, Naming::Add(node)));
            }
            Change::Rename { from, to: (folder, name) } => {
                self.since.push((folder, name, Naming::Rename(from)))
            }
            Change::Remove { name: (folder, name) } => self.since.push((folder, name, Naming::Remove)),
        }
    }

    /// What may have become of what is not certain: all of it or a sample of so many.
    pub(super) fn choices(&self, max: usize, seed: u64) -> Vec<Choice> {
        let mut by_folder: BTreeMap<Node, usize> = BTreeMap::new();
        for (folder, ..) in &self.since {
            *by_folder.entry(*folder).or_default() += 1;
        }
        let open: Vec<(Node, &File)> = self
            .files
            .iter()
            .filter(|(_, file)| !file.since.is_empty())
            .map(|(node, file)| (*node, file))
            .collect();
        let whole = |file: &File| (file.since.len(), usize::MAX);
        let all: BTreeMap<Node, (usize, usize)> =
            open.iter().map(|(node, file)| (*node, whole(file))).collect();
        let none: BTreeMap<Node, (usize, usize)> = open.iter().map(|(node, _)| (*node, (0, 0))).collect();
        let no_names: BTreeMap<Node, usize> = by_folder.keys().map(|node| (*node, 0)).collect();
        let mut choices = Vec::new();
        for names in [&by_folder, &no_names] {
            for data in [&all, &none] {
                choices.push(Choice { names: names.clone(), data: data.clone(), sectors: Vec::new() });
            }
        }
        // Few sectors: every one of them new, old or garbage.
        let sectors: usize = open.iter().map(|(_, file)| sectors_of(file).len()).sum();
        if sectors <= SECTORS_ALL && sectors > 0 {
            for names in [&by_folder, &no_names] {
                for fill in [Sector::Old, Sector::Garbage] {
                    for bits in 0_u32..1 << sectors {
                        let sectors =
                            (0..sectors).map(|at| if bits >> at & 1 == 0 { Sector::New } else { fill });
                        let sectors = sectors.collect();
                        choices.push(Choice { names: names.clone(), data: all.clone(), sectors });
                    }
                }
            }
        }
        if by_folder.is_empty() && open.is_empty() {
            choices.truncate(1);
            return choices;
        }
        let mut dice = Dice(seed);
        if choices.len() > max {
            // The first few are the plainest; of the others some.
            while choices.len() > max {
                let at = 4 + dice.roll(choices.len() as u64 - 4) as usize;
                choices.swap_remove(at);
            }
            return choices;
        }
        for _ in choices.len()..max {
            let names = by_folder
                .iter()
                .map(|(node, count)| (*node, dice.roll(*count as u64 + 1) as usize))
                .collect();
            let data = open.iter().map(|(node, file)| {
                let count = dice.roll(file.since.len() as u64 + 1) as usize;
                let last = match file.since.get(count.wrapping_sub(1)) {
                    Some(Piece::Write(_, bytes)) => dice.roll(bytes.len() as u64 + 1) as usize,
                    _ => usize::MAX,
                };
                (*node, (count, last))
            });
            let data = data.collect();
            let sectors = (0..sectors.min(64)).map(|_| {
                [Sector::New, Sector::New, Sector::New, Sector::Old, Sector::Garbage][dice.roll(5) as usize]
            });
            choices.push(Choice { names, data, sectors: sectors.collect() });
        }
        choices
    }

    pub(super) fn image(&self, choice: &Choice) -> Image {
        let mut names = self.certain.clone();
        let mut done: BTreeMap<Node, usize> = BTreeMap::new();
        for (folder, name, naming) in &self.since {
            let count = done.entry(*folder).or_default();
            if *count < choice.names.get(folder).copied().unwrap_or(0) {
                rename(&mut names, (*folder, name.clone()), naming);
            }
            *count += 1;
        }
        let mut turns = choice.sectors.iter().copied();
        let mut contents = BTreeMap::new();
        for (node, file) in &self.files {
            let (count, last) = choice.data.get(node).copied().unwrap_or((0, 0));
            let mut bytes = written(&file.certain, &file.since[..count], last);
            for (at, sector) in sectors_of(file).into_iter().zip(&mut turns) {
                let end = (at + SECTOR).min(bytes.len());
                for (at, byte) in (at..end).zip(bytes.get_mut(at..end).unwrap_or_default()) {
                    // What was certain in a sector that is written again is not harmed.
                    let old = file.certain.get(at).copied();
                    match (sector, old) {
                        (Sector::New, _) => {}
                        (_, Some(old)) => *byte = old,
                        (Sector::Old, None) => *byte = 0,
                        (Sector::Garbage, None) => *byte = (at as u8).wrapping_mul(37) | 1,
                    }
                }
            }
            contents.insert(*node, bytes);
        }
        let mut image = Image::default();
        self.lay_out(&names, &contents, ROOT, "", &mut image);
        image
    }

    fn lay_out(
        &self,
        names: &BTreeMap<Name, Node>,
        contents: &BTreeMap<Node, Vec<u8>>,
        folder: Node,
        path: &str,
        image: &mut Image,
    ) {
        for ((_, name), node) in
            names.range((folder, String::new())..).take_while(|((found, _), _)| *found == folder)
        {
            let path = format!("{path}/{name}");
            if self.folders.contains(node) {
                image.folders.push(path.clone());
                self.lay_out(names, contents, *node, &path, image);
            } else if let Some(bytes) = contents.get(node) {
                image.files.push((path, bytes.clone()));
            }
        }
    }
}

impl Image {
    pub(super) fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        hasher.finish()
    }

    /// Makes it real, instead of whatever is in the folder.
    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        use std::io::Write;
        let mut private = fs::DirBuilder::new();
        fs::remove_dir_all(folder).map_err(said)?;
        private.mode(0o700).create(folder).map_err(said)?;
        for path in &self.folders {
            private.create(folder.join(&path[1..])).map_err(said)?;
        }
        for (path, bytes) in &self.files {
            let mut options = fs::OpenOptions::new();
            let file = options.write(true).create_new(true).mode(0o600).open(folder.join(&path[1..]));
            file.and_then(|mut file| file.write_all(bytes)).map_err(said)?;
        }
        Ok(())
    }
}

/// A change of names; one that no longer fits is passed over, since what it needs has not reached the disk.
fn rename(names: &mut BTreeMap<Name, Node>, name: Name, naming: &Naming) {
    match naming {
        Naming::Add(node) => drop(names.insert(name, *node)),
        Naming::Rename(from) => {
            if let Some(node) = names.remove(from) {
                names.insert(name, node);
            }
        }
        Naming::Remove => drop(names.remove(&name)),
    }
}

/// The bytes of a file after these pieces, of the last one so many bytes.
fn written(certain: &[u8], pieces: &[Piece], last: usize) -> Vec<u8> {
    let mut bytes = certain.to_vec();
    for (at, piece) in pieces.iter().enumerate() {
        match piece {
            Piece::Truncate(len) => bytes.resize(*len, 0),
            Piece::Write(offset, new) => {
                let new = if at + 1 == pieces.len() { &new[..new.len().min(last)] } else { new };
                let end = offset + new.len();
                if bytes.len() < end {
                    bytes.resize(end, 0);
                }
                bytes[*offset..end].copy_from_slice(new);
            }
        }
    }
    bytes
}

/// Where the sectors begin that were written since the last sync.
fn sectors_of(file: &File) -> Vec<usize> {
    let mut sectors = BTreeSet::new();
    for piece in &file.since {
        if let Piece::Write(offset, bytes) = piece
            && !bytes.is_empty()
        {
            sectors.extend(
                (offset / SECTOR..=(offset + bytes.len() - 1) / SECTOR).map(|sector| sector * SECTOR),
            );
        }
    }
    sectors.into_iter().collect()
}

/// What is in a folder, in the order of names.
fn sorted(folder: &Path) -> Result<Vec<std::path::PathBuf>> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut paths: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    Ok(paths)
}

/// By what a file or folder that is there is known.
pub(super) fn node_at(path: &Path) -> Result<Node> {
    use std::os::unix::fs::MetadataExt;
    let metadata = fs::symlink_metadata(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(metadata.ino())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(node: Node, offset: usize, bytes: &[u8]) -> Change {
        Change::Write { node, offset, bytes: bytes.to_vec() }
    }

    fn images(disk: &Disk) -> BTreeSet<Vec<(String, Vec<u8>)>> {
        disk.choices(256, 1).iter().map(|choice| disk.image(choice).files).collect()
    }

    #[test]
    fn what_is_synced_is_in_every_state_and_nothing_else_is() {
        let mut disk = Disk { folders: BTreeSet::from([ROOT]), ..Disk::default() };
        disk.apply(&Change::Make { name: (ROOT, "a".into()), node: 1, is_folder: false });
        disk.apply(&write(1, 0, b"one\n"));
        let lost = images(&disk);
        assert!(lost.contains(&vec![]) && lost.contains(&vec![("/a".into(), b"one\n".to_vec())]));
        assert!(lost.contains(&vec![("/a".into(), vec![0; 4])]), "its length and none of its bytes");
        assert!(lost.contains(&vec![("/a".into(), b"on".to_vec())]), "torn");
        disk.apply(&Change::Sync { node: 1 });
        assert!(images(&disk).contains(&vec![]), "a synced file may have lost its name");
        disk.apply(&Change::Sync { node: ROOT });
        assert_eq!(images(&disk), BTreeSet::from([vec![("/a".into(), b"one\n".to_vec())]]));
        disk.apply(&write(1, 4, b"two\n"));
        assert!(images(&disk).iter().all(|files| files[0].1.starts_with(b"one\n")));
        assert!(images(&disk).len() > 3);
    }

    #[test]
    fn a_rename_is_there_or_not_until_its_folder_is_synced() {
        let mut disk = Disk { folders: BTreeSet::from([ROOT]), ..Disk::default() };
        for (name, node, bytes) in [("a", 1, b"old"), ("t", 2, b"new")] {
            disk.apply(&Change::Make { name: (ROOT, name.into()), node, is_folder: false });
            disk.apply(&write(node, 0, bytes));
            disk.apply(&Change::Sync { node });
        }
        disk.apply(&Change::Sync { node: ROOT });
        disk.apply(&Change::Rename { from: (ROOT, "t".into()), to: (ROOT, "a".into()) });
        let (old, new) = (("/a".to_owned(), b"old".to_vec()), ("/a".to_owned(), b"new".to_vec()));
        let before = vec![old, ("/t".to_owned(), b"new".to_vec())];
        assert_eq!(images(&disk), BTreeSet::from([before, vec![new.clone()]]));
        disk.apply(&Change::Sync { node: ROOT });
        assert_eq!(images(&disk), BTreeSet::from([vec![new]]));
    }
}
