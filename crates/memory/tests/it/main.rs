//! Does a memory keep what it was told to keep, and forget what it was told to forget?

#![allow(clippy::unwrap_used, missing_docs)]

mod checkpoint;
mod compaction;
mod damage;
mod fixtures;
mod items;
mod model;
mod support;
mod together;
