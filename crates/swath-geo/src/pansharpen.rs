//! Pansharpening through GDAL's pansharpened VRT.
//!
//! Weighted Brovey: `sharp_i = pan / (sum over j of w_j ms_j) * ms_i`. The multispectral bands are brought onto the
//! panchromatic grid first, by the composition, so that their place is exact whatever their own grid is.
//!
//! GDAL computes in the type of the panchromatic band and would round multispectral reflectances to its whole numbers; so that
//! band joins the VRT of the others, as floating-point numbers where the types differ.

use std::fmt::Write as _;
use std::path::Path;

use crate::compose::{Composition, Naming, push_mask};
use crate::open::{Header, MaskKind, open_raster, read_header};
use crate::raw_vrt::push_georeference;
use crate::xml::escape;
use crate::{GeoError, Result, Scene};

/// A panchromatic file and the share of each band in it.
#[derive(Debug)]
pub(crate) struct Pan<'a> {
    path: &'a Path,
    header: Header,
    weights: Vec<f64>,
}

impl<'a> Pan<'a> {
    /// Looks at the file; without weights all bands have the same.
    pub(crate) fn open(path: &'a Path, scene: &Scene, weights: Option<&[f64]>) -> Result<Pan<'a>> {
        let count = scene.bands().len();
        let weights = match weights {
            Some(weights)
                if weights.len() != count || weights.iter().any(|weight| weight.is_nan() || *weight < 0.0) =>
            {
                let given = weights.len();
                let text = format!("{given} weights are given for {count} bands; give one for each, not negative");
                return Err(GeoError::Argument(text));
            }
            Some(weights) => weights.to_vec(),
            None => vec![1.0 / count as f64; count],
        };
        let header = read_header(path, &open_raster(path)?)?;
        if header.bands.len() != 1 {
            let problem = format!("it has {} bands; a panchromatic file has one", header.bands.len());
            return Err(GeoError::input(path, problem));
        }
        Ok(Pan { path, header, weights })
    }

    /// The VRT with the bands to sharpen and the panchromatic one behind them.
    pub(crate) fn bands(&self, scene: &Scene, composition: &Composition<'_>, naming: Naming<'_>) -> String {
        let own = self.header.bands[0].dtype.name();
        let kind = if scene.bands().iter().all(|band| band.dtype == own) { own.as_str() } else { "Float64" };
        let extra = format!(
            "<VRTRasterBand dataType=\"{kind}\" band=\"{}\">\n<Description>pan</Description>\n\
             <SimpleSource>{}<SourceBand>1</SourceBand></SimpleSource>\n</VRTRasterBand>\n",
            scene.bands().len() + 1,
            naming.element(self.path)
        );
        composition.vrt(naming, &extra)
    }

    /// The VRT that sharpens the bands of `bands`, the file with [`Pan::bands`].
    pub(crate) fn sharpened(
        &self,
        scene: &Scene,
        composition: &Composition<'_>,
        bands: &Path,
        naming: Naming<'_>,
    ) -> String {
        let (grid, count) = (scene.grid(), scene.bands().len());
        let mut xml = format!(
            "<VRTDataset rasterXSize=\"{}\" rasterYSize=\"{}\" subClass=\"VRTPansharpenedDataset\">\n",
            grid.width, grid.height
        );
        push_georeference(&mut xml, grid);
        for (index, band) in scene.bands().iter().enumerate() {
            let _ = writeln!(
                xml,
                "<VRTRasterBand dataType=\"{}\" band=\"{}\" subClass=\"VRTPansharpenedRasterBand\">\n\
                 <Description>{}</Description>\n<ColorInterp>{}</ColorInterp>\n</VRTRasterBand>",
                band.dtype,
                index + 1,
                escape(&band.name),
                escape(&band.color)
            );
        }
        push_mask(&mut xml, &self.masks(scene, composition, &naming.element(bands), naming));
        let weights: Vec<String> = self.weights.iter().map(|weight| format!("{weight:?}")).collect();
        let source = naming.element(bands);
        let _ = writeln!(
            xml,
            "<PansharpeningOptions>\n<Algorithm>WeightedBrovey</Algorithm>\n\
             <AlgorithmOptions><Weights>{}</Weights></AlgorithmOptions>\n<Resampling>Nearest</Resampling>\n\
             <NoData>None</NoData>\n<SpatialExtentAdjustment>None</SpatialExtentAdjustment>\n\
             <PanchroBand>{source}<SourceBand>{}</SourceBand></PanchroBand>",
            weights.join(","),
            count + 1
        );
        for number in 1..=count {
            let _ = writeln!(
                xml,
                "<SpectralBand dstBand=\"{number}\">{source}<SourceBand>{number}</SourceBand></SpectralBand>"
            );
        }
        xml.push_str("</PansharpeningOptions>\n</VRTDataset>\n");
        xml
    }

    /// A sharp pixel is valid where all bands and the panchromatic pixel are.
    fn masks(&self, scene: &Scene, composition: &Composition<'_>, bands: &str, naming: Naming<'_>) -> Vec<String> {
        let mask = |source: &str, number: usize| {
            format!("<SimpleSource>{source}<SourceBand>mask,{number}</SourceBand></SimpleSource>\n")
        };
        let mut sources: Vec<String> = if composition.is_masked() {
            vec![mask(bands, 1)]
        } else {
            let with_nodata = scene.bands().iter().enumerate().filter(|(_, band)| band.nodata.is_some());
            with_nodata.map(|(index, _)| mask(bands, index + 1)).collect()
        };
        let pan = &self.header.bands[0];
        if pan.mask != MaskKind::None || pan.nodata.is_some() {
            sources.push(mask(&naming.element(self.path), 1));
        }
        sources
    }
}
