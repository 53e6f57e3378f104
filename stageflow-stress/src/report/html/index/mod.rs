//! `runs/index.html`: every entry of the roadmap with all its runs.

mod collect;
mod entries;
mod heat;
mod render;
mod trend;

pub use collect::collect;
pub use render::render;
