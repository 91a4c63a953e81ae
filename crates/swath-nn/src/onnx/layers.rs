//! Layers: convolutions, pools, changes of size, attention.

use burn::backend::ir::{
    AdaptiveAvgPool2dOpIr, AttentionOpIr, AvgPool2dOpIr, BatchNormOpIr, Conv2dOpIr, ConvTranspose2dOpIr,
    InterpolateModeIr, InterpolateOpIr, LayerNormOpIr, MaxPool2dOpIr, MaxPool2dWithIndicesOpIr, ModuleOperationIr,
};
use burn::tensor::TensorData;

use super::proto::{Attribute, Element};
use super::size::Size;
use super::translate::Translator;

impl Translator {
    pub(super) fn module(&mut self, operation: &ModuleOperationIr) -> Option<Vec<String>> {
        Some(vec![match operation {
            ModuleOperationIr::Conv2d(conv) => self.convolution(conv),
            ModuleOperationIr::ConvTranspose2d(conv) => self.transposed(conv),
            ModuleOperationIr::BatchNorm(norm) => self.batch_norm(norm),
            ModuleOperationIr::LayerNorm(norm) => self.layer_norm(norm),
            ModuleOperationIr::MaxPool2d(pool) => self.max_pool(pool),
            ModuleOperationIr::MaxPool2dWithIndices(pool) => return Some(self.max_pool_with_indices(pool).to_vec()),
            ModuleOperationIr::AvgPool2d(pool) => self.average_pool(pool),
            ModuleOperationIr::AdaptiveAvgPool2d(pool) => self.adaptive_average_pool(pool),
            ModuleOperationIr::Interpolate(resize) => self.resize(resize)?,
            ModuleOperationIr::Attention(attention) => self.attention(attention)?,
            _ => return None,
        }])
    }

    fn convolution(&mut self, conv: &Conv2dOpIr) -> String {
        let options = &conv.options;
        let [(top, bottom), (left, right)] = options.padding;
        let attributes = [
            ("strides", ints(options.stride)),
            ("pads", ints([top, left, bottom, right])),
            ("dilations", ints(options.dilation)),
            ("group", ints_one(options.groups)),
        ];
        let mut inputs = vec![self.value(&conv.x), self.value(&conv.weight)];
        inputs.extend(conv.bias.as_ref().map(|bias| self.value(bias)));
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        self.graph.node("Conv", &inputs, &attributes)
    }

    fn transposed(&mut self, conv: &ConvTranspose2dOpIr) -> String {
        let options = &conv.options;
        let attributes = [
            ("strides", ints(options.stride)),
            ("pads", both(options.padding)),
            ("dilations", ints(options.dilation)),
            ("output_padding", ints(options.padding_out)),
            ("group", ints_one(options.groups)),
        ];
        let mut inputs = vec![self.value(&conv.x), self.value(&conv.weight)];
        inputs.extend(conv.bias.as_ref().map(|bias| self.value(bias)));
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        self.graph.node("ConvTranspose", &inputs, &attributes)
    }

    fn batch_norm(&mut self, norm: &BatchNormOpIr) -> String {
        let inputs = [&norm.x, &norm.gamma, &norm.beta, &norm.mean, &norm.variance].map(|tensor| self.value(tensor));
        let epsilon: f32 = norm.epsilon.elem();
        self.graph.node(
            "BatchNormalization",
            &inputs.each_ref().map(String::as_str),
            &[("epsilon", Attribute::Float(epsilon))],
        )
    }

    /// Over the last axis.
    fn layer_norm(&mut self, norm: &LayerNormOpIr) -> String {
        let mut inputs = vec![self.value(&norm.input), self.value(&norm.gamma)];
        inputs.extend(norm.beta.as_ref().map(|beta| self.value(beta)));
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        let epsilon: f32 = norm.epsilon.elem();
        self.graph.node("LayerNormalization", &inputs, &[("epsilon", Attribute::Float(epsilon))])
    }

    fn max_pool(&mut self, pool: &MaxPool2dOpIr) -> String {
        let x = self.value(&pool.x);
        let attributes = windows(pool.kernel_size, pool.stride, pool.padding, pool.ceil_mode);
        self.graph.node("MaxPool", &[&x], &[attributes.as_slice(), &[("dilations", ints(pool.dilation))]].concat())
    }

    fn max_pool_with_indices(&mut self, pool: &MaxPool2dWithIndicesOpIr) -> [String; 2] {
        let x = self.value(&pool.x);
        let attributes = windows(pool.kernel_size, pool.stride, pool.padding, pool.ceil_mode);
        let attributes = [attributes.as_slice(), &[("dilations", ints(pool.dilation))]].concat();
        let [maxima, indices] = self.graph.node_of_two("MaxPool", &[&x], &attributes);
        // ONNX counts through the whole batch, the network within each channel.
        let [rows, cols] = self.area(&pool.x);
        let [rows, cols] = [rows, cols].map(|size| self.graph.sizes(&[size]));
        let area = self.graph.node("Mul", &[&rows, &cols], &[]);
        [maxima, self.graph.node("Mod", &[&indices, &area], &[])]
    }

    fn average_pool(&mut self, pool: &AvgPool2dOpIr) -> String {
        let x = self.value(&pool.x);
        let attributes = windows(pool.kernel_size, pool.stride, pool.padding, pool.ceil_mode);
        let include = ("count_include_pad", Attribute::Int(i64::from(pool.count_include_pad)));
        self.graph.node("AveragePool", &[&x], &[attributes.as_slice(), &[include]].concat())
    }

    /// ONNX has no such pool but for one mean a channel: the others are a product with a matrix on each side.
    fn adaptive_average_pool(&mut self, pool: &AdaptiveAvgPool2dOpIr) -> String {
        let x = self.value(&pool.x);
        if pool.output_size == [1, 1] {
            return self.graph.node("GlobalAveragePool", &[&x], &[]);
        }
        let [rows, cols] = self.area(&pool.x);
        let rows = self.means(&rows, pool.output_size[0]);
        let cols = self.means(&cols, pool.output_size[1]);
        let cols = self.graph.node("Transpose", &[&cols], &[("perm", ints([1, 0]))]);
        let x = self.graph.node("MatMul", &[&rows, &x], &[]);
        self.graph.node("MatMul", &[&x, &cols], &[])
    }

    /// The matrix `[parts, size]` that takes the mean of each part of an axis. Part `i` goes from `floor(i size / parts)` to
    /// `ceil((i + 1) size / parts)`.
    fn means(&mut self, size: &Size, parts: usize) -> String {
        let column = |graph: &mut super::graph::Graph, first: usize| {
            let values: Vec<i64> = (first..first + parts).map(|i| i as i64).collect();
            graph.constant(&TensorData::new(values, [parts, 1]))
        };
        let (from, to) = (column(&mut self.graph, 0), column(&mut self.graph, 1));
        let size = self.graph.sizes(std::slice::from_ref(size));
        let [parts, round] = [parts as i64, parts as i64 - 1].map(|number| self.graph.ints(&[number]));
        let start = self.graph.node("Mul", &[&from, &size], &[]);
        let start = self.graph.node("Div", &[&start, &parts], &[]);
        let end = self.graph.node("Mul", &[&to, &size], &[]);
        let end = self.graph.node("Add", &[&end, &round], &[]);
        let end = self.graph.node("Div", &[&end, &parts], &[]);
        let place = {
            let [zero, one] = [0i64, 1].map(|number| self.graph.constant(&TensorData::new(vec![number], [0; 0])));
            let none = self.graph.ints(&[]);
            let limit = self.graph.node("Reshape", &[&size, &none], &[]);
            self.graph.node("Range", &[&zero, &limit, &one], &[])
        };
        let after = self.graph.node("GreaterOrEqual", &[&place, &start], &[]);
        let before = self.graph.node("Less", &[&place, &end], &[]);
        let inside = self.graph.node("And", &[&after, &before], &[]);
        let count = self.graph.node("Sub", &[&end, &start], &[]);
        let float = [("to", Attribute::Int(Element::Float.code() as i64))];
        let (inside, count) = (self.graph.node("Cast", &[&inside], &float), self.graph.node("Cast", &[&count], &float));
        self.graph.node("Div", &[&inside, &count], &[])
    }

    fn resize(&mut self, resize: &InterpolateOpIr) -> Option<String> {
        let mode = match resize.options.mode {
            InterpolateModeIr::Nearest => "nearest",
            InterpolateModeIr::Bilinear => "linear",
            InterpolateModeIr::Bicubic => "cubic",
            InterpolateModeIr::NearestExact | InterpolateModeIr::Lanczos3 => return None,
        };
        let coordinates = match (mode, resize.options.align_corners) {
            ("nearest", _) => "asymmetric",
            (_, true) => "align_corners",
            (_, false) => "half_pixel",
        };
        let attributes = [
            ("mode", Attribute::Text(mode)),
            ("coordinate_transformation_mode", Attribute::Text(coordinates)),
            ("nearest_mode", Attribute::Text("floor")),
            ("cubic_coeff_a", Attribute::Float(-0.75)),
        ];
        let x = self.value(&resize.x);
        let (from, to) = (self.dims(&resize.x), self.dims(&resize.out));
        let scales: Option<Vec<f32>> =
            from.iter().zip(&to).map(|(from, to)| to.times(from).map(|times| times as f32)).collect();
        Some(match scales {
            Some(scales) => {
                let scales = self.graph.constant(&TensorData::new(scales, [4]));
                self.graph.node("Resize", &[&x, "", &scales], &attributes)
            }
            None => {
                let sizes = self.graph.sizes(&to);
                self.graph.node("Resize", &[&x, "", "", &sizes], &attributes)
            }
        })
    }

    /// `softmax(query keyᵗ scale + bias) value`
    fn attention(&mut self, attention: &AttentionOpIr) -> Option<String> {
        let options = &attention.options;
        let plain = attention.mask.is_none() && options.softcap.is_none() && !options.is_causal;
        plain.then_some(())?;
        let scale = match options.scale {
            Some(scale) => scale.elem(),
            None => 1.0 / (self.dims(&attention.query).last()?.constant()? as f64).sqrt(),
        };
        let [query, key, value] = [&attention.query, &attention.key, &attention.value].map(|tensor| self.value(tensor));
        let key = self.graph.node("Transpose", &[&key], &[("perm", ints([0, 1, 3, 2]))]);
        let logits = self.graph.node("MatMul", &[&query, &key], &[]);
        let scale = self.graph.float(scale);
        let mut logits = self.graph.node("Mul", &[&logits, &scale], &[]);
        if let Some(bias) = &attention.attn_bias {
            let bias = self.value(bias);
            logits = self.graph.node("Add", &[&logits, &bias], &[]);
        }
        let weights = self.graph.node("Softmax", &[&logits], &[("axis", Attribute::Int(-1))]);
        Some(self.graph.node("MatMul", &[&weights, &value], &[]))
    }

    /// Rows and columns of a tensor `[batch, channels, rows, columns]`.
    fn area(&self, tensor: &burn::backend::ir::TensorIr) -> [Size; 2] {
        let dims = self.dims(tensor);
        [dims[2].clone(), dims[3].clone()]
    }
}

fn windows(kernel: [usize; 2], stride: [usize; 2], padding: [usize; 2], ceil: bool) -> [(&'static str, Attribute); 4] {
    [
        ("kernel_shape", ints(kernel)),
        ("strides", ints(stride)),
        ("pads", both(padding)),
        ("ceil_mode", Attribute::Int(i64::from(ceil))),
    ]
}

/// The same padding at both ends of each axis.
fn both([rows, cols]: [usize; 2]) -> Attribute {
    ints([rows, cols, rows, cols])
}

fn ints<const N: usize>(values: [usize; N]) -> Attribute {
    Attribute::Ints(values.map(|value| value as i64).to_vec())
}

fn ints_one(value: usize) -> Attribute {
    Attribute::Int(value as i64)
}
