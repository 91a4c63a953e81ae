//! What to choose instead of a network that cannot be built: the nearest one that can.
//!
//! Members know their own options but not their partners, so what they propose may be refused in the next breath: `output_stride = 4`
//! pleases an encoder whose only stride is 4 and no decoder. Every proposal is therefore tried out here on the whole network, and
//! where it does not help, neighbours are tried: one key of the decoder or of the encoder, two of the decoder, one of each, another encoder,
//! another decoder. To check a network allocates nothing, so that trying costs microseconds.

use serde_json::Value;

use crate::decoder::DecoderConfig;
use crate::encoder::EncoderConfig;
use crate::family::FamilyError;
use crate::segmenter::SegmenterConfig;

/// Keys that decide what fits, and their values.
const KEYS: [(&str, Choices); 5] = [
    ("output_stride", Choices::Numbers(&[8, 16, 32])),
    ("stride", Choices::Numbers(&[1, 2, 4, 8, 16, 32, 64])),
    ("upsampling", Choices::Words(&["transposed", "bilinear"])),
    ("padding", Choices::Words(&["same", "valid"])),
    ("depth", Choices::Numbers(&[1, 2, 3, 4, 5, 6, 7, 8])),
];

/// What a key may be.
enum Choices {
    Numbers(&'static [u64]),
    Words(&'static [&'static str]),
}

impl Choices {
    /// All but the present value; of numbers the nearest first.
    fn other_than(&self, present: &Value) -> Vec<Value> {
        let mut values: Vec<Value> = match self {
            Self::Numbers(numbers) => {
                let mut numbers = numbers.to_vec();
                numbers.sort_by_key(|number| number.abs_diff(present.as_u64().unwrap_or(0)));
                numbers.into_iter().map(Value::from).collect()
            }
            Self::Words(words) => words.iter().map(|&word| Value::from(word)).collect(),
        };
        values.retain(|value| value != present);
        values
    }
}

/// The parts of a network that have options.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Network,
    Encoder,
    Decoder,
    Head,
}

impl Part {
    /// The part whose member an error names.
    fn of(error: &FamilyError) -> Self {
        match error {
            FamilyError::Pair { .. } => Self::Decoder,
            FamilyError::Option { member, .. } => match member.split(' ').next() {
                Some("encoder") => Self::Encoder,
                Some("decoder") => Self::Decoder,
                Some("head") => Self::Head,
                _ => Self::Network,
            },
        }
    }
}

/// A key with another value.
struct Change {
    part: Part,
    key: String,
    value: Value,
}

impl Change {
    /// What an error proposes, where that is one key of the member it names.
    fn proposed(error: &FamilyError) -> Option<Self> {
        let (FamilyError::Option { nearest, .. } | FamilyError::Pair { nearest, .. }) = error;
        let (key, value) = nearest.strip_prefix('`')?.strip_suffix('`')?.split_once(" = ")?;
        Some(Self { part: Part::of(error), key: key.into(), value: serde_json::from_str(value).ok()? })
    }

    /// The network with this change, where that can be read as one.
    fn applied(&self, network: &SegmenterConfig) -> Option<SegmenterConfig> {
        let mut json = serde_json::to_value(network).ok()?;
        let table = match self.part {
            Part::Network => Some(&mut json),
            Part::Head => json.get_mut("head"),
            Part::Encoder => member(&mut json, "encoder"),
            Part::Decoder => member(&mut json, "decoder"),
        };
        table?.as_object_mut()?.insert(self.key.clone(), self.value.clone());
        serde_json::from_value(json).ok()
    }

    /// Whether the network works with this change.
    fn helps(&self, network: &SegmenterConfig) -> bool {
        self.applied(network).is_some_and(|changed| works(&changed))
    }
}

/// The options of the member that a network has chosen.
fn member<'a>(network: &'a mut Value, family: &str) -> Option<&'a mut Value> {
    network.get_mut(family)?.as_object_mut()?.values_mut().next()
}

/// The error with the nearest choice that works in place of what the refusing member proposes by itself.
pub(crate) fn complete(network: &SegmenterConfig, error: FamilyError) -> FamilyError {
    let proposed = Change::proposed(&error);
    if proposed.as_ref().is_some_and(|change| change.helps(network)) {
        return error;
    }
    match Neighbours::new(network, Part::of(&error), proposed).nearest() {
        Some(found) => error.with_nearest(found),
        // With many faults at once no choice here mends them all; mending the first leads to the next.
        None => error,
    }
}

/// Whether a network can be built.
fn works(network: &SegmenterConfig) -> bool {
    network.check().is_ok()
}

/// Networks that differ in little from one that cannot be built.
struct Neighbours<'a> {
    network: &'a SegmenterConfig,
    /// The part that the error names.
    named: Part,
    decoder: Vec<Change>,
    encoder: Vec<Change>,
}

impl<'a> Neighbours<'a> {
    /// `proposed` is the change that the refusing member asks for, which may be one of two that are needed.
    fn new(network: &'a SegmenterConfig, named: Part, proposed: Option<Change>) -> Self {
        let (mut decoder, mut encoder) = (changes(network, Part::Decoder), changes(network, Part::Encoder));
        match proposed {
            Some(change) if change.part == Part::Decoder => decoder.insert(0, change),
            Some(change) if change.part == Part::Encoder => encoder.insert(0, change),
            _ => {}
        }
        Self { network, named, decoder, encoder }
    }

    /// The first that works, in words.
    fn nearest(&self) -> Option<String> {
        self.one_key()
            .or_else(|| self.two_keys())
            .or_else(|| another_encoder(self.network))
            .or_else(|| self.another_decoder())
            .or_else(|| self.key_and_encoder())
    }

    fn one_key(&self) -> Option<String> {
        let found = self.decoder.iter().chain(&self.encoder).find(|change| change.helps(self.network))?;
        Some(self.words(found))
    }

    /// Both of the decoder, or one of the encoder.
    fn two_keys(&self) -> Option<String> {
        let with = |seconds: &[Change]| {
            self.decoder.iter().find_map(|first| {
                let changed = first.applied(self.network)?;
                let second = seconds.iter().find(|second| second.helps(&changed))?;
                Some(format!("{} and {}", self.words(first), self.words(second)))
            })
        };
        with(&self.decoder).or_else(|| with(&self.encoder))
    }

    fn another_decoder(&self) -> Option<String> {
        let fits =
            |decoder: &DecoderConfig| works(&SegmenterConfig { decoder: decoder.clone(), ..self.network.clone() });
        let found = DecoderConfig::defaults().into_iter().find(fits)?;
        Some(format!("decoder `{}`", found.name()))
    }

    fn key_and_encoder(&self) -> Option<String> {
        self.decoder.iter().find_map(|change| {
            let encoder = another_encoder(&change.applied(self.network)?)?;
            Some(format!("{} and {encoder}", self.words(change)))
        })
    }

    /// As in `` `depth = 4` of encoder plain ``, without the member that the error names itself.
    fn words(&self, change: &Change) -> String {
        let assignment = format!("`{} = {}`", change.key, change.value);
        match change.part {
            part if part == self.named => assignment,
            Part::Encoder => format!("{assignment} of {}", self.network.encoder.title()),
            _ => format!("{assignment} of {}", self.network.decoder.title()),
        }
    }
}

/// Changes of keys that a member has, nearest values first.
fn changes(network: &SegmenterConfig, part: Part) -> Vec<Change> {
    let Ok(mut json) = serde_json::to_value(network) else { return Vec::new() };
    let family = if part == Part::Encoder { "encoder" } else { "decoder" };
    let Some(options) = member(&mut json, family) else { return Vec::new() };
    let mut found = Vec::new();
    for (key, choices) in KEYS {
        let Some(present) = options.get(key) else { continue };
        found.extend(choices.other_than(present).into_iter().map(|value| Change { part, key: key.into(), value }));
    }
    found
}

/// Another encoder with its defaults, in words.
fn another_encoder(network: &SegmenterConfig) -> Option<String> {
    let fits = |encoder: &EncoderConfig| works(&SegmenterConfig { encoder: encoder.clone(), ..network.clone() });
    let found = EncoderConfig::defaults().into_iter().find(fits)?;
    Some(format!("encoder `{}`", found.name()))
}
