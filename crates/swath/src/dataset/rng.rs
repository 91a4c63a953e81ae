//! The random numbers of training: reproducible, and addressed instead of counted.
//!
//! Sample `k` of a run has its own generator, seeded by the run's seed, `k` and the purpose. What is drawn for a sample
//! therefore depends neither on the samples before it nor on the thread that makes it, and a resumed run needs to know
//! no more than its step number.
//!
//! Steele, Lea, Flood: *Fast splittable pseudorandom number generators*, OOPSLA 2014 (SplitMix64). The sequence is part
//! of the run's reproducibility: a test pins it to the published values.

/// What a generator is used for: draws for one purpose never shift those for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Where a chip is taken.
    Position,
    /// How a chip is altered.
    Augment,
    /// In which order the grid of chips is visited.
    Order,
}

/// SplitMix64.
///
/// ```
/// use swath::dataset::{Purpose, Random};
/// let mut first = Random::for_sample(7, 100, Purpose::Position);
/// let mut again = Random::for_sample(7, 100, Purpose::Position);
/// assert_eq!(first.below(1000), again.below(1000));
/// ```
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
}

impl Random {
    /// A generator whose first outputs are SplitMix64's for this state.
    pub fn new(state: u64) -> Self {
        Self { state }
    }

    /// The generator of sample `sample` in the run seeded by `seed`.
    pub fn for_sample(seed: u64, sample: u64, purpose: Purpose) -> Self {
        let purpose = match purpose {
            Purpose::Position => 1,
            Purpose::Augment => 2,
            Purpose::Order => 3,
        };
        let run = mix(seed.wrapping_add(GOLDEN.wrapping_mul(purpose)));
        Self::new(mix(run ^ mix(sample.wrapping_add(GOLDEN))))
    }

    /// The next 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN);
        mix(self.state)
    }

    /// A whole number in `0..n`; 0 when `n` is 0.
    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(n)) >> 64) as u64
    }

    /// A number in `[0, 1)`.
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// A number in `[low, high)`.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }
}

/// The `i`-th element of a random order of `0..n` that depends on `key` only, without storing the order.
///
/// An eight-round Feistel network permutes the smallest even power of two that holds `n`; elements beyond `n` are walked
/// over (Black, Rogaway: *Ciphers with arbitrary finite domains*, CT-RSA 2002).
///
/// ```
/// let mut order: Vec<u64> = (0..5).map(|i| swath::dataset::shuffled(i, 5, 1)).collect();
/// order.sort();
/// assert_eq!(order, [0, 1, 2, 3, 4]);
/// ```
pub fn shuffled(i: u64, n: u64, key: u64) -> u64 {
    assert!(i < n, "element {i} of an order of {n}");
    let half = (u64::BITS - (n - 1).leading_zeros()).div_ceil(2).max(1);
    let mask = (1u64 << half) - 1;
    let mut x = i;
    loop {
        let (mut left, mut right) = (x >> half, x & mask);
        for round in 0..8 {
            let f = mix(key ^ mix(right.wrapping_add(GOLDEN.wrapping_mul(round + 1)))) & mask;
            (left, right) = (right, left ^ f);
        }
        x = (left << half) | right;
        if x < n {
            return x;
        }
    }
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

fn mix(z: u64) -> u64 {
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_sequence_is_splitmix64s() {
        // Reference: the sequence of Vigna's splitmix64.c for state 1234567.
        let mut rng = Random::new(1_234_567);
        let got: Vec<u64> = (0..5).map(|_| rng.next_u64()).collect();
        let want = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
            4_593_380_528_125_082_431,
            16_408_922_859_458_223_821,
        ];
        assert_eq!(got, want);
    }

    #[test]
    fn numbers_are_uniform_over_samples() {
        let mut counts = [0usize; 10];
        for sample in 0..20_000 {
            counts[Random::for_sample(1, sample, Purpose::Position).below(10) as usize] += 1;
        }
        // Five standard deviations of a binomial(20000, 0.1).
        assert!(counts.iter().all(|&n| n.abs_diff(2000) < 212), "{counts:?}");
    }

    #[test]
    fn purposes_and_seeds_differ() {
        let first = |seed, purpose| Random::for_sample(seed, 3, purpose).next_u64();
        assert_ne!(first(1, Purpose::Position), first(1, Purpose::Augment));
        assert_ne!(first(1, Purpose::Position), first(2, Purpose::Position));
    }

    proptest! {
        #[test]
        fn shuffling_is_a_permutation(n in 1u64..600, key: u64) {
            let mut seen: Vec<u64> = (0..n).map(|i| shuffled(i, n, key)).collect();
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..n).collect::<Vec<_>>());
        }

        #[test]
        fn below_stays_below(state: u64, n in 1u64..) {
            prop_assert!(Random::new(state).below(n) < n);
        }
    }

    #[test]
    fn shuffling_reaches_every_place() {
        // Where element 0 of 6 lands over many keys: no place is favoured.
        let mut counts = [0usize; 6];
        for key in 0..12_000 {
            counts[shuffled(0, 6, key) as usize] += 1;
        }
        assert!(counts.iter().all(|&n| n.abs_diff(2000) < 205), "{counts:?}");
    }
}
