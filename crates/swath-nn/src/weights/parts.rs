//! Which part of a network holds how many parameters.

use super::{Kind, Segmenter, parameter_kind, shapes};

/// Layers that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What the names of its parameters begin with, up to the first number: `decoder.mlp.enlarge`.
    pub name: String,
    /// The number of values that training changes.
    pub parameters: usize,
}

/// The parts of a network, largest first, without touching a value.
pub fn parts(segmenter: &Segmenter) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for (name, shape) in shapes(segmenter) {
        if parameter_kind(&name) == Kind::RunningStat {
            continue;
        }
        let fields: Vec<&str> = name.split('.').collect();
        let numbered = fields.iter().position(|field| field.bytes().all(|byte| byte.is_ascii_digit()));
        let part = fields[..numbered.unwrap_or(fields.len() - 1)].join(".");
        let parameters = shape.iter().product::<usize>();
        match parts.iter_mut().find(|known| known.name == part) {
            Some(known) => known.parameters += parameters,
            None => parts.push(Part { name: part, parameters }),
        }
    }
    parts.sort_by(|a, b| b.parameters.cmp(&a.parameters).then_with(|| a.name.cmp(&b.name)));
    parts
}
