//! `annals catalog hook session-start`: notes a session of Claude Code, and never fails it.

use std::env;
use std::fs::File;
use std::io::{IsTerminal, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use annals_catalog::{GitContext, GitStatus, Observation, TranscriptMeta, find_transcript, paths};
use serde::Deserialize;

use crate::args::catalog::Catalog as Args;
use crate::exit::{Exit, Failure};
use crate::human::printable;
use crate::store::Home;

/// What is not on standard input by then doesn't come.
const INPUT_WAIT: Duration = Duration::from_millis(100);
const INPUT_LEN_MAX: u64 = 1 << 20;

/// So long other writers are waited for.
const LOCK_WAIT: Duration = Duration::from_millis(1500);
const GIT_WAIT: Duration = Duration::from_millis(1500);

/// The agent never waits longer.
const HARD_LIMIT: Duration = Duration::from_secs(2);

/// By this, sessions-db knows a workspace of its own.
const WORKSPACE_MARK: &str = "Druumen Workspace";
const WORKSPACE_FILE: &str = "CLAUDE.md";
const WORKSPACE_FILE_LEN_MAX: u64 = 1 << 20;

/// What the agent says.
#[derive(Default, Deserialize)]
struct Input {
    session_id: Option<String>,
    cwd: Option<PathBuf>,
    transcript_path: Option<PathBuf>,
}

pub(super) fn session_start(args: &Args, home: &Home) -> Exit {
    if set("DRUUMEN_SESSIONS_DB_DISABLED").is_some_and(|value| value == "1") {
        return Exit::Done;
    }
    let (options, given) = (super::options(args), super::given(args, home));
    let (send, receive) = mpsc::channel();
    // Whatever hangs, the program ends.
    thread::spawn(move || {
        let done = catch_unwind(AssertUnwindSafe(|| note(options, given)));
        // Nobody listens behind the limit.
        let _ = send.send(done.unwrap_or_else(|_| Err(Failure::Told(Exit::Internal, "a bug".to_owned()))));
    });
    let done = receive.recv_timeout(HARD_LIMIT);
    if set("DRUUMEN_SESSIONS_DB_VERBOSE").is_some() {
        let text = match done {
            Ok(Ok(done)) => done,
            Ok(Err(failure)) => failure.to_string(),
            Err(_) => "no time left".to_owned(),
        };
        // Nobody may be listening.
        let _ = std::io::Write::write_all(
            &mut std::io::stderr(),
            format!("annals: {}\n", printable(&text)).as_bytes(),
        );
    }
    Exit::Done
}

/// Notes the session, and says what came of it.
fn note(
    options: annals_catalog::CatalogOptions,
    given: Result<Option<PathBuf>, Failure>,
) -> Result<String, Failure> {
    let input = input();
    let refused = |why: &str| Ok(format!("not noted: {why}"));
    let session_id = input.session_id.or_else(|| set("CLAUDE_SESSION_ID"));
    let Some(session_id) = session_id.filter(|id| is_uuid(id)) else {
        return refused("the session has no id");
    };
    let here = input
        .cwd
        .or_else(|| set("CLAUDE_PROJECT_DIR").map(PathBuf::from))
        .or_else(|| env::current_dir().ok());
    let Some(cwd) = here.filter(|cwd| cwd.is_absolute()) else { return refused("there is no folder") };
    let git = GitContext::read(&cwd, GIT_WAIT);
    let root = match given? {
        Some(root) => root,
        None => match by_gate(&cwd, &git)? {
            Some(root) => root,
            None => return refused("this is not a workspace with a catalog, and --own was not given"),
        },
    };
    let mut observation =
        Observation::new(&session_id).cwd(cwd.to_string_lossy()).git(git).keeps_first_prompt(
            !set("DRUUMEN_SESSIONS_DB_STORE_PREVIEW").is_some_and(|value| value == "0" || value == "false"),
        );
    // A session is noted with or without it, and one that begins has none yet.
    let found = || find_transcript(&projects()?, &cwd, &session_id).ok().flatten();
    let transcript = input.transcript_path.or_else(found);
    if let Some(transcript) = transcript.and_then(|path| TranscriptMeta::read(&path).ok()) {
        observation = observation.transcript(transcript);
    }
    let seen = options.wait(LOCK_WAIT).open(root).observe(&observation)?;
    Ok(format!("noted as {} ({})", seen.stable_id, seen.resolution.source.confidence()))
}

/// Where sessions-db's hook would note it, if it would.
fn by_gate(cwd: &Path, git: &GitContext) -> Result<Option<PathBuf>, Failure> {
    if matches!(git.status, GitStatus::NotARepo | GitStatus::Error) {
        return Ok(None);
    }
    let Some(worktree) = git.worktree_realpath.as_ref().map(Path::new) else { return Ok(None) };
    let root = match env::var_os(paths::ROOT_VARIABLE).filter(|root| !root.is_empty()) {
        Some(root) => cwd.join(root),
        None => paths::of_worktree(worktree)?,
    };
    let is_workspace =
        || cwd.ancestors().take(paths::ASCENT_MAX).any(|folder| is_marked(&folder.join(WORKSPACE_FILE)));
    let is_catalogued =
        paths::is_catalog(&root)? || paths::resolve(None, None, cwd)?.source != paths::PlaceSource::Default;
    Ok((is_catalogued || is_workspace()).then_some(root))
}

fn is_marked(file: &Path) -> bool {
    let mut text = Vec::new();
    let is_file = std::fs::metadata(file).is_ok_and(|metadata| metadata.is_file());
    is_file
        && File::open(file).is_ok_and(|file| file.take(WORKSPACE_FILE_LEN_MAX).read_to_end(&mut text).is_ok())
        && memchr::memmem::find(&text, WORKSPACE_MARK.as_bytes()).is_some()
}

/// Where Claude Code keeps its transcripts.
fn projects() -> Option<PathBuf> {
    let config = set("CLAUDE_CONFIG_DIR").map(PathBuf::from);
    Some(config.or_else(|| Some(PathBuf::from(set("HOME")?).join(".claude")))?.join("projects"))
}

/// A variable that is not empty.
fn set(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// `24fbb56b-6e96-4214-9ceb-29ece1d56173`, in whatever case.
fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// What the agent says, if it says something in time that makes sense.
fn input() -> Input {
    if std::io::stdin().is_terminal() {
        return Input::default();
    }
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let mut stdin = std::io::stdin().lock().take(INPUT_LEN_MAX);
        let mut step = vec![0; 64 << 10];
        // Whoever writes may leave it open.
        while let Ok(got) = stdin.read(&mut step)
            && got > 0
        {
            bytes.extend_from_slice(&step[..got]);
            if let Ok(input) = serde_json::from_slice::<Input>(&bytes) {
                let _ = send.send(input);
                return;
            }
        }
    });
    receive.recv_timeout(INPUT_WAIT).unwrap_or_default()
}
