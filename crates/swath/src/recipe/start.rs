//! `weights` and `other_bands` of `[model.encoder.*]`: what training starts from.
//!
//! Every encoder has these keys, and none of their configs knows them. They are taken out while the encoder's table is read and
//! put back when it is written, so that an encoder is one table for people and mistakes in it keep their place.

use std::fmt;
use std::path::PathBuf;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, IntoDeserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use swath_nn::encoder::EncoderConfig;

use crate::pretrained::OtherBands;

/// What an encoder starts from.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Start {
    /// A file with its weights: an encoder file of `swath models import`, a bundle, or a file that could be imported. Without
    /// one, weights are drawn from the seed.
    pub weights: Option<PathBuf>,
    /// How the first convolution starts for bands that the weights do not know.
    pub other_bands: OtherBands,
}

/// The keys, beside each encoder's own.
pub(super) const KEYS: [&str; 2] = ["weights", "other_bands"];

/// An encoder's table with these keys in it.
#[derive(Debug, Clone)]
pub(super) struct Started {
    pub(super) encoder: EncoderConfig,
    pub(super) start: Start,
}

impl Serialize for Started {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.start == Start::default() {
            return self.encoder.serialize(serializer);
        }
        let wrong = |error: serde_json::Error| serde::ser::Error::custom(error);
        let mut table = serde_json::to_value(&self.encoder).map_err(wrong)?;
        if let Some(options) = table.get_mut(self.encoder.name()).and_then(serde_json::Value::as_object_mut) {
            // TOML has no word for what is left out.
            options.retain(|_, value| !value.is_null());
            if let Some(weights) = &self.start.weights {
                options.insert(KEYS[0].to_owned(), serde_json::to_value(weights).map_err(wrong)?);
            }
            options.insert(KEYS[1].to_owned(), serde_json::to_value(self.start.other_bands).map_err(wrong)?);
        }
        table.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Started {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Choice)
    }
}

/// The table that holds one encoder by name.
struct Choice;

impl<'de> Visitor<'de> for Choice {
    type Value = Started;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("enum EncoderConfig")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Started, E> {
        // A name alone is refused in the family's own words.
        let encoder = EncoderConfig::deserialize(name.into_deserializer())?;
        Ok(Started { encoder, start: Start::default() })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Started, A::Error> {
        let count = |found| de::Error::custom(format!("wanted exactly 1 element, {found}"));
        let name = map.next_key_seed(Name)?.ok_or_else(|| count("found 0 elements"))?;
        let started = map.next_value_seed(Options { name })?;
        match map.next_key::<IgnoredAny>()? {
            None => Ok(started),
            Some(_) => Err(count("more than 1 element")),
        }
    }
}

/// The name of an encoder. It is checked here, where the place of a wrong one is known.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        let name = String::deserialize(deserializer)?;
        if EncoderConfig::MEMBERS.iter().any(|member| member.name == name) {
            return Ok(name);
        }
        let names: Vec<String> = EncoderConfig::MEMBERS.iter().map(|member| format!("`{}`", member.name)).collect();
        Err(de::Error::custom(format!("unknown variant `{name}`, expected one of {}", names.join(", "))))
    }
}

/// The options of the encoder of this name.
struct Options {
    name: String,
}

impl<'de> DeserializeSeed<'de> for Options {
    type Value = Started;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Started, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Options {
    type Value = Started;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "struct {}", self.name)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Started, A::Error> {
        let mut start = Start::default();
        let member = Member { name: Some(self.name), options: Some(Others { map, start: &mut start }) };
        let encoder = EncoderConfig::deserialize(MapAccessDeserializer::new(member))?;
        Ok(Started { encoder, start })
    }
}

/// A map of one entry: an encoder's name and its own options.
struct Member<'a, A> {
    name: Option<String>,
    options: Option<Others<'a, A>>,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Member<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        self.name.take().map(|name| seed.deserialize(name.into_deserializer())).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        let options = self.options.take().ok_or_else(|| de::Error::custom("wanted exactly 1 element"))?;
        seed.deserialize(MapAccessDeserializer::new(options))
    }
}

/// All options but those of [`Start`], which are set aside.
struct Others<'a, A> {
    map: A,
    start: &'a mut Start,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Others<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, mut seed: K) -> Result<Option<K::Value>, A::Error> {
        loop {
            seed = match self.map.next_key_seed(Key(seed))? {
                None => return Ok(None),
                Some(Found::Other(value)) => return Ok(Some(value)),
                Some(Found::Weights(seed)) => {
                    self.start.weights = Some(self.map.next_value()?);
                    seed
                }
                Some(Found::OtherBands(seed)) => {
                    self.start.other_bands = self.map.next_value()?;
                    seed
                }
            };
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.map.next_value_seed(seed)
    }
}

/// A key: one of ours, which leaves the seed for the next, or another.
struct Key<K>(K);

enum Found<K, V> {
    Weights(K),
    OtherBands(K),
    Other(V),
}

impl<'de, K: DeserializeSeed<'de>> DeserializeSeed<'de> for Key<K> {
    type Value = Found<K, K::Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        let key = String::deserialize(deserializer)?;
        match key.as_str() {
            "weights" => Ok(Found::Weights(self.0)),
            "other_bands" => Ok(Found::OtherBands(self.0)),
            _ => self.0.deserialize(key.into_deserializer()).map(Found::Other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "[resnet]\ndepth = 18\nweights = \"a.safetensors\"\nwidth = 8\nother_bands = \"random\"\n";

    #[test]
    fn its_keys_stand_among_the_encoders_own() {
        let started: Started = toml::from_str(TEXT).unwrap();
        let plain: EncoderConfig = toml::from_str("[resnet]\ndepth = 18\nwidth = 8\n").unwrap();
        assert_eq!(started.encoder, plain);
        let start = Start { weights: Some("a.safetensors".into()), other_bands: OtherBands::Random };
        assert_eq!(started.start, start);
        for text in [toml::to_string(&started).unwrap(), serde_json::to_string(&started).unwrap()] {
            let again: Started = toml::from_str(&text).or_else(|_| serde_json::from_str(&text)).unwrap();
            assert_eq!((again.encoder, again.start), (started.encoder.clone(), start.clone()));
        }
        let untouched = Started { encoder: plain.clone(), start: Start::default() };
        assert_eq!(toml::to_string(&untouched).unwrap(), toml::to_string(&plain).unwrap());
    }

    #[test]
    fn every_encoder_takes_weights() {
        for member in EncoderConfig::MEMBERS {
            let started: Started = toml::from_str(&format!("[{}]\nweights = \"w\"\n", member.name)).unwrap();
            assert_eq!(started.start.weights, Some("w".into()), "{}", member.name);
            let again: Started = toml::from_str(&toml::to_string(&started).unwrap()).unwrap();
            assert_eq!(again.encoder, started.encoder);
        }
    }
}
