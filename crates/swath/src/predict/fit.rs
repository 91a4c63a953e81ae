//! Whether a scene is what a network was trained for.

use swath_geo::Scene;

use crate::error::{Error, Result};

/// A scene with the bands that a network wants, in its order.
#[derive(Debug, Clone)]
pub struct Fit {
    /// The scene with the right bands.
    pub scene: Scene,
    /// What a user should know before trusting the map, one line each.
    pub warnings: Vec<String>,
}

/// Pixels may be this much larger or smaller than in training before [`fit_scene`] warns.
const GSD_TOLERANCE: f64 = 1.25;

/// Picks the bands named `bands` from a scene, in that order, whatever else it holds and however it is ordered.
///
/// Names count when they say something: `b1`, `b2`, … are mere numbers. Where they say nothing, or nothing in common, the
/// number of bands must agree and their order is taken as it is. `gsd` is the ground sample distance of the training data
/// in metres; pixels that are more than 25 % larger or smaller give a warning.
///
/// # Errors
/// [`Error::Bands`], naming both sides, when the number of bands differs or some of the named ones are missing.
pub fn fit_scene(scene: &Scene, bands: &[String], gsd: Option<f64>) -> Result<Fit> {
    let have: Vec<String> = scene.bands().iter().map(|band| band.name.clone()).collect();
    let (order, warning) = match_bands(&have, bands).map_err(|problem| Error::Bands {
        scene: scene.path().to_path_buf(),
        problem,
        have: have.join(", "),
        want: bands.join(", "),
    })?;
    let scene = if order.iter().copied().eq(0..have.len()) { scene.clone() } else { scene.select(&order)? };
    let warnings = warning.into_iter().chain(compare_gsd(&scene, gsd)).collect();
    Ok(Fit { scene, warnings })
}

/// The index in `have` of each band in `want`, or what is wrong.
fn match_bands(have: &[String], want: &[String]) -> std::result::Result<(Vec<usize>, Option<String>), String> {
    let telling = want.iter().all(|name| !is_number(name));
    let find = |name: &String| have.iter().position(|other| other.eq_ignore_ascii_case(name));
    let found: Vec<Option<usize>> = want.iter().map(find).collect();
    let missing: Vec<&str> =
        want.iter().zip(&found).filter(|(_, found)| found.is_none()).map(|(name, _)| name.as_str()).collect();
    if telling && missing.is_empty() {
        return Ok((found.into_iter().flatten().collect(), None));
    }
    if telling && missing.len() < want.len() {
        let verb = if missing.len() == 1 { "is" } else { "are" };
        return Err(format!("{} {verb} missing", missing.join(", ")));
    }
    if have.len() != want.len() {
        return Err(format!("it has {} where {} are needed", count(have.len()), want.len()));
    }
    let differ = telling && have.iter().all(|name| !is_number(name));
    let warning = differ
        .then(|| format!("band names differ; {} are taken, in this order, for {}", have.join(", "), want.join(", ")));
    Ok(((0..have.len()).collect(), warning))
}

fn count(bands: usize) -> String {
    if bands == 1 { "1 band".into() } else { format!("{bands} bands") }
}

/// Whether a name only numbers the band, as those of files without band names do: `b3`, `scene_b3`.
fn is_number(name: &str) -> bool {
    let last = name.rsplit('_').next().unwrap_or(name);
    last.strip_prefix('b').is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()))
}

fn compare_gsd(scene: &Scene, trained: Option<f64>) -> Option<String> {
    let (trained, (x, y)) = (trained?, scene.grid().gsd()?);
    let here = (x * y).sqrt();
    let ratio = here / trained;
    let fits = (1.0 / GSD_TOLERANCE..=GSD_TOLERANCE).contains(&ratio);
    (!fits).then(|| {
        format!(
            "pixels of {} are {here:.3} m wide, those of the training data were {trained:.3} m; expect a worse map, or \
             resample the scene first",
            scene.name()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matched(have: &[&str], want: &[&str]) -> std::result::Result<(Vec<usize>, bool), String> {
        let owned = |names: &[&str]| names.iter().map(|name| name.to_string()).collect::<Vec<_>>();
        match_bands(&owned(have), &owned(want)).map(|(order, warning)| (order, warning.is_some()))
    }

    #[test]
    fn telling_names_are_found_wherever_they_are() {
        assert_eq!(matched(&["B02", "B03", "B08"], &["B02", "B03", "B08"]), Ok((vec![0, 1, 2], false)));
        assert_eq!(matched(&["b1", "NIR", "red"], &["red", "nir"]), Ok((vec![2, 1], false)));
    }

    #[test]
    fn missing_bands_are_named() {
        assert_eq!(matched(&["B02", "B03", "B04"], &["B02", "B03", "B08"]), Err("B08 is missing".into()));
        assert_eq!(matched(&["B02"], &["B02", "B03", "B08"]), Err("B03, B08 are missing".into()));
    }

    #[test]
    fn numbers_only_count() {
        assert_eq!(matched(&["b1", "b2"], &["b1", "b2"]), Ok((vec![0, 1], false)));
        assert_eq!(matched(&["red", "green"], &["x_b2", "x_b1"]), Ok((vec![0, 1], false)));
        assert_eq!(matched(&["b1", "b2", "b3"], &["b1", "b2"]), Err("it has 3 bands where 2 are needed".into()));
        assert_eq!(matched(&["b1"], &["red", "nir"]), Err("it has 1 band where 2 are needed".into()));
    }

    #[test]
    fn names_without_anything_in_common_are_taken_in_order_with_a_warning() {
        assert_eq!(matched(&["site_2_nir", "site_2_red"], &["site_1_nir", "site_1_red"]), Ok((vec![0, 1], true)));
    }
}
