//! Accuracy and area of a map from a stratified random sample of its pixels.
//!
//! [`sample_size`] and [`allocate`] say how many pixels of which stratum to interpret; [`estimate`] turns what the interpreters
//! saw into accuracies and areas with confidence intervals. One estimator serves both kinds of strata:
//!
//! - P. Olofsson, G. M. Foody, S. V. Stehman, C. E. Woodcock, *Making better use of accuracy data in land change studies*,
//!   Remote Sensing of Environment 129 (2013), and P. Olofsson et al., *Good practices for estimating area and assessing
//!   accuracy of land change*, Remote Sensing of Environment 148 (2014): the strata are the classes of the map.
//! - S. V. Stehman, *Estimating area and map accuracy for stratified random sampling when the strata are different from the
//!   map classes*, International Journal of Remote Sensing 35 (2014): they are anything else, such as an older map.
//!
//! Every quantity is Stehman's ratio of two estimated totals. Where the strata are the map's classes, his variance without
//! the finite population correction is that of Olofsson's formulas, term by term. What differs from the papers: units may
//! have areas of their own (pixels of a geographic grid), which enter both totals.

mod allocate;
mod estimate;
mod normal;
#[cfg(test)]
mod published;
mod ratio;
mod sample;

pub use allocate::{PlannedStratum, allocate, sample_size};
pub use estimate::{Cell, ClassEstimates, Estimates, estimate};
pub use normal::z_score;
pub use ratio::Estimate;
pub use sample::{Sample, Stratum, Unit};
