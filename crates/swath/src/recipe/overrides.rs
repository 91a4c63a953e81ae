//! `-s key=value`: setting keys of a recipe from the command line, before it is understood.

use toml::{Table, Value};

/// Sections of which exactly one member is given: naming another member replaces the one in the file.
const CHOICES: [&[&str]; 4] = [&["model", "encoder"], &["model", "decoder"], &["optimizer"], &["schedule"]];

/// Sets `key=value` in the table: dots lead into tables and `[i]` (or `.i`) into lists, tables are made
/// where they are missing, and the value is TOML or, failing that, a bare word.
pub(crate) fn apply(table: &mut Table, assignment: &str) -> Result<(), String> {
    let (key, value) = assignment
        .split_once('=')
        .ok_or_else(|| format!("-s {assignment}: write key=value, for example train.steps=10"))?;
    let steps = split(key).ok_or_else(|| format!("-s {assignment}: `{}` is not a key", key.trim()))?;
    let value = parse_value(value.trim()).map_err(|problem| format!("-s {assignment}: {problem}"))?;
    replace_choice(table, &steps);
    let mut root = Value::Table(std::mem::take(table));
    let done = set(&mut root, &steps, value).map_err(|problem| format!("-s {assignment}: {problem}"));
    if let Value::Table(root) = root {
        *table = root;
    }
    done
}

/// What `-s` has chosen in place of what the file did, in words, such as `model.encoder is resnet in place of plain`.
pub(super) fn replaced(before: &Table, after: &Table) -> Vec<String> {
    let chosen = |table: &Table, choice: &[&str]| {
        let (first, rest) = choice.split_first()?;
        let section = rest.iter().try_fold(table.get(*first)?, |table, step| table.get(*step))?;
        section.as_table()?.keys().next().cloned()
    };
    let other = |choice: &&[&str]| {
        let (old, new) = (chosen(before, choice)?, chosen(after, choice)?);
        (old != new).then(|| format!("{} is {new} in place of {old}", choice.join(".")))
    };
    CHOICES.iter().filter_map(other).collect()
}

/// The steps of a dotted key: `data.train[0].labels` and `data.train.0.labels` are the same.
pub(super) fn split(key: &str) -> Option<Vec<String>> {
    let dotted = key.trim().replace('[', ".").replace(']', "");
    let steps: Vec<String> = dotted.split('.').map(|step| step.trim().to_owned()).collect();
    steps.iter().all(|step| !step.is_empty()).then_some(steps)
}

/// A TOML value, or the text itself where it does not look like one.
fn parse_value(text: &str) -> Result<Value, String> {
    let parsed = toml::from_str::<Table>(&format!("value = {text}")).ok().and_then(|mut table| table.remove("value"));
    match parsed {
        Some(value) => Ok(value),
        None if text.is_empty() => Err("the value is missing; write \"\" for an empty text".to_owned()),
        None if text.starts_with(['[', '{', '"', '\'']) => Err(format!("`{text}` is not a TOML value")),
        None => Ok(Value::String(text.to_owned())),
    }
}

/// Drops the member that the file chose when the key names another one.
fn replace_choice(table: &mut Table, steps: &[String]) {
    for choice in CHOICES {
        let Some((member, prefix)) = steps.get(..=choice.len()).and_then(<[String]>::split_last) else { continue };
        if prefix != choice {
            continue;
        }
        let section = choice.iter().try_fold(&mut *table, |table, step| table.get_mut(*step)?.as_table_mut());
        if let Some(section) = section {
            section.retain(|name, _| name == member);
        }
    }
}

fn set(place: &mut Value, steps: &[String], value: Value) -> Result<(), String> {
    let Some((step, rest)) = steps.split_first() else {
        *place = value;
        return Ok(());
    };
    match place {
        Value::Table(table) => {
            let entry = table.entry(step.clone()).or_insert_with(|| Value::Table(Table::new()));
            set(entry, rest, value)
        }
        Value::Array(items) => {
            let count = items.len();
            let item =
                step.parse().ok().and_then(|at: usize| items.get_mut(at)).ok_or_else(|| {
                    format!("`{step}` is not an entry of the list, which has {count}; the first is [0]")
                })?;
            set(item, rest, value)
        }
        other => Err(format!("`{step}` cannot be set inside {}, which is no table", other.type_str())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(text: &str, assignment: &str) -> Result<Table, String> {
        let mut table: Table = toml::from_str(text).expect("the test's own TOML");
        apply(&mut table, assignment).map(|()| table)
    }

    #[test]
    fn values_are_toml_or_bare_words() {
        let value = |assignment: &str| applied("", assignment).map(|table| table["a"].clone());
        assert_eq!(value("a=10"), Ok(Value::Integer(10)));
        assert_eq!(value("a = 1e-3"), Ok(Value::Float(1e-3)));
        assert_eq!(value("a=true"), Ok(Value::Boolean(true)));
        assert_eq!(value("a=cosine"), Ok(Value::String("cosine".into())));
        assert_eq!(value("a=../x=y.tif"), Ok(Value::String("../x=y.tif".into())));
        assert_eq!(value("a=[1, 2]"), Ok(Value::Array(vec![Value::Integer(1), Value::Integer(2)])));
        assert!(value("a=").is_err_and(|e| e.contains("value is missing")));
        assert!(value("a=[1,").is_err_and(|e| e.contains("not a TOML value")));
    }

    #[test]
    fn keys_lead_into_tables_and_lists() {
        let table = applied("[[a.b]]\nc = 1", "a.b[0].c=2").expect("an entry");
        assert_eq!(table, applied("", "a.b=[{c=2}]").expect("a new table"));
        assert_eq!(table, applied("[[a.b]]\nc = 1", "a.b.0.c=2").expect("an entry"));
        assert!(applied("[[a.b]]", "a.b[1].c=2").is_err_and(|e| e.contains("which has 1")));
        assert!(applied("a = 1", "a.b=2").is_err_and(|e| e.contains("inside integer")));
        assert!(applied("", "ab").is_err_and(|e| e.contains("write key=value")));
        assert!(applied("", "a..b=1").is_err_and(|e| e.contains("not a key")));
    }

    #[test]
    fn another_member_replaces_the_one_in_the_file() {
        let table = applied("[optimizer.adamw]\nlr = 1.0", "optimizer.sgd.lr=2.0").expect("a choice");
        assert_eq!(table, applied("", "optimizer.sgd.lr=2.0").expect("a choice"));
        let table = applied("[optimizer.sgd]\nmomentum = 0.5", "optimizer.sgd.lr=2.0").expect("the same choice");
        assert_eq!(table["optimizer"]["sgd"]["momentum"], Value::Float(0.5));
        let table = applied("[model.encoder.plain]\n[model.decoder.unet]", "model.encoder.resnet.depth=50");
        let table = table.expect("a choice");
        assert_eq!(table["model"]["encoder"].as_table().map(Table::len), Some(1));
        assert!(table["model"]["decoder"].get("unet").is_some());
    }

    #[test]
    fn what_is_replaced_is_told() {
        let told = |assignment: &str| {
            let text = "[model.encoder.plain]\n[model.decoder.unet]\n[optimizer.adamw]\nlr = 1.0";
            let before: Table = toml::from_str(text).expect("the test's own TOML");
            replaced(&before, &applied(text, assignment).expect("an assignment"))
        };
        assert_eq!(told("model.encoder.resnet.depth=50"), ["model.encoder is resnet in place of plain"]);
        assert_eq!(told("optimizer.sgd={}"), ["optimizer is sgd in place of adamw"]);
        // The file leaves the schedule to its default, and the encoder is the same.
        assert!(told("schedule.constant={}").is_empty() && told("model.encoder.plain.depth=4").is_empty());
    }
}
