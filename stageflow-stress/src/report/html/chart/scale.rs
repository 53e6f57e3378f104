//! From values to places on a chart.

use super::super::value::{duration, short};

/// What the numbers of an axis are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Plain numbers.
    Number,
    /// Numbers of things: what lies between two of them has no name.
    Count,
    /// Nanoseconds.
    Nanos,
    /// Shares of one.
    Share,
    /// Bytes.
    Bytes,
}

impl Unit {
    /// A value in this unit, for people.
    pub fn show(self, value: f64) -> String {
        match self {
            Unit::Number => short(value),
            Unit::Count if value.fract() != 0.0 => String::new(),
            Unit::Count => short(value),
            Unit::Nanos => duration(value),
            Unit::Share => format!("{} %", short(value * 100.0)),
            Unit::Bytes => {
                for (unit, size) in [("GB", 1e9), ("MB", 1e6), ("kB", 1e3)] {
                    if value.abs() >= size {
                        return format!("{} {unit}", short(value / size));
                    }
                }
                format!("{} B", short(value))
            }
        }
    }
}

/// A range of values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    /// Unit of the values.
    pub unit: Unit,
    from: f64,
    to: f64,
    logarithmic: bool,
}

impl Scale {
    /// From zero to the greatest value.
    pub fn from_zero(unit: Unit, values: impl IntoIterator<Item = f64>) -> Scale {
        let to = values.into_iter().filter(|value| value.is_finite()).fold(0.0, f64::max);
        Scale { unit, from: 0.0, to: if to > 0.0 { to } else { 1.0 }, logarithmic: false }
    }

    /// From the least to the greatest value; logarithmic where they lie more than a factor of 20 apart.
    pub fn around(unit: Unit, values: impl IntoIterator<Item = f64>) -> Scale {
        let (from, to) = values
            .into_iter()
            .filter(|value| value.is_finite())
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(from, to), value| (from.min(value), to.max(value)));
        if from > to {
            return Scale { unit, from: 0.0, to: 1.0, logarithmic: false };
        }
        let logarithmic = from > 0.0 && to / from > 20.0;
        let (from, to) = if from == to {
            (from - from.abs().max(1.0) * 0.5, to + to.abs().max(1.0) * 0.5)
        } else {
            (from, to)
        };
        Scale { unit, from, to, logarithmic }
    }

    /// Where a value lies, as a share of the scale.
    pub fn place(&self, value: f64) -> f64 {
        let share = if self.logarithmic {
            (value.max(self.from) / self.from).ln() / (self.to / self.from).ln()
        } else {
            (value - self.from) / (self.to - self.from)
        };
        share.clamp(0.0, 1.0)
    }

    /// Round values on the scale, about `wanted` of them.
    pub fn ticks(&self, wanted: f64) -> Vec<f64> {
        if self.logarithmic {
            let decades = (self.to / self.from).log10();
            let steps: &[f64] = if decades <= 1.5 { &[1.0, 2.0, 5.0] } else { &[1.0] };
            let every = (decades / wanted).ceil().max(1.0) as i32;
            let (first, last) = (self.from.log10().floor() as i32, self.to.log10().ceil() as i32);
            return (first..=last)
                .filter(|decade| decade % every == 0)
                .flat_map(|decade| steps.iter().map(move |step| step * 10_f64.powi(decade)))
                .filter(|tick| (self.from * 0.999..=self.to * 1.001).contains(tick))
                .collect();
        }
        let raw = (self.to - self.from) / wanted;
        let decade = 10_f64.powf(raw.log10().floor());
        let step =
            [1.0, 2.0, 5.0, 10.0].into_iter().map(|n| n * decade).find(|step| *step >= raw).unwrap_or(raw);
        let first = (self.from / step).ceil() as i64;
        (0..64).map(|n| (first + n) as f64 * step).take_while(|tick| *tick <= self.to + step * 1e-9).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_lie_on_the_scale() {
        assert_eq!(Scale::from_zero(Unit::Number, [97.0]).ticks(5.0), [0.0, 20.0, 40.0, 60.0, 80.0]);
        assert_eq!(Scale::from_zero(Unit::Number, []).ticks(2.0), [0.0, 0.5, 1.0]);
        let log = Scale::around(Unit::Nanos, [900.0, 2e6]);
        assert_eq!(log.ticks(5.0), [1e3, 1e4, 1e5, 1e6]);
        assert_eq!((log.place(900.0), log.place(2e6), log.place(0.0)), (0.0, 1.0, 0.0));
        let one = Scale::around(Unit::Number, [3.0]);
        assert_eq!(one.place(3.0), 0.5);
        for scale in
            [Scale::around(Unit::Number, [f64::NAN]), Scale::around(Unit::Number, [-5.0, 1e300]), one]
        {
            assert!(scale.ticks(5.0).len() < 65 && scale.place(1.0).is_finite());
        }
    }
}
