//! Random numbers that follow from a seed alone: the same for the same operation, whatever else happened.

/// A stream of draws. The generator is SplitMix64 (Steele, Lea and Flood, Fast splittable pseudorandom number
/// generators, 2014).
#[derive(Debug, Clone)]
pub(super) struct Draws {
    state: u64,
}

const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

/// Spreads every bit over all of them.
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A seed of a seed, by number: neighbours have nothing in common.
pub(super) fn derive(seed: u64, number: u64) -> u64 {
    mix(mix(seed.wrapping_add(STEP)) ^ number.wrapping_mul(STEP).wrapping_add(STEP))
}

/// A seed of a seed, by name.
pub(crate) fn derive_named(seed: u64, name: &str) -> u64 {
    name.bytes().fold(derive(seed, name.len() as u64), |seed, byte| derive(seed, u64::from(byte)))
}

/// A number from 0 to below 1, with 53 bits.
pub(super) fn unit(seed: u64) -> f64 {
    (seed >> 11) as f64 / (1_u64 << 53) as f64
}

impl Draws {
    pub(super) fn new(seed: u64, stream: u64) -> Self {
        Draws { state: derive(seed, stream) }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(STEP);
        mix(self.state)
    }

    /// Exponentially distributed with mean 1.
    pub(super) fn exponential(&mut self) -> f64 {
        -(1.0 - unit(self.next())).ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reference output of SplitMix64 for the seed 1234567, as published with the generator.
    #[test]
    fn the_generator_is_splitmix64() {
        let mut draws = Draws { state: 1_234_567 };
        let first: Vec<_> = (0..3).map(|_| draws.next()).collect();
        assert_eq!(first, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn seeds_of_neighbours_have_half_of_their_bits_in_common() {
        let differing: u32 = (0..1_000).map(|n| (derive(5, n) ^ derive(5, n + 1)).count_ones()).sum();
        assert!((31_000..33_000).contains(&differing), "{differing}");
        assert_ne!(derive_named(5, "ab"), derive_named(5, "ba"));
    }
}
