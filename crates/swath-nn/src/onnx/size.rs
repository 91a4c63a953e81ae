//! Sizes that follow from those of the images.
//!
//! A network is recorded at several sizes of its images. Every number that differs between the recordings has to be
//! `c0 + c1 b + c2 r + c3 c + c4 b r + ...`, where `b` is the batch, and `r` and `c` are the images' rows and columns in whole strides: one
//! coefficient for each subset of the unknowns. As many recordings as coefficients give them; one more must agree.

/// A size of the images that the file leaves open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unknown {
    /// The axis of the images that it belongs to.
    pub(super) axis: usize,
    /// Pixels of one.
    pub(super) unit: usize,
    /// Two values that coefficients are computed from.
    ends: [i64; 2],
    /// A third one.
    check: i64,
}

impl Unknown {
    /// Images in a batch.
    pub(super) fn batch() -> Self {
        Self { axis: 0, unit: 1, ends: [2, 3], check: 5 }
    }

    /// Rows and columns of the images, in steps of `stride`. All values differ, so that none is taken for another.
    pub(super) fn area(stride: usize) -> [Self; 2] {
        [
            Self { axis: 2, unit: stride, ends: [RECORDED_FROM as i64, 9], check: 12 },
            Self { axis: 3, unit: stride, ends: [8, 11], check: 10 },
        ]
    }
}

/// The shapes of images to record at: every choice of both ends, then the check.
pub(super) fn shapes(unknowns: &[Unknown], fixed: [usize; 4]) -> Vec<[usize; 4]> {
    let shape = |value: &dyn Fn(usize, &Unknown) -> i64| {
        let mut shape = fixed;
        for (index, unknown) in unknowns.iter().enumerate() {
            shape[unknown.axis] = value(index, unknown) as usize * unknown.unit;
        }
        shape
    };
    let corner = |choice: usize| shape(&|index, unknown| unknown.ends[choice >> index & 1]);
    let mut shapes: Vec<[usize; 4]> = (0..1 << unknowns.len()).map(corner).collect();
    shapes.push(shape(&|_, unknown| unknown.check));
    shapes
}

/// Values of the unknowns for one image of so many strides a side, and its shape; `fixed` as in [`shapes`].
pub(super) fn square(unknowns: &[Unknown], fixed: [usize; 4], strides: usize) -> (Vec<i64>, [usize; 4]) {
    let mut shape = fixed;
    let values = unknowns.iter().map(|unknown| {
        let value = if unknown.axis == 0 { 1 } else { strides };
        shape[unknown.axis] = value * unknown.unit;
        value as i64
    });
    (values.collect(), shape)
}

/// Rows and columns from which on [`shapes`] are.
pub(super) const RECORDED_FROM: usize = 7;

/// A whole number in terms of the unknowns: a coefficient for each subset of them, by its bits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Size(Vec<i64>);

impl Size {
    /// From the values in recordings at [`shapes`]. `None` when they do not follow from the unknowns in this way.
    pub(super) fn fit(values: &[i64], unknowns: &[Unknown]) -> Option<Self> {
        let (check, corners) = values.split_last()?;
        let mut terms = corners.to_vec();
        for (index, Unknown { ends: [low, high], .. }) in unknowns.iter().enumerate() {
            let bit = 1 << index;
            for subset in (0..terms.len()).filter(|subset| subset & bit == 0) {
                let (rise, run) = (terms[subset | bit] - terms[subset], high - low);
                (rise % run == 0).then_some(())?;
                terms[subset] -= rise / run * low;
                terms[subset | bit] = rise / run;
            }
        }
        let size = Self(terms);
        let values: Vec<i64> = unknowns.iter().map(|unknown| unknown.check).collect();
        (size.at(&values) == *check).then_some(size)
    }

    /// The number for values of the unknowns.
    pub(super) fn at(&self, values: &[i64]) -> i64 {
        let product =
            |(factor, subset): (i64, Vec<usize>)| factor * subset.iter().map(|&index| values[index]).product::<i64>();
        self.products(values.len()).map(product).sum()
    }

    /// The number, when it does not depend on the unknowns.
    pub(super) fn constant(&self) -> Option<i64> {
        self.0[1..].iter().all(|term| *term == 0).then_some(self.0[0])
    }

    /// How many times another it is, where that is a whole number.
    pub(super) fn times(&self, other: &Self) -> Option<i64> {
        let place = other.0.iter().position(|term| *term != 0)?;
        let times = self.0[place] / other.0[place];
        let product = other.0.iter().map(|term| term * times);
        (times > 0 && self.0.iter().copied().eq(product)).then_some(times)
    }

    /// The factors that are not 0, each with the unknowns that it is multiplied by.
    pub(super) fn products(&self, unknowns: usize) -> impl Iterator<Item = (i64, Vec<usize>)> {
        self.0
            .iter()
            .enumerate()
            .filter(|(_, factor)| **factor != 0)
            .map(move |(subset, factor)| (*factor, (0..unknowns).filter(|index| subset >> index & 1 == 1).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unknowns() -> Vec<Unknown> {
        let [rows, cols] = Unknown::area(16);
        vec![Unknown::batch(), rows, cols]
    }

    fn fit(value: impl Fn([i64; 4]) -> i64) -> Option<Size> {
        let shapes = shapes(&unknowns(), [1, 3, 1, 1]);
        let values: Vec<i64> = shapes.iter().map(|shape| value(shape.map(|size| size as i64))).collect();
        Size::fit(&values, &unknowns())
    }

    #[test]
    fn products_of_the_unknowns_are_found() {
        let tokens = fit(|[batch, _, height, width]| batch * (height / 16) * (width / 8) * 4 - 7).unwrap();
        let products: Vec<_> = tokens.products(3).collect();
        assert_eq!(products, [(-7, vec![]), (8, vec![0, 1, 2])]);
        assert_eq!(tokens.constant(), None);
        assert_eq!(fit(|_| 64).unwrap().constant(), Some(64));
    }

    #[test]
    fn what_does_not_follow_is_refused() {
        // Not a multiple of the unit; rounded; of another degree.
        assert_eq!(fit(|[_, _, height, _]| height / 32), None);
        assert_eq!(fit(|[_, _, height, _]| (height / 16 + 6) / 7), None);
        assert_eq!(fit(|[_, _, height, _]| height * height), None);
    }

    #[test]
    fn ratios_are_whole_numbers() {
        let [coarse, fine] = [16, 4].map(|stride| fit(|[_, _, height, _]| height / stride).unwrap());
        assert_eq!(fine.times(&coarse), Some(4));
        assert_eq!(coarse.times(&fine), None);
        assert_eq!(fit(|[_, _, height, _]| height / 8 + 1).unwrap().times(&coarse), None);
    }
}
