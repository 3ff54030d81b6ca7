//! vTPM evidence of Azure's confidential VMs.

pub mod deviations;
mod samples;
