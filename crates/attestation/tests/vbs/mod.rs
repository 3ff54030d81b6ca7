//! Reports of Windows enclaves. All of them are synthetic: no public sample exists.

mod samples;
pub mod synthetic;
