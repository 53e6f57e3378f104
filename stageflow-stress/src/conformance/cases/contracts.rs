//! Contracts: a stage returns what it promised, or it has failed.

use serde_json::json;

use super::*;
use crate::engine::{Field, ValueType};

fn promises(returned: Value, fields: &[Field]) -> PipelineSpec {
    let returned = returned.as_object().cloned().unwrap_or_default();
    let mut pay = stage("pay", Behavior::Const { data: returned });
    for field in fields {
        pay = pay.returns(field.clone());
    }
    pipeline("a promise").stage(pay).stage(act("next", "followed").after(["pay"]))
}

fn broken(t: &mut Bench<'_>, what: &str, returned: Value, fields: &[Field]) -> Result<(), Stop> {
    let report = t.run(&promises(returned, fields), &quick())?;
    t.check(&format!("the caller is told ({what})"), report.end != RunEnd::Ok, || "the run is ok".to_owned());
    t.check_eq(&format!("nothing follows ({what})"), report.effect_count("followed"), 0);
    Ok(())
}

fn kept(t: &mut Bench<'_>, what: &str, returned: Value, fields: &[Field]) -> Result<(), Stop> {
    let report = t.run(&promises(returned, fields), &quick())?;
    t.check_eq(&format!("the run is ok ({what})"), report.end, RunEnd::Ok);
    t.check_eq(&format!("the next stage runs ({what})"), report.effect_count("followed"), 1);
    Ok(())
}

cases! {
    /// An output that keeps its contract passes as it is.
    "CONTRACT-001" an_output_that_keeps_its_contract_passes (Correctness, Schema) [Contracts] |t| {
        let all = json!({ "text": "a", "integer": 1, "number": 1.5, "boolean": false, "list": [], "object": {} });
        let fields: Vec<Field> = ValueType::ALL.iter().map(|is| Field::new(is.as_str(), *is)).collect();
        kept(t, "every type", all, &fields)?;
        kept(t, "more than promised", json!({ "n": 1, "more": 2 }), &[Field::new("n", ValueType::Integer)])?;
    }

    /// An output without a promised key has failed.
    "CONTRACT-005" a_missing_key_breaks_the_contract (Correctness, Schema) [Contracts] |t| {
        broken(t, "absent", json!({ "other": 1 }), &[Field::new("total", ValueType::Integer)])?;
        broken(t, "another case", json!({ "Total": 1 }), &[Field::new("total", ValueType::Integer)])?;
        broken(t, "null", json!({ "total": null }), &[Field::new("total", ValueType::Integer)])?;
    }

    /// An output of another type has failed.
    "CONTRACT-001" another_type_breaks_the_contract (Correctness, Schema) [Contracts] |t| {
        let integer = [Field::new("total", ValueType::Integer)];
        broken(t, "a text", json!({ "total": "340" }), &integer)?;
        broken(t, "a fraction", json!({ "total": 340.5 }), &integer)?;
        broken(t, "a list", json!({ "total": [340] }), &integer)?;
        broken(t, "a number for a text", json!({ "name": 7 }), &[Field::new("name", ValueType::Text)])?;
        broken(t, "a list for an object", json!({ "row": [] }), &[Field::new("row", ValueType::Object)])?;
    }

    /// An optional key may be absent, and has its type where it is not.
    "CONTRACT-005" an_optional_key_has_its_type (Correctness, Schema) [Contracts] |t| {
        let optional = [Field::new("discount", ValueType::Integer).optional()];
        kept(t, "absent", json!({}), &optional)?;
        kept(t, "present", json!({ "discount": 5 }), &optional)?;
        broken(t, "another type", json!({ "discount": "five" }), &optional)?;
    }

    /// The error of a broken contract names the key.
    "CONTRACT-004" a_broken_contract_names_the_key (Observability, Trace) [Contracts] |t| {
        let report = t.run(&promises(json!({ "other": 1 }), &[Field::new("total", ValueType::Integer)]), &quick())?;
        let error = report.error.unwrap_or_default();
        t.check("the key is in the error", error.contains("total"), || format!("the error: {error}"));
    }
}
