//! The page: its sections in reading order.

use std::fmt::Write;
use std::path::Path;

use crate::evaluate::{ErrorMapCoding, EvaluatedClass, Evaluation, Preview, grouped, percent};
use crate::metrics::Confusion;

use super::chart::{Chart, Series};
use super::html::{escape, image, swatch};
use super::matrix::heat_map;
use super::picture::{class_picture, error_picture};
use super::tables::{class_table, scene_table};
use super::{Curves, Picture, ReportData};

/// The report as one HTML document.
///
/// # Panics
/// When a chip's labels do not have the size of its image, or the evaluation's lists do not fit its classes.
pub fn render(data: &ReportData) -> String {
    compose(data, &[])
}

/// The report of an evaluation: scores, confusion matrix, and every scene with its labels, its map and its errors.
///
/// # Panics
/// As [`render`].
pub fn render_evaluation(evaluation: &Evaluation, previews: &[Preview], subtitle: &str) -> String {
    let data = ReportData {
        title: match &evaluation.scenes[..] {
            [scene] => format!("Evaluation of {}", file_name(&scene.map)),
            scenes => format!("Evaluation of {} maps", scenes.len()),
        },
        subtitle: subtitle.to_owned(),
        classes: evaluation.classes.clone(),
        evaluation: Some(evaluation.clone()),
        ..ReportData::default()
    };
    compose(&data, previews)
}

/// The last part of a path; the whole text where there is none.
fn file_name(path: &str) -> &str {
    Path::new(path).file_name().and_then(|name| name.to_str()).unwrap_or(path)
}

fn compose(data: &ReportData, previews: &[Preview]) -> String {
    let mut html = String::from("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">");
    html.push_str(r#"<meta name="viewport" content="width=device-width, initial-scale=1">"#);
    let _ = write!(html, "<title>{}</title><style>{}</style></head><body><main>", escape(&data.title), STYLE);
    let _ = write!(html, "<header><h1>{}</h1>", escape(&data.title));
    if !data.subtitle.is_empty() {
        let _ = write!(html, r#"<p class="quiet">{}</p>"#, escape(&data.subtitle));
    }
    html.push_str("</header>");
    if let Some(evaluation) = &data.evaluation {
        html.push_str(&tiles(evaluation));
    }
    html.push_str(&map(data));
    html.push_str(&facts(data));
    html.push_str(&curves(&data.curves));
    if let Some(evaluation) = &data.evaluation {
        html.push_str(&scores(evaluation));
        html.push_str(&scenes(evaluation, previews));
    }
    html.push_str(&examples(data));
    if !data.recipe.is_empty() {
        let _ = write!(html, "<details><summary>Recipe</summary><pre>{}</pre></details>", escape(&data.recipe));
    }
    let _ = writeln!(html, "<footer>Swath {}</footer></main></body></html>", env!("CARGO_PKG_VERSION"));
    html
}

const STYLE: &str = include_str!("style.css");

/// The few numbers to remember.
fn tiles(evaluation: &Evaluation) -> String {
    let measures = &evaluation.pooled;
    let scores = &measures.scores;
    let mut tiles = Vec::new();
    if let Some(positive) = scores.positive {
        let class = &scores.classes[positive];
        tiles.push((format!("IoU of {}", evaluation.classes[positive].name), class.iou));
        tiles.push((format!("F1 of {}", evaluation.classes[positive].name), class.f1));
    }
    tiles.push(("Mean IoU".into(), scores.mean_iou));
    tiles.push(("Overall accuracy".into(), scores.accuracy));
    if scores.positive.is_none() {
        tiles.push(("Mean class accuracy".into(), scores.mean_class_accuracy));
    }
    if let (Some(boundary), Some(distance)) = (&measures.boundary, evaluation.boundary) {
        tiles.push((format!("Boundary F1 within {distance}"), boundary.mean_f1));
    }
    let mut html = String::from(r#"<dl class="tiles">"#);
    for (label, share) in tiles {
        let value = share.map_or_else(|| "–".into(), |share| format!("{:.1}<small>%</small>", 100.0 * share));
        let _ = write!(html, "<div><dt>{}</dt><dd>{value}</dd></div>", escape(&label));
    }
    let kappa = scores.kappa.map_or_else(|| "–".into(), |kappa| format!("{kappa:.3}"));
    let _ = write!(html, "<div><dt>Kappa</dt><dd>{kappa}</dd></div></dl>");
    html
}

fn map(data: &ReportData) -> String {
    let Some((picture, caption)) = &data.map else {
        return if data.classes.is_empty() {
            String::new()
        } else {
            format!("<h2>Classes</h2>{}", legend(&data.classes))
        };
    };
    format!(
        r#"<h2>Map</h2><figure class="map">{}<figcaption>{}</figcaption></figure>{}"#,
        image(picture, "map"),
        escape(caption),
        legend(&data.classes)
    )
}

fn legend(classes: &[EvaluatedClass]) -> String {
    let mut html = String::from(r#"<ul class="legend">"#);
    for class in classes {
        let _ = write!(html, "<li>{}{}</li>", swatch(class.color), escape(&class.name));
    }
    html.push_str("</ul>");
    html
}

fn facts(data: &ReportData) -> String {
    if data.facts.is_empty() {
        return String::new();
    }
    let mut html = String::from(r#"<h2>Run</h2><dl class="facts">"#);
    for fact in &data.facts {
        let _ = write!(html, "<div><dt>{}</dt><dd>{}</dd></div>", escape(&fact.label), escape(&fact.value));
    }
    html.push_str("</dl>");
    html
}

fn curves(curves: &Curves) -> String {
    let loss = Chart {
        title: "Loss",
        series: vec![
            Series { name: "training", points: &curves.training_loss, noisy: true },
            Series { name: "validation", points: &curves.validation_loss, noisy: false },
        ],
        may_be_log: true,
    };
    let named = |(name, points): &'_ (String, Vec<(f64, f64)>)| (name.clone(), points.clone());
    let iou: Vec<_> = curves.validation_iou.iter().map(named).collect();
    let iou = Chart {
        title: "Validation IoU",
        series: iou.iter().map(|(name, points)| Series { name, points, noisy: false }).collect(),
        may_be_log: false,
    };
    let rate = Chart {
        title: "Learning rate",
        series: vec![Series { name: "learning rate", points: &curves.learning_rate, noisy: false }],
        may_be_log: false,
    };
    let charts = [loss, iou, rate].map(|chart| chart.svg()).concat();
    if charts.is_empty() {
        return String::new();
    }
    format!(r#"<h2>Training</h2><p class="quiet">Over optimizer steps.</p><div class="charts">{charts}</div>"#)
}

fn scores(evaluation: &Evaluation) -> String {
    let counts = &evaluation.pooled.counts;
    let left_out = match (counts.unlabelled, counts.unmapped) {
        (0, 0) => String::new(),
        (unlabelled, unmapped) => {
            let (unlabelled, unmapped) = (grouped(unlabelled), grouped(unmapped));
            format!("; {unlabelled} mapped pixels have no label, {unmapped} labelled pixels no map")
        }
    };
    format!(
        r#"<h2>Scores by class</h2><p class="quiet">In percent, over {} pixels where map and labels are both valid{left_out}. A dash marks a score that is undefined because the class does not occur.</p>{}{}<h2>Confusion</h2><p class="quiet">Rows are the reference, columns the map: percent of the reference class, and pixels.</p>{}"#,
        grouped(counts.confusion.total()),
        class_table(evaluation),
        scene_table(evaluation),
        heat_map(&evaluation.classes, &counts.confusion)
    )
}

fn examples(data: &ReportData) -> String {
    if data.examples.is_empty() {
        return String::new();
    }
    let positive = data.evaluation.as_ref().and_then(|evaluation| evaluation.pooled.scores.positive);
    let positive = positive.or((data.classes.len() == 2).then_some(1));
    let coding = ErrorMapCoding::new(&data.classes, positive);
    let mut html = format!("<h2>Examples</h2>{}", error_legend(coding.as_ref(), positive));
    for chip in &data.examples {
        let pair = LabelPair {
            width: chip.image.width,
            height: chip.image.height,
            labels: &chip.labels,
            predicted: &chip.predicted,
        };
        let confusion = Confusion::from_labels(data.classes.len(), &chip.labels, &chip.predicted);
        let right = right(confusion.correct(), confusion.total());
        let pictures = pair.pictures("Prediction", &data.classes, coding.as_ref());
        let image = std::iter::once(("Image", chip.image.clone()));
        html.push_str(&views(&chip.caption, &right, image.chain(pictures), CHIP_SIDE));
    }
    html
}

fn scenes(evaluation: &Evaluation, previews: &[Preview]) -> String {
    if previews.is_empty() {
        return String::new();
    }
    let positive = evaluation.pooled.scores.positive;
    let coding = ErrorMapCoding::new(&evaluation.classes, positive);
    let mut html = format!("<h2>Maps</h2>{}", error_legend(coding.as_ref(), positive));
    for (scene, preview) in evaluation.scenes.iter().zip(previews) {
        let Preview { width, height, labels, predicted, .. } = preview;
        let pair = LabelPair { width: *width, height: *height, labels, predicted };
        let confusion = &scene.measures.counts.confusion;
        let right = right(confusion.correct(), confusion.total());
        let pictures = pair.pictures("Map", &evaluation.classes, coding.as_ref());
        html.push_str(&views(&scene.map, &right, pictures, SCENE_SIDE));
    }
    html
}

/// Chips are shown at most this large: four of them side by side fill a page.
const CHIP_SIDE: usize = 320;
/// The same for scenes, of which there are three pictures.
const SCENE_SIDE: usize = 800;

/// Reference and prediction of one place.
struct LabelPair<'a> {
    width: usize,
    height: usize,
    labels: &'a [u16],
    predicted: &'a [u16],
}

impl LabelPair<'_> {
    /// Labels, prediction and, where there is a coding for so many classes, errors.
    fn pictures(
        &self,
        predicted: &'static str,
        classes: &[EvaluatedClass],
        coding: Option<&ErrorMapCoding>,
    ) -> impl Iterator<Item = (&'static str, Picture)> {
        let (width, height) = (self.width, self.height);
        let errors = coding.map(|coding| error_picture(width, height, self.labels, self.predicted, coding));
        let pictures = [
            ("Labels", Some(class_picture(width, height, self.labels, classes))),
            (predicted, Some(class_picture(width, height, self.predicted, classes))),
            ("Errors", errors),
        ];
        pictures.into_iter().filter_map(|(name, picture)| Some((name, picture?)))
    }
}

fn right(correct: u64, total: u64) -> String {
    match total {
        0 => "no labels".into(),
        total => format!("{} % right", percent(Some(correct as f64 / total as f64))),
    }
}

/// Pictures of the same place, side by side.
fn views(caption: &str, note: &str, pictures: impl Iterator<Item = (&'static str, Picture)>, side: usize) -> String {
    let mut html = format!(
        r#"<figure class="example"><figcaption>{} <small>{note}</small></figcaption><div class="views">"#,
        escape(caption)
    );
    for (name, picture) in pictures {
        let image = image(&picture.thumbnail(side), &format!("{name}: {caption}"));
        let exact = if name == "Image" { "" } else { r#" class="exact""# };
        let _ = write!(html, "<figure{exact}>{image}<figcaption>{name}</figcaption></figure>");
    }
    html.push_str("</div></figure>");
    html
}

fn error_legend(coding: Option<&ErrorMapCoding>, positive: Option<usize>) -> String {
    match coding {
        Some(coding) if positive.is_some() && coding.legend.len() == 4 => format!("{}<br>", legend(&coding.legend)),
        Some(_) => ERRORS_BY_CLASS.into(),
        None => String::new(),
    }
}

const ERRORS_BY_CLASS: &str = r#"<p class="quiet">Where the prediction is wrong, the error picture has the colour of the class that was predicted; correct pixels are grey.</p>"#;

#[cfg(test)]
mod tests {
    use super::super::{ExampleChip, Fact};
    use super::*;
    use crate::evaluate::{BoundaryDistance, Comparison, Measures, SceneEvaluation};
    use crate::metrics::BoundaryTolerance;

    /// An invented run whose every text tries to break out of the page.
    fn invented(classes: usize) -> ReportData {
        let nasty = "<script>alert(1)</script>\"'&";
        let classes: Vec<_> = (0..classes)
            .map(|i| EvaluatedClass { name: format!("{nasty}{i}"), color: [40 * i as u8, 90, 200] })
            .collect();
        let labels: Vec<u16> = (0..64).map(|i| (i / 9 % classes.len()) as u16).collect();
        let predicted: Vec<u16> = (0..64).map(|i| (i / 10 % classes.len()) as u16).collect();
        let positive = (classes.len() == 2).then_some(1);
        let mut comparison = Comparison::new(classes.len(), 8, Some(BoundaryTolerance::pixels(1.0)));
        for (reference, predicted) in labels.chunks(8).zip(predicted.chunks(8)) {
            comparison.push_row(reference, predicted, Some(1e4));
        }
        let measures = Measures::new(comparison.finish(), positive);
        let scene = SceneEvaluation { map: nasty.into(), labels: nasty.into(), measures: measures.clone() };
        ReportData {
            title: nasty.into(),
            subtitle: nasty.into(),
            facts: vec![Fact::new(nasty, nasty)],
            map: Some((class_picture(8, 8, &predicted, &classes), nasty.into())),
            curves: Curves {
                training_loss: (0..100).map(|i| (f64::from(i), 1.0 / f64::from(i + 1))).collect(),
                validation_loss: vec![(10.0, 0.5), (20.0, f64::NAN)],
                validation_iou: vec![(nasty.into(), vec![(10.0, 0.2), (20.0, 0.4)])],
                learning_rate: vec![(0.0, 1e-3), (100.0, 1e-5)],
            },
            evaluation: Some(Evaluation {
                classes: classes.clone(),
                boundary: Some(BoundaryDistance::Metres(2.0)),
                scenes: vec![scene.clone(), scene],
                pooled: measures,
            }),
            examples: vec![ExampleChip {
                caption: nasty.into(),
                image: Picture::filled(8, 8, [9, 9, 9, 255]),
                labels,
                predicted,
            }],
            recipe: nasty.into(),
            classes,
        }
    }

    #[test]
    fn no_text_of_a_user_becomes_markup() {
        for classes in [2, 5] {
            let page = render(&invented(classes));
            assert!(!page.contains("<script"), "markup of a user got through");
            assert!(page.contains("&lt;script&gt;"));
        }
    }

    #[test]
    fn the_page_needs_no_network() {
        let page = render(&invented(3));
        for reference in ["http:", "https:", "src=\"/", "@import", "url(", "<link"] {
            assert!(!page.contains(reference), "{reference}");
        }
        assert_eq!(page.matches("<img").count(), page.matches("src=\"data:image/png;base64,").count());
    }

    #[test]
    fn every_tag_is_closed() {
        for data in [invented(2), invented(5), ReportData::default()] {
            let page = render(&data);
            for tag in ["div", "figure", "table", "thead", "tbody", "tr", "td", "th", "dl", "ul", "svg", "p", "details"]
            {
                let open = page.matches(&format!("<{tag} ")).count() + page.matches(&format!("<{tag}>")).count();
                assert_eq!(open, page.matches(&format!("</{tag}>")).count(), "{tag}");
            }
            assert!(!page.contains("NaN"));
        }
    }

    #[test]
    fn an_evaluation_shows_labels_map_and_errors_of_every_scene() {
        let Some(mut evaluation) = invented(2).evaluation else { panic!("no evaluation") };
        let preview = Preview { width: 2, height: 1, factor: 4, labels: vec![0, 1], predicted: vec![1, 1] };
        let page = render_evaluation(&evaluation, &[preview.clone(), preview.clone()], "");
        assert!(page.contains("<h1>Evaluation of 2 maps</h1>"));
        assert_eq!(page.matches("<img").count(), 6);
        evaluation.scenes.truncate(1);
        evaluation.scenes[0].map = "runs/<a>.tif".into();
        let page = render_evaluation(&evaluation, &[preview], "");
        assert!(page.contains("<h1>Evaluation of &lt;a&gt;.tif</h1>"));
    }

    #[test]
    fn what_is_empty_is_left_out() {
        let page = render(&ReportData::default());
        for heading in ["Training", "Scores", "Confusion", "Examples", "Map", "Recipe"] {
            assert!(!page.contains(&format!("<h2>{heading}")), "{heading}");
        }
    }
}
