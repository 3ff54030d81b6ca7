//! AWS Nitro Enclaves.

mod deviations;
mod samples;
