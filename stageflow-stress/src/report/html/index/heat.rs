//! The roadmap as a map: one cell per entry, by tier.

use std::collections::BTreeMap;

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
        // The project's own roadmap after the built-in one, tier by tier.
        let mut own: BTreeMap<(u64, &str), Vec<&EntryRuns>> = BTreeMap::new();
        for entry in all.entries.iter().filter(|entry| entry.entry.is_none()) {
            if let Some(row) = &entry.own {
                let number = row.tier.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0);
                own.entry((number, &row.tier)).or_default().push(entry);
            }
        }
        for ((_, tier), of) in &own {
            group(m, &format!("The project's own roadmap, tier {tier}"), of);
        }
        let others: Vec<&EntryRuns> =
            all.entries.iter().filter(|entry| entry.entry.is_none() && entry.own.is_none()).collect();
        if !others.is_empty() {
            group(m, "In no roadmap", &others);
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
