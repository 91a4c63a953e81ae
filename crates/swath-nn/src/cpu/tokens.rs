//! Images that pass through attention as rows of tokens.
//!
//! Burn attends to tokens `[1, heads, pixels, size]`, which come from images `[1, heads size, rows, columns]` by reshaping and
//! swapping two axes, and go back likewise. Where all of that is found, the kernels attend to the images where they lie.

use std::collections::HashMap;

use burn::backend::ir::{AttentionOpIr, SwapDimsOpIr, TensorIr};
use burn::tensor::TensorId;

use super::graph::{Size, Value};

/// What tensors stand for, on the way to tokens and back.
#[derive(Default)]
pub(super) struct Tokens {
    /// `[1, heads, size, pixels]` of an image.
    cut: HashMap<TensorId, (usize, Value)>,
    /// `[1, heads, pixels, size]` of an image.
    tokens: HashMap<TensorId, (usize, Value)>,
    /// What attention makes of queries, keys and values.
    attended: HashMap<TensorId, (usize, [Value; 3])>,
    /// The same with axes swapped back.
    joined: HashMap<TensorId, (usize, [Value; 3])>,
}

impl Tokens {
    /// Takes note of an image that becomes `out`.
    pub(super) fn cut(&mut self, image: Value, size: Size, out: &TensorIr) {
        let Size { channels, height, width } = size;
        if let [1, heads, own, pixels] = *out.shape.to_vec().as_slice()
            && heads * own == channels
            && pixels == height * width
        {
            self.cut.insert(out.id, (heads, image));
        }
    }

    /// Takes note of two axes that change places.
    pub(super) fn swap(&mut self, swap: &SwapDimsOpIr) {
        if [swap.dim1.min(swap.dim2), swap.dim1.max(swap.dim2)] != [2, 3] {
            return;
        }
        if let Some(image) = self.cut.get(&swap.input.id) {
            self.tokens.insert(swap.out.id, *image);
        }
        if let Some(attended) = self.attended.get(&swap.input.id) {
            self.joined.insert(swap.out.id, *attended);
        }
    }

    /// Takes note of attention among tokens of images, with nothing special about it.
    pub(super) fn attend(&mut self, attention: &AttentionOpIr) {
        let options = &attention.options;
        let plain = options.scale.is_none() && options.softcap.is_none() && !options.is_causal;
        let parts = [&attention.query, &attention.key, &attention.value].map(|part| self.tokens.get(&part.id));
        if let [Some(&(heads, query)), Some(&(key_heads, key)), Some(&(value_heads, value))] = parts
            && plain
            && attention.mask.is_none()
            && attention.attn_bias.is_none()
            && [key_heads, value_heads] == [heads; 2]
        {
            self.attended.insert(attention.out.id, (heads, [query, key, value]));
        }
    }

    /// The heads and the queries, keys and values whose attention a tensor `[1, heads, size, pixels]` is.
    pub(super) fn joined(&self, tensor: &TensorIr) -> Option<(usize, [Value; 3])> {
        self.joined.get(&tensor.id).copied()
    }
}
