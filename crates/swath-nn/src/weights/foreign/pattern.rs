//! Patterns of names.
//!
//! A pattern is a name in which `{}` stands for a number, `{=1}` for the number 1, and `*` at its end for all the rest. In what
//! it becomes, `{0}` is the first number, `{1-1}` the second less one, `{0+1}` the first plus one, `{0/2}` the first halved, and
//! `{0:1}` counts through: element 1 of group 0 among the elements of all groups, as blocks of stages are counted.

use std::collections::BTreeMap;

/// A pattern and what it becomes.
pub(super) type Rule = (&'static str, &'static str);

/// How many elements come before each group, where a dialect counts through.
pub(super) struct Flat(BTreeMap<usize, usize>);

impl Flat {
    /// Counts the groups of all names.
    pub(super) fn new<'a>(rules: &[Rule], names: impl Iterator<Item = &'a str>) -> Flat {
        let mut sizes = BTreeMap::new();
        for name in names {
            let counted = rules.iter().find_map(|(from, to)| captures(from, name).filter(|_| to.contains("{0:1}")));
            if let Some((numbers, _)) = counted
                && let [group, element, ..] = numbers[..]
            {
                let size: &mut usize = sizes.entry(group).or_default();
                *size = (*size).max(element.saturating_add(1));
            }
        }
        let before = sizes.into_iter().scan(0, |sum: &mut usize, (group, size)| {
            let before = *sum;
            *sum = sum.saturating_add(size);
            Some((group, before))
        });
        Flat(before.collect())
    }

    /// What the first rule that fits makes of a name; itself where none does.
    pub(super) fn rename(&self, rules: &[Rule], name: &str) -> String {
        let found = rules.iter().find_map(|(from, to)| Some((captures(from, name)?, to)));
        match found {
            Some(((numbers, rest), to)) => self.fill(to, &numbers, rest),
            None => name.to_string(),
        }
    }

    fn fill(&self, to: &str, numbers: &[usize], rest: &str) -> String {
        let mut name = String::new();
        let mut to = to;
        while let Some((before, after)) = to.split_once('{') {
            let (term, after) = after.split_once('}').expect("a term ends");
            name += before;
            name += &self.term(term, numbers).to_string();
            to = after;
        }
        match to.strip_suffix('*') {
            Some(to) => name + to + rest,
            None => name + to,
        }
    }

    fn term(&self, term: &str, numbers: &[usize]) -> usize {
        let (which, operation) = term.split_at(1);
        let number = |digits: &str| digits.parse::<usize>().expect("a rule's number");
        let value = numbers[number(which)];
        match operation.split_at_checked(1) {
            None => value,
            Some(("-", less)) => value.saturating_sub(number(less)),
            Some(("+", more)) => value.saturating_add(number(more)),
            Some(("/", by)) => value / number(by),
            Some((":", element)) => self.0.get(&value).copied().unwrap_or(0).saturating_add(numbers[number(element)]),
            Some((operation, _)) => unreachable!("no rule has the operation {operation}"),
        }
    }
}

/// The numbers of a name and its rest, where it has the form of a pattern.
fn captures<'a>(pattern: &str, name: &'a str) -> Option<(Vec<usize>, &'a str)> {
    let (mut pattern, mut name, mut numbers) = (pattern, name, Vec::new());
    while let Some((literal, after)) = pattern.split_once('{') {
        let (wanted, after) = after.split_once('}')?;
        name = name.strip_prefix(literal)?;
        let end = name.find(|c: char| !c.is_ascii_digit()).unwrap_or(name.len());
        let number = name[..end].parse().ok()?;
        if wanted.strip_prefix('=').is_some_and(|wanted| wanted != &name[..end]) {
            return None;
        }
        numbers.push(number);
        (pattern, name) = (after, &name[end..]);
    }
    match pattern.strip_suffix('*') {
        Some(literal) => Some((numbers, name.strip_prefix(literal)?)),
        None => (name == pattern).then_some((numbers, "")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_first_rule_that_fits() {
        let rules: &[Rule] = &[
            ("layer{}.{}.downsample.0.*", "layer{0}.{1}.downsample.conv.*"),
            ("f.{=1}.*", "first.*"),
            ("f.{}.*", "rest.{0-2}.{0/2}.{0+1}.*"),
            ("gamma{}", "scale.{0}"),
        ];
        let flat = Flat::new(rules, std::iter::empty());
        let renamed = |name: &str| flat.rename(rules, name);
        assert_eq!(renamed("layer2.0.downsample.0.weight"), "layer2.0.downsample.conv.weight");
        assert_eq!(renamed("f.1.bias"), "first.bias");
        assert_eq!(renamed("f.11.bias"), "rest.9.5.12.bias");
        assert_eq!(renamed("gamma3"), "scale.3");
        assert_eq!(renamed("gamma3.x"), "gamma3.x");
        assert_eq!(renamed("f.x.bias"), "f.x.bias");
        assert_eq!(renamed("f.99999999999999999999999.bias"), "f.99999999999999999999999.bias");
    }

    #[test]
    fn elements_are_counted_through_all_groups() {
        let rules: &[Rule] = &[("b.{=0}.{}.*", "blocks.{0:1}.first.*"), ("b.{}.{}.*", "blocks.{0:1}.*")];
        let names = ["b.0.0.x", "b.1.0.x", "b.1.1.x", "b.1.2.x", "b.2.0.x", "b.2.1.x"];
        let flat = Flat::new(rules, names.into_iter());
        let renamed = names.map(|name| flat.rename(rules, name));
        assert_eq!(renamed[0], "blocks.0.first.x");
        assert_eq!(renamed[3..], ["blocks.3.x", "blocks.4.x", "blocks.5.x"]);
    }
}
