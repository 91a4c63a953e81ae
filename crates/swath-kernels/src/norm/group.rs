//! Normalization of each image by itself, in groups of channels, with ReLU after it where asked for.
//!
//! Wu, He: *Group Normalization*. ECCV 2018. <https://arxiv.org/abs/1803.08494>. With `x' = (x - mean) / sqrt(variance + epsilon)`,
//! both over the pixels and channels of a group, the output is `y = gamma x' + beta`.

use super::{
    Affine, Gradient, GradientSums, Layout, Normalize, Source, Target, channel_sums, each_pixel, padded_values,
    same_size, statistics,
};

/// Parameters of a group normalization.
#[derive(Clone, Copy, Debug)]
pub struct GroupNorm<'a> {
    /// Number of groups, which divides that of channels.
    pub groups: usize,
    /// Scales.
    pub gamma: &'a [f32],
    /// Shifts.
    pub beta: &'a [f32],
    /// Added to the variance.
    pub epsilon: f64,
    /// Whether ReLU follows.
    pub relu: bool,
}

impl GroupNorm<'_> {
    /// Normalizes each image.
    ///
    /// # Panics
    /// When layouts differ in more than the distance of pixels, groups do not divide the channels, or a slice has another length
    /// than they say.
    pub fn forward(&self, (layout, x): (&Layout, &[f32]), out_layout: &Layout, y: &mut [f32]) {
        self.check(layout);
        same_size(layout, out_layout);
        for image in 0..layout.batch {
            let (one, x) = part(layout, x, image);
            let source = Source::new("the image", &one, x);
            let affine = self.affine(&one, &self.groups(&one, source));
            let (out, y) = part_mut(out_layout, y, image);
            let kernel = Normalize { x: source, y: Target::new("the output", &out, y), affine, relu: self.relu };
            // SAFETY: the slices hold their layouts, which have the same pixels and channels.
            unsafe { each_pixel(&one, &kernel) };
        }
    }

    /// Writes the gradient by the image, and returns those by `gamma` and `beta`.
    ///
    /// # Panics
    /// As [`forward`](Self::forward).
    pub fn backward(
        &self,
        (layout, x): (&Layout, &[f32]),
        (dy_layout, dy): (&Layout, &[f32]),
        dx_layout: &Layout,
        dx: &mut [f32],
    ) -> (Vec<f32>, Vec<f32>) {
        self.check(layout);
        same_size(layout, dy_layout);
        same_size(layout, dx_layout);
        let (mut by_gamma, mut by_beta) = (vec![0.0; layout.channels], vec![0.0; layout.channels]);
        for image in 0..layout.batch {
            let (one, x) = part(layout, x, image);
            let (dy_one, dy) = part(dy_layout, dy, image);
            let (source, gradient) = (Source::new("the image", &one, x), Source::new("the gradient", &dy_one, dy));
            let groups = self.groups(&one, source);
            let affine = self.affine(&one, &groups);
            let of_chunk = |pixels: std::ops::Range<usize>, out: *mut f32| GradientSums {
                x: source,
                dy: gradient,
                affine: &affine,
                relu: self.relu,
                pixels,
                out,
            };
            let [sum, centered] = channel_sums(&one, of_chunk);
            for channel in 0..layout.channels {
                by_gamma[channel] += centered[channel] * groups[self.group(channel)].inverse;
                by_beta[channel] += sum[channel];
            }
            let (by_x, constant) = self.linear(&one, &groups, &sum, &centered);
            let (dx_one, dx) = part_mut(dx_layout, dx, image);
            let kernel = Gradient {
                x: source,
                dy: gradient,
                dx: Target::new("the result", &dx_one, dx),
                affine,
                by_x,
                constant,
                relu: self.relu,
            };
            // SAFETY: the slices hold their layouts, which have the same pixels and channels.
            unsafe { each_pixel(&one, &kernel) };
        }
        let single = |sums: Vec<f64>| sums.into_iter().map(|sum| sum as f32).collect();
        (single(by_gamma), single(by_beta))
    }

    #[track_caller]
    fn check(&self, layout: &Layout) {
        let lengths = (self.gamma.len(), self.beta.len());
        assert_eq!(lengths, (layout.channels, layout.channels), "a norm for another number of channels");
        let whole = self.groups > 0 && layout.channels.is_multiple_of(self.groups);
        assert!(whole, "{} channels in {} groups", layout.channels, self.groups);
    }

    fn group(&self, channel: usize) -> usize {
        channel / (self.gamma.len() / self.groups)
    }

    /// The moments of each group of one image, from those of its channels.
    fn groups(&self, layout: &Layout, x: Source) -> Vec<Moments> {
        let channels = statistics(layout, x);
        let size = layout.channels / self.groups;
        let means = channels.mean.chunks_exact(size).zip(channels.variance.chunks_exact(size));
        let moments = means.map(|(means, variances)| {
            let mean = means.iter().map(|&mean| f64::from(mean)).sum::<f64>() / size as f64;
            let square = |(own, variance): (&f32, &f32)| f64::from(*variance) + (f64::from(*own) - mean).powi(2);
            let variance = means.iter().zip(variances).map(square).sum::<f64>() / size as f64;
            Moments { mean, inverse: 1.0 / (variance + self.epsilon).sqrt() }
        });
        moments.collect()
    }

    /// The normalization as a function of each channel.
    fn affine(&self, layout: &Layout, groups: &[Moments]) -> Affine {
        let of_channel = |value: &dyn Fn(usize) -> f64| -> Vec<f32> {
            let values: Vec<f32> = (0..layout.channels).map(|channel| value(channel) as f32).collect();
            padded_values(&values, layout.padded_channels())
        };
        Affine {
            scale: of_channel(&|channel| f64::from(self.gamma[channel]) * groups[self.group(channel)].inverse),
            center: of_channel(&|channel| groups[self.group(channel)].mean),
            shift: padded_values(self.beta, layout.padded_channels()),
        }
    }

    /// With `g = gamma dy`, `dx = (g - mean(g) - x' mean(g x')) / s` over each group: what stands before `x - mean`, and the rest
    /// without `dy`, for each channel.
    fn linear(&self, layout: &Layout, groups: &[Moments], sum: &[f64], centered: &[f64]) -> (Vec<f32>, Vec<f32>) {
        let mut totals = vec![[0.0; 2]; self.groups];
        for channel in 0..layout.channels {
            let gamma = f64::from(self.gamma[channel]);
            let [total, product] = &mut totals[self.group(channel)];
            *total += gamma * sum[channel];
            *product += gamma * centered[channel];
        }
        let count = (layout.pixels() * layout.channels / self.groups) as f64;
        let (mut by_x, mut constant) = (vec![0.0; layout.padded_channels()], vec![0.0; layout.padded_channels()]);
        for channel in 0..layout.channels {
            let group = self.group(channel);
            let ([total, product], inverse) = (totals[group], groups[group].inverse);
            by_x[channel] = (-inverse.powi(3) * product / count) as f32;
            constant[channel] = (-inverse * total / count) as f32;
        }
        (by_x, constant)
    }
}

/// Mean, and `1 / sqrt(variance + epsilon)`.
struct Moments {
    mean: f64,
    inverse: f64,
}

/// One image of a batch.
fn part<'a>(layout: &Layout, values: &'a [f32], image: usize) -> (Layout, &'a [f32]) {
    let one = Layout { batch: 1, ..*layout };
    (one, &values[image * one.floats(one.pixels() * one.pixel)..])
}

/// As [`part`].
fn part_mut<'a>(layout: &Layout, values: &'a mut [f32], image: usize) -> (Layout, &'a mut [f32]) {
    let one = Layout { batch: 1, ..*layout };
    (one, &mut values[image * one.floats(one.pixels() * one.pixel)..])
}
