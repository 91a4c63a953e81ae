//! Right angles by a mesh, after O. Tasar, E. Maggiori, P. Alliez and Y. Tarabalka, *Polygonization of binary classification maps using mesh
//! approximation with right angle regularity*, IGARSS 2018.
//!
//! The label map of a group of regions becomes a triangle mesh, a lattice of two triangles for each pixel, in which every triangle has a label.
//! Local operators change the mesh as long as an energy falls: the area in which the mesh has another label than the map (the l1 norm), a price
//! for each vertex of the boundaries, and a price for each of their corners that is neither right nor straight. A change that would turn a triangle
//! over is refused, so that labels tile the plane at any time and topology stays.
//!
//! What differs: any number of labels instead of two; vertices within a label go first, as they cost nothing; an edge is collapsed by taking a
//! vertex out and triangulating what it leaves, which includes the flips; walls turn and shift as a whole in addition to vertices that move
//! one by one; the price of slanted corners is nothing while the pixels' stairs go, all of whose corners are right, and grows then. The
//! weights are this crate's own, told in tolerances.

mod energy;
mod optimize;
mod triangles;

use super::layout::Layout;
use super::network::Network;
use energy::Energy;
use optimize::Boundary;
use triangles::Triangles;

/// New lines for a network; `None` when its box has more than [`LARGEST`] pixels.
pub(super) fn fit_mesh(network: &Network) -> Option<Layout> {
    let window = network.window(MARGIN);
    if window.width.checked_mul(window.height).is_none_or(|pixels| pixels > LARGEST) {
        return None;
    }
    let labels = network.labels(&window);
    let mut mesh = Triangles::lattice(&window, &labels);
    let mut boundary = Boundary::new(network, &window);
    mesh.drop_inner(&window, |vertex| boundary.has(vertex));
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
/// Pixels of a group's box at most: its lattice takes some 200 bytes for each.
const LARGEST: usize = 1 << 20;
/// Price of a vertex, in squares of the tolerance.
const VERTEX: f64 = 4.0;
/// Prices of a corner between right and straight, one after the other, in squares of the tolerance.
const SLANTS: [f64; 4] = [0.0, 1.0, 4.0, 16.0];
