//! Several processes write one log, one is killed in the middle of a line, and nothing that was acknowledged is lost.
//!
//! ```sh
//! cargo run -p jsonl-core --example several_writers -- target/log.jsonl
//! ```

#![allow(clippy::print_stdout, missing_docs)]

use std::error::Error;
use std::fs::OpenOptions;
use std::io::Write;
use std::process::Command;

use jsonl_core::{Locking, Log, WriteOptions};
use serde::{Deserialize, Serialize};

const WRITERS: u32 = 4;
const RECORDS: u32 = 250;

#[derive(Serialize, Deserialize)]
struct Measured {
    writer: u32,
    number: u32,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let path = args.next().ok_or("give a file to write to")?;
    if let Some(writer) = args.next() {
        return write(&path, writer.parse()?);
    }
    WriteOptions::new().create(true).open(&path)?.close()?;
    let before = Log::open(&path)?.verify()?.records;
    let program = std::env::current_exe()?;
    let start = |writer: u32| Command::new(&program).args([&path, &writer.to_string()]).spawn();
    let writers = (0..WRITERS).map(start).collect::<Result<Vec<_>, _>>()?;
    for mut writer in writers {
        // Each ends well only when all that it wrote was acknowledged.
        if !writer.wait()?.success() {
            return Err("a writer failed".into());
        }
    }
    // Somebody dies in the middle of a record. The next who writes closes the line, and says nothing of it again.
    OpenOptions::new().append(true).open(&path)?.write_all(br#"{"writer":9,"num"#)?;
    write(&path, WRITERS)?;
    let loaded = Log::open(&path)?.load::<Measured>()?;
    let expected = before + u64::from((WRITERS + 1) * RECORDS);
    println!("{expected} records acknowledged, {} there; {}", loaded.records.len(), loaded.report);
    if loaded.records.len() as u64 == expected { Ok(()) } else { Err("records were lost".into()) }
}

/// One of the writers: it takes the lock for each record, and waits for the device once for all of them.
fn write(path: &str, writer: u32) -> Result<(), Box<dyn Error>> {
    let log = WriteOptions::new().checksum(true).locking(Locking::PerAppend).open(path)?;
    for number in 0..RECORDS {
        log.append_with(&Measured { writer, number }, jsonl_core::Durability::Buffer)?;
    }
    log.sync()?;
    log.close()?;
    Ok(())
}
