//! What a projection does to pixels, between the nodes of a lattice over a grid.
//!
//! Nodes may lie where the projection shows nothing, as in the corners of a map of the world in Mollweide's projection: their numbers are
//! NaN, and so is everything between them. Nodes next to others get what those continue to, so that the rim of the world has its numbers.

use crate::Grid;

/// `N` numbers at evenly spaced nodes, linear in between.
#[derive(Debug, Clone)]
pub(crate) struct Lattice<const N: usize> {
    /// `[row, column]` of nodes.
    values: Vec<[f64; N]>,
    /// Nodes along a row and along a column.
    nodes: (usize, usize),
    width: f64,
    height: f64,
    /// First and last column with a number in each row of nodes, if some are missing.
    spans: Option<Vec<(f64, f64)>>,
}

/// The numbers at all of some columns and rows, `[row, column]`, NaN where the projection shows nothing; `None` where it has no inverse.
pub(crate) type Sample<'a, const N: usize> = dyn Fn(&[f64], &[f64]) -> Option<Vec<[f64; N]>> + 'a;

/// Nodes along an axis at first: scale changes so slowly that this suffices over a UTM zone.
const FIRST: usize = 17;
/// Nodes along an axis, and in all, at most.
const MOST: usize = 4097;
const MOST_IN_ALL: usize = 300_000;
/// Nodes along an axis, at least, where some of them are missing.
const LEAST_AT_RIM: usize = 257;
/// Relative error between nodes that asks for more of them.
const ERROR: f64 = 1e-6;

impl<const N: usize> Lattice<N> {
    /// As many nodes as the projection needs.
    pub(crate) fn new(grid: &Grid, sample: &Sample<'_, N>) -> Option<Lattice<N>> {
        let size = [grid.width as f64, grid.height as f64];
        let mut nodes = [FIRST, FIRST];
        for axis in [0, 1] {
            let mut last = f64::INFINITY;
            while nodes[axis] < MOST && 2 * nodes[0] * nodes[1] < MOST_IN_ALL {
                let (error, whole) = error_along(sample, size, nodes, axis)?;
                // Rounding of the projection does not shrink with the spacing.
                if (error < ERROR || error > 0.5 * last) && (whole || nodes[axis] >= LEAST_AT_RIM) {
                    break;
                }
                last = error;
                nodes[axis] = 2 * nodes[axis] - 1;
            }
        }
        let mut values = sample(&evenly(size[0], nodes[0], 0.0), &evenly(size[1], nodes[1], 0.0))?;
        if values.iter().all(|value| value[0].is_nan()) {
            return None;
        }
        // Twice: a cell at the rim may have all its nodes outside.
        continue_outwards(&mut values, nodes);
        continue_outwards(&mut values, nodes);
        let spans = values.iter().any(|value| value[0].is_nan()).then(|| {
            let column =
                |node: Option<usize>| node.map_or(f64::NAN, |node| node as f64 * size[0] / (nodes[0] - 1) as f64);
            let known = |value: &[f64; N]| !value[0].is_nan();
            let span = |row: &[[f64; N]]| (column(row.iter().position(known)), column(row.iter().rposition(known)));
            values.chunks_exact(nodes[0]).map(span).collect()
        });
        Some(Lattice { values, nodes: (nodes[0], nodes[1]), width: size[0], height: size[1], spans })
    }

    /// The column nearest to `col` that has numbers in a row; `col` where there is none.
    pub(crate) fn nearest(&self, col: f64, row: f64) -> f64 {
        let Some(spans) = &self.spans else { return col };
        let (j, _) = place(row / self.height, self.nodes.1);
        let (above, below) = (spans[j], spans[j + 1]);
        // Not on a node, between which and a missing one nothing is known.
        let inwards = 1e-6 * self.width / (self.nodes.0 - 1) as f64;
        let (first, last) = (above.0.max(below.0) + inwards, above.1.min(below.1) - inwards);
        if first <= last { col.clamp(first, last) } else { col }
    }

    /// The numbers at a pixel position.
    pub(crate) fn at(&self, col: f64, row: f64) -> [f64; N] {
        let (i, u) = place(col / self.width, self.nodes.0);
        let line = |j: usize| {
            let node = |i: usize| self.values[j * self.nodes.0 + i];
            between(node(i), node(i + 1), u)
        };
        let (j, v) = place(row / self.height, self.nodes.1);
        between(line(j), line(j + 1), v)
    }

    /// Columns from one node to the next, and the numbers at the nodes of a row.
    pub(crate) fn row(&self, row: f64) -> (f64, Vec<[f64; N]>) {
        let (across, down) = self.nodes;
        let (j, v) = place(row / self.height, down);
        let line = |j: usize| &self.values[j * across..][..across];
        let nodes = line(j).iter().zip(line(j + 1)).map(|(&above, &below)| between(above, below, v));
        (self.width / (across - 1) as f64, nodes.collect())
    }
}

fn between<const N: usize>(a: [f64; N], b: [f64; N], part: f64) -> [f64; N] {
    std::array::from_fn(|k| a[k] * (1.0 - part) + b[k] * part)
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

/// Gives missing nodes the mean of what their neighbours continue to along rows, columns and diagonals.
fn continue_outwards<const N: usize>(values: &mut [[f64; N]], [across, down]: [usize; 2]) {
    if values.iter().all(|value| !value[0].is_nan()) {
        return;
    }
    let before = values.to_vec();
    let node = |i: isize, j: isize| {
        let inside = (0..across as isize).contains(&i) && (0..down as isize).contains(&j);
        inside.then(|| before[j as usize * across + i as usize]).filter(|value| !value[0].is_nan())
    };
    for (index, value) in values.iter_mut().enumerate().filter(|(_, value)| value[0].is_nan()) {
        let (i, j) = ((index % across) as isize, (index / across) as isize);
        let steps = (-1..=1).flat_map(|di| (-1..=1).map(move |dj| (di, dj))).filter(|&step| step != (0, 0));
        let found: Vec<[f64; N]> = steps
            .filter_map(|(di, dj)| {
                let near = node(i + di, j + dj)?;
                let far = node(i + 2 * di, j + 2 * dj).unwrap_or(near);
                Some(std::array::from_fn(|k| 2.0 * near[k] - far[k]))
            })
            .collect();
        if !found.is_empty() {
            *value = std::array::from_fn(|k| found.iter().map(|value| value[k]).sum::<f64>() / found.len() as f64);
        }
    }
}

/// The largest relative error halfway between nodes along one axis, and whether no number is missing.
fn error_along<const N: usize>(
    sample: &Sample<'_, N>,
    size: [f64; 2],
    nodes: [usize; 2],
    axis: usize,
) -> Option<(f64, bool)> {
    // A few lines across the axis tell.
    let other = evenly(size[1 - axis], 5, 0.0);
    let values = |positions: &[f64]| match axis {
        0 => sample(positions, &other),
        _ => sample(&other, positions),
    };
    let (at_nodes, halfway) =
        (values(&evenly(size[axis], nodes[axis], 0.0))?, values(&evenly(size[axis], nodes[axis], 0.5))?);
    let (count, lines) = (nodes[axis], other.len());
    let value = |values: &[[f64; N]], count: usize, line: usize, index: usize| match axis {
        0 => values[line * count + index],
        _ => values[index * lines + line],
    };
    let error = |(line, index): (usize, usize)| {
        let mean = between(value(&at_nodes, count, line, index), value(&at_nodes, count, line, index + 1), 0.5);
        let true_value = value(&halfway, count - 1, line, index);
        // Of several numbers the largest is the measure: some may be 0.
        let largest = true_value.iter().fold(0.0, |most: f64, value| most.max(value.abs()));
        mean.iter().zip(true_value).fold(0.0, |most: f64, (mean, value)| most.max((mean - value).abs())) / largest
    };
    let all = (0..lines).flat_map(|line| (0..count - 1).map(move |index| (line, index)));
    let whole = at_nodes.iter().chain(&halfway).all(|value| !value[0].is_nan());
    // Missing numbers are no errors: the greater of a number and NaN is the number.
    Some((all.map(error).fold(0.0, f64::max), whole))
}
