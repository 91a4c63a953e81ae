//! How long made-up maps take to become polygons, and how much memory:
//! `cargo run --release -p swath-vector --example polygonize -- MAP SIDE CONNECTIVITY`.
//!
//! MAP is `checkerboard`, `stripes`, diagonal ones two pixels wide, `random:N`, N classes alike, `share:P`, two classes of which the first has the share P of all pixels, or
//! `blobs:N`, N classes in squares of 8x8 pixels with one random pixel in fifty. CONNECTIVITY is 4 or 8. Outlines are read and forgotten.

use std::error::Error;
use std::time::Instant;

use swath_vector::{Connectivity, Corner, Outlines, PolygonizeOptions, Polygonizer, Region, Sink, Spill, VectorError};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [map, side, connectivity] = &arguments[..] else { return Err("give MAP SIDE CONNECTIVITY".into()) };
    let (map, side) = (Labels::parse(map)?, side.parse::<usize>()?);
    let connectivity = if connectivity == "8" { Connectivity::Eight } else { Connectivity::Four };
    let spill = Some(Spill { file: tempfile::tempfile()?, memory: 64 << 20 });
    let begun = Instant::now();
    let mut totals = Totals::default();
    let mut polygonizer = Polygonizer::new(side, PolygonizeOptions { connectivity, spill })?;
    let mut labels = vec![0; side];
    for row in 0..side {
        labels.iter_mut().enumerate().for_each(|(column, label)| *label = map.at(column as u64, row as u64));
        polygonizer.push(&labels, &mut totals)?;
    }
    polygonizer.finish(&mut totals)?;
    let Totals { regions, rings, corners, pixels, digest, .. } = totals;
    println!(
        "{:.1} s, {} MB, {regions} regions, {rings} rings, {corners} corners, {pixels} pixels, digest {digest:016x}",
        begun.elapsed().as_secs_f64(),
        peak_memory()? >> 10,
    );
    Ok(())
}

enum Labels {
    Checkerboard,
    Stripes,
    Random(u64),
    Share(f64),
    Blobs(u64),
}

impl Labels {
    fn parse(text: &str) -> Result<Labels, Box<dyn Error>> {
        Ok(match text.split_once(':') {
            None if text == "checkerboard" => Labels::Checkerboard,
            None if text == "stripes" => Labels::Stripes,
            Some(("random", classes)) => Labels::Random(classes.parse()?),
            Some(("share", share)) => Labels::Share(share.parse()?),
            Some(("blobs", classes)) => Labels::Blobs(classes.parse()?),
            _ => return Err(format!("no map is called {text}").into()),
        })
    }

    fn at(&self, column: u64, row: u64) -> u32 {
        let pixel = mixed((row << 32) | column);
        match *self {
            Labels::Checkerboard => (column + row) as u32 & 1,
            Labels::Stripes => ((column + row) / 2) as u32 & 1,
            Labels::Random(classes) => (pixel % classes) as u32,
            Labels::Share(share) => u32::from(pixel as f64 >= share * u64::MAX as f64),
            Labels::Blobs(classes) if !pixel.is_multiple_of(50) => {
                (mixed(((row / 8) << 32) | (column / 8)) % classes) as u32
            }
            Labels::Blobs(classes) => (pixel / 50 % classes) as u32,
        }
    }
}

/// A number that looks random: the last step of SplitMix64 (Steele, Lea and Flood 2014).
fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

#[derive(Default)]
struct Totals {
    regions: u64,
    rings: u64,
    corners: u64,
    pixels: u64,
    /// Of the corners of all rings.
    digest: u64,
    ring: Vec<Corner>,
}

impl Sink for Totals {
    type Error = VectorError;

    fn region(&mut self, region: &Region, outlines: &mut Outlines<'_>) -> Result<(), VectorError> {
        self.regions += 1;
        self.pixels += region.pixels;
        for ring in 0..outlines.rings() {
            outlines.corners(ring, &mut self.ring)?;
            self.rings += 1;
            self.corners += self.ring.len() as u64;
            for corner in &self.ring {
                self.digest = mixed(self.digest ^ u64::from(corner.row) << 32 ^ u64::from(corner.col));
            }
        }
        Ok(())
    }
}

/// The most memory that this process had, in kilobytes, as Linux tells it.
fn peak_memory() -> Result<u64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM in /proc/self/status")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse()?)
}
