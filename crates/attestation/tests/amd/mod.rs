//! SEV-SNP.

pub mod deviations;
pub mod mock;
mod samples;
