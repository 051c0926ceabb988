//! The standard library's mutex without its poison: a panic in a caller's `Serialize` must not take the log along.
//!
//! Nothing that such a lock guards is ever left half changed: what can fail or panic is done first.

use std::sync::{self, MutexGuard, PoisonError};

#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(sync::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(sync::Mutex::new(value))
    }

    /// Whoever panicked with the lock, it can be had again.
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
