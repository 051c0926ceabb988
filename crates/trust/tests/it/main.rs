//! Is nothing run that nobody approved?

#![cfg(unix)]
#![allow(clippy::unwrap_used, missing_docs)]

mod damage;
mod decisions;
mod fixtures;
mod hostile;
mod race;
mod sets;
mod support;
mod unsafe_files;
mod upwards;
