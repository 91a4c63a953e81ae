//! What of a map goes to the polygonizer: rows of classes, clipped, cleaned and chosen, with their confidence.

use std::collections::HashSet;

use swath_geo::{ClassMap, ConfidenceMap, NO_CLASS, Window, read_area};
use swath_vector::{Cleaner, OUTSIDE, Polygonizer, Sink, Spans};

use super::VectorizeOptions;
use crate::{Error, Result};

const _: () = assert!(NO_CLASS == OUTSIDE, "pixels without a class are outside");

pub(super) struct Source<'a> {
    map: &'a ClassMap,
    clip: Option<Spans>,
    classes: Option<HashSet<u32>>,
    confidence: Option<ConfidenceMap>,
}

impl<'a> Source<'a> {
    pub(super) fn open(map: &'a ClassMap, options: &VectorizeOptions) -> Result<Source<'a>> {
        let grid = map.grid();
        let clip = options.clip.as_deref().map(|path| read_area(path, None, grid)).transpose()?;
        let confidence = options.confidence.as_deref().map(|path| ConfidenceMap::open(path, grid)).transpose()?;
        Ok(Source {
            map,
            clip: clip.map(|polygons| Spans::new(&polygons, grid.width, grid.height)),
            classes: options.only.as_ref().map(|classes| classes.iter().copied().collect()),
            confidence,
        })
    }

    /// Feeds the map to the polygonizer.
    pub(super) fn trace<S: Sink<Error = Error>>(
        &self,
        mut cleaner: Cleaner,
        polygonizer: Polygonizer,
        sink: &mut S,
    ) -> Result<()> {
        let (mut rows, mut clean) = (Vec::new(), Vec::new());
        let mut feed = Feed { source: self, polygonizer, row: 0, numbers: Vec::new() };
        for strip in self.map.strips() {
            self.map.read(strip, &mut rows)?;
            self.cut(strip, &mut rows);
            cleaner.push(&rows, &mut clean)?;
            feed.push(&mut clean, sink)?;
        }
        cleaner.finish(&mut clean);
        feed.push(&mut clean, sink)?;
        feed.polygonizer.finish(sink)
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

/// Rows on their way to the polygonizer. Cleaning holds some back, so that they are counted here.
struct Feed<'a> {
    source: &'a Source<'a>,
    polygonizer: Polygonizer,
    row: usize,
    numbers: Vec<f32>,
}

impl Feed<'_> {
    /// Takes clean rows and leaves none.
    fn push<S: Sink<Error = Error>>(&mut self, labels: &mut Vec<u32>, sink: &mut S) -> Result<()> {
        if let Some(classes) = &self.source.classes {
            labels.iter_mut().filter(|label| !classes.contains(label)).for_each(|label| *label = OUTSIDE);
        }
        let width = self.source.map.grid().width;
        let height = labels.len() / width;
        match &self.source.confidence {
            Some(confidence) if height > 0 => {
                confidence.read(Window::new(0, self.row as isize, width, height), &mut self.numbers)?;
                self.polygonizer.push_with(labels, Some(&self.numbers), sink)?;
            }
            _ => self.polygonizer.push(labels, sink)?,
        }
        self.row += height;
        labels.clear();
        Ok(())
    }
}
