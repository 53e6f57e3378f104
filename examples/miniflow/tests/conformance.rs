//! The shared suite, one named test for each case.

mod adapter;

use adapter::Miniflow;

stageflow_stress::conformance!(Miniflow::default());
