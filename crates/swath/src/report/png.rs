//! Pictures in memory and as PNG.

/// An 8-bit picture with transparency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Red, green, blue, alpha of each pixel, row by row.
    pub rgba: Vec<[u8; 4]>,
}

impl Picture {
    /// A picture of one colour.
    pub fn filled(width: usize, height: usize, rgba: [u8; 4]) -> Self {
        Self { width, height, rgba: vec![rgba; width * height] }
    }

    /// The picture at most `side` pixels wide and high, each pixel taken from the middle of what it stands for: class
    /// colours stay pure.
    pub fn thumbnail(&self, side: usize) -> Self {
        let factor = self.width.max(self.height).div_ceil(side.max(1)).max(1);
        if factor == 1 {
            return self.clone();
        }
        let (width, height) = (self.width.div_ceil(factor), self.height.div_ceil(factor));
        let pick = |index: usize, len: usize| (index * factor + factor / 2).min(len - 1);
        let rgba = (0..height)
            .flat_map(|row| (0..width).map(move |column| (row, column)))
            .map(|(row, column)| self.rgba[pick(row, self.height) * self.width + pick(column, self.width)])
            .collect();
        Self { width, height, rgba }
    }
}

/// The bytes of a PNG file: with a palette where 256 colours suffice, as label pictures do.
///
/// # Panics
/// When the picture is empty or `rgba` does not hold `width * height` pixels.
pub fn encode_png(picture: &Picture) -> Vec<u8> {
    let Picture { width, height, rgba } = picture;
    assert!(width * height > 0 && rgba.len() == width * height, "a picture of {width}x{height} pixels");
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, *width as u32, *height as u32);
    encoder.set_depth(png::BitDepth::Eight);
    let samples: Vec<u8> = match palette(rgba) {
        Some((colors, indices)) => {
            encoder.set_color(png::ColorType::Indexed);
            encoder.set_palette(colors.iter().flat_map(|c| [c[0], c[1], c[2]]).collect::<Vec<u8>>());
            encoder.set_trns(colors.iter().map(|c| c[3]).collect::<Vec<u8>>());
            indices
        }
        None => {
            encoder.set_color(png::ColorType::Rgba);
            rgba.as_flattened().to_vec()
        }
    };
    let written = encoder.write_header().and_then(|mut writer| {
        writer.write_image_data(&samples)?;
        writer.finish()
    });
    assert!(written.is_ok(), "writing into memory cannot fail: {written:?}");
    bytes
}

/// The colours of a picture and each pixel's place among them; `None` when there are too many.
fn palette(rgba: &[[u8; 4]]) -> Option<(Vec<[u8; 4]>, Vec<u8>)> {
    let mut places = std::collections::HashMap::new();
    let mut colors = Vec::new();
    let mut indices = Vec::with_capacity(rgba.len());
    for color in rgba {
        let place = *places.entry(*color).or_insert_with(|| {
            colors.push(*color);
            colors.len() - 1
        });
        indices.push(u8::try_from(place).ok()?);
    }
    Some((colors, indices))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(bytes: &[u8]) -> (png::ColorType, Vec<u8>) {
        let mut decoder = png::Decoder::new(std::io::Cursor::new(bytes));
        decoder.set_transformations(png::Transformations::EXPAND | png::Transformations::ALPHA);
        let mut reader = decoder.read_info().unwrap();
        let stored = reader.info().color_type;
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        (stored, pixels)
    }

    #[test]
    fn few_colours_become_a_palette_and_come_back_exactly() {
        let rgba = vec![[255, 0, 0, 255], [0, 0, 0, 0], [255, 0, 0, 255], [1, 2, 3, 128]];
        let (stored, pixels) = decode(&encode_png(&Picture { width: 2, height: 2, rgba: rgba.clone() }));
        assert_eq!(stored, png::ColorType::Indexed);
        assert_eq!(pixels, rgba.as_flattened());
    }

    #[test]
    fn many_colours_stay_rgba() {
        let rgba: Vec<_> = (0..400u32).map(|i| [(i % 256) as u8, (i / 256) as u8, 7, 255]).collect();
        let (stored, pixels) = decode(&encode_png(&Picture { width: 20, height: 20, rgba: rgba.clone() }));
        assert_eq!(stored, png::ColorType::Rgba);
        assert_eq!(pixels, rgba.as_flattened());
    }

    #[test]
    fn thumbnails_keep_the_shape() {
        let small = Picture::filled(1000, 300, [1, 2, 3, 4]).thumbnail(256);
        assert_eq!((small.width, small.height, small.rgba.len()), (250, 75, 250 * 75));
        assert_eq!(small.rgba[0], [1, 2, 3, 4]);
    }
}
