//! A project's own roadmap: checked when the tests are compiled, and again when the file changes.

use stageflow_stress_tests::{Project, json};

const ROADMAP: &str = "# Roadmap of the shop

## Tier 1: Checkout

### 1.1 Payment
| ID | Target | Priority | Risk | Status |
|----|--------|----------|------|--------|
| SHOP-001 | No card is charged twice (<200ms) | P0 | Catastrophic | ☐ Not Started |
";

#[test]
fn an_edit_of_the_file_is_noticed() {
    let project = Project::new(
        "shop",
        &[
            (
                "tests/it.rs",
                "use stageflow_stress::prelude::*;\n#[roadmap_test(\"SHOP-001\")]\nfn charges(cx: &TestContext) {\n    \
                 cx.check(\"target\", cx.entry().target.is_some_and(|target| target.value == 200.0));\n}\n",
            ),
            ("stageflow.toml", "roadmap = \"docs/ROADMAP.md\"\n"),
            ("docs/ROADMAP.md", ROADMAP),
        ],
    );
    project.one("charges", &[]).green();
    let config = json(&project.run_folder("SHOP-001").join("config/run_config.json"));
    assert_eq!(config["roadmap_entry_title"], "No card is charged twice (<200ms)");
    assert_eq!(config["priority"], "P0");

    // Nothing but the roadmap changes: the crate must be compiled again, and must fail.
    project.write("docs/ROADMAP.md", &ROADMAP.replace("SHOP-001", "SHOP-002"));
    let output = project.cargo(&["test", "--no-run"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !output.status.success() && text.contains("SHOP-001") && text.contains("did you mean `SHOP-002`"),
        "{text}"
    );

    project.write("docs/ROADMAP.md", &ROADMAP.replace("charged twice", "charged three times"));
    project.one("charges", &[]).green();
    let config = json(&project.run_folder("SHOP-001").join("config/run_config.json"));
    assert_eq!(config["roadmap_entry_title"], "No card is charged three times (<200ms)");
}
