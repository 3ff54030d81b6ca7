//! Arm CCA.

pub mod deviations;
mod samples;
