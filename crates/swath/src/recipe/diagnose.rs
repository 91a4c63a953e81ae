//! From TOML to a recipe, with errors that name the line, the dotted key and the nearest valid key.
//!
//! The valid keys are never listed here: they are taken from what serde says it expected.

use std::ops::Range;
use std::path::Path;

use serde::de::DeserializeOwned;
use swath_nn::decoder::DecoderConfig;
use toml::de::{DeTable, DeValue};

use super::{Recipe, overrides, start};
use crate::{Error, Result};

/// Reads `text`, applies the overrides and understands the outcome as a recipe, or as a table of networks.
pub(super) fn read<T: DeserializeOwned>(text: &str, file: &Path, assignments: &[String]) -> Result<T> {
    let wrong = |line, problem| Error::Recipe { file: file.to_path_buf(), line, problem };
    let mut table = toml::from_str::<toml::Table>(text).map_err(|error| {
        let line = error.span().map(|span| line_at(text, span.start));
        wrong(line, format!("not valid TOML: {}", one_line(error.message())))
    })?;
    for assignment in assignments {
        overrides::apply(&mut table, assignment).map_err(|problem| wrong(None, problem))?;
    }
    // Serde knows places only in text, so the overridden recipe becomes text again; the place of an
    // error in it is turned into a key, and the key is looked up in what the user wrote.
    let resolved = toml::to_string(&table).map_err(|error| wrong(None, one_line(&error.to_string())))?;
    toml::from_str(&resolved).map_err(|error| {
        let key = error.span().map(|span| key_at(&resolved, &span)).unwrap_or_default();
        let problem = explain(error.message(), &key, decoder_beside(&table, &key).as_deref());
        match blame(text, &key, assignments) {
            Place::Assignment(assignment) => wrong(None, format!("-s {assignment}: {problem}")),
            Place::Line(line) => wrong(line, problem),
        }
    })
}

/// The error of a recipe that serde understood and that cannot work all the same: a problem of the form
/// `key is ...` or `key: ...`.
pub(super) fn refuse(text: &str, file: &Path, assignments: &[String], problem: String) -> Error {
    let file = file.to_path_buf();
    let key = problem.split([' ', ':']).next().unwrap_or_default();
    match blame(text, key, assignments) {
        Place::Assignment(assignment) => {
            Error::Recipe { file, line: None, problem: format!("-s {assignment}: {problem}") }
        }
        Place::Line(line) => Error::Recipe { file, line, problem },
    }
}

/// The dotted key of the decoder of the network whose encoder or decoder a key is in: its table is `model` in a recipe.
fn decoder_beside(table: &toml::Table, key: &str) -> Option<String> {
    let steps = overrides::split(key)?;
    let network = &steps[..steps.iter().position(|step| step == "encoder" || step == "decoder")?];
    let (first, rest) = network.split_first()?;
    let network_table = rest.iter().try_fold(table.get(first)?, |table, step| table.get(step))?;
    let name = network_table.get("decoder")?.as_table()?.keys().next()?;
    Some(format!("{}.decoder.{name}", network.join(".")))
}

/// Serde's message in the words of a recipe; `decoder` is the dotted key of the decoder beside the key.
fn explain(message: &str, key: &str, decoder: Option<&str>) -> String {
    let message = one_line(message);
    let quoted = quoted(&message);
    if message.starts_with("unknown field") || message.starts_with("unknown variant") {
        let (wrong, valid) = quoted.split_first().map_or(("", &[][..]), |(wrong, valid)| (*wrong, valid));
        // The place is the key itself where an unknown key was met, and the key that holds it where an
        // unknown word was.
        let what = if key.ends_with(wrong) && !wrong.is_empty() {
            format!("unknown key `{key}`")
        } else {
            format!("{key} cannot be `{wrong}`")
        };
        // The keys that all encoders have are not among those that serde knows of one.
        let in_encoder = key.rsplit('.').nth(2) == Some("encoder");
        let shared = match message.starts_with("unknown field") && in_encoder {
            true => &start::KEYS[..],
            false => &[],
        };
        return format!("{what}{}", advice(wrong, &[valid, shared].concat(), decoder));
    }
    if message.starts_with("missing field") {
        let missing = quoted.first().copied().unwrap_or_default();
        return match key {
            "" => format!("`{missing}` is missing"),
            _ => format!("{key} lacks the key `{missing}`"),
        };
    }
    if message.starts_with("wanted exactly 1 element") {
        return format!("{key} must hold exactly one member, written as a table [{key}.NAME]");
    }
    if message.ends_with("expected newtype variant") {
        return format!("{key} must be a table that is named after its member, written as [{key}.NAME]");
    }
    let (problem, expected) = message.split_once(", expected ").unwrap_or((message.as_str(), ""));
    let expected = match expected {
        "" => String::new(),
        "u16" => format!(", expected a whole number from 0 to {}", u16::MAX),
        "usize" | "u64" | "u32" => ", expected a whole number, not negative".to_owned(),
        "i64" => ", expected a whole number".to_owned(),
        "f64" | "f32" => ", expected a number".to_owned(),
        "a boolean" => ", expected true or false".to_owned(),
        "a sequence" => ", expected a list [...]".to_owned(),
        other if other.starts_with("struct ") => ", expected a table { ... }".to_owned(),
        other if other.starts_with("enum ") => ", expected a table { name = { ... } } or a word".to_owned(),
        other => format!(", expected {other}"),
    };
    format!("{key}: {problem}{expected}").trim_start_matches(": ").to_owned()
}

/// `; did you mean ...? (valid here: ...)`
fn advice(wrong: &str, valid: &[&str], decoder: Option<&str>) -> String {
    let meant = |key: &str| format!("; did you mean `{key}`?");
    let hint = nearest(wrong, valid).map(meant).or_else(|| elsewhere(wrong, decoder)).unwrap_or_default();
    match valid {
        [] => format!("{hint} (no key is valid here)"),
        _ => format!("{hint}{} (valid here: {})", if hint.is_empty() { ";" } else { "" }, valid.join(", ")),
    }
    .replace("; (", " (")
}

/// The name among valid ones that a wrong one was probably meant to be.
///
/// ```
/// assert_eq!(swath::recipe::nearest("unet-resnet3", &["unet-valid", "unet-resnet34"]), Some("unet-resnet34"));
/// assert_eq!(swath::recipe::nearest("pancake", &["unet-valid", "unet-resnet34"]), None);
/// ```
pub fn nearest<'a>(wrong: &str, valid: &[&'a str]) -> Option<&'a str> {
    let alike = valid.iter().map(|name| (strsim::jaro_winkler(wrong, name), *name));
    alike.filter(|(likeness, _)| *likeness > 0.75).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, name)| name)
}

/// Where a key of this name is valid: in a recipe's section or in the decoder of this dotted key, else in decoders that are not there.
fn elsewhere(name: &str, decoder: Option<&str>) -> Option<String> {
    let has = |table: &str| keys(table).iter().any(|key| key == name);
    let member = |decoder: &str| format!("model.decoder.{decoder}");
    let own = decoder.and_then(|key| key.rsplit('.').next());
    if let (Some(key), Some(own)) = (decoder, own)
        && has(&member(own))
    {
        return Some(format!("; did you mean `{key}.{name}`?"));
    }
    if let Some(section) = valid_keys("").into_iter().find(|section| has(section)) {
        return Some(format!("; did you mean `{section}.{name}`?"));
    }
    let names = DecoderConfig::MEMBERS.iter().map(|member| member.name);
    let mut owners: Vec<&str> = names.filter(|name| has(&member(name))).collect();
    let last = owners.pop()?;
    let owners = match owners.as_slice() {
        [] => format!("decoder {last}"),
        owners => format!("decoders {} and {last}", owners.join(", ")),
    };
    let own = own.map(|own| format!(", and this one is {own}")).unwrap_or_default();
    Some(format!("; it is a key of {owners}{own}"))
}

/// The keys of a table of recipes, by its dotted key; none where there is no such table.
///
/// ```
/// assert_eq!(swath::recipe::keys("model.encoder.mit"), ["variant", "width"]);
/// ```
pub fn keys(table: &str) -> Vec<String> {
    valid_keys(&format!("[{table}]\n"))
}

/// What is valid under a header, learned by asking for what is surely not.
fn valid_keys(header: &str) -> Vec<String> {
    let asked = toml::from_str::<Recipe>(&format!("{header}\"?\" = 0\n"));
    let message = asked.err().map(|error| error.message().to_owned()).unwrap_or_default();
    if !message.starts_with("unknown field `?`") {
        return Vec::new();
    }
    quoted(&message).into_iter().skip(1).map(str::to_owned).collect()
}

/// The words between backquotes.
fn quoted(message: &str) -> Vec<&str> {
    message.split('`').skip(1).step_by(2).collect()
}

fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Where a key comes from.
enum Place<'a> {
    Assignment(&'a str),
    Line(Option<usize>),
}

/// Finds what wrote the key: the last assignment to it or to a table that holds it, else its line, else
/// an assignment inside of it, else the line of the innermost table around it.
fn blame<'a>(text: &str, key: &str, assignments: &'a [String]) -> Place<'a> {
    let steps = overrides::split(key).unwrap_or_default();
    let assigned = |wanted: &dyn Fn(&[String]) -> bool| {
        assignments.iter().rev().find(|assignment| {
            let set = assignment.split('=').next().and_then(overrides::split);
            set.is_some_and(|set| wanted(&set))
        })
    };
    let (depth, line) = line_of_key(text, &steps).unzip();
    if let Some(assignment) = assigned(&|set| steps.starts_with(set)) {
        return Place::Assignment(assignment);
    }
    match assigned(&|set| !steps.is_empty() && set.starts_with(&steps)) {
        Some(assignment) if depth != Some(steps.len()) => Place::Assignment(assignment),
        _ => Place::Line(line),
    }
}

/// The dotted key of the innermost key or value that covers the span; empty for the whole document, whose
/// span is empty.
fn key_at(text: &str, span: &Range<usize>) -> String {
    let mut best: Option<(usize, String)> = None;
    if !span.is_empty()
        && let Ok(table) = DeTable::parse(text)
    {
        walk(table.get_ref(), "", &mut |key, place| {
            let covers = place.start <= span.start && span.end <= place.end;
            if covers && best.as_ref().is_none_or(|(length, _)| place.len() <= *length) {
                best = Some((place.len(), key.to_owned()));
            }
        });
    }
    best.map(|(_, key)| key).unwrap_or_default()
}

/// How much of the key the text holds, and the line on which that part is written.
fn line_of_key(text: &str, steps: &[String]) -> Option<(usize, usize)> {
    let table = DeTable::parse(text).ok()?;
    let mut best: Option<(usize, usize)> = None;
    walk(table.get_ref(), "", &mut |found, place| {
        let depth = overrides::split(found).filter(|found| steps.starts_with(found)).map_or(0, |found| found.len());
        if depth > 0 && best.is_none_or(|(deepest, _)| depth > deepest) {
            best = Some((depth, line_at(text, place.start)));
        }
    });
    best
}

/// Calls `visit` with the dotted key and the place of every key, and of every value after its key.
fn walk(table: &DeTable, prefix: &str, visit: &mut impl FnMut(&str, Range<usize>)) {
    for (name, value) in table {
        let key = if prefix.is_empty() { name.get_ref().to_string() } else { format!("{prefix}.{}", name.get_ref()) };
        visit(&key, name.span());
        walk_value(value, &key, visit);
    }
}

fn walk_value(value: &toml::Spanned<DeValue>, key: &str, visit: &mut impl FnMut(&str, Range<usize>)) {
    visit(key, value.span());
    match value.get_ref() {
        DeValue::Table(table) => walk(table, key, visit),
        DeValue::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                walk_value(item, &format!("{key}[{at}]"), visit);
            }
        }
        _ => {}
    }
}

/// The line, counted from 1, of a byte.
fn line_at(text: &str, byte: usize) -> usize {
    1 + text.as_bytes().iter().take(byte).filter(|&&b| b == b'\n').count()
}
