//! findings.json: read wide, written narrow.

mod raw;
mod read;
mod write;

#[cfg(feature = "html")]
pub(crate) use raw::heal;
pub use read::{Document, DocumentError, DocumentFinding, DocumentMetadata, Word};
pub(super) use write::fact;
pub use write::render;
