//! `swath info`: what a scene is.

use anyhow::Result;
use clap::Args;
use swath_geo::{BandInfo, CrsInfo, FileInfo, InfoOptions, Scene, SceneInfo, SceneSpec};

use crate::args::SceneFiles;
use crate::console::Console;

/// Show grid, bands, validity and statistics of a scene
///
/// Several files are shown as the one scene that they make together.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  swath info scene.tif
  swath info IMG_DATA/*_B02.jp2 IMG_DATA/*_B03.jp2 --exact
  swath info scene.tif --json | jq .grid")]
pub(crate) struct InfoArgs {
    #[command(flatten)]
    scene: SceneFiles,
    /// Compute statistics over all pixels, not over a sample of a large scene
    #[arg(long)]
    exact: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &InfoArgs, console: &Console) -> Result<()> {
    let scene = Scene::open(&SceneSpec::from_paths(&args.scene.files))?;
    let info = swath_geo::info(&scene, &InfoOptions { exact: args.exact })?;
    if args.json {
        console.result(serde_json::to_string_pretty(&info)?)?;
    } else {
        console.result(text(&info))?;
    }
    Ok(())
}

/// The description for people: a block of facts, then a table of bands.
fn text(info: &SceneInfo) -> String {
    let mut lines = Vec::new();
    let mut fact = |label: &str, value: String| lines.push(format!("{label:<12} {value}"));
    fact("Scene", info.name.clone());
    for file in &info.files {
        fact("File", file_line(file));
    }
    fact("Size", format!("{} x {} pixels, {} bands", info.width, info.height, info.bands.len()));
    fact("CRS", info.crs.as_ref().map_or("none".to_string(), crs_line));
    let [x0, dx, rx, y0, ry, dy] = info.transform;
    fact("Origin", format!("{}, {}", number(x0), number(y0)));
    if rx == 0.0 && ry == 0.0 {
        fact("Pixel", format!("{} x {}", number(dx), number(dy)));
    } else {
        fact("Pixel", format!("{} x {}, rotated by {} and {}", number(dx), number(dy), number(rx), number(ry)));
    }
    if let Some([x, y]) = info.gsd_m {
        fact("Ground", format!("{} m x {} m per pixel", number(x), number(y)));
    }
    let [left, bottom, right, top] = info.bounds;
    fact("Bounds", format!("{} .. {}, {} .. {}", number(left), number(right), number(bottom), number(top)));
    if let Some([west, south, east, north]) = info.lonlat_bounds {
        fact("Longitude", format!("{west:.6} .. {east:.6}"));
        fact("Latitude", format!("{south:.6} .. {north:.6}"));
    }
    let share = format!("{:.2} % of the pixels", info.valid_share * 100.0);
    fact("Valid", share);
    if let (Some(all), Some(valid)) = (info.area_km2, info.valid_area_km2) {
        // The valid area is estimated from a sample and may come out a hair larger than the whole.
        fact("Area", format!("{} km2, {} km2 of it valid", number(all), number(valid.min(all))));
    }
    for (label, value) in [("Time", &info.time), ("Sensor", &info.sensor)] {
        if let Some(value) = value {
            fact(label, value.clone());
        }
    }
    if info.approximate {
        fact("Statistics", format!("approximate, from a sample of {} pixels; --exact reads all", info.sampled));
    }
    lines.push(String::new());
    lines.push(band_table(&info.bands));
    lines.join("\n")
}

fn file_line(file: &FileInfo) -> String {
    let mut parts = vec![format!("{}: {}", file.path.display(), file.driver)];
    parts.push(format!("blocks {} x {}", file.block[0], file.block[1]));
    parts.extend(file.compression.clone());
    if !file.overviews.is_empty() {
        parts.push(format!("{} overviews", file.overviews.len()));
    }
    parts.extend(file.alpha.map(|band| format!("alpha in band {band}")));
    parts.extend(
        file.resampling.map(|how| format!("{} x {}, resampled ({how:?})", file.width, file.height).to_lowercase()),
    );
    parts.join(", ")
}

fn crs_line(crs: &CrsInfo) -> String {
    match &crs.authority {
        Some(authority) => format!("{} ({authority})", crs.name),
        None => crs.name.clone(),
    }
}

fn band_table(bands: &[BandInfo]) -> String {
    let mut rows = vec![["", "Name", "Type", "Min", "Max", "Mean", "Std", "Valid", "Nodata"].map(String::from)];
    for (index, BandInfo { band, stats }) in bands.iter().enumerate() {
        rows.push([
            (index + 1).to_string(),
            band.name.clone(),
            band.dtype.clone(),
            stats.min.map_or("-".to_string(), number),
            stats.max.map_or("-".to_string(), number),
            stats.mean.map_or("-".to_string(), number),
            stats.std.map_or("-".to_string(), number),
            format!("{:.2} %", stats.valid_share * 100.0),
            band.nodata.map_or("-".to_string(), number),
        ]);
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..9).map(width).collect();
    let line = |row: &[String; 9]| {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| match column {
            1 | 2 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_string()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// A number as people write it: no digits that say nothing.
fn number(value: f64) -> String {
    let text = if value != 0.0 && (value.abs() >= 1e12 || value.abs() < 1e-4) {
        return format!("{value:.6e}");
    } else if value.abs() >= 1000.0 {
        format!("{value:.2}")
    } else {
        format!("{value:.6}")
    };
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_string(),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_are_short() {
        assert_eq!(number(0.0), "0");
        assert_eq!(number(-10.0), "-10");
        assert_eq!(number(0.5), "0.5");
        assert_eq!(number(328_980.126), "328980.13");
        assert_eq!(number(1e-7), "1.000000e-7");
    }
}
