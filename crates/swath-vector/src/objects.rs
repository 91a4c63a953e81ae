//! How well polygons find objects and draw their outlines.
//!
//! Objects are matched one to one by intersection over union. Counts and average precision follow T.-Y. Lin et al., *Microsoft
//! COCO: common objects in context*, ECCV 2014 (precision interpolated at 101 recalls); PoLiS is that of J. Avbelj, R. Müller,
//! R. Bamler, *A metric for polygon comparison and building extraction evaluation*, IEEE Geoscience and Remote Sensing Letters 12
//! (2015); C-IoU that of S. Zorzi et al., *PolyWorld*, CVPR 2022; shares of vertices within a distance are those of N. Girard et
//! al., *Aligning and updating cadaster maps with aerial images by multi-task, multi-resolution deep learning*, ACCV 2018. What
//! differs: a layer is one image, without a limit on its number of objects, and overlaps are exact instead of counted in pixels.

mod outline;
mod overlap;
mod precision;

pub use outline::{c_iou, polis, vertex_count, vertex_distances};
pub use overlap::{Overlaps, Pair};
pub use precision::average_precision;
