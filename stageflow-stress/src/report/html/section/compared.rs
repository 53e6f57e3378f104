//! What the logs were compared with, and the executions before this one.

use serde_json::Value;

use super::super::folder::Folder;
use super::super::markup::Markup;
use super::super::value::{list, natural, number, short, text};
use crate::markdown::count;

/// Comparisons whose changes are listed.
const SHOWN: usize = 20;

pub fn section(m: &mut Markup, folder: &Folder) {
    m.element("h3", &[], "Comparisons");
    let of = |field| {
        let all =
            folder.logs.iter().flat_map(move |(_, log)| list(log, field).iter().map(move |one| (log, one)));
        all.collect::<Vec<(&Value, &Value)>>()
    };
    let compared = of("comparisons");
    if compared.is_empty() {
        m.absent(
            "Nothing was compared: no log of this run has a good run before it, an attempt that went the other way, or runs \
             without faults beside runs with faults.",
        );
    } else {
        counts(m, &compared);
        for (log, one) in compared.iter().take(SHOWN) {
            changes(m, log, one);
        }
        if compared.len() > SHOWN {
            let more = count(compared.len() - SHOWN, "more comparison is", "more comparisons are");
            m.absent(&format!("The changes of {more} in the analyses."));
        }
    }
    let earlier = of("history");
    if !earlier.is_empty() {
        history(m, &earlier);
    }
}

fn counts(m: &mut Markup, compared: &[(&Value, &Value)]) {
    const NUMBERS: [(&str, &str); 7] = [
        ("same", "Same"),
        ("new", "New"),
        ("gone", "Gone"),
        ("more", "More often"),
        ("less", "Less often"),
        ("new_steps", "New steps"),
        ("gone_steps", "Steps gone"),
    ];
    let mut headings = vec!["Test", "What went well, or came first", "Compared with it"];
    headings.extend(NUMBERS.map(|(_, heading)| heading));
    headings.push("Frequencies");
    m.table("Templates and steps that differ", &headings, compared, |m, (log, one)| {
        m.cell(&text(log, "test"));
        m.cell(&text(one, "before"));
        m.cell(&text(one, "after"));
        for (field, _) in NUMBERS {
            m.number(number(one, field), &natural(one, field).to_string());
        }
        match one["frequencies_not_compared"].as_str() {
            Some(why) => m.cell(&format!("not compared: {why}")),
            None => m.cell("compared"),
        }
    });
}

/// What differs, most telling first.
fn changes(m: &mut Markup, log: &Value, one: &Value) {
    let (changes, steps) = (list(one, "changes"), list(one, "steps"));
    if changes.is_empty() && steps.is_empty() {
        return;
    }
    m.within("details", &[], |m| {
        let what = format!("{}: {} → {}", text(log, "test"), text(one, "before"), text(one, "after"));
        m.element("summary", &[], &what);
        if !changes.is_empty() {
            let headings = ["Change", "Level", "Template", "Before", "After", "p", "Line", "Sample"];
            m.table("Templates that differ", &headings, changes, |m, change| {
                m.cell(&text(change, "kind"));
                m.cell(&text(change, "level"));
                m.cell(&text(change, "template"));
                m.number(number(change, "before"), &text(change, "before"));
                m.number(number(change, "after"), &text(change, "after"));
                let p = number(change, "p");
                m.number(p, &p.map_or_else(|| "not tested".to_owned(), |p| format!("{p:.1e}")));
                m.number(number(change, "line"), &text(change, "line"));
                m.cell(&text(change, "sample"));
            });
        }
        if !steps.is_empty() {
            m.table("Steps that differ", &["Step", "After", "comes", "Times"], steps, |m, step| {
                m.cell(&text(step, "kind"));
                m.cell(&text(step, "from"));
                m.cell(&text(step, "to"));
                m.number(number(step, "count"), &text(step, "count"));
            });
        }
        let all: u64 = ["new", "gone", "more", "less", "new_steps", "gone_steps"]
            .iter()
            .map(|field| natural(one, field))
            .sum();
        let more = all.saturating_sub((changes.len() + steps.len()) as u64);
        if more > 0 {
            m.absent(&format!(
                "And {}; the analysis has more.",
                count(more, "more difference", "more differences")
            ));
        }
    });
}

fn history(m: &mut Markup, earlier: &[(&Value, &Value)]) {
    let headings = [
        "Test",
        "Run",
        "Log",
        "Came to",
        "Records",
        "Error rate",
        "Different errors",
        "Templates",
        "Log is whole",
    ];
    m.element("h3", &[], "Earlier executions");
    m.table("Earlier executions of the same tests", &headings, earlier, |m, (log, one)| {
        m.cell(&text(log, "test"));
        m.cell(&text(one, "run"));
        m.cell(&text(one, "log"));
        m.cell(match one["passed"].as_bool() {
            Some(true) => "passed",
            Some(false) => "did not pass",
            None => "not known",
        });
        m.number(number(one, "records"), &text(one, "records"));
        let rate = number(one, "error_rate");
        m.number(
            rate,
            &rate.map_or_else(|| "no records".to_owned(), |rate| format!("{} %", short(rate * 100.0))),
        );
        m.number(number(one, "errors"), &text(one, "errors"));
        m.number(number(one, "templates"), &text(one, "templates"));
        m.cell(if one["whole"].as_bool() == Some(true) { "yes" } else { "no" });
    });
}
