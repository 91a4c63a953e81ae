//! An assessment as a table for spreadsheets.

use super::{Assessment, Interval};
use crate::csv::field;

/// One line for each measure and class: `measure,class,unit,value,standard_error,margin`. Accuracies and shares are 0 to 1, areas
/// square kilometres; what is unknown is empty.
pub fn csv(assessment: &Assessment) -> String {
    let mut text = String::from("measure,class,unit,value,standard_error,margin\n");
    let mut line = |measure: &str, class: &str, unit: &str, interval: Option<Interval>, factor: f64| {
        let number = |value: Option<f64>| value.map_or_else(String::new, |value| (value * factor).to_string());
        let numbers = match interval {
            Some(Interval { value, standard_error, margin }) => [Some(value), standard_error, margin].map(number),
            None => [None; 3].map(number),
        };
        text += &format!("{measure},{},{unit},{}\n", field(class), numbers.join(","));
    };
    line("overall_accuracy", "", "share", Some(assessment.overall_accuracy), 1.0);
    for class in &assessment.classes {
        let exact = |value: f64| Some(Interval { value, standard_error: None, margin: None });
        line("mapped_units", &class.name, "units", exact(class.mapped_units as f64), 1.0);
        line("reference_units", &class.name, "units", exact(class.reference_units as f64), 1.0);
        line("users_accuracy", &class.name, "share", class.users_accuracy, 1.0);
        line("producers_accuracy", &class.name, "share", class.producers_accuracy, 1.0);
        line("mapped_share", &class.name, "share", exact(class.mapped_share), 1.0);
        line("share", &class.name, "share", Some(class.share), 1.0);
        if class.area_m2.is_some() {
            line("area", &class.name, "km2", class.area_m2, 1e-6);
        }
    }
    text
}
