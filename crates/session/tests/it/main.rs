//! Tests of `annals-session` through its public interface, on real folders.

#![allow(clippy::unwrap_used, missing_docs)]

/// Stores to test with.
mod support;

/// Everything that aish's, orca's and picoclaw's session stores do, item by item.
mod checklists;

/// Random operations, cuts and reopenings against a model of a few lines.
mod model;

/// Hostile keys: nothing leaves the folder, and no two share a file.
mod keys;

/// Tails, pages, lists, forks, followers: what the originals don't have.
mod views;

/// Damaged logs: what is left is shown, and the rest reported.
mod damage;

/// Several threads, handles and processes at once.
mod together;

/// The chat loop of the examples, killed in the middle.
mod example;
