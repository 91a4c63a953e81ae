//! Bands of a scene's files as values and validity, for windows inside the scene.

use gdal::Dataset;

use crate::gdal_setup::take_messages_about;
use crate::open::MaskKind;
use crate::raster_io::{Mask, Opened, Request};
use crate::scene::Pick;
use crate::validity::{convert, convert_in_place, erase_invalid};
use crate::{Pixels, Raster, Result, Scene};

/// The opened files of a scene and the memory to read through.
pub(crate) struct Loader {
    scene: Scene,
    /// One for each source of the scene, opened when first needed, with what GDAL complained about then.
    datasets: Vec<Option<(Dataset, String)>>,
    /// Numbers of one band that f32 does not hold.
    wide: Vec<f64>,
    mask: Vec<f32>,
}

impl Loader {
    pub(crate) fn new(scene: Scene) -> Self {
        let datasets = scene.files().iter().map(|_| None).collect();
        Self { scene, datasets, wide: Vec::new(), mask: Vec::new() }
    }

    pub(crate) fn scene(&self) -> &Scene {
        &self.scene
    }

    /// Values and the validity that all bands share.
    pub(crate) fn load(&mut self, request: Request) -> Result<Pixels> {
        let mut valid = vec![true; request.plane()];
        let mut values = self.load_into(request, &mut valid, Planes::Combined)?;
        erase_invalid(&mut values.data, &valid);
        Ok(Pixels { values, valid })
    }

    /// Values and the validity of each band, `[band, row, column]`; values of invalid pixels are arbitrary.
    pub(crate) fn load_separately(&mut self, request: Request) -> Result<(Raster<f32>, Vec<bool>)> {
        let mut valid = vec![true; self.scene.bands().len() * request.plane()];
        let values = self.load_into(request, &mut valid, Planes::PerBand)?;
        Ok((values, valid))
    }

    fn load_into(&mut self, request: Request, valid: &mut [bool], planes: Planes) -> Result<Raster<f32>> {
        let Self { scene, datasets, wide, mask } = self;
        let plane = request.plane();
        let mut values = Raster::filled(scene.bands().len(), request.size.1, request.size.0, 0.0);
        let mut first = 0;
        for run in scene.picks().chunk_by(|a, b| a.file == b.file && a.wide == b.wide) {
            let opened = open(scene, datasets, run[0].file)?;
            let target = &mut values.data[first * plane..][..run.len() * plane];
            if !run[0].wide {
                let numbers: Vec<usize> = run.iter().map(|pick| pick.number).collect();
                opened.read_bands(&numbers, request, target)?;
            }
            for (index, (pick, band)) in run.iter().zip(target.chunks_exact_mut(plane)).enumerate() {
                let valid = planes.of(valid, first + index, plane);
                if pick.wide {
                    wide.resize(plane, 0.0);
                    opened.read_bands(&[pick.number], request, wide)?;
                    convert(wide, pick.calibration, band, valid);
                } else {
                    convert_in_place(pick.calibration, band, valid);
                }
            }
            first += run.len();
        }
        mask.resize(plane, 0.0);
        for (which, file, bands) in masks(scene) {
            open(scene, datasets, file)?.read_mask(which, request, mask)?;
            for &band in planes.distinct(&bands) {
                for (valid, &mask) in planes.of(valid, band, plane).iter_mut().zip(&*mask) {
                    *valid &= mask > 0.0;
                }
            }
        }
        Ok(values)
    }
}

/// Whose validity a plane of booleans holds.
#[derive(Debug, Clone, Copy)]
enum Planes {
    /// One plane for all bands.
    Combined,
    /// One plane for each band.
    PerBand,
}

impl Planes {
    fn of(self, valid: &mut [bool], band: usize, plane: usize) -> &mut [bool] {
        match self {
            Planes::Combined => valid,
            Planes::PerBand => &mut valid[band * plane..][..plane],
        }
    }

    /// Bands that have planes of their own.
    fn distinct(self, bands: &[usize]) -> &[usize] {
        match self {
            Planes::Combined => &bands[..1],
            Planes::PerBand => bands,
        }
    }
}

/// The masks to read: each with its file and the bands of the scene (at least one) that it holds for.
fn masks(scene: &Scene) -> Vec<(Mask, usize, Vec<usize>)> {
    let mut masks = Vec::new();
    for (index, file) in scene.files().iter().enumerate() {
        let of_file = |wanted: &dyn Fn(&Pick) -> bool| -> Vec<usize> {
            let picks = scene.picks().iter().enumerate();
            picks.filter(|(_, pick)| pick.file == index && wanted(pick)).map(|(band, _)| band).collect()
        };
        let shared = of_file(&|pick| pick.mask == MaskKind::Shared);
        if let Some(&band) = shared.first() {
            masks.push((Mask::OfBand(scene.picks()[band].number), index, shared));
        }
        for band in of_file(&|pick| pick.mask == MaskKind::Own) {
            masks.push((Mask::OfBand(scene.picks()[band].number), index, vec![band]));
        }
        let all = of_file(&|_| true);
        if let Some(alpha) = file.alpha.filter(|_| !all.is_empty()) {
            masks.push((Mask::Band(alpha), index, all));
        }
    }
    masks
}

/// Opens a file unless it is open.
fn open<'a>(scene: &'a Scene, datasets: &'a mut [Option<(Dataset, String)>], file: usize) -> Result<Opened<'a>> {
    let source = &scene.files()[file];
    let slot = &mut datasets[file];
    let (dataset, complaint) = match slot {
        Some(opened) => opened,
        None => {
            let dataset = source.open()?;
            slot.insert((dataset, take_messages_about(&source.path, "GDAL gives no reason")))
        }
    };
    Ok(Opened { dataset, path: &source.path, complaint })
}
