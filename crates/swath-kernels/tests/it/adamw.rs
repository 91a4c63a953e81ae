//! Steps of AdamW against the definition in f64.

use swath_kernels::AdamW;

fn values(len: usize, seed: usize) -> Vec<f32> {
    (0..len).map(|at| ((at * 7919 + seed * 104_729) % 1009) as f32 / 504.5 - 1.0).collect()
}

/// Weights and averages after some steps.
fn run(len: usize, steps: i32) -> [Vec<f32>; 3] {
    let (mut weights, mut first, mut second) = (values(len, 0), vec![0.0; len], vec![0.0; len]);
    for time in 1..=steps {
        let adamw = AdamW { rate: 0.01, decay: 0.999, betas: [0.9, 0.95], epsilon: 1e-6, time };
        let mut out = vec![0.0; len];
        adamw.step(&weights, &values(len, time as usize), [&mut first, &mut second], &mut out);
        weights = out;
    }
    [weights, first, second]
}

fn expected(len: usize, steps: i32) -> [Vec<f64>; 3] {
    let wide = |values: Vec<f32>| values.into_iter().map(f64::from).collect::<Vec<_>>();
    let (mut weights, mut first, mut second) = (wide(values(len, 0)), vec![0.0; len], vec![0.0; len]);
    for time in 1..=steps {
        for (at, g) in wide(values(len, time as usize)).into_iter().enumerate() {
            first[at] = 0.9 * first[at] + 0.1 * g;
            second[at] = 0.95 * second[at] + 0.05 * g * g;
            let corrected = [first[at] / (1.0 - 0.9f64.powi(time)), second[at] / (1.0 - 0.95f64.powi(time))];
            weights[at] = 0.999 * weights[at] - 0.01 * corrected[0] / (corrected[1].sqrt() + 1e-6);
        }
    }
    [weights, first, second]
}

#[test]
fn steps_are_those_of_the_definition() {
    for len in [0, 1, 15, 16, 33, 40_003] {
        for steps in [1, 5] {
            for (found, expected) in run(len, steps).iter().zip(expected(len, steps)) {
                for (found, expected) in found.iter().zip(expected) {
                    assert!((f64::from(*found) - expected).abs() < 2e-6, "{found}, not {expected}, {len} values");
                }
            }
        }
    }
}

#[test]
#[should_panic(expected = "different lengths")]
fn lengths_must_agree() {
    let adamw = AdamW { rate: 0.01, decay: 1.0, betas: [0.9, 0.95], epsilon: 1e-6, time: 1 };
    adamw.step(&[1.0; 4], &[1.0; 4], [&mut [0.0; 3], &mut [0.0; 4]], &mut [0.0; 4]);
}
