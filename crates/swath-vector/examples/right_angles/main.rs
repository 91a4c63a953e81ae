//! Right angles compared: every method draws outlines of true buildings from their pixels, with as many vertices as its tolerance leaves.
//!
//! ```text
//! cargo run --release -p swath-vector --example right_angles -- DATA [--chart FILE.svg] [--csv FILE.csv]
//! ```
//!
//! DATA is a folder with `dsg_buildings/buildings.geojson` (metres) and `kampala/labels.geojson` (degrees). The true polygons are drawn on
//! pixels, once exactly and once with a seeded noise that moves boundaries by about a pixel; the regions of the pixels are then simplified by Douglas
//! and Peucker's measure or get right angles, within tolerances from one pixel to six. The table goes to stdout.
//!
//! | file | what |
//! | --- | --- |
//! | `truth` | true polygons, and blocks of them that are near each other |
//! | `pixels` | blocks as label maps, with noise |
//! | `measure` | outlines by each method against the truth |
//! | `chart` | the figure |

mod chart;
mod measure;
mod pixels;
mod truth;

use std::fmt::Write;
use std::path::PathBuf;

use measure::{METHODS, Row, Scores};

/// Tolerances in pixels.
const TOLERANCES: [f64; 6] = [1.0, 1.5, 2.0, 3.0, 4.0, 6.0];

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (mut data, mut chart, mut csv) = (None, None, None);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--chart" => chart = arguments.next().map(PathBuf::from),
            "--csv" => csv = arguments.next().map(PathBuf::from),
            _ => data = Some(PathBuf::from(argument)),
        }
    }
    let data = data.expect("give the folder with dsg_buildings and kampala");
    let mut rows: Vec<Row> = Vec::new();
    for (set, file, pixel) in
        [("dsg_buildings", "dsg_buildings/buildings.geojson", 0.35), ("kampala", "kampala/labels.geojson", 0.3)]
    {
        let blocks = truth::blocks(&data.join(file), 8.0 * pixel);
        for noise in [0.0, 1.0] {
            let maps: Vec<pixels::Map> =
                blocks.iter().enumerate().map(|(seed, block)| pixels::draw(block, pixel, noise, seed as u64)).collect();
            for method in METHODS {
                for tolerance in TOLERANCES {
                    let mut scores = Scores::default();
                    for (block, map) in blocks.iter().zip(&maps) {
                        measure::measure(block, map, method, tolerance * pixel, &mut scores);
                    }
                    rows.push(Row { set, noise: noise > 0.0, method: method.name(), tolerance, scores });
                }
            }
        }
    }
    println!("{}", markdown(&rows));
    if let Some(path) = csv {
        std::fs::write(path, table(&rows)).expect("the table can be written");
    }
    if let Some(path) = chart {
        std::fs::write(path, chart::svg(&rows)).expect("the chart can be written");
    }
}

const COLUMNS: [&str; 8] = ["N'/N", "IoU", "C-IoU", "PoLiS (m)", "right", "valid", "kept", "ms"];

fn values(scores: &Scores) -> [String; 8] {
    [
        format!("{:.2}", scores.vertex_ratio()),
        format!("{:.4}", scores.mean(scores.iou)),
        format!("{:.3}", scores.mean(scores.c_iou)),
        format!("{:.3}", scores.mean(scores.polis)),
        format!("{:.3}", scores.right_share()),
        format!("{:.3}", scores.mean(scores.valid)),
        format!("{:.3}", scores.mean(scores.kept)),
        format!("{:.0}", scores.milliseconds),
    ]
}

fn markdown(rows: &[Row]) -> String {
    let mut text = format!("| truth | pixels | method | tolerance (pixels) | {} |\n", COLUMNS.join(" | "));
    text += &format!("|{}\n", " --- |".repeat(COLUMNS.len() + 4));
    for row in rows {
        let pixels = if row.noise { "noisy" } else { "exact" };
        let values = values(&row.scores).join(" | ");
        let _ = writeln!(text, "| {} | {pixels} | {} | {} | {values} |", row.set, row.method, row.tolerance);
    }
    text
}

fn table(rows: &[Row]) -> String {
    let mut text = format!("truth,pixels,method,tolerance_px,{}\n", COLUMNS.join(","));
    for row in rows {
        let pixels = if row.noise { "noisy" } else { "exact" };
        let _ =
            writeln!(text, "{},{pixels},{},{},{}", row.set, row.method, row.tolerance, values(&row.scores).join(","));
    }
    text
}
