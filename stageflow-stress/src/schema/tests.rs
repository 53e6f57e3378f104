use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::finding::{ledger, samples};

fn independent(schema: Schema) -> jsonschema::Validator {
    let schema: Value = serde_json::from_str(schema.text()).unwrap();
    jsonschema::options().should_validate_formats(true).build(&schema).unwrap()
}

/// Documents as they are written, with their schemas.
fn documents() -> Vec<(Schema, Value)> {
    let mut all = Vec::new();
    for state in [samples::empty(), samples::every_type(), samples::every_status(), samples::hostile()] {
        for profile in [crate::finding::Profile::Upstream, crate::finding::Profile::Extended] {
            for status in ["in_progress", "completed"] {
                let json = crate::finding::document::render_as(profile, &state, status, "summary");
                all.push((profile.schema(), serde_json::from_slice(&json).unwrap()));
            }
        }
        for (name, content) in ledger::render(&state) {
            all.push((Schema::of_file(&name).unwrap(), serde_json::from_slice(&content).unwrap()));
        }
        // A start that is no time comes from a damaged `run.json`, and the configuration says what it says.
        if state.info.started_at == "yesterday" {
            continue;
        }
        for (name, content) in crate::report::render(&state, &[], &[]) {
            if let Some(schema) = Schema::of_file(&name) {
                all.push((schema, serde_json::from_slice(&content).unwrap()));
            }
        }
    }
    all
}

#[test]
fn every_document_is_valid_for_us_and_for_an_independent_validator() {
    let mut seen = std::collections::BTreeSet::new();
    for (schema, document) in documents() {
        assert_eq!(schema.violations(&document), [], "{}", schema.name());
        let validator = independent(schema);
        let errors: Vec<String> = validator
            .iter_errors(&document)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert_eq!(errors, [] as [String; 0], "{}", schema.name());
        seen.insert(schema);
    }
    // The samples have no measurements; the end-to-end tests validate those.
    for schema in
        [Schema::FindingsExtended, Schema::Ledger, Schema::RunConfig, Schema::Environment, Schema::Scores]
    {
        assert!(seen.contains(&schema), "no document of {}", schema.name());
    }
}

#[test]
fn schemas_use_only_what_the_check_understands_and_have_an_identity() {
    const UNDERSTOOD: [&str; 15] = [
        "$schema",
        "$id",
        "$ref",
        "title",
        "description",
        "type",
        "enum",
        "const",
        "required",
        "properties",
        "additionalProperties",
        "items",
        "format",
        "definitions",
        "oneOf",
    ];
    fn walk(schema: &Value, name: &str) {
        for (key, value) in schema.as_object().into_iter().flatten() {
            match key.as_str() {
                "properties" | "definitions" => {
                    value.as_object().unwrap().values().for_each(|each| walk(each, name))
                }
                "items" | "additionalProperties" => walk(value, name),
                "oneOf" => value.as_array().unwrap().iter().for_each(|each| walk(each, name)),
                "pattern" => {
                    let good = ["7", "sfp1:00112233445566778899aabbccddeeff", "BUG-001"];
                    let check =
                        |text: &str| check::violations(&json!({ "pattern": value }), &json!(text)).is_empty();
                    assert_eq!(good.iter().filter(|text| check(text)).count(), 1, "{name}: {value}");
                }
                "minimum" | "maximum" => assert!(value.is_number()),
                key => assert!(UNDERSTOOD.contains(&key), "{name}: `{key}` is not understood"),
            }
        }
    }
    for schema in Schema::ALL {
        let parsed: Value = serde_json::from_str(schema.text()).unwrap();
        walk(&parsed, schema.name());
        if *schema != Schema::FindingsUpstream {
            assert!(parsed["$id"].as_str().unwrap().ends_with(":1.0"), "{}", schema.name());
        }
        let published =
            format!("{}/../docs/schema/{}.schema.json", env!("CARGO_MANIFEST_DIR"), schema.name());
        assert_eq!(std::fs::read_to_string(&published).unwrap(), schema.text(), "{published}");
    }
}

/// Everything in a document that can be replaced, as pointers.
fn pointers(value: &Value, at: &str, all: &mut Vec<String>) {
    all.push(at.to_owned());
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                pointers(value, &format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), all);
            }
        }
        Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(at_item, value)| pointers(value, &format!("{at}/{at_item}"), all));
        }
        _ => {}
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3..9_i64).prop_map(Value::from),
        (-1.0..9.0_f64).prop_map(Value::from),
        Just(json!(2.0)),
        prop::sample::select(vec![
            "",
            "bug",
            "strength",
            "high",
            "open",
            "2026-01-14T09:00:00Z",
            "2026-02-30T09:00:00Z",
            "BUG-001",
            "BUG-01",
            "sfp1:00112233445566778899aabbccddeeff",
            "sfp1:x",
            "12",
            "1.0",
            "extended",
        ])
        .prop_map(Value::from),
        Just(json!({})),
        Just(json!([])),
        Just(json!([1, "x"])),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_independent_validator_agrees_on_damaged_documents(
        which in any::<prop::sample::Index>(),
        places in prop::collection::vec((any::<prop::sample::Index>(), prop::option::of(any_value())), 1..4),
    ) {
        thread_local! {
            static DOCUMENTS: Vec<(Schema, Value)> = documents();
        }
        let (schema, mut document) = DOCUMENTS.with(|all| which.get(all).clone());
        for (place, value) in places {
            let mut all = Vec::new();
            pointers(&document, "", &mut all);
            let pointer = place.get(&all).clone();
            match value {
                Some(value) => *document.pointer_mut(&pointer).unwrap() = value,
                // Removes a field.
                None => {
                    let Some((parent, key)) = pointer.rsplit_once('/') else { continue };
                    let key = key.replace("~1", "/").replace("~0", "~");
                    if let Some(Value::Object(fields)) = document.pointer_mut(parent) {
                        fields.remove(&key);
                    }
                }
            }
        }
        let ours = schema.violations(&document);
        let theirs = independent(schema).is_valid(&document);
        prop_assert_eq!(ours.is_empty(), theirs, "{}: {:?}", schema.name(), ours);
    }
}
