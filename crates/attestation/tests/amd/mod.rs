//! SEV-SNP.

pub mod deviations;
mod samples;
