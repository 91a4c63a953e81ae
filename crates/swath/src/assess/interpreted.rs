//! A sample as the interpreters return it.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use swath_geo::{ClassMap, GeoError, NO_CLASS, PixelAreas, Table, read_table, table_columns};
use swath_vector::accuracy::{Sample, Stratum, Unit};

use super::columns;
use super::estimate::AssessSpec;
use crate::area::{ClassTally, tally};
use crate::{Error, Result};

/// A sample that can be estimated from.
pub(super) struct Interpreted {
    pub(super) sample: Sample,
    /// The whole area in square metres, where it is known.
    pub(super) total_m2: Option<f64>,
    /// Rows without a reference class, which are left out.
    pub(super) blank: u64,
}

/// Reads the table, and the map where there is one, and brings both into the form of the estimators.
pub(super) fn read(spec: &AssessSpec) -> Result<Interpreted> {
    let fields = Fields::find(spec)?;
    let names = fields.names();
    let table = read_table(&spec.sample, spec.layer.as_deref(), &names)?;
    if table.rows.is_empty() {
        return Err(GeoError::input(&spec.sample, "it has no rows").into());
    }
    let rows = Rows { spec, fields: &fields, names: &names, table: &table };
    let map = spec.map.as_deref().map(|path| MapAtPoints::read(path, &rows)).transpose()?;
    let map_classes = match &map {
        Some(map) => map.classes.clone(),
        None => rows.texts(fields.map.as_deref().unwrap_or_default())?,
    };
    let strata_names = match &fields.stratum {
        Some(field) => rows.texts(field)?,
        None => map_classes.clone(),
    };
    let sizes = Sizes::find(&rows, &strata_names, map.as_ref())?;
    let vocabulary = Vocabulary::new(&rows, &map_classes, map.as_ref())?;

    let strata: Vec<Stratum> = sizes.strata.iter().map(|(name, size)| size.stratum(name)).collect();
    let stratum_index: HashMap<&String, usize> = sizes.strata.keys().zip(0..).collect();
    let (mut units, mut classes, mut blank) = (Vec::new(), Names::new(&vocabulary.names), 0);
    let references = rows.column(&spec.reference_field);
    for (row, reference) in references.enumerate() {
        let Some(text) = reference.map(str::trim).filter(|text| !text.is_empty()) else {
            blank += 1;
            continue;
        };
        let reference = vocabulary.name(text);
        units.push(Unit {
            stratum: stratum_index[&strata_names[row]],
            map: classes.index(&map_classes[row]),
            reference: classes.index(&reference),
            area: sizes.unit_areas.as_ref().map_or(1.0, |areas| areas[row]),
        });
    }
    let total_m2 = spec.total_area_m2.or(sizes.total_m2).or(map.as_ref().and_then(|map| map.total_m2()));
    Ok(Interpreted { sample: Sample { classes: classes.list, strata, units }, total_m2, blank })
}

/// Different names in the order in which they were first asked for.
struct Names {
    list: Vec<String>,
    places: HashMap<String, usize>,
}

impl Names {
    fn new(names: &[String]) -> Names {
        let mut all = Names { list: Vec::new(), places: HashMap::new() };
        names.iter().for_each(|name| {
            all.index(name);
        });
        all
    }

    fn index(&mut self, name: &str) -> usize {
        if let Some(&place) = self.places.get(name) {
            return place;
        }
        self.list.push(name.to_owned());
        self.places.insert(name.to_owned(), self.list.len() - 1);
        self.list.len() - 1
    }
}

/// Which columns of the file say what.
struct Fields {
    reference: String,
    stratum: Option<String>,
    map: Option<String>,
    weight: Option<String>,
    /// Columns of Swath's own samples that the file has.
    own: Vec<&'static str>,
}

impl Fields {
    fn find(spec: &AssessSpec) -> Result<Fields> {
        let known = table_columns(&spec.sample, spec.layer.as_deref())?;
        let has = |name: &str| known.iter().any(|column| column == name);
        let choose =
            |asked: &Option<String>, usual: &str| asked.clone().or_else(|| has(usual).then(|| usual.to_owned()));
        let own = [columns::STRATUM_PIXELS, columns::STRATUM_M2, columns::PIXEL_M2, columns::MAP_VALUE];
        // Sizes that the user names replace those of a design.
        let own =
            own.into_iter().filter(|name| has(name) && (spec.weight_field.is_none() || *name == columns::MAP_VALUE));
        let fields = Fields {
            reference: spec.reference_field.clone(),
            stratum: choose(&spec.stratum_field, columns::STRATUM),
            map: if spec.map.is_some() { None } else { choose(&spec.map_field, columns::MAP_CLASS) },
            weight: choose(&spec.weight_field, columns::WEIGHT),
            own: own.collect(),
        };
        if fields.map.is_none() && spec.map.is_none() {
            return Err(GeoError::input(
                &spec.sample,
                format!(
                    "it does not say what the map shows: it has no column {:?}; name one with --map-field, or give the map with --map (its columns: {})",
                    columns::MAP_CLASS,
                    known.join(", ")
                ),
            )
            .into());
        }
        Ok(fields)
    }

    fn names(&self) -> Vec<&str> {
        let optional = [&self.stratum, &self.map, &self.weight].into_iter().flatten().map(String::as_str);
        std::iter::once(self.reference.as_str()).chain(optional).chain(self.own.iter().copied()).collect()
    }

    fn has(&self, own: &str) -> bool {
        self.own.contains(&own)
    }
}

/// The table with the names of its columns.
struct Rows<'a> {
    spec: &'a AssessSpec,
    fields: &'a Fields,
    names: &'a [&'a str],
    table: &'a Table,
}

impl Rows<'_> {
    fn column(&self, name: &str) -> impl Iterator<Item = Option<&str>> {
        let index = self.names.iter().position(|known| *known == name);
        self.table.rows.iter().map(move |row| index.and_then(|index| row.values[index].as_deref()))
    }

    /// A column in which every row has a text.
    fn texts(&self, name: &str) -> Result<Vec<String>> {
        let text = |(row, text): (usize, Option<&str>)| match text.map(str::trim) {
            Some(text) if !text.is_empty() => Ok(text.to_owned()),
            _ => Err(self.problem(format!("row {} has nothing in column {name:?}", row + 1))),
        };
        self.column(name).enumerate().map(text).collect()
    }

    /// A column in which every row has a number that is not negative.
    fn numbers(&self, name: &str) -> Result<Vec<f64>> {
        let number = |(row, text): (usize, Option<&str>)| {
            let number = text.and_then(|text| text.trim().parse::<f64>().ok());
            number.filter(|number| *number >= 0.0 && number.is_finite()).ok_or_else(|| {
                let text = text.unwrap_or_default();
                self.problem(format!("row {} has {text:?} in column {name:?}, which is no size", row + 1))
            })
        };
        self.column(name).enumerate().map(number).collect()
    }

    fn problem(&self, problem: String) -> Error {
        GeoError::input(&self.spec.sample, problem).into()
    }
}

/// What a map says of the points, and of itself.
struct MapAtPoints {
    path: std::path::PathBuf,
    /// Name of the class at each point.
    classes: Vec<String>,
    /// Area of the pixel at each point, where the map has coordinates.
    pixel_m2: Option<Vec<f64>>,
    names: BTreeMap<u32, String>,
    tally: Vec<ClassTally>,
}

impl MapAtPoints {
    fn read(path: &Path, rows: &Rows<'_>) -> Result<MapAtPoints> {
        let map = ClassMap::open(path)?.ignoring(rows.spec.ignore);
        let points: Option<Vec<(f64, f64)>> = rows.table.rows.iter().map(|row| row.point).collect();
        let points = points.ok_or_else(|| {
            rows.problem("some rows have no point, so that their place on the map is unknown; leave --map out and name the column with the map's class by --map-field".into())
        })?;
        let pixels = map.pixels_at(&points, rows.table.crs.as_ref())?;
        let inside: Vec<(usize, usize)> = pixels.iter().flatten().copied().collect();
        let mut values = map.classes_of(&inside)?.into_iter();
        let classes: Vec<Option<u32>> =
            pixels.iter().map(|pixel| pixel.and_then(|_| values.next()).filter(|&value| value != NO_CLASS)).collect();
        if let Some(first) = classes.iter().position(Option::is_none) {
            return Err(rows.problem(format!(
                "{} of its {} points, the first in row {}, lie beside {} or where it has no class; sample the map that is to be assessed",
                classes.iter().filter(|class| class.is_none()).count(),
                classes.len(),
                first + 1,
                path.display()
            )));
        }
        let areas = PixelAreas::new(map.grid());
        let area = |areas: &PixelAreas| {
            inside.iter().map(|&(col, row)| areas.at(col as f64 + 0.5, row as f64 + 0.5)).collect()
        };
        let tally = tally(&map)?;
        let entries = map.classes(&tally.iter().map(|class| class.value).collect::<Vec<_>>())?;
        let names: BTreeMap<u32, String> = entries.into_iter().map(|class| (class.value, class.name)).collect();
        Ok(MapAtPoints {
            path: path.to_path_buf(),
            classes: classes.iter().flatten().map(|value| names[value].clone()).collect(),
            pixel_m2: areas.as_ref().map(area).filter(|areas: &Vec<f64>| areas.iter().all(|area| !area.is_nan())),
            tally,
            names,
        })
    }

    fn total_m2(&self) -> Option<f64> {
        self.tally.iter().map(|class| class.area_m2).sum()
    }
}

/// How large the strata are.
struct Sizes {
    strata: BTreeMap<String, Size>,
    /// Area of each row's pixel, in the order of the rows, where pixels differ.
    unit_areas: Option<Vec<f64>>,
    total_m2: Option<f64>,
}

#[derive(Clone, Copy, PartialEq)]
struct Size {
    size: f64,
    population: Option<u64>,
}

impl Size {
    fn stratum(&self, name: &str) -> Stratum {
        Stratum { name: name.to_owned(), size: self.size, population: self.population }
    }
}

/// How far the shares of all strata may add up to something else than 1: rounded to three digits they still do.
const SHARES_OFF: f64 = 5e-3;

impl Sizes {
    /// From the columns of a design, or from shares of the map, or from the map itself.
    fn find(rows: &Rows<'_>, names: &[String], map: Option<&MapAtPoints>) -> Result<Sizes> {
        let fields = rows.fields;
        let shares = fields.weight.as_deref().map(|field| rows.of_strata(names, field)).transpose()?;
        if let (Some(shares), Some(field)) = (&shares, &fields.weight) {
            let sum: f64 = shares.values().sum();
            if (sum - 1.0).abs() > SHARES_OFF {
                return Err(rows.problem(format!(
                    "the shares of its strata in column {field:?} add up to {sum:.4}, not to 1: a stratum is missing or the column holds something else than the share of the map that each stratum is"
                )));
            }
        }
        if fields.has(columns::STRATUM_PIXELS) {
            let pixels = rows.of_strata(names, columns::STRATUM_PIXELS)?;
            let size = |(name, pixels): (String, f64)| (name, Size { size: pixels, population: Some(pixels as u64) });
            let areas = fields.has(columns::PIXEL_M2).then(|| rows.numbers(columns::PIXEL_M2)).transpose()?;
            let total =
                fields.has(columns::STRATUM_M2).then(|| rows.of_strata(names, columns::STRATUM_M2)).transpose()?;
            return Ok(Sizes {
                strata: pixels.into_iter().map(size).collect(),
                unit_areas: areas,
                total_m2: total.map(|total| total.values().sum()),
            });
        }
        if let Some(shares) = shares {
            let size = |(name, share)| (name, Size { size: share, population: None });
            return Ok(Sizes { strata: shares.into_iter().map(size).collect(), unit_areas: None, total_m2: None });
        }
        let Some(map) = map else {
            return Err(rows.problem(
                "it does not say how large its strata are; name the column with their shares of the map by --weight-field, or give the map with --map".into(),
            ));
        };
        let size = |class: &ClassTally| {
            let size = Size { size: class.pixels as f64, population: Some(class.pixels) };
            (map.names[&class.value].clone(), size)
        };
        let strata: BTreeMap<String, Size> = map.tally.iter().map(size).collect();
        if let Some(name) = names.iter().find(|name| !strata.contains_key(*name)) {
            return Err(rows.problem(format!(
                "its stratum {name:?} is no class of {}, so that its size is unknown; name the column with the strata's shares of the map by --weight-field",
                map.path.display()
            )));
        }
        Ok(Sizes { strata, unit_areas: map.pixel_m2.clone(), total_m2: None })
    }
}

impl Rows<'_> {
    /// A number that all rows of a stratum share.
    fn of_strata(&self, names: &[String], field: &str) -> Result<BTreeMap<String, f64>> {
        let mut found: BTreeMap<String, f64> = BTreeMap::new();
        for (name, number) in names.iter().zip(self.numbers(field)?) {
            let first = *found.entry(name.clone()).or_insert(number);
            if (first - number).abs() > 1e-9 * first.abs() {
                return Err(self.problem(format!(
                    "stratum {name:?} has both {first} and {number} in column {field:?}; a stratum has one size"
                )));
            }
        }
        Ok(found)
    }
}

/// The names of classes, and other ways to write them.
struct Vocabulary {
    /// Classes of the map, in order.
    names: Vec<String>,
    by_value: BTreeMap<u32, String>,
}

impl Vocabulary {
    fn new(rows: &Rows<'_>, map_classes: &[String], map: Option<&MapAtPoints>) -> Result<Vocabulary> {
        let mut by_value: BTreeMap<u32, String> = BTreeMap::new();
        if let Some(map) = map {
            by_value.clone_from(&map.names);
        } else if rows.fields.has(columns::MAP_VALUE) {
            let values = rows.numbers(columns::MAP_VALUE)?.into_iter().map(|value| value as u32);
            by_value.extend(values.zip(map_classes.iter().cloned()));
        }
        let by_class: Vec<String> = by_value.values().chain(map_classes).cloned().collect();
        let mut names = Names::new(&by_class).list;
        if by_value.is_empty() {
            names.sort();
        }
        Ok(Vocabulary { names, by_value })
    }

    /// The class that a text means: its name in any case, or its value. Other texts are classes that the map does not know.
    fn name(&self, text: &str) -> String {
        let exact = self.names.iter().find(|name| *name == text);
        let alike = || self.names.iter().find(|name| name.to_lowercase() == text.to_lowercase());
        let value = || text.parse::<f64>().ok().filter(|value| value.fract() == 0.0 && *value >= 0.0);
        let numbered = || value().and_then(|value| self.by_value.get(&(value as u32)));
        exact.or_else(alike).or_else(numbered).cloned().unwrap_or_else(|| text.to_owned())
    }
}
