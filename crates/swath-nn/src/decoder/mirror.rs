//! What `segnet` and `deconvnet` share: stages that mirror those of the encoder.

use crate::block::{UpsampleConfig, Upsampling};
use crate::family::{FamilyError, Level};

/// Options of a mirrored decoder.
pub(super) struct Mirror<'a> {
    /// The decoder's name in recipes.
    pub(super) decoder: &'static str,
    pub(super) upsampling: Upsampling,
    /// Convolutions of each stage, coarsest first, where they are given.
    pub(super) depths: Option<&'a [usize]>,
    /// Where not: those at strides 1, 2 and all coarser ones.
    pub(super) usual: [usize; 3],
}

/// A stage: upsampling to a level's stride, then convolutions.
pub(super) struct Stage {
    /// Index among the encoder's levels of this stride, whose indices it unpools by.
    pub(super) level: usize,
    pub(super) up: UpsampleConfig,
    /// Channels before and after each convolution.
    pub(super) convs: Vec<[usize; 2]>,
}

impl Mirror<'_> {
    /// The stages, coarsest first: as many convolutions as asked for with the level's channels, the last of them with those
    /// of the next finer level.
    ///
    /// # Errors
    /// When the levels do not follow each other by halves or have no indices, or `depths` does not fit them.
    pub(super) fn stages(&self, levels: &[Level]) -> Result<Vec<Stage>, FamilyError> {
        let refuse = |reason, nearest| FamilyError::Pair { decoder: self.decoder, reason, nearest };
        self.upsampling.check(self.decoder, levels, 1)?;
        let halves = std::iter::successors(Some(Level::coarsest(levels)), |stride| Some(stride / 2));
        let path: Vec<usize> = halves.map_while(|stride| Level::find(levels, stride)).collect();
        let [start, finer @ ..] = path.as_slice() else { return Ok(Vec::new()) };
        if finer.is_empty() {
            let reason = format!("it doubles the resolution, and the encoder has strides {}", Level::strides(levels));
            return Err(refuse(reason, "encoder `plain`".into()));
        }
        let usual: Vec<usize> = finer
            .iter()
            .map(|&level| match levels[level].stride {
                1 => self.usual[0],
                2 => self.usual[1],
                _ => self.usual[2],
            })
            .collect();
        let depths = self.depths.unwrap_or(&usual);
        if depths.len() != finer.len() || depths.contains(&0) {
            let given = depths.iter().map(|depth| *depth.max(&1)).chain(usual.iter().skip(depths.len()).copied());
            let nearest: Vec<usize> = given.take(finer.len()).collect();
            let reason = format!("`depths = {depths:?}`, but it has {} stages of 1 or more convolutions", finer.len());
            return Err(refuse(reason, format!("`depths = {nearest:?}`")));
        }
        let mut channels_in = levels[*start].channels;
        let stage = |(i, &level): (usize, &usize)| {
            let channels = levels[level].channels;
            let (upsampling, indexed) = (self.upsampling, channels);
            let up = UpsampleConfig { upsampling, channels_in, learned: channels, indexed, kernel: 2 };
            channels_in = finer.get(i + 1).map_or(channels, |&next| levels[next].channels);
            let mut between = vec![channels; depths[i] + 1];
            (between[0], between[depths[i]]) = (up.channels(), channels_in);
            Stage { level, up, convs: between.windows(2).map(|pair| [pair[0], pair[1]]).collect() }
        };
        Ok(finer.iter().enumerate().map(stage).collect())
    }
}

/// What the last of some stages hands on.
pub(super) fn finest(stages: &[Stage], levels: &[Level]) -> Level {
    stages.last().map_or(Level::new(0, 1), |stage| Level::new(levels[stage.level].channels, levels[stage.level].stride))
}
