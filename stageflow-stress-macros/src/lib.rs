//! The attributes of stageflow-stress. Use them through that crate.
#![forbid(unsafe_code)]
