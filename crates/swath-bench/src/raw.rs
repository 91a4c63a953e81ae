//! Numbers as raw little-endian bytes, the form in which both sides exchange images and results.

use std::path::Path;

use anyhow::{Context, Result};

/// Reads `f32`.
pub(crate) fn read_f32(path: &Path) -> Result<Vec<f32>> {
    Ok(floats(&read(path)?))
}

/// Reads `f64`.
pub(crate) fn read_f64(path: &Path) -> Result<Vec<f64>> {
    Ok(read(path)?.as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect())
}

/// Writes `f32`.
pub(crate) fn write_f32(path: &Path, values: &[f32]) -> Result<()> {
    std::fs::write(path, bytes(values)).with_context(|| format!("{} cannot be written", path.display()))
}

/// Of bytes, `f32`.
pub(crate) fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

/// Of `f32`, bytes.
pub(crate) fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))
}
