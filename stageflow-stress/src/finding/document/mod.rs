//! findings.json: read wide, written narrow.

#[cfg(feature = "cli")]
mod edit;
mod foreign;
mod raw;
mod read;
mod shape;
mod slices;
mod write;

#[cfg(feature = "cli")]
pub(super) use edit::with_fields;
pub(crate) use foreign::Foreign;
pub(super) use raw::RawObject;
pub(crate) use raw::heal;
pub use read::{Document, DocumentError, DocumentFinding, DocumentMetadata, Word};
pub(super) use slices::{RawSlices, escaped, same_length};
#[cfg(feature = "cli")]
pub use write::as_upstream;
pub use write::{Profile, render, render_as};
pub(super) use write::{fact, time_or};
