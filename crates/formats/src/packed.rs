//! Files that are packed with zstd, as Codex packs what has not been touched for a week.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, Write};
use std::path::Path;

use jsonl_core::{Log, ReadOptions, Seals, Source, Span};
use ruzstd::decoding::StreamingDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};

use crate::error::{Error, Result};
use crate::foreign::Remark;
use crate::lines;

/// What a packed file begins with (RFC 8878, 3.1.1), the last byte first.
const MAGIC: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];

/// How far back a packed file may point. That is memory: what `zstd --long=27` asks for.
const WINDOW_MAX: u64 = 128 << 20;

/// More is not unpacked: a few kilobytes can say "a terabyte of zeros".
const UNPACKED_MAX: u64 = 64 << 30;

/// Opens another program's file, packed or not: by what is in it, not by its name. What is packed is unpacked into a file without
/// a name in `spool`.
pub(crate) fn open(path: &Path, spool: Option<&Path>) -> Result<(Log, Option<Remark>)> {
    open_with(path, &ReadOptions::new(), spool)
}

/// The same with options; it is never mapped, and what looks like a seal is none.
pub(crate) fn open_with(
    path: &Path,
    options: &ReadOptions,
    spool: Option<&Path>,
) -> Result<(Log, Option<Remark>)> {
    let options = options.clone().source(Source::Chunks).seals(Seals::Ignore);
    let log = options.open(path)?;
    if !is_packed_log(&log)? {
        return Ok((log, None));
    }
    let Some(spool) = spool else { return Err(Error::Packed { path: path.to_owned() }) };
    // It is a regular file, or it would not have been opened.
    let file = File::open(path).map_err(Error::io("open", path))?;
    let mut out = tempfile::tempfile_in(spool).map_err(Error::io("write into", spool))?;
    let remark = unpack(file, &mut out).map_err(Error::io("write into", spool))?;
    out.rewind().map_err(Error::io("read from", spool))?;
    Ok((options.open_file(out, path)?, remark))
}

/// Whether a file is packed with zstd, by what is in it. Nothing is appended to such a file.
///
/// # Errors
///
/// [`Error::Log`] if it can't be read.
pub fn is_packed(path: &Path) -> Result<bool> {
    is_packed_log(&lines::open(path)?)
}

pub(crate) fn is_packed_log(log: &Log) -> Result<bool> {
    let len = MAGIC.len() as u64;
    Ok(log.len() >= len && log.read(Span { offset: 0, len })? == MAGIC)
}

/// The first bytes of what is packed, and whether that is all of it. What is damaged ends it.
pub(crate) fn head(path: &Path, len: u64) -> Result<(Vec<u8>, bool)> {
    let file = File::open(path).map_err(Error::io("open", path))?;
    let mut packed = BufReader::new(file);
    let mut head = Vec::new();
    if let Ok(frame) = StreamingDecoder::new_with_max_window_size(&mut packed, WINDOW_MAX) {
        // An error leaves what was unpacked before it.
        let _ = frame.take(len + 1).read_to_end(&mut head);
    }
    let is_whole = head.len() as u64 <= len && packed.fill_buf().is_ok_and(<[u8]>::is_empty);
    head.truncate(usize::try_from(len).unwrap_or(usize::MAX));
    Ok((head, is_whole))
}

/// Opens another program's file for reading, packed or not, for going through its lines: what is packed is unpacked into a file
/// without a name in `spool`, and if it is damaged, there is a remark. `options` say how it is read; it is never mapped, and what
/// looks like a seal is none.
///
/// # Errors
///
/// [`Error`] if it can't be read, or nothing can be written there.
pub fn open_log(path: &Path, options: &ReadOptions, spool: &Path) -> Result<(Log, Option<Remark>)> {
    open_with(path, options, Some(spool))
}

/// Unpacks all there is. Errors are those of writing; what is damaged is said.
fn unpack(file: File, out: &mut File) -> io::Result<Option<Remark>> {
    let mut packed = BufReader::with_capacity(256 << 10, file);
    let mut buffer = vec![0; 256 << 10];
    let mut len = 0;
    let stopped = |len, reason: String| Ok(Some(Remark::Packed { len, reason }));
    loop {
        match packed.fill_buf() {
            Ok([]) => return Ok(None),
            Ok(_) => {}
            Err(error) => return stopped(len, error.to_string()),
        }
        let mut frame = match StreamingDecoder::new_with_max_window_size(&mut packed, WINDOW_MAX) {
            Ok(frame) => frame,
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                length, ..
            })) => {
                // A frame for other programs.
                match io::copy(&mut (&mut packed).take(u64::from(length)), &mut io::sink()) {
                    Ok(_) => continue,
                    Err(error) => return stopped(len, error.to_string()),
                }
            }
            Err(error) => return stopped(len, error.to_string()),
        };
        loop {
            match frame.read(&mut buffer) {
                Ok(0) => break,
                Ok(got) if len + got as u64 > UNPACKED_MAX => {
                    return stopped(len, format!("there are more than {UNPACKED_MAX} bytes"));
                }
                Ok(got) => {
                    out.write_all(&buffer[..got])?;
                    len += got as u64;
                }
                Err(error) => return stopped(len, error.to_string()),
            }
        }
    }
}
