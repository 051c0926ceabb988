//! What the public interface promises.

#![allow(clippy::unwrap_used, missing_docs)]

mod differential;
mod fixtures;
mod neighbours;
mod observing;
mod operations;
mod places;
mod support;
