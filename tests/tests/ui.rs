//! What the attributes say about wrong uses, word for word.

/// The compiler's own words differ between versions; ours do not.
#[test]
#[rustversion::attr(not(stable(1.95)), ignore = "the messages of another compiler")]
fn wrong_uses() {
    trybuild::TestCases::new().compile_fail("ui/*.rs");
}
