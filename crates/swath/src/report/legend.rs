//! Map pictures with a legend below, for where no HTML is: READMEs, slides, chats.
//!
//! Letters come from `glyphs.png` (Roboto by Google, Apache License 2.0), which `fixtures/report/make_glyphs.py` draws.

use std::sync::LazyLock;

use crate::evaluate::EvaluatedClass;

use super::png::Picture;

/// A picture with the classes' colours and names below it, on white; transparent pixels become light grey.
///
/// Letters beyond Latin Extended-A show as `?`.
pub fn with_legend(picture: &Picture, classes: &[EvaluatedClass]) -> Picture {
    let width = picture.width.max(MIN_WIDTH);
    let rows = arranged(classes, width);
    let strip = if rows.is_empty() { 0 } else { rows.len() * LINE + 2 * MARGIN };
    let mut page = Picture::filled(width, picture.height + strip, WHITE);
    for (row, line) in picture.rgba.chunks(picture.width.max(1)).enumerate() {
        for (column, pixel) in line.iter().enumerate() {
            page.rgba[row * width + column] = over(*pixel, UNMAPPED);
        }
    }
    for (row, entries) in rows.iter().enumerate() {
        let top = picture.height + MARGIN + row * LINE;
        for &(left, class) in entries {
            swatch(&mut page, left, top + (LINE - SWATCH) / 2, class.color);
            write(&mut page, left + SWATCH + GAP, top, &class.name);
        }
    }
    page
}

const MIN_WIDTH: usize = 320;
const MARGIN: usize = 12;
/// Height of a line of the legend: that of a glyph cell.
const LINE: usize = CELL;
const SWATCH: usize = 14;
/// Between a swatch and its name.
const GAP: usize = 7;
/// Between two entries.
const SPACE: usize = 22;
const WHITE: [u8; 4] = [255, 255, 255, 255];
const UNMAPPED: [u8; 4] = [238, 238, 236, 255];
const INK: u32 = 34;

const CELL: usize = 24;
const CELLS_PER_ROW: usize = 32;
const FIRST: u32 = 0x20;
const LAST: u32 = 0x17f;

/// The entries of each line with their left edges.
fn arranged(classes: &[EvaluatedClass], width: usize) -> Vec<Vec<(usize, &EvaluatedClass)>> {
    let mut rows: Vec<Vec<(usize, &EvaluatedClass)>> = Vec::new();
    let mut left = usize::MAX;
    for class in classes {
        let wide = SWATCH + GAP + class.name.chars().map(advance).sum::<usize>();
        if left.saturating_add(wide + MARGIN) > width {
            rows.push(Vec::new());
            left = MARGIN;
        }
        if let Some(row) = rows.last_mut() {
            row.push((left, class));
        }
        left += wide + SPACE;
    }
    rows
}

fn swatch(page: &mut Picture, left: usize, top: usize, [red, green, blue]: [u8; 3]) {
    for row in 0..SWATCH {
        for column in 0..SWATCH {
            let edge = [row, column].iter().any(|&i| i == 0 || i == SWATCH - 1);
            // A darker rim, so that white classes show on white.
            let shade = |value: u8| if edge { (u32::from(value) * 3 / 4) as u8 } else { value };
            set(page, left + column, top + row, [shade(red), shade(green), shade(blue), 255]);
        }
    }
}

fn write(page: &mut Picture, mut left: usize, top: usize, text: &str) {
    for letter in text.chars() {
        let (x, y) = cell(letter);
        for row in 1..CELL {
            for column in 0..CELL {
                let ink = u32::from(GLYPHS.pixel(x + column, y + row));
                if ink > 0 {
                    let grey = ((255 - ink) * 255 + ink * INK) / 255;
                    set(page, (left + column).saturating_sub(1), top + row, [grey as u8, grey as u8, grey as u8, 255]);
                }
            }
        }
        left += advance(letter);
    }
}

/// Sets a pixel of the page; neighbouring letters may overlap by a pixel, where the darker wins.
fn set(page: &mut Picture, column: usize, row: usize, color: [u8; 4]) {
    if column < page.width && row < page.height {
        let pixel = &mut page.rgba[row * page.width + column];
        *pixel = [0, 1, 2, 3].map(|i| pixel[i].min(color[i]));
    }
}

fn over(above: [u8; 4], below: [u8; 4]) -> [u8; 4] {
    let alpha = u32::from(above[3]);
    let mix = |a: u8, b: u8| ((u32::from(a) * alpha + u32::from(b) * (255 - alpha)) / 255) as u8;
    [mix(above[0], below[0]), mix(above[1], below[1]), mix(above[2], below[2]), 255]
}

/// Pixels from a letter to the next: the white pixels of its cell's first row.
fn advance(letter: char) -> usize {
    let (x, y) = cell(letter);
    (0..CELL).take_while(|column| GLYPHS.pixel(x + column, y) > 0).count()
}

/// The corner of a letter's cell.
fn cell(letter: char) -> (usize, usize) {
    let code = u32::from(letter);
    let printable = (FIRST..=LAST).contains(&code) && !letter.is_control() && code != 0xad;
    let place = (if printable { code } else { u32::from('?') } - FIRST) as usize;
    (place % CELLS_PER_ROW * CELL, place / CELLS_PER_ROW * CELL)
}

struct Glyphs {
    width: usize,
    pixels: Vec<u8>,
}

impl Glyphs {
    fn pixel(&self, column: usize, row: usize) -> u8 {
        self.pixels.get(row * self.width + column).copied().unwrap_or(0)
    }
}

static GLYPHS: LazyLock<Glyphs> = LazyLock::new(|| {
    let bytes: &[u8] = include_bytes!("glyphs.png");
    let mut decoder = png::Decoder::new(std::io::Cursor::new(bytes));
    decoder.set_transformations(png::Transformations::EXPAND);
    let decoded = decoder.read_info().ok().and_then(|mut reader| {
        let mut pixels = vec![0; reader.output_buffer_size()?];
        let frame = reader.next_frame(&mut pixels).ok()?;
        Some(Glyphs { width: frame.width as usize, pixels })
    });
    // Compiled in and read by the tests; should it ever be unreadable, pictures lose their letters and nothing else.
    decoded.unwrap_or(Glyphs { width: 0, pixels: Vec::new() })
});

#[cfg(test)]
mod tests {
    use super::*;

    fn class(name: &str) -> EvaluatedClass {
        EvaluatedClass { name: name.into(), color: [10, 120, 30] }
    }

    fn ink(page: &Picture, from_row: usize) -> usize {
        page.rgba[from_row * page.width..].iter().filter(|pixel| pixel[0] < 100 && pixel[1] < 100).count()
    }

    #[test]
    fn every_letter_has_a_shape_and_a_width() {
        for letter in (FIRST + 1..=LAST).filter_map(char::from_u32).filter(|l| !l.is_control()) {
            assert!((2..CELL).contains(&advance(letter)), "{letter:?} {}", advance(letter));
        }
        assert!(advance('i') < advance('m'));
        assert_eq!(advance('\u{4e00}'), advance('?'));
    }

    #[test]
    fn the_legend_stands_below_the_picture() {
        let picture = Picture::filled(400, 50, [200, 0, 0, 255]);
        let page = with_legend(&picture, &[class("Wald"), class("Straße")]);
        assert_eq!((page.width, page.height), (400, 50 + LINE + 2 * MARGIN));
        assert_eq!(page.rgba[..400 * 50], picture.rgba[..]);
        assert!(ink(&page, 50) > 60, "{}", ink(&page, 50));
        assert!(page.rgba[400 * 50..].contains(&[10, 120, 30, 255]));
    }

    #[test]
    fn long_legends_break_into_lines() {
        let classes: Vec<_> = (0..12).map(|_| class("a long name of land cover")).collect();
        let page = with_legend(&Picture::filled(500, 10, [0, 0, 0, 0]), &classes);
        assert_eq!(page.height, 10 + 6 * LINE + 2 * MARGIN, "two entries a line");
        assert_eq!(page.rgba[0], UNMAPPED);
    }

    #[test]
    fn a_name_wider_than_the_picture_is_cut_off_and_no_trouble() {
        let page = with_legend(&Picture::filled(10, 10, [0; 4]), &[class(&"m".repeat(200))]);
        assert_eq!(page.width, MIN_WIDTH);
        assert_eq!(with_legend(&Picture::filled(10, 10, [0; 4]), &[]).height, 10);
    }
}
