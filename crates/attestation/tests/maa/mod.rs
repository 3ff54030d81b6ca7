//! Tokens of Azure Attestation.

pub mod deviations;
mod samples;
