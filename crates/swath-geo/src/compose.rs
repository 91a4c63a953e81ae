//! A scene as a VRT: which pixels of which file become which band.
//!
//! Files in the scene's CRS are placed by rectangles and resampled when they are read. Others go through a warped VRT of
//! their own, a part beside the main one. Validity travels as GDAL knows it: nodata values per band where that says it
//! all, else one mask for all bands, the product of everything that makes pixels invalid.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use gdal::{Dataset, Metadata};

use crate::open::MaskKind;
use crate::raw_vrt::{push_georeference, push_metadata};
use crate::scene::{Scene, SourceFile};
use crate::xml::escape;
use crate::{GeoError, Grid, Result};

/// How a VRT names its files.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Naming<'a> {
    /// By absolute paths.
    Absolute,
    /// Relative to the folder of the VRT, so that both can move together.
    RelativeTo(&'a Path),
}

impl Naming<'_> {
    /// A `SourceFilename` element.
    pub(crate) fn element(self, path: &Path) -> String {
        let (relative, name) = match self {
            Naming::Absolute => (0, absolute(path)),
            Naming::RelativeTo(folder) => match relative(path, folder) {
                Some(name) => (1, name),
                None => (0, absolute(path)),
            },
        };
        format!("<SourceFilename relativeToVRT=\"{relative}\">{}</SourceFilename>", escape(&name.to_string_lossy()))
    }
}

/// A scene's files, ready to be named in a VRT.
#[derive(Debug)]
pub(crate) struct Composition<'a> {
    scene: &'a Scene,
    placed: Vec<Placed>,
    masks: Vec<Reference>,
    /// Whether bands carry their nodata values.
    keep_nodata: bool,
}

/// A file and where it lies on the scene's grid.
#[derive(Debug)]
struct Placed {
    path: PathBuf,
    /// Column, row, width and height in the file and on the grid.
    rectangles: Option<([f64; 4], [f64; 4])>,
    /// Size of the file where it has the grid of the scene.
    size: (usize, usize),
    resampling: Option<&'static str>,
    /// Whether bands were renumbered 1, 2, ... with alpha last.
    part: bool,
}

/// A band of a file: `3`, or its mask: `mask,3`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Reference {
    file: usize,
    band: String,
}

impl<'a> Composition<'a> {
    /// Decides how each file is placed. Warped parts are written to the paths that `part_path` gives. With `one_nodata`,
    /// nodata values that differ between bands become a mask.
    pub(crate) fn new(
        scene: &'a Scene,
        naming: Naming<'_>,
        one_nodata: bool,
        mut part_path: impl FnMut(usize) -> PathBuf,
        write_part: impl Fn(&Path, &str) -> Result<()>,
    ) -> Result<Composition<'a>> {
        let mut placed = Vec::new();
        for (index, file) in scene.files().iter().enumerate() {
            let overridden = scene.spec().sources[index].nodata.is_some();
            let place = match place(file, scene.grid(), overridden) {
                Some(place) => place,
                None => {
                    let path = part_path(index);
                    write_part(&path, &warped_part(file, naming)?)?;
                    Placed { path, rectangles: None, size: size(scene.grid()), resampling: None, part: true }
                }
            };
            placed.push(place);
        }
        let bands = scene.bands();
        let keep_nodata = !one_nodata || bands.iter().all(|band| same_nodata(band.nodata, bands[0].nodata));
        if let Some(source) = scene.spec().sources.iter().find(|source| !keep_nodata && source.nodata.is_some()) {
            let problem = "its nodata value was given by hand and differs from that of other bands; stack into a .vrt";
            return Err(GeoError::input(&source.path, problem));
        }
        let masks = masks(scene, &placed, keep_nodata);
        Ok(Composition { scene, placed, masks, keep_nodata })
    }

    /// The VRT with all bands, and `extra` behind them.
    pub(crate) fn vrt(&self, naming: Naming<'_>, extra: &str) -> String {
        let grid = self.scene.grid();
        let mut xml = format!("<VRTDataset rasterXSize=\"{}\" rasterYSize=\"{}\">\n", grid.width, grid.height);
        push_georeference(&mut xml, grid);
        push_metadata(&mut xml, &scene_metadata(self.scene));
        for (index, (band, pick)) in self.scene.bands().iter().zip(self.scene.picks()).enumerate() {
            let number = index + 1;
            let _ = writeln!(xml, "<VRTRasterBand dataType=\"{}\" band=\"{number}\">", band.dtype);
            let _ = writeln!(xml, "<Description>{}</Description>", escape(&band.name));
            if let Some(nodata) = band.nodata.filter(|_| self.keep_nodata) {
                let _ = writeln!(xml, "<NoDataValue>{nodata}</NoDataValue>");
            }
            if !band.unit.is_empty() {
                let _ = writeln!(xml, "<UnitType>{}</UnitType>", escape(&band.unit));
            }
            if band.scale != 1.0 || band.offset != 0.0 {
                let _ = writeln!(xml, "<Offset>{:?}</Offset>\n<Scale>{:?}</Scale>", band.offset, band.scale);
            }
            // Palettes and grey levels belong to files of one band.
            let interpretation = if band.color == "Palette" { "Undefined" } else { band.color.as_str() };
            let _ = writeln!(xml, "<ColorInterp>{}</ColorInterp>", escape(interpretation));
            let stored = if self.placed[pick.file].part { pick.number } else { band.number };
            xml.push_str(&self.source(&Reference { file: pick.file, band: stored.to_string() }, naming));
            xml.push_str("</VRTRasterBand>\n");
        }
        xml.push_str(extra);
        let masks = self.masks.iter().map(|mask| self.source(mask, naming)).collect::<Vec<_>>();
        push_mask(&mut xml, &masks);
        xml.push_str("</VRTDataset>\n");
        xml
    }

    /// Whether validity needs a mask band.
    pub(crate) fn is_masked(&self) -> bool {
        !self.masks.is_empty()
    }

    fn source(&self, reference: &Reference, naming: Naming<'_>) -> String {
        let placed = &self.placed[reference.file];
        let is_mask = reference.band.starts_with("mask");
        let resampling = match placed.resampling {
            Some(method) if !is_mask => format!(" resampling=\"{method}\""),
            _ => String::new(),
        };
        let (width, height) = placed.size;
        let whole = [0.0, 0.0, width as f64, height as f64];
        let (source, target) = placed.rectangles.unwrap_or((whole, whole));
        let rectangle = |name: &str, [col, row, width, height]: [f64; 4]| {
            format!("<{name} xOff=\"{col:?}\" yOff=\"{row:?}\" xSize=\"{width:?}\" ySize=\"{height:?}\"/>")
        };
        format!(
            "<SimpleSource{resampling}>{}<SourceBand>{}</SourceBand>{}{}</SimpleSource>\n",
            naming.element(&placed.path),
            reference.band,
            rectangle("SrcRect", source),
            rectangle("DstRect", target)
        )
    }
}

/// Appends a mask band that is valid where all of its sources are.
pub(crate) fn push_mask(xml: &mut String, sources: &[String]) {
    if sources.is_empty() {
        return;
    }
    // A product of one is refused by GDAL, and not needed.
    let (class, function) = match sources.len() {
        1 => ("", ""),
        _ => (" subClass=\"VRTDerivedRasterBand\"", "<PixelFunctionType>mul</PixelFunctionType>\n"),
    };
    let _ = writeln!(xml, "<MaskBand>\n<VRTRasterBand dataType=\"Byte\"{class}>\n{function}{}", sources.concat());
    xml.push_str("</VRTRasterBand>\n</MaskBand>\n");
}

/// `path` with symbolic links resolved where it is a file of the system; `/vsi` paths stay as they are.
pub(crate) fn absolute(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_path_buf())
}

fn relative(path: &Path, folder: &Path) -> Option<PathBuf> {
    let (path, folder) = (path.canonicalize().ok()?, folder.canonicalize().ok()?);
    let common = path.components().zip(folder.components()).take_while(|(a, b)| a == b).count();
    let up = folder.components().skip(common).map(|_| Path::new(".."));
    Some(up.chain(path.components().skip(common).map(|part| Path::new(part.as_os_str()))).collect())
}

fn size(grid: &Grid) -> (usize, usize) {
    (grid.width, grid.height)
}

/// The place of a file that needs no warping.
fn place(file: &SourceFile, grid: &Grid, overridden: bool) -> Option<Placed> {
    let own = &file.header.grid;
    let plain = Placed { path: file.path.clone(), rectangles: None, size: size(own), resampling: None, part: false };
    let Some(warp) = &file.warp else { return Some(plain) };
    let same = match (&own.crs, &grid.crs) {
        (Some(a), Some(b)) => a.same(b),
        (a, b) => a.is_none() && b.is_none(),
    };
    let [.., a2, _, a4, _] = own.transform.0;
    let [.., g2, _, g4, _] = grid.transform.0;
    // Nodata that only the user knows would be mixed into its neighbours by plain resampling.
    if !same || overridden || [a2, a4, g2, g4].iter().any(|&turn| turn != 0.0) {
        return None;
    }
    let inverse = grid.transform.inverse()?;
    let at = |col: f64, row: f64| {
        let (x, y) = own.transform.apply(col, row);
        inverse.apply(x, y)
    };
    let ((left, top), (right, bottom)) = (at(0.0, 0.0), at(own.width as f64, own.height as f64));
    if right <= left || bottom <= top {
        return None;
    }
    let (source_cols, cols) = clip(left, right, own.width, grid.width)?;
    let (source_rows, rows) = clip(top, bottom, own.height, grid.height)?;
    let source = [source_cols.0, source_rows.0, source_cols.1, source_rows.1];
    let target = [cols.0, rows.0, cols.1, rows.1];
    Some(Placed { rectangles: Some((source, target)), resampling: Some(warp.resampling.gdal_name()), ..plain })
}

/// The part of a file's extent that lies on the grid, along one axis: (start, length) in the file and on the grid.
fn clip(start: f64, end: f64, source: usize, target: usize) -> Option<((f64, f64), (f64, f64))> {
    let scale = source as f64 / (end - start);
    let (low, high) = (start.max(0.0), end.min(target as f64));
    // Whole pixels stay whole.
    let tidy = |value: f64| if (value - value.round()).abs() < 1e-6 { value.round() } else { value };
    let from = tidy((low - start) * scale).max(0.0);
    let length = tidy((high - low) * scale).min(source as f64 - from);
    (high > low && length > 0.0).then(|| ((from, length), (tidy(low), tidy(high) - tidy(low))))
}

/// Everything beside nodata values that makes pixels invalid; empty when nodata values say it all.
fn masks(scene: &Scene, placed: &[Placed], keep_nodata: bool) -> Vec<Reference> {
    let grid = scene.grid();
    let (mut masks, mut nodata) = (BTreeSet::new(), BTreeSet::new());
    for (band, pick) in scene.bands().iter().zip(scene.picks()) {
        let (file, place) = (&scene.files()[pick.file], &placed[pick.file]);
        let reference = |band: String| Reference { file: pick.file, band };
        if let (Some(alpha), true) = (file.alpha, place.part) {
            masks.insert(reference(alpha.to_string()));
            continue;
        }
        let header = &file.header;
        if let Some(alpha) = header.alpha().filter(|&alpha| alpha != band.number) {
            masks.insert(reference(alpha.to_string()));
        }
        match header.bands[band.number - 1].mask {
            MaskKind::Shared => {
                masks.insert(reference("mask,1".to_owned()));
            }
            MaskKind::Own => {
                masks.insert(reference(format!("mask,{}", band.number)));
            }
            MaskKind::None if band.nodata.is_some() => {
                nodata.insert(reference(format!("mask,{}", band.number)));
            }
            MaskKind::None => {
                let covered = place.rectangles.is_none_or(|(_, [col, row, width, height])| {
                    col <= 0.0 && row <= 0.0 && width >= grid.width as f64 && height >= grid.height as f64
                });
                if !covered {
                    masks.insert(reference("mask,1".to_owned()));
                }
            }
        }
    }
    if !masks.is_empty() || !keep_nodata {
        // A mask of the dataset hides nodata values from GDAL, so it has to contain them.
        masks.append(&mut nodata);
    }
    masks.into_iter().collect()
}

fn same_nodata(a: Option<f64>, b: Option<f64>) -> bool {
    a == b || matches!((a, b), (Some(a), Some(b)) if a.is_nan() && b.is_nan())
}

/// Keys under which time and sensor are found again.
fn scene_metadata(scene: &Scene) -> Vec<(String, String)> {
    let items = [("ACQUISITIONDATETIME", scene.time()), ("SENSOR", scene.sensor())];
    items.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
}

/// The warped VRT of a file, with the file named as wanted.
fn warped_part(file: &SourceFile, naming: Naming<'_>) -> Result<String> {
    let dataset: Dataset = file.open()?;
    let xml = dataset.metadata_domain("xml:VRT").and_then(|parts| parts.into_iter().next());
    let failed = || GeoError::Gdal {
        action: format!("cannot describe the reprojection of {}", file.path.display()),
        message: "GDAL gives no XML for it".to_owned(),
    };
    let xml = xml.ok_or_else(failed)?;
    let start = xml.find("<SourceDataset").ok_or_else(failed)?;
    let end = xml[start..].find("</SourceDataset>").ok_or_else(failed)? + start;
    let named = naming.element(&file.path).replace("SourceFilename", "SourceDataset");
    Ok(format!("{}{named}{}", &xml[..start], &xml[end + "</SourceDataset>".len()..]))
}
