//! What measuring needs: corpora from a seeded generator, two sides that run alternately, tables that are kept.
//!
//! Machines differ and are noisy, so only ratios count: both sides run alternately, several times, and medians
//! are compared. Every job gives an answer, and the answers of both sides have to be the same.

#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::missing_panics_doc)]

mod chart;
pub mod command;
pub mod corpus;
pub mod measure;
pub mod messages;
pub mod originals;
pub mod saved;
