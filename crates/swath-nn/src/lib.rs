//! Segmentation networks and losses on Burn, without a backend.
