//! One test from start to verdict: set up, execute, observe, analyse, document.

use crate::registry::TestDef;

/// Runs a test under libtest or nextest. Called by the generated `#[test]` function.
pub fn libtest(test: &'static TestDef) {
    let _ = test;
}
