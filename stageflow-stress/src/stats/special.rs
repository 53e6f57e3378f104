//! The special functions underneath. Callers have checked their arguments.

/// The natural logarithm of the gamma function for x > 0. Lanczos (1964) with g = 7 and nine coefficients, as published
/// by Godfrey; about 15 digits.
pub fn ln_gamma(x: f64) -> f64 {
    const COEFFICIENTS: [f64; 8] = [
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    if x < 0.5 {
        // Reflection.
        return (std::f64::consts::PI / (std::f64::consts::PI * x).sin()).ln() - ln_gamma(1.0 - x);
    }
    let x = x - 1.0;
    let sum = COEFFICIENTS
        .iter()
        .zip(1_u32..)
        .fold(0.999_999_999_999_809_9, |sum, (coefficient, i)| sum + coefficient / (x + f64::from(i)));
    let t = x + 7.5;
    0.5 * (2.0 * std::f64::consts::PI).ln() + (x + 0.5) * t.ln() - t + sum.ln()
}

/// ln B(a, b).
pub fn ln_beta(a: f64, b: f64) -> f64 {
    ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b)
}

/// ln of the binomial coefficient.
#[cfg(test)]
fn ln_choose(n: u64, k: u64) -> f64 {
    ln_gamma(n as f64 + 1.0) - ln_gamma(k as f64 + 1.0) - ln_gamma((n - k) as f64 + 1.0)
}

/// P(X = k) of a binomial with n trials at p.
#[cfg(test)]
pub fn binomial_mass(k: u64, n: u64, p: f64) -> f64 {
    if p <= 0.0 {
        return if k == 0 { 1.0 } else { 0.0 };
    }
    if p >= 1.0 {
        return if k == n { 1.0 } else { 0.0 };
    }
    (ln_choose(n, k) + k as f64 * p.ln() + (n - k) as f64 * (-p).ln_1p()).exp()
}

/// P(X <= k) of a binomial with n trials at p, through the incomplete beta function (Abramowitz and Stegun 26.5.24).
pub fn binomial_cdf(k: u64, n: u64, p: f64) -> f64 {
    if k >= n {
        return 1.0;
    }
    regularized_beta((n - k) as f64, k as f64 + 1.0, 1.0 - p)
}

/// I_x(a, b) for a, b > 0: the continued fraction DLMF 8.17.22 by the method of Lentz (1976), on the side on which it
/// converges fast.
pub fn regularized_beta(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    let front = (a * x.ln() + b * (-x).ln_1p() - ln_beta(a, b)).exp();
    if x < (a + 1.0) / (a + b + 2.0) {
        front * beta_fraction(a, b, x) / a
    } else {
        1.0 - front * beta_fraction(b, a, 1.0 - x) / b
    }
}

fn beta_fraction(a: f64, b: f64, x: f64) -> f64 {
    // Keeps a denominator off zero without being seen in the result.
    const TINY: f64 = 1e-300;
    let guard = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / guard(1.0 - (a + b) * x / (a + 1.0));
    let mut result = d;
    // Converges in O(sqrt(max(a, b))) steps; this many are enough for counts in the hundreds of millions.
    for m in 1..=50_000_u32 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / guard(1.0 + even * d);
        c = guard(1.0 + even / c);
        result *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / guard(1.0 + odd * d);
        c = guard(1.0 + odd / c);
        let step = d * c;
        result *= step;
        if (step - 1.0).abs() < 1e-16 {
            break;
        }
    }
    result
}

/// The x > 0 at which a non-decreasing function reaches the target, within `[0, high]`. Halves the range by bit patterns,
/// so it ends after at most 64 steps at the nearest number, however small.
pub fn invert(high: f64, target: f64, f: impl Fn(f64) -> f64) -> f64 {
    let (mut low, mut high) = (0_u64, high.to_bits());
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if f(f64::from_bits(middle)) < target { low = middle } else { high = middle }
    }
    f64::from_bits(high)
}

/// Q(1/2, x²) / 2: the upper tail of the standard normal, for any x. Series and continued fraction of the incomplete
/// gamma function (DLMF 8.11.4 and 8.9.2).
pub fn normal_tail(x: f64) -> f64 {
    if x < 0.0 {
        return 1.0 - normal_tail(-x);
    }
    let y = x * x / 2.0;
    if y == 0.0 {
        return 0.5;
    }
    let front = (-y + 0.5 * y.ln()).exp() / std::f64::consts::PI.sqrt();
    if y < 1.5 {
        let (mut term, mut sum, mut a) = (2.0, 2.0, 0.5);
        while term > sum * 1e-17 {
            a += 1.0;
            term *= y / a;
            sum += term;
        }
        return 0.5 * (1.0 - front * sum);
    }
    let mut b = y + 0.5;
    let mut c = 1e300;
    let mut d = 1.0 / b;
    let mut result = d;
    for i in 1..=500_u32 {
        let i = f64::from(i);
        let an = -i * (i - 0.5);
        b += 2.0;
        d = 1.0 / (an * d + b);
        c = b + an / c;
        let step = d * c;
        result *= step;
        if (step - 1.0).abs() < 1e-16 {
            break;
        }
    }
    0.5 * front * result
}

/// P(Z <= x).
pub fn normal_cdf(x: f64) -> f64 {
    normal_tail(-x)
}

/// The x with P(Z <= x) = p, for 0 < p < 1.
pub fn normal_quantile(p: f64) -> f64 {
    if p == 0.5 {
        return 0.0;
    }
    // On the side of the small tail, where p has its digits.
    let tail = p.min(1.0 - p);
    let x = invert(40.0, -tail, |x| -normal_tail(x));
    if p < 0.5 { -x } else { x }
}

/// The x with P(T <= x) = p for Student's t, for 0 < p < 1 (Abramowitz and Stegun 26.5.27).
pub fn student_quantile(p: f64, degrees: f64) -> f64 {
    let tail = p.min(1.0 - p);
    // 2 * tail = I_{v/(v+x²)}(v/2, 1/2)
    let y = invert(1.0, 2.0 * tail, |y| regularized_beta(degrees / 2.0, 0.5, y));
    let x = (degrees * (1.0 - y) / y).sqrt();
    if p < 0.5 { -x } else { x }
}
