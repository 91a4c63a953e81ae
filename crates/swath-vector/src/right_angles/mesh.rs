//! Right angles by a mesh, after O. Tasar, E. Maggiori, P. Alliez and Y. Tarabalka, *Polygonization of binary classification maps using mesh
//! approximation with right angle regularity*, IGARSS 2018.
//!
//! The label map of a group of regions becomes a triangle mesh between all corners of pixels on boundaries, in which every triangle has a label.
//! Local operators change the mesh as long as an energy falls: the area in which the mesh has another label than the map (the l1 norm), a price
//! for each vertex of the boundaries, and a price for each of their corners that is neither right nor straight. A change that would turn a triangle
//! over is refused, so that labels tile the plane at any time and topology stays.
//!
//! What differs: any number of labels instead of two; there are no vertices within a label, as they would go first: the mesh begins as the Delaunay
//! triangulation of the boundaries, not as a lattice; an edge is collapsed by taking a vertex out and triangulating what it leaves, which
//! includes the flips; rings keep four vertices, as a triangle may be cheaper than a small square and no move leads back from it; walls turn and
//! shift as a whole in addition to vertices that move one by one; prices may be lower for some boundaries; the price of slanted corners is nothing
//! while the pixels' stairs go, all of whose corners are right, and grows then. The weights are this crate's own, told in tolerances.

mod boundary;
mod decimate;
mod energy;
mod moves;
mod relax;
mod triangles;

use super::layout::Layout;
use super::network::Network;
use boundary::Boundary;
use energy::Energy;
use triangles::Triangles;

/// New lines for a network, whose chains move by shares of its tolerance, or stay where that is nothing; `None` when its box has more than [`LARGEST`] pixels.
pub(super) fn fit_mesh(network: &Network, shares: &[f64]) -> Option<Layout> {
    let window = network.window(MARGIN);
    if window.width.checked_mul(window.height).is_none_or(|pixels| pixels > LARGEST) {
        return None;
    }
    let labels = network.labels(&window);
    let (mut boundary, vertices) = Boundary::new(network, shares, &window);
    let mut mesh = Triangles::delaunay(&window, &labels, &vertices)?;
    let unit = network.tolerance * network.tolerance;
    let mut energy = Energy::new(&window, &labels, VERTEX * unit);
    boundary.decimate(&mut mesh, &energy);
    for slant in SLANTS {
        energy.slant = slant * unit;
        boundary.relax(&mut mesh, &energy);
    }
    Some(boundary.layout(&mesh))
}

/// Pixels around a group.
const MARGIN: u32 = 4;
/// Pixels of a group's box at most: its label map takes some 16 bytes for each.
const LARGEST: usize = 1 << 22;
/// Price of a vertex, in squares of the tolerance.
const VERTEX: f64 = 4.0;
/// Prices of a corner between right and straight, one after the other, in squares of the tolerance.
const SLANTS: [f64; 4] = [0.0, 1.0, 4.0, 16.0];
