//! Transcripts as agents leave them on a disk, the same every time: many sessions of very different sizes.
//!
//! *Claude-like*: six of ten records are progress; tool output has a heavy tail to 1 MB; now and then an image of some MB; every
//! tenth session is a resumed one that begins with what another file has; one in twenty belongs to a sub-agent. *Codex-like*: everything
//! that was said stands twice, a header of 17 KB, and compactions that bring the last messages and an image along again.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use annals_benches::corpus::{Random, text};

/// In one of some thousand texts.
pub(crate) const RARE: &str = "xylograph";

/// In one record of 25.
pub(crate) const FREQUENT: &str = "unwrap because";

/// In three records of four.
pub(crate) const EVERYWHERE: &str = "connection";

/// In none.
pub(crate) const ABSENT: &str = "zyzzyva";

/// A user's folder with the transcripts of one agent.
pub(crate) struct Home {
    pub(crate) folder: PathBuf,
    /// The files, in the order in which they were made.
    pub(crate) files: Vec<PathBuf>,
    pub(crate) len: u64,
}

/// Makes a corpus of about `len` bytes, if it isn't there.
pub(crate) fn make(folder: &Path, agent: &str, len: u64) -> Home {
    let folder = folder.join(format!("{agent}-{}", len >> 20));
    if !folder.join("made").exists() {
        let _ = fs::remove_dir_all(&folder);
        let mut random = Random(11);
        let mut files: Vec<PathBuf> = Vec::new();
        let mut written = 0;
        while written < len {
            let number = files.len();
            // Most are short, and a few have most of the bytes.
            let size = (20_000.0 * 1500_f64.powf(random.part().powi(2))) as u64;
            let size = size.min(len - written + 10_000);
            let path = match agent {
                "claude-code" => claude(&folder, number, size, files.last(), &mut random),
                _ => codex(&folder, number, size, &mut random),
            };
            written += fs::metadata(&path).unwrap().len();
            files.push(path);
        }
        let list: Vec<String> = files.iter().map(|path| path.to_str().unwrap().to_owned()).collect();
        fs::write(folder.join("made"), list.join("\n")).unwrap();
    }
    let list = fs::read_to_string(folder.join("made")).unwrap();
    let files: Vec<PathBuf> = list.lines().map(PathBuf::from).collect();
    let len = files.iter().map(|path| fs::metadata(path).unwrap().len()).sum();
    Home { folder, files, len }
}

fn words(random: &mut Random, len: usize) -> String {
    let mut words = text(random, len);
    if random.below(4000) == 0 {
        words.push_str(RARE);
    }
    words
}

/// Tool output: mostly short, with a heavy tail.
fn output_len(random: &mut Random) -> usize {
    (200.0 * 5000_f64.powf(random.part().powi(6))) as usize
}

fn image(random: &mut Random) -> String {
    let len = 1_000_000 + random.below(1_500_000);
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    (0..len / 4 * 4).map(|_| char::from(letters[random.below(64)])).collect()
}

fn time(seconds: usize) -> String {
    format!(
        "2026-08-{:02}T{:02}:{:02}:{:02}.000Z",
        1 + seconds / 86_400 % 28,
        seconds / 3600 % 24,
        seconds / 60 % 60,
        seconds % 60
    )
}

struct Out {
    file: BufWriter<File>,
    len: u64,
}

impl Out {
    fn new(path: &Path) -> Self {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        Self { file: BufWriter::with_capacity(1 << 20, File::create(path).unwrap()), len: 0 }
    }

    fn line(&mut self, record: &Value) {
        let line = serde_json::to_vec(record).unwrap();
        self.file.write_all(&line).unwrap();
        self.file.write_all(b"\n").unwrap();
        self.len += line.len() as u64 + 1;
    }
}

fn claude(folder: &Path, number: usize, size: u64, before: Option<&PathBuf>, random: &mut Random) -> PathBuf {
    let session = format!("{number:08x}-5eed-4000-8000-{number:012x}");
    let project = format!("/home/u/src/project-{}", number % 17);
    let projects = folder.join(".claude/projects").join(project.replace('/', "-"));
    let path = match number % 20 {
        19 => projects.join(format!("{:08x}/subagents/agent-{number}.jsonl", number - 1)),
        _ => projects.join(format!("{session}.jsonl")),
    };
    let mut out = Out::new(&path);
    let mut parent = Value::Null;
    if number % 10 == 9
        && let Some(before) = before
    {
        // Resumed: what was said before stands here again.
        let bytes = fs::read(before).unwrap();
        let end = memchr_last_newline(&bytes[..bytes.len().min(size as usize / 2)]);
        out.file.write_all(&bytes[..end]).unwrap();
        out.len += end as u64;
    }
    let (mut answers, mut output) = (0, 0);
    for n in 0.. {
        if out.len >= size {
            break;
        }
        let uuid = format!("{number:08x}-{n:08x}");
        let mut record = json!({"parentUuid": parent, "isSidechain": false, "userType": "external", "cwd": project,
            "sessionId": session, "version": "2.1.220", "gitBranch": "main", "uuid": uuid, "timestamp": time(number * 600 + n)});
        let mut is_message = true;
        match random.below(100) {
            0..61 => {
                let len = 200 + random.below(1200);
                record["type"] = json!("progress");
                record["data"] =
                    json!({"type": "bash_progress", "output": text(random, len), "elapsedTimeSeconds": n});
                is_message = false;
            }
            61..71 => {
                answers += 1;
                output = 5 + random.below(900);
                let len = 100 + random.below(3000);
                record["type"] = json!("assistant");
                record["requestId"] = json!(format!("req_{number}_{answers}"));
                record["message"] = json!({"id": format!("msg_{number}_{answers}"), "type": "message", "role": "assistant",
                    "model": "claude-x", "content": [{"type": "text", "text": words(random, len)}],
                    "usage": {"input_tokens": 4, "cache_creation_input_tokens": 300, "cache_read_input_tokens": 15_000,
                        "output_tokens": output}});
            }
            71..81 => {
                // Another line of the same answer, with what it took so far.
                output += random.below(100);
                record["type"] = json!("assistant");
                record["requestId"] = json!(format!("req_{number}_{answers}"));
                record["message"] = json!({"id": format!("msg_{number}_{answers}"), "type": "message", "role": "assistant",
                    "model": "claude-x", "content": [{"type": "tool_use", "id": format!("toolu_{number}_{n}"), "name": "Bash",
                        "input": {"command": text(random, 80)}}],
                    "usage": {"input_tokens": 4, "cache_creation_input_tokens": 300, "cache_read_input_tokens": 15_000,
                        "output_tokens": output}});
            }
            81..92 => {
                let len = output_len(random);
                let output = words(random, len);
                record["type"] = json!("user");
                record["message"] = json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": format!("toolu_{number}_{n}"),
                    "content": output, "is_error": false}]});
                record["toolUseResult"] = json!({"stdout": output, "stderr": "", "interrupted": false});
            }
            92..96 => {
                let len = 50 + random.below(600);
                let said = words(random, len);
                record["type"] = json!("user");
                record["message"] = match random.below(400) {
                    0 => json!({"role": "user", "content": [{"type": "text", "text": said},
                        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": image(random)}}]}),
                    _ => json!({"role": "user", "content": said}),
                };
            }
            96..98 => {
                record["type"] = json!("system");
                record["content"] = json!("Running stop hook");
            }
            _ => {
                record = json!({"type": "queue-operation", "operation": "enqueue", "timestamp": time(number * 600 + n), "sessionId": session});
                is_message = false;
            }
        }
        out.line(&record);
        if is_message {
            parent = json!(uuid);
        }
    }
    out.file.into_inner().unwrap().sync_all().unwrap();
    path
}

fn memchr_last_newline(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1)
}

fn codex(folder: &Path, number: usize, size: u64, random: &mut Random) -> PathBuf {
    let id = format!("{number:08x}-5eed-7000-8000-{number:012x}");
    let path = folder.join(format!(
        ".codex/sessions/2026/08/{:02}/rollout-2026-08-21T10-15-{:02}-{id}.jsonl",
        1 + number % 28,
        number % 60
    ));
    let mut out = Out::new(&path);
    let record = |n: usize, kind: &str, payload: Value| json!({"timestamp": time(number * 600 + n), "type": kind, "payload": payload});
    let meta = json!({"id": id, "timestamp": time(number * 600), "cwd": format!("/home/u/src/project-{}", number % 17),
        "originator": "codex_cli_rs", "cli_version": "0.150.0", "base_instructions": {"text": text(random, 17_000)},
        "git": {"branch": "main"}});
    out.line(&record(0, "session_meta", meta));
    out.line(&record(0, "turn_context", json!({"model": "gpt-x"})));
    let mut history: Vec<Value> = Vec::new();
    let mut total = 0;
    for n in 1.. {
        if out.len >= size {
            break;
        }
        let message = |role: &str, kind: &str, text: &str| json!({"type": "message", "role": role, "content": [{"type": kind, "text": text}]});
        match random.below(100) {
            0..12 => {
                let len = 50 + random.below(800);
                let said = words(random, len);
                let item = message("user", "input_text", &said);
                history.push(item.clone());
                out.line(&record(n, "response_item", item));
                out.line(&record(
                    n,
                    "event_msg",
                    json!({"type": "user_message", "message": said, "images": []}),
                ));
            }
            12..34 => {
                let len = 100 + random.below(3000);
                let said = words(random, len);
                let item = message("assistant", "output_text", &said);
                history.push(item.clone());
                out.line(&record(n, "response_item", item));
                out.line(&record(n, "event_msg", json!({"type": "agent_message", "message": said})));
                total += 200 + random.below(2000);
                let usage = json!({"input_tokens": total, "cached_input_tokens": total / 2, "output_tokens": total / 10, "total_tokens": total * 11 / 10});
                out.line(&record(
                    n,
                    "event_msg",
                    json!({"type": "token_count", "info": {"total_token_usage": usage}}),
                ));
            }
            34..64 => {
                let arguments = json!({"command": ["bash", "-lc", text(random, 60)]}).to_string();
                out.line(&record(n, "response_item", json!({"type": "function_call", "name": "shell", "arguments": arguments, "call_id": format!("call_{n}")})));
                let len = output_len(random);
                out.line(&record(n, "response_item", json!({"type": "function_call_output", "call_id": format!("call_{n}"), "output": words(random, len)})));
            }
            64..99 => {
                let len = 100 + random.below(900);
                out.line(&record(n, "response_item", json!({"type": "reasoning", "summary": [{"type": "summary_text", "text": text(random, 80)}], "encrypted_content": text(random, len).replace(' ', "")})));
            }
            _ => {
                let mut items: Vec<Value> = history.iter().rev().take(100).rev().cloned().collect();
                if random.below(3) == 0 {
                    items.push(json!({"type": "message", "role": "user", "content": [{"type": "input_image",
                        "image_url": format!("data:image/png;base64,{}", image(random))}]}));
                }
                out.line(&record(
                    n,
                    "compacted",
                    json!({"message": "What was done so far.", "replacement_history": items}),
                ));
            }
        }
    }
    out.file.into_inner().unwrap().sync_all().unwrap();
    path
}
