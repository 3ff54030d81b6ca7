//! SEV-SNP.

mod deviations;
pub mod mock;
mod samples;
