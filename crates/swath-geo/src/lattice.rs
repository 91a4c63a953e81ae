//! Areas of pixels between the nodes of a lattice over a grid.

use gdal::spatial_ref::CoordTransform;

use crate::ellipsoid::Ellipsoid;
use crate::{Affine, Grid};

/// Areas of one pixel at evenly spaced nodes, linear in between.
#[derive(Debug, Clone)]
pub(crate) struct Lattice {
    /// `[row, column]` of nodes.
    areas: Vec<f64>,
    /// Nodes along a row and along a column.
    nodes: (usize, usize),
    width: f64,
    height: f64,
}

/// Nodes along an axis at first: areal scale changes so slowly that this suffices over a UTM zone.
const FIRST: usize = 17;
/// Nodes along an axis, and in all, at most.
const MOST: usize = 4097;
const MOST_IN_ALL: usize = 300_000;
/// Relative error between nodes that asks for more of them.
const ERROR: f64 = 1e-6;
/// Latitude in radians from which cells are measured in a polar plane.
const POLAR: f64 = 1.4;

impl Lattice {
    /// As many nodes as the projection needs; `None` where it has no inverse.
    pub(crate) fn new(grid: &Grid, ellipsoid: &Ellipsoid) -> Option<Lattice> {
        let cells = Cells::new(grid, ellipsoid)?;
        let size = [grid.width as f64, grid.height as f64];
        let mut nodes = [FIRST, FIRST];
        for axis in [0, 1] {
            let mut last = f64::INFINITY;
            while nodes[axis] < MOST && 2 * nodes[0] * nodes[1] < MOST_IN_ALL {
                let error = error_along(&cells, size, nodes, axis)?;
                // Rounding of the projection does not shrink with the spacing.
                if error < ERROR || error > 0.5 * last {
                    break;
                }
                last = error;
                nodes[axis] = 2 * nodes[axis] - 1;
            }
        }
        let areas = cells.areas(&evenly(size[0], nodes[0], 0.0), &evenly(size[1], nodes[1], 0.0))?;
        Some(Lattice { areas, nodes: (nodes[0], nodes[1]), width: size[0], height: size[1] })
    }

    /// Area of a pixel at a pixel position.
    pub(crate) fn at(&self, col: f64, row: f64) -> f64 {
        let (i, u) = place(col / self.width, self.nodes.0);
        let line = |j: usize| {
            let node = |i: usize| self.areas[j * self.nodes.0 + i];
            node(i) * (1.0 - u) + node(i + 1) * u
        };
        let (j, v) = place(row / self.height, self.nodes.1);
        line(j) * (1.0 - v) + line(j + 1) * v
    }

    /// Columns from one node to the next, and the areas at the nodes of a row.
    pub(crate) fn row(&self, row: f64) -> (f64, Vec<f64>) {
        let (across, down) = self.nodes;
        let (j, v) = place(row / self.height, down);
        let line = |j: usize| &self.areas[j * across..][..across];
        let between = line(j).iter().zip(line(j + 1)).map(|(above, below)| above * (1.0 - v) + below * v);
        (self.width / (across - 1) as f64, between.collect())
    }
}

/// The node before a place along an axis, `part` of its length, and how far behind that node it lies, 0 to 1.
fn place(part: f64, nodes: usize) -> (usize, f64) {
    let last = (nodes - 1) as f64;
    let position = (part * last).clamp(0.0, last);
    let node = (position as usize).min(nodes - 2);
    (node, position - node as f64)
}

/// Positions of nodes, moved by a part of their spacing; one less where they are moved.
fn evenly(size: f64, nodes: usize, moved: f64) -> Vec<f64> {
    let count = if moved > 0.0 { nodes - 1 } else { nodes };
    (0..count).map(|node| (node as f64 + moved) * size / (nodes - 1) as f64).collect()
}

/// The largest relative error halfway between nodes along one axis.
fn error_along(cells: &Cells<'_>, size: [f64; 2], nodes: [usize; 2], axis: usize) -> Option<f64> {
    // A few lines across the axis tell.
    let other = evenly(size[1 - axis], 5, 0.0);
    let areas = |positions: &[f64]| match axis {
        0 => cells.areas(positions, &other),
        _ => cells.areas(&other, positions),
    };
    let (at_nodes, between) =
        (areas(&evenly(size[axis], nodes[axis], 0.0))?, areas(&evenly(size[axis], nodes[axis], 0.5))?);
    let (count, lines) = (nodes[axis], other.len());
    let value = |areas: &[f64], count: usize, line: usize, index: usize| match axis {
        0 => areas[line * count + index],
        _ => areas[index * lines + line],
    };
    let error = |(line, index): (usize, usize)| {
        let mean = 0.5 * (value(&at_nodes, count, line, index) + value(&at_nodes, count, line, index + 1));
        (mean / value(&between, count - 1, line, index) - 1.0).abs()
    };
    let all = (0..lines).flat_map(|line| (0..count - 1).map(move |index| (line, index)));
    Some(all.map(error).fold(0.0, f64::max))
}

/// Small cells of a grid, measured on the ellipsoid.
struct Cells<'a> {
    transform: &'a Affine,
    to_lonlat: CoordTransform,
    radians: f64,
    ellipsoid: &'a Ellipsoid,
    geographic: bool,
    /// Half the side of a cell in pixels.
    half: f64,
}

impl<'a> Cells<'a> {
    fn new(grid: &'a Grid, ellipsoid: &'a Ellipsoid) -> Option<Cells<'a>> {
        let crs = grid.crs.as_ref()?;
        let lonlat = crs.geographic()?;
        let to_lonlat = CoordTransform::new(&crs.spatial_ref().ok()?, &lonlat.spatial_ref().ok()?).ok()?;
        let geographic = crs.is_geographic();
        // About a hundred metres: far above the rounding of the projection, far below its curvature.
        let pixel = grid.transform.determinant().abs().sqrt() * if geographic { 111e3 } else { crs.unit()? };
        let half = (100.0 / pixel).max(1.0) / 2.0;
        Some(Cells { transform: &grid.transform, to_lonlat, radians: lonlat.unit()?, ellipsoid, geographic, half })
    }

    /// Areas of one pixel around (column, row) of all columns and rows, `[row, column]`.
    fn areas(&self, cols: &[f64], rows: &[f64]) -> Option<Vec<f64>> {
        let (mut x, mut y) = (Vec::new(), Vec::new());
        let half = self.half;
        for (row, col) in rows.iter().flat_map(|row| cols.iter().map(move |col| (row, col))) {
            for (dx, dy) in [(-half, -half), (half, -half), (half, half), (-half, half)] {
                let (wx, wy) = self.transform.apply(col + dx, row + dy);
                x.push(wx);
                y.push(wy);
            }
        }
        self.to_lonlat.transform_coords(&mut x, &mut y, &mut []).ok()?;
        if x.iter().chain(&y).any(|value| !value.is_finite()) {
            return None;
        }
        let corners: Vec<(f64, f64)> = x.iter().zip(&y).map(|(x, y)| (x * self.radians, y * self.radians)).collect();
        let pixels = 4.0 * half * half;
        let area = |cell: &[(f64, f64)]| {
            // Near a pole the sides of a cell cross many meridians.
            let polar = !self.geographic && cell.iter().any(|(_, latitude)| latitude.abs() > POLAR);
            if polar { self.ellipsoid.polar_polygon_area(cell) } else { self.ellipsoid.polygon_area(cell) }
        };
        Some(corners.chunks_exact(4).map(|cell| area(cell) / pixels).collect())
    }
}
