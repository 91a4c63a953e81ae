//! A first convolution for bands that it was not trained on.

use serde::{Deserialize, Serialize};
use swath_nn::weights::NamedTensor;

/// How a first convolution starts for bands that its weights do not know.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OtherBands {
    /// With the mean of the kernels that they do know.
    #[default]
    Mean,
    /// As without weights: drawn from the run's seed.
    Random,
}

/// The colour that a band's name tells: 0 red, 1 green, 2 blue. B04, B03 and B02 are those of Sentinel-2 and Landsat 8 and 9, also as B4, B3
/// and B2; `b4` in small letters is what the fourth band of a file is called that names none.
pub(crate) fn color(name: &str) -> Option<usize> {
    const NAMES: [&[&str]; 3] = [&["red", "b04", "r"], &["green", "b03", "g"], &["blue", "b02", "b"]];
    let product = ["B4", "B3", "B2"].iter().position(|product| *product == name);
    product.or_else(|| NAMES.iter().position(|names| names.contains(&name.to_lowercase().as_str())))
}

/// Which kernel each band of the network gets of weights for `known` bands; none for a mean or what is drawn.
fn sources(known: usize, bands: &[String]) -> Vec<Option<usize>> {
    let named: Vec<Option<usize>> = match known {
        3 => bands.iter().map(|name| color(name)).collect(),
        _ => vec![None; bands.len()],
    };
    match named.iter().all(Option::is_none) && known == bands.len() {
        true => (0..known).map(Some).collect(),
        false => named,
    }
}

/// Which bands get the kernels of red, green and blue, in words, where weights know these three.
pub(super) fn in_words(known: usize, bands: &[String], others: OtherBands) -> Option<String> {
    const COLORS: [&str; 3] = ["red", "green", "blue"];
    let sources = sources(known, bands);
    let told = |source: usize| {
        let band = sources.iter().position(|found| *found == Some(source)).map(|band| &bands[band]);
        band.map(|band| format!("{} to {band}", COLORS[source]))
    };
    let told: Vec<String> = (0..3).filter_map(told).collect();
    let rest = match others {
        OtherBands::Mean => "the mean of all",
        OtherBands::Random => "kernels that are drawn",
    };
    let named = match (told.is_empty(), sources.contains(&None)) {
        (true, _) => format!("each band gets {rest}"),
        (false, true) => format!("{}; other bands get {rest}", told.join(", ")),
        (false, false) => told.join(", "),
    };
    (known == 3).then(|| format!("kernels of the first convolution: {named}"))
}

/// The kernels of a first convolution, `[out, bands, rows, columns]`, for the network's bands.
///
/// Kernels of red, green and blue go to the bands of these names; three bands of other names are taken to be in this order.
/// Each other band gets the mean of the kernels or keeps what `drawn` has for it. Where no band is a colour, means are scaled
/// such that equal bands give what a grey photograph gave. Weights of other than three bands go to as many bands in their order.
pub(super) fn adapt(trained: &NamedTensor, drawn: &NamedTensor, bands: &[String], others: OtherBands) -> NamedTensor {
    let known = trained.shape[1];
    let sources = sources(known, bands);
    let colorless = sources.iter().all(Option::is_none);
    let scale = if colorless { known as f32 / bands.len() as f32 } else { 1.0 };
    let kernel: usize = trained.shape[2..].iter().product();
    let mut data = Vec::with_capacity(drawn.data.len());
    for (output, drawn) in trained.data.chunks_exact(known * kernel).zip(drawn.data.chunks_exact(bands.len() * kernel))
    {
        for (band, source) in sources.iter().enumerate() {
            match (source, others) {
                (Some(source), _) => data.extend_from_slice(&output[source * kernel..][..kernel]),
                (None, OtherBands::Random) => data.extend_from_slice(&drawn[band * kernel..][..kernel]),
                (None, OtherBands::Mean) => data.extend((0..kernel).map(|tap| {
                    let sum: f32 = output.iter().skip(tap).step_by(kernel).sum();
                    sum / known as f32 * scale
                })),
            }
        }
    }
    NamedTensor { name: drawn.name.clone(), shape: drawn.shape.clone(), data }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two outputs of kernels with two taps each.
    fn kernels(bands: usize, first: f32) -> NamedTensor {
        let data = (0..4 * bands).map(|i| first + i as f32).collect();
        NamedTensor { name: "conv".to_string(), shape: vec![2, bands, 1, 2], data }
    }

    fn adapted(known: usize, bands: &[&str], others: OtherBands) -> Vec<f32> {
        let bands: Vec<String> = bands.iter().map(|band| band.to_string()).collect();
        let tensor = adapt(&kernels(known, 0.0), &kernels(bands.len(), 100.0), &bands, others);
        assert_eq!(tensor.shape, [2, bands.len(), 1, 2]);
        tensor.data
    }

    #[test]
    fn colours_go_by_name_and_others_are_their_mean_or_drawn() {
        // Known: 0 1 | 2 3 | 4 5 for the first output, 6 7 | 8 9 | 10 11 for the second.
        let sentinel = ["B02", "B03", "B04", "B08"];
        assert_eq!(
            adapted(3, &sentinel, OtherBands::Mean),
            [4., 5., 2., 3., 0., 1., 2., 3., 10., 11., 8., 9., 6., 7., 8., 9.]
        );
        assert_eq!(
            adapted(3, &sentinel, OtherBands::Random),
            [4., 5., 2., 3., 0., 1., 106., 107., 10., 11., 8., 9., 6., 7., 114., 115.]
        );
        assert_eq!(adapted(3, &["nir", "Red", "G"], OtherBands::Mean)[..6], [2., 3., 0., 1., 2., 3.]);
        assert_eq!(adapted(3, &["B3", "B2", "B4"], OtherBands::Mean)[..6], [2., 3., 4., 5., 0., 1.]);
    }

    #[test]
    fn numbers_of_bands_are_no_names() {
        let kept: Vec<f32> = (0..12).map(|i| i as f32).collect();
        assert_eq!(adapted(3, &["b1", "b2", "b3"], OtherBands::Mean), kept);
        assert_eq!(adapted(3, &["b4", "b3", "b2"], OtherBands::Mean), kept);
        assert_eq!(adapted(3, &["b1", "b2", "b3", "b4"], OtherBands::Mean)[..4], [1.5, 2.25, 1.5, 2.25]);
    }

    #[test]
    fn the_run_says_which_band_gets_which_kernel() {
        let words = |bands: &[&str], others| {
            in_words(3, &bands.iter().map(|band| band.to_string()).collect::<Vec<_>>(), others)
                .unwrap()
                .replace("kernels of the first convolution: ", "")
        };
        assert_eq!(words(&["b1", "b2", "b3"], OtherBands::Mean), "red to b1, green to b2, blue to b3");
        assert_eq!(
            words(&["B02", "B03", "B04", "B08"], OtherBands::Random),
            "red to B04, green to B03, blue to B02; other bands get kernels that are drawn"
        );
        assert_eq!(words(&["vv", "vh"], OtherBands::Mean), "each band gets the mean of all");
        assert_eq!(in_words(4, &["red".to_string()], OtherBands::Mean), None);
    }

    #[test]
    fn bands_without_colours_are_taken_in_order_or_as_grey() {
        let kept: Vec<f32> = (0..12).map(|i| i as f32).collect();
        assert_eq!(adapted(3, &["1", "2", "3"], OtherBands::Mean), kept);
        assert_eq!(adapted(3, &["pan"], OtherBands::Mean), [6., 9., 24., 27.]);
        assert_eq!(adapted(3, &["vv", "vh"], OtherBands::Mean)[..4], [3., 4.5, 3., 4.5]);
        assert_eq!(adapted(2, &["vv", "vh"], OtherBands::Mean), (0..8).map(|i| i as f32).collect::<Vec<_>>());
        assert_eq!(adapted(2, &["red", "vh", "dem", "vv"], OtherBands::Mean)[..4], [0.5, 1.0, 0.5, 1.0]);
        assert_eq!(adapted(1, &["red", "green"], OtherBands::Mean)[..4], [0., 0.5, 0., 0.5]);
    }
}
