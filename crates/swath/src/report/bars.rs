//! Bar charts as SVG files of their own.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::chart::{number, ticks};
use super::html::escape;

/// A chart of stacked horizontal bars.
pub(crate) struct Bars<'a> {
    pub(crate) title: String,
    /// What the axis counts.
    pub(crate) unit: &'a str,
    /// Names and colours of the parts of bars.
    pub(crate) parts: Vec<(&'a str, [u8; 3])>,
    /// Label of each bar, from top to bottom, and its parts: their places in `parts`, ascending, and sizes. A bar without parts says that there are no
    /// data.
    pub(crate) bars: Vec<(String, Vec<(usize, f64)>)>,
}

const LABEL: f64 = 200.0;
const PLOT: f64 = 480.0;
const VALUE: f64 = 80.0;
const ROW: f64 = 22.0;
const TOP: f64 = 40.0;
/// Bars drawn at most.
const MOST: usize = 400;
/// Parts in the legend at most.
const NAMED: usize = 60;
/// Letters of a label that fit beside the bars.
const LETTERS: usize = 30;

impl Bars<'_> {
    /// The chart; the first bars, and how many more there are, where there are too many.
    pub(crate) fn svg(&self) -> String {
        let shown = &self.bars[..self.bars.len().min(MOST)];
        let sum = |parts: &[(usize, f64)]| parts.iter().map(|(_, size)| size).sum::<f64>();
        let largest = shown.iter().map(|(_, parts)| sum(parts)).fold(0.0, f64::max);
        let ticks = ticks(0.0, largest, 5);
        let end = ticks.last().copied().unwrap_or(1.0);
        let x_at = |value: f64| LABEL + value / end * PLOT;
        let named = self.named(shown);
        let legend = ROW * named.len().div_ceil(4) as f64;
        let bottom = TOP + legend + ROW * shown.len() as f64;
        let (width, height) = (LABEL + PLOT + VALUE, bottom + 44.0);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
             font-family=\"system-ui, sans-serif\" font-size=\"12\" fill=\"#222\">\n\
             <rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>\n\
             <text x=\"10\" y=\"22\" font-size=\"15\" font-weight=\"600\">{}</text>\n",
            escape(&self.title)
        );
        for (index, (name, color)) in named.iter().enumerate() {
            let (x, y) = (10.0 + (index % 4) as f64 * 185.0, TOP + (index / 4) as f64 * ROW);
            let _ = writeln!(
                svg,
                "<rect x=\"{x}\" y=\"{y}\" width=\"12\" height=\"12\" fill=\"{}\"/><text x=\"{}\" y=\"{}\">{}</text>",
                hex(*color),
                x + 18.0,
                y + 11.0,
                escape(&shortened(name, 26))
            );
        }
        for tick in &ticks {
            let x = x_at(*tick);
            let _ = writeln!(
                svg,
                "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{:.1}\" y2=\"{bottom:.1}\" stroke=\"#ddd\"/>\
                 <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#666\">{}</text>",
                TOP + legend,
                bottom + 16.0,
                number(*tick)
            );
        }
        for (index, (label, parts)) in shown.iter().enumerate() {
            let y = TOP + legend + ROW * index as f64;
            let _ = writeln!(
                svg,
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                LABEL - 8.0,
                y + 15.0,
                escape(&shortened(label, LETTERS))
            );
            let mut from = 0.0;
            for &(part, size) in parts.iter().filter(|(_, size)| *size > 0.0) {
                let (name, color) = self.parts[part];
                let _ = writeln!(
                    svg,
                    "<rect x=\"{:.2}\" y=\"{:.1}\" width=\"{:.2}\" height=\"{:.1}\" fill=\"{}\"><title>{}: {}</title></rect>",
                    x_at(from),
                    y + 3.0,
                    x_at(from + size) - x_at(from),
                    ROW - 6.0,
                    hex(color),
                    escape(name),
                    number(size)
                );
                from += size;
            }
            let total = if parts.is_empty() { "no data".into() } else { number(from) };
            let _ = writeln!(svg, "<text x=\"{:.1}\" y=\"{:.1}\">{total}</text>", x_at(from) + 6.0, y + 15.0);
        }
        let more = match self.bars.len() - shown.len() {
            0 => String::new(),
            more => format!(" ({more} more bars are not drawn)"),
        };
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#666\">{}{more}</text>\n</svg>",
            LABEL + PLOT / 2.0,
            bottom + 34.0,
            escape(self.unit)
        );
        svg
    }

    /// What the legend names: the parts of the bars that are drawn, unless these name them, as bars of one part each do.
    fn named(&self, shown: &[(String, Vec<(usize, f64)>)]) -> Vec<(&str, [u8; 3])> {
        let one_each =
            shown.iter().all(|(label, parts)| matches!(parts[..], [(part, _)] if self.parts[part].0 == label));
        let used: BTreeSet<usize> = shown.iter().flat_map(|(_, parts)| parts.iter().map(|(part, _)| *part)).collect();
        if used.len() < 2 || one_each {
            return Vec::new();
        }
        used.into_iter().take(NAMED).map(|part| self.parts[part]).collect()
    }
}

fn hex([red, green, blue]: [u8; 3]) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

fn shortened(text: &str, letters: usize) -> String {
    match text.char_indices().nth(letters) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(bars: Vec<(String, Vec<f64>)>) -> String {
        let parts = vec![("land", [1, 2, 3]), ("<water>", [255, 0, 0])];
        let bars = bars.into_iter().map(|(label, parts)| (label, parts.into_iter().enumerate().collect())).collect();
        Bars { title: "Areas & more".into(), unit: "km2", parts, bars }.svg()
    }

    #[test]
    fn bars_are_as_long_as_their_values() {
        let svg = chart(vec![("a".into(), vec![60.0, 40.0]), ("b".into(), vec![0.0, 25.0])]);
        assert!(svg.contains("Areas &amp; more") && svg.contains("&lt;water&gt;"), "{svg}");
        // The axis ends at 100, which is 480 wide.
        for width in ["width=\"288.00\"", "width=\"192.00\"", "width=\"120.00\""] {
            assert_eq!(svg.matches(width).count(), 1, "{width} in {svg}");
        }
        assert_eq!(svg.matches("<title>").count(), 3);
    }

    #[test]
    fn nothing_and_very_much_can_be_drawn() {
        for svg in [chart(vec![]), chart(vec![("a".into(), vec![0.0, 0.0])])] {
            assert!(svg.ends_with("</svg>\n") && !svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        }
        let many = chart((0..500).map(|n| (n.to_string(), vec![1.0, 1.0])).collect());
        assert!(many.contains("100 more bars") && many.matches("<title>").count() == 800);
    }
}
