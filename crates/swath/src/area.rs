//! Areas of classes on the ground: of one map, by zone, or over time.

mod chart;
mod columns;
mod count;
mod dates;
#[cfg(test)]
mod file_tests;
mod files;
mod places;
mod stack;
mod table;
mod tally;

pub use chart::chart;
pub(crate) use count::without_area;
pub use count::{AreaRow, AreaSpec, AreaTable, ZoneSource, areas};
pub use dates::{MapDate, Period};
pub use files::{check_table_name, write_table};
pub use table::table;
pub use tally::{ClassTally, tally};
