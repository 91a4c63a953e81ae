//! Which values lie within wider ones.
//!
//! What is concatenated need not be moved when it is computed in its place: as some channels of the concatenation, from a
//! multiple of 16 on. An operation cannot write into an image that it reads other channels of, so
//! such a value keeps a place of its own and is copied.

use swath_kernels::Layout;

use super::graph::{Graph, Node, Op, Size, Value};

/// Channels lie in vectors of this many.
const VECTOR: usize = 16;

/// Where each value lies.
pub(super) struct Placement {
    /// By value: the concatenation that it lies in, and from which channel on.
    within: Vec<Option<(Value, usize)>>,
}

/// Some channels of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The image that is a place of its own.
    pub(super) root: Value,
    /// Its first channel of these.
    pub(super) channel: usize,
}

impl Placement {
    /// Places as many parts of concatenations as possible within them.
    pub(super) fn new(graph: &Graph) -> Placement {
        let mut placement = Placement { within: vec![None; graph.kinds.len()] };
        for node in concatenations(graph) {
            let whole = node.outputs[0];
            for (channel, part) in parts(graph, node) {
                let once = node.inputs.iter().filter(|input| **input == part).count() == 1;
                if placement.within[part.0].is_none() && channel.is_multiple_of(VECTOR) && once {
                    placement.within[part.0] = Some((whole, channel));
                    if !placement.is_possible(graph) {
                        placement.within[part.0] = None;
                    }
                }
            }
        }
        placement
    }

    /// Where a value lies.
    pub(super) fn place(&self, value: Value) -> Place {
        match self.within[value.0] {
            None => Place { root: value, channel: 0 },
            Some((whole, channel)) => {
                let place = self.place(whole);
                Place { channel: place.channel + channel, ..place }
            }
        }
    }

    /// The layout of an image in its place.
    pub(super) fn layout(&self, graph: &Graph, value: Value) -> Layout {
        let root = layout(graph.size(self.place(value).root));
        layout(graph.size(value)).within(root.pixel)
    }

    /// The parts of a concatenation that have to be copied, and the channel that each goes to.
    pub(super) fn copied(&self, graph: &Graph, node: &Node) -> Vec<(usize, Value)> {
        let whole = node.outputs[0];
        parts(graph, node).filter(|(channel, part)| self.within[part.0] != Some((whole, *channel))).collect()
    }

    /// Whether nothing reads and writes channels of the same image.
    fn is_possible(&self, graph: &Graph) -> bool {
        graph.nodes.iter().all(|node| {
            let reads: Vec<Value> = match node.op {
                Op::Concatenate => self.copied(graph, node).into_iter().map(|(_, part)| part).collect(),
                _ => node.inputs.clone(),
            };
            let root = |value: &Value| self.place(*value).root;
            reads.iter().all(|input| node.outputs.iter().all(|output| root(input) != root(output)))
        })
    }
}

/// Images of a size by themselves.
pub(super) fn layout(size: Size) -> Layout {
    Layout::new(1, size.height, size.width, size.channels)
}

fn concatenations(graph: &Graph) -> impl Iterator<Item = &Node> {
    graph.nodes.iter().filter(|node| matches!(node.op, Op::Concatenate))
}

/// The inputs of a concatenation, each with its first channel in the output.
fn parts<'a>(graph: &'a Graph, node: &'a Node) -> impl Iterator<Item = (usize, Value)> + 'a {
    node.inputs.iter().scan(0, |channel, input| {
        let first = *channel;
        *channel += graph.size(*input).channels;
        Some((first, *input))
    })
}
