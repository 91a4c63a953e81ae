//! Vector files: layers, fields and their values.

use std::collections::BTreeMap;
use std::path::Path;

use gdal::spatial_ref::CoordTransform;
use gdal::vector::{Feature, Geometry, Layer, LayerAccess};
use gdal::{Dataset, DatasetOptions, GdalOpenFlags};

use crate::gdal_setup::{clear_messages, init, take_messages};
use crate::{Crs, GeoError, Result};

/// A layer of a vector file.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerInfo {
    /// Name.
    pub name: String,
    /// Attribute fields, in the file's order.
    pub fields: Vec<String>,
    /// Number of features.
    pub features: u64,
    /// Coordinate reference system, where the file says it.
    pub crs: Option<Crs>,
    /// `[x min, y min, x max, y max]` in the layer's CRS; `None` for a layer without geometries.
    pub bounds: Option<[f64; 4]>,
}

/// The layers of a vector file that hold geometries.
///
/// # Errors
/// When the file cannot be opened as vectors.
pub fn vector_layers(path: &Path) -> Result<Vec<LayerInfo>> {
    let dataset = open_vector(path)?;
    let spatial = dataset.layers().filter(has_geometry);
    let infos = spatial.map(|layer| LayerInfo {
        name: layer.name(),
        fields: field_names(&layer),
        features: layer.feature_count(),
        crs: layer_crs(&layer),
        bounds: layer.get_extent().ok().map(|e| [e.MinX, e.MinY, e.MaxX, e.MaxY]).filter(|_| layer.feature_count() > 0),
    });
    Ok(infos.collect())
}

/// The geometry of a feature; `None` where it has none, which `Feature::geometry` returns as one without anything in it.
pub(crate) fn geometry<'a>(feature: &'a Feature<'_>) -> Option<&'a Geometry> {
    // SAFETY: the pointer is only compared.
    feature.geometry().filter(|geometry| !unsafe { geometry.c_geometry() }.is_null())
}

/// How often each value of a field occurs, by ascending value; features without a value are left out.
///
/// `layer` may be `None` when the file has one; `filter` is an OGR SQL condition such as `area > 100`.
///
/// # Errors
/// When the file, the layer or the field does not exist (naming those that do), or the filter is no condition.
pub fn field_values(path: &Path, layer: Option<&str>, field: &str, filter: Option<&str>) -> Result<Vec<(String, u64)>> {
    let dataset = open_vector(path)?;
    let mut layer = find_layer(&dataset, path, layer)?;
    let index = find_field(&layer, path, field)?;
    set_filter(&mut layer, path, filter)?;
    let mut counts = BTreeMap::new();
    for feature in layer.features() {
        if let Ok(Some(value)) = feature.field_as_string(index) {
            *counts.entry(value).or_insert(0) += 1;
        }
    }
    Ok(counts.into_iter().collect())
}

/// Opens a file for reading its vectors.
pub(crate) fn open_vector(path: &Path) -> Result<Dataset> {
    init();
    clear_messages();
    let open_flags = GdalOpenFlags::GDAL_OF_VECTOR | GdalOpenFlags::GDAL_OF_VERBOSE_ERROR;
    Dataset::open_ex(path, DatasetOptions { open_flags, ..Default::default() })
        .map_err(|error| GeoError::Open { path: path.to_path_buf(), message: take_messages(&error.to_string()) })
}

/// The layer of that name, or the only layer with geometries.
pub(crate) fn find_layer<'a>(dataset: &'a Dataset, path: &Path, name: Option<&str>) -> Result<Layer<'a>> {
    let mut layers: Vec<Layer<'a>> = dataset.layers().filter(has_geometry).collect();
    let names: Vec<String> = layers.iter().map(|layer| layer.name()).collect();
    match name {
        Some(name) => match names.iter().position(|found| found == name) {
            Some(index) => Ok(layers.swap_remove(index)),
            None => Err(GeoError::input(path, format!("it has no layer {name:?}; {}", listed("layers", name, &names)))),
        },
        None if layers.len() == 1 => Ok(layers.swap_remove(0)),
        None if layers.is_empty() => Err(GeoError::input(path, "it has no layer with geometries")),
        None => Err(GeoError::input(path, format!("it has several layers ({}); choose one by name", names.join(", ")))),
    }
}

/// As [`find_layer`], or the only table of a file without geometries.
pub(crate) fn find_table<'a>(dataset: &'a Dataset, path: &Path, name: Option<&str>) -> Result<Layer<'a>> {
    let mut tables: Vec<Layer<'a>> = dataset.layers().collect();
    let wanted = |layer: &Layer<'_>| name.is_none_or(|name| layer.name() == name);
    if tables.len() == 1 && wanted(&tables[0]) { Ok(tables.swap_remove(0)) } else { find_layer(dataset, path, name) }
}

/// The index of a field.
pub(crate) fn find_field(layer: &Layer<'_>, path: &Path, field: &str) -> Result<usize> {
    let names = field_names(layer);
    names.iter().position(|name| name == field).ok_or_else(|| {
        let problem = format!("layer {:?} has no field {field:?}; {}", layer.name(), listed("fields", field, &names));
        GeoError::input(path, problem)
    })
}

/// Restricts a layer to the features for which a condition holds.
pub(crate) fn set_filter(layer: &mut Layer<'_>, path: &Path, filter: Option<&str>) -> Result<()> {
    let Some(filter) = filter else { return Ok(()) };
    clear_messages();
    let set = layer.set_attribute_filter(filter);
    // Some formats look at the condition when the first feature is read.
    layer.reset_feature_reading();
    let _ = set.is_ok().then(|| layer.features().next());
    let message = take_messages("");
    layer.reset_feature_reading();
    // What is wrong with the file is told by who reads it.
    let unknown = unknown_field(&message);
    if set.is_ok() && unknown.is_none() && !message.to_lowercase().contains("sql") {
        return Ok(());
    }
    let problem = match unknown {
        Some(field) => format!("has no field {field:?}; {}", listed("fields", &field, &field_names(layer))),
        None => {
            let fields = field_names(layer);
            let example = fields.first().map_or("name", String::as_str);
            format!(
                "takes no such condition; write one of OGR SQL, such as \"{example} = 'value'\"; {}",
                listed("fields", "", &fields)
            )
        }
    };
    Err(GeoError::input(path, format!("the filter {filter:?}: layer {:?} {problem}", layer.name())))
}

/// The field that a condition names and a layer lacks, as GDAL or SQLite say it.
fn unknown_field(message: &str) -> Option<String> {
    let column = message.split_once("no such column: ").map(|(_, after)| after);
    let quoted = message.split_once("not recognised as an available field").map(|(before, _)| before.trim_end());
    let name = match (column, quoted) {
        (Some(after), _) => after.split([';', ' ']).next()?,
        (None, Some(before)) => {
            before.rsplit_once(['"', '\'']).and_then(|(rest, _)| rest.rsplit(['"', '\'']).next())?
        }
        _ => return None,
    };
    Some(name.trim_matches('"').to_owned()).filter(|name| !name.is_empty())
}

/// The way from the coordinates of a file to others.
pub(crate) fn reprojection(path: &Path, from: &Crs, to: &Crs) -> Result<CoordTransform> {
    clear_messages();
    let transform = CoordTransform::new(&from.spatial_ref()?, &to.spatial_ref()?);
    clear_messages();
    transform.map_err(|_| {
        let problem = format!(
            "nothing leads from its coordinate reference system, {from}, to {to}; store the file with its true one, for example \
             with ogr2ogr -a_srs EPSG:32633"
        );
        GeoError::input(path, problem)
    })
}

/// The CRS of a layer; none where it is one of those by which a GeoPackage says that it has none.
pub(crate) fn layer_crs(layer: &Layer<'_>) -> Option<Crs> {
    let unknown = |name: &str| {
        ["Undefined Cartesian SRS", "Undefined geographic SRS", "Undefined SRS"]
            .iter()
            .any(|undefined| undefined.eq_ignore_ascii_case(name))
    };
    let reference = layer.spatial_ref().filter(|reference| !reference.name().is_some_and(|name| unknown(&name)))?;
    Crs::from_spatial_ref(&reference).ok()
}

/// `fields: a, b, c`, the most similar to `wanted` first, not more than a dozen.
pub(crate) fn listed(what: &str, wanted: &str, names: &[String]) -> String {
    if names.is_empty() {
        return format!("it has no {what}");
    }
    let likeness = |name: &String| strsim::jaro_winkler(&name.to_lowercase(), &wanted.to_lowercase());
    let mut sorted: Vec<&String> = names.iter().collect();
    sorted.sort_by(|a, b| likeness(b).total_cmp(&likeness(a)));
    let more = if sorted.len() > LISTED { ", ..." } else { "" };
    let shown: Vec<&str> = sorted.into_iter().take(LISTED).map(String::as_str).collect();
    format!("{what}: {}{more}", shown.join(", "))
}

const LISTED: usize = 12;

/// Whether features of a layer have geometries; tables of styles and the like have none.
pub(crate) fn has_geometry(layer: &Layer<'_>) -> bool {
    layer.defn().geom_fields().next().is_some()
}

fn field_names(layer: &Layer<'_>) -> Vec<String> {
    layer.defn().fields().map(|field| field.name()).collect()
}

#[cfg(test)]
mod tests {
    use super::{listed, unknown_field};

    #[test]
    fn the_nearest_name_comes_first() {
        let names = ["osm_id", "fclass", "name"].map(String::from);
        assert_eq!(listed("fields", "Class", &names), "fields: fclass, name, osm_id");
        assert_eq!(listed("fields", "x", &[]), "it has no fields");
    }

    #[test]
    fn unknown_fields_are_found_in_messages() {
        let of = |message: &str| unknown_field(message);
        let sqlite = "In ExecuteSQL(): sqlite3_prepare_v2(SELECT * FROM a WHERE (kin = 'x')): no such column: kin";
        assert_eq!(of(sqlite).as_deref(), Some("kin"));
        assert_eq!(of("\"kin\" not recognised as an available field.").as_deref(), Some("kin"));
        assert_eq!(of("SQL Expression Parsing Error: syntax error, unexpected end of string"), None);
    }
}
