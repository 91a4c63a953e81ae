use std::time::Instant;
use swath_kernels::*;
fn main() {
    set_threads(std::env::args().nth(1).map_or(2, |t| t.parse().unwrap()));
    for (c, k, s) in [(32, 32, 256), (64, 64, 128), (128, 128, 64), (256, 256, 32), (512, 256, 32), (512, 512, 16)] {
        let conv = Convolution::new(c, k).kernel(3).padding(1);
        let l = Layout::new(1, s, s, c);
        let mut line = format!("{c}->{k}@{s}");
        for m in [Method::Direct, Method::Winograd2, Method::Winograd4] {
            let p = Plan::convolution(&conv, l).unwrap().with_method(m);
            let f = p.filter(&vec![0.01; conv.weights()]).unwrap();
            let x = Buffer::zeroed(l.len());
            let mut y = Buffer::zeroed(p.output().len());
            let mut best = f64::MAX;
            for _ in 0..20 {
                let t = Instant::now();
                p.run(&x, &f, &Epilogue { activation: Activation::Relu, ..Default::default() }, &mut y);
                best = best.min(t.elapsed().as_secs_f64());
            }
            line +=
                &format!("  {m:?} {:.2} ms ({:.0} GF/s)", best * 1e3, 2.0 * 9.0 * (c * k * s * s) as f64 / best / 1e9);
        }
        println!("{line}");
    }
}
