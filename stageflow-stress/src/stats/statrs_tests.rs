//! What is computed here, computed by somebody else.

use statrs::distribution::{Beta as TheirBeta, Binomial, ContinuousCDF, DiscreteCDF, Normal, StudentsT};

use super::draw::Draws;
use super::{Beta, Proportion, special};

fn close(ours: f64, theirs: f64, relative: f64, what: &str) {
    assert!((ours - theirs).abs() <= relative * theirs.abs().max(1e-12), "{what}: {ours} against {theirs}");
}

#[test]
fn the_gamma_function() {
    for x in [0.1, 0.5, 1.0, 1.5, 2.0, 3.7, 10.0, 100.5, 1e4, 1e7] {
        let (ours, theirs) = (special::ln_gamma(x), statrs::function::gamma::ln_gamma(x));
        assert!((ours - theirs).abs() <= 1e-12 * theirs.abs().max(1.0), "{x}: {ours} {theirs}");
    }
}

#[test]
fn the_beta_distribution_on_a_grid_and_at_random() {
    let grid = [0.5, 1.0, 2.0, 7.5, 60.0, 301.0, 4_000.0];
    let mut cases: Vec<(f64, f64)> = grid.iter().flat_map(|&a| grid.map(|b| (a, b))).collect();
    let mut draws = Draws::new(1);
    cases.extend((0..200).map(|_| (0.5 + 500.0 * draws.unit().powi(3), 0.5 + 500.0 * draws.unit().powi(3))));
    for (a, b) in cases {
        let (ours, theirs) = (Beta::new(a, b).unwrap(), TheirBeta::new(a, b).unwrap());
        for x in [1e-4, 0.01, 0.2, 0.5, 0.77, 0.95, 0.999] {
            let (o, t) = (ours.cdf(x).unwrap(), theirs.cdf(x));
            assert!((o - t).abs() < 1e-10, "I_{x}({a}, {b}): {o} {t}");
        }
        for p in [0.025, 0.5, 0.975] {
            // Their inverse is coarse; their distribution at our quantile is the test.
            assert!((theirs.cdf(ours.quantile(p).unwrap()) - p).abs() < 1e-9, "({a}, {b}) at {p}");
        }
    }
}

#[test]
fn the_binomial_distribution() {
    for n in [1_u64, 7, 60, 300, 5_000] {
        for p in [0.001, 0.05, 0.5, 0.97] {
            let theirs = Binomial::new(p, n).unwrap();
            for k in [0, 1, n / 3, n / 2, n - 1, n] {
                let (o, t) = (special::binomial_cdf(k, n, p), theirs.cdf(k));
                assert!((o - t).abs() < 1e-9, "P(X <= {k}), n {n}, p {p}: {o} {t}");
            }
        }
    }
}

#[test]
fn the_normal_and_students_distribution() {
    let normal = Normal::new(0.0, 1.0).unwrap();
    for step in -80..=80 {
        let x = f64::from(step) / 10.0;
        let (o, t) = (special::normal_cdf(x), normal.cdf(x));
        assert!((o - t).abs() < 1e-10, "{x}: {o} {t}");
    }
    for p in [1e-9, 0.001, 0.025, 0.3, 0.5, 0.9, 0.975, 0.999_999] {
        let x = special::normal_quantile(p);
        assert!((x - normal.inverse_cdf(p)).abs() < 1e-6, "{p}");
        for degrees in [1.0, 2.0, 5.0, 30.0, 400.0] {
            let theirs = StudentsT::new(0.0, 1.0, degrees).unwrap();
            close(theirs.cdf(special::student_quantile(p, degrees)), p, 1e-7, "t");
        }
    }
}

/// The ends of Clopper and Pearson by their definition: where their binomial has the tail.
#[test]
fn clopper_and_pearson() {
    for n in [1_u64, 5, 60, 300] {
        for hits in [0, 1, n / 2, n - 1, n] {
            let interval = Proportion::new(hits, n).unwrap().clopper_pearson(0.95).unwrap();
            if hits > 0 {
                let tail = 1.0 - Binomial::new(interval.low, n).unwrap().cdf(hits - 1);
                close(tail, 0.025, 1e-6, "low");
            }
            if hits < n {
                close(Binomial::new(interval.high, n).unwrap().cdf(hits), 0.025, 1e-6, "high");
            }
        }
    }
}

/// Draws against their distribution, by the distance of Kolmogorov; 1.63 / sqrt(n) is its 1 % point.
#[test]
fn beta_draws_follow_the_beta_distribution() {
    for (a, b) in [(0.5, 0.5), (4.5, 0.5), (60.5, 1.5), (2.0, 5.0)] {
        let mut draws = Draws::new(99);
        let mut values: Vec<f64> = (0..20_000).map(|_| draws.beta(a, b)).collect();
        values.sort_unstable_by(f64::total_cmp);
        let theirs = TheirBeta::new(a, b).unwrap();
        let n = values.len() as f64;
        let distance = (0_u32..)
            .zip(&values)
            .map(|(i, &x)| (theirs.cdf(x) - f64::from(i) / n).abs())
            .fold(0.0, f64::max);
        assert!(distance < 1.63 / n.sqrt(), "Beta({a}, {b}): {distance}");
    }
}
