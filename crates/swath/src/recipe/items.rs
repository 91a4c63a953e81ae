//! Relative paths and globs of a recipe's items.
//!
//! [`Recipe::load`](super::Recipe::load) says what they mean:
//!
//! ```toml
//! { scene = "*/images/*.jpg", labels = "{dir}/../masks/{stem}.png" }
//! { scene = "images/*.tif", labels = "masks/*.png" }   # pairs are made by name, never by position
//! { scene = "eurosat/*/*.jpg", class = "{folder}", share = [0, 0.8] }   # whole images, classes by folder
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use swath_geo::GridChoice;

use super::data::{FOLDER, unknown_class};
use super::{Data, Item};
use crate::classes::Class;

impl Data {
    /// Makes every path absolute, seen from the recipe's folder, and expands globs.
    pub(super) fn resolve(&mut self, folder: &Path) -> Result<(), String> {
        let classes = &self.classes;
        for (split, items) in [("train", &mut self.train), ("val", &mut self.val), ("test", &mut self.test)] {
            let mut resolved = Vec::with_capacity(items.len());
            for (at, mut item) in std::mem::take(items).into_iter().enumerate() {
                for path in item.paths_mut() {
                    *path = absolute(folder, path);
                }
                let key = format!("data.{split}[{at}]");
                for mut item in expand(item, &key)? {
                    item.take_class_from_folder(&key, classes)?;
                    resolved.push(item);
                }
            }
            *items = resolved;
        }
        Ok(())
    }
}

impl Item {
    /// Every path of the item.
    fn paths_mut(&mut self) -> Vec<&mut PathBuf> {
        let mut paths: Vec<&mut PathBuf> = self.scene.sources.iter_mut().map(|source| &mut source.path).collect();
        if let GridChoice::Like(path) = &mut self.scene.grid {
            paths.push(path);
        }
        paths.extend(self.labels.as_mut());
        paths.extend(self.aoi.as_mut());
        paths
    }

    /// Puts the folder and the file name of the scene's file in place of `{dir}` and `{stem}`.
    fn fill(&mut self, scene: &Path) {
        for path in self.paths_mut() {
            *path = fill(path, scene);
        }
    }

    /// Turns `class = "{folder}"` into the class whose name, or one of whose attributes, is the name of the scene's folder.
    fn take_class_from_folder(&mut self, key: &str, classes: &[Class]) -> Result<(), String> {
        if self.class.as_deref() != Some(FOLDER) {
            return Ok(());
        }
        let scene = &self.scene.sources[0].path;
        let folder = scene.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
        let named = |class: &&Class| class.name == folder || class.attributes.iter().any(|other| *other == folder);
        let Some(class) = classes.iter().find(named) else {
            let problem = unknown_class(&format!("{key}.class"), &folder, classes);
            return Err(format!("{problem} ({} lies in that folder)", scene.display()));
        };
        self.class = Some(class.name.clone());
        Ok(())
    }
}

/// The place of a file in the order that shares are cut from, from 0 to below 1. It depends on the file's name alone, so that no
/// file changes sides when others are added.
fn place(file: &Path) -> f64 {
    let digest = Sha256::digest(file.file_name().unwrap_or_default().to_string_lossy().as_bytes());
    let bits = digest.iter().take(6).fold(0u64, |bits, byte| bits << 8 | u64::from(*byte));
    bits as f64 / (1u64 << 48) as f64
}

/// The items that a glob in the scene stands for; the item itself without one. Their paths hold no `{dir}` and `{stem}`.
fn expand(mut item: Item, key: &str) -> Result<Vec<Item>, String> {
    let Some(leader) = item.scene.sources.iter().position(|source| is_glob(&source.path)) else {
        if item.labels.as_deref().is_some_and(is_glob) {
            return Err(format!("{key}.labels is a glob but its scene is none: name the one label file"));
        }
        if item.share.is_some() {
            return Err(format!("{key}.share is for globs, and {key}.scene is none: leave it out"));
        }
        if let Some(scene) = item.scene.sources.first().map(|source| source.path.clone()) {
            item.fill(&scene);
        }
        return Ok(vec![item]);
    };
    if let Some(other) = item.scene.sources.iter().skip(leader + 1).find(|source| is_glob(&source.path)) {
        return Err(format!(
            "{key}.scene holds a second glob {}: write {{stem}} and {{dir}} for the first one's file name and folder",
            other.path.display()
        ));
    }
    let scenes = matches(&item.scene.sources[leader].path, &format!("{key}.scene"))?;
    let [from, to] = item.share.unwrap_or([0.0, 1.0]);
    let scenes: Vec<PathBuf> = scenes.into_iter().filter(|file| (from..to).contains(&place(file))).collect();
    if scenes.is_empty() {
        return Err(format!("{key}.share is [{from}, {to}]: no file has its place there; widen it"));
    }
    let pattern = item.labels.as_deref().filter(|labels| is_glob(labels));
    let labels = pattern.map(|pattern| by_stem(pattern, &format!("{key}.labels"))).transpose()?;
    scenes
        .into_iter()
        .map(|scene| {
            let mut one = Item { share: None, ..item.clone() };
            if let (Some(labels), Some(pattern)) = (&labels, pattern) {
                one.labels = Some(labels.get(&stem(&scene)).cloned().ok_or_else(|| {
                    format!(
                        "{key}: no file of labels = {} has the name of scene {}; where names differ, write labels \
                         with {{stem}} and {{dir}}",
                        pattern.display(),
                        scene.display()
                    )
                })?);
            }
            one.fill(&scene);
            one.scene.sources[leader].path = scene;
            Ok(one)
        })
        .collect()
}

/// The path seen from the folder. What GDAL opens but no file system knows stays as it is:
/// `/vsizip/...`, `NETCDF:...`.
fn absolute(folder: &Path, path: &Path) -> PathBuf {
    let text = path.to_string_lossy();
    let scheme = text.split_once(':').is_some_and(|(scheme, _)| {
        scheme.len() > 1 && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    });
    // `{dir}` becomes an absolute folder later.
    if path.as_os_str().is_empty() || scheme || text.starts_with("{dir}") {
        path.to_path_buf()
    } else {
        folder.join(path)
    }
}

/// Whether the path is a pattern; a file that is really called so is none.
fn is_glob(path: &Path) -> bool {
    path.to_string_lossy().contains(['*', '?', '[']) && !path.exists() && !path.starts_with("/vsicurl")
}

/// The files that a pattern stands for, sorted.
fn matches(pattern: &Path, key: &str) -> Result<Vec<PathBuf>, String> {
    let wrong = |problem: String| format!("{key} = {}: {problem}", pattern.display());
    let found = glob::glob(&pattern.to_string_lossy()).map_err(|error| wrong(format!("not a glob: {error}")))?;
    let mut files = found.collect::<Result<Vec<_>, _>>().map_err(|error| wrong(error.to_string()))?;
    files.sort();
    if files.is_empty() { Err(wrong("no file matches".to_owned())) } else { Ok(files) }
}

/// The files that a pattern stands for, by stem.
fn by_stem(pattern: &Path, key: &str) -> Result<BTreeMap<String, PathBuf>, String> {
    let mut named = BTreeMap::new();
    for file in matches(pattern, key)? {
        if let Some(other) = named.insert(stem(&file), file.clone()) {
            return Err(format!(
                "{key}: {} and {} have the same name, so that scenes cannot be paired with them; write {{stem}} and \
                 {{dir}} instead of a glob",
                other.display(),
                file.display()
            ));
        }
    }
    Ok(named)
}

fn fill(path: &Path, scene: &Path) -> PathBuf {
    let Some(text) = path.to_str().filter(|text| text.contains("{stem}") || text.contains("{dir}")) else {
        return path.to_path_buf();
    };
    let folder = scene.parent().unwrap_or(Path::new("")).to_string_lossy();
    PathBuf::from(text.replace("{dir}", &folder).replace("{stem}", &stem(scene)))
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}
