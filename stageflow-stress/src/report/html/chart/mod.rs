//! Charts as inline SVG. Colours are classes, so that both themes and the printer have theirs; every chart has a title and
//! says in words what it shows.

mod bars;
mod gantt;
mod plot;
mod scale;
mod strip;

pub use bars::{Segment, columns, rows};
pub use gantt::{Span, gantt};
pub use plot::{Line, Mark, Plot};
pub use scale::{Scale, Unit};
pub use strip::{Row, strip};

use super::markup::Markup;

/// A figure: the drawing, the names of its lines, and what it shows in words.
fn figure(
    m: &mut Markup,
    title: &str,
    words: &str,
    names: &[&str],
    (width, height): (f64, f64),
    draw: impl FnOnce(&mut Markup),
) {
    m.within("figure", &[], |m| {
        let view = format!("0 0 {width} {height}");
        let label = format!("{title} {words}");
        let size = [width, height].map(|length| length.to_string());
        m.within(
            "svg",
            &[
                ("viewBox", &view),
                ("width", &size[0]),
                ("height", &size[1]),
                ("role", "img"),
                ("aria-label", &label),
            ],
            draw,
        );
        if names.len() > 1 {
            m.within("ul", &[("class", "legend")], |m| {
                for (n, name) in names.iter().enumerate() {
                    m.within("li", &[], |m| {
                        m.element(
                            "span",
                            &[("class", &format!("swatch s{}", n % 8)), ("aria-hidden", "true")],
                            "",
                        );
                        m.text(name);
                    });
                }
            });
        }
        m.within("figcaption", &[], |m| {
            m.element("b", &[], title);
            m.text(" ");
            m.text(words);
        });
    });
}

/// A coordinate with as many digits as a screen can show.
fn at(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

/// A rectangle with a tip.
fn rectangle(m: &mut Markup, class: &str, (x, y): (f64, f64), (width, height): (f64, f64), tip: &str) {
    m.within(
        "rect",
        &[
            ("class", class),
            ("x", &at(x)),
            ("y", &at(y)),
            ("width", &at(width.max(0.0))),
            ("height", &at(height)),
        ],
        |m| {
            if !tip.is_empty() {
                m.element("title", &[], tip);
            }
        },
    );
}

/// A text that ends, begins or is centred at a point: `end`, `start`, `middle`.
fn label(m: &mut Markup, class: &str, anchor: &str, (x, y): (f64, f64), text: &str) {
    m.element("text", &[("class", class), ("text-anchor", anchor), ("x", &at(x)), ("y", &at(y))], text);
}

/// A text cut to about so many characters.
fn cut(text: &str, characters: usize) -> String {
    if text.chars().count() <= characters {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(characters.saturating_sub(1)).collect();
    short.push('…');
    short
}
