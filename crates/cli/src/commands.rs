//! One module per command, and what several of them share.

pub(crate) mod catalog;
pub(crate) mod doctor;
pub(crate) mod log_append;
pub(crate) mod log_repair;
pub(crate) mod ls;
pub(crate) mod man;
pub(crate) mod memory;
pub(crate) mod sessions;
pub(crate) mod show;
pub(crate) mod stats;
pub(crate) mod tail;
pub(crate) mod transcripts;
pub(crate) mod trust;

/// How a record is printed.
mod view;

/// Columns that line up.
mod table;

/// What of a report is told to programs.
mod summary;

use std::time::Duration;

use crate::exit::{Exit, Failure};

/// `--wait 2.5`.
fn seconds(wait: f64) -> Result<Duration, Failure> {
    Duration::try_from_secs_f64(wait).map_err(|error| {
        Failure::Told(Exit::Usage, format!("--wait {wait}: {error}; give a number of seconds"))
    })
}
