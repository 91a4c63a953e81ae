//! Polygons that are drawn at random, and their pictures.
//!
//! As in PolyCNN's code: corners lie in random directions around the middle, whose steps differ from a quarter turn by up to a half, at
//! distances of normal distribution around 0.225 sides of the picture with half of that as their deviation. Distances from a
//! quarter to twice the mean are taken, where theirs begin at 0, since a corner in the middle cannot be seen.

use std::f64::consts::TAU;

use swath_nn::decoder::polycnn::CORNERS;

use super::corners::{Corners, mask};
use crate::dataset::Random;

/// Mean distance of corners from the middle, in sides of the picture.
const RADIUS: f64 = 0.225;

/// A polygon of four corners in a picture of `side` pixels.
pub(crate) fn polygon(rng: &mut Random, side: usize) -> Corners {
    let steps: [f64; CORNERS] = std::array::from_fn(|_| rng.between(0.5, 1.5));
    let turn = TAU / steps.iter().sum::<f64>();
    let mut direction = rng.between(0.0, TAU);
    std::array::from_fn(|corner| {
        direction += steps[corner] * turn;
        // Box and Muller; the logarithm of 0 is out of reach.
        let normal = (-2.0 * (1.0 - rng.unit()).ln()).sqrt() * (TAU * rng.unit()).cos();
        let distance = (RADIUS * (1.0 + 0.5 * normal)).clamp(0.25 * RADIUS, 2.0 * RADIUS);
        let place = |along: f64| (0.5 + distance * along) * side as f64;
        (place(direction.cos()), place(direction.sin()))
    })
}

/// Its picture: 1 inside, -1 outside.
pub(crate) fn raster(corners: &Corners, side: usize) -> Vec<f32> {
    mask(corners, side).into_iter().map(|inside| if inside == 1 { 1.0 } else { -1.0 }).collect()
}

#[cfg(test)]
mod tests {
    use super::super::corners::{is_simple, twice_area};
    use super::*;

    #[test]
    fn generated_polygons_are_simple_clockwise_and_inside() {
        let mut rng = Random::new(5);
        let mut areas = Vec::new();
        for _ in 0..2000 {
            let corners = polygon(&mut rng, 64);
            assert!(is_simple(&corners), "{corners:?}");
            assert!(
                corners.iter().all(|&(x, y)| (0.0..=64.0).contains(&x) && (0.0..=64.0).contains(&y)),
                "{corners:?}"
            );
            areas.push(twice_area(&corners) / 2.0);
        }
        let mean = areas.iter().sum::<f64>() / areas.len() as f64;
        // Four triangles with two sides of 14.4 pixels at about right angles.
        assert!((330.0..450.0).contains(&mean), "{mean}");
        assert!(areas.iter().any(|area| *area < 100.0) && areas.iter().any(|area| *area > 800.0));
        let corners = polygon(&mut rng, 64);
        let inside = raster(&corners, 64).iter().filter(|value| **value > 0.0).count() as f64;
        assert!((inside - twice_area(&corners) / 2.0).abs() < 40.0);
    }
}
