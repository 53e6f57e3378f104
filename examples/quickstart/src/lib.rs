//! A small pipeline.
