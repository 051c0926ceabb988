//! A session's log, every text decoded: ours, and parsers that are given the same lines.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Take};
use std::path::Path;
use std::sync::Arc;
use std::thread;

use annals_benches::corpus::Size;
use annals_benches::measure::{Table, Target, Work, side};
use annals_benches::messages::filled;
use annals_benches::originals::Message;
use annals_session::{Entry, Scope};
use arrow_array::cast::AsArray;
use arrow_schema::{DataType, Field, Schema};
use serde::Deserialize;

/// A line of a session's log, as far as it is of interest here.
#[derive(Deserialize)]
struct Record {
    message: Option<Message>,
}

impl Record {
    fn len(self) -> usize {
        self.message.map_or(0, |message| message.role.len() + message.content.len())
    }
}

/// Bytes of a file that are whole lines.
type Part = BufReader<Take<File>>;

/// The file in two parts, each on a thread, for ours has two as well.
fn on_two_threads(path: &Path, sum: impl Fn(Part) -> usize + Sync) -> usize {
    let len = fs::metadata(path).unwrap().len();
    let mut behind = BufReader::new(File::open(path).unwrap());
    behind.seek(SeekFrom::Start(len / 2)).unwrap();
    let middle = len / 2 + behind.read_until(b'\n', &mut Vec::new()).unwrap() as u64;
    let part = |from, to| {
        let mut file = File::open(path).unwrap();
        file.seek(SeekFrom::Start(from)).unwrap();
        sum(BufReader::with_capacity(1 << 20, file.take(to - from)))
    };
    thread::scope(|scope| {
        let second = scope.spawn(|| part(middle, len));
        part(0, middle) + second.join().unwrap()
    })
}

/// What all texts come to, line by line.
fn lines(path: &Path, parse: impl Fn(&mut [u8]) -> Record + Sync) -> usize {
    on_two_threads(path, |mut part| {
        let (mut line, mut sum) = (Vec::new(), 0);
        while part.read_until(b'\n', &mut line).unwrap() > 0 {
            sum += parse(&mut line).len();
            line.clear();
        }
        sum
    })
}

pub(crate) fn run(folder: &Path, name: &str, messages: &[Message], size: Size, table: &mut Table) {
    let job = format!("session log, every text decoded, {name}");
    if !table.wants(&job) {
        return;
    }
    let len: usize = if size == Size::Full { 256 << 20 } else { 8 << 20 };
    let message_len =
        messages.iter().map(|message| message.content.len() + 120).sum::<usize>() / messages.len();
    let folder = folder.join("parsing");
    let _ = fs::remove_dir_all(&folder);
    let session = filled(&folder, messages, len / message_len);
    let path = session.path().unwrap().unwrap();
    let work = Work::Bytes(fs::metadata(&path).unwrap().len());
    let ours = || {
        let add = |sum: &mut usize, entry: &Entry| {
            if let Entry::Message(message) = entry {
                let (role, text) = message.said();
                *sum += role.len() + text.len();
            }
        };
        session.fold(Scope::Transcript, || 0, add, |a, b| a + b).unwrap().0
    };
    table.compare(
        &job,
        work,
        side("ours", ours),
        side("simd-json, 2 threads", || lines(&path, |line| simd_json::from_slice(line).unwrap())),
        Target::AtLeast(1.2),
    );
    table.compare(
        &job,
        work,
        side("ours", ours),
        side("sonic-rs, 2 threads", || lines(&path, |line| sonic_rs::from_slice(line).unwrap())),
        Target::AtLeast(1.2),
    );
    let strings = |names: &[&str]| -> Vec<Field> {
        names.iter().map(|name| Field::new(*name, DataType::Utf8, true)).collect()
    };
    let message = Field::new("message", DataType::Struct(strings(&["role", "content"]).into()), true);
    let schema = Arc::new(Schema::new(vec![message]));
    table.compare(
        &job,
        work,
        side("ours", ours),
        side("arrow-json, 2 threads", || {
            on_two_threads(&path, |part| {
                let reader = arrow_json::ReaderBuilder::new(Arc::clone(&schema)).build(part).unwrap();
                let mut sum = 0;
                for batch in reader {
                    let batch = batch.unwrap();
                    for column in batch.column(0).as_struct().columns() {
                        sum += column.as_string::<i32>().iter().flatten().map(str::len).sum::<usize>();
                    }
                }
                sum
            })
        }),
        Target::AtLeast(1.2),
    );
}
