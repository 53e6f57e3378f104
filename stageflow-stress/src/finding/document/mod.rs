//! findings.json: read wide, written narrow.

mod raw;
mod read;

pub use read::{Document, DocumentError, DocumentFinding, DocumentMetadata, Word};
