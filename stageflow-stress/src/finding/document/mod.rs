//! findings.json: read wide, written narrow.

mod raw;
mod read;
mod write;

pub(super) use raw::{RawObject, heal};
pub use read::{Document, DocumentError, DocumentFinding, DocumentMetadata, Word};
pub(super) use write::fact;
pub use write::render;
