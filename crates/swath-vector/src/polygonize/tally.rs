//! Numbers of pixels, gathered by face: a sum and a histogram for each face that is not finished.

/// What can be said of numbers between 0 and 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Tally {
    count: u64,
    sum: f64,
    bins: Box<[u64; BINS]>,
}

/// Parts of the range from 0 to 1 that are told apart.
const BINS: usize = 256;

impl Default for Tally {
    fn default() -> Tally {
        Tally { count: 0, sum: 0.0, bins: Box::new([0; BINS]) }
    }
}

impl Tally {
    /// Adds numbers; those that are not finite are left out, others count as the nearest between 0 and 1.
    pub fn add(&mut self, numbers: &[f32]) {
        for number in numbers.iter().filter(|number| number.is_finite()).map(|number| number.clamp(0.0, 1.0)) {
            self.count += 1;
            self.sum += f64::from(number);
            self.bins[(number * (BINS - 1) as f32).round() as usize] += 1;
        }
    }

    /// Adds what another one has counted.
    pub fn merge(&mut self, other: &Tally) {
        self.count += other.count;
        self.sum += other.sum;
        for (bin, more) in self.bins.iter_mut().zip(other.bins.iter()) {
            *bin += more;
        }
    }

    /// The mean; `None` without a number.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }

    /// The smallest number that at least this share of all does not exceed, to 1/255; `None` without a number.
    ///
    /// ```
    /// let mut tally = swath_vector::Tally::default();
    /// tally.add(&[0.2, 0.4, 0.6, 0.8, 1.0]);
    /// assert_eq!((tally.quantile(0.1), tally.quantile(0.5)), (Some(0.2), Some(0.6)));
    /// ```
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let rank = (share * self.count as f64).ceil().max(1.0) as u64;
        let counts = self.bins.iter().scan(0, |below, count| {
            *below += count;
            Some(*below)
        });
        let bin = counts.take_while(|&below| below < rank).count();
        (self.count > 0).then(|| bin as f64 / (BINS - 1) as f64)
    }

    fn clear(&mut self) {
        (self.count, self.sum) = (0, 0.0);
        self.bins.fill(0);
    }
}

/// The tallies of faces, by number; those of finished faces are used again.
#[derive(Debug, Default)]
pub(super) struct Tallies {
    entries: Vec<Tally>,
    free: Vec<u32>,
}

impl Tallies {
    /// An empty one.
    pub(super) fn found(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.entries.push(Tally::default());
            self.entries.len() as u32 - 1
        })
    }

    pub(super) fn add(&mut self, tally: u32, numbers: &[f32]) {
        self.entries[tally as usize].add(numbers);
    }

    pub(super) fn get(&self, tally: u32) -> Option<&Tally> {
        self.entries.get(tally as usize)
    }

    /// Gives one up, after another has taken its numbers over.
    pub(super) fn join(&mut self, kept: u32, gone: u32) {
        if let Ok([kept, gone]) = self.entries.get_disjoint_mut([kept as usize, gone as usize]) {
            kept.merge(gone);
        }
        self.release(gone);
    }

    /// Gives one up.
    pub(super) fn release(&mut self, tally: u32) {
        if let Some(entry) = self.entries.get_mut(tally as usize) {
            entry.clear();
            self.free.push(tally);
        }
    }
}
