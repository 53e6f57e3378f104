//! The run folder: where it lies, how it is claimed, and how its files are made from the journals.

pub mod state;
