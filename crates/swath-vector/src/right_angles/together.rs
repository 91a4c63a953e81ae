//! Regions of a coverage with right angles, in groups that touch.

mod check;
mod solve;

use std::collections::HashMap;

use super::Regularity;
use super::near::Near;
use super::network::Network;
use super::sides::Sides;
use crate::{Corner, Coverage, Lines, Ring};

/// How right angles are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RightAngleMethod {
    /// Walls are fitted in the directions of a building: see [`square`](crate::square).
    #[default]
    Walls,
    /// A triangle mesh over the group's label map is made coarser, after Tasar et al. 2018. What is refused is tried with smaller distances, and
    /// then stays as it is. Groups of which nothing would change get walls, and so do those of which walls leave fewer regions as they were, and
    /// those whose box has more than four million pixels.
    Mesh,
}

/// Which regions get right angles, and how.
pub struct RightAngles<'a> {
    /// How they are found.
    pub method: RightAngleMethod,
    /// How far walls of regions of a label may move, in metres; `None` for those that stay.
    pub tolerance: &'a dyn Fn(u32) -> Option<f64>,
    /// Width and height of a pixel in metres at a corner.
    pub pixel: &'a dyn Fn(Corner) -> (f64, f64),
}

/// The regions of a coverage that are to get right angles, with their outlines as they were when this was made.
#[derive(Debug)]
pub struct Groups {
    method: RightAngleMethod,
    networks: Vec<Network>,
    /// Regions of groups that are too large.
    large: Vec<usize>,
    /// Other arcs that end at corners of the groups, `true` for their last point.
    attached: HashMap<Corner, Vec<(usize, bool)>>,
}

impl Groups {
    /// Gathers regions that touch, by an arc or a corner; their outlines are remembered, so that the coverage may be simplified after.
    pub fn new(coverage: &Coverage, options: &RightAngles<'_>) -> Groups {
        let tolerances: Vec<Option<f64>> =
            coverage.regions().iter().map(|region| (options.tolerance)(region.label)).collect();
        let mut groups = Gathered((0..coverage.regions().len()).collect());
        let mut seen: HashMap<(bool, u64), usize> = HashMap::new();
        let mut corners: HashMap<Corner, Vec<(usize, bool)>> = HashMap::new();
        for region in (0..tolerances.len()).filter(|&region| tolerances[region].is_some()) {
            for half in coverage.rings(region).flat_map(Ring::arcs) {
                let arc = coverage.arc_at(half.arc as usize);
                let ends = [arc.corners[0], arc.corners[arc.corners.len() - 1]];
                let key = |corner: Corner| (true, u64::from(corner.row) << 32 | u64::from(corner.col));
                let keys = if arc.ring { vec![(false, half.arc)] } else { ends.map(key).to_vec() };
                for key in keys {
                    groups.join(region, *seen.entry(key).or_insert(region));
                }
                if !arc.ring {
                    for corner in ends {
                        corners.entry(corner).or_default();
                    }
                }
            }
        }
        for (number, arc) in coverage.arcs().enumerate().filter(|(_, arc)| !arc.ring) {
            let squared = [arc.left, arc.right].into_iter().flatten().any(|id| tolerances[id as usize].is_some());
            if !squared && !arc.corners.is_empty() {
                for (corner, last) in [(arc.corners[0], false), (arc.corners[arc.corners.len() - 1], true)] {
                    if let Some(attached) = corners.get_mut(&corner) {
                        attached.push((number, last));
                    }
                }
            }
        }
        corners.retain(|_, attached| !attached.is_empty());
        let mut together: HashMap<usize, Vec<usize>> = HashMap::new();
        for region in (0..tolerances.len()).filter(|&region| tolerances[region].is_some()) {
            together.entry(groups.root(region)).or_default().push(region);
        }
        let mut together: Vec<Vec<usize>> = together.into_values().collect();
        together.sort_unstable();
        let sides = Sides::of(coverage);
        let (mut networks, mut large) = (Vec::new(), Vec::new());
        for regions in together {
            let arcs = regions.iter().flat_map(|&region| coverage.rings(region)).flat_map(Ring::arcs);
            if arcs.map(|half| coverage.arc_at(half.arc as usize).corners.len()).sum::<usize>() > LARGEST {
                large.extend(regions);
                continue;
            }
            let first = coverage.rings(regions[0]).flat_map(Ring::arcs).next().map_or(0, |half| half.arc as usize);
            let tolerance = regions.iter().filter_map(|&region| tolerances[region]).fold(f64::INFINITY, f64::min);
            let pixel = (options.pixel)(coverage.arc_at(first).corners[0]);
            networks.push(Network::new(coverage, &regions, sides, pixel, tolerance));
        }
        Groups { method: options.method, networks, large, attached: corners }
    }

    /// Gives the regions right angles where that is possible, and says of each, by its place in the coverage, what became of it.
    ///
    /// The lines of neighbours change with them, so that whatever tiled the plane still does.
    pub fn square(&self, lines: &mut Lines<'_>) -> Vec<(usize, Regularity)> {
        let boxes = self.networks.iter().map(|network| check::around(network, lines));
        let mut near = Near::new(lines, boxes);
        let mut done: Vec<(usize, Regularity)> =
            self.large.iter().map(|&region| (region, Regularity::Kept("kept: too many neighbours"))).collect();
        for network in &self.networks {
            let (drawing, regularity) = self.solve(network, lines, &near);
            for (arc, points) in drawing {
                lines.change(arc, points);
                near.changed(lines, arc);
            }
            done.extend(network.members.iter().zip(regularity).map(|(member, regularity)| (member.region, regularity)));
        }
        done.sort_unstable_by_key(|&(region, _)| region);
        done
    }
}

/// Union-find.
struct Gathered(Vec<usize>);

impl Gathered {
    fn root(&mut self, mut at: usize) -> usize {
        while self.0[at] != at {
            self.0[at] = self.0[self.0[at]];
            at = self.0[at];
        }
        at
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        self.0[a.max(b)] = a.min(b);
    }
}

/// Corners of a group at most: what a block of houses has a hundred times over, and a land cover map of all classes does not.
const LARGEST: usize = 1 << 20;
