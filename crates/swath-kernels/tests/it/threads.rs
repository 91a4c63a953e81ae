//! The same bits for any number of threads, also when several threads call at once.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::process::Command;
use std::thread;

use swath_kernels::{
    AdamW, BatchNorm, Convolution, Epilogue, Layout, Plan, Pooling, Precision, WeightGradient, bias_gradient,
    max_pool_gradient_by_indices, max_pool_with_indices, set_threads, unpool,
};

use crate::support::Random;

/// Names the number of threads for [`print_bits`].
const THREADS: &str = "SWATH_KERNELS_TEST_THREADS";

/// A number that stands for all bits of some results.
fn bits() -> u64 {
    let mut hasher = DefaultHasher::new();
    let mut hash = |values: &[f32]| values.iter().for_each(|value| value.to_bits().hash(&mut hasher));
    let conv = Convolution::new;
    let cases = [
        (conv(32, 32).kernel(3).padding(1), Layout::new(2, 50, 61, 32)),
        (conv(64, 128).kernel(3).padding(1), Layout::new(1, 12, 12, 64)),
        (conv(3, 32).kernel(7).stride(2).padding(3), Layout::new(2, 65, 50, 3)),
        (conv(48, 16), Layout::new(1, 40, 60, 48)),
        (conv(32, 32).kernel(3).padding(1).groups(8), Layout::new(1, 20, 20, 32)),
        (conv(32, 48).kernel(3).padding(3).dilation(3), Layout::new(1, 40, 50, 32)),
        (conv(40, 40).kernel(5).stride(2).padding(2).groups(40), Layout::new(2, 65, 50, 40)),
    ];
    for (convolution, layout) in cases {
        let mut random = Random::new(21);
        let x = random.image(&layout);
        let weights = random.values(convolution.weights());
        let plan = Plan::convolution(&convolution, layout).expect("a plan");
        let mut y = vec![0.0; plan.output().len()];
        plan.run(&x, &plan.filter(&weights).expect("a filter"), &Epilogue::default(), &mut y);
        hash(&y);
        let pairs = plan.clone().with_precision(Precision::Bf16);
        pairs.run(&x, &pairs.filter(&weights).expect("a filter"), &Epilogue::default(), &mut y);
        hash(&y);
        let dy = random.image(plan.output());
        let back = Plan::input_gradient(&convolution, layout).expect("a plan");
        let mut dx = vec![0.0; layout.len()];
        back.run(&dy, &back.filter(&weights).expect("a filter"), &Epilogue::default(), &mut dx);
        hash(&dx);
        let mut dw = vec![0.0; weights.len()];
        WeightGradient::convolution(&convolution, layout).expect("a plan").run(&x, &dy, &mut dw);
        hash(&dw);
        let channels = layout.channels;
        let (gamma, beta) = (random.values(channels), random.values(channels));
        let norm = BatchNorm { gamma: &gamma, beta: &beta, epsilon: 1e-5, relu: true };
        let mut normal = vec![0.0; layout.len()];
        let statistics = norm.forward((&layout, &x), &layout, &mut normal);
        let (dgamma, dbeta) = norm.backward((&layout, &x), &statistics, (&layout, &normal), &layout, &mut dx);
        let mut sums = vec![0.0; channels];
        bias_gradient(&layout, &x, &mut sums);
        [dgamma, dbeta, statistics.mean, statistics.variance, sums].iter().for_each(|values| hash(values));
    }
    // Overlapping windows, which often name the same pixel.
    let (layout, pooled) = (Layout::new(2, 41, 40, 70), Layout::new(2, 21, 20, 70));
    let mut random = Random::new(22);
    let (x, dy) = (random.image(&layout), random.image(&pooled));
    let (mut y, mut indices) = (vec![0.0; pooled.len()], vec![0; pooled.len()]);
    max_pool_with_indices(&Pooling::new(3, 2).padding(1), &layout, &x, &pooled, &mut y, &mut indices);
    let (mut dx, mut back) = (vec![0.0; layout.len()], vec![0.0; layout.len()]);
    max_pool_gradient_by_indices((&pooled, &dy), &indices, &layout, &mut dx);
    unpool((&pooled, &dy), &indices, &layout, &mut back);
    [y, dx, back].iter().for_each(|values| hash(values));
    let adamw = AdamW { rate: 0.01, decay: 0.9, betas: [0.9, 0.99], epsilon: 1e-8, time: 2 };
    let (mut first, mut second) = (vec![0.1; x.len()], vec![0.2; x.len()]);
    let mut stepped = vec![0.0; x.len()];
    adamw.step(&x, &x, [&mut first, &mut second], &mut stepped);
    [first, second, stepped].iter().for_each(|values| hash(values));
    hasher.finish()
}

#[test]
#[ignore = "the other test calls it in processes of their own"]
fn print_bits() {
    let threads = std::env::var(THREADS).ok().and_then(|text| text.parse().ok()).expect("a number of threads");
    assert!(set_threads(threads));
    println!("bits {}", bits());
}

#[test]
fn bits_do_not_depend_on_the_number_of_threads() {
    let run = |threads: usize| {
        let mut command = Command::new(std::env::current_exe().expect("this test"));
        command.args(["--exact", "threads::print_bits", "--ignored", "--nocapture"]).env(THREADS, threads.to_string());
        let text = String::from_utf8(command.output().expect("a run").stdout).expect("text");
        let found = text.lines().find_map(|line| line.split("bits ").nth(1).map(str::to_owned));
        found.unwrap_or_else(|| panic!("{threads} threads printed {text}"))
    };
    let one = run(1);
    for threads in [2, 3, 7] {
        assert_eq!(run(threads), one, "{threads} threads");
    }
}

#[test]
fn several_threads_may_call_at_once() {
    let alone = bits();
    thread::scope(|scope| {
        let calls: Vec<_> = (0..4).map(|_| scope.spawn(bits)).collect();
        calls.into_iter().for_each(|call| assert_eq!(call.join().expect("no panic"), alone));
    });
}
