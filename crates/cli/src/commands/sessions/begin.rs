//! `annals begin`: a session with metadata.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::args::sessions::Begin;
use crate::exit::{Exit, Failure};
use crate::human::name;
use crate::out::Out;
use crate::store::Home;

#[derive(Serialize)]
struct BegunObject<'a> {
    key: &'a str,
    begun: bool,
}

pub(crate) fn run(args: &Begin, home: &Home, out: &mut Out) -> Result<Exit, Failure> {
    let metadata = args.metadata.as_deref().map(parse).transpose()?;
    let store = home.store()?;
    let (session, begun) = match &args.key {
        None => (store.begin_unnamed(&metadata)?, true),
        Some(key) => {
            let session = store.session(key)?;
            let begun = if args.anew { session.begin_anew(&metadata)? } else { session.begin(&metadata)? };
            (session, begun)
        }
    };
    if out.json {
        out.object(&BegunObject { key: session.key(), begun })?;
    } else {
        out.line(name(session.key()))?;
    }
    if !begun {
        out.note(format_args!("{} is there already, with the metadata that it has", name(session.key())));
        return Ok(Exit::Findings);
    }
    Ok(Exit::Done)
}

/// Metadata as it is typed.
pub(super) fn parse(text: &str) -> Result<Box<RawValue>, Failure> {
    serde_json::from_str(text)
        .map_err(|error| Failure::Told(Exit::Usage, format!("the metadata is no JSON: {error}")))
}
