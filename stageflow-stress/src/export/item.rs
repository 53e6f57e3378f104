//! A finding as exports and the command line show it: read once, so that no two formats tell different things.

use serde_json::{Map, Value, json};

use crate::classify::Severity;
use crate::finding::document::as_upstream;
use crate::finding::{FindingStatus, FindingType, FoundFinding, Profile, Word};

/// A finding with everything that any format shows of it.
#[derive(Debug, Clone)]
pub struct Item {
    /// The roadmap entry.
    pub entry: String,
    /// Its id.
    pub id: String,
    /// Its fingerprint, where this library recorded it.
    pub fingerprint: Option<String>,
    /// Its type.
    pub kind: Word<FindingType>,
    /// Its severity.
    pub severity: Word<Severity>,
    /// Its status.
    pub status: Word<FindingStatus>,
    /// Its title.
    pub title: String,
    /// Its description.
    pub description: String,
    /// The component of the system under test.
    pub component: Option<String>,
    /// Its tags.
    pub tags: Vec<String>,
    /// When it was found, as written.
    pub created_at: Option<String>,
    /// When it was last changed, as written.
    pub updated_at: Option<String>,
    /// When it was resolved, as written.
    pub resolved_at: Option<String>,
    /// How often it was seen, summed over the runs.
    pub occurrences: u64,
    /// The runs that saw it, oldest first.
    pub runs: Vec<String>,
    /// Whether the latest run of the entry saw it.
    pub in_latest_run: bool,
    /// The rule that made it.
    pub rule: Option<String>,
    /// Source file, relative to the workspace, and line.
    pub place: Option<(String, u32)>,
    /// Paths of the tests that saw it.
    pub tests: Vec<String>,
    /// Why the committed file knows it, if it does.
    pub known: Option<String>,
    /// Whether it came back after it had been fixed.
    pub regression: bool,
    /// Everything that the last run to see it wrote, with the resolution as it is now.
    pub document: Map<String, Value>,
}

impl Item {
    /// The finding of a store.
    #[must_use]
    pub fn new(found: &FoundFinding) -> Self {
        let mut document = found.latest.to_object();
        // The committed file says what holds now; the document says what held when it was written.
        let decided = found.fingerprint.is_some() && (found.known.is_some() || !found.latest.is_imported());
        if decided {
            let known = found.known.as_ref();
            let is_open = found.status.known().is_none_or(FindingStatus::is_open);
            let how = known.and_then(|known| known.resolution.as_ref()).filter(|_| !is_open);
            let resolution = match (how, known) {
                (Some(how), _) => serde_json::to_value(how).ok(),
                // Accepted by a person who wrote a reason and nothing else.
                (None, Some(known)) if !is_open && found.status.known() != Some(FindingStatus::Resolved) => {
                    Some(
                        json!({ "resolution_type": found.status.to_string(), "resolution_details": known.why }),
                    )
                }
                _ => None,
            };
            overlay(&mut document, "resolution", resolution);
            overlay(
                &mut document,
                "resolved_at",
                how.and_then(|how| how.resolved_at.as_ref()).map(|at| json!(at)),
            );
        }
        let extension = document.get("x_stageflow").cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let list =
            |value: &Value| value.as_array().into_iter().flatten().filter_map(text).collect::<Vec<_>>();
        Item {
            entry: found.entry.clone(),
            id: found.id.clone(),
            fingerprint: found.fingerprint.clone(),
            kind: found.kind.clone(),
            severity: found.severity.clone(),
            status: found.status.clone(),
            title: found.title.clone(),
            description: found.latest.description.clone(),
            component: found.latest.component.clone(),
            tags: found.latest.tags.clone(),
            created_at: found.latest.created_at.clone(),
            updated_at: found.latest.updated_at.clone(),
            resolved_at: document.get("resolved_at").and_then(text),
            occurrences: found.occurrences,
            runs: found.runs.clone(),
            in_latest_run: found.in_latest_run,
            rule: text(&extension["rule"]),
            place: text(&extension["location"]).and_then(|place| place_of(&place)),
            tests: list(&extension["tests"]),
            known: found.known.as_ref().map(|known| known.why.clone()),
            regression: found.regression,
            document,
        }
    }

    /// Whether it is something that works well: no defect, whatever its severity.
    #[must_use]
    pub fn is_strength(&self) -> bool {
        self.kind.known() == Some(FindingType::Strength)
    }

    /// Whether somebody still has to do something about it. A status that nobody knows counts as open.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.status.known().is_none_or(FindingStatus::is_open)
    }

    /// A text of an object within the document, such as `resolution` and `resolution_details`.
    #[must_use]
    pub fn text(&self, object: &str, field: &str) -> Option<&str> {
        self.document.get(object)?.get(field)?.as_str().filter(|text| !text.is_empty())
    }

    /// The texts of a list of an object within the document, such as `reproduction` and `steps`.
    #[must_use]
    pub fn texts(&self, object: &str, field: &str) -> Vec<&str> {
        let list = self.document.get(object).and_then(|object| object.get(field)).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// The command that reproduces it: the runtime stores it as code, or as the last step where code was given.
    #[must_use]
    pub fn reproduce(&self) -> Option<&str> {
        let command = |text: &&str| text.contains("cargo test") || text.contains("cargo nextest");
        let code = self.text("reproduction", "code_snippet").filter(command);
        code.or_else(|| self.texts("reproduction", "steps").into_iter().rev().find(command))
    }

    /// The finding as an object in the words of a profile, with where it was seen.
    #[must_use]
    pub fn object(&self, profile: Profile) -> Map<String, Value> {
        let mut object = self.document.clone();
        let (kind, severity) = match (profile, self.kind.known()) {
            (Profile::Upstream, Some(exact)) => {
                let (kind, severity) = as_upstream(exact);
                (kind.to_string(), severity.map(|severity| severity.to_string()))
            }
            _ => (self.kind.to_string(), None),
        };
        let severity = severity.unwrap_or_else(|| self.severity.to_string());
        // What is written narrows: a field that is null in the document of another tool is left out.
        object.retain(|_, value| !value.is_null());
        for (name, value) in [
            ("id", json!(self.id)),
            ("type", json!(kind)),
            ("severity", json!(severity)),
            ("status", json!(self.status.to_string())),
            ("title", json!(self.title)),
            ("description", json!(self.description)),
            ("tags", json!(self.tags)),
        ] {
            object.insert(name.to_owned(), value);
        }
        if let Some(created_at) = &self.created_at {
            object.insert("created_at".to_owned(), json!(created_at));
        }
        let extension = object.entry("x_stageflow").or_insert_with(|| json!({}));
        if let Some(extension) = extension.as_object_mut() {
            for (name, value) in [
                ("entry", json!(self.entry)),
                ("type", json!(self.kind.to_string())),
                ("severity", json!(self.severity.to_string())),
                ("occurrences", json!(self.occurrences)),
                ("runs", json!(self.runs)),
                ("in_latest_run", json!(self.in_latest_run)),
            ] {
                extension.insert(name.to_owned(), value);
            }
        }
        object
    }
}

fn overlay(document: &mut Map<String, Value>, field: &str, value: Option<Value>) {
    match value {
        Some(value) => drop(document.insert(field.to_owned(), value)),
        None => drop(document.remove(field)),
    }
}

/// `src/a.rs:12` or `src/a.rs:12:5`.
fn place_of(text: &str) -> Option<(String, u32)> {
    let mut parts = text.rsplitn(3, ':');
    let (last, before, rest) = (parts.next()?, parts.next()?, parts.next());
    match (rest, before.parse::<u32>(), last.parse::<u32>()) {
        (Some(file), Ok(line), Ok(_)) if !file.is_empty() => Some((file.to_owned(), line)),
        (rest, _, Ok(line)) => {
            let file = rest.map_or_else(|| before.to_owned(), |rest| format!("{rest}:{before}"));
            (!file.is_empty()).then_some((file, line))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_with_and_without_a_column() {
        for (text, place) in [
            ("src/a.rs:12", Some(("src/a.rs", 12))),
            ("src/a.rs:12:5", Some(("src/a.rs", 12))),
            ("C:/a.rs:12", Some(("C:/a.rs", 12))),
            ("src/a.rs", None),
            (":12", None),
            ("", None),
        ] {
            assert_eq!(place_of(text), place.map(|(file, line)| (file.to_owned(), line)), "{text}");
        }
    }
}
