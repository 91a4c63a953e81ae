//! Where areas are counted: the whole map, or zones, which may overlap.

use std::ops::Range;

use swath_geo::{GeoError, Grid, PixelAreas, RowAreas, Window, Zone, read_zones};
use swath_vector::{Spans, united};

use super::count::{AreaSpec, ZoneSource};
use crate::Result;

/// Places with names.
pub(super) struct Places {
    pub(super) names: Vec<String>,
    /// Pixels of each zone; empty for the whole map.
    zones: Vec<Spans>,
    /// What the user should know about the zones.
    pub(super) notes: Vec<String>,
}

/// Name of the whole map.
const MAP: &str = "(map)";
/// Name of all zones together, each pixel counted once.
const ALL: &str = "(all zones)";
/// Zones that a note names.
const NAMED: usize = 5;

impl Places {
    /// The zones on a grid, or the whole grid.
    pub(super) fn new(spec: &AreaSpec, grid: &Grid, map: &str) -> Result<Places> {
        let Some(ZoneSource { path, layer, field, filter }) = &spec.zones else {
            return Ok(Places { names: vec![MAP.into()], zones: Vec::new(), notes: Vec::new() });
        };
        let read = read_zones(path, layer.as_deref(), field, filter.as_deref(), grid)?;
        let spans: Vec<Spans> = read.iter().map(|zone| Spans::new(&zone.polygons, grid.width, grid.height)).collect();
        let holds = |spans: &Spans| spans.rows().any(|row| !spans.row(row).is_empty());
        let empty: Vec<&Zone> =
            read.iter().zip(&spans).filter(|(_, spans)| !holds(spans)).map(|(zone, _)| zone).collect();
        if read.iter().all(|zone| zone.polygons.is_empty()) {
            let crs = grid.crs.as_ref().map_or("no known system".into(), |crs| crs.to_string());
            let problem = format!(
                "none of its {} zones touches {map}; check that both lie in the same place (the map is in {crs})",
                read.len()
            );
            return Err(GeoError::input(path, problem).into());
        }
        let mut notes = Vec::new();
        let mut note = |zones: Vec<&Zone>, what: &str| {
            if !zones.is_empty() {
                let more = if zones.len() > NAMED { ", ..." } else { "" };
                let names: Vec<&str> = zones.iter().take(NAMED).map(|zone| zone.name.as_str()).collect();
                notes.push(format!("{} of {} zones {what}: {}{more}", zones.len(), read.len(), names.join(", ")));
            }
        };
        let beyond = read.iter().zip(&spans).filter(|(zone, spans)| zone.beyond && holds(spans)).map(|(zone, _)| zone);
        note(beyond.collect(), "reach beyond the map; only their part on it is counted");
        note(empty, "hold no centre of a pixel");
        let mut names: Vec<String> = read.into_iter().map(|zone| zone.name).collect();
        if names.len() > 1 {
            names.push(ALL.into());
        }
        Ok(Places { names, zones: spans, notes })
    }

    /// The pixels of every place in a strip.
    pub(super) fn in_strip(&self, strip: Window) -> Vec<InStrip> {
        let top = strip.row as usize;
        if self.zones.is_empty() {
            return vec![InStrip { first: 0, rows: vec![vec![0..strip.width]; strip.height] }];
        }
        let of_zone = |zone: &Spans| {
            let rows = zone.rows().start.max(top)..zone.rows().end.min(top + strip.height);
            InStrip { first: rows.start.saturating_sub(top), rows: rows.map(|row| zone.row(row)).collect() }
        };
        let mut places: Vec<InStrip> = self.zones.iter().map(of_zone).collect();
        if self.names.len() > self.zones.len() {
            let mut all: Vec<Vec<Range<usize>>> = vec![Vec::new(); strip.height];
            for place in &places {
                all[place.first.min(strip.height)..]
                    .iter_mut()
                    .zip(&place.rows)
                    .for_each(|(all, row)| all.extend_from_slice(row));
            }
            places.push(InStrip { first: 0, rows: all.into_iter().map(united).collect() });
        }
        places
    }
}

/// The pixels of a place in a strip.
pub(super) struct InStrip {
    /// First row of the strip that may hold some.
    pub(super) first: usize,
    /// Columns of that row and those below it.
    pub(super) rows: Vec<Vec<Range<usize>>>,
}

/// Areas of the rows of a strip.
pub(super) fn row_areas(areas: &PixelAreas, strip: Window) -> Vec<RowAreas> {
    (strip.row as usize..strip.row as usize + strip.height).map(|row| areas.row(row)).collect()
}
