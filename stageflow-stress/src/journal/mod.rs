//! The journal: what is recorded, as it happens, so that it survives the process.

pub mod record;
