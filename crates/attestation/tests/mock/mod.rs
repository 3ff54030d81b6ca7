//! Vendors of our own: for each kind, evidence and what vouches for it, accepted unless somebody changes a part. The verifier
//! is the one that ships; only the roots differ.
//!
//! Tests of other crates use it too (`#[path]`), so nothing here knows where in a crate it stands.

pub mod amd;
pub mod azure;
pub mod cca;
pub mod cose;
pub mod der;
pub mod intel;
pub mod maa;
pub mod nitro;
pub mod tpm;
pub mod vbs;
pub mod vectors;
