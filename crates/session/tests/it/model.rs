//! Random operations against a model of a few lines: two handles, reopening, a crash that cuts the log at any byte.

use annals_session::{CompactOptions, Scope, Session, Store, Truncate};
use proptest::prelude::*;

use crate::support::Place;

/// What a session is meant to be.
#[derive(Clone, Debug, Default)]
struct Model {
    /// All messages with their sequence numbers.
    messages: Vec<(u64, String)>,
    visible_from: u64,
    summary: String,
    /// Messages below it are no more in the log.
    kept_from: u64,
}

impl Model {
    fn visible(&self) -> Vec<(u64, String)> {
        let from = self.visible_from.max(self.kept_from);
        self.messages.iter().filter(|(seq, _)| *seq >= from).cloned().collect()
    }

    fn kept(&self) -> Vec<(u64, String)> {
        self.messages.iter().filter(|(seq, _)| *seq >= self.kept_from).cloned().collect()
    }
}

#[derive(Clone, Debug)]
enum Step {
    Append {
        len: usize,
        by_second: bool,
    },
    AppendMany {
        count: usize,
    },
    KeepLast {
        count: usize,
        summary: bool,
        by_second: bool,
    },
    Before {
        back: usize,
    },
    Reveal,
    SetSummary {
        len: usize,
    },
    SetHistory {
        count: usize,
    },
    Compact {
        keep: bool,
        by_second: bool,
    },
    Reopen,
    ArchiveAndRestore,
    Fork {
        back: usize,
    },
    /// The last write was torn: the log ends somewhere in its last line.
    Tear {
        part: u8,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0..300_usize, any::<bool>()).prop_map(|(len, by_second)| Step::Append { len, by_second }),
        2 => (0..5_usize).prop_map(|count| Step::AppendMany { count }),
        2 => (0..6_usize, any::<bool>(), any::<bool>())
            .prop_map(|(count, summary, by_second)| Step::KeepLast { count, summary, by_second }),
        1 => (0..8_usize).prop_map(|back| Step::Before { back }),
        1 => Just(Step::Reveal),
        1 => (0..50_usize).prop_map(|len| Step::SetSummary { len }),
        1 => (0..4_usize).prop_map(|count| Step::SetHistory { count }),
        2 => (any::<bool>(), any::<bool>()).prop_map(|(keep, by_second)| Step::Compact { keep, by_second }),
        1 => Just(Step::Reopen),
        1 => Just(Step::ArchiveAndRestore),
        1 => (0..5_usize).prop_map(|back| Step::Fork { back }),
        2 => any::<u8>().prop_map(|part| Step::Tear { part }),
    ];
    prop::collection::vec(step, 1..50)
}

fn run(steps: Vec<Step>) {
    let place = Place::new();
    let mut first = place.session("s");
    let mut second = place.again().session("s").unwrap();
    let mut model = Model::default();
    let mut named = 0;
    let mut forks = 0;
    for step in steps {
        let mut name = |len: usize| {
            named += 1;
            format!("{named}:{}", "é".repeat(len))
        };
        let exists = first.exists().unwrap().is_some();
        match &step {
            Step::Append { len, by_second } => {
                let text = name(*len);
                let seq = if *by_second { &second } else { &first }.say("user", &text).unwrap();
                model.messages.push((seq, text));
            }
            Step::AppendMany { count } => {
                let texts: Vec<_> = (0..*count).map(|_| name(3)).collect();
                let messages = texts.iter().map(|text| annals_session::ChatMessage::new("user", text));
                let seqs = first.append_all(messages).unwrap();
                model.messages.extend(seqs.into_iter().zip(texts));
            }
            Step::KeepLast { count, summary, by_second } if exists => {
                let session = if *by_second { &second } else { &first };
                let mut truncate = Truncate::keep_last(*count);
                if *summary {
                    model.summary = name(2);
                    truncate = truncate.summary(&model.summary);
                }
                let visible = model.visible();
                let from = session.truncate(&truncate).unwrap();
                if *count < visible.len() {
                    let first_kept = visible.len() - count;
                    let wanted = match visible.get(first_kept) {
                        Some((seq, _)) => from == *seq,
                        None => from > visible[visible.len() - 1].0,
                    };
                    assert!(wanted, "{from} after {step:?}");
                }
                model.visible_from = from;
            }
            Step::Before { back } if !model.messages.is_empty() => {
                let at = model.messages.len().saturating_sub(*back + 1);
                let seq = model.messages[at].0;
                model.visible_from = model.visible_from.max(seq);
                assert_eq!(first.truncate(&Truncate::before(seq)).unwrap(), model.visible_from);
            }
            Step::Reveal if exists => {
                first.reveal().unwrap();
                model.visible_from = 0;
            }
            Step::SetSummary { len } => {
                model.summary = name(*len);
                first.set_summary(&model.summary).unwrap();
            }
            Step::SetHistory { count } => {
                let texts: Vec<_> = (0..*count).map(|_| name(3)).collect();
                first
                    .set_history(texts.iter().map(|text| annals_session::ChatMessage::new("user", text)))
                    .unwrap();
                let history = first.history().unwrap();
                assert_eq!(history.messages.len(), texts.len());
                let last = first.transcript().unwrap().visible_from;
                model.visible_from = last;
                model.messages.extend(history.messages.iter().map(annals_session::Message::seq).zip(texts));
            }
            Step::Compact { keep, by_second } if exists => {
                let session = if *by_second { &second } else { &first };
                let before = model.kept().len();
                let visible = model.visible();
                let options = CompactOptions::new().keep_removed(*keep);
                let planned = session.compact(&options.clone().dry_run(true)).unwrap();
                let compacted = session.compact(&options).unwrap();
                assert_eq!(planned.removed, compacted.removed);
                if compacted.removed > 0 {
                    model.kept_from = model.visible_from;
                }
                assert_eq!(model.visible(), visible);
                assert_eq!(compacted.removed as usize, before - model.kept().len());
            }
            Step::Reopen => first = reopened(&place).session("s").unwrap(),
            Step::ArchiveAndRestore if exists => {
                let number = first.archive().unwrap();
                assert!(matches!(second.say("user", "no"), Err(annals_session::Error::Archived { .. })));
                check(&second, &model);
                assert_eq!(second.restore(None).unwrap(), number);
            }
            Step::Fork { back } if exists => {
                forks += 1;
                let transcript = first.transcript().unwrap();
                let at = transcript.entries.len().saturating_sub(back + 1);
                let seq = transcript.entries[at].seq();
                let fork = first.fork(&format!("fork {forks}"), Some(seq)).unwrap();
                let forked = fork.transcript().unwrap();
                let expected: Vec<_> = model.kept().into_iter().filter(|(s, _)| *s <= seq).collect();
                assert_eq!(seqs_and_texts(forked.messages()), expected);
                assert!(forked.report.is_clean());
                assert_eq!(forked.parent.unwrap().seq, seq);
                let next = fork.say("user", "onwards").unwrap();
                assert_eq!(next, seq + 1);
            }
            Step::Tear { part } if exists => {
                tear(&first, &mut model, *part);
                // Whoever wrote what was torn is dead: bytes that a living writer left don't go away.
                first = reopened(&place).session("s").unwrap();
                second = reopened(&place).session("s").unwrap();
            }
            _ => {}
        }
        check(&first, &model);
        check(&second, &model);
    }
}

fn reopened(place: &Place) -> Store {
    place.again()
}

/// Cuts the log inside its last line, as a killed writer leaves it.
fn tear(session: &Session, model: &mut Model, part: u8) {
    let path = session.path().unwrap().unwrap();
    let bytes = std::fs::read(&path).unwrap();
    if bytes.last() != Some(&b'\n') {
        return;
    }
    let transcript = session.transcript().unwrap();
    // Only what a message was: an event that was acknowledged is not un-acknowledged by the model.
    let Some(annals_session::Entry::Message(last)) = transcript.entries.last() else { return };
    let start = bytes[..bytes.len() - 1].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let len = bytes.len() - start;
    let cut = start + 1 + usize::from(part) * (len - 2) / 255;
    if cut + 1 < bytes.len() {
        model.messages.retain(|(seq, _)| *seq != last.seq());
    }
    std::fs::write(&path, &bytes[..cut]).unwrap();
}

fn seqs_and_texts<'a>(messages: impl IntoIterator<Item = &'a annals_session::Message>) -> Vec<(u64, String)> {
    messages.into_iter().map(|message| (message.seq(), message.text().into_owned())).collect()
}

#[track_caller]
fn check(session: &Session, model: &Model) {
    let history = session.history().unwrap();
    let visible = model.visible();
    assert_eq!(seqs_and_texts(&history.messages), visible);
    assert_eq!(history.summary, model.summary);
    assert_eq!(session.summary().unwrap(), model.summary);
    assert!(history.report.gaps.is_empty() && history.report.repeated == 0, "{:?}", history.report);
    let transcript = session.transcript().unwrap();
    assert_eq!(seqs_and_texts(transcript.messages()), model.kept());
    for count in [0, 1, 3] {
        let tail = session.tail(count).unwrap();
        let from = visible.len().saturating_sub(count);
        assert_eq!(seqs_and_texts(&tail.messages), visible[from..]);
    }
    for (scope, expected) in [(Scope::History, &visible), (Scope::Transcript, &model.kept())] {
        let mut cursor = None;
        let mut pages = Vec::new();
        loop {
            let page = session.page(scope, cursor.as_ref(), 3).unwrap();
            pages.splice(0..0, seqs_and_texts(&page.messages));
            cursor = page.older;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(&pages, expected, "{scope:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_session_does_what_a_model_of_it_does(steps in steps()) {
        run(steps);
    }
}
