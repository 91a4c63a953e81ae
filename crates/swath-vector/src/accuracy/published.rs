//! The examples of the papers, and what the papers do not say.

use proptest::prelude::*;

use super::*;

/// A sample whose strata are the classes: units in `rows[map class][reference class]`, strata of these sizes.
fn by_class(sizes: &[f64], rows: &[&[u64]]) -> Sample {
    let classes: Vec<String> = (1..=sizes.len()).map(|number| number.to_string()).collect();
    let strata = classes.iter().zip(sizes);
    let strata = strata.map(|(name, &size)| Stratum { name: name.clone(), size, population: None }).collect();
    let mut units = Vec::new();
    for (map, row) in rows.iter().enumerate() {
        for (reference, &count) in row.iter().enumerate() {
            let unit = Unit { stratum: map, map, reference, area: 1.0 };
            units.extend(std::iter::repeat_n(unit, count as usize));
        }
    }
    Sample { classes, strata, units }
}

/// Asserts that an estimate and `z` standard errors are the printed numbers, to the digits that are printed.
#[track_caller]
fn printed(estimate: Estimate, z: f64, (value, margin): (f64, f64), digits: i32) {
    let half = 0.5001 * 10f64.powi(-digits);
    let got = (estimate.value, z * estimate.standard_error.unwrap());
    assert!((got.0 - value).abs() <= half && (got.1 - margin).abs() <= half, "{got:?} against {value} +- {margin}");
}

#[test]
fn olofsson_2014() {
    let pixels = [200_000.0, 150_000.0, 3_200_000.0, 6_450_000.0];
    let sample = by_class(&pixels, &[&[66, 0, 5, 4], &[0, 55, 8, 12], &[1, 0, 153, 11], &[2, 1, 9, 313]]);
    let hectares = pixels.iter().sum::<f64>() * 900.0 / 1e4;
    let found = estimate(&sample, Some(hectares), 0.95).unwrap();
    // The paper rounds z to 1.96.
    printed(found.overall, 1.96, (0.9465, 0.0185), 4);
    assert!((found.overall.margin.unwrap() / found.overall.standard_error.unwrap() - 1.959_964).abs() < 1e-6);
    let user = [(0.88, 0.074), (0.7333, 0.1008), (0.9273, 0.0397), (0.9631, 0.0205)];
    let producer = [(0.7487, 0.2133), (0.8472, 0.2544), (0.9345, 0.0343), (0.9616, 0.0184)];
    let area = [(21_158.0, 6_158.0), (11_686.0, 3_756.0), (285_770.0, 15_510.0), (581_386.0, 16_282.0)];
    for (index, class) in found.classes.iter().enumerate() {
        printed(class.user.unwrap(), 1.96, user[index], 4);
        printed(class.producer.unwrap(), 1.96, producer[index], 4);
        printed(class.area.unwrap(), 1.96, area[index], 0);
    }
    // Mapped shares are known, not estimated.
    assert!((found.classes[0].mapped.value - 0.02).abs() < 1e-12);
    assert!(found.classes[0].mapped.standard_error.unwrap() < 1e-9);
    assert_eq!(found.cells.len(), 13);
    assert!((found.cells.iter().map(|cell| cell.share).sum::<f64>() - 1.0).abs() < 1e-12);
}

#[test]
fn olofsson_2013() {
    let pixels = [22_353.0, 1_122_543.0, 610_228.0];
    let sample = by_class(&pixels, &[&[97, 0, 3], &[3, 279, 18], &[2, 1, 97]]);
    let found = estimate(&sample, Some(pixels.iter().sum()), 0.95).unwrap();
    assert!((found.overall.value - 0.9444).abs() < 5e-5);
    let z = z_score(0.95).unwrap();
    printed(found.classes[0].producer.unwrap(), z, (0.4806, 0.2245), 4);
    printed(found.classes[0].area.unwrap(), z, (45_112.0, 21_072.0), 0);
}

#[test]
fn stehman_2014() {
    let map = "AAAAAAABBB ABBBBBBBBB BBCCCCCCBB DDDDDDDDDD";
    let reference = "AAAAACBABC ABBBBBAABB CCCCCDDBBA DDDDDDDCCB";
    let class = |letter: u8| usize::from(letter - b'A');
    let mut sample = Sample { classes: ["A", "B", "C", "D"].map(String::from).to_vec(), ..Sample::default() };
    for (stratum, (map, reference)) in map.split(' ').zip(reference.split(' ')).enumerate() {
        let population = [40_000, 30_000, 20_000, 10_000][stratum];
        let name = sample.classes[stratum].clone();
        sample.strata.push(Stratum { name, size: population as f64, population: Some(population) });
        let pairs = map.bytes().zip(reference.bytes());
        let units = pairs.map(|(m, r)| Unit { stratum, map: class(m), reference: class(r), area: 1.0 });
        sample.units.extend(units);
    }
    let found = estimate(&sample, None, 0.95).unwrap();
    let is = |estimate: Estimate, value: f64, error: f64| {
        let got = (estimate.value, estimate.standard_error.unwrap());
        assert!((got.0 - value).abs() < 5.001e-6 && (got.1 - error).abs() < 5.001e-6, "{got:?}");
    };
    is(found.classes[0].share, 0.35, 0.08225);
    is(found.classes[2].share, 0.20, 0.06428);
    is(found.overall, 0.63, 0.08464);
    is(found.classes[1].user.unwrap(), 0.57447, 0.12478);
    is(found.classes[1].producer.unwrap(), 0.79412, 0.11655);
    let cell = found.cells.iter().find(|cell| (cell.map, cell.reference) == (1, 2)).unwrap();
    assert!((cell.share - 0.08).abs() < 1e-12);
}

/// The formulas of Olofsson et al. 2014 as printed (equations 4 to 11), from `n[i][j]` and the mapped shares `w[i]`.
struct Printed {
    overall: (f64, f64),
    /// User's accuracy, producer's accuracy and share of each class, with standard errors.
    classes: Vec<[(f64, f64); 3]>,
}

fn as_printed(w: &[f64], n: &[Vec<u64>]) -> Printed {
    let k = w.len();
    let count = |i: usize| n[i].iter().sum::<u64>() as f64;
    let p = |i: usize, j: usize| w[i] * n[i][j] as f64 / count(i);
    let u: Vec<f64> = (0..k).map(|i| n[i][i] as f64 / count(i)).collect();
    let spread = |share: f64, i: usize| share * (1.0 - share) / (count(i) - 1.0);
    let overall = (0..k).map(|i| p(i, i)).sum();
    let overall_variance: f64 = (0..k).map(|i| w[i].powi(2) * spread(u[i], i)).sum();
    let class = |j: usize| {
        let column: f64 = (0..k).map(|i| p(i, j)).sum();
        let producer = p(j, j) / column;
        let others =
            (0..k).filter(|&i| i != j).map(|i| w[i].powi(2) * spread(n[i][j] as f64 / count(i), i)).sum::<f64>();
        let variance =
            ((w[j] * (1.0 - producer)).powi(2) * spread(u[j], j) + producer.powi(2) * others) / column.powi(2);
        let area: f64 = (0..k).map(|i| (w[i] * p(i, j) - p(i, j).powi(2)) / (count(i) - 1.0)).sum();
        [(u[j], spread(u[j], j).sqrt()), (producer, variance.sqrt()), (column, area.max(0.0).sqrt())]
    };
    Printed { overall: (overall, overall_variance.sqrt()), classes: (0..k).map(class).collect() }
}

proptest! {
    #[test]
    fn strata_that_are_classes_give_the_printed_formulas(
        rows in proptest::collection::vec(proptest::collection::vec(1u64..40, 3), 3),
        sizes in proptest::collection::vec(1u32..10_000, 3),
    ) {
        let sizes: Vec<f64> = sizes.into_iter().map(f64::from).collect();
        let total: f64 = sizes.iter().sum();
        let shares: Vec<f64> = sizes.iter().map(|size| size / total).collect();
        let printed = as_printed(&shares, &rows);
        let borrowed: Vec<&[u64]> = rows.iter().map(Vec::as_slice).collect();
        let found = estimate(&by_class(&sizes, &borrowed), None, 0.95).unwrap();
        let same = |estimate: Estimate, (value, error): (f64, f64)| {
            (estimate.value - value).abs() < 1e-9 && (estimate.standard_error.unwrap() - error).abs() < 1e-7
        };
        prop_assert!(same(found.overall, printed.overall));
        for (class, [user, producer, share]) in found.classes.iter().zip(printed.classes) {
            prop_assert!(same(class.user.unwrap(), user));
            prop_assert!(same(class.producer.unwrap(), producer));
            prop_assert!(same(class.share, share));
        }
    }
}

#[test]
fn units_with_areas_of_their_own_weigh_by_them() {
    // Four of a hundred pixels, two of them twice as large: water is 2 of 6, not 1 of 4.
    let mut sample = by_class(&[100.0, 0.0], &[&[3, 1], &[0, 0]]);
    sample.units[0].area = 2.0;
    sample.units[3].area = 2.0;
    let found = estimate(&sample, Some(60.0), 0.95).unwrap();
    assert!((found.classes[1].area.unwrap().value - 20.0).abs() < 1e-12);
    // s^2 of the residuals y - x/3: -2/3, -1/3, -1/3, 4/3 around 0; the standard error is sqrt(s^2 / 4) / (6 / 4).
    let squares: f64 = [-2.0 / 3.0, -1.0 / 3.0, -1.0 / 3.0, 4.0 / 3.0].iter().map(|d: &f64| d * d).sum();
    let error = (squares / 3.0 / 4.0).sqrt() / 1.5;
    assert!((found.classes[1].share.standard_error.unwrap() - error).abs() < 1e-12);
}

#[test]
fn a_stratum_that_was_seen_whole_adds_no_uncertainty() {
    let mut sample = by_class(&[10.0, 4.0], &[&[9, 1], &[1, 3]]);
    sample.strata[0].population = Some(10);
    sample.strata[1].population = Some(4);
    let found = estimate(&sample, None, 0.95).unwrap();
    assert_eq!(found.overall.standard_error, Some(0.0));
    assert!((found.overall.value - 12.0 / 14.0).abs() < 1e-12);
}

#[test]
fn one_unit_says_nothing_of_its_spread() {
    let found = estimate(&by_class(&[90.0, 10.0], &[&[8, 2], &[0, 1]]), Some(1.0), 0.95).unwrap();
    assert_eq!(found.overall.standard_error, None);
    assert_eq!(found.classes[1].user.unwrap(), Estimate { value: 1.0, standard_error: None, margin: None });
    assert_eq!(found.classes[1].producer.unwrap().margin, None);
    assert!((found.classes[1].area.unwrap().value - 0.28).abs() < 1e-12);
    // The other class's user's accuracy rests on its own stratum alone.
    assert!((found.classes[0].user.unwrap().standard_error.unwrap() - (0.8f64 * 0.2 / 9.0).sqrt()).abs() < 1e-12);
}

#[test]
fn classes_that_are_never_mapped_or_never_found() {
    let found = estimate(&by_class(&[90.0, 10.0, 0.0], &[&[8, 0, 2], &[4, 0, 0], &[0, 0, 0]]), None, 0.95).unwrap();
    let [_, never_found, never_mapped] = &found.classes[..] else { panic!() };
    assert_eq!((never_found.producer, never_found.user.unwrap().value), (None, 0.0));
    assert_eq!((never_found.share.value, never_found.share.standard_error), (0.0, Some(0.0)));
    assert_eq!((never_mapped.user, never_mapped.producer.unwrap().value), (None, 0.0));
    assert!((never_mapped.share.value - 0.18).abs() < 1e-12);
}

#[test]
fn samples_that_cannot_be_used_say_why() {
    let good = by_class(&[90.0, 10.0], &[&[8, 2], &[1, 3]]);
    let refused = |change: &dyn Fn(&mut Sample), word: &str| {
        let mut sample = good.clone();
        change(&mut sample);
        let message = estimate(&sample, None, 0.95).unwrap_err().to_string();
        assert!(message.contains(word), "{message}");
    };
    refused(&|sample| sample.units.clear(), "no unit");
    refused(&|sample| sample.units.truncate(10), "\"2\", 10.00 % of the map");
    refused(&|sample| sample.strata[0].size = f64::NAN, "NaN");
    refused(&|sample| sample.strata[0].size = -1.0, "-1");
    refused(&|sample| sample.strata[1].population = Some(3), "3 units");
    refused(&|sample| sample.strata[1].size = 0.0, "0 units");
    refused(&|sample| sample.strata[1].population = Some(0), "but 0 units");
    refused(&|sample| sample.units[0].area = 0.0, "area 0");
    refused(&|sample| sample.units[0].reference = 7, "does not exist");
    refused(&|sample| sample.units[0].stratum = 2, "does not exist");
}
