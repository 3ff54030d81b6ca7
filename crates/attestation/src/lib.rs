//! Evidence of a trusted execution environment (TEE) in, a verdict out.
//!
//! ```text
//!  evidence      ─┐                                         policy  ─┐
//!  endorsements  ─┤   generic verification                  binding ─┤   policy
//!  roots         ─┼──▶ chain, signatures, revocation,  ──▶  Claims  ─┼──▶ code, TCB, status,  ──▶ accepted, or a Refusal
//!  now           ─┘   TCB as certified                               ┘    report data, debug
//! ```
//!
//! The first half knows formats and vendors and no wishes; the second decides on [`Claims`] alone. Both are pure: no network,
//! clock or file. Roots and `now` (seconds since 1970) are arguments, because recorded endorsements are past their dates and
//! an auditor verifies at the time that the ledger recorded.
//!
//! A refusal is one [`Code`] out of one table: the order of checks is fixed, so the same input gives the same code everywhere.
//!
//! What is promised about changed evidence: **no accepted mutation changes a claim.** Foreign formats have bytes that nobody
//! signs, so [`Claims::evidence`] (the hash of the exact bytes) says what was looked at, and is never a key against replay.
//!
//! Adding a platform is adding a folder with a `verify` and a `policy`, a line in [`Kind`] and one in [`policy()`].
//!
//! | folder | evidence |
//! |---|---|
//! | [`intel`] | SGX and TDX quotes (DCAP) with their collateral |
//! | [`amd`] | SEV-SNP reports, UVM endorsements |
//! | [`nitro`] | AWS Nitro documents |
//! | [`cca`] | Arm CCA tokens |
//! | [`azure`] | vTPM evidence of Azure's confidential VMs |
//! | [`maa`] | tokens of Azure Attestation |
//! | [`vbs`] | reports of Windows enclaves |
//! | [`virtual_tee`] | statements of a node without hardware: for development, and only where a policy says so |
//!
//! Beside it, [`gather`] asks the platform that the process runs on for such evidence, [`fetch`] says what else has to be had so that it is
//! believed, and [`ra_tls`] reads certificates that carry it.
#![deny(unsafe_code)]

pub mod amd;
pub mod azure;
mod binding;
pub mod cca;
mod claims;
mod code;
pub mod fetch;
mod formats;
pub mod gather;
pub mod intel;
pub mod json;
mod kind;
pub mod limits;
pub mod maa;
pub mod nitro;
mod policy;
mod presented;
pub mod ra_tls;
mod reader;
mod status;
pub mod vbs;
pub mod virtual_tee;

pub use binding::{Binding, Statement};
pub use claims::{Bytes, Claims, Value};
pub use code::{Blame, Code, Refusal};
pub use kind::Kind;
pub use policy::{CodeEntry, Policy, policy};
pub use presented::{Endorsements, Presented, Roots};
pub use reader::Reader;
pub use status::Status;
