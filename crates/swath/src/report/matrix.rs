//! The confusion matrix as a heat map.

use std::fmt::Write;

use crate::evaluate::EvaluatedClass;
use crate::metrics::Confusion;

use super::html::{escape, swatch};
use crate::evaluate::grouped;

/// A table with one row for each reference class: shares of the row as shades and percentages, counts as small print.
pub(super) fn heat_map(classes: &[EvaluatedClass], confusion: &Confusion) -> String {
    // Long rows of upright names would not fit.
    let turned = if classes.len() > 6 { " turned" } else { "" };
    let mut html = format!(r#"<div class="scroll"><table class="matrix{turned}"><thead><tr><th></th>"#);
    for class in classes {
        let _ = write!(html, r#"<th scope="col"><span>{}{}</span></th>"#, swatch(class.color), escape(&class.name));
    }
    html.push_str("</tr></thead><tbody>");
    for (reference, class) in classes.iter().enumerate() {
        let _ = write!(html, r#"<tr><th scope="row">{}{}</th>"#, swatch(class.color), escape(&class.name));
        let total = confusion.in_reference(reference);
        for predicted in 0..classes.len() {
            html.push_str(&cell(confusion.get(reference, predicted), total, reference == predicted));
        }
        html.push_str("</tr>");
    }
    html.push_str("</tbody></table></div>");
    html
}

fn cell(count: u64, total: u64, diagonal: bool) -> String {
    if total == 0 {
        return r#"<td class="none">–</td>"#.into();
    }
    let share = count as f64 / total as f64;
    let mut kind = String::from(if diagonal { "hit" } else { "miss" });
    if share > 0.55 {
        kind.push_str(" strong");
    }
    // The square root keeps small confusions visible.
    let shade = share.sqrt();
    let percent = match 100.0 * share {
        _ if count == 0 => "0".into(),
        percent if percent < 0.05 => "&lt;0.1".into(),
        percent => format!("{percent:.1}"),
    };
    format!(r#"<td class="{kind}" style="--a:{shade:.3}">{percent}<small>{}</small></td>"#, grouped(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_shares_of_the_reference() {
        let classes = ["<b>", "c"].map(|name| EvaluatedClass { name: name.into(), color: [1, 2, 3] });
        let confusion = Confusion::from_labels(2, &[0, 0, 0, 0], &[0, 0, 0, 1]);
        let html = heat_map(&classes, &confusion);
        assert!(html.contains("75.0<small>3</small>") && html.contains("25.0<small>1</small>"), "{html}");
        assert!(html.contains("&lt;b&gt;") && !html.contains("<b>"));
        assert!(cell(1, 100_000, false).contains("&lt;0.1<small>1<") && cell(0, 9, false).contains(">0<small>0<"));
        assert_eq!(html.matches(r#"class="none""#).count(), 2);
    }
}
