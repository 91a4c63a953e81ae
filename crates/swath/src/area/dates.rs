//! When a map is from, by its name.

/// A day, a month or a year.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MapDate {
    /// Year.
    pub year: u16,
    /// Month, 1 to 12, where it is known.
    pub month: Option<u8>,
    /// Day, 1 to 31, where it is known.
    pub day: Option<u8>,
}

/// What maps are gathered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    /// Calendar days.
    Day,
    /// Calendar months.
    Month,
    /// Calendar years.
    Year,
    /// All maps together.
    All,
}

impl MapDate {
    /// The date in a text, such as a file name: the first of `20190714`, `2019-07-14`, `2019_07_14` and `2019195` (day of the year),
    /// else the first of `201907` and `2019-07`, else the first year, 1950 to 2100. Digits count only as a whole.
    ///
    /// ```
    /// use swath::area::MapDate;
    ///
    /// let july = MapDate::find("T33UUU_20190714T102101_burned").unwrap();
    /// assert_eq!(july.to_string(), "2019-07-14");
    /// assert_eq!(MapDate::find("MCD64A1.A2019195.h19v04").unwrap(), july);
    /// assert_eq!(MapDate::find("burned_2019-07_10m").unwrap().to_string(), "2019-07");
    /// assert_eq!(MapDate::find("lsat7_2000_10m").unwrap().to_string(), "2000");
    /// assert_eq!(MapDate::find("tile_193023_v2"), None);
    /// ```
    pub fn find(text: &str) -> Option<MapDate> {
        let runs = digit_runs(text);
        let days = runs.iter().enumerate().filter_map(|(index, run)| match run.digits.len() {
            8 => date(&run.digits[..4], &run.digits[4..6], Some(&run.digits[6..])),
            14 => date(&run.digits[..4], &run.digits[4..6], Some(&run.digits[6..8])),
            7 => day_of_year(&run.digits[..4], &run.digits[4..]),
            4 => match &runs[index + 1..] {
                [month, day, ..] if month.joint.is_some() && month.joint == day.joint => {
                    date(run.digits, month.digits, Some(day.digits))
                }
                _ => None,
            },
            _ => None,
        });
        let months = runs.iter().enumerate().filter_map(|(index, run)| match run.digits.len() {
            6 => date(&run.digits[..4], &run.digits[4..], None),
            4 => {
                let month = runs.get(index + 1).filter(|month| month.joint == Some(b'-'));
                month.and_then(|month| date(run.digits, month.digits, None))
            }
            _ => None,
        });
        let years = runs.iter().filter(|run| run.digits.len() == 4).filter_map(|run| year(run.digits));
        let years = years.map(|year| MapDate { year, month: None, day: None });
        days.chain(months).chain(years).next()
    }

    /// The date that a text is, and nothing else: `2019-07-14`, `20190714`, `2019-07`, `201907` or `2019`.
    ///
    /// ```
    /// use swath::area::MapDate;
    ///
    /// assert_eq!(MapDate::parse("2019-07").unwrap().to_string(), "2019-07");
    /// assert_eq!(MapDate::parse("2019-02-29"), None);
    /// ```
    pub fn parse(text: &str) -> Option<MapDate> {
        let found = MapDate::find(text)?;
        let written = found.to_string();
        [written.replace('-', ""), written].contains(&text.trim().to_owned()).then_some(found)
    }

    /// The name of the period that the date lies in; `None` where the date does not say it.
    pub(super) fn label(&self, period: Period) -> Option<String> {
        let MapDate { year, month, day } = *self;
        match period {
            Period::Day => Some(format!("{year:04}-{:02}-{:02}", month?, day?)),
            Period::Month => Some(format!("{year:04}-{:02}", month?)),
            Period::Year => Some(format!("{year:04}")),
            Period::All => Some("all".into()),
        }
    }
}

impl std::fmt::Display for MapDate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04}", self.year)?;
        self.month.map_or(Ok(()), |month| write!(f, "-{month:02}"))?;
        self.day.map_or(Ok(()), |day| write!(f, "-{day:02}"))
    }
}

/// Digits between others.
struct Run<'a> {
    digits: &'a str,
    /// The one `-`, `_` or `.` between the run before and this one, which has two digits.
    joint: Option<u8>,
}

fn digit_runs(text: &str) -> Vec<Run<'_>> {
    let mut runs: Vec<Run<'_>> = Vec::new();
    let (mut start, mut last_end) = (None, None);
    let bytes = text.as_bytes();
    for at in 0..=bytes.len() {
        let digit = bytes.get(at).is_some_and(u8::is_ascii_digit);
        match (start, digit) {
            (None, true) => start = Some(at),
            (Some(from), false) => {
                let between = last_end.map(|end: usize| &bytes[end..from]);
                let joint = match between {
                    Some(&[joint @ (b'-' | b'_' | b'.')]) if at - from == 2 => Some(joint),
                    _ => None,
                };
                runs.push(Run { digits: &text[from..at], joint });
                (start, last_end) = (None, Some(at));
            }
            _ => {}
        }
    }
    runs
}

fn year(digits: &str) -> Option<u16> {
    digits.parse().ok().filter(|year| (1950..=2100).contains(year))
}

fn date(year_digits: &str, month: &str, day: Option<&str>) -> Option<MapDate> {
    let year = year(year_digits)?;
    let month: u8 = month.parse().ok().filter(|month| (1..=12).contains(month))?;
    let last = days_in(year)[usize::from(month) - 1];
    let day = match day {
        Some(day) => Some(day.parse().ok().filter(|day| (1..=last).contains(day))?),
        None => None,
    };
    Some(MapDate { year, month: Some(month), day })
}

fn day_of_year(year_digits: &str, day: &str) -> Option<MapDate> {
    let year = year(year_digits)?;
    let mut left: u16 = day.parse().ok().filter(|&day| day > 0)?;
    for (month, days) in (1u8..).zip(days_in(year)) {
        if left <= u16::from(days) {
            return Some(MapDate { year, month: Some(month), day: Some(left as u8) });
        }
        left -= u16::from(days);
    }
    None
}

fn days_in(year: u16) -> [u8; 12] {
    let leap = year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_found_in_names() {
        for (name, found) in [
            ("burned_20200229", Some("2020-02-29")),
            ("burned_20190229", None),
            ("2019.07.14", Some("2019-07-14")),
            ("a2019_7_14", Some("2019")),
            ("S1A_IW_20190714152030_x", Some("2019-07-14")),
            ("A2020366", Some("2020-12-31")),
            ("A2019366", None),
            ("LC08_193023_20200101_02", Some("2020-01-01")),
            ("2019-07_10m", Some("2019-07")),
            ("fire-201912-v3", Some("2019-12")),
            ("fire-201913-v3", None),
            ("12-07-2019", Some("2019")),
            ("map", None),
            ("", None),
        ] {
            assert_eq!(MapDate::find(name).map(|date| date.to_string()).as_deref(), found, "{name}");
        }
    }

    #[test]
    fn a_text_is_a_date_or_none() {
        let parsed = |text| MapDate::parse(text).map(|date| date.to_string());
        for (text, date) in
            [("20190714", "2019-07-14"), (" 2019-07-14", "2019-07-14"), ("201907", "2019-07"), ("2019", "2019")]
        {
            assert_eq!(parsed(text).as_deref(), Some(date), "{text}");
        }
        for wrong in ["2019-13-45", "2019-02-30", "2019-13", "in 2019", "1900", "14.07.2019", ""] {
            assert_eq!(parsed(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn periods_need_what_they_are_named_by() {
        let date = MapDate { year: 2019, month: Some(7), day: None };
        let labels = [Period::Day, Period::Month, Period::Year, Period::All].map(|period| date.label(period));
        assert_eq!(labels, [None, Some("2019-07".into()), Some("2019".into()), Some("all".into())]);
    }
}
