//! Names of bands, and what a file name says about its sensor and time.

use std::path::Path;

use crate::open::{BandHeader, Header};

/// File name without folders and extensions: `T33UUU_20170216T102101_B08`.
pub(crate) fn stem(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    name.split('.').next().filter(|stem| !stem.is_empty()).unwrap_or(&name).to_owned()
}

/// A band's name, from the first of these that exists: its description in the file, the band in a Sentinel-2
/// or Landsat file name (`..._B08.jp2`), its colour, its number (`b1`), with the file's stem in front where the
/// scene has several files.
pub(crate) fn band_name(path: &Path, header: &Header, number: usize, alone: bool) -> String {
    let band = &header.bands[number - 1];
    let description = band.description.trim();
    if !description.is_empty() {
        return description.to_owned();
    }
    let stem = stem(path);
    let single = header.bands.len() == 1;
    if single && let Some(name) = product_band(&stem) {
        return name.to_owned();
    }
    match (color(band), alone, single) {
        (Some(color), true, _) => color.to_owned(),
        (None, true, _) => format!("b{number}"),
        (_, false, true) => stem,
        (_, false, false) => format!("{stem}_b{number}"),
    }
}

/// Makes names unique by numbering those that repeat: `nir`, `nir_2`.
pub(crate) fn make_unique(names: &mut [String]) {
    for index in 1..names.len() {
        let wanted = names[index].clone();
        let mut count = 2;
        while names[..index].contains(&names[index]) {
            names[index] = format!("{wanted}_{count}");
            count += 1;
        }
    }
}

/// Platform or sensor, from the metadata or a well-known file name.
pub(crate) fn sensor(path: &Path, metadata: &[String]) -> Option<String> {
    let keys = ["SATELLITEID", "SPACECRAFT_NAME", "SPACECRAFT_ID", "PLATFORM", "SENSOR_ID", "SENSOR"];
    if let Some(value) = item(metadata, &keys) {
        return Some(value.to_owned());
    }
    let stem = stem(path);
    let parts: Vec<&str> = stem.split('_').collect();
    let sentinel2 =
        parts.iter().any(|part| is_mgrs_tile(part)) && parts.iter().any(|part| compact_time(part).is_some());
    let prefix = parts.first().copied().unwrap_or_default();
    match prefix {
        "S1A" | "S1B" | "S1C" => Some(format!("Sentinel-{}", &prefix[1..])),
        "S2A" | "S2B" | "S2C" => Some(format!("Sentinel-{}", &prefix[1..])),
        "LC08" | "LO08" | "LT08" => Some("Landsat 8".into()),
        "LC09" | "LO09" | "LT09" => Some("Landsat 9".into()),
        "LE07" => Some("Landsat 7".into()),
        "LT05" => Some("Landsat 5".into()),
        _ if sentinel2 => Some("Sentinel-2".into()),
        _ => None,
    }
}

/// Time of acquisition as `2017-02-16T10:21:01`, from the metadata or a Sentinel file name.
pub(crate) fn time(path: &Path, metadata: &[String]) -> Option<String> {
    let keys =
        ["ACQUISITIONDATETIME", "ACQUISITION_DATETIME", "PRODUCT_START_TIME", "DATATAKE_1_DATATAKE_SENSING_START"];
    if let Some(value) = item(metadata, &keys) {
        return Some(value.to_owned());
    }
    stem(path).split('_').find_map(compact_time)
}

fn item<'a>(metadata: &'a [String], keys: &[&str]) -> Option<&'a str> {
    let lookup = |key: &&str| {
        let entry = metadata.iter().filter_map(|line| line.split_once('=')).find(|(name, _)| name == key);
        entry.map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
    };
    keys.iter().find_map(lookup)
}

fn color(band: &BandHeader) -> Option<&'static str> {
    match band.color.as_str() {
        "Red" => Some("red"),
        "Green" => Some("green"),
        "Blue" => Some("blue"),
        "Alpha" => Some("alpha"),
        _ => None,
    }
}

/// `B08` of `T33UUU_20170216T102101_B08` and of `..._B08_10m`; `B10` of a Landsat name.
fn product_band(stem: &str) -> Option<&str> {
    let mut parts = stem.rsplit('_');
    let last = parts.next()?;
    let part = if matches!(last, "10m" | "20m" | "60m") { parts.next()? } else { last };
    // A lone "B8.tif" names its band as well.
    let digits = part.strip_prefix('B')?;
    let known = digits == "8A" || (matches!(digits.len(), 1 | 2) && digits.bytes().all(|byte| byte.is_ascii_digit()));
    known.then_some(part)
}

/// `T33UUU`: zone, latitude band, square.
fn is_mgrs_tile(part: &str) -> bool {
    let bytes = part.as_bytes();
    bytes.len() == 6
        && bytes[0] == b'T'
        && bytes[1..3].iter().all(u8::is_ascii_digit)
        && bytes[3..].iter().all(u8::is_ascii_uppercase)
}

/// `20170216T102101` as `2017-02-16T10:21:01`.
fn compact_time(part: &str) -> Option<String> {
    let bytes = part.as_bytes();
    let digits = |range: std::ops::Range<usize>| bytes[range].iter().all(u8::is_ascii_digit);
    if bytes.len() != 15 || bytes[8] != b'T' || !digits(0..8) || !digits(9..15) {
        return None;
    }
    let p = |range: std::ops::Range<usize>| &part[range];
    Some(format!("{}-{}-{}T{}:{}:{}", p(0..4), p(4..6), p(6..8), p(9..11), p(11..13), p(13..15)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn product_names_carry_band_time_and_sensor() {
        for (stem, band) in [
            ("T33UUU_20170216T102101_B08", Some("B08")),
            ("T33UUU_20170216T102101_B8A_20m", Some("B8A")),
            ("LC08_L1TP_193023_20200101_B10", Some("B10")),
            ("lsat7_2000_10", None),
            ("scene_Band", None),
        ] {
            assert_eq!(product_band(stem), band, "{stem}");
        }
        let path = Path::new("/vsizip/x.zip/T33UUU_20170216T102101_B08.jp2");
        assert_eq!(time(path, &[]).as_deref(), Some("2017-02-16T10:21:01"));
        assert_eq!(sensor(path, &[]).as_deref(), Some("Sentinel-2"));
        assert_eq!(sensor(Path::new("a.tif"), &["SATELLITEID=WV03".into()]).as_deref(), Some("WV03"));
        assert_eq!(time(Path::new("a.tif"), &[]), None);
    }

    #[test]
    fn repeated_names_are_numbered() {
        let mut names = ["a", "b", "a", "a", "a_2"].map(String::from);
        make_unique(&mut names);
        assert_eq!(names, ["a", "b", "a_2", "a_3", "a_2_2"]);
    }
}
