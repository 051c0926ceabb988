//! Transcripts to read, the same every time, from a seeded generator.
//!
//! *chat*: turns of 200 B to 100 KB, about 13 KB on average, with escapes and text beyond ASCII. *small*: records
//! of about 150 B. *sealed*: the same with a checksum on every line.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use jsonl_core::checksum;
use serde::{Deserialize, Serialize};

/// How much is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// For whether answers are right: as little as can be wrong.
    Least,
    /// For whether it works.
    Quick,
    /// For how fast it is.
    Full,
}

impl Size {
    fn corpus(self) -> u64 {
        match self {
            Self::Least => 2 << 20,
            Self::Quick => 32 << 20,
            Self::Full => 256 << 20,
        }
    }

    fn large(self) -> u64 {
        match self {
            Self::Least => 6 << 20,
            Self::Quick => 128 << 20,
            Self::Full => 1 << 30,
        }
    }
}

/// A record of the corpora.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Turn {
    /// Who said it.
    pub role: String,
    /// When.
    pub ts: String,
    /// Counted from 0.
    pub n: u64,
    /// What was said.
    pub content: String,
}

/// One corpus in its forms.
#[derive(Debug)]
pub struct Corpus {
    /// What it is called.
    pub name: &'static str,
    /// Records as they are.
    pub plain: PathBuf,
    /// With a checksum each.
    pub sealed: PathBuf,
    /// For the tail: a small file and a large one of the same lines.
    pub short: PathBuf,
    /// The large one.
    pub large: PathBuf,
}

/// All of them.
#[derive(Debug)]
pub struct Corpora {
    /// Long turns.
    pub chat: Corpus,
    /// Short ones.
    pub small: Corpus,
}

impl Corpora {
    /// In a folder, made if they aren't there.
    pub fn in_folder(folder: &Path, size: Size) -> Self {
        let corpus = |name, content_len: fn(&mut Random) -> usize| {
            let path = |kind: &str, len: u64| folder.join(format!("{name}-{kind}-{}.jsonl", len >> 20));
            let made = |kind, len, sealed| {
                let path = path(kind, len);
                make(&path, len, sealed, content_len);
                path
            };
            Corpus {
                name,
                plain: made("plain", size.corpus(), false),
                sealed: made("sealed", size.corpus(), true),
                short: made("plain", 4 << 20, false),
                large: made("plain", size.large(), false),
            }
        };
        Self { chat: corpus("chat", chat_len), small: corpus("small", |random| 30 + random.below(110)) }
    }
}

/// Evenly over the orders of magnitude, with a lean to the short ones.
fn chat_len(random: &mut Random) -> usize {
    (200.0 * 480_f64.powf(random.part().powf(1.25))) as usize
}

/// *chat*, unsealed, of about so many bytes.
pub fn chat(folder: &Path, len: u64) -> PathBuf {
    let path = folder.join(format!("chat-plain-{}.jsonl", len >> 20));
    make(&path, len, false, chat_len);
    path
}

/// Numbers that look random and are the same every time (Steele's splitmix64).
#[derive(Debug)]
pub struct Random(pub u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below a bound.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    /// From 0 to below 1.
    pub fn part(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

const WORDS: [&str; 32] = [
    "the",
    "of",
    "to",
    "and",
    "a",
    "in",
    "is",
    "it",
    "pool",
    "connection",
    "error",
    "file",
    "test",
    "function",
    "let mut value",
    "return",
    "src/main.rs:41",
    "\"quoted\"",
    "größer",
    "naïve",
    "渡船",
    "データ",
    "🦀",
    "C:\\temp",
    "fn run(&self)",
    "—",
    "if x < 10 {",
    "0.25",
    "http://example.invalid/a?b=c",
    "unwrap",
    "because",
    "should",
];

/// Text of about so many bytes: words, line breaks, now and then a tab.
pub fn text(random: &mut Random, len: usize) -> String {
    let mut text = String::with_capacity(len + 32);
    while text.len() < len {
        // The square makes the first words the frequent ones.
        let index = (random.part().powi(2) * WORDS.len() as f64) as usize;
        text.push_str(WORDS[index]);
        text.push_str(match random.below(300) {
            0..4 => "\n",
            4..7 => ".\n\n",
            7 => "\t",
            _ => " ",
        });
    }
    text
}

/// A turn with a text of about so many bytes.
pub fn turn(random: &mut Random, n: u64, content_len: usize) -> Turn {
    let role = ["user", "assistant", "assistant", "tool"][random.below(4)];
    let second = n % 86_400;
    let ts = format!("2026-08-21T{:02}:{:02}:{:02}.000Z", second / 3600, second / 60 % 60, second % 60);
    Turn { role: role.into(), ts, n, content: text(random, content_len) }
}

fn make(path: &Path, len: u64, sealed: bool, content_len: fn(&mut Random) -> usize) {
    if fs::metadata(path).is_ok_and(|metadata| metadata.len() >= len) {
        return;
    }
    let part = path.with_extension("part");
    let mut out = BufWriter::with_capacity(1 << 20, File::create(&part).unwrap());
    let mut random = Random(7);
    let mut written = 0;
    let mut line = Vec::new();
    for n in 0.. {
        if written >= len {
            break;
        }
        line.clear();
        let content_len = content_len(&mut random);
        serde_json::to_writer(&mut line, &turn(&mut random, n, content_len)).unwrap();
        if sealed {
            assert!(checksum::seal(&mut line, 0));
        }
        line.push(b'\n');
        out.write_all(&line).unwrap();
        written += line.len() as u64;
    }
    out.into_inner().unwrap().sync_all().unwrap();
    fs::rename(part, path).unwrap();
}
