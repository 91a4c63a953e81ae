//! Files: the part of ONNX's protobuf messages that networks need.
//!
//! A message is a list of fields; a field is its number and kind, then its value. What an absent field means, and the numbers,
//! stand in `onnx.proto` of <https://github.com/onnx/onnx>.

use burn::tensor::{DType, TensorData};

use super::OnnxError;

/// Version of the file format that belongs to [`OPSET`].
const IR_VERSION: u64 = 8;
/// Version of the operators.
const OPSET: u64 = 17;

/// A message under construction.
#[derive(Clone, Debug, Default)]
pub(super) struct Message(Vec<u8>);

/// The kind of a tensor's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element {
    Float,
    Int,
    Bool,
}

/// An option of a node.
#[derive(Clone, Debug)]
pub(super) enum Attribute {
    Int(i64),
    Ints(Vec<i64>),
    Float(f32),
    Text(&'static str),
    Tensor(Message),
}

/// One axis of an input or output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Dimension {
    Known(usize),
    Named(&'static str),
}

/// Nodes and initializers by the order in which they were added.
#[derive(Clone, Debug, Default)]
pub(super) struct Body {
    pub(super) nodes: Vec<Message>,
    pub(super) initializers: Vec<Message>,
}

/// A whole file.
pub(super) fn model(
    body: Body,
    [input, output]: [Message; 2],
    metadata: &[(String, String)],
) -> Result<Vec<u8>, OnnxError> {
    let mut graph = Message::default();
    body.nodes.iter().for_each(|node| graph.message(1, node));
    graph.text(2, "swath");
    body.initializers.iter().for_each(|tensor| graph.message(5, tensor));
    graph.message(11, &input);
    graph.message(12, &output);
    let mut opset = Message::default();
    opset.text(1, "");
    opset.number(2, OPSET);
    let mut model = Message::default();
    model.number(1, IR_VERSION);
    model.text(2, "swath");
    model.text(3, env!("CARGO_PKG_VERSION"));
    model.message(7, &graph);
    model.message(8, &opset);
    for (key, value) in metadata {
        let mut entry = Message::default();
        entry.text(1, key);
        entry.text(2, value);
        model.message(14, &entry);
    }
    // Protobuf ends at 2 GiB.
    match i32::try_from(model.0.len()) {
        Ok(_) => Ok(model.0),
        Err(_) => Err(OnnxError::Large { bytes: model.0.len() }),
    }
}

/// An operation on named tensors.
pub(super) fn node(op: &str, inputs: &[&str], outputs: &[String], attributes: &[(&str, Attribute)]) -> Message {
    let mut node = Message::default();
    inputs.iter().for_each(|input| node.text(1, input));
    outputs.iter().for_each(|output| node.text(2, output));
    node.text(3, outputs.first().map_or("", String::as_str));
    node.text(4, op);
    attributes.iter().for_each(|(name, value)| node.message(5, &attribute(name, value)));
    node
}

/// Values known beforehand. All whole numbers become 64-bit ones.
pub(super) fn tensor(name: &str, data: &TensorData) -> Message {
    let kind = Element::of(data.dtype());
    let bytes: Vec<u8> = match kind {
        Element::Float => data.iter::<f32>().flat_map(f32::to_le_bytes).collect(),
        Element::Int => data.iter::<i64>().flat_map(i64::to_le_bytes).collect(),
        Element::Bool => data.iter::<bool>().map(u8::from).collect(),
    };
    let mut tensor = Message::default();
    data.shape().to_vec().iter().for_each(|size| tensor.number(1, *size as u64));
    tensor.number(2, kind.code());
    tensor.text(8, name);
    tensor.bytes(9, &bytes);
    tensor
}

/// The name and shape of a float tensor that goes in or out.
pub(super) fn end(name: &str, dimensions: &[Dimension]) -> Message {
    let mut shape = Message::default();
    for dimension in dimensions {
        let mut field = Message::default();
        match dimension {
            Dimension::Known(size) => field.number(1, *size as u64),
            Dimension::Named(name) => field.text(2, name),
        }
        shape.message(1, &field);
    }
    let mut tensor = Message::default();
    tensor.number(1, Element::Float.code());
    tensor.message(2, &shape);
    let mut kind = Message::default();
    kind.message(1, &tensor);
    let mut end = Message::default();
    end.text(1, name);
    end.message(2, &kind);
    end
}

fn attribute(name: &str, value: &Attribute) -> Message {
    let mut attribute = Message::default();
    attribute.text(1, name);
    let code = match value {
        Attribute::Float(value) => {
            attribute.float(2, *value);
            1
        }
        Attribute::Int(value) => {
            attribute.number(3, *value as u64);
            2
        }
        Attribute::Text(value) => {
            attribute.text(4, value);
            3
        }
        Attribute::Tensor(value) => {
            attribute.message(5, value);
            4
        }
        Attribute::Ints(values) => {
            values.iter().for_each(|value| attribute.number(8, *value as u64));
            7
        }
    };
    attribute.number(20, code);
    attribute
}

impl Element {
    pub(super) fn of(dtype: DType) -> Self {
        match dtype {
            dtype if dtype.is_float() => Self::Float,
            dtype if dtype.is_bool() => Self::Bool,
            _ => Self::Int,
        }
    }

    /// The number of the kind in files.
    pub(super) fn code(self) -> u64 {
        match self {
            Self::Float => 1,
            Self::Int => 7,
            Self::Bool => 9,
        }
    }
}

impl Message {
    fn number(&mut self, field: u64, value: u64) {
        self.varint(field << 3);
        self.varint(value);
    }

    fn float(&mut self, field: u64, value: f32) {
        self.varint(field << 3 | 5);
        self.0.extend(value.to_le_bytes());
    }

    fn text(&mut self, field: u64, value: &str) {
        self.bytes(field, value.as_bytes());
    }

    fn message(&mut self, field: u64, value: &Message) {
        self.bytes(field, &value.0);
    }

    fn bytes(&mut self, field: u64, value: &[u8]) {
        self.varint(field << 3 | 2);
        self.varint(value.len() as u64);
        self.0.extend(value);
    }

    /// Seven bits a byte, lowest first; the eighth says that more follow.
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_written_as_protobuf_documents_them() {
        let mut message = Message::default();
        message.number(1, 150);
        message.text(2, "testing");
        message.float(3, 1.0);
        let expected = [0x08, 0x96, 0x01, 0x12, 7, b't', b'e', b's', b't', b'i', b'n', b'g', 0x1d, 0, 0, 0x80, 0x3f];
        assert_eq!(message.0, expected);
    }

    #[test]
    fn negative_numbers_take_ten_bytes() {
        let mut message = Message::default();
        message.number(3, -1i64 as u64);
        assert_eq!(message.0, [0x18, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]);
    }
}
