//! Answers of the command line, under the schema that is published for them.

use std::collections::BTreeMap;
use std::fs;
use std::sync::{Mutex, OnceLock, PoisonError};

use serde_json::{Value, json};

/// Checks what a command answered with `--json`. Other lines of a shell are none of its business.
#[track_caller]
pub fn check(line: &str, answer: &Value) {
    if let Some(name) = command(line) {
        check_as(&name, line, answer);
    }
}

/// Checks it under the definition of a name.
#[track_caller]
pub fn check_as(name: &str, line: &str, answer: &Value) {
    static VALIDATORS: Mutex<BTreeMap<String, jsonschema::Validator>> = Mutex::new(BTreeMap::new());
    let mut validators = VALIDATORS.lock().unwrap_or_else(PoisonError::into_inner);
    let validator = validators.entry(name.to_owned()).or_insert_with(|| {
        let definitions = &schema()["definitions"];
        assert!(definitions.get(name).is_some(), "`{line}`: no schema for the answer of `{name}`");
        let one = json!({
            "$schema": "http://json-schema.org/draft-07/schema#",
            "$ref": format!("#/definitions/{name}"),
            "definitions": definitions,
        });
        jsonschema::validator_for(&one).expect("a schema")
    });
    let errors: Vec<String> =
        validator.iter_errors(answer).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "`{line}` answers against its schema: {errors:#?}");
}

fn schema() -> &'static Value {
    static SCHEMA: OnceLock<Value> = OnceLock::new();
    SCHEMA.get_or_init(|| {
        let path = super::repository().join("docs/schema/command_line.schema.json");
        serde_json::from_str(&fs::read_to_string(path).expect("the schema")).expect("a schema")
    })
}

/// The command of a line, as its definition is named: `findings.list`.
fn command(line: &str) -> Option<String> {
    let line = line.split_once("stageflow-test ")?.1.split(['|', '>', ';', '&']).next()?;
    if !line.contains("--json") {
        return None;
    }
    let mut words = Vec::new();
    let mut all = line.split_whitespace();
    while let Some(word) = all.next() {
        match word {
            "--runs" | "--color" => drop(all.next()),
            word if word.starts_with('-') => {}
            word => words.push(word),
        }
    }
    let [first, rest @ ..] = words.as_slice() else { return None };
    Some(match (*first, rest.first()) {
        ("findings" | "faults" | "runs" | "roadmap" | "ledger" | "logs", Some(second)) => {
            format!("{first}.{second}")
        }
        ("init", Some(second @ (&"test" | &"crate"))) => format!("init.{second}"),
        _ => (*first).to_owned(),
    })
}
