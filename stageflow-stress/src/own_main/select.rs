//! Which tests of the binary run.

use super::arguments::{Ignored, Selection};
use crate::registry::TestDef;

/// A test with the path by which runners know it.
#[derive(Debug)]
pub struct Case {
    /// Path.
    pub name: String,
    /// Definition.
    pub def: &'static TestDef,
    /// Why it is not run, if it is not: the reason of its `#[ignore]`, possibly empty.
    pub left: Option<&'static str>,
}

/// The selected tests in the order of their paths, and how many were filtered out.
pub fn select(tests: Vec<&'static TestDef>, selection: &Selection) -> (Vec<Case>, usize) {
    let all = tests.len();
    let cases: Vec<Case> = tests
        .into_iter()
        .map(|def| Case { name: def.name(), def, left: None })
        .filter(|case| selects(selection, case))
        .map(|mut case| {
            case.left = case.def.ignore.filter(|_| selection.ignored == Ignored::Leave);
            case
        })
        .collect();
    let filtered = all - cases.len();
    (cases, filtered)
}

fn selects(selection: &Selection, case: &Case) -> bool {
    let matches =
        |text: &String| if selection.exact { case.name == *text } else { case.name.contains(text.as_str()) };
    let options = &case.def.options;
    let entry = case.def.entry();
    let any = |wanted: &[String], has: &[&str]| {
        wanted.is_empty() || wanted.iter().any(|wanted| has.contains(&wanted.as_str()))
    };
    (selection.filters.is_empty() || selection.filters.iter().any(matches))
        && !selection.skip.iter().any(matches)
        && (selection.ignored != Ignored::Only || case.def.ignore.is_some())
        && one_of(&selection.tiers, entry.map(|entry| entry.tier))
        && one_of(&selection.priorities, entry.map(|entry| entry.priority))
        && one_of(&selection.risks, entry.map(|entry| entry.risk))
        && one_of(&selection.categories, options.category)
        && any(&selection.tags, options.tags)
        && any(&selection.requirements, options.requirements)
}

fn one_of<T: PartialEq>(wanted: &[T], has: Option<T>) -> bool {
    wanted.is_empty() || has.is_some_and(|has| wanted.contains(&has))
}
