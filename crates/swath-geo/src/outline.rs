//! Polygons in pixel coordinates and their measures on the ground.

use crate::metric::Metric;
use crate::{Grid, PixelAreas};

/// Polygons in pixel coordinates.
///
/// As seen with the first row at the top, outer rings run counterclockwise and holes clockwise.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Outline {
    points: Vec<(f64, f64)>,
    /// Where each ring ends, and whether it is an outer one.
    ends: Vec<(usize, bool)>,
    polygons: usize,
}

impl Outline {
    /// Takes all rings away.
    pub fn clear(&mut self) {
        self.points.clear();
        self.ends.clear();
        self.polygons = 0;
    }

    /// Appends a closed ring of (column, row), the first point repeated at the end. A hole belongs to the last outer ring before it.
    pub fn push(&mut self, outer: bool, ring: impl IntoIterator<Item = (f64, f64)>) {
        self.points.extend(ring);
        self.ends.push((self.points.len(), outer));
        self.polygons += usize::from(outer);
    }

    /// The rings, and whether they are outer ones.
    pub fn rings(&self) -> impl Iterator<Item = (bool, &[(f64, f64)])> {
        let starts = std::iter::once(0).chain(self.ends.iter().map(|&(end, _)| end));
        starts.zip(&self.ends).map(|(start, &(end, outer))| (outer, &self.points[start..end]))
    }

    /// How many bytes its polygons take as well-known binary.
    pub(crate) fn wkb_bytes(&self) -> usize {
        // A point, the number of points of a ring, and what a polygon begins with.
        16 * self.points.len() + 4 * self.ends.len() + 9 * self.polygons()
    }

    /// How many outer rings.
    pub(crate) fn polygons(&self) -> usize {
        self.polygons
    }

    fn edges(&self) -> impl Iterator<Item = ((f64, f64), (f64, f64))> {
        self.rings().flat_map(|(_, ring)| ring.windows(2).map(|edge| (edge[0], edge[1])))
    }
}

/// Measures polygons of one grid.
#[derive(Debug)]
pub(crate) struct Ruler {
    /// None where the grid has no CRS.
    areas: Option<PixelAreas>,
    metric: Option<Metric>,
}

impl Ruler {
    pub(crate) fn new(grid: &Grid) -> Ruler {
        let areas = PixelAreas::new(grid);
        let metric = areas.as_ref().and_then(|_| Metric::new(grid));
        Ruler { areas: areas.filter(|_| metric.is_some()), metric }
    }

    /// Whether measures are metres; they are pixels where the grid has no CRS.
    pub(crate) fn is_metric(&self) -> bool {
        self.areas.is_some()
    }

    /// Area in square metres on the ellipsoid.
    ///
    /// The area `a(col, row)` of a pixel is integrated over the polygon by Green's theorem, `A = sum over edges of the
    /// integral of m(col, row) (col - c) d row`, with `m` the mean of `a` from the column `c` of the polygon's centroid to the edge: equal to
    /// the sum of the pixels for outlines of pixels. Where `c` has no area in a row of pixels, the nearest column that has takes its place
    /// in that row. NaN for outlines beside what the projection shows.
    pub(crate) fn area(&self, outline: &Outline) -> f64 {
        let column = centroid_column(outline);
        outline.edges().map(|(from, to)| self.integral(from, to, column)).sum::<f64>().abs()
    }

    /// Length of all rings in metres on the ellipsoid.
    pub(crate) fn perimeter(&self, outline: &Outline) -> f64 {
        outline.edges().map(|(from, to)| self.length(from, to)).sum()
    }

    /// Length of an edge in metres on the ellipsoid.
    pub(crate) fn length(&self, from: (f64, f64), to: (f64, f64)) -> f64 {
        match &self.metric {
            Some(metric) => metric.length(from, to),
            None => (to.0 - from.0).hypot(to.1 - from.1),
        }
    }

    /// Area of a pixel at a place, in square metres on the ellipsoid.
    pub(crate) fn pixel(&self, col: f64, row: f64) -> f64 {
        self.areas.as_ref().map_or(1.0, |areas| areas.at(col, row))
    }

    /// The part of one edge, row by row.
    fn integral(&self, (c0, r0): (f64, f64), (c1, r1): (f64, f64), column: f64) -> f64 {
        if r0 == r1 {
            return 0.0;
        }
        let (low, high) = (r0.min(r1), r0.max(r1));
        let slope = (c1 - c0) / (r1 - r0);
        let mut total = 0.0;
        let mut top = low;
        while top < high {
            let bottom = (top.floor() + 1.0).min(high);
            let middle = (top + bottom) / 2.0;
            let edge = c0 + slope * (middle - r0);
            // One column for all edges in a row of pixels.
            let column = self.areas.as_ref().map_or(column, |areas| areas.nearest(column, middle.floor() + 0.5));
            let mean = |row: f64| {
                let edge = c0 + slope * (row - r0);
                self.areas.as_ref().map_or(1.0, |areas| areas.mean(column, edge, row))
            };
            let height = bottom - top;
            total += (edge - column) * mean(middle) * height;
            if slope != 0.0 && self.areas.is_some() {
                // Where an edge is slanted, longer parts of the row may be those with larger pixels.
                let more = slope * (mean(bottom) - mean(top)) * height * height / 12.0;
                total += if more.is_nan() { 0.0 } else { more };
            }
            top = bottom;
        }
        if r1 > r0 { total } else { -total }
    }
}

/// Column of the centroid.
fn centroid_column(outline: &Outline) -> f64 {
    let Some(&(first, _)) = outline.points.first() else { return 0.0 };
    let (mut area, mut moment) = (0.0, 0.0);
    for ((c0, r0), (c1, r1)) in outline.edges() {
        // Relative to the first point, so that large coordinates do not cancel.
        let (c0, c1) = (c0 - first, c1 - first);
        let cross = c0 * r1 - c1 * r0;
        area += cross / 2.0;
        moment += (c0 + c1) * cross / 6.0;
    }
    if area == 0.0 { first } else { first + moment / area }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Affine, Crs, Window};

    fn grid(crs: &str, transform: [f64; 6]) -> Grid {
        Grid { crs: Some(Crs::from_user(crs).unwrap()), transform: Affine(transform), width: 2000, height: 2000 }
    }

    fn rectangle(col: f64, row: f64, width: f64, height: f64) -> Vec<(f64, f64)> {
        let (right, bottom) = (col + width, row + height);
        vec![(col, row), (col, bottom), (right, bottom), (right, row), (col, row)]
    }

    fn outline(rings: &[Vec<(f64, f64)>]) -> Outline {
        let mut outline = Outline::default();
        for (index, ring) in rings.iter().enumerate() {
            let ring = ring.iter().copied();
            if index == 0 { outline.push(true, ring) } else { outline.push(false, ring.rev()) }
        }
        outline
    }

    #[test]
    fn outlines_of_pixels_have_the_area_of_their_pixels() {
        for grid in [
            grid("EPSG:32633", [330_000.0, 10.0, 0.0, 5_822_040.0, 0.0, -10.0]),
            grid("EPSG:4326", [10.0, 0.01, 0.0, 65.0, 0.0, -0.01]),
        ] {
            let ruler = Ruler::new(&grid);
            let rings = [rectangle(100.0, 200.0, 1500.0, 900.0), rectangle(400.0, 300.0, 7.0, 11.0)];
            let expected = grid.area_m2(Window::new(100, 200, 1500, 900)).unwrap()
                - grid.area_m2(Window::new(400, 300, 7, 11)).unwrap();
            let area = ruler.area(&outline(&rings));
            assert!((area / expected - 1.0).abs() < 1e-6, "{area} {expected}");
        }
    }

    #[test]
    fn wide_outlines_have_the_area_of_their_pixels() {
        // 400 km of a zone of UTM, where the scale grows with the square of the distance from its middle.
        let wide = grid("EPSG:32601", [100_000.0, 20_000.0, 0.0, 8_000_000.0, 0.0, -20_000.0]);
        let fine = grid("EPSG:32633", [166_000.0, 500.0, 0.0, 6_000_000.0, 0.0, -500.0]);
        for (grid, width, height) in [(wide, 20, 10), (fine, 1300, 700)] {
            let grid = Grid { width, height, ..grid };
            let area = Ruler::new(&grid).area(&outline(&[rectangle(0.0, 0.0, width as f64, height as f64)]));
            let expected = grid.area_m2(Window::new(0, 0, width, height)).unwrap();
            assert!((area / expected - 1.0).abs() < 2e-6, "{area} {expected}");
        }
    }

    #[test]
    fn slanted_edges_of_coarse_grids_have_the_area_of_fine_ones() {
        for (crs, transform) in [
            ("EPSG:4326", [10.0, 1.0, 0.0, 90.0, 0.0, -1.0]),
            ("EPSG:4326", [10.0, 0.1, 0.0, 62.0, 0.0, -0.1]),
            ("EPSG:3857", [1e6, 1e4, 0.0, 9e6, 0.0, -1e4]),
        ] {
            let area = |zoom: f64| {
                let [x, dx, _, y, _, dy] = transform;
                let side = 20 * zoom as usize;
                let fine = Grid { width: side, height: side, ..grid(crs, [x, dx / zoom, 0.0, y, 0.0, dy / zoom]) };
                let ring =
                    [(1.0, 1.0), (3.0, 4.0), (12.0, 5.0), (9.0, 2.0), (1.0, 1.0)].map(|(c, r)| (c * zoom, r * zoom));
                Ruler::new(&fine).area(&outline(&[ring.to_vec()]))
            };
            let (coarse, fine) = (area(1.0), area(64.0));
            assert!((coarse / fine - 1.0).abs() < 1e-6, "{crs}: {coarse} against {fine}");
        }
    }

    #[test]
    fn outlines_beside_the_rim_of_the_world_have_areas() {
        // What is left of the upper right rim of the world, whose centroid lies right of its first rows.
        let pixel = 100_000.0;
        let world = Grid {
            width: 360,
            height: 180,
            ..grid("+proj=moll +R=6371007.181", [-18e6, pixel, 0.0, 9e6, 0.0, -pixel])
        };
        let ruler = Ruler::new(&world);
        let rim =
            [(181.0, 4.0), (181.0, 9.0), (345.0, 80.0), (353.0, 80.0), (345.0, 65.0), (300.0, 26.0), (250.0, 9.0)];
        let ring: Vec<(f64, f64)> = rim.iter().chain(&rim[..1]).copied().collect();
        let doubled: f64 = ring.windows(2).map(|edge| edge[0].0 * edge[1].1 - edge[1].0 * edge[0].1).sum();
        let expected = (doubled / 2.0).abs() * pixel * pixel;
        let area = ruler.area(&outline(&[ring]));
        assert!((area / expected - 1.0).abs() < 1e-5, "{area} against {expected}");
        assert!(ruler.area(&outline(&[rectangle(0.0, 0.0, 9.0, 9.0)])).is_nan(), "beside the world");
        assert!(ruler.perimeter(&outline(&[rectangle(0.0, 0.0, 9.0, 9.0)])).is_nan());
    }

    #[test]
    fn slanted_edges_and_both_orientations() {
        let ruler = Ruler::new(&Grid::plain(10, 10));
        assert!(!ruler.is_metric());
        let mut triangle = vec![(0.0, 0.0), (4.0, 0.0), (0.0, 3.0), (0.0, 0.0)];
        assert!((ruler.area(&outline(&[triangle.clone()])) - 6.0).abs() < 1e-12);
        assert!((ruler.perimeter(&outline(&[triangle.clone()])) - 12.0).abs() < 1e-12);
        triangle.reverse();
        assert!((ruler.area(&outline(&[triangle])) - 6.0).abs() < 1e-12);
    }

    /// The sum of the geodesics from point to point, on WGS 84.
    fn geodesics(grid: &Grid, ring: &[(f64, f64)]) -> f64 {
        use geographiclib_rs::{Geodesic, InverseGeodesic};
        let crs = grid.crs.as_ref().unwrap();
        let lonlat = Crs::from_user("OGC:CRS84").unwrap();
        let transform =
            gdal::spatial_ref::CoordTransform::new(&crs.spatial_ref().unwrap(), &lonlat.spatial_ref().unwrap());
        let (mut x, mut y): (Vec<f64>, Vec<f64>) = ring.iter().map(|&(col, row)| grid.pixel_to_world(col, row)).unzip();
        transform.unwrap().transform_coords(&mut x, &mut y, &mut []).unwrap();
        let points: Vec<(f64, f64)> = x.into_iter().zip(y).collect();
        let geodesic = Geodesic::wgs84();
        let length = |pair: &[(f64, f64)]| -> f64 { geodesic.inverse(pair[0].1, pair[0].0, pair[1].1, pair[1].0) };
        points.windows(2).map(length).sum()
    }

    #[test]
    fn perimeters_are_geodesics() {
        let grids = [
            grid("EPSG:32633", [330_000.0, 10.0, 0.0, 5_822_040.0, 0.0, -10.0]),
            // Turned, and at the rim of its zone.
            grid("EPSG:32633", [160_000.0, 8.66, 5.0, 822_040.0, 5.0, -8.66]),
            grid("EPSG:3857", [1_400_000.0, 30.0, 0.0, 8_400_000.0, 0.0, -30.0]),
            // Equal areas, but no equal lengths.
            grid("EPSG:3035", [2_400_000.0, 100.0, 0.0, 1_800_000.0, 0.0, -100.0]),
            grid("EPSG:6933", [1_000_000.0, 100.0, 0.0, 6_000_000.0, 0.0, -100.0]),
            // The pole lies on it.
            grid("EPSG:3413", [-20_000.0, 20.0, 0.0, 20_000.0, 0.0, -20.0]),
            // Over the date line.
            grid("EPSG:32601", [200_000.0, 50.0, 0.0, 7_000_000.0, 0.0, -50.0]),
            grid("EPSG:4326", [10.0, 1e-4, 0.0, 89.95, 0.0, -1e-4]),
            grid("EPSG:4326", [179.9, 1e-4, 3e-5, 60.05, 2e-5, -1e-4]),
        ];
        for grid in grids {
            let ruler = Ruler::new(&grid);
            // Short edges, since a geodesic leaves a straight line on the grid where edges are long.
            let circle: Vec<(f64, f64)> = (0..=2000)
                .map(|step| f64::from(step) * std::f64::consts::TAU / 2000.0)
                .map(|angle| (990.0 + 900.0 * angle.cos(), 995.0 - 700.0 * angle.sin()))
                .collect();
            let expected = geodesics(&grid, &circle);
            let found = ruler.perimeter(&outline(&[circle]));
            assert!((found / expected - 1.0).abs() < 3e-6, "{found} against {expected} on {:?}", grid.crs);
        }
    }

    #[test]
    fn long_edges_are_as_long_as_their_parts() {
        for (crs, transform) in
            [("EPSG:4326", [-180.0, 0.18, 0.0, 90.0, 0.0, -0.09]), ("EPSG:3857", [-2e7, 2e4, 0.0, 2e7, 0.0, -2e4])]
        {
            let ruler = Ruler::new(&grid(crs, transform));
            let point = |part: f64| (10.0 + 1900.0 * part, 1700.0 - 1500.0 * part);
            let parts: f64 =
                (0..4000).map(|k| ruler.length(point(f64::from(k) / 4e3), point(f64::from(k + 1) / 4e3))).sum();
            let whole = ruler.length(point(0.0), point(1.0));
            assert!((whole / parts - 1.0).abs() < 1e-6, "{crs}: {whole} against {parts}");
        }
    }
}
