//! An evaluation as plain text for the terminal.

use std::fmt::Write;

use super::{EvaluatedClass, Evaluation, Measures};

/// The evaluation as aligned text: the pooled scores, and before them one line for each scene where there are several.
pub fn table(evaluation: &Evaluation) -> String {
    let mut text = String::new();
    if evaluation.scenes.len() > 1 {
        text += &scenes(evaluation);
        text.push('\n');
    }
    text += &classes(&evaluation.classes, &evaluation.pooled);
    text.push('\n');
    text += &summary(evaluation);
    text
}

/// A share as a percentage with two decimals; `-` where it is undefined.
pub(crate) fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "-".into(), |share| format!("{:.2}", 100.0 * share))
}

/// A coefficient with three decimals; `-` where it is undefined.
fn plain(value: Option<f64>) -> String {
    value.map_or_else(|| "-".into(), |value| format!("{value:.3}"))
}

/// A count with thin groups of three digits: `1 234 567`.
pub(crate) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// A unit of area that suits the largest of some areas: its name and its square metres.
pub(crate) fn area_unit(largest_m2: f64) -> (&'static str, f64) {
    match largest_m2 {
        m2 if m2 >= 1e8 => ("km2", 1e6),
        m2 if m2 >= 1e5 => ("ha", 1e4),
        _ => ("m2", 1.0),
    }
}

fn scenes(evaluation: &Evaluation) -> String {
    let mut rows = vec![["map", "accuracy", "mean IoU", "kappa", "pixels"].map(String::from).to_vec()];
    for scene in &evaluation.scenes {
        let scores = &scene.measures.scores;
        let cells = [percent(scores.accuracy), percent(scores.mean_iou), plain(scores.kappa), grouped(scores.pixels)];
        rows.push(std::iter::once(scene.map.clone()).chain(cells).collect());
    }
    aligned(&rows)
}

fn classes(names: &[EvaluatedClass], measures: &Measures) -> String {
    let areas = measures.counts.areas.as_ref();
    let largest = areas.iter().flat_map(|areas| areas.iter()).map(|a| a.reference_m2.max(a.map_m2)).fold(0.0, f64::max);
    let (unit, unit_m2) = area_unit(largest);
    let mut header: Vec<String> = ["class", "precision", "recall", "F1", "IoU"].map(String::from).to_vec();
    if measures.boundary.is_some() {
        header.push("boundary F1".into());
    }
    header.push("reference px".into());
    header.push("map px".into());
    if areas.is_some() {
        header.push(format!("reference {unit}"));
        header.push(format!("map {unit}"));
    }
    let mut rows = vec![header];
    for class in measures.scores.reading_order() {
        let mut row = vec![names[class.class].name.clone()];
        row.extend([class.precision, class.recall, class.f1, class.iou].map(percent));
        row.extend(measures.boundary.as_ref().map(|boundary| percent(boundary.f1[class.class])));
        row.extend([class.support, class.predicted].map(grouped));
        if let Some(areas) = areas {
            let area = areas[class.class];
            row.extend([area.reference_m2, area.map_m2].map(|m2| format!("{:.1}", m2 / unit_m2)));
        }
        rows.push(row);
    }
    aligned(&rows)
}

fn summary(evaluation: &Evaluation) -> String {
    let Measures { scores, boundary, counts } = &evaluation.pooled;
    let mut rows = Vec::new();
    if let Some(positive) = scores.positive {
        rows.push(vec![format!("IoU of {}", evaluation.classes[positive].name), percent(scores.headline_iou())]);
    }
    rows.push(vec!["overall accuracy".into(), percent(scores.accuracy)]);
    rows.push(vec!["mean IoU".into(), percent(scores.mean_iou)]);
    rows.push(vec!["mean F1".into(), percent(scores.mean_f1)]);
    rows.push(vec!["mean class accuracy".into(), percent(scores.mean_class_accuracy)]);
    rows.push(vec!["kappa".into(), plain(scores.kappa)]);
    if let (Some(boundary), Some(distance)) = (boundary, evaluation.boundary) {
        rows.push(vec![format!("mean boundary F1 within {distance}"), percent(boundary.mean_f1)]);
    }
    let mut text = aligned(&rows);
    let _ = write!(text, "\nScores in percent (kappa: -1 to 1), over {} pixels", grouped(scores.pixels));
    let _ = writeln!(
        text,
        " where map and labels are both valid ({} mapped pixels have no label, {} labelled pixels no map).",
        grouped(counts.unlabelled),
        grouped(counts.unmapped)
    );
    text
}

/// Columns as wide as their widest cell; the first to the left, the others to the right.
pub(crate) fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, &width))| match column {
            0 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        text += cells.collect::<Vec<_>>().join("  ").trim_end();
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::{BoundaryDistance, Comparison, SceneEvaluation};
    use super::*;
    use crate::metrics::BoundaryTolerance;

    fn evaluation(scenes: usize) -> Evaluation {
        let names = ["ground", "buildings"];
        let classes = names.map(|name| EvaluatedClass { name: name.into(), color: [0; 3] }).to_vec();
        let scene = |index: usize| {
            let mut comparison = Comparison::new(2, 4, Some(BoundaryTolerance::pixels(1.0)));
            comparison.push_row(&[0, 0, 1, 1], &[0, 1, 1, 1], Some(100.0));
            SceneEvaluation {
                map: format!("map_{index}.tif"),
                labels: "labels.tif".into(),
                measures: Measures::new(comparison.finish(), Some(1)),
            }
        };
        let scenes: Vec<_> = (0..scenes).map(scene).collect();
        let mut counts = scenes[0].measures.counts.clone();
        scenes[1..].iter().for_each(|scene| counts.merge(&scene.measures.counts));
        let boundary = Some(BoundaryDistance::Pixels(1.0));
        Evaluation { classes, boundary, scenes, pooled: Measures::new(counts, Some(1)) }
    }

    #[test]
    fn the_positive_class_comes_first_and_columns_align() {
        let text = table(&evaluation(1));
        let expected = "\
class      precision  recall     F1     IoU  boundary F1  reference px  map px  reference m2  map m2
buildings      66.67  100.00  80.00   66.67       100.00             2       3         200.0   300.0
ground        100.00   50.00  66.67   50.00       100.00             2       1         200.0   100.0

IoU of buildings                66.67
overall accuracy                75.00
mean IoU                        58.33
mean F1                         73.33
mean class accuracy             75.00
kappa                           0.500
mean boundary F1 within 1 px   100.00

Scores in percent (kappa: -1 to 1), over 4 pixels where map and labels are both valid \
(0 mapped pixels have no label, 0 labelled pixels no map).
";
        assert_eq!(text.split_whitespace().collect::<Vec<_>>(), expected.split_whitespace().collect::<Vec<_>>());
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0].len(), lines[1].len());
        assert_eq!(lines[1].len(), lines[2].len());
    }

    #[test]
    fn several_scenes_get_a_line_each() {
        let text = table(&evaluation(2));
        assert!(text.contains("map_0.tif") && text.contains("map_1.tif"));
        assert!(text.contains("over 8 pixels"), "{text}");
    }

    #[test]
    fn numbers_read_well() {
        assert_eq!([grouped(7), grouped(1234), grouped(1_234_567)], ["7", "1 234", "1 234 567"]);
        assert_eq!((percent(None), percent(Some(0.12345))), ("-".into(), "12.35".into()));
        assert_eq!(area_unit(2e5).0, "ha");
    }
}
