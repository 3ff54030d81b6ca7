//! vTPM evidence of Azure's confidential VMs.

pub mod deviations;
pub mod mutations;
mod samples;
