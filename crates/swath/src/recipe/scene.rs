//! `scene`: the files of one scene, from a single path to a list of sources with their bands.
//!
//! ```toml
//! scene = "a.tif"
//! scene = ["B02.jp2", { path = "B11.jp2", resampling = "cubic" }]
//! scene = { sources = ["B11.jp2", "B02.jp2"], grid = "finest", resampling = "bilinear", allow_reproject = false }
//! ```

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::Serializer;
use swath_geo::{SceneSpec, Source};

/// Writes the shortest of the three forms.
pub(super) fn serialize<S: Serializer>(spec: &SceneSpec, serializer: S) -> Result<S::Ok, S::Error> {
    let paths: Vec<&PathBuf> = spec.sources.iter().map(|source| &source.path).collect();
    if *spec == SceneSpec::from_paths(&paths) {
        match paths[..] {
            [only] => only.serialize(serializer),
            _ => paths.serialize(serializer),
        }
    } else if *spec == SceneSpec::from_sources(spec.sources.clone()) {
        spec.sources.serialize(serializer)
    } else {
        spec.serialize(serializer)
    }
}

/// Reads any of the three forms.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SceneSpec, D::Error> {
    deserializer.deserialize_any(SceneVisitor)
}

pub(super) fn check(spec: &SceneSpec, key: &str) -> Result<(), String> {
    if spec.sources.is_empty() {
        return Err(format!("{key} is empty: name at least one file"));
    }
    for (at, source) in spec.sources.iter().enumerate() {
        let Source { path, bands, .. } = source;
        if path.as_os_str() == Path::new("") {
            return Err(format!("{key} holds an empty path as file {at}: name a file"));
        }
        if bands.as_ref().is_some_and(|bands| bands.is_empty() || bands.contains(&0)) {
            return Err(format!("{key}: bands of {} must be numbers, counted from 1", path.display()));
        }
    }
    Ok(())
}

struct SceneVisitor;

impl<'de> Visitor<'de> for SceneVisitor {
    type Value = SceneSpec;

    fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str("a path, a list of paths or a table { sources = [...] }")
    }

    fn visit_str<E: serde::de::Error>(self, path: &str) -> Result<SceneSpec, E> {
        Ok(SceneSpec::from_paths(&[path]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<SceneSpec, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(seq)).map(SceneSpec::from_sources)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<SceneSpec, A::Error> {
        SceneSpec::deserialize(MapAccessDeserializer::new(map))
    }
}
