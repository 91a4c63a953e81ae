//! What both sides are given: weights, images and labels, the same in every run.

use std::path::Path;

use anyhow::{Context, Result};
use burn::tensor::Device;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use swath_nn::weights::{Kind, NamedTensor, parameter_kind, read};

use crate::case;
use crate::raw;
use crate::settings::Settings;

/// Writes the weights where a file is named for them, and `batch` images (raw `f32`) and their labels (bytes) to the places of scene and labels. Returns how
/// many parameters the network trains.
///
/// Running statistics and the scale and shift of normalization differ from channel to channel, so that leaving them out
/// would show.
pub(crate) fn write(settings: &Settings) -> Result<u64> {
    let Settings { bands, classes, chip, batch, .. } = *settings;
    let images: Vec<f32> = uniform("images", batch * bands * chip * chip).map(|u| u as f32).collect();
    raw::write_f32(&settings.scene, &images)?;
    let class = |u: f64| ((u + 1.0) / 2.0 * classes as f64) as u8;
    let labels: Vec<u8> = uniform("labels", batch * chip * chip).map(class).collect();
    std::fs::write(&settings.labels, labels)?;
    let mut tensors = read(&case::config(settings)?.init(&Device::flex())?);
    if let Some(path) = &settings.weights {
        tensors.iter_mut().for_each(fill);
        write_weights(path, &tensors)?;
    }
    let trained = tensors.iter().filter(|tensor| parameter_kind(&tensor.name) != Kind::RunningStat);
    Ok(trained.map(|tensor| tensor.data.len() as u64).sum())
}

/// Reads the weights that [`write`](write()) has written.
pub(crate) fn load_weights(path: &Path) -> Result<Vec<NamedTensor>> {
    let file = std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let tensors = SafeTensors::deserialize(&file)?;
    let named = |(name, view): (&str, TensorView)| NamedTensor {
        name: name.to_owned(),
        shape: view.shape().to_vec(),
        data: raw::floats(view.data()),
    };
    Ok(tensors.iter().map(named).collect())
}

fn write_weights(path: &Path, tensors: &[NamedTensor]) -> Result<()> {
    let bytes: Vec<Vec<u8>> = tensors.iter().map(|tensor| raw::bytes(&tensor.data)).collect();
    let views = tensors.iter().zip(&bytes).map(|(tensor, bytes)| {
        let view = TensorView::new(Dtype::F32, tensor.shape.clone(), bytes)?;
        Ok((tensor.name.as_str(), view))
    });
    let file = safetensors::serialize(views.collect::<Result<Vec<_>>>()?, None)?;
    std::fs::write(path, file).with_context(|| format!("{} cannot be written", path.display()))
}

/// Numbers from -1 to 1 that depend on a name alone: FNV-1a, then SplitMix64, as in `fixtures/nn/hashed.py`.
fn uniform(name: &str, count: usize) -> impl Iterator<Item = f64> {
    let hash = |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let state = name.bytes().fold(0xcbf2_9ce4_8422_2325, hash);
    (1..=count as u64).map(move |index| {
        let mut z = index.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(state);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        (z >> 11) as f64 * (2.0 / (1u64 << 53) as f64) - 1.0
    })
}

fn fill(tensor: &mut NamedTensor) {
    let field = tensor.name.rsplit('.').next().unwrap_or_default();
    let fan_in: usize = tensor.shape[1..].iter().product();
    let (centre, spread) = match parameter_kind(&tensor.name) {
        Kind::Weight => (0.0, (6.0 / fan_in as f64).sqrt()),
        Kind::Norm if field == "gamma" => (1.0, 0.1),
        Kind::LayerScale => (1.0, 0.1),
        Kind::PositionBias => (0.0, 1.0),
        Kind::RunningStat if field == "running_var" => (1.0, 0.5),
        Kind::Bias | Kind::Norm | Kind::RunningStat => (0.0, 0.1),
    };
    tensor.data = uniform(&tensor.name, tensor.data.len()).map(|u| (centre + spread * u) as f32).collect();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_return_from_their_file_and_no_channel_is_like_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.safetensors");
        let settings = Settings {
            scene: folder.path().join("images"),
            labels: folder.path().join("labels"),
            weights: Some(path.clone()),
            classes: 3,
            width: 4,
            depth: 2,
            chip: 16,
            ..Settings::default()
        };
        let trained = write(&settings).unwrap();
        assert_eq!(raw::read_f32(&settings.scene).unwrap().len(), 4 * 10 * 16 * 16);
        assert_eq!(std::fs::read(&settings.labels).unwrap().iter().max(), Some(&2));
        let tensors = load_weights(&path).unwrap();
        let network = case::config(&settings).unwrap().init(&Device::flex()).unwrap();
        let network = swath_nn::weights::write(network, &tensors).unwrap();
        let (mut read, mut loaded) = (read(&network), tensors.clone());
        read.sort_by(|a, b| a.name.cmp(&b.name));
        loaded.sort_by(|a, b| a.name.cmp(&b.name));
        assert_eq!(read, loaded);
        let statistics = |tensor: &&NamedTensor| parameter_kind(&tensor.name) == Kind::RunningStat;
        let count = |tensors: Vec<&NamedTensor>| tensors.iter().map(|tensor| tensor.data.len() as u64).sum::<u64>();
        assert_eq!(count(tensors.iter().collect()) - count(tensors.iter().filter(statistics).collect()), trained);
        for tensor in tensors.iter().filter(statistics) {
            assert!(tensor.data.windows(2).all(|pair| pair[0] != pair[1]), "{}", tensor.name);
        }
    }
}
