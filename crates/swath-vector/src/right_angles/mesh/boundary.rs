//! Boundaries on the mesh.

use super::super::layout::Layout;
use super::super::network::{Chain, End, Network, Node};
use super::super::window::Window;
use super::triangles::Triangles;

/// The boundaries of a network as vertices of the mesh.
#[derive(Debug)]
pub(super) struct Boundary<'a> {
    network: &'a Network,
    pub(super) lines: Vec<Line>,
    /// The mesh's vertices of the nodes.
    nodes: Vec<u32>,
    /// How many vertices each ring of a member has.
    rings: Vec<usize>,
    /// What each vertex is; `None` for those that have gone.
    pub(super) knots: Vec<Option<Knot>>,
}

/// A chain.
#[derive(Debug)]
pub(super) struct Line {
    /// Its first and last vertex; a closed one ends where it begins.
    first: u32,
    last: u32,
    /// Next to the first and the last vertex.
    second: u32,
    before_last: u32,
    /// The rings that it is a part of.
    rings: Vec<usize>,
    pub(super) labels: [u32; 2],
    closed: bool,
    /// Whether it runs along the raster's edge and stays there.
    pub(super) edge: bool,
    /// Of the network's tolerance, how much it may be moved.
    share: f64,
}

/// What a vertex of a boundary is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Knot {
    Node(usize),
    On { line: usize, before: u32, after: u32 },
}

impl<'a> Boundary<'a> {
    /// The boundaries, which move by shares of the tolerance, and the numbers in the window of the mesh's vertices: all corners of pixels on them.
    pub(super) fn new(network: &'a Network, shares: &[f64], window: &Window) -> (Boundary<'a>, Vec<u32>) {
        let chain = |chain: &Chain| {
            let corners: Vec<_> = chain.points.iter().map(|&point| network.corner(point)).collect();
            let steps = corners.windows(2).flat_map(|pair| window.between(pair[0], pair[1]));
            std::iter::once(window.vertex(corners[0])).chain(steps).collect::<Vec<u32>>()
        };
        let mut chains: Vec<Vec<u32>> = network.chains.iter().map(chain).collect();
        let mut all: Vec<u32> = chains.iter().flatten().copied().collect();
        all.sort_unstable();
        all.dedup();
        let number = |vertex: u32| all.partition_point(|&other| other < vertex) as u32;
        let mut boundary =
            Boundary { network, lines: Vec::new(), nodes: Vec::new(), rings: Vec::new(), knots: vec![None; all.len()] };
        for (node, Node { corner, .. }) in network.nodes.iter().enumerate() {
            let vertex = number(window.vertex(*corner));
            boundary.nodes.push(vertex);
            boundary.knots[vertex as usize] = Some(Knot::Node(node));
        }
        for (line, (chain, vertices)) in network.chains.iter().zip(&mut chains).enumerate() {
            vertices.iter_mut().for_each(|vertex| *vertex = number(*vertex));
            let closed = chain.is_closed();
            let last = vertices.len() - 1;
            for at in usize::from(!closed)..last {
                let before = vertices[if at > 0 { at - 1 } else { last - 1 }];
                boundary.knots[vertices[at] as usize] = Some(Knot::On { line, before, after: vertices[at + 1] });
            }
            boundary.lines.push(Line {
                first: vertices[0],
                last: vertices[last],
                second: vertices[1],
                before_last: vertices[last - 1],
                rings: Vec::new(),
                labels: chain.sides.map(|side| side.map_or(0, |member| member as u32 + 1)),
                closed,
                edge: chain.edge,
                share: shares[line],
            });
        }
        // The last vertex of a chain is the next one's first.
        let counts: Vec<usize> = chains.iter().map(|vertices| vertices.len() - 1).collect();
        for (number, (_, chains)) in network.members.iter().flat_map(|member| &member.rings).enumerate() {
            boundary.rings.push(chains.iter().map(|&(chain, _)| counts[chain]).sum());
            chains.iter().for_each(|&(chain, _)| boundary.lines[chain].rings.push(number));
        }
        (boundary, all)
    }

    /// The vertices that are left.
    pub(super) fn vertices(&self) -> impl Iterator<Item = u32> {
        (0u32..).zip(&self.knots).filter(|(_, knot)| knot.is_some()).map(|(vertex, _)| vertex)
    }

    pub(super) fn knot(&self, vertex: u32) -> Option<Knot> {
        self.knots.get(vertex as usize).copied().flatten()
    }

    /// The lines as they are now.
    pub(super) fn layout(&self, mesh: &Triangles) -> Layout {
        let mut layout = Layout::unchanged(self.network);
        let place = |vertex: u32| mesh.places[vertex as usize];
        for (number, &vertex) in self.nodes.iter().enumerate() {
            layout.nodes[number] = place(vertex);
        }
        for (number, line) in self.lines.iter().enumerate().filter(|(_, line)| line.share > 0.0) {
            let mut points = vec![place(line.first)];
            let mut at = line.second;
            while at != line.last {
                points.push(place(at));
                let Some(Knot::On { after, .. }) = self.knot(at) else { break };
                at = after;
            }
            points.push(place(line.last));
            layout.chains[number] = Some(points);
        }
        layout
    }

    /// Takes a vertex out, if its rings and the mesh allow it; its neighbours then.
    pub(super) fn remove(&mut self, vertex: u32, mesh: &mut Triangles) -> Option<[u32; 2]> {
        let Some(Knot::On { line, before, after }) = self.knot(vertex) else { return None };
        if self.spare(vertex) == 0 || !mesh.remove(vertex) {
            return None;
        }
        self.knots[vertex as usize] = None;
        let ends = &mut self.lines[line];
        ends.rings.iter().for_each(|&ring| self.rings[ring] -= 1);
        if ends.closed && ends.first == vertex {
            (ends.first, ends.last) = (after, after);
            ends.before_last = before;
            if let Some(Some(Knot::On { after, .. })) = self.knots.get(after as usize) {
                ends.second = *after;
            }
        } else {
            ends.second = if ends.second == vertex { after } else { ends.second };
            ends.before_last = if ends.before_last == vertex { before } else { ends.before_last };
        }
        if let Some(Knot::On { after: link, .. }) = &mut self.knots[before as usize] {
            *link = after;
        }
        if let Some(Knot::On { before: link, .. }) = &mut self.knots[after as usize] {
            *link = before;
        }
        Some([before, after])
    }

    /// The vertices that a vertex has lines to, with the labels on the left and the right on the way there.
    pub(super) fn neighbours(&self, vertex: u32) -> Vec<(u32, [u32; 2])> {
        let turned = |[left, right]: [u32; 2]| [right, left];
        match self.knot(vertex) {
            None => Vec::new(),
            Some(Knot::On { line, before, after }) => {
                let labels = self.lines[line].labels;
                vec![(before, turned(labels)), (after, labels)]
            }
            Some(Knot::Node(node)) => {
                let ends = self.network.nodes[node].ends.iter();
                let end = |end: &End| {
                    let line = &self.lines[end.chain];
                    if end.last { (line.before_last, turned(line.labels)) } else { (line.second, line.labels) }
                };
                ends.map(end).collect()
            }
        }
    }

    /// The share of the tolerance by which a vertex may move.
    fn share(&self, vertex: u32) -> f64 {
        match self.knot(vertex) {
            None => 1.0,
            Some(Knot::On { line, .. }) => self.lines[line].share,
            Some(Knot::Node(node)) => {
                let ends = self.network.nodes[node].ends.iter();
                ends.map(|end| self.lines[end.chain].share).fold(1.0, f64::min)
            }
        }
    }

    /// Metres that moves of a vertex are measured in.
    pub(super) fn tolerance(&self, vertex: u32) -> f64 {
        self.network.tolerance * self.share(vertex)
    }

    /// How much of the prices holds for a vertex.
    pub(super) fn weight(&self, vertex: u32) -> f64 {
        self.share(vertex) * self.share(vertex)
    }

    /// How many vertices the line of a vertex may lose: a ring with right angles has four corners.
    pub(super) fn spare(&self, vertex: u32) -> usize {
        let Some(Knot::On { line, .. }) = self.knot(vertex) else { return 0 };
        let rings = self.lines[line].rings.iter();
        rings.map(|&ring| self.rings[ring].saturating_sub(CORNERS)).min().unwrap_or(0)
    }

    /// Whether a line has to stay as it is.
    pub(super) fn stays(&self, line: usize) -> bool {
        self.lines[line].share == 0.0
    }

    /// Whether a vertex may move: none does that is on the raster's edge, or on a line that stays.
    pub(super) fn is_free(&self, vertex: u32) -> bool {
        match self.knot(vertex) {
            None => false,
            Some(Knot::On { line, .. }) => !self.lines[line].edge && !self.stays(line),
            Some(Knot::Node(node)) => {
                let mut ends = self.network.nodes[node].ends.iter();
                ends.all(|end| !self.lines[end.chain].edge && !self.stays(end.chain))
            }
        }
    }
}

/// Vertices that a ring has at least.
const CORNERS: usize = 4;
