//! Bars: one row per word, or one column per day.

use super::super::markup::Markup;
use super::{Scale, Unit, at, cut, figure, label, rectangle};

/// A part of a bar: its class, its size, and what it is.
#[derive(Debug, Clone)]
pub struct Segment {
    /// Class that gives its colour.
    pub class: String,
    /// Its size.
    pub value: f64,
    /// What it is, as tip.
    pub tip: String,
}

/// Rows of stacked segments, each with its name before it and a text behind it.
pub fn rows(m: &mut Markup, title: &str, words: &str, all: &[(String, Vec<Segment>, String)]) {
    const HEIGHT: f64 = 24.0;
    let name_width =
        all.iter().map(|(name, ..)| name.chars().count().min(34)).max().unwrap_or(0) as f64 * 7.2 + 12.0;
    let (width, behind) = (640.0, 110.0);
    let total = |row: &(String, Vec<Segment>, String)| row.1.iter().map(|segment| segment.value).sum::<f64>();
    let scale = Scale::from_zero(Unit::Number, all.iter().map(total));
    let height = all.len() as f64 * HEIGHT + 4.0;
    figure(m, title, words, &[], (width, height), |m| {
        for (n, row) in all.iter().enumerate() {
            let (name, segments, text) = row;
            let y = n as f64 * HEIGHT + 3.0;
            label(m, "name", "end", (name_width - 8.0, y + 14.0), &cut(name, 34));
            rectangle(m, "track", (name_width, y), (width - behind - name_width, HEIGHT - 6.0), "");
            let mut x = name_width;
            for segment in segments.iter().filter(|segment| segment.value > 0.0) {
                let length = scale.place(segment.value) * (width - behind - name_width);
                rectangle(m, &segment.class, (x, y), (length.max(2.0), HEIGHT - 6.0), &segment.tip);
                x += length.max(2.0);
            }
            label(m, "behind", "start", (x.max(name_width) + 8.0, y + 14.0), text);
        }
    });
}

/// Stacked columns, left to right.
pub fn columns(m: &mut Markup, title: &str, words: &str, all: &[(String, Vec<Segment>)]) {
    let (width, height, left, bottom, top) = (960.0, 200.0, 46.0, 34.0, 10.0);
    let total = |column: &(String, Vec<Segment>)| column.1.iter().map(|segment| segment.value).sum::<f64>();
    let scale = Scale::from_zero(Unit::Number, all.iter().map(total));
    let step = (width - left - 8.0) / all.len().max(1) as f64;
    let every = (all.len() as f64 * 76.0 / (width - left)).ceil().max(1.0) as usize;
    figure(m, title, words, &[], (width, height), |m| {
        for tick in scale.ticks(4.0).into_iter().filter(|tick| tick.fract() == 0.0) {
            let y = height - bottom - scale.place(tick) * (height - bottom - top);
            m.element(
                "line",
                &[("class", "grid"), ("x1", &at(left)), ("x2", &at(width)), ("y1", &at(y)), ("y2", &at(y))],
                "",
            );
            label(m, "tick", "end", (left - 6.0, y + 4.0), &Unit::Number.show(tick));
        }
        for (n, (name, segments)) in all.iter().enumerate() {
            let x = left + step * n as f64;
            let mut y = height - bottom;
            for segment in segments.iter().filter(|segment| segment.value > 0.0) {
                let tall = scale.place(segment.value) * (height - bottom - top);
                y -= tall;
                rectangle(
                    m,
                    &segment.class,
                    (x + step * 0.1, y),
                    ((step * 0.8).min(46.0), tall),
                    &segment.tip,
                );
            }
            if n % every == 0 {
                label(m, "tick", "start", (x + step * 0.1, height - bottom + 16.0), name);
            }
        }
    });
}
