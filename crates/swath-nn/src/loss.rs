//! Losses: what training minimizes, as a weighted sum of terms.
//!
//! Adding a term is a file beside this one with a function of `Batch`, a variant of [`Term`] and
//! one line in [`Loss::forward`]. Networks that draw outlines have a loss of their own, [`corner_distance`].

mod batch;
mod config;
mod corners;
mod cross_entropy;
mod soft_iou;

use burn::tensor::{Int, Tensor};

use batch::Batch;
pub use config::{CrossEntropyConfig, LossConfig, LossError, SoftIouConfig, Term};
pub use corners::corner_distance;

/// A loss, ready to be computed.
#[derive(Debug, Clone)]
pub struct Loss {
    terms: Vec<Term>,
    classes: usize,
}

impl LossConfig {
    /// The loss for labels of so many classes.
    ///
    /// # Errors
    ///
    /// As [`LossConfig::check`].
    pub fn init(&self, classes: usize) -> Result<Loss, LossError> {
        self.check(classes)?;
        Ok(Loss { terms: self.terms.clone(), classes })
    }
}

impl Loss {
    /// The mean of the losses of all outputs of a network with deep supervision, and the loss of any other.
    ///
    /// # Shapes
    /// As [`forward`](Self::forward), for each output.
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward), and when there is no output.
    pub fn forward_each(&self, outputs: Vec<Tensor<4>>, labels: Tensor<3, Int>) -> Tensor<1> {
        let count = outputs.len() as f32;
        let losses = outputs.into_iter().map(|logits| self.forward(logits, labels.clone()));
        losses.reduce(Tensor::add).expect("a network has an output").div_scalar(count)
    }

    /// The loss of a batch. Labels that are no class (below 0, or the number of classes and more) are ignored;
    /// where all are, the loss and its gradients are 0.
    ///
    /// # Shapes
    /// - logits: `[batch, class, height, width]`, before softmax
    /// - labels: `[batch, height, width]`
    /// - output: `[1]`
    ///
    /// # Panics
    ///
    /// When the shapes do not fit each other or the number of classes.
    pub fn forward(&self, logits: Tensor<4>, labels: Tensor<3, Int>) -> Tensor<1> {
        let [n, classes, h, w] = logits.dims();
        assert_eq!(classes, self.classes, "the loss is for {} classes, the logits have {classes}", self.classes);
        assert_eq!(labels.dims(), [n, h, w], "labels must be [batch, height, width] of the logits");
        let batch = Batch::new(logits, labels);
        let term = |term: &Term| match term {
            Term::CrossEntropy(config) => cross_entropy::forward(config, &batch).mul_scalar(config.weight),
            Term::SoftIou(config) => soft_iou::forward(&batch).mul_scalar(config.weight),
        };
        let zero = Tensor::zeros([1], &batch.log_scores.device());
        self.terms.iter().map(term).fold(zero, Tensor::add)
    }
}
