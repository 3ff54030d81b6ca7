//! `coco governance`: how a network came to be as it is.

pub mod log;
