//! AWS Nitro Enclaves.

pub mod deviations;
mod samples;
