//! What the attributes say about wrong uses, word for word.
//!
//! The compiler's own words differ between its versions, so the whole file is for one of them.

use std::process::Command;

#[test]
#[rustversion::attr(not(stable(1.95)), ignore = "the messages of another compiler")]
fn wrong_uses() {
    trybuild::TestCases::new().compile_fail("ui/*.rs");
}

/// A project's roadmap is named in the environment, which a process of its own keeps from the other tests.
#[test]
#[rustversion::attr(not(stable(1.95)), ignore = "the messages of another compiler")]
fn roadmaps_of_a_project() {
    for (case, roadmap) in [
        ("with_a_roadmap", "fixtures/roadmap.md"),
        ("with_a_broken_roadmap", "fixtures/broken_roadmap.md"),
        ("with_a_missing_roadmap", "fixtures/no_such_roadmap.md"),
    ] {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", case, "--include-ignored", "--nocapture"])
            .env("STAGEFLOW_ROADMAP", concat!(env!("CARGO_MANIFEST_DIR"), "/").to_owned() + roadmap)
            .output()
            .unwrap();
        let text =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{case}:\n{text}");
        assert!(text.contains("1 passed"), "{case} did not run:\n{text}");
    }
}

#[test]
#[ignore = "run by `roadmaps_of_a_project`"]
fn with_a_roadmap() {
    trybuild::TestCases::new().compile_fail("ui/project/*.rs");
}

#[test]
#[ignore = "run by `roadmaps_of_a_project`"]
fn with_a_broken_roadmap() {
    trybuild::TestCases::new().compile_fail("ui/broken/*.rs");
}

#[test]
#[ignore = "run by `roadmaps_of_a_project`"]
fn with_a_missing_roadmap() {
    trybuild::TestCases::new().compile_fail("ui/missing/*.rs");
}
