//! What was run, where, and with what.

use serde_json::Value;

use super::super::folder::Folder;
use super::super::markup::Markup;
use super::super::value::{list, plain, text};

pub fn section(m: &mut Markup, folder: &Folder) {
    for (title, path, document) in [
        ("Configuration", "config/run_config.json", &folder.config),
        ("Environment", "config/environment.json", &folder.environment),
    ] {
        m.element("h3", &[], title);
        let Some(fields) = document.as_object() else {
            m.absent(&format!("Not recorded: there is no {path}."));
            continue;
        };
        super::source(m, folder, &[path]);
        let rows: Vec<(String, String)> = fields
            .iter()
            .filter(|(key, _)| !matches!(key.as_str(), "format" | "dependencies"))
            .map(|(key, value)| {
                (
                    key.replace('_', " "),
                    if is_empty(value) { "not recorded".to_owned() } else { plain(value) },
                )
            })
            .collect();
        super::facts(m, rows.iter().map(|(key, value)| (key.as_str(), value.clone())));
        if let Some(dependencies) =
            fields.get("dependencies").and_then(Value::as_object).filter(|all| !all.is_empty())
        {
            m.within("details", &[], |m| {
                m.element("summary", &[], &format!("{} dependencies", dependencies.len()));
                m.within("p", &[("class", "prose")], |m| {
                    for (name, version) in dependencies {
                        m.text(&format!("{name} {}\n", plain(version)));
                    }
                });
            });
        }
    }
    m.element("h3", &[], "Processes");
    let processes = list(&folder.tests, "processes");
    if processes.is_empty() {
        m.absent("Not recorded.");
        return;
    }
    m.table(
        "Processes that took part",
        &["Host", "Process", "Runner", "Version of this library", "Command"],
        processes,
        |m, process| {
            for key in ["host", "pid", "runner", "sdk"] {
                m.cell(&text(process, key));
            }
            m.element(
                "td",
                &[("class", "wide")],
                &list(process, "command").iter().map(plain).collect::<Vec<_>>().join(" "),
            );
        },
    );
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}
