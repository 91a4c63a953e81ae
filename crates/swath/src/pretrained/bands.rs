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

/// The bands of photographs.
pub(super) fn photograph() -> Vec<String> {
    ["red", "green", "blue"].map(String::from).to_vec()
}

/// Whether two names are of one band: equal but for small letters and for leading zeros, or of one colour.
fn is_same(a: &str, b: &str) -> bool {
    fn number(name: &str, letter: char) -> Option<&str> {
        let digits = name.strip_prefix(letter)?;
        (!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.trim_start_matches('0'))
    }
    // B8 is a product's band, and b8 the eighth of a file.
    let plain = [a, b].iter().all(|name| number(name, 'b').is_none() && number(name, 'B').is_none());
    let product = number(a, 'B').is_some() && number(a, 'B') == number(b, 'B');
    a == b || product || plain && a.eq_ignore_ascii_case(b) || color(a).is_some() && color(a) == color(b)
}

/// Which kernel each band of the network gets of weights for `known` bands, `trained` by name where that is known; none for a mean or what is drawn.
fn sources(known: usize, trained: &[String], bands: &[String]) -> Vec<Option<usize>> {
    let of = |name: &String| {
        let exact = trained.iter().position(|trained| trained == name);
        exact.or_else(|| trained.iter().position(|trained| is_same(trained, name)))
    };
    let named: Vec<Option<usize>> = bands.iter().map(of).collect();
    // Bands of one scene may share a name.
    match trained == bands || named.iter().all(Option::is_none) && known == bands.len() {
        true => (0..known).map(Some).collect(),
        false => named,
    }
}

/// By what means are multiplied such that equal bands give what those gave that were trained on: where no band is one of these.
fn scale(known: usize, sources: &[Option<usize>]) -> f32 {
    if sources.iter().all(Option::is_none) { known as f32 / sources.len() as f32 } else { 1.0 }
}

/// Which bands get the kernels of which ones, in words.
pub(super) fn in_words(known: usize, trained: &[String], bands: &[String], others: OtherBands) -> String {
    let sources = sources(known, trained, bands);
    let told = |source: usize| {
        let from = trained.get(source).map_or_else(|| format!("number {}", source + 1), String::clone);
        let to = sources.iter().zip(bands).filter(|(found, _)| **found == Some(source)).map(|(_, band)| band);
        to.map(|band| format!("{from} to {band}")).collect::<Vec<_>>()
    };
    let told: Vec<String> = (0..known).flat_map(told).collect();
    let rest = match others {
        OtherBands::Mean if scale(known, &sources) != 1.0 => format!("the mean of all, times {known}/{}", bands.len()),
        OtherBands::Mean => "the mean of all".to_string(),
        OtherBands::Random => "kernels that are drawn".to_string(),
    };
    let named = match (told.is_empty(), sources.contains(&None)) {
        _ if trained == bands => "each band keeps its own".to_string(),
        (true, _) => format!("each band gets {rest}"),
        (false, true) => format!("{}; other bands get {rest}", told.join(", ")),
        (false, false) => told.join(", "),
    };
    format!("kernels of the first convolution: {named}")
}

/// The kernels of a first convolution, `[out, bands, rows, columns]`, for the network's bands.
///
/// A band gets the kernels of the one of its name or colour among those that weights were `trained` on; where there is none for any, as many bands
/// get them in their order. Each other band gets the mean of the kernels or keeps what `drawn` has for it. Where no band is known, means are scaled
/// such that equal bands give what a grey photograph gave.
pub(super) fn adapt(
    tensor: &NamedTensor,
    drawn: &NamedTensor,
    trained: &[String],
    bands: &[String],
    others: OtherBands,
) -> NamedTensor {
    let known = tensor.shape[1];
    let sources = sources(known, trained, bands);
    let scale = scale(known, &sources);
    let kernel: usize = tensor.shape[2..].iter().product();
    let mut data = Vec::with_capacity(drawn.data.len());
    for (output, drawn) in tensor.data.chunks_exact(known * kernel).zip(drawn.data.chunks_exact(bands.len() * kernel)) {
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

    fn names(bands: &[&str]) -> Vec<String> {
        bands.iter().map(|band| band.to_string()).collect()
    }

    fn adapted(known: usize, bands: &[&str], others: OtherBands) -> Vec<f32> {
        let trained = if known == 3 { photograph() } else { Vec::new() };
        let tensor = adapt(&kernels(known, 0.0), &kernels(bands.len(), 100.0), &trained, &names(bands), others);
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
    fn bands_of_ones_own_go_by_name() {
        let own = |trained: &[&str], bands: &[&str]| sources(trained.len(), &names(trained), &names(bands));
        // Also where names are those of colours in another order, and where they are the same: nothing changes places.
        assert_eq!(own(&["B02", "B03", "B04"], &["B02", "B03", "B04"]), [Some(0), Some(1), Some(2)]);
        assert_eq!(own(&["B08", "B04", "B03"], &["B04", "B03", "B08"]), [Some(1), Some(2), Some(0)]);
        assert_eq!(own(&["B02", "B03", "B04", "B08"], &["red", "NIR", "B8", "B8A"]), [Some(2), None, Some(3), None]);
        assert_eq!(own(&["nir", "vv"], &["VV", "NIR", "dem"]), [Some(1), Some(0), None]);
        // Dates of one band share its name, and a colour may have two names.
        assert_eq!(own(&["vv", "vh", "vv", "vh"], &["vv", "vh", "vv", "vh"]), [Some(0), Some(1), Some(2), Some(3)]);
        assert_eq!(own(&["red", "B04"], &["B04", "red", "nir"]), [Some(1), Some(0), None]);
        // The eighth band of a file is not the product's.
        assert_eq!(own(&["B8", "x"], &["b8", "b9", "b10"]), [None, None, None]);
        assert_eq!(own(&["vv", "vh"], &["hh", "hv"]), [Some(0), Some(1)]);
    }

    #[test]
    fn the_run_says_which_band_gets_which_kernel() {
        let words = |trained: &[&str], bands: &[&str], others| {
            in_words(trained.len(), &names(trained), &names(bands), others)
                .replace("kernels of the first convolution: ", "")
        };
        let rgb = ["red", "green", "blue"];
        assert_eq!(words(&rgb, &["b1", "b2", "b3"], OtherBands::Mean), "red to b1, green to b2, blue to b3");
        assert_eq!(
            words(&rgb, &["B02", "B03", "B04", "B08"], OtherBands::Random),
            "red to B04, green to B03, blue to B02; other bands get kernels that are drawn"
        );
        assert_eq!(words(&rgb, &["vv", "vh"], OtherBands::Mean), "each band gets the mean of all, times 3/2");
        assert_eq!(words(&["nir", "red"], &["nir", "red"], OtherBands::Mean), "each band keeps its own");
        assert_eq!(
            words(&["nir", "red"], &["B04", "nir", "x"], OtherBands::Mean),
            "nir to nir, red to B04; other bands get the mean of all"
        );
        let unnamed = in_words(2, &[], &names(&["vv", "vh"]), OtherBands::Mean);
        assert_eq!(unnamed, "kernels of the first convolution: number 1 to vv, number 2 to vh");
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
