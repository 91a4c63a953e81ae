//! From the pixels of a skeleton to a graph.

use std::collections::HashMap;

use super::graph::{Edge, Graph, Node};
use super::strip::SkeletonPixel;

/// The graph of a skeleton whose pixels come row by row.
///
/// Pixels that do not have two neighbours are nodes, and those of them that touch are one. A diagonal neighbour counts only where no pixel
/// beside both leads there.
pub(super) fn trace(pixels: &[SkeletonPixel]) -> Graph {
    let skeleton = Skeleton { pixels };
    let near: Vec<Vec<u32>> = (0..pixels.len()).map(|at| skeleton.neighbours(at)).collect();
    let nodes = nodes(&near, pixels);
    let mut graph = Graph::default();
    let mut node_of = vec![NONE; pixels.len()];
    for (at, &root) in nodes.iter().enumerate().filter(|(_, root)| **root != NONE) {
        if root as usize == at {
            node_of[at] = graph.add(Node::default());
        }
        node_of[at] = node_of[root as usize];
        graph.node(node_of[at]).take(&pixels[at]);
    }
    let mut seen = vec![false; pixels.len()];
    for at in (0..pixels.len()).filter(|&at| node_of[at] != NONE) {
        for &first in &near[at] {
            let first = first as usize;
            if node_of[first] == node_of[at] || seen[first] || (node_of[first] != NONE && first < at) {
                continue;
            }
            let (way, last) = follow(at, first, &near, &node_of, &mut seen);
            graph.connect(Edge::new(node_of[at], node_of[last], way.iter().map(|&at| &pixels[at as usize])));
        }
    }
    for at in 0..pixels.len() {
        if node_of[at] == NONE && !seen[at] {
            // A ring without a node.
            seen[at] = true;
            let (mut way, _) = follow(at, near[at][0] as usize, &near, &node_of, &mut seen);
            way.insert(0, at as u32);
            graph.ring(way.iter().map(|&at| &pixels[at as usize]));
        }
    }
    graph
}

const NONE: u32 = u32::MAX;

/// The pixels from `first` on, away from `from`, up to a node or until they come back, and the node's pixel.
fn follow(from: usize, first: usize, near: &[Vec<u32>], node_of: &[u32], seen: &mut [bool]) -> (Vec<u32>, usize) {
    let (mut way, mut before, mut at) = (Vec::new(), from, first);
    while node_of[at] == NONE && !seen[at] {
        seen[at] = true;
        way.push(at as u32);
        let next = near[at].iter().copied().find(|&next| next as usize != before).map_or(before, |next| next as usize);
        (before, at) = (at, next);
    }
    (way, at)
}

/// What leaves the raster through the same of its pixels is one beyond: the first of such pixels is the root of the others.
fn join_exits(roots: &mut [u32], pixels: &[SkeletonPixel]) {
    let mut first = HashMap::new();
    for (root, (at, pixel)) in roots.iter_mut().zip((0u32..).zip(pixels)) {
        if let Some((x, y)) = pixel.exit {
            *root = *first.entry((x.to_bits(), y.to_bits())).or_insert(at);
        }
    }
}

/// For each pixel that is a node the first of those it is one with.
fn nodes(near: &[Vec<u32>], pixels: &[SkeletonPixel]) -> Vec<u32> {
    let goes_on = |(near, pixel): (&Vec<u32>, &SkeletonPixel)| near.len() == 2 && pixel.exit.is_none();
    let mut roots: Vec<u32> =
        (0u32..).zip(near.iter().zip(pixels)).map(|(at, pixel)| if goes_on(pixel) { NONE } else { at }).collect();
    join_exits(&mut roots, pixels);
    for start in 0..near.len() {
        if roots[start] != start as u32 || near[start].len() < 3 {
            continue;
        }
        let mut open = vec![start as u32];
        while let Some(at) = open.pop() {
            for &next in &near[at as usize] {
                if roots[next as usize] == next && near[next as usize].len() > 2 && next > start as u32 {
                    roots[next as usize] = start as u32;
                    open.push(next);
                }
            }
        }
    }
    roots
}

struct Skeleton<'a> {
    pixels: &'a [SkeletonPixel],
}

impl Skeleton<'_> {
    fn neighbours(&self, at: usize) -> Vec<u32> {
        let SkeletonPixel { row, col, .. } = self.pixels[at];
        let find = |down: i64, right: i64| self.find(i64::from(row) + down, i64::from(col) + right);
        let [north, south, west, east] = [find(-1, 0), find(1, 0), find(0, -1), find(0, 1)];
        let diagonal = |beside: [Option<u32>; 2], down, right| {
            if beside == [None; 2] { find(down, right) } else { None }
        };
        let all = [
            north,
            south,
            west,
            east,
            diagonal([north, west], -1, -1),
            diagonal([north, east], -1, 1),
            diagonal([south, west], 1, -1),
            diagonal([south, east], 1, 1),
        ];
        all.into_iter().flatten().collect()
    }

    fn find(&self, row: i64, col: i64) -> Option<u32> {
        let key = |pixel: &SkeletonPixel| (i64::from(pixel.row), i64::from(pixel.col));
        self.pixels.binary_search_by_key(&(row, col), key).ok().map(|at| at as u32)
    }
}
