//! Tensors that lie in a file: where, in which form, and their values.

use std::io::{Read, Seek, SeekFrom};

use super::pickle;

/// How numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DType {
    F64,
    F32,
    F16,
    Bf16,
    /// Whole numbers of so many bytes: counters, never weights.
    Whole(u8),
}

impl DType {
    pub(super) fn bytes(self) -> u64 {
        match self {
            DType::F64 => 8,
            DType::F32 => 4,
            DType::F16 | DType::Bf16 => 2,
            DType::Whole(bytes) => bytes.into(),
        }
    }

    fn value(self, bytes: &[u8]) -> f32 {
        match *bytes {
            [a, b] if self == DType::F16 => half::f16::from_le_bytes([a, b]).to_f32(),
            [a, b] if self == DType::Bf16 => half::bf16::from_le_bytes([a, b]).to_f32(),
            [a, b, c, d] if self == DType::F32 => f32::from_le_bytes([a, b, c, d]),
            [a, b, c, d, e, f, g, h] if self == DType::F64 => f64::from_le_bytes([a, b, c, d, e, f, g, h]) as f32,
            _ => unreachable!("only floats are read"),
        }
    }
}

/// A tensor and its place in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tensor {
    pub(super) shape: Vec<usize>,
    pub(super) dtype: DType,
    /// Byte of the first value.
    pub(super) start: u64,
    /// From one value to the next along each axis, in values.
    pub(super) strides: Vec<u64>,
}

impl Tensor {
    /// A tensor whose last axis is fastest.
    pub(super) fn contiguous(shape: Vec<usize>, dtype: DType, start: u64) -> Tensor {
        let mut strides = vec![1; shape.len()];
        for axis in (1..shape.len()).rev() {
            strides[axis - 1] = (shape[axis] as u64).saturating_mul(strides[axis]);
        }
        Tensor { shape, dtype, start, strides }
    }

    /// A view of a storage that begins at a byte of the file. Refuses one that reaches beyond its storage, or shows its
    /// values more than once and so could be of any size.
    pub(super) fn view(view: &pickle::Tensor, storage_start: u64) -> Result<Tensor, String> {
        let wrong = || "a tensor reaches beyond its storage: the file is damaged; copy it again".to_string();
        let pickle::Tensor { storage, offset, shape, strides } = view;
        if shape.len() != strides.len() {
            return Err(wrong());
        }
        let count = shape.iter().try_fold(1u64, |count, &size| count.checked_mul(size as u64)).ok_or_else(wrong)?;
        let span = span(shape, strides).ok_or_else(wrong)?;
        let end = offset.checked_add(span).ok_or_else(wrong)?;
        if end > storage.elements {
            return Err(wrong());
        }
        if count > span {
            return Err(
                "a tensor shows some of its values more than once, as an expanded one does; save it as .contiguous()"
                    .to_string(),
            );
        }
        let start = offset.checked_mul(storage.dtype.bytes()).and_then(|bytes| bytes.checked_add(storage_start));
        let start = start.ok_or_else(wrong)?;
        Ok(Tensor { shape: shape.clone(), dtype: storage.dtype, start, strides: strides.clone() })
    }

    /// The values as 32-bit floats, last axis fastest.
    pub(super) fn read(&self, file: &mut (impl Read + Seek)) -> Result<Vec<f32>, String> {
        if let DType::Whole(_) = self.dtype {
            return Err("is stored as whole numbers and not as weights".to_string());
        }
        let size = self.dtype.bytes() as usize;
        let span = span(&self.shape, &self.strides).unwrap_or(0) as usize;
        let mut bytes = vec![0; span * size];
        let cut = |_| "lies beyond the end of the file: it may be cut off; copy it again".to_string();
        file.seek(SeekFrom::Start(self.start)).map_err(cut)?;
        file.read_exact(&mut bytes).map_err(cut)?;
        let value = |index: usize| self.dtype.value(&bytes[index * size..][..size]);
        let mut values = Vec::with_capacity(self.shape.iter().product());
        let mut place = vec![0; self.shape.len()];
        let mut index = 0;
        for _ in 0..self.shape.iter().product() {
            values.push(value(index));
            // The next place: the last axis goes on, and where one is at its end, the one before it.
            for axis in (0..place.len()).rev() {
                let stride = self.strides[axis] as usize;
                place[axis] += 1;
                index += stride;
                if place[axis] < self.shape[axis] {
                    break;
                }
                index -= stride * self.shape[axis];
                place[axis] = 0;
            }
        }
        Ok(values)
    }
}

/// Values from the first to the last one of a view, in memory; none where that is no number.
fn span(shape: &[usize], strides: &[u64]) -> Option<u64> {
    if shape.contains(&0) {
        return Some(0);
    }
    shape
        .iter()
        .zip(strides)
        .try_fold(1u64, |span, (&size, stride)| span.checked_add((size as u64 - 1).checked_mul(*stride)?))
}
