//! Medians, and tables in Markdown.

use crate::case::Answer;

/// The middle of some numbers; of an even count the mean of the two in the middle.
pub(crate) fn median(numbers: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut numbers: Vec<f64> = numbers.into_iter().collect();
    numbers.sort_by(f64::total_cmp);
    let half = numbers.len() / 2;
    match numbers.len() {
        0 => None,
        len if len % 2 == 1 => Some(numbers[half]),
        _ => Some(f64::midpoint(numbers[half - 1], numbers[half])),
    }
}

/// A number in three digits, or `-`.
pub(crate) fn three_digits(number: Option<f64>) -> String {
    match number {
        None => "-".into(),
        Some(number) if number.abs() >= 100.0 => format!("{number:.0}"),
        Some(number) if number.abs() >= 10.0 => format!("{number:.1}"),
        Some(number) => format!("{number:.2}"),
    }
}

/// A table of Markdown.
pub(crate) fn markdown(title: &str, head: &[&str], rows: &[Vec<String>]) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let head: Vec<String> = head.iter().map(|cell| (*cell).to_owned()).collect();
    let rule: Vec<String> = (0..head.len()).map(|at| if at == 0 { "---".into() } else { "---:".into() }).collect();
    let body: String = rows.iter().map(|row| line(row)).collect();
    format!("**{title}**\n\n{}{}{body}", line(&head), line(&rule))
}

/// The head of a comparison; see [`compared`].
pub(crate) fn comparison_head(unit: &str) -> [String; 4] {
    ["what".into(), format!("Swath, {unit}"), format!("Python, {unit}"), "ratio".into()]
}

/// A row of a comparison of rates: both, and how many times as fast Swath is.
pub(crate) fn compared(what: String, own: &[Answer], others: &[Answer]) -> Vec<String> {
    let rate = |answers: &[Answer]| median(answers.iter().map(|answer| answer.rate));
    let (own, other) = (rate(own), rate(others));
    let ratio = own.zip(other).map(|(own, other)| own / other);
    vec![what, three_digits(own), three_digits(other), three_digits(ratio)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median([]), None);
        assert_eq!(median([3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median([4.0, 1.0]), Some(2.5));
    }

    #[test]
    fn a_row_says_how_many_times_as_fast() {
        let answers = |rate| [Answer { rate, ..Answer::default() }];
        let row = compared("x".into(), &answers(30.0), &answers(12.0));
        assert_eq!(row, ["x", "30.0", "12.0", "2.50"]);
        assert_eq!(compared("x".into(), &answers(30.0), &[])[2..], ["-", "-"]);
        assert_eq!(
            markdown("t", &["a", "b"], &[vec!["1".into(), "2".into()]]),
            "**t**\n\n| a | b |\n| --- | ---: |\n| 1 | 2 |\n"
        );
    }
}
