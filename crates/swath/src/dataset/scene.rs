//! Scene files as a source of chips.

use swath_geo::{Edge, Pixels, Reader, Scene, Window};

use super::DataError;
use super::source::{ImageReader, ImageSource};

/// A scene of files, with the name that reports know it by.
#[derive(Clone, Debug)]
pub struct FileImage {
    /// Its name.
    pub name: String,
    /// The scene.
    pub scene: Scene,
}

impl ImageSource for FileImage {
    fn name(&self) -> &str {
        &self.name
    }

    fn size(&self) -> (usize, usize) {
        (self.scene.grid().width, self.scene.grid().height)
    }

    fn bands(&self) -> usize {
        self.scene.bands().len()
    }

    fn block(&self) -> (usize, usize) {
        self.scene.block_size()
    }

    fn sample_bytes(&self) -> usize {
        let bytes = self.scene.bands().iter().map(|band| match band.dtype.as_str() {
            "Byte" if band.scale == 1.0 && band.offset == 0.0 => 1,
            "UInt16" if band.scale == 1.0 && band.offset == 0.0 => 2,
            _ => 4,
        });
        bytes.max().unwrap_or(4)
    }

    fn reader(&self) -> Result<Box<dyn ImageReader>, DataError> {
        Ok(Box::new(self.scene.reader()?))
    }
}

impl ImageReader for Reader {
    fn read(&mut self, window: Window) -> Result<Pixels, DataError> {
        Ok(Reader::read(self, window, Edge::Mirror)?)
    }
}
