//! Areas of pixels on the ellipsoid.

use crate::cells::Cells;
use crate::ellipsoid::Ellipsoid;
use crate::lattice::Lattice;
use crate::{Grid, Window};

/// Areas of a grid's pixels on the ellipsoid of its CRS, in square metres.
///
/// Geographic grids use the closed formula of the authalic latitude for every row. Projected grids project
/// small cells around a lattice of points back to longitude and latitude, measure those on the ellipsoid,
/// and interpolate between them to about a millionth: the true area, free of the projection's distortion. Pixels where the projection shows
/// nothing, as beside the world in Mollweide's, have no area: NaN.
#[derive(Debug, Clone)]
pub struct PixelAreas(Kind);

#[derive(Debug, Clone)]
enum Kind {
    /// Rows follow parallels: one value decides a row. `b^2/2 q(latitude)` is taken at both edges.
    Rows { ellipsoid: Ellipsoid, north: f64, step: f64, width: f64 },
    /// Interpolated between nodes.
    Lattice(Lattice<1>),
}

impl PixelAreas {
    /// Prepares the areas of a grid; `None` without a CRS, for a degenerate transform, or where the
    /// projection has no inverse.
    pub fn new(grid: &Grid) -> Option<Self> {
        let crs = grid.crs.as_ref()?;
        let ellipsoid = crs.ellipsoid()?;
        grid.transform.inverse()?;
        let [_, a1, a2, a3, a4, a5] = grid.transform.0;
        if crs.is_geographic() && a2 == 0.0 && a4 == 0.0 {
            let unit = crs.unit()?;
            return Some(Self(Kind::Rows { ellipsoid, north: a3 * unit, step: a5 * unit, width: (a1 * unit).abs() }));
        }
        let cells = Cells::new(grid, &ellipsoid)?;
        Some(Self(Kind::Lattice(Lattice::new(grid, &|cols, rows| cells.areas(cols, rows))?)))
    }

    /// Area of a pixel centred at a pixel position (`0.5, 0.5` is the centre of the first pixel).
    pub fn at(&self, col: f64, row: f64) -> f64 {
        match &self.0 {
            Kind::Rows { ellipsoid, north, step, width } => {
                let edge = |row: f64| ellipsoid.area_to((north + step * row).clamp(-QUARTER, QUARTER));
                (edge(row + 0.5) - edge(row - 0.5)).abs() * width
            }
            Kind::Lattice(lattice) => lattice.at(col, row)[0],
        }
    }

    /// The column nearest to `col` whose pixels have an area in a row.
    pub(crate) fn nearest(&self, col: f64, row: f64) -> f64 {
        match &self.0 {
            Kind::Rows { .. } => col,
            Kind::Lattice(lattice) => lattice.nearest(col, row),
        }
    }

    /// The mean from one column to another, by Simpson's rule.
    pub(crate) fn mean(&self, from: f64, to: f64, row: f64) -> f64 {
        match &self.0 {
            Kind::Rows { .. } => self.at(from, row),
            Kind::Lattice(_) => {
                (self.at(from, row) + 4.0 * self.at(f64::midpoint(from, to), row) + self.at(to, row)) / 6.0
            }
        }
    }

    /// The areas of one row, prepared for sums over parts of it.
    pub fn row(&self, row: usize) -> RowAreas {
        let centre = row as f64 + 0.5;
        match &self.0 {
            Kind::Rows { .. } => {
                RowAreas { step: f64::INFINITY, nodes: vec![self.at(0.5, centre)], sums: vec![0.0], unknown: vec![0] }
            }
            Kind::Lattice(lattice) => {
                let (step, nodes) = lattice.row(centre);
                let nodes: Vec<f64> = nodes.into_iter().map(|[area]| area).collect();
                let (mut sums, mut unknown) = (vec![0.0], vec![0]);
                for (part, pair) in nodes.windows(2).enumerate() {
                    let area = 0.5 * (pair[0] + pair[1]) * step;
                    sums.push(sums[part] + if area.is_nan() { 0.0 } else { area });
                    unknown.push(unknown[part] + usize::from(area.is_nan()));
                }
                RowAreas { step, sums, unknown, nodes }
            }
        }
    }

    /// Area of all pixels of a window that have one.
    pub fn sum(&self, window: Window) -> f64 {
        match &self.0 {
            Kind::Rows { .. } => {
                let rows = window.row..window.row_end();
                rows.map(|row| self.at(0.5, row as f64 + 0.5)).sum::<f64>() * window.width as f64
            }
            Kind::Lattice(_) => {
                // Midpoint rule on cells finer than the lattice; the interpolant is nearly linear in each.
                const CELLS: usize = 64;
                let (across, down) = (window.width.min(CELLS), window.height.min(CELLS));
                let (dx, dy) = (window.width as f64 / across as f64, window.height as f64 / down as f64);
                let mut mean = 0.0;
                for j in 0..down {
                    for i in 0..across {
                        let (col, row) = ((i as f64 + 0.5) * dx, (j as f64 + 0.5) * dy);
                        let area = self.at(window.col as f64 + col, window.row as f64 + row);
                        mean += if area.is_nan() { 0.0 } else { area };
                    }
                }
                mean * dx * dy
            }
        }
    }
}

/// Areas of the pixels of one row: a line through nodes along it.
#[derive(Debug, Clone)]
pub struct RowAreas {
    /// Columns from one node to the next.
    step: f64,
    /// Area of a pixel at each node.
    nodes: Vec<f64>,
    /// Area of the row up to each node, as far as it is known.
    sums: Vec<f64>,
    /// Parts of the row up to each node where it is not.
    unknown: Vec<usize>,
}

impl RowAreas {
    /// Area of the pixels of some columns in square metres; NaN where one of them has none. Sums over parts add up to the sum over the whole.
    pub fn sum(&self, cols: std::ops::Range<usize>) -> f64 {
        if self.nodes.len() == 1 || cols.is_empty() {
            return cols.len() as f64 * self.nodes[0];
        }
        let (first, last) = (self.part(cols.start as f64), self.part(cols.end as f64 - 0.5));
        if self.unknown[last + 1] > self.unknown[first] {
            return self.each(cols).sum();
        }
        self.up_to(cols.end as f64) - self.up_to(cols.start as f64)
    }

    /// As [`RowAreas::sum`], with nothing for pixels that have no area.
    pub fn known(&self, cols: std::ops::Range<usize>) -> f64 {
        let sum = self.sum(cols.clone());
        if sum.is_nan() { self.each(cols).filter(|area| !area.is_nan()).sum() } else { sum }
    }

    /// Areas of single pixels by their middles.
    fn each(&self, cols: std::ops::Range<usize>) -> impl Iterator<Item = f64> + '_ {
        cols.map(|col| {
            let middle = col as f64 + 0.5;
            let node = self.part(middle);
            let past = middle / self.step - node as f64;
            self.nodes[node] * (1.0 - past) + self.nodes[node + 1] * past
        })
    }

    /// The part between two nodes in which a column lies.
    fn part(&self, col: f64) -> usize {
        ((col / self.step) as usize).min(self.nodes.len() - 2)
    }

    fn up_to(&self, col: f64) -> f64 {
        let node = self.part(col);
        let past = col - node as f64 * self.step;
        if past == 0.0 || self.unknown[node + 1] > self.unknown[node] {
            return self.sums[node];
        }
        let slope = (self.nodes[node + 1] - self.nodes[node]) / self.step;
        self.sums[node] + past * (self.nodes[node] + 0.5 * slope * past)
    }
}

const QUARTER: f64 = std::f64::consts::FRAC_PI_2;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Affine, Crs};

    fn grid(crs: &str, transform: [f64; 6], width: usize, height: usize) -> Grid {
        Grid { crs: Some(Crs::from_user(crs).unwrap()), transform: Affine(transform), width, height }
    }

    #[test]
    fn geographic_rows_are_exact() {
        let world = grid("EPSG:4326", [-180.0, 1.0, 0.0, 90.0, 0.0, -1.0], 360, 180);
        let total = world.area_m2(world.window()).unwrap() / 1e6;
        assert!((total - 510_065_621.724).abs() < 1e-2, "{total}");
        assert!((world.pixel_area_m2(89).unwrap() / 1e6 - 12_308.464).abs() < 1e-3);
        assert!((world.pixel_area_m2(29).unwrap() / 1e6 - 6_123.141).abs() < 1e-3);
    }

    #[test]
    fn utm_areas_follow_the_scale_factor() {
        // On the central meridian the scale is 0.9996: a pixel of 100 m^2 on the map is larger on the ground.
        let centre = grid("EPSG:32633", [499_500.0, 10.0, 0.0, 5_800_000.0, 0.0, -10.0], 100, 100);
        let pixel = centre.pixel_area_m2(50).unwrap();
        assert!((pixel - 100.0 / 0.9996f64.powi(2)).abs() < 1e-4, "{pixel}");
        let total = centre.area_m2(centre.window()).unwrap();
        assert!((total / 1e4 - pixel).abs() < 1e-4);
    }

    #[test]
    fn equal_area_projections_keep_their_pixels() {
        let laea = grid("EPSG:3035", [4_400_000.0, 30.0, 0.0, 3_300_000.0, 0.0, -30.0], 5000, 5000);
        let pixel = laea.pixel_area_m2(0).unwrap();
        assert!((pixel / 900.0 - 1.0).abs() < 1e-6, "{pixel}");
        let window = Window::new(-10, -10, 110, 20);
        let area = laea.area_m2(window).unwrap();
        assert!((area / (100.0 * 10.0 * 900.0) - 1.0).abs() < 1e-6, "{area}");
    }

    #[test]
    fn rotated_and_geographic_agree() {
        let straight = grid("EPSG:4326", [10.0, 1e-4, 0.0, 50.0, 0.0, -1e-4], 20, 20);
        // The same pixels with rows and columns exchanged: not north-up, so measured by the lattice.
        let turned = grid("EPSG:4326", [10.0, 0.0, 1e-4, 50.0, -1e-4, 0.0], 20, 20);
        let areas = [&straight, &turned].map(|g| g.area_m2(g.window()).unwrap());
        assert!((areas[0] / areas[1] - 1.0).abs() < 1e-6, "{areas:?}");
    }

    #[test]
    fn grids_around_a_pole_have_areas() {
        for (crs, latitude) in [("EPSG:3413", 70.0f64), ("EPSG:3031", -71.0)] {
            let polar = grid(crs, [-1e6, 2e3, 0.0, 1e6, 0.0, -2e3], 1000, 1000);
            let areas = PixelAreas::new(&polar).unwrap();
            // The scale at the pole k = 2 a t / (rho C) of the polar stereographic projection with true scale at `latitude`
            // (Snyder 1987, equations 21-33 to 21-35).
            let (e, phi) = (0.081_819_190_842_62f64, latitude.abs().to_radians());
            let es = e * phi.sin();
            let t = (std::f64::consts::FRAC_PI_4 - phi / 2.0).tan() / ((1.0 - es) / (1.0 + es)).powf(e / 2.0);
            let m = phi.cos() / (1.0 - es * es).sqrt();
            let k = 0.5 * m * ((1.0 + e).powf(1.0 + e) * (1.0 - e).powf(1.0 - e)).sqrt() / t;
            let pole = areas.at(500.0, 500.0);
            assert!((pole * k * k / 4e6 - 1.0).abs() < 1e-6, "{crs}: {pole}, scale {k}");
            let near = areas.at(520.0, 470.0);
            assert!((near / pole - 1.0).abs() < 1e-3, "{crs}: {near} against {pole}");
        }
    }

    #[test]
    fn tiles_at_the_rim_of_the_world_have_areas() {
        // MODIS tile h00v07, whose corner lies beyond the 180th meridian; the sphere has the radius of the projection.
        let side = 1_111_950.519_667;
        let pixel = side / 1200.0;
        let transform = [-18.0 * side, pixel, 0.0, 2.0 * side, 0.0, -pixel];
        let tile = grid("+proj=sinu +lon_0=0 +x_0=0 +y_0=0 +R=6371007.181 +units=m +no_defs", transform, 1200, 1200);
        let areas = PixelAreas::new(&tile).unwrap();
        for (col, row) in [(1199.5, 1199.5), (600.5, 1100.5), (1100.5, 600.5)] {
            let area = areas.at(col, row);
            assert!((area / (pixel * pixel) - 1.0).abs() < 1e-5, "{col}, {row}: {area} against {}", pixel * pixel);
        }
    }

    #[test]
    fn a_world_in_web_mercator_has_the_area_of_its_parallels() {
        let half = 20_037_508.342_789_244;
        let pixel = 2.0 * half / 4096.0;
        let world = grid("EPSG:3857", [-half, pixel, 0.0, half, 0.0, -pixel], 4096, 4096);
        let areas = PixelAreas::new(&world).unwrap();
        let total: f64 = (0..4096).map(|row| areas.row(row).sum(0..4096)).sum();
        // The edge of the square: sinh(pi) is the tangent of the latitude, and latitudes are those of the ellipsoid.
        let ellipsoid = world.crs.as_ref().unwrap().ellipsoid().unwrap();
        let edge = std::f64::consts::PI.sinh().atan();
        let expected = std::f64::consts::TAU * 2.0 * ellipsoid.area_to(edge);
        assert!((total / expected - 1.0).abs() < 2e-6, "{total} against {expected}");
    }

    #[test]
    fn parts_of_rows_add_up_to_windows() {
        let utm = grid("EPSG:32633", [300_000.0, 10.0, 0.0, 5_800_000.0, 0.0, -10.0], 10_980, 300);
        let lonlat = grid("EPSG:4326", [10.0, 1e-3, 0.0, 60.0, 0.0, -1e-3], 700, 300);
        for grid in [utm, lonlat] {
            let areas = PixelAreas::new(&grid).unwrap();
            let (mut parts, mut pixels) = (0.0, 0.0);
            for row in 0..grid.height {
                let of_row = areas.row(row);
                parts += [0..3, 3..3, 3..500, 500..grid.width].map(|cols| of_row.sum(cols)).iter().sum::<f64>();
                pixels += (0..grid.width).map(|col| areas.at(col as f64 + 0.5, row as f64 + 0.5)).sum::<f64>();
            }
            let whole = grid.area_m2(grid.window()).unwrap();
            assert!((parts / whole - 1.0).abs() < 1e-7, "{parts} against {whole}");
            assert!((parts / pixels - 1.0).abs() < 1e-9, "{parts} against {pixels}");
        }
    }

    #[test]
    fn a_world_has_areas_within_its_rim() {
        // Mollweide's projection keeps areas of the sphere; its world is an ellipse in a box, and its corners are nowhere.
        let (pixel, radius) = (100_000.0, 6_371_007.181f64);
        let world = grid("+proj=moll +R=6371007.181", [-18e6, pixel, 0.0, 9e6, 0.0, -pixel], 360, 180);
        let areas = PixelAreas::new(&world).unwrap();
        let inside = |col: usize, row: usize, most: f64| {
            let (x, y) = world.pixel_to_world(col as f64 + 0.5, row as f64 + 0.5);
            ((x / 2.0).hypot(y) / (2f64.sqrt() * radius)).powi(2) < most
        };
        for row in 0..180 {
            let of_row = areas.row(row);
            for col in 0..360 {
                let (area, alone) = (areas.at(col as f64 + 0.5, row as f64 + 0.5), of_row.sum(col..col + 1));
                if inside(col, row, 0.98) {
                    // At the rim areas are continued from further in.
                    let most = if inside(col, row, 0.9) { 1e-5 } else { 1e-3 };
                    let equal = |area: f64| (area / (pixel * pixel) - 1.0).abs() < most;
                    assert!(equal(area) && equal(alone), "{col}, {row}: {area}, {alone}");
                } else if !inside(col, row, 1.2) {
                    assert!(area.is_nan() && alone.is_nan(), "{col}, {row}: {area}, {alone}");
                }
            }
        }
        let row = areas.row(20);
        let known = (0..360).filter(|&col| !row.sum(col..col + 1).is_nan()).count();
        assert!((row.known(0..360) / (known as f64 * pixel * pixel) - 1.0).abs() < 1e-5);
        assert!(row.sum(0..360).is_nan() && known > 100 && known < 300);
        let (all, sphere) = (world.area_m2(world.window()).unwrap(), 4.0 * std::f64::consts::PI * radius * radius);
        assert!((all / sphere - 1.0).abs() < 0.05, "{all} against {sphere}");
        let nowhere = Grid { transform: Affine([1e8, 1e3, 0.0, 1e8, 0.0, -1e3]), ..world };
        assert!(PixelAreas::new(&nowhere).is_none());
    }

    #[test]
    fn no_georeference_no_area() {
        assert_eq!(Grid::plain(4, 4).pixel_area_m2(0), None);
    }
}
