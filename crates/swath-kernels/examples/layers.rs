use std::time::Instant;
use swath_kernels::*;
fn main() {
    let reps = std::env::args().nth(1).map_or(15, |t| t.parse().unwrap());
    let shapes = [
        (32, 32, 256),
        (32, 64, 128),
        (64, 64, 128),
        (64, 128, 64),
        (128, 128, 64),
        (128, 256, 32),
        (256, 256, 32),
        (256, 512, 16),
        (512, 512, 16),
        (512, 256, 32),
        (256, 256, 32),
        (256, 128, 64),
        (128, 128, 64),
        (128, 64, 128),
        (64, 64, 128),
        (64, 32, 256),
        (32, 32, 256),
    ];
    let mut jobs = vec![];
    for (c, k, s) in shapes {
        let conv = Convolution::new(c, k).kernel(3).padding(1);
        let l = Layout::new(1, s, s, c);
        let p = Plan::convolution(&conv, l).unwrap();
        let f = p.filter(&vec![0.01; conv.weights()]).unwrap();
        let x = Buffer::zeroed(l.len());
        let y = Buffer::zeroed(p.output().len());
        jobs.push((p, f, x, y, Bias::new(&vec![0.1; k]), f64::MAX));
    }
    let mut best = f64::MAX;
    for _ in 0..reps {
        let t = Instant::now();
        for (p, f, x, y, b, m) in &mut jobs {
            let t = Instant::now();
            p.run(x, f, &Epilogue { bias: Some(b), activation: Activation::Relu, ..Default::default() }, y);
            *m = m.min(t.elapsed().as_secs_f64());
        }
        best = best.min(t.elapsed().as_secs_f64());
    }
    for (s, j) in shapes.iter().zip(&jobs) {
        println!("{s:?} {:.2} ms {:.0} GF/s", j.5 * 1e3, 18.0 * (s.0 * s.1 * s.2 * s.2) as f64 / j.5 / 1e9);
    }
    println!("best sum {:.2} ms, sum of best {:.2}", best * 1e3, jobs.iter().map(|j| j.5).sum::<f64>() * 1e3);
}
