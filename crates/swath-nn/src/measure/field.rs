//! The receptive field: for each column of every value, the columns of the image that it depends on.
//!
//! Spans of columns are followed through the operations as they are, with their padding, strides and alignments; the field is
//! the widest span in the middle of the output.

use std::collections::HashMap;

use burn::backend::ir::{
    AttentionOpIr, BaseOperationIr, InterpolateModeIr, InterpolateOpIr, ModuleOperationIr, NumericOperationIr,
    OperationIr, TensorIr,
};
use burn::tensor::TensorId;

use super::ReceptiveField;
use crate::cpu::Captured;

/// Output columns that are looked at, on both sides of the middle: more than any network's period.
const LOOK: usize = 256;

/// The first and the last column of the image; the last comes before the first where there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    first: usize,
    last: usize,
}

impl Span {
    const NONE: Span = Span { first: usize::MAX, last: 0 };

    fn join(self, other: Span) -> Span {
        Span { first: self.first.min(other.first), last: self.last.max(other.last) }
    }

    fn all(spans: impl IntoIterator<Item = Span>) -> Span {
        spans.into_iter().fold(Span::NONE, Span::join)
    }

    fn len(self) -> usize {
        (self.last + 1).saturating_sub(self.first)
    }
}

/// What a tensor shows of the image, by column. Tokens and other forms keep the rows and columns of the map that they were.
#[derive(Clone, Debug)]
struct Map {
    rows: usize,
    spans: Vec<Span>,
}

impl Map {
    /// Each of `columns` columns from the columns that `sources` lists.
    fn gather<I: IntoIterator<Item = usize>>(&self, columns: usize, sources: impl Fn(usize) -> I) -> Vec<Span> {
        let span = |source: usize| self.spans.get(source).copied().unwrap_or(Span::NONE);
        (0..columns).map(|column| Span::all(sources(column).into_iter().map(span))).collect()
    }

    fn whole(&self, columns: usize) -> Vec<Span> {
        vec![Span::all(self.spans.iter().copied()); columns]
    }
}

pub(super) fn receptive_field(captured: &Captured, [rows, columns]: [usize; 2]) -> ReceptiveField {
    let spans = (0..columns).map(|column| Span { first: column, last: column }).collect();
    let mut walk = Walk { captured, maps: HashMap::from([(captured.input, Map { rows, spans })]) };
    for operation in &captured.operations {
        walk.step(operation);
    }
    let output = &walk.maps[&captured.output];
    let middle = output.spans.len() / 2;
    let looked = &output.spans[middle.saturating_sub(LOOK)..(middle + LOOK).min(output.spans.len())];
    match looked.iter().map(|span| span.len()).max() {
        Some(side) if side < columns => ReceptiveField::Side(side),
        _ => ReceptiveField::Whole,
    }
}

struct Walk<'a> {
    captured: &'a Captured,
    /// Of the tensors that depend on the image.
    maps: HashMap<TensorId, Map>,
}

impl Walk<'_> {
    fn step(&mut self, operation: &OperationIr) {
        let Some(rows) = operation.inputs().find_map(|tensor| Some(self.maps.get(&tensor.id)?.rows)) else { return };
        let spans = self.spans(operation).unwrap_or_else(|| self.joined(operation));
        for out in operation.outputs() {
            let rows = if is_image(out, spans.len()) { out.shape[2] } else { rows };
            self.maps.insert(out.id, Map { rows, spans: spans.clone() });
        }
    }

    /// The spans of an operation's output, for those that move values between columns. `None` for all others.
    fn spans(&self, operation: &OperationIr) -> Option<Vec<Span>> {
        match operation {
            OperationIr::Module(operation) => self.module(operation),
            OperationIr::BaseFloat(operation) => self.moved(operation),
            OperationIr::NumericFloat(_, operation) => match operation {
                NumericOperationIr::MeanDim(reduce) | NumericOperationIr::SumDim(reduce) if reduce.axis == 3 => {
                    Some(self.image(&reduce.input)?.whole(1))
                }
                NumericOperationIr::Pad(pad) => {
                    let before = pad.padding.last()?.0;
                    Some(self.image(&pad.input)?.gather(columns(&pad.out), |column| column.checked_sub(before)))
                }
                _ => None,
            },
            _ => None,
        }
    }

    fn module(&self, operation: &ModuleOperationIr) -> Option<Vec<Span>> {
        let windows = |x: &TensorIr, out: &TensorIr, kernel: usize, stride: usize, padding: usize, dilation: usize| {
            let at = |position: usize| {
                let start = position * stride;
                (0..kernel).filter_map(move |i| (start + i * dilation).checked_sub(padding))
            };
            Some(self.image(x)?.gather(columns(out), at))
        };
        match operation {
            ModuleOperationIr::Conv2d(conv) => {
                let options = &conv.options;
                let (kernel, padding) = (conv.weight.shape[3], options.padding[1].0);
                windows(&conv.x, &conv.out, kernel, options.stride[1], padding, options.dilation[1])
            }
            ModuleOperationIr::ConvTranspose2d(conv) => {
                let options = &conv.options;
                let [stride, padding, dilation] = [options.stride[1], options.padding[1], options.dilation[1]];
                let kernel = conv.weight.shape[3];
                let sources = move |column: usize| {
                    let reached = (0..kernel).filter_map(move |i| (column + padding).checked_sub(i * dilation));
                    reached.filter(move |place| place.is_multiple_of(stride)).map(move |place| place / stride)
                };
                Some(self.image(&conv.x)?.gather(columns(&conv.out), sources))
            }
            ModuleOperationIr::MaxPool2d(pool) => {
                windows(&pool.x, &pool.out, pool.kernel_size[1], pool.stride[1], pool.padding[1], pool.dilation[1])
            }
            ModuleOperationIr::MaxPool2dWithIndices(pool) => {
                windows(&pool.x, &pool.out, pool.kernel_size[1], pool.stride[1], pool.padding[1], pool.dilation[1])
            }
            ModuleOperationIr::AvgPool2d(pool) => {
                windows(&pool.x, &pool.out, pool.kernel_size[1], pool.stride[1], pool.padding[1], 1)
            }
            ModuleOperationIr::AdaptiveAvgPool2d(pool) => {
                let (from, to) = (self.image(&pool.x)?, columns(&pool.out));
                let size = from.spans.len();
                Some(from.gather(to, |column| column * size / to..((column + 1) * size).div_ceil(to)))
            }
            ModuleOperationIr::Interpolate(resize) => self.resized(resize),
            ModuleOperationIr::Attention(attention) => self.attended(attention),
            ModuleOperationIr::LayerNorm(norm) => {
                // Statistics of fewer rows than there are pixels are statistics of many pixels.
                let map = self.maps.get(&norm.input.id)?;
                let rows = norm.input.shape.num_elements() / norm.gamma.shape.num_elements();
                (rows < map.rows * map.spans.len()).then(|| map.whole(map.spans.len()))
            }
            _ => None,
        }
    }

    fn resized(&self, resize: &InterpolateOpIr) -> Option<Vec<Span>> {
        let (from, to) = (self.image(&resize.x)?, columns(&resize.out));
        let size = from.spans.len();
        let sources = |column: usize| {
            if matches!(resize.options.mode, InterpolateModeIr::Nearest) {
                return column * size / to..column * size / to + 1;
            }
            // The place in twice as many steps as the output has, so that it is a whole number.
            let (place, steps) = match resize.options.align_corners {
                true => (column * size.saturating_sub(1), to.saturating_sub(1).max(1)),
                false => (((2 * column + 1) * size).saturating_sub(to), 2 * to),
            };
            let (left, between) = (place / steps, !place.is_multiple_of(steps));
            match resize.options.mode {
                InterpolateModeIr::Bilinear => left..left + 1 + usize::from(between),
                _ if between => left.saturating_sub(1)..left + 3,
                _ => left..left + 1,
            }
        };
        Some(from.gather(to, sources))
    }

    /// Attention of every pixel to all, or within square windows that divide the map.
    fn attended(&self, attention: &AttentionOpIr) -> Option<Vec<Span>> {
        let query = self.maps.get(&attention.query.id)?;
        let tokens = attention.query.shape[2];
        let others = [&attention.key, &attention.value].map(|tensor| self.maps.get(&tensor.id));
        let size = query.spans.len();
        if tokens == query.rows * size {
            let seen = [Some(query), others[0], others[1]].into_iter().flatten().flat_map(|map| map.spans.clone());
            return Some(vec![Span::all(seen); size]);
        }
        let side = tokens.isqrt();
        let window = |map: &Map| map.gather(size, |column| column / side * side..(column / side + 1) * side);
        let windows: Vec<Vec<Span>> = others.into_iter().flatten().map(window).collect();
        Some((0..size).map(|column| Span::all(windows.iter().map(|spans| spans[column]))).collect())
    }

    fn moved(&self, operation: &BaseOperationIr) -> Option<Vec<Span>> {
        match operation {
            BaseOperationIr::Slice(slice) => {
                let range = slice.ranges.get(3)?;
                let (start, step) = (usize::try_from(range.start).ok()?, usize::try_from(range.step).ok()?);
                Some(self.image(&slice.tensor)?.gather(columns(&slice.out), |column| [start + column * step]))
            }
            BaseOperationIr::Select(select) if select.dim == 3 => {
                let indices: Vec<i64> = self.captured.constants.get(&select.indices.id)?.iter().collect();
                Some(self.image(&select.tensor)?.gather(indices.len(), |column| usize::try_from(indices[column]).ok()))
            }
            BaseOperationIr::Cat(cat) if cat.dim == 3 => {
                let part =
                    |tensor| self.image(tensor).map_or(vec![Span::NONE; columns(tensor)], |map| map.spans.clone());
                Some(cat.tensors.iter().flat_map(part).collect())
            }
            // Unpooled values, or channels that have become pixels: each column has become several.
            BaseOperationIr::Reshape(reshape) if reshape.input.shape.num_dims() != 4 => {
                let map = self.maps.get(&reshape.input.id)?;
                let [_, _, rows, columns] = reshape.out.shape.to_vec().try_into().ok()?;
                let times = columns / map.spans.len();
                let several = times > 1 && columns == times * map.spans.len() && rows == times * map.rows;
                several.then(|| map.gather(columns, |column| [column / times]))
            }
            _ => None,
        }
    }

    /// Everything that an operation reads, column by column; one column stands for all.
    fn joined(&self, operation: &OperationIr) -> Vec<Span> {
        let maps: Vec<&Map> = operation.inputs().filter_map(|tensor| self.maps.get(&tensor.id)).collect();
        let columns = maps.iter().map(|map| map.spans.len()).max().unwrap_or(0);
        let span = |map: &Map, column: usize| match map.spans.len() {
            1 => map.spans[0],
            len if len == columns => map.spans[column],
            _ => Span::all(map.spans.iter().copied()),
        };
        (0..columns).map(|column| Span::all(maps.iter().map(|map| span(map, column)))).collect()
    }

    /// The map of a tensor that has its columns as its last axis.
    fn image(&self, tensor: &TensorIr) -> Option<&Map> {
        self.maps.get(&tensor.id).filter(|map| is_image(tensor, map.spans.len()))
    }
}

fn is_image(tensor: &TensorIr, columns: usize) -> bool {
    tensor.shape.num_dims() == 4 && tensor.shape[3] == columns
}

fn columns(tensor: &TensorIr) -> usize {
    tensor.shape.to_vec().last().copied().unwrap_or_default()
}
