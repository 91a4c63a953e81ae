//! Fields of CSV files.

/// A text as a field of a CSV file (RFC 4180).
///
/// ```
/// assert_eq!(swath::csv::field("a,b"), "\"a,b\"");
/// ```
pub fn field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::field;

    #[test]
    fn only_what_needs_quotes_gets_them() {
        assert_eq!(["a b", "a,b", "say \"a\"", ""].map(field), ["a b", "\"a,b\"", "\"say \"\"a\"\"\"", ""]);
    }
}
