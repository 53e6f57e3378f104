//! The verdicts about lives, once all records were seen.

use super::super::super::event::NO_TIME;
use super::super::super::hash::Map;
use super::super::facts::Facts;
use super::super::words::Phase;
use super::super::{Hit, LINES, Verdict, seconds, sort_hits};
use super::{Life, Lives};
use crate::classify::Severity;
use crate::log::digest::DetectorOutcome;
use crate::markdown::count;

/// Beginnings and ends as D7 tells of them.
pub(in super::super) struct LivesInOrder {
    pub hits: Vec<Hit>,
    pub pairs: usize,
}

impl Lives {
    /// What ended before it began, and the lives of that kind: no other detector tells of them again.
    pub fn causal(&self, facts: &Facts<'_, '_>) -> (LivesInOrder, Vec<(u32, u32)>) {
        let mut claimed = Vec::new();
        let mut pairs = 0;
        let mut by_subject: Map<u32, Vec<(u32, u32, u32)>> = Map::default();
        for life in &self.list {
            for times in [&life.times].into_iter().chain(life.rest.iter().flat_map(|rest| &rest.times)) {
                pairs += usize::from(times.starts > 0 && times.ends > 0);
                if (times.starts, times.ends) == (1, 1) && times.end.0 < times.start.0 {
                    claimed.push((life.op, life.subject));
                    by_subject.entry(life.subject).or_default().push((life.op, times.end.1, times.start.1));
                }
            }
        }
        let hits = by_subject
            .into_iter()
            .map(|(subject, mut seen)| {
                seen.sort_unstable();
                let name = facts.subject_text(subject);
                let (op, end, start) = seen[0];
                Hit::new(
                    Severity::Medium,
                    name,
                    format!("an end before its beginning: {name}"),
                    format!("of operation {}: the end stands on line {end} and is earlier than the beginning on line {start}", facts.op_text(op)),
                )
                .times(seen.len() as u64)
                .at(seen.iter().flat_map(|(_, end, start)| [*end, *start]))
            })
            .collect();
        claimed.sort_unstable();
        (LivesInOrder { hits, pairs }, claimed)
    }

    /// Signs of a deadlock: operations in which something is open and nothing happened for long, until the log ended, while
    /// others went on. `others` counts the half seconds of a time in which anybody logged.
    pub fn stuck(&self, facts: &Facts<'_, '_>, others: impl Fn(i64, i64) -> usize) -> Vec<Hit> {
        const SILENCE: i64 = 5_000_000;
        const TIMES_USUAL: i64 = 8;
        // What is lost may have been the end.
        if !facts.rules.losses.is_empty() {
            return Vec::new();
        }
        let enough = SILENCE.max(TIMES_USUAL.saturating_mul(facts.steps.long_pause()));
        let mut open: Map<u32, Vec<String>> = Map::default();
        for life in self.list.iter().filter(|life| life.op != 0 && life.open.0 != 0) {
            open.entry(life.op).or_default().push(facts.subject_text(life.subject).to_owned());
        }
        for (op, path) in self.spans.open() {
            open.entry(op).or_default().push(format!("span {}", facts.log.texts.get(path)));
        }
        let mut by_template: Map<u32, (Hit, Vec<u32>)> = Map::default();
        for (op, mut waiting) in open {
            let last = facts.last_of(op);
            let silent = self.last_time.saturating_sub(last.time);
            let ended = self.ops.get(op as usize).is_some_and(|op| op.end.is_some());
            if ended || last.time == NO_TIME || last.waits || silent < enough {
                continue;
            }
            // Where everything stood still, the machine did.
            let from = last.time.div_euclid(500_000) + 1;
            let to = self.last_time.div_euclid(500_000);
            if others(from, to) < usize::try_from((to - from) / 2).unwrap_or(0).max(1) {
                continue;
            }
            waiting.sort();
            let title = facts.title(last.template);
            let (hit, lines) = by_template.entry(last.template).or_insert_with(|| {
                let text = format!(
                    "operation {} was silent for the last {} of the log while others went on; open: {}",
                    facts.op_text(op),
                    seconds(silent),
                    waiting.join(", ")
                );
                let title = format!("an operation that waits without end: the last it logged is {title}");
                (Hit::new(Severity::Medium, format!("stuck {title}"), title, text).times(0), Vec::new())
            });
            hit.count += 1;
            lines.push(last.line);
        }
        let mut hits: Vec<Hit> = by_template
            .into_values()
            .map(|(hit, mut lines)| {
                lines.sort_unstable();
                hit.at(lines)
            })
            .collect();
        sort_hits(&mut hits, |_| 0);
        hits
    }

    pub fn finish(mut self, facts: &Facts<'_, '_>, claimed: &[(u32, u32)]) -> Vec<Verdict> {
        vec![
            self.declared.expected(facts),
            self.failures(facts),
            self.transitions(facts, claimed),
            self.orphans(facts, claimed),
            self.spans.successes(facts),
        ]
    }

    fn failures(&mut self, facts: &Facts<'_, '_>) -> Verdict {
        let (mut failed, mut hits) = self.spans.failures(facts);
        // Without spans, a failure is known by what the log itself calls one.
        self.troubled_lines.sort_unstable();
        let mut quiet: Map<(u32, &str), Hit> = Map::default();
        for (op, subject, line, what) in &self.quiet_failures {
            failed += 1;
            let told = if *op != 0 {
                self.ops[*op as usize].trouble
            } else {
                // Around the line, because nothing says what it belongs to.
                let from = self.troubled_lines.partition_point(|other| *other + 40 < *line);
                self.troubled_lines.get(from).is_some_and(|other| *other <= line + 40)
            };
            if told {
                continue;
            }
            let hit = quiet.entry((*subject, what)).or_insert_with(|| {
                let name = facts.subject_text(*subject);
                let what = if *what == "cancelled" { "was cancelled" } else { "failed" };
                Hit::new(
                    Severity::Medium,
                    name,
                    format!("told below WARNING that it {what}: {name}"),
                    "no record at WARNING or above belongs to it, so whoever watches for errors does not see it",
                )
                .times(0)
            });
            hit.count += 1;
            hit.lines.push(*line);
        }
        hits.extend(quiet.into_values());
        sort_hits(&mut hits, |hit| hit.severity as u64);
        if failed == 0 && !self.spans.tell_outcomes() && self.list.is_empty() {
            return Verdict::not_applicable(10, "nothing says how spans or operations ended");
        }
        Verdict::of(
            10,
            hits,
            format!("{}, each with a record at WARNING or above", count(failed, "failure", "failures")),
        )
    }

    fn transitions(&self, facts: &Facts<'_, '_>, claimed: &[(u32, u32)]) -> Verdict {
        let mut hits = Vec::new();
        for (subject, seen) in &self.late {
            // What began before its pipeline ended may end a little later; what begins then is late.
            let name = facts.subject_text(*subject);
            let (op, end, line) = seen[0];
            hits.push(
                Hit::new(
                    Severity::Medium,
                    format!("late {name}"),
                    format!("work after the end of its operation: {name}"),
                    format!(
                        "operation {} ended on line {end}, and this stands on line {line}",
                        facts.op_text(op)
                    ),
                )
                .times(seen.len() as u64)
                .at(seen.iter().map(|(_, _, line)| *line)),
            );
        }
        for (subject, seen) in &self.twice {
            let seen: Vec<_> =
                seen.iter().filter(|(op, ..)| claimed.binary_search(&(*op, *subject)).is_err()).collect();
            let Some((op, first, line)) = seen.first().map(|seen| **seen) else { continue };
            let name = facts.subject_text(*subject);
            hits.push(
                Hit::new(
                    Severity::Medium,
                    format!("twice {name}"),
                    format!("an end after an end: {name}"),
                    format!("in operation {}: it ended on line {first} and again on line {line}, without a beginning between them", facts.op_text(op)),
                )
                .times(seen.len() as u64)
                .at(seen.iter().map(|(_, _, line)| *line)),
            );
        }
        hits.extend(self.declared.illegal(facts));
        hits.extend(self.unusual(facts));
        sort_hits(&mut hits, |_| 0);
        hits.dedup_by(|later, first| {
            let same = later.subject == first.subject;
            if same {
                first.count += later.count;
                first.lines.extend(later.lines.iter().copied());
            }
            same
        });
        if hits.is_empty() && self.list.iter().all(|life| life.op == 0) && facts.rules.machines.is_empty() {
            return Verdict::not_applicable(
                15,
                "no states of an operation are logged, and no state machine is declared",
            );
        }
        Verdict::of(15, hits, format!("{} with legal steps only", count(self.list.len(), "life", "lives")))
    }

    /// Notes: what nearly always ends well and now and then is skipped, cancelled or tried again.
    fn unusual(&self, facts: &Facts<'_, '_>) -> Vec<Hit> {
        /// Ends by phase, and where those are that are not good.
        type Ends = ([u64; 4], Vec<(Phase, u32)>);
        let mut by_subject: Map<u32, Ends> = Map::default();
        for life in &self.list {
            let (counts, unusual) = by_subject.entry(life.subject).or_default();
            for (sum, n) in counts.iter_mut().zip(life.phases) {
                *sum += u64::from(n);
            }
            unusual.extend(life.rest.iter().flat_map(|rest| &rest.unusual));
        }
        let mut hits = Vec::new();
        for (subject, (counts, seen)) in by_subject {
            for (at, phase) in [(1, Phase::Skipped), (2, Phase::Cancelled), (3, Phase::Retry)] {
                if counts[at] == 0 || counts[0] < 4 * counts[at] {
                    continue;
                }
                let name = facts.subject_text(subject);
                hits.push(
                    Hit::new(
                        Severity::Info,
                        format!("unusual {} {name}", phase.as_str()),
                        format!("{} for once: {name}", phase.as_str()),
                        format!("{} times, and {} times completed", counts[at], counts[0]),
                    )
                    .times(counts[at])
                    .at(seen.iter().filter(|(seen, _)| *seen == phase).map(|(_, line)| *line)),
                );
            }
        }
        hits
    }

    fn orphans(&self, facts: &Facts<'_, '_>, claimed: &[(u32, u32)]) -> Verdict {
        // A beginning means something only where such things are known to end.
        let mut totals: Map<u32, (u64, u64)> = Map::default();
        for life in &self.list {
            let total = totals.entry(life.subject).or_default();
            total.0 += u64::from(life.starts);
            total.1 += u64::from(life.ends);
        }
        let mut hits: Map<u32, Hit> = Map::default();
        let mut cut = 0u64;
        let mut pairs = 0u64;
        for life in &self.list {
            let Life { op, subject, .. } = life;
            let (starts, ends) = totals[subject];
            pairs += u64::from(life.starts.min(life.ends));
            if life.open.0 == 0
                || ends == 0
                || starts < 2 && *op == 0
                || claimed.binary_search(&(*op, *subject)).is_ok()
            {
                continue;
            }
            let open = life.open_lines();
            let own = self.ops.get(*op as usize);
            let ended = own.is_some_and(|op| op.end.is_some());
            // The log may end before the operation does.
            let (last, end_of_log) = (own.map_or(i64::MIN, |op| op.last_time), self.last_time);
            let at_end = *op != 0 && !ended && (last == i64::MIN || end_of_log - last < 2_000_000);
            if at_end {
                cut += open.len() as u64;
                continue;
            }
            // Where nothing names the operation, all but the last beginning should have ended.
            let open = if *op == 0 && u64::from(life.open.0) + 50 > facts.log.lines {
                cut += 1;
                &open[..open.len() - 1]
            } else {
                &open[..]
            };
            if open.is_empty() {
                continue;
            }
            let name = facts.subject_text(*subject);
            let hit = hits.entry(*subject).or_insert_with(|| {
                let of = if *op == 0 { String::new() } else { format!(" of operation {}", facts.op_text(*op)) };
                Hit::new(
                    Severity::Medium,
                    name,
                    format!("a beginning without an end: {name}"),
                    format!("{starts} beginnings and {ends} ends in all; the first without an end{of} is on line {}", open[0]),
                )
                .times(0)
            });
            hit.count += open.len() as u64;
            hit.lines.extend(open.iter().take(LINES));
        }
        let mut hits: Vec<Hit> = hits.into_values().collect();
        let (declared, unpaired) = self.declared.unpaired(facts);
        pairs += declared;
        hits.extend(unpaired);
        if hits.is_empty() {
            let ended = |op: u32| self.ops.get(op as usize).is_some_and(|op| op.end.is_some());
            hits.extend(self.spans.never_closed(ended));
        }
        for hit in &mut hits {
            hit.lines.sort_unstable();
            hit.lines.truncate(LINES);
        }
        sort_hits(&mut hits, |hit| hit.count);
        if hits.is_empty() && cut > 0 {
            return Verdict::inconclusive(
                16,
                format!(
                    "{} where the log ends",
                    count(cut, "beginning has no end yet", "beginnings have no end yet")
                ),
            );
        }
        if pairs == 0 && hits.is_empty() {
            return Verdict::not_applicable(16, "no beginnings and ends are logged");
        }
        let mut verdict = Verdict::of(
            16,
            hits,
            format!("{}, all complete", count(pairs, "beginning with its end", "beginnings with their ends")),
        );
        if cut > 0 && verdict.outcome == DetectorOutcome::Finding {
            verdict
                .why
                .push_str(&format!("; {} where the log ends", count(cut, "more is open", "more are open")));
        }
        verdict
    }
}
