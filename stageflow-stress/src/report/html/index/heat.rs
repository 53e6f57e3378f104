//! The roadmap as a map: one cell per entry, by tier.

use super::super::markup::Markup;
use super::collect::{All, EntryRuns, State};
use super::entries::anchor;
use crate::markdown::count;

pub fn heat(m: &mut Markup, all: &All) {
    m.within("ul", &[("class", "key"), ("aria-label", "Signs of the map")], |m| {
        for state in State::ALL {
            let n = all.entries.iter().filter(|entry| entry.state() == state).count();
            m.within("li", &[], |m| {
                m.element("b", &[("class", "sign")], state.sign());
                m.text(&format!(" {}: {n}", state.as_str()));
            });
        }
    });
    m.within("div", &[("class", "heat")], |m| {
        let tiers: std::collections::BTreeSet<u8> =
            all.entries.iter().filter_map(|entry| Some(entry.entry?.tier)).collect();
        for tier in tiers {
            let of: Vec<&EntryRuns> =
                all.entries.iter().filter(|entry| entry.entry.is_some_and(|row| row.tier == tier)).collect();
            let title = of.first().and_then(|entry| entry.entry).map_or("", |row| row.tier_title);
            group(m, &format!("Tier {tier}: {title}"), &of);
        }
        let others: Vec<&EntryRuns> = all.entries.iter().filter(|entry| entry.entry.is_none()).collect();
        if !others.is_empty() {
            group(m, "Not in the built-in roadmap", &others);
        }
    });
}

fn group(m: &mut Markup, title: &str, of: &[&EntryRuns]) {
    let ran = of.iter().filter(|entry| entry.state() != State::NeverRun).count();
    m.within("h3", &[], |m| {
        m.text(title);
        m.element("span", &[], &format!(" – {ran} of {} with a run", count(of.len(), "entry", "entries")));
    });
    m.within("ul", &[("class", "cells")], |m| {
        for entry in of {
            let state = entry.state();
            let tip = format!("{} {}: {}", entry.id, entry.title, state.as_str());
            m.within("li", &[], |m| {
                m.within(
                    "a",
                    &[
                        ("class", &state.class()),
                        ("href", &format!("#{}", anchor(&entry.id))),
                        ("title", &tip),
                    ],
                    |m| {
                        m.element("span", &[("class", "sign"), ("aria-hidden", "true")], state.sign());
                        m.text(&entry.id);
                        m.element("span", &[("class", "unseen")], &format!(", {}", state.as_str()));
                    },
                );
            });
        }
    });
}
