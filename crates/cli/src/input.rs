//! What comes from the person or program in front of it.

use std::io::{self, BufRead, IsTerminal, Read, Write};

use crate::exit::{Exit, Failure};
use crate::human::printable;

/// Standard input as text, without a newline at its end.
pub(crate) fn read_text() -> Result<String, Failure> {
    let mut text = Vec::new();
    let most = jsonl_core::MAX_LINE_LEN as u64 + 1;
    let got = io::stdin().lock().take(most).read_to_end(&mut text);
    got.map_err(|error| Failure::Told(Exit::Internal, format!("cannot read standard input: {error}")))?;
    if text.len() as u64 == most {
        let text = format!("standard input: more than {} bytes, which no record may have", most - 1);
        return Err(Failure::Told(Exit::Damaged, text));
    }
    let text = String::from_utf8(text)
        .map_err(|error| Failure::Told(Exit::Damaged, format!("standard input: {error}")))?;
    Ok(text.strip_suffix('\n').map(str::to_owned).unwrap_or(text))
}

/// Whether somebody can be asked: they see the question, and can type.
pub(crate) fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks a person. Anything but a clear yes is a no.
pub(crate) fn ask(question: &str) -> Result<bool, Failure> {
    let mut err = io::stderr();
    let asked = write!(err, "{} [y/N] ", printable(question)).and_then(|()| err.flush());
    let cannot = |error| Failure::Told(Exit::Internal, format!("cannot ask: {error}"));
    asked.map_err(cannot)?;
    let mut answer = Vec::new();
    io::stdin().lock().take(1024).read_until(b'\n', &mut answer).map_err(cannot)?;
    let answer = String::from_utf8_lossy(&answer).trim().to_lowercase();
    Ok(answer == "y" || answer == "yes")
}
