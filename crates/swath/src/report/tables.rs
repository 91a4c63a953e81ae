//! Scores by class and by scene as HTML tables.

use std::fmt::Write;

use crate::evaluate::{Evaluation, area_unit, grouped, percent};

use super::html::{escape, swatch};

/// Scores of every class, the positive class of a two-class problem first.
pub(super) fn class_table(evaluation: &Evaluation) -> String {
    let measures = &evaluation.pooled;
    let areas = measures.counts.areas.as_deref();
    let largest = areas.unwrap_or_default().iter().map(|a| a.reference_m2.max(a.map_m2)).fold(0.0, f64::max);
    let (unit, unit_m2) = area_unit(largest);
    let unit = unit.replace('2', "²");
    let mut html = String::from(r#"<div class="scroll"><table class="scores"><thead><tr><th>Class</th>"#);
    html.push_str(r#"<th>IoU</th><th class="bars"></th><th>F1</th><th>Precision</th><th>Recall</th>"#);
    if measures.boundary.is_some() {
        html.push_str("<th>Boundary F1</th>");
    }
    html.push_str("<th>Reference px</th>");
    if areas.is_some() {
        let _ = write!(html, "<th>Reference {unit}</th><th>Map {unit}</th>");
    }
    html.push_str("</tr></thead><tbody>");
    for scores in measures.scores.reading_order() {
        let class = &evaluation.classes[scores.class];
        let _ = write!(html, r#"<tr><th scope="row">{}{}</th>"#, swatch(class.color), escape(&class.name));
        let bar = scores.iou.map_or_else(String::new, |iou| format!(r#"<i style="width:{:.1}%"></i>"#, 100.0 * iou));
        let _ = write!(html, r#"<td class="main">{}</td><td class="bars">{bar}</td>"#, shown(scores.iou));
        for share in [scores.f1, scores.precision, scores.recall] {
            let _ = write!(html, "<td>{}</td>", shown(share));
        }
        if let Some(boundary) = &measures.boundary {
            let _ = write!(html, "<td>{}</td>", shown(boundary.f1[scores.class]));
        }
        let _ = write!(html, "<td>{}</td>", grouped(scores.support));
        if let Some(area) = areas.map(|areas| areas[scores.class]) {
            let in_unit = [area.reference_m2, area.map_m2].map(|m2| format!("{:.1}", m2 / unit_m2));
            let _ = write!(html, "<td>{}</td><td>{}</td>", in_unit[0], in_unit[1]);
        }
        html.push_str("</tr>");
    }
    html.push_str("</tbody></table></div>");
    html
}

/// One line for each scene; empty when there is only one.
pub(super) fn scene_table(evaluation: &Evaluation) -> String {
    if evaluation.scenes.len() < 2 {
        return String::new();
    }
    let mut html = String::from(
        r#"<h3>By scene</h3><div class="scroll"><table class="scores"><thead><tr><th>Map</th><th>Labels</th><th>Mean IoU</th><th>Accuracy</th><th>Kappa</th><th>Pixels</th></tr></thead><tbody>"#,
    );
    for scene in &evaluation.scenes {
        let scores = &scene.measures.scores;
        let _ = write!(
            html,
            r#"<tr><th scope="row">{}</th><td>{}</td><td class="main">{}</td><td>{}</td><td>{}</td><td>{}</td></tr>"#,
            escape(&scene.map),
            escape(&scene.labels),
            shown(scores.mean_iou),
            shown(scores.accuracy),
            scores.kappa.map_or_else(|| "–".into(), |kappa| format!("{kappa:.3}")),
            grouped(scores.pixels)
        );
    }
    html.push_str("</tbody></table></div>");
    html
}

/// A percentage, with a dash where the score is undefined.
fn shown(share: Option<f64>) -> String {
    share.map_or_else(|| "–".into(), |_| percent(share))
}
