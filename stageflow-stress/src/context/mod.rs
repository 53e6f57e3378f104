//! What a test body touches.

/// The context of a test.
#[derive(Debug, Clone)]
pub struct TestContext {}
