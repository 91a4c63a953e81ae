//! How many units to interpret, and in which strata.

use crate::{Result, VectorError};

/// A stratum of a planned sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlannedStratum {
    /// Number of units.
    pub population: u64,
    /// Share of its units that the map is expected to have right.
    pub expected: f64,
}

/// The number of units for which the overall accuracy has this standard error, when strata are sampled in proportion:
/// `n = (sum W_i S_i / S(O))^2` with `S_i = sqrt(U_i (1 - U_i))` (Cochran 1977, equation 5.25; Olofsson et al. 2014, equation
/// 13), rounded up, and at most the number of units that there are.
///
/// ```
/// use swath_vector::accuracy::{PlannedStratum, sample_size};
///
/// // The example of Olofsson et al. 2014.
/// let stratum = |population, expected| PlannedStratum { population, expected };
/// let strata = [stratum(200_000, 0.7), stratum(150_000, 0.6), stratum(3_200_000, 0.9), stratum(6_450_000, 0.95)];
/// assert_eq!(sample_size(&strata, 0.01).unwrap(), 641);
/// ```
///
/// # Errors
/// When the standard error is not positive, an expected accuracy is not between 0 and 1, or there are no units.
pub fn sample_size(strata: &[PlannedStratum], standard_error: f64) -> Result<u64> {
    if !(standard_error > 0.0 && standard_error.is_finite()) {
        return Err(VectorError::Argument(format!(
            "a standard error of {standard_error} cannot be reached; give a positive number such as 0.01"
        )));
    }
    if let Some(wrong) = strata.iter().find(|stratum| !(0.0..=1.0).contains(&stratum.expected)) {
        return Err(VectorError::Argument(format!(
            "an expected accuracy of {} is no share; give a number between 0 and 1, such as 0.85",
            wrong.expected
        )));
    }
    let all = units(strata.iter().map(|stratum| stratum.population))?;
    let deviation = |stratum: &PlannedStratum| (stratum.expected * (1.0 - stratum.expected)).sqrt();
    let sum: f64 = strata.iter().map(|stratum| stratum.population as f64 / all as f64 * deviation(stratum)).sum();
    // A hair less, so that rounding does not ask for one more unit.
    let wanted = ((sum / standard_error).powi(2) - 1e-9).ceil();
    Ok((wanted.max(1.0) as u64).min(all))
}

/// Shares `total` units among strata in proportion to their populations, where none gets less than `floor` (Olofsson et al.
/// 2014 advise 50 to 100 for rare classes) or than all it has.
///
/// ```
/// use swath_vector::accuracy::allocate;
///
/// assert_eq!(allocate(&[200_000, 150_000, 3_200_000, 6_450_000], 641, 75).unwrap(), [75, 75, 163, 328]);
/// assert_eq!(allocate(&[10, 1_000_000], 200, 50).unwrap(), [10, 190]);
/// ```
///
/// # Errors
/// When the floors alone need more than `total`, naming how many they need, or there are no units.
pub fn allocate(populations: &[u64], total: u64, floor: u64) -> Result<Vec<u64>> {
    let all = units(populations.iter().copied())?;
    let least: Vec<u64> = populations.iter().map(|&population| population.min(floor)).collect();
    let needed: u64 = least.iter().sum();
    if needed > total {
        return Err(VectorError::Argument(format!(
            "{} strata with at least {floor} units each need {needed} units in all, more than {total}; allow more units or a lower floor",
            populations.iter().filter(|&&population| population > 0).count()
        )));
    }
    let total = total.min(all);
    // Strata whose proportional part lies below their floor are settled, and the rest is shared anew. No stratum gets
    // more than it has: what is not settled gets at most its part of the first round.
    let mut settled: Vec<Option<u64>> = vec![None; populations.len()];
    loop {
        let open = || (0..populations.len()).filter(|&index| settled[index].is_none());
        let left = total - settled.iter().flatten().sum::<u64>();
        let population: u64 = open().map(|index| populations[index]).sum();
        let part = |index: usize| u128::from(left) * u128::from(populations[index]);
        let below = open().find(|&index| part(index) < u128::from(least[index]) * u128::from(population));
        match below {
            Some(index) => settled[index] = Some(least[index]),
            None => {
                let open: Vec<usize> = open().collect();
                let shared = largest_remainders(&open.iter().map(|&i| populations[i]).collect::<Vec<_>>(), left);
                open.into_iter().zip(shared).for_each(|(index, count)| settled[index] = Some(count));
                break;
            }
        }
    }
    Ok(settled.into_iter().flatten().collect())
}

/// Whole parts of `total` in proportion to `sizes`: each rounded down, what is left to the largest fractions, the first of equals.
fn largest_remainders(sizes: &[u64], total: u64) -> Vec<u64> {
    let sum: u128 = sizes.iter().map(|&size| u128::from(size)).sum();
    let product = |index: usize| u128::from(sizes[index]) * u128::from(total);
    let mut parts: Vec<u64> = (0..sizes.len()).map(|index| (product(index) / sum.max(1)) as u64).collect();
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    order.sort_by_key(|&index| std::cmp::Reverse(product(index) % sum.max(1)));
    let left = total - parts.iter().sum::<u64>();
    order.into_iter().take(left as usize).for_each(|index| parts[index] += 1);
    parts
}

fn units(populations: impl Iterator<Item = u64>) -> Result<u64> {
    match populations.sum() {
        0 => Err(VectorError::Argument("there is nothing to sample: no stratum has a unit".into())),
        all => Ok(all),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_unit_is_given_and_every_floor_kept(
            populations in proptest::collection::vec(0u64..5000, 1..9), total in 0u64..20_000, floor in 0u64..120,
        ) {
            let all: u64 = populations.iter().sum();
            let needed: u64 = populations.iter().map(|&p| p.min(floor)).sum();
            match allocate(&populations, total, floor) {
                Err(_) => prop_assert!(all == 0 || needed > total),
                Ok(counts) => {
                    prop_assert_eq!(counts.iter().sum::<u64>(), total.min(all));
                    for (&count, &population) in counts.iter().zip(&populations) {
                        prop_assert!(count >= population.min(floor) && count <= population);
                    }
                    // Of two strata above their floors the larger has no fewer units.
                    for (i, &count) in counts.iter().enumerate() {
                        for (j, &other) in counts.iter().enumerate() {
                            let smaller = populations[i] < populations[j];
                            prop_assert!(!smaller || count <= other.max(floor) + 1, "{i} {j} {counts:?}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn proportional_without_floors() {
        assert_eq!(allocate(&[1, 2, 1], 8, 0).unwrap(), [1, 2, 1]);
        assert_eq!(allocate(&[100, 200, 100], 10, 0).unwrap(), [3, 5, 2]);
        let message = allocate(&[100, 0, 100], 3, 50).unwrap_err().to_string();
        assert!(message.starts_with("2 strata with at least 50 units each need 100 units"), "{message}");
    }

    #[test]
    fn sizes_that_make_no_sense_are_refused() {
        let stratum = |population, expected| PlannedStratum { population, expected };
        for (strata, error, word) in [
            (vec![stratum(10, 0.9)], 0.0, "standard error"),
            (vec![stratum(10, 0.9)], f64::NAN, "standard error"),
            (vec![stratum(10, 90.0)], 0.01, "0.85"),
            (vec![stratum(0, 0.9)], 0.01, "no stratum"),
            (vec![], 0.01, "no stratum"),
        ] {
            let message = sample_size(&strata, error).unwrap_err().to_string();
            assert!(message.contains(word), "{message}");
        }
        // A map that is surely right needs one look; a small one at most all of it.
        assert_eq!(sample_size(&[stratum(10, 1.0)], 0.01).unwrap(), 1);
        assert_eq!(sample_size(&[stratum(10, 0.5)], 0.01).unwrap(), 10);
    }
}
