//! `unet_plus_plus`: U-Net with nested, dense connections between encoder and decoder.
//!
//! Zhou, Siddiquee, Tajbakhsh, Liang: *UNet++: Redesigning Skip Connections to Exploit Multiscale Features in Image
//! Segmentation*. IEEE Transactions on Medical Imaging 39 (6), 2020. <https://arxiv.org/abs/1912.05074>
//!
//! At each of the encoder's strides stands a row of nodes: the first takes the encoder's features, each further one what the
//! row before it at the next coarser stride gives, upsampled, and everything that stands left of it. A node convolves twice. The
//! last node of each row together are the U-Net's decoder. On `resnet` with `upsampling = "nearest"` and
//! `channels = [256, 128, 64, 32, 16]` it is the `UnetPlusPlus` of segmentation_models.pytorch (with `[model.head] kernel = 3`),
//! whose last step has no features to join.
//!
//! `deep_supervision` gives each node of the finest row a head of its own, and trains all of them. Prediction takes the mean of
//! their logits; the paper takes the mean of their scores in its accurate mode. There is no pruned mode.

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};
use serde::{Deserialize, Serialize};

use super::Output;
use crate::block::{DoubleConv, DoubleConvConfig, Padding, Upsample, UpsampleConfig, Upsampling};
use crate::encoder::Features;
use crate::family::{FamilyError, Level};
use crate::ops;

/// Options of `[model.decoder.unet_plus_plus]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UnetPlusPlusConfig {
    /// Channels of the last node of each row, coarsest row first, then those of steps beyond the encoder's finest level. By
    /// default the encoder's at each stride, and no further steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channels: Option<Vec<usize>>,
    /// How the resolution is doubled.
    pub upsampling: Upsampling,
    /// Batch normalization after each convolution.
    pub batch_norm: bool,
    /// Whether all nodes of the finest row are trained to segment.
    pub deep_supervision: bool,
}

impl Default for UnetPlusPlusConfig {
    fn default() -> Self {
        Self { channels: None, upsampling: Upsampling::Transposed, batch_norm: true, deep_supervision: false }
    }
}

impl UnetPlusPlusConfig {
    /// See [`DecoderConfig::output_stride`](super::DecoderConfig::output_stride): any.
    pub fn output_stride(&self) -> Option<usize> {
        None
    }

    /// See [`DecoderConfig::needs_indices`](super::DecoderConfig::needs_indices): for max-unpooling.
    pub fn needs_indices(&self) -> bool {
        self.upsampling == Upsampling::MaxUnpooling
    }

    /// See [`DecoderConfig::out`](super::DecoderConfig::out).
    ///
    /// # Errors
    /// When the encoder's levels do not follow each other by halves or have no indices for max-unpooling, and when `channels`
    /// does not fit them or the supervision.
    pub fn out(&self, levels: &[Level], _classes: usize) -> Result<Output, FamilyError> {
        let path = path(levels);
        let rows = path.len().saturating_sub(1);
        if rows == 0 {
            return Err(FamilyError::Pair {
                decoder: "unet_plus_plus",
                reason: format!("it doubles the resolution, and the encoder has strides {}", Level::strides(levels)),
                nearest: "encoder `plain`".into(),
            });
        }
        let coarsest = Level::coarsest(levels);
        let channels = self.channels(levels);
        let refuse = |reason: String, nearest: &[usize]| FamilyError::Option {
            member: "decoder unet_plus_plus",
            option: "channels",
            value: format!("{channels:?}"),
            reason,
            nearest: format!("`channels = {nearest:?}`"),
        };
        let most = coarsest.ilog2() as usize;
        let own: Vec<usize> = path[1..].iter().map(|&level| levels[level].channels).collect();
        if channels.len() < rows {
            let reason = format!("the encoder's strides {} make {rows} rows", Level::strides(levels));
            return Err(refuse(reason, &[&channels, &own[channels.len()..]].concat()));
        }
        if channels.len() > most {
            let reason = format!("{most} doublings lead from the encoder's stride {coarsest} to stride 1");
            return Err(refuse(reason, &channels[..most]));
        }
        if channels.contains(&0) {
            let nearest: Vec<usize> = channels.iter().map(|&channels| channels.max(1)).collect();
            return Err(refuse("every node has at least one channel".into(), &nearest));
        }
        if self.deep_supervision && (channels.len() > rows || channels[rows - 1] != own[rows - 1]) {
            let reason =
                "with `deep_supervision` the finest row is the last, and all its nodes have the encoder's channels";
            return Err(refuse(reason.into(), &[&channels[..rows - 1], &own[rows - 1..]].concat()));
        }
        let stride = coarsest >> channels.len();
        self.upsampling.check("unet_plus_plus", levels, stride)?;
        let level = Level::new(channels[channels.len() - 1], stride);
        match self.deep_supervision {
            true => Ok(Output::Several { level, count: rows }),
            false => Ok(Output::Features(level)),
        }
    }

    /// Makes the decoder for an encoder's levels, which [`out`](Self::out) has accepted.
    pub fn init(&self, levels: &[Level], _classes: usize, device: &Device) -> UnetPlusPlus {
        let path = path(levels);
        let channels = self.channels(levels);
        let own = |row: usize| path.get(row).map_or(0, |&level| levels[level].channels);
        // Of the node in a row that starts from the encoder's level `depth`.
        let made = |row: usize, depth: usize| if depth == 0 { channels[row] } else { own(row + 1) };
        let node = |row: usize, depth: usize| {
            let from = if row == depth { own(row) } else { made(row - 1, depth) };
            // Features of the encoder, and what the nodes left of this one make.
            let joined: usize = own(row + 1) + (depth + 1..=row).map(|depth| made(row, depth)).sum::<usize>();
            self.node(from, joined, own(row + 1), made(row, depth), device)
        };
        let rows = path.len().saturating_sub(1);
        let further = |row: usize| self.node(channels[row - 1], 0, 0, channels[row], device);
        UnetPlusPlus {
            rows: (0..rows).map(|row| (0..=row).map(|depth| node(row, depth)).collect()).collect(),
            further: (rows..channels.len()).map(further).collect(),
            path,
            supervised: self.deep_supervision,
        }
    }

    fn node(&self, channels_in: usize, joined: usize, indexed: usize, channels_out: usize, device: &Device) -> Node {
        let learned = channels_out;
        let up = UpsampleConfig { upsampling: self.upsampling, channels_in, learned, indexed, kernel: 2 };
        let convs = DoubleConvConfig {
            channels_in: up.channels() + joined,
            channels_out,
            batch_norm: self.batch_norm,
            padding: Padding::Same,
        };
        Node { up: up.init(device), convs: convs.init(device) }
    }

    fn channels(&self, levels: &[Level]) -> Vec<usize> {
        let own = || path(levels).into_iter().skip(1).map(|level| levels[level].channels).collect();
        self.channels.clone().unwrap_or_else(own)
    }
}

/// The levels from the coarsest by halves, for as long as the encoder has them.
fn path(levels: &[Level]) -> Vec<usize> {
    let halves = std::iter::successors(Some(Level::coarsest(levels)), |stride| Some(stride / 2));
    halves.map_while(|stride| Level::find(levels, stride)).collect()
}

/// UNet++'s decoder.
#[derive(Module, Debug)]
pub struct UnetPlusPlus {
    /// Coarsest row first, and in it the node first that starts from the encoder's coarsest features, which is the row's last.
    rows: Vec<Vec<Node>>,
    /// Steps beyond the encoder's finest level.
    further: Vec<Node>,
    /// The encoder's levels, coarsest first.
    path: Vec<usize>,
    supervised: bool,
}

/// Upsampling, joining, convolutions.
#[derive(Module, Debug)]
struct Node {
    up: Upsample,
    convs: DoubleConv,
}

impl UnetPlusPlus {
    /// See [`Decoder::forward`](super::Decoder::forward).
    ///
    /// # Shapes
    /// - `features`: those of the levels given to `init`
    /// - output: `[batch, channels, H / stride, W / stride]` of the last step; with deep supervision those of all nodes of the
    ///   finest row, the last one last
    pub fn forward(&self, features: Features) -> Tensor<4> {
        let Features { maps, indices } = features;
        let mut maps: Vec<Option<Tensor<4>>> = maps.into_iter().map(Some).collect();
        let mut take = |level: usize| maps[level].take().expect("one feature map for each level");
        // What each chain of nodes has come to, by the encoder's level that it starts from.
        let mut chains = vec![Some(take(self.path[0]))];
        let (mut finest, last) = (Vec::new(), self.rows.len() - 1);
        for (row, nodes) in self.rows.iter().enumerate() {
            let level = self.path[row + 1];
            let [own, mut left] = ops::fork(take(level));
            // From the first of the row to its last: each takes over from the row before, and joins all left of it.
            for (depth, node) in nodes.iter().enumerate().rev() {
                let [joined, rest] = ops::fork(left);
                let x = chains[depth].take().expect("each node takes over from the row before");
                let [chain, x] = ops::fork(node.forward(x, Some(joined), indices[level].clone()));
                let [supervised, x] = ops::fork(x);
                chains[depth] = Some(chain);
                if row == last && self.supervised {
                    finest.push(supervised);
                }
                left = if depth > 0 { ops::concat(x, rest) } else { rest };
            }
            chains.push(Some(own));
        }
        if self.supervised {
            return ops::concat_all(finest);
        }
        let x = chains.swap_remove(0).expect("the finest row ends with this chain");
        self.further.iter().fold(x, |x, node| node.forward(x, None, None))
    }
}

impl Node {
    fn forward(&self, x: Tensor<4>, joined: Option<Tensor<4>>, indices: Option<Tensor<4, Int>>) -> Tensor<4> {
        let x = self.up.forward(x, indices);
        self.convs.forward(match joined {
            Some(joined) => ops::concat(x, joined),
            None => x,
        })
    }
}
