//! What ran when: spans over a common time.

use super::super::markup::Markup;
use super::{Scale, Unit, at, cut, figure, label, rectangle};

/// Something with a start and an end.
#[derive(Debug, Clone)]
pub struct Span {
    /// Its name.
    pub name: String,
    /// Class that gives its colour.
    pub class: String,
    /// How deep it is nested.
    pub depth: usize,
    /// Nanoseconds from the start of the chart.
    pub start: f64,
    /// Nanoseconds from the start of the chart; absent if no end was recorded.
    pub end: Option<f64>,
    /// More about it.
    pub detail: String,
}

/// Draws spans in their order, each in a row.
pub fn gantt(m: &mut Markup, title: &str, words: &str, spans: &[Span]) {
    const ROW: f64 = 20.0;
    const TOP: f64 = 22.0;
    let (width, name_width, right) = (960.0, 300.0, 76.0);
    let last = spans.iter().map(|span| span.end.unwrap_or(span.start)).fold(0.0, f64::max);
    let scale = Scale::from_zero(Unit::Nanos, [last]);
    let x = |nanos: f64| name_width + scale.place(nanos) * (width - name_width - right);
    let height = spans.len() as f64 * ROW + TOP + 4.0;
    figure(m, title, words, &[], (width, height), |m| {
        for tick in scale.ticks(6.0) {
            let place = at(x(tick));
            m.element(
                "line",
                &[
                    ("class", "grid"),
                    ("x1", &place),
                    ("x2", &place),
                    ("y1", &at(TOP - 4.0)),
                    ("y2", &at(height)),
                ],
                "",
            );
            label(m, "tick", "middle", (x(tick), TOP - 9.0), &Unit::Nanos.show(tick));
        }
        for (n, span) in spans.iter().enumerate() {
            let y = TOP + n as f64 * ROW;
            let indent = (span.depth.min(12) * 10) as f64;
            label(
                m,
                "name",
                "start",
                (indent, y + 14.0),
                &cut(&span.name, 40_usize.saturating_sub(span.depth.min(12))),
            );
            let (end, took, class) = match span.end {
                Some(end) => (end, Unit::Nanos.show(end - span.start), span.class.clone()),
                None => (last, "no end".to_owned(), format!("{} open", span.class)),
            };
            let length = (x(end) - x(span.start)).max(2.0);
            let tip = format!(
                "{}: {took}, from {}{}{}",
                span.name,
                Unit::Nanos.show(span.start),
                if span.detail.is_empty() { "" } else { "; " },
                span.detail
            );
            rectangle(m, &class, (x(span.start), y + 3.0), (length, ROW - 6.0), &tip);
            label(m, "behind", "start", (x(span.start) + length + 5.0, y + 14.0), &cut(&took, 16));
        }
    });
}
