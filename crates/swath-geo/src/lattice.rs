//! What a projection does to pixels, between the nodes of a lattice over a grid.

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
}

/// The numbers at all of some columns and rows, `[row, column]`; `None` where the projection has no inverse.
pub(crate) type Sample<'a, const N: usize> = dyn Fn(&[f64], &[f64]) -> Option<Vec<[f64; N]>> + 'a;

/// Nodes along an axis at first: scale changes so slowly that this suffices over a UTM zone.
const FIRST: usize = 17;
/// Nodes along an axis, and in all, at most.
const MOST: usize = 4097;
const MOST_IN_ALL: usize = 300_000;
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
                let error = error_along(sample, size, nodes, axis)?;
                // Rounding of the projection does not shrink with the spacing.
                if error < ERROR || error > 0.5 * last {
                    break;
                }
                last = error;
                nodes[axis] = 2 * nodes[axis] - 1;
            }
        }
        let values = sample(&evenly(size[0], nodes[0], 0.0), &evenly(size[1], nodes[1], 0.0))?;
        Some(Lattice { values, nodes: (nodes[0], nodes[1]), width: size[0], height: size[1] })
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

/// The largest relative error halfway between nodes along one axis.
fn error_along<const N: usize>(sample: &Sample<'_, N>, size: [f64; 2], nodes: [usize; 2], axis: usize) -> Option<f64> {
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
    Some(all.map(error).fold(0.0, f64::max))
}
