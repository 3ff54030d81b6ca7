//! vTPM evidence of Azure's confidential VMs.

mod deviations;
mod samples;
