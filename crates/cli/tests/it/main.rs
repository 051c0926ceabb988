//! Runs the program as a person or a script would.

#![allow(clippy::unwrap_used, missing_docs)]

/// Starts the program and looks at what it prints.
mod support;

/// Do the reading commands show what is there, and say what isn't right?
mod reading;

/// Does `search` find what people mean?
mod search;

/// Do `log append` and `log repair` do what they say?
mod writing;

/// Is a line a record to the program if and only if it is one to the library?
mod json;

/// Do the commands on sessions do what they say, also with wrong input?
mod sessions;

/// Are the sessions of all agents found, shown, searched, counted and taken along?
mod agents;

/// Do the commands on memories do what they say, also with wrong input?
mod memory;

/// Do the commands on trust say yes to nothing but what was approved?
mod trust;

/// Do the commands on the catalog say what sessions-db's say, and does its hook never fail the agent?
mod catalog;

/// Does `doctor` see what is wrong, and what isn't?
mod doctor;

/// Does the program end as documented, whatever it is given?
mod ending;

/// Can somebody read our files who knows nothing but what is written down about them?
mod format;
