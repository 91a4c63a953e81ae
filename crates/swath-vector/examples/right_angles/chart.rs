//! The figure: overlap and right corners by the number of vertices.

use std::fmt::Write;

use crate::measure::{METHODS, Row, Scores};

const PANEL: (f64, f64) = (250.0, 190.0);
const LEFT: f64 = 52.0;
const TOP: f64 = 58.0;
const GAP: (f64, f64) = (22.0, 46.0);
const COLORS: [&str; 3] = ["#7a7f87", "#1f6fb2", "#d1495b"];
/// Vertices over true vertices at the right end; the axis is logarithmic.
const RATIOS: (f64, f64) = (0.5, 8.0);

/// A name, a number and the range of its axis.
type Measure = (&'static str, fn(&Scores) -> f64, (f64, f64));

/// Four columns, of each truth with exact and noisy pixels, and two rows.
pub(crate) fn svg(rows: &[Row]) -> String {
    let measures: [Measure; 2] = [
        ("IoU", |scores| scores.mean(scores.iou), (0.75, 1.0)),
        ("share of right corners", Scores::right_share, (0.0, 1.0)),
    ];
    let mut columns: Vec<(&str, bool)> = rows.iter().map(|row| (row.set, row.noise)).collect();
    columns.dedup();
    columns.sort_unstable();
    columns.dedup();
    let width = LEFT + columns.len() as f64 * (PANEL.0 + GAP.0);
    let height = TOP + 2.0 * (PANEL.1 + GAP.1);
    let mut svg = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12" fill="#22262b">
<rect width="{width}" height="{height}" fill="#ffffff"/>
"##
    );
    for (index, method) in METHODS.iter().enumerate() {
        let x = LEFT + 150.0 * index as f64;
        let _ = writeln!(
            svg,
            r#"<line x1="{x}" x2="{}" y1="16" y2="16" stroke="{}" stroke-width="3"/><text x="{}" y="20">{}</text>"#,
            x + 24.0,
            COLORS[index],
            x + 30.0,
            method.name()
        );
    }
    for (down, &(name, value, range)) in measures.iter().enumerate() {
        for (across, &(set, noise)) in columns.iter().enumerate() {
            let (x0, y0) = (LEFT + across as f64 * (PANEL.0 + GAP.0), TOP + down as f64 * (PANEL.1 + GAP.1));
            let x_at = |ratio: f64| x0 + PANEL.0 * (ratio / RATIOS.0).ln() / (RATIOS.1 / RATIOS.0).ln();
            let y_at = |value: f64| y0 + PANEL.1 * (1.0 - (value - range.0) / (range.1 - range.0));
            if down == 0 {
                let pixels = if noise { "noisy pixels" } else { "exact pixels" };
                let _ = writeln!(svg, r#"<text x="{x0}" y="{}" font-weight="bold">{set}, {pixels}</text>"#, y0 - 10.0);
            }
            if across == 0 {
                let _ = writeln!(
                    svg,
                    r#"<text transform="translate(14 {}) rotate(-90)" text-anchor="middle">{name}</text>"#,
                    y0 + PANEL.1 / 2.0
                );
            }
            for step in 0..=5 {
                let tick = range.0 + f64::from(step) / 5.0 * (range.1 - range.0);
                let y = y_at(tick);
                let _ = writeln!(
                    svg,
                    r##"<line x1="{x0}" x2="{}" y1="{y:.1}" y2="{y:.1}" stroke="#e3e6ea"/>"##,
                    x0 + PANEL.0
                );
                if across == 0 {
                    let _ = writeln!(
                        svg,
                        r#"<text x="{}" y="{:.1}" text-anchor="end">{tick:.2}</text>"#,
                        x0 - 6.0,
                        y + 4.0
                    );
                }
            }
            for tick in [0.5, 1.0, 2.0, 4.0, 8.0] {
                let x = x_at(tick);
                let _ = writeln!(
                    svg,
                    r##"<line x1="{x:.1}" x2="{x:.1}" y1="{y0}" y2="{}" stroke="#e3e6ea"/><text x="{x:.1}" y="{}" text-anchor="middle">{tick}</text>"##,
                    y0 + PANEL.1,
                    y0 + PANEL.1 + 15.0
                );
            }
            if down == 1 {
                let _ = writeln!(
                    svg,
                    r#"<text x="{}" y="{}" text-anchor="middle">vertices / true vertices</text>"#,
                    x0 + PANEL.0 / 2.0,
                    y0 + PANEL.1 + 32.0
                );
            }
            for (index, method) in METHODS.iter().enumerate() {
                let own = rows.iter().filter(|row| (row.set, row.noise, row.method) == (set, noise, method.name()));
                let points: Vec<(f64, f64)> = own
                    .map(|row| (row.scores.vertex_ratio(), value(&row.scores)))
                    .filter(|&(ratio, value)| (RATIOS.0..=RATIOS.1).contains(&ratio) && value >= range.0)
                    .map(|(ratio, value)| (x_at(ratio), y_at(value)))
                    .collect();
                let line: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
                let color = COLORS[index];
                let _ = writeln!(
                    svg,
                    r#"<polyline points="{}" fill="none" stroke="{color}" stroke-width="2"/>"#,
                    line.join(" ")
                );
                for (x, y) in points {
                    let _ = writeln!(svg, r#"<circle cx="{x:.1}" cy="{y:.1}" r="3" fill="{color}"/>"#);
                }
            }
        }
    }
    svg + "</svg>\n"
}
