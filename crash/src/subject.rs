//! What is tested: each of the stores, seen as names with values, and one that is broken on purpose.

mod catalog;
mod log;
mod memory;
mod naive;
mod session;
mod trust;

use std::path::Path;

use jsonl_core::Durability;

pub use catalog::Catalog;
pub use log::Log;
pub use memory::Memory;
pub use naive::Naive;
pub use session::Session;
pub use trust::Trust;

use crate::ledger::{Found, Step};

/// Whatever went wrong, in words.
pub type Result<T, E = String> = std::result::Result<T, E>;

/// How a store is used.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// About how many bytes a record takes.
    pub len: usize,
    /// How far an operation has travelled when it is acknowledged.
    pub durability: Durability,
}

/// A kind of store. It lives in a folder of its own, and nobody else writes there.
pub trait Subject: Send + Sync {
    /// What it is called on the command line and in the report.
    fn name(&self) -> &'static str;

    /// What a writer's `n`th operation does.
    fn step(&self, writer: usize, n: u64) -> Step;

    /// Makes what has to be there before the first of so many writers opens the store.
    fn prepare(&self, _folder: &Path, _writers: usize) -> Result<()> {
        Ok(())
    }

    /// Opens the store for writing, and makes it if it isn't there.
    fn open(&self, folder: &Path, writer: usize, setting: Setting) -> Result<Box<dyn Handle>>;

    /// Everything that is there; an error if it contradicts itself or can't be read.
    fn read(&self, folder: &Path, setting: Setting) -> Result<Found>;

    /// Says that what may be lost is lost, where the store lets nobody write before somebody has said so.
    fn accept(&self, _folder: &Path) -> Result<()> {
        Err(String::from("it asks for nothing"))
    }

    /// Whether a handle acknowledges nothing after a sync has failed, until the store is opened again.
    fn poisons(&self) -> bool {
        false
    }

    /// After how many operations a writer closes the store and opens it again, where only one can have it open.
    fn turn_len(&self) -> Option<u64> {
        None
    }
}

/// An open store.
pub trait Handle {
    /// Does the `n`th operation of the writer that opened it.
    fn apply(&mut self, n: u64) -> Result<()>;

    /// Closes it.
    fn close(self: Box<Self>) -> Result<()>;
}

/// All that are not broken.
pub const STORES: [&dyn Subject; 5] = [&Log, &Session, &Memory, &Trust, &Catalog];

/// The store of this name, or the broken one.
pub fn by_name(name: &str) -> Result<&'static dyn Subject> {
    let found = STORES.into_iter().find(|subject| subject.name() == name);
    let found = found.or_else(|| Some(&Naive as &dyn Subject).filter(|naive| naive.name() == name));
    found.ok_or_else(|| format!("there is no store {name}"))
}

/// An error of whatever crate, in words.
pub fn said<E: std::fmt::Display>(error: E) -> String {
    error.to_string()
}

/// The name of an operation.
pub fn token(writer: usize, n: u64) -> String {
    format!("{writer}.{n}")
}

/// A text of about `len` bytes that belongs to an operation and to no other.
pub fn text(token: &str, len: usize) -> String {
    let letter =
        char::from(b'a' + token.bytes().fold(0_u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte)) % 26);
    format!("{token}:{}", letter.to_string().repeat(len.saturating_sub(token.len())))
}

/// The operation that a text belongs to, if it is just that text.
pub fn token_of(found: &str, len: usize) -> Result<String> {
    let token = found.split(':').next().unwrap_or_default();
    if text(token, len) == found { Ok(token.to_owned()) } else { Err(format!("nobody wrote {found:.80}")) }
}
