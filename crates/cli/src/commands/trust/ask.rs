//! `annals trust check` and `cat`.

use annals_trust::{SetVerdict, Trust, Verdict};
use serde::Serialize;

use crate::args::trust::{Cat, Check};
use crate::exit::{Exit, Failure};
use crate::human::{path as show, second};
use crate::out::{Out, Paint};

/// What stands, for a program.
#[derive(Default, Serialize)]
struct VerdictObject {
    verdict: &'static str,
    paths: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    approved: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    changed: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// A verdict in words: one, and why.
struct Told {
    word: &'static str,
    why: String,
    object: VerdictObject,
}

impl Told {
    fn new(word: &'static str, why: String) -> Self {
        Self { word, why, object: VerdictObject { verdict: word, ..VerdictObject::default() } }
    }

    fn exit(&self) -> Exit {
        if self.word == "allowed" { Exit::Done } else { Exit::Denied }
    }
}

pub(super) fn check(args: &Check, trust: &Trust, out: &mut Out) -> Result<Exit, Failure> {
    let mut exit = Exit::Done;
    let asked: Vec<&[std::path::PathBuf]> =
        if args.set { vec![&args.files] } else { args.files.chunks(1).collect() };
    for files in asked {
        let told =
            if args.set { trust.check_set(files).map(of_set) } else { trust.check(&files[0]).map(of_file) };
        let mut told = match told {
            Ok(told) => told,
            Err(error @ annals_trust::Error::Unsafe { .. }) => Told::new("unsafe", error.to_string()),
            Err(error) => {
                out.complain(&error.into());
                continue;
            }
        };
        exit = exit.max(told.exit());
        if out.json {
            told.object.paths = files.iter().map(|file| file.display().to_string()).collect();
            told.object.reason = Some(told.why).filter(|_| told.word == "unsafe");
            out.object(&told.object)?;
            continue;
        }
        let files: Vec<String> = files.iter().map(|file| show(file)).collect();
        let word = format!("{:<8}", told.word);
        let word = if told.exit() == Exit::Done { word } else { out.paint(Paint::Bad, word) };
        let why =
            if told.why.is_empty() { String::new() } else { format!(": {}", crate::human::name(&told.why)) };
        out.line(format_args!("{word} {}{why}", files.join(" ")))?;
    }
    Ok(exit)
}

fn since(time: Option<std::time::SystemTime>) -> String {
    let time = time.and_then(|time| jiff::Timestamp::try_from(time).ok());
    time.map_or_else(String::new, |time| format!(" on {}", second(time)))
}

fn of_file(verdict: Verdict) -> Told {
    match verdict {
        Verdict::Allowed(approved) => {
            let mut told = Told::new("allowed", String::new());
            told.object.sha256 = Some(approved.digest().to_string());
            told
        }
        Verdict::Changed { approved, found, since: time, .. } => {
            let why = format!(
                "approved{} as {approved}, is {found}; annals trust diff shows what changed",
                since(time)
            );
            let mut told = Told::new("changed", why);
            told.object.sha256 = Some(found.to_string());
            told.object.approved = Some(approved.to_string());
            told
        }
        Verdict::Denied { since: time, .. } => Told::new("denied", format!("denied{}", since(time))),
        Verdict::Unknown { found, is_doubtful, .. } => unknown(found, is_doubtful),
        _ => Told::new("unknown", String::from("not approved")),
    }
}

fn of_set(verdict: SetVerdict) -> Told {
    match verdict {
        SetVerdict::Allowed(_) => Told::new("allowed", String::new()),
        SetVerdict::Changed { files, found, since: time, .. } => {
            let names: Vec<String> = files.iter().map(|file| show(&file.path)).collect();
            let why = format!(
                "approved{}; since then changed: {}; together they are {found}",
                since(time),
                names.join(", ")
            );
            let mut told = Told::new("changed", why);
            told.object.sha256 = Some(found.to_string());
            told.object.changed = Some(files.iter().map(|file| file.path.display().to_string()).collect());
            told
        }
        SetVerdict::Denied { path } => Told::new("denied", format!("{} was denied", show(&path))),
        SetVerdict::Unknown { found, is_doubtful } => unknown(found, is_doubtful),
        _ => Told::new("unknown", String::from("not approved")),
    }
}

fn unknown(found: annals_trust::Digest, is_doubtful: bool) -> Told {
    let why = match is_doubtful {
        true => format!("its approval stands in front of a damaged line, and counts no more; is {found}"),
        false => format!("nobody has approved it; is {found}"),
    };
    let mut told = Told::new("unknown", why);
    told.object.sha256 = Some(found.to_string());
    told
}

pub(super) fn cat(args: &Cat, trust: &Trust, out: &mut Out) -> Result<Exit, Failure> {
    let told = match trust.check(&args.file)? {
        Verdict::Allowed(approved) => {
            out.bytes(approved.bytes())?;
            return Ok(Exit::Done);
        }
        other => of_file(other),
    };
    let text = format!("{}: {}: {}", show(&args.file), told.word, crate::human::name(&told.why));
    Err(Failure::Told(Exit::Denied, text))
}
