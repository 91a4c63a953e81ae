//! What of a map becomes polygons or lines: rows of classes, clipped, cleaned and chosen, with their confidence.

use std::cell::RefCell;
use std::collections::HashSet;
use std::path::Path;

use swath_geo::{ClassMap, ConfidenceMap, NO_CLASS, Window, read_area};
use swath_vector::{Cleaner, OUTSIDE, Polygonizer, Sink, Spans};

use crate::{Error, Result};

const _: () = assert!(NO_CLASS == OUTSIDE, "pixels without a class are outside");

pub(super) struct Source<'a> {
    map: &'a ClassMap,
    clip: Option<Spans>,
    classes: Option<HashSet<u32>>,
    confidence: Option<ConfidenceMap>,
    /// Classes that options name and no pixel had so far.
    absent: RefCell<Vec<u32>>,
}

impl<'a> Source<'a> {
    /// Prepares a map: polygons that it is clipped to, the classes that are wanted, those that are named at all, and a raster of its confidence.
    pub(super) fn new(
        map: &'a ClassMap,
        clip: Option<&Path>,
        classes: Option<&[u32]>,
        mut named: Vec<u32>,
        confidence: Option<&Path>,
    ) -> Result<Source<'a>> {
        named.sort_unstable();
        named.dedup();
        let grid = map.grid();
        let clip = clip.map(|path| read_area(path, None, grid)).transpose()?;
        Ok(Source {
            map,
            clip: clip.map(|polygons| Spans::new(&polygons, grid.width, grid.height)),
            classes: classes.map(|classes| classes.iter().copied().collect()),
            confidence: confidence.map(|path| ConfidenceMap::open(path, grid)).transpose()?,
            absent: RefCell::new(named),
        })
    }

    /// Feeds the map to the polygonizer.
    pub(super) fn trace<S: Sink<Error = Error>>(
        &self,
        cleaner: Cleaner,
        mut polygonizer: Polygonizer,
        sink: &mut S,
    ) -> Result<()> {
        self.rows(cleaner, &mut |labels, numbers| polygonizer.push_with(labels, numbers, sink))?;
        polygonizer.finish(sink)
    }

    /// Hands over all rows from top to bottom, some at a time: classes, and their confidence where it is known.
    pub(super) fn rows(&self, mut cleaner: Cleaner, take: &mut Take<'_>) -> Result<()> {
        let (mut rows, mut clean) = (Vec::new(), Vec::new());
        let mut feed = Feed { source: self, row: 0, numbers: Vec::new() };
        for strip in self.map.strips() {
            self.map.read(strip, &mut rows)?;
            self.cut(strip, &mut rows);
            self.absent.borrow_mut().retain(|class| !rows.contains(class));
            cleaner.push(&rows, &mut clean)?;
            feed.push(&mut clean, take)?;
        }
        cleaner.finish(&mut clean);
        feed.push(&mut clean, take)
    }

    /// The classes that options name and no pixel had, once all rows have been handed over.
    pub(super) fn absent(self) -> Vec<u32> {
        self.absent.into_inner()
    }

    /// Pixels whose centre lies outside of the clip are as if without data.
    fn cut(&self, strip: Window, rows: &mut [u32]) {
        let Some(clip) = &self.clip else { return };
        for (row, labels) in (strip.row as usize..).zip(rows.chunks_exact_mut(strip.width)) {
            let mut from = 0;
            for span in clip.row(row) {
                labels[from..span.start].fill(NO_CLASS);
                from = span.end;
            }
            labels[from..].fill(NO_CLASS);
        }
    }
}

/// Takes some rows: classes, and their confidence where it is known.
pub(super) type Take<'a> = dyn FnMut(&[u32], Option<&[f32]>) -> Result<()> + 'a;

/// Rows on their way out. Cleaning holds some back, so that they are counted here.
struct Feed<'a> {
    source: &'a Source<'a>,
    row: usize,
    numbers: Vec<f32>,
}

impl Feed<'_> {
    /// Takes clean rows and leaves none.
    fn push(&mut self, labels: &mut Vec<u32>, take: &mut Take<'_>) -> Result<()> {
        if let Some(classes) = &self.source.classes {
            labels.iter_mut().filter(|label| !classes.contains(label)).for_each(|label| *label = OUTSIDE);
        }
        let width = self.source.map.grid().width;
        let height = labels.len() / width;
        if height == 0 {
            return Ok(());
        }
        let numbers = match &self.source.confidence {
            Some(confidence) => {
                confidence.read(Window::new(0, self.row as isize, width, height), &mut self.numbers)?;
                Some(&self.numbers[..])
            }
            None => None,
        };
        take(labels, numbers)?;
        self.row += height;
        labels.clear();
        Ok(())
    }
}
