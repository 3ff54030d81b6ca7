//! SEV-SNP: recorded evidence, and evidence of a test hierarchy with one thing wrong at a time.

#[path = "amd/samples.rs"]
mod samples;
#[path = "amd/vectors.rs"]
mod vectors;
