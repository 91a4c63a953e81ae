//! Average precision.

use super::Overlaps;

/// Average precision at one IoU: predictions by descending score take the free true object that they overlap most, if at all with
/// this IoU; the largest precision at a recall or beyond is averaged over the recalls 0, 0.01, ..., 1. `None` without true objects.
pub fn average_precision(overlaps: &Overlaps, scores: &[f64], least: f64) -> Option<f64> {
    let truths = overlaps.truth_areas.len();
    if truths == 0 {
        return None;
    }
    let mut order: Vec<usize> = (0..overlaps.predicted_areas.len()).collect();
    // Stable: of equal scores the first in the layer.
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    let mut taken = vec![false; truths];
    let (mut right, mut curve) = (0usize, Vec::with_capacity(order.len()));
    for (rank, index) in (1usize..).zip(order) {
        let start = overlaps.pairs.partition_point(|pair| pair.predicted < index);
        let own = overlaps.pairs[start..].iter().take_while(|pair| pair.predicted == index);
        let free = own.filter(|pair| pair.iou >= least && !taken[pair.truth]);
        if let Some(best) = free.max_by(|a, b| a.iou.total_cmp(&b.iou)) {
            taken[best.truth] = true;
            right += 1;
        }
        curve.push((right as f64 / truths as f64, right as f64 / rank as f64));
    }
    // From the end, precision never falls towards smaller recalls.
    let mut best: f64 = 0.0;
    for (_, precision) in curve.iter_mut().rev() {
        best = best.max(*precision);
        *precision = best;
    }
    let at = |recall: f64| {
        let first = curve.partition_point(|&(reached, _)| reached < recall - 1e-12);
        curve.get(first).map_or(0.0, |&(_, precision)| precision)
    };
    Some((0..=100).map(|step| at(f64::from(step) / 100.0)).sum::<f64>() / 101.0)
}

#[cfg(test)]
mod tests {
    use geo::{MultiPolygon, Rect};

    use super::*;

    fn square(x: f64) -> MultiPolygon<f64> {
        MultiPolygon::from(Rect::new((x, 0.0), (x + 10.0, 10.0)).to_polygon())
    }

    #[test]
    fn half_found_at_full_precision_and_then_nothing() {
        // Of two true objects the first prediction finds one, the second finds it again.
        let overlaps = Overlaps::new(&[square(0.0), square(0.5)], &[square(0.0), square(100.0)]);
        let ap = average_precision(&overlaps, &[0.9, 0.8], 0.5).unwrap();
        assert!((ap - 51.0 / 101.0).abs() < 1e-12, "{ap}");
        // The other way round the worse one comes first and still counts, being free.
        assert_eq!(average_precision(&overlaps, &[0.8, 0.9], 0.5), Some(ap));
        // A wrong prediction in front halves precision.
        let overlaps = Overlaps::new(&[square(50.0), square(0.0)], &[square(0.0), square(100.0)]);
        assert!((average_precision(&overlaps, &[0.9, 0.8], 0.5).unwrap() - 0.5 * 51.0 / 101.0).abs() < 1e-12);
    }

    #[test]
    fn nothing_predicted_and_nothing_to_find() {
        let none = Overlaps::new(&[], &[square(0.0)]);
        assert_eq!(average_precision(&none, &[], 0.5), Some(0.0));
        assert_eq!(average_precision(&Overlaps::new(&[square(0.0)], &[]), &[0.5], 0.5), None);
    }
}
