//! The hook that compares goldens is expanded in the user's crate, so insta files a golden under the user's module.
//! This crate does not depend on insta.

use std::process::Command;

use stageflow_stress::__private::{Registered, TestDef, inventory};

mod nested {
    use stageflow_stress as renamed;
    use stageflow_stress::roadmap_test;

    #[roadmap_test("DAG-005")]
    fn plain() {}

    #[roadmap_test("DAG-005", crate = renamed)]
    fn of_a_renamed_dependency() {}
}

fn definition(function: &str) -> &'static TestDef {
    let mut all = inventory::iter::<Registered>.into_iter().map(|registered| registered.0);
    all.find(|test| test.function == function).unwrap()
}

/// The file is `golden_hook__nested__greeting.snap`: crate, module and name, and nothing of the expansion.
#[test]
fn a_golden_lies_where_the_test_is_written() {
    assert!(include_str!("snapshots/golden_hook__nested__greeting.snap").ends_with("hello\n"));
    (definition("plain").golden)("greeting", "hello");
    (definition("of_a_renamed_dependency").golden)("greeting", "hello");
}

#[test]
fn a_difference_panics() {
    let run = |case: &str| {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", case, "--ignored", "--nocapture"])
            .env("INSTA_UPDATE", "no")
            .env_remove("INSTA_FORCE_PASS")
            .output()
            .unwrap();
        assert!(String::from_utf8_lossy(&output.stdout).contains("running 1 test"), "{case} did not run");
        output.status.success()
    };
    assert!(!run("compares_another_greeting"));
    assert!(!run("compares_an_unknown_name"));
}

#[test]
#[ignore = "run by `a_difference_panics`"]
fn compares_another_greeting() {
    (definition("plain").golden)("greeting", "good-bye");
}

#[test]
#[ignore = "run by `a_difference_panics`"]
fn compares_an_unknown_name() {
    (definition("plain").golden)("no such golden", "hello");
}
