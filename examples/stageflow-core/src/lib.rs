//! A project that builds on the published Stageflow (`stageflow-core`, Python) and stress-tests it from Rust.
//!
//! Its pipelines are Python, in `pipelines/`; its stress tests are in `tests/stageflow/`.
