//! Asking for findings.

use std::ops::{Bound, RangeBounds};

use super::model::{FindingStatus, FindingType};
use super::store::FoundFinding;
use crate::classify::Severity;

/// A question to a [`FindingStore`](super::FindingStore). Different conditions must all hold; of several values for the
/// same condition, one must.
#[derive(Debug, Clone)]
#[must_use = "a query does nothing until it is iterated"]
pub struct Query<'a> {
    findings: &'a [FoundFinding],
    entries: Vec<String>,
    statuses: Vec<FindingStatus>,
    kinds: Vec<FindingType>,
    severity: (Bound<Severity>, Bound<Severity>),
    components: Vec<String>,
    tags: Vec<String>,
    texts: Vec<String>,
    latest_run: bool,
    regressions: bool,
    unknown: bool,
}

impl<'a> Query<'a> {
    pub(super) fn new(findings: &'a [FoundFinding]) -> Self {
        Query {
            findings,
            entries: Vec::new(),
            statuses: Vec::new(),
            kinds: Vec::new(),
            severity: (Bound::Unbounded, Bound::Unbounded),
            components: Vec::new(),
            tags: Vec::new(),
            texts: Vec::new(),
            latest_run: false,
            regressions: false,
            unknown: false,
        }
    }

    /// Findings of a roadmap entry.
    pub fn entry(mut self, id: impl Into<String>) -> Self {
        self.entries.push(id.into());
        self
    }

    /// Findings that somebody still has to do something about: open, confirmed or in progress.
    pub fn open(mut self) -> Self {
        self.statuses.extend(FindingStatus::ALL.iter().filter(|status| status.is_open()));
        self
    }

    /// Findings of a status.
    pub fn status(mut self, status: FindingStatus) -> Self {
        self.statuses.push(status);
        self
    }

    /// Findings of a type.
    pub fn kind(mut self, kind: FindingType) -> Self {
        self.kinds.push(kind);
        self
    }

    /// Findings whose severity lies in a range, such as `Severity::High..`. A severity that is none of the known words
    /// lies in no range but `..`. A second range replaces the first.
    pub fn severity(mut self, range: impl RangeBounds<Severity>) -> Self {
        self.severity = (range.start_bound().cloned(), range.end_bound().cloned());
        self
    }

    /// Findings of a component, in any case.
    pub fn component(mut self, name: impl AsRef<str>) -> Self {
        self.components.push(name.as_ref().trim().to_lowercase());
        self
    }

    /// Findings with a tag, in any case.
    pub fn tag(mut self, tag: impl AsRef<str>) -> Self {
        self.tags.push(tag.as_ref().trim().to_lowercase());
        self
    }

    /// Findings with a text, in any case, in id, title, description, component or tags.
    pub fn text(mut self, text: impl AsRef<str>) -> Self {
        self.texts.push(text.as_ref().to_lowercase());
        self
    }

    /// Findings that the latest run of their entry saw.
    pub fn latest_run(mut self) -> Self {
        self.latest_run = true;
        self
    }

    /// Findings that came back after they were fixed.
    pub fn regressions(mut self) -> Self {
        self.regressions = true;
        self
    }

    /// Findings that the committed file does not list; see [`FindingStore::with_known`](super::FindingStore::with_known).
    pub fn unknown(mut self) -> Self {
        self.unknown = true;
        self
    }

    /// The findings, worst first.
    pub fn iter(&self) -> impl Iterator<Item = &'a FoundFinding> {
        self.findings.iter().filter(|found| self.matches(found))
    }

    /// The findings as a list, worst first.
    #[must_use]
    pub fn collect(&self) -> Vec<&'a FoundFinding> {
        self.iter().collect()
    }

    fn matches(&self, found: &FoundFinding) -> bool {
        let any = |wanted: &[String], has: &dyn Fn(&str) -> bool| {
            wanted.is_empty() || wanted.iter().any(|w| has(w))
        };
        let one = |value: &str, wanted: &str| value.trim().to_lowercase() == wanted;
        let latest = &found.latest;
        let severity = match found.severity.known() {
            Some(severity) => self.severity.contains(&severity),
            None => self.severity == (Bound::Unbounded, Bound::Unbounded),
        };
        severity
            && (!self.latest_run || found.in_latest_run)
            && (!self.regressions || found.regression)
            && (!self.unknown || found.known.is_none())
            && any(&self.entries, &|wanted| found.entry == wanted)
            && (self.statuses.is_empty() || found.status.known().is_some_and(|s| self.statuses.contains(&s)))
            && (self.kinds.is_empty() || found.kind.known().is_some_and(|k| self.kinds.contains(&k)))
            && any(&self.components, &|wanted| latest.component.as_deref().is_some_and(|c| one(c, wanted)))
            && any(&self.tags, &|wanted| latest.tags.iter().any(|tag| one(tag, wanted)))
            && any(&self.texts, &|wanted| {
                [&found.id, &found.title, &latest.description]
                    .into_iter()
                    .chain(&latest.component)
                    .chain(&latest.tags)
                    .any(|text| text.to_lowercase().contains(wanted))
            })
    }
}

impl<'a> IntoIterator for Query<'a> {
    type Item = &'a FoundFinding;
    type IntoIter = std::vec::IntoIter<&'a FoundFinding>;

    fn into_iter(self) -> Self::IntoIter {
        self.collect().into_iter()
    }
}
