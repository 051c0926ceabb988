//! Whatever is done to a session, in whatever order, by two handles, with a writer dying in between: it does what a model of a few
//! lines does.
#![no_main]

use annals_fuzz::Decisions;
use annals_session::{
    ChatMessage, CompactOptions, Durability, Entry, Message, Scope, Session, Store, StoreOptions, Truncate,
};
use libfuzzer_sys::fuzz_target;

/// What a session is meant to be.
#[derive(Default)]
struct Model {
    messages: Vec<(u64, String)>,
    visible_from: u64,
    summary: String,
    /// Messages below it are no more in the log.
    kept_from: u64,
}

impl Model {
    fn from(&self, seq: u64) -> Vec<(u64, String)> {
        self.messages.iter().filter(|(found, _)| *found >= seq).cloned().collect()
    }

    fn visible(&self) -> Vec<(u64, String)> {
        self.from(self.visible_from.max(self.kept_from))
    }
}

fuzz_target!(|bytes: &[u8]| {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().join("s");
    let open = || -> Store {
        StoreOptions::new().durability(Durability::Buffer).threads(1).open(&dir).expect("a store")
    };
    let session = || open().session("s").expect("a key");
    let mut handles = [session(), session()];
    let mut model = Model::default();
    let mut next = Decisions(&bytes[..bytes.len().min(96)]);
    let mut named = 0;
    while next.are_left() {
        let step = next.byte();
        let (first, second) = (&handles[usize::from(step >> 7)], &handles[usize::from(step >> 7 ^ 1)]);
        let mut name = |len: usize| {
            named += 1;
            format!("{named}:{}", "é".repeat(len * len))
        };
        let exists = first.exists().expect("exists").is_some();
        match step % 12 {
            0..=2 => {
                let text = name(next.below(40));
                model.messages.push((first.say("user", &text).expect("append"), text));
            }
            3 => {
                let texts: Vec<String> = (0..next.below(4)).map(|_| name(1)).collect();
                let messages = texts.iter().map(|text| ChatMessage::new("user", text));
                model.messages.extend(first.append_all(messages).expect("append").into_iter().zip(texts));
            }
            4 if exists => {
                let count = next.below(6);
                model.summary = name(2);
                let truncate = Truncate::keep_last(count).summary(&model.summary);
                let from = first.truncate(&truncate).expect("truncate");
                let visible = model.visible();
                if let Some(at) = visible.len().checked_sub(count).filter(|_| count < visible.len()) {
                    assert!(visible.get(at).map_or(from > visible[at - 1].0, |(seq, _)| from == *seq));
                }
                model.visible_from = from;
            }
            5 if exists => {
                first.reveal().expect("reveal");
                model.visible_from = 0;
            }
            6 => {
                model.summary = name(next.below(20));
                first.set_summary(&model.summary).expect("summary");
            }
            7 => {
                let texts: Vec<String> = (0..next.below(4)).map(|_| name(1)).collect();
                first.set_history(texts.iter().map(|text| ChatMessage::new("user", text))).expect("replace");
                let history = first.history().expect("history");
                model.visible_from = first.transcript().expect("transcript").visible_from;
                model.messages.extend(history.messages.iter().map(Message::seq).zip(texts));
            }
            8 if exists => {
                let options = CompactOptions::new().keep_removed(next.byte() % 2 == 0);
                if first.compact(&options).expect("compact").removed > 0 {
                    model.kept_from = model.visible_from;
                }
            }
            9 if exists => {
                let number = first.archive().expect("archive");
                assert!(second.say("user", "no").is_err());
                assert_eq!(second.restore(None).expect("restore"), number);
            }
            10 if exists => {
                tear(first, &mut model, next.byte());
                // Whoever wrote what was torn is dead.
                handles = [session(), session()];
            }
            11 => handles[usize::from(next.byte() % 2)] = session(),
            _ => {}
        }
        check(&handles[usize::from(next.byte() % 2)], &model);
    }
    handles.iter().for_each(|session| check(session, &model));
});

/// Cuts the log inside its last line, if that is a message, as a killed writer leaves it.
fn tear(session: &Session, model: &mut Model, part: u8) {
    let path = session.path().expect("path").expect("there");
    let bytes = std::fs::read(&path).expect("read");
    let transcript = session.transcript().expect("transcript");
    let Some(Entry::Message(last)) = transcript.entries.last() else { return };
    if bytes.last() != Some(&b'\n') {
        return;
    }
    let start = bytes[..bytes.len() - 1].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let cut = start + 1 + usize::from(part) * (bytes.len() - start - 2) / 255;
    // Without its newline only, it is a whole record.
    if cut + 1 < bytes.len() {
        model.messages.retain(|(seq, _)| *seq != last.seq());
    }
    std::fs::write(&path, &bytes[..cut]).expect("write");
}

fn said<'a>(messages: impl IntoIterator<Item = &'a Message>) -> Vec<(u64, String)> {
    messages.into_iter().map(|message| (message.seq(), message.text().into_owned())).collect()
}

fn check(session: &Session, model: &Model) {
    let visible = model.visible();
    let history = session.history().expect("history");
    assert_eq!(said(&history.messages), visible);
    assert_eq!(history.summary, model.summary);
    assert!(history.report.gaps.is_empty() && history.report.repeated == 0);
    assert_eq!(said(session.transcript().expect("transcript").messages()), model.from(model.kept_from));
    let from = visible.len().saturating_sub(2);
    assert_eq!(said(&session.tail(2).expect("tail").messages), visible[from..]);
    let mut pages = Vec::new();
    let mut cursor = None;
    loop {
        let page = session.page(Scope::History, cursor.as_ref(), 3).expect("page");
        pages.splice(0..0, said(&page.messages));
        cursor = page.older;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(pages, visible);
}
