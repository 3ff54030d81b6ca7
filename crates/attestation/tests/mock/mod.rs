//! What the mock hierarchies are made with, and where recorded evidence is.

pub mod cose;
pub mod der;
pub mod tpm;
pub mod vectors;
