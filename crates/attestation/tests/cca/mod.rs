//! Arm CCA.

mod deviations;
mod samples;
