//! Networks that are larger than anybody wants, found before a parameter is allocated.

use swath_nn::weights::{Part, parts};
use swath_nn::{FamilyError, SegmenterConfig};

/// Bytes that training keeps for a parameter: its value, its gradient, and the two averages of AdamW.
const BYTES: u64 = 16;

/// Parameters from which on a network deserves a word, if one part outside of its encoder holds most of them: more than any encoder
/// of the family has with its classifier.
const MANY: usize = 150_000_000;

/// What the user should know of a network's size, if anything.
///
/// # Errors
/// With the reason, when parameters alone take more than `memory` bytes.
pub(super) fn check(config: &SegmenterConfig, memory: Option<u64>) -> Result<Option<String>, SizeError> {
    let parts = parts(&config.unfilled()?);
    let total: usize = parts.iter().map(|part| part.parameters).sum();
    let bytes = total as u64 * BYTES;
    let Some(largest) = parts.first() else { return Ok(None) };
    let words = || {
        format!(
            "the network has {} million parameters, {} million of them in `{}`; values, gradients and averages of the optimizer take \
             {:.1} GB",
            millions(total),
            millions(largest.parameters),
            largest.name,
            bytes as f64 / 1e9
        )
    };
    if let Some(memory) = memory.filter(|&memory| bytes > memory) {
        let machine = format!("this machine has {:.1} GB", memory as f64 / 1e9);
        return Err(SizeError::Memory(format!("{}, and {machine}: {}", words(), cure(config, largest))));
    }
    let lopsided = 2 * largest.parameters > total && !largest.name.starts_with("encoder");
    Ok((total >= MANY && lopsided).then(|| format!("{}: {}", words(), cure(config, largest))))
}

/// Why a network cannot be trained.
#[derive(Debug, thiserror::Error)]
pub(super) enum SizeError {
    /// It cannot be built.
    #[error(transparent)]
    Family(#[from] FamilyError),
    /// It is larger than the machine.
    #[error("{0}")]
    Memory(String),
}

/// What to choose instead.
fn cure(config: &SegmenterConfig, largest: &Part) -> String {
    let (encoder, decoder) = (config.encoder.name(), config.decoder.name());
    if largest.name.ends_with(".enlarge") {
        return format!(
            "in [model.decoder.{decoder}] choose `upsampling = \"bilinear\"`, which has no parameters, or fewer channels: half as many \
             have a quarter of them"
        );
    }
    match largest.name.starts_with("encoder") {
        true => format!("choose a smaller variant or width in [model.encoder.{encoder}], or another encoder"),
        false => format!("choose fewer channels in [model.decoder.{decoder}], or another decoder"),
    }
}

fn millions(parameters: usize) -> String {
    format!("{:.0}", parameters as f64 / 1e6)
}

/// Bytes of memory that the machine has, where it tells.
pub(super) fn memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kilobytes| 1024 * kilobytes)
}

#[cfg(test)]
mod tests {
    use swath_nn::block::Upsampling;
    use swath_nn::decoder::mlp::MlpConfig;
    use swath_nn::encoder::resnet::ResnetConfig;
    use swath_nn::preset::PRESETS;

    use super::*;

    fn on_resnet50(upsampling: Upsampling, hidden: usize) -> SegmenterConfig {
        let decoder = MlpConfig { upsampling, hidden, ..MlpConfig::default() };
        SegmenterConfig::new(ResnetConfig { depth: 50, ..ResnetConfig::default() }, decoder, 3, 2)
    }

    #[test]
    fn a_decoder_of_many_parameters_is_named_with_what_to_choose_instead() {
        // Six doublings of 1024 channels to four times as many by 3x3 convolutions with bias.
        let shuffled = 6 * (9 * 1024 * 4096 + 4096) / 1_000_000 + 1;
        let words = check(&on_resnet50(Upsampling::PixelShuffle, 1024), None).unwrap().unwrap();
        assert!(words.contains(&format!("{shuffled} million of them in `decoder.mlp.enlarge`")), "{words}");
        assert!(words.contains("[model.decoder.mlp] choose `upsampling = \"bilinear\"`"), "{words}");
        assert_eq!(check(&on_resnet50(Upsampling::Bilinear, 1024), None).unwrap(), None);
        assert_eq!(check(&on_resnet50(Upsampling::PixelShuffle, 64), None).unwrap(), None);
    }

    #[test]
    fn what_no_memory_holds_is_refused_before_it_is_allocated() {
        // 140 terabytes.
        let refused = check(&on_resnet50(Upsampling::PixelShuffle, 200_000), Some(64 << 30)).unwrap_err().to_string();
        assert!(refused.contains("this machine has 68.7 GB") && refused.contains("decoder.mlp.enlarge"), "{refused}");
        let small = on_resnet50(Upsampling::Bilinear, 1024);
        let refused = check(&small, Some(1 << 20)).unwrap_err().to_string();
        assert!(refused.contains("[model.encoder.resnet]") && !refused.contains('\n'), "{refused}");
        assert_eq!(check(&small, memory()).unwrap(), None);
    }

    #[test]
    fn named_networks_are_no_larger_than_they_should_be() {
        for preset in PRESETS {
            assert_eq!(check(&(preset.config)(4, 6), None).unwrap(), None, "{}", preset.name);
        }
    }
}
