//! Names of other libraries, held against their networks: `fixtures/nn/make_foreign_names.py`.

use burn::tensor::Device;
use serde::Deserialize;
use serde_json::Value;
use swath_nn::encoder::EncoderConfig;
use swath_nn::weights::foreign::{Match, Slot, Source, match_names, slots};

/// A network of another library.
#[derive(Deserialize)]
struct Network {
    encoder: EncoderConfig,
    library: String,
    /// Beginnings of the names that the encoder has no use for.
    left_over: Vec<String>,
    /// FNV-1a of all pairs of names, in 16 hexadecimal digits.
    digest: Option<String>,
    /// Names as a tree of their parts, with shapes as leaves.
    names: Value,
}

fn collect(tree: &Value, prefix: &str, sources: &mut Vec<Source>) {
    match tree {
        Value::Object(parts) => {
            for (part, tree) in parts {
                let name = if prefix.is_empty() { part.clone() } else { format!("{prefix}.{part}") };
                collect(tree, &name, sources);
            }
        }
        shape => {
            let shape = serde_json::from_value(shape.clone()).expect("a shape");
            sources.push(Source { name: prefix.to_string(), shape });
        }
    }
}

fn matched(encoder: &EncoderConfig, sources: &[Source]) -> (Match, Vec<Slot>) {
    let slots = slots(encoder, 3, &Device::flex()).expect("an encoder");
    (match_names(encoder.name(), &slots, sources), slots)
}

#[test]
fn every_parameter_of_every_encoder_is_found_in_other_libraries() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/nn/weights/foreign_names.json");
    let text = std::fs::read_to_string(path).expect("the golden file");
    let networks: Vec<Network> = serde_json::from_str(&text).expect("the golden file");
    assert!(networks.len() >= 20, "the golden file is cut off");
    for network in &networks {
        let what = format!("{} of {}", network.encoder.name(), network.library);
        let mut sources = Vec::new();
        collect(&network.names, "", &mut sources);
        let (found, slots) = matched(&network.encoder, &sources);
        let names = |list: &[usize]| list.iter().map(|&slot| slots[slot].name.as_str()).collect::<Vec<_>>();
        assert_eq!(names(&found.missing), [""; 0], "{what}");
        assert_eq!(found.misfits, [], "{what}");
        for &left in &found.left_over {
            let name = sources[left].name.as_str();
            assert!(network.left_over.iter().any(|start| name.starts_with(start)), "{what}: {name} is left over");
        }
        if let Some(digest) = &network.digest {
            let pair = |&(slot, source): &(usize, usize)| format!("{}={}", sources[source].name, slots[slot].name);
            let mut pairs: Vec<String> = found.matched.iter().map(pair).collect();
            pairs.sort();
            let hash = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            let hash = pairs.join("\n").bytes().fold(0xcbf2_9ce4_8422_2325, hash);
            assert_eq!(format!("{hash:016x}"), *digest, "{what}: {pairs:#?}");
        }
    }
}

/// timm's networks as its `features_only` names them, where the first dot becomes a line, in the `tu-` encoders of
/// segmentation_models.pytorch.
#[test]
fn flattened_names_of_timm_are_known() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/nn/weights/foreign_names.json");
    let text = std::fs::read_to_string(path).expect("the golden file");
    let networks: Vec<Network> = serde_json::from_str(&text).expect("the golden file");
    let mut seen = Vec::new();
    for Network { encoder, library, names, .. } in networks {
        let flattened = match encoder.name() {
            "vgg" | "densenet" => "features",
            "swin" => "layers",
            _ => continue,
        };
        let mut sources = Vec::new();
        collect(&names, "", &mut sources);
        let (dotted, _) = matched(&encoder, &sources);
        let dots = format!("{flattened}.");
        if encoder.name() == "swin" && library != "timm" {
            continue;
        }
        for source in &mut sources {
            let name = match source.name.strip_prefix(&dots) {
                Some(rest) => format!("{flattened}_{rest}"),
                None => source.name.clone(),
            };
            source.name = format!("encoder.model.{name}");
        }
        let (found, slots) = matched(&encoder, &sources);
        assert_eq!((found.library, found.prefix.as_str()), ("timm", "encoder.model."), "{}", encoder.name());
        let published = |list: &[(usize, usize)]| {
            let mut list = list.to_vec();
            list.retain(|&(slot, _)| !slots[slot].name.contains(".classifier."));
            list.sort_unstable();
            list
        };
        assert_eq!(published(&found.matched), published(&dotted.matched), "{}", encoder.name());
        seen.push(encoder.name());
    }
    assert!(["vgg", "densenet", "swin"].iter().all(|name| seen.contains(name)), "{seen:?}");
}

#[test]
fn the_papers_own_files_are_known_too() {
    let encoder = |text: &str| toml::from_str::<EncoderConfig>(text).expect("an encoder");
    let own = |encoder: &EncoderConfig, source: &[(&str, &[usize])]| -> Vec<String> {
        let sources: Vec<Source> =
            source.iter().map(|(name, shape)| Source { name: name.to_string(), shape: shape.to_vec() }).collect();
        let (found, slots) = matched(encoder, &sources);
        assert_eq!(found.matched.len(), sources.len());
        let mut found = found.matched;
        found.sort_by_key(|(_, source)| *source);
        found.into_iter().map(|(slot, _)| slots[slot].name.clone()).collect()
    };
    // A stage of Microsoft's Swin ends with the merging that timm's next stage begins with.
    let found = own(
        &encoder("swin = {}"),
        &[("layers.0.downsample.reduction.weight", &[192, 384]), ("layers.1.blocks.0.norm1.weight", &[192])],
    );
    assert_eq!(found, ["encoder.stages.1.merging.reduction.weight", "encoder.stages.1.blocks.0.norm1.gamma"]);
    let found = own(
        &encoder("convnext = { variant = \"tiny\" }"),
        &[
            ("downsample_layers.0.0.weight", &[96, 3, 4, 4]),
            ("downsample_layers.1.0.weight", &[96]),
            ("stages.0.2.dwconv.weight", &[96, 1, 7, 7]),
            ("stages.0.2.pwconv1.weight", &[384, 96]),
            ("stages.0.2.gamma", &[96]),
        ],
    );
    let expected = [
        "encoder.stem.conv.weight",
        "encoder.stages.1.downsample.norm.gamma",
        "encoder.stages.0.blocks.2.conv_dw.weight",
        "encoder.stages.0.blocks.2.mlp.fc1.weight",
        "encoder.stages.0.blocks.2.layer_scale",
    ];
    assert_eq!(found, expected);
    // DenseNet as torchvision's files of 2017 have it.
    let found = own(&encoder("densenet = {}"), &[("features.denseblock2.denselayer3.norm.1.weight", &[192])]);
    assert_eq!(found, ["encoder.denseblock2.2.norm1.gamma"]);
}

#[test]
fn first_convolutions_are_known_by_what_bands_change() {
    for encoder in EncoderConfig::defaults() {
        let slots = slots(&encoder, 3, &Device::flex()).expect("an encoder");
        let first: Vec<&Slot> = slots.iter().filter(|slot| slot.reads_bands).collect();
        assert!(!first.is_empty(), "{}", encoder.name());
        assert!(first.iter().all(|slot| slot.shape.len() == 4 && slot.shape[1] == 3), "{}", encoder.name());
    }
}
