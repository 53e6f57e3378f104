//! Lines over two axes: distributions, curves, timelines.

use super::super::markup::Markup;
use super::{Scale, at, figure, label};

const SIZE: (f64, f64) = (640.0, 260.0);
const LEFT: f64 = 66.0;
const RIGHT: f64 = 18.0;
const TOP: f64 = 26.0;
const BOTTOM: f64 = 42.0;

/// A line through points, in the order of its points.
#[derive(Debug, Clone)]
pub struct Line {
    /// Its name.
    pub name: String,
    /// Its points.
    pub points: Vec<(f64, f64)>,
    /// Whether values hold until the next point, as those of a distribution do.
    pub steps: bool,
    /// Whether every point is marked.
    pub dots: bool,
}

/// A point with a name.
#[derive(Debug, Clone)]
pub struct Mark {
    /// The name.
    pub name: String,
    /// The point.
    pub at: (f64, f64),
}

/// A chart of lines.
#[derive(Debug, Clone)]
pub struct Plot<'a> {
    /// What is shown.
    pub title: &'a str,
    /// The same in words.
    pub words: &'a str,
    /// Name and scale of the horizontal axis.
    pub x: (&'a str, Scale),
    /// Name and scale of the vertical axis.
    pub y: (&'a str, Scale),
    /// The lines.
    pub lines: &'a [Line],
    /// Points with names.
    pub marks: &'a [Mark],
}

impl Plot<'_> {
    /// Draws it.
    pub fn draw(&self, m: &mut Markup) {
        let (width, height) = SIZE;
        let x = |value: f64| LEFT + self.x.1.place(value) * (width - LEFT - RIGHT);
        let y = |value: f64| height - BOTTOM - self.y.1.place(value) * (height - TOP - BOTTOM);
        let names: Vec<&str> = self.lines.iter().map(|line| line.name.as_str()).collect();
        figure(m, self.title, self.words, &names, SIZE, |m| {
            for tick in self.y.1.ticks(5.0) {
                let place = at(y(tick));
                m.element(
                    "line",
                    &[
                        ("class", "grid"),
                        ("x1", &at(LEFT)),
                        ("x2", &at(width - RIGHT)),
                        ("y1", &place),
                        ("y2", &place),
                    ],
                    "",
                );
                label(m, "tick", "end", (LEFT - 6.0, y(tick) + 4.0), &self.y.1.unit.show(tick));
            }
            for tick in self.x.1.ticks(6.0) {
                let place = at(x(tick));
                m.element(
                    "line",
                    &[
                        ("class", "grid"),
                        ("y1", &at(TOP)),
                        ("y2", &at(height - BOTTOM)),
                        ("x1", &place),
                        ("x2", &place),
                    ],
                    "",
                );
                label(m, "tick", "middle", (x(tick), height - BOTTOM + 15.0), &self.x.1.unit.show(tick));
            }
            label(m, "axis", "middle", ((LEFT + width - RIGHT) / 2.0, height - 8.0), self.x.0);
            m.element(
                "text",
                &[
                    ("class", "axis"),
                    ("text-anchor", "middle"),
                    (
                        "transform",
                        &format!("translate(12 {}) rotate(-90)", at((TOP + height - BOTTOM) / 2.0)),
                    ),
                ],
                self.y.0,
            );
            for (n, line) in self.lines.iter().enumerate() {
                let colour = format!("s{}", n % 8);
                let mut path = String::new();
                for (i, point) in line.points.iter().enumerate() {
                    let (px, py) = (at(x(point.0)), at(y(point.1)));
                    path += &match (i, line.steps) {
                        (0, _) => format!("M{px} {py}"),
                        (_, false) => format!("L{px} {py}"),
                        (_, true) => format!("H{px}V{py}"),
                    };
                }
                m.within("path", &[("class", &format!("line {colour}")), ("d", &path)], |m| {
                    m.element("title", &[], &line.name);
                });
                if line.dots {
                    for point in &line.points {
                        let tip = format!(
                            "{}: {} at {}",
                            line.name,
                            self.y.1.unit.show(point.1),
                            self.x.1.unit.show(point.0)
                        );
                        m.within(
                            "circle",
                            &[
                                ("class", &format!("dot {colour}")),
                                ("cx", &at(x(point.0))),
                                ("cy", &at(y(point.1))),
                                ("r", "3"),
                            ],
                            |m| {
                                m.element("title", &[], &tip);
                            },
                        );
                    }
                }
            }
            let mut lowest = f64::INFINITY;
            for mark in self.marks {
                let (px, py) = (x(mark.at.0), y(mark.at.1));
                m.element(
                    "line",
                    &[
                        ("class", "mark"),
                        ("x1", &at(px)),
                        ("x2", &at(px)),
                        ("y1", &at(py)),
                        ("y2", &at(height - BOTTOM)),
                    ],
                    "",
                );
                m.element(
                    "circle",
                    &[("class", "markdot"), ("cx", &at(px)), ("cy", &at(py)), ("r", "3.5")],
                    "",
                );
                // Near the right edge the name stands on the other side, and names that would meet are stacked.
                let (anchor, shift) = if px > width - 90.0 { ("end", -6.0) } else { ("start", 6.0) };
                let place = (py + 13.0).min(lowest - 12.0);
                lowest = place;
                label(m, "marktext", anchor, (px + shift, place), &mark.name);
            }
        });
    }
}
