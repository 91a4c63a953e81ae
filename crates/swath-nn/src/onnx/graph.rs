//! A graph under construction: nodes, initializers and the sizes that nodes need.

use std::collections::HashMap;

use burn::tensor::TensorData;

use super::INPUT;
use super::proto::{self, Attribute, Body};
use super::size::{Size, Unknown};

/// Adds nodes one after the other. Values go by names, which every method that adds one returns.
pub(super) struct Graph {
    body: Body,
    unknowns: Vec<Unknown>,
    /// Vectors of one number each that have been computed.
    sizes: HashMap<Size, String>,
    names: usize,
}

impl Graph {
    pub(super) fn new(unknowns: Vec<Unknown>) -> Self {
        Self { body: Body::default(), unknowns, sizes: HashMap::new(), names: 0 }
    }

    pub(super) fn into_body(self) -> Body {
        self.body
    }

    /// Adds an operation with one output.
    pub(super) fn node(&mut self, op: &str, inputs: &[&str], attributes: &[(&str, Attribute)]) -> String {
        let name = self.name(op);
        self.named(op, inputs, &name, attributes);
        name
    }

    /// Adds an operation with two outputs.
    pub(super) fn node_of_two(&mut self, op: &str, inputs: &[&str], attributes: &[(&str, Attribute)]) -> [String; 2] {
        let names = [self.name(op), self.name(op)];
        self.body.nodes.push(proto::node(op, inputs, &names, attributes));
        names
    }

    /// Adds an operation whose output has a given name.
    pub(super) fn named(&mut self, op: &str, inputs: &[&str], output: &str, attributes: &[(&str, Attribute)]) {
        self.body.nodes.push(proto::node(op, inputs, &[output.to_string()], attributes));
    }

    pub(super) fn constant(&mut self, data: &TensorData) -> String {
        let name = self.name("constant");
        self.body.initializers.push(proto::tensor(&name, data));
        name
    }

    /// A number without axes.
    pub(super) fn float(&mut self, value: f64) -> String {
        self.constant(&TensorData::new(vec![value as f32], [0; 0]))
    }

    /// A vector of whole numbers.
    pub(super) fn ints(&mut self, values: &[i64]) -> String {
        self.constant(&TensorData::new(values.to_vec(), [values.len()]))
    }

    /// A vector of sizes.
    pub(super) fn sizes(&mut self, sizes: &[Size]) -> String {
        if let Some(known) = sizes.iter().map(Size::constant).collect::<Option<Vec<i64>>>() {
            return self.ints(&known);
        }
        let parts: Vec<String> = sizes.iter().map(|size| self.size(size)).collect();
        match parts.as_slice() {
            [one] => one.clone(),
            parts => {
                let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
                self.node("Concat", &parts, &[("axis", Attribute::Int(0))])
            }
        }
    }

    /// A vector of one size, computed from the shape of the images.
    fn size(&mut self, size: &Size) -> String {
        if let Some(name) = self.sizes.get(size) {
            return name.clone();
        }
        let mut sum: Option<String> = None;
        for (factor, unknowns) in size.products(self.unknowns.len()) {
            let mut product = (factor != 1 || unknowns.is_empty()).then(|| self.ints(&[factor]));
            for unknown in unknowns {
                let value = self.unknown(self.unknowns[unknown]);
                product = Some(match product {
                    Some(product) => self.node("Mul", &[&product, &value], &[]),
                    None => value,
                });
            }
            sum = match (sum, product) {
                (Some(a), Some(b)) => Some(self.node("Add", &[&a, &b], &[])),
                (a, b) => a.or(b),
            };
        }
        let name = sum.unwrap_or_else(|| self.ints(&[0]));
        self.sizes.insert(size.clone(), name.clone());
        name
    }

    fn unknown(&mut self, unknown: Unknown) -> String {
        let shape = self.node("Shape", &[INPUT], &[]);
        let axis = self.ints(&[unknown.axis as i64]);
        let pixels = self.node("Gather", &[&shape, &axis], &[]);
        match unknown.unit {
            1 => pixels,
            unit => {
                let unit = self.ints(&[unit as i64]);
                self.node("Div", &[&pixels, &unit], &[])
            }
        }
    }

    fn name(&mut self, op: &str) -> String {
        self.names += 1;
        format!("{op}_{}", self.names)
    }
}
