//! How far a map can be trusted, and how large its classes really are: a sample to interpret, and what it says.
//!
//! [`design`] draws a stratified random sample from a map and writes it for interpreters; [`assess`] takes it back with their
//! findings. The mathematics is [`swath_vector::accuracy`].

mod columns;
mod csv;
mod design;
mod estimate;
#[cfg(test)]
mod file_tests;
mod interpreted;
mod table;

pub use csv::csv;
pub use design::{DesignSpec, DesignSummary, PlannedClass, SampleSize, design};
pub use estimate::{AssessSpec, AssessedCell, AssessedClass, Assessment, Interval, assess};
pub use table::{design_table, table};
