//! What picoclaw, orca and aish do for each call, rendered in Rust after the descriptions of their sources: the
//! same system calls, and a parser that is as good as any.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A message as these stores decode it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Message {
    /// Who said it.
    pub role: String,
    #[serde(default)]
    /// What was said.
    pub content: String,
}

/// picoclaw: a log and a side file for each session.
#[derive(Debug)]
pub struct Picoclaw {
    log: PathBuf,
    meta: PathBuf,
}

#[derive(Default, Serialize, Deserialize)]
struct Meta {
    key: String,
    summary: String,
    skip: usize,
    count: usize,
    created_at: String,
    updated_at: String,
}

impl Picoclaw {
    /// The files of a session in a folder.
    pub fn new(folder: &Path, name: &str) -> Self {
        Self { log: folder.join(format!("{name}.jsonl")), meta: folder.join(format!("{name}.meta.json")) }
    }

    /// Append, sync, close; then the side file by temporary file, sync, rename and sync of the folder.
    pub fn add(&self, message: &Message) {
        let mut line = serde_json::to_vec(message).unwrap();
        line.push(b'\n');
        let mut file = OpenOptions::new().create(true).append(true).open(&self.log).unwrap();
        file.write_all(&line).unwrap();
        file.sync_all().unwrap();
        drop(file);
        let mut meta = self.meta();
        meta.count += 1;
        self.write_meta(&meta);
    }

    /// How many messages there are, as the side file has it.
    pub fn count(&self) -> usize {
        self.meta().count
    }

    fn meta(&self) -> Meta {
        fs::read(&self.meta).map_or_else(|_| Meta::default(), |text| serde_json::from_slice(&text).unwrap())
    }

    fn write_meta(&self, meta: &Meta) {
        let temporary = self.meta.with_extension("tmp-1-2");
        let mut file = File::create(&temporary).unwrap();
        file.write_all(&serde_json::to_vec_pretty(meta).unwrap()).unwrap();
        file.sync_all().unwrap();
        fs::rename(&temporary, &self.meta).unwrap();
        File::open(self.meta.parent().unwrap()).unwrap().sync_all().unwrap();
    }

    /// Counts the lines, and writes how many are hidden.
    pub fn truncate(&self, keep_last: usize) {
        let lines = BufReader::new(File::open(&self.log).unwrap()).split(b'\n');
        let count = lines.filter(|line| !line.as_ref().unwrap().is_empty()).count();
        let mut meta = self.meta();
        (meta.count, meta.skip) = (count, count.saturating_sub(keep_last));
        self.write_meta(&meta);
    }

    /// All lines; the hidden ones are scanned, and the others parsed.
    pub fn history(&self) -> Vec<Message> {
        let skip = self.meta().skip;
        let lines = BufReader::new(File::open(&self.log).unwrap()).split(b'\n').map(Result::unwrap);
        let lines = lines.filter(|line| !line.is_empty()).skip(skip);
        lines.filter_map(|line| serde_json::from_slice(&line).ok()).collect()
    }
}

/// orca: the whole file as a string, split, and each line parsed.
pub fn orca_load(path: &Path) -> Vec<Message> {
    let text = fs::read_to_string(path).unwrap();
    let lines = text.split('\n').map(str::trim).filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// aish: line by line into tables, of which those with a role and content are turns.
pub fn aish_load(path: &Path) -> Vec<Value> {
    let lines = BufReader::new(File::open(path).unwrap()).lines().map(Result::unwrap);
    let parsed = lines.filter_map(|line| serde_json::from_str::<Value>(&line).ok());
    parsed.filter(|turn| turn["role"].is_string() && !turn["content"].is_null()).collect()
}

/// aish: write and flush, no sync.
pub fn aish_append(file: &mut File, message: &Message) {
    let mut line = serde_json::to_vec(message).unwrap();
    line.push(b'\n');
    file.write_all(&line).unwrap();
}
