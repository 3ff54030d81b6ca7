//! Tokens of Azure Attestation.

mod deviations;
mod samples;
