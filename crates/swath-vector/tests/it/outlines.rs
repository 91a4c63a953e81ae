//! What tests ask of the outlines of buildings.

use swath_vector::Point;

/// Degrees between each pair of neighbouring edges of a closed ring, from 0 to 90.
pub(crate) fn angles(ring: &[Point]) -> Vec<f64> {
    let count = ring.len() - 1;
    let step = |at: usize| (ring[at % count + 1].0 - ring[at % count].0, ring[at % count + 1].1 - ring[at % count].1);
    let angle = |at| {
        let (a, b) = (step(at), step(at + 1));
        let cosine = (a.0 * b.0 + a.1 * b.1) / (a.0.hypot(a.1) * b.0.hypot(b.1));
        cosine.abs().min(1.0).acos().to_degrees()
    };
    (0..count).map(angle).collect()
}
