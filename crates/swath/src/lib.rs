//! Scene in, map out: training, prediction and evaluation of segmentation networks.
