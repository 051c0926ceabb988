//! Kills, fills, cuts and breaks what annals writes, and counts what is lost.
//!
//! > **A promise is what a harness has tried to break, next to a writer that it did break.**
//!
//! Each store is a [`Subject`](subject::Subject): names with values, set and taken away by numbered operations. A writer says what it
//! begins and what was acknowledged; a [`Ledger`](ledger::Ledger) tells from that what may be found when it is gone. Every harness does the same to
//! [`Naive`](subject::Naive), which is what most programs do, and has to catch it.
//!
//! The harnesses use what Linux offers; elsewhere there are only the parts that they share.

#[cfg(unix)]
pub mod after;
#[cfg(unix)]
pub mod kill;
pub mod ledger;
pub mod place;
#[cfg(unix)]
pub mod subject;
#[cfg(unix)]
pub mod tally;
#[cfg(unix)]
pub mod worker;
#[cfg(unix)]
pub mod writers;

#[cfg(target_os = "linux")]
pub mod full;
#[cfg(target_os = "linux")]
pub mod mount;
#[cfg(target_os = "linux")]
pub mod outage;
#[cfg(unix)]
pub mod readers;
#[cfg(unix)]
pub mod report;
#[cfg(target_os = "linux")]
pub mod sweep;

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub mod bounds;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub mod calls;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub mod errors;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub mod power;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub mod trace;
