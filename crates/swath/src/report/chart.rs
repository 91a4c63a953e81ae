//! Line charts as inline SVG.

use std::fmt::Write;

use super::html::escape;

/// A chart of one or more curves over training steps.
pub(super) struct Chart<'a> {
    pub(super) title: &'a str,
    pub(super) series: Vec<Series<'a>>,
    /// Whether a wide range of positive values may be drawn on a logarithmic axis.
    pub(super) may_be_log: bool,
}

/// One curve.
pub(super) struct Series<'a> {
    pub(super) name: &'a str,
    pub(super) points: &'a [(f64, f64)],
    /// Noisy curves are drawn faintly, below their running mean.
    pub(super) noisy: bool,
}

const WIDTH: f64 = 360.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 48.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 30.0;
/// Points drawn of one curve at most: more than the chart has pixels shows nothing.
const MAX_POINTS: usize = 400;
/// Colours of curves in the page's style.
const COLORS: usize = 6;

impl Chart<'_> {
    /// The chart with its title and legend; empty when no curve has a finite point.
    pub(super) fn svg(&self) -> String {
        let curves: Vec<(&Series<'_>, Vec<(f64, f64)>)> =
            self.series.iter().map(|s| (s, thinned(s.points))).filter(|(_, points)| !points.is_empty()).collect();
        let points = || curves.iter().flat_map(|(_, points)| points);
        let steps = || self.series.iter().flat_map(|s| s.points).map(|p| p.0).filter(|x| x.is_finite());
        let Some((x0, x1)) = range(steps()) else { return String::new() };
        let Some((y0, y1)) = range(points().map(|p| p.1)) else { return String::new() };
        let log = self.may_be_log && y0 > 0.0 && y1 / y0 > 30.0;
        let scale = |value: f64| if log { value.log10() } else { value };
        let y_ticks = if log { decades(y0, y1) } else { ticks(y0, y1, 5) };
        let (low, high) = match (y_ticks.first(), y_ticks.last()) {
            (Some(first), Some(last)) => (scale(first.min(y0)), scale(last.max(y1))),
            _ => (scale(y0), scale(y1)),
        };
        let x_at = |x: f64| LEFT + (x - x0) / (x1 - x0).max(f64::MIN_POSITIVE) * (WIDTH - LEFT - RIGHT);
        let y_at =
            |y: f64| HEIGHT - BOTTOM - (scale(y) - low) / (high - low).max(f64::MIN_POSITIVE) * (HEIGHT - TOP - BOTTOM);

        let mut svg = format!(
            r#"<figure class="chart"><figcaption>{}{}</figcaption><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{}">"#,
            escape(self.title),
            if log { " <small>logarithmic</small>" } else { "" },
            escape(self.title)
        );
        for &tick in &y_ticks {
            let y = y_at(tick);
            let _ = write!(
                svg,
                r#"<line class="grid" x1="{LEFT}" x2="{:.1}" y1="{y:.1}" y2="{y:.1}"/><text class="tick" x="{:.1}" y="{:.1}" text-anchor="end">{}</text>"#,
                WIDTH - RIGHT,
                LEFT - 8.0,
                y + 4.0,
                number(tick)
            );
        }
        for tick in ticks(x0, x1, 4).into_iter().filter(|&tick| tick >= x0 && tick <= x1) {
            let _ = write!(
                svg,
                r#"<text class="tick" x="{:.1}" y="{:.1}" text-anchor="middle">{}</text>"#,
                x_at(tick),
                HEIGHT - 10.0,
                number(tick)
            );
        }
        for (index, (series, points)) in curves.iter().enumerate() {
            let color = index % COLORS;
            let path = |points: &[(f64, f64)]| {
                let position = |&(x, y): &(f64, f64)| format!("{:.1},{:.1}", x_at(x), y_at(y));
                points.iter().map(position).collect::<Vec<_>>().join(" ")
            };
            if series.noisy && points.len() > 20 {
                let _ = write!(svg, r#"<polyline class="faint s{color}" points="{}"/>"#, path(points));
                let _ = write!(svg, r#"<polyline class="s{color}" points="{}"/>"#, path(&smoothed(points)));
            } else {
                let _ = write!(svg, r#"<polyline class="s{color}" points="{}"/>"#, path(points));
                if points.len() <= 30 {
                    for &(x, y) in points {
                        let _ = write!(
                            svg,
                            r#"<circle class="s{color}" cx="{:.1}" cy="{:.1}" r="2.4"/>"#,
                            x_at(x),
                            y_at(y)
                        );
                    }
                }
            }
        }
        svg.push_str("</svg>");
        svg.push_str(&legend(&curves));
        svg.push_str("</figure>");
        svg
    }
}

/// Names of the curves with their last values.
fn legend(curves: &[(&Series<'_>, Vec<(f64, f64)>)]) -> String {
    let mut html = String::from(r#"<div class="curves">"#);
    for (index, (series, points)) in curves.iter().enumerate() {
        let last = points.last().map_or_else(String::new, |p| number(p.1));
        let _ = write!(
            html,
            r#"<span><i class="line s{}"></i>{} <b>{last}</b></span>"#,
            index % COLORS,
            escape(series.name)
        );
    }
    html.push_str("</div>");
    html
}

/// A short way to write a number of an axis.
pub(super) fn number(value: f64) -> String {
    let size = value.abs();
    let text = match size {
        0.0 => return "0".into(),
        size if !(1e-4..1e6).contains(&size) => return format!("{value:.1e}").replace(".0e", "e"),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    };
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

/// About `count` round numbers that enclose the range.
pub(super) fn ticks(low: f64, high: f64, count: usize) -> Vec<f64> {
    let span = if high > low { high - low } else { low.abs().max(1e-12) };
    let rough = span / count as f64;
    let magnitude = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|m| m * magnitude).into_iter().find(|&s| s >= rough).unwrap_or(rough);
    let (first, last) = ((low / step).floor() as i64, (high / step).ceil() as i64);
    (first..=last.max(first + 1)).map(|i| i as f64 * step).collect()
}

/// Powers of ten that enclose the range.
fn decades(low: f64, high: f64) -> Vec<f64> {
    (low.log10().floor() as i32..=high.log10().ceil() as i32).map(|power| 10f64.powi(power)).collect()
}

fn range(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.fold(None, |range, value| match range {
        None => Some((value, value)),
        Some((low, high)) => Some((f64::min(low, value), f64::max(high, value))),
    })
}

/// The finite points, long curves as means of equal runs.
fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let finite: Vec<_> = points.iter().copied().filter(|(x, y)| x.is_finite() && y.is_finite()).collect();
    let run = finite.len().div_ceil(MAX_POINTS).max(1);
    let mean = |run: &[(f64, f64)]| {
        let n = run.len() as f64;
        (run.iter().map(|p| p.0).sum::<f64>() / n, run.iter().map(|p| p.1).sum::<f64>() / n)
    };
    finite.chunks(run).map(mean).collect()
}

/// Centred running mean over a tenth of the curve.
fn smoothed(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let reach = (points.len() / 20).max(1);
    let at = |i: usize| {
        // As far to the left as to the right, so that the ends are not drawn towards the middle.
        let reach = reach.min(i).min(points.len() - 1 - i);
        let near = &points[i - reach..=i + reach];
        (points[i].0, near.iter().map(|p| p.1).sum::<f64>() / near.len() as f64)
    };
    (0..points.len()).map(at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_enclose_the_range() {
        assert_eq!(ticks(0.0, 1.0, 5), [0.0, 0.2, 0.4, 0.6000000000000001, 0.8, 1.0]);
        assert_eq!(ticks(120.0, 1990.0, 6), [0.0, 500.0, 1000.0, 1500.0, 2000.0]);
        assert_eq!(ticks(3.0, 3.0, 5).len(), 2);
        assert_eq!(decades(0.02, 3.0), [0.01, 0.1, 1.0, 10.0]);
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!([0.0, 0.25, 1.5, 2000.0, 1e-5, 3e7].map(number), ["0", "0.25", "1.5", "2000", "1e-5", "3e7"]);
    }

    #[test]
    fn values_that_are_not_finite_are_skipped() {
        let points = [(1.0, 2.0), (2.0, f64::NAN), (3.0, f64::INFINITY), (4.0, 1.0)];
        let series = vec![Series { name: "a<b", points: &points, noisy: false }];
        let svg = Chart { title: "Loss", series, may_be_log: false }.svg();
        assert!(!svg.contains("NaN") && !svg.contains("inf") && svg.contains("a&lt;b"));
        assert_eq!(svg.matches("<circle").count(), 2);
    }

    #[test]
    fn a_single_point_and_no_point_are_no_trouble() {
        let chart = |points: &[(f64, f64)]| {
            let series = vec![Series { name: "a", points, noisy: true }];
            Chart { title: "t", series, may_be_log: true }.svg()
        };
        assert_eq!(chart(&[]), "");
        assert!(!chart(&[(5.0, 0.5)]).contains("NaN"));
    }

    #[test]
    fn long_curves_are_thinned() {
        let points: Vec<_> = (0..10_000).map(|i| (f64::from(i), 1.0)).collect();
        let thin = thinned(&points);
        assert!(thin.len() <= MAX_POINTS && thin.iter().all(|p| p.1 == 1.0));
        assert!(smoothed(&thin).iter().all(|p| (p.1 - 1.0).abs() < 1e-12));
    }
}
