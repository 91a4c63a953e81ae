//! What can be wrong with training data.

use std::path::PathBuf;

use swath_geo::GeoError;

/// An error of training data: what is wrong, where, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// A scene, label file or vector cannot be read.
    #[error(transparent)]
    Geo(#[from] GeoError),
    /// Labels and scene cannot be laid onto each other.
    #[error("labels {} do not fit scene {scene}: {problem}", .labels.display())]
    Misfit {
        /// The label file.
        labels: PathBuf,
        /// The scene's name.
        scene: String,
        /// What does not fit and what to do.
        problem: String,
    },
    /// A label file holds what no class is named by.
    #[error(
        "{}: {found} no class ({count} pixels, the first at column {}, row {}); {advice}",
        .path.display(), .first.0, .first.1
    )]
    UnknownLabel {
        /// The label file.
        path: PathBuf,
        /// "value 7 is" or "values 7, 9 are".
        found: String,
        /// How many pixels.
        count: u64,
        /// Column and row of the first, on the scene's grid.
        first: (isize, isize),
        /// What to do.
        advice: String,
    },
    /// A label file cannot be understood.
    #[error("{}: {problem}", .path.display())]
    Labels {
        /// The label file.
        path: PathBuf,
        /// What is wrong and what to do.
        problem: String,
    },
    /// An area lies outside its scene.
    #[error("area {area} of scene {scene} holds no pixel: the scene has {width}x{height} pixels")]
    EmptyArea {
        /// The scene's name.
        scene: String,
        /// The area as it was asked for.
        area: String,
        /// Columns of the scene.
        width: usize,
        /// Rows of the scene.
        height: usize,
    },
    /// A scene has no valid pixel.
    #[error("scene {scene} holds no valid pixel{}: every pixel is nodata; check its nodata value or leave it out", if *.area { " in its area" } else { "" })]
    NoPixels {
        /// The scene's name.
        scene: String,
        /// Whether only a part of it was looked at.
        area: bool,
    },
    /// No pixel of a data set is labelled.
    #[error("no pixel is labelled in {scenes}: all labels are `ignore`, nodata, or where the scene is invalid")]
    NoLabels {
        /// The scenes, in words.
        scenes: String,
    },
    /// No object can be outlined.
    #[error(
        "there is no object with four corners in {scenes} that fits into a patch of {side} pixels: {others} have other shapes and {large} are \
         longer than 0.8 of a patch; objects at the edge of a scene or its area do not count"
    )]
    NoOutlines {
        /// The scenes, in words.
        scenes: String,
        /// Objects without four corners.
        others: usize,
        /// Objects that are too large.
        large: usize,
        /// Side of a patch.
        side: usize,
    },
    /// Scenes of one data set differ in their bands.
    #[error("scene {scene} has {found} bands but {first} has {expected}: give all scenes of a run the same bands")]
    Bands {
        /// The scene that differs.
        scene: String,
        /// Its number of bands.
        found: usize,
        /// The first scene.
        first: String,
        /// Its number of bands.
        expected: usize,
    },
    /// A scene has not the bands that the recipe names.
    #[error("{} has no band {band}; its bands are {bands}", .scene.display())]
    MissingBand {
        /// The scene's first file.
        scene: PathBuf,
        /// The band as the recipe names it.
        band: String,
        /// The bands that there are.
        bands: String,
    },
    /// The data set lists no scene.
    #[error("the list of scenes is empty: name at least one scene with labels")]
    NoScenes,
    /// The cap of the balanced sampler makes no sense.
    #[error("max_repeat is {value}: it must be at least 1")]
    MaxRepeat {
        /// The cap.
        value: f64,
    },
    /// What was indexed is not there any more.
    #[error(
        "scene {scene} or its labels changed during the run: labelled pixels that were there at the start are gone"
    )]
    Changed {
        /// The scene's name.
        scene: String,
    },
    /// A batch could not be made.
    #[error("batch {step}: {source}")]
    Batch {
        /// The batch's number.
        step: u64,
        /// Why.
        source: Box<DataError>,
    },
    /// No thread could be started.
    #[error("cannot start a thread that loads chips: {0}; lower train.workers")]
    Thread(std::io::Error),
    /// The loader has stopped after an error that it already reported.
    #[error("the loader has stopped after an earlier error")]
    Stopped,
}
