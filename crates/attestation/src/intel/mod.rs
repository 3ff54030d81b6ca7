//! Intel SGX and TDX: DCAP quotes, version 3 (SGX), 4 and 5 (TDX), with the collateral that Intel signs.
//!
//! ```text
//!   Intel SGX Root CA (pinned key)
//!    ├── Platform or Processor CA ── PCK certificate ── signs the quoting enclave's report
//!    │     └── revocation list                            └── its hash names the attestation key ── signs the quote
//!    ├── TCB signer ── TCB info, QE identity
//!    └── revocation list
//! ```
//!
//! [`verify()`] walks all of it in an order of its own that makes a refusal one code, and then asks a second, independent
//! verifier (`dcap-qvl`) the same question: what the two do not agree on is refused. That one reads every structure with a
//! parser of its own, so a mistake must be made twice to let a forged quote pass.
//!
//! Claims: measurements "mrenclave", "mrsigner", "isvprodid" (2 bytes, big-endian; SGX) or "mrtd", "rtmr0" to "rtmr3", "mrseam", "mrsignerseam", "mrowner",
//! "mrownerconfig" (TDX); host data is CONFIGID or MRCONFIGID; `platform` is the FMSPC; `tcb` has "sgx-01" to "sgx-16",
//! "pce" and "tdx-00" to "tdx-15"; `svn` is ISVSVN (SGX). Details: see `claims.rs`.
//!
//! Which collateral to fetch says [`Wanted`]; the highest evaluation number is remembered by the ledger, and the policy gets it. What this does
//! not do: read quotes whose certification data only points to a certificate, unless the collateral brings the chain; TCB info
//! version 2; the key type P-384. Physical access to the memory bus is beyond what attestation shows.

mod chain;
mod claims;
mod collateral;
mod date;
pub mod document;
pub mod event_log;
mod opinion;
mod pck;
mod pem;
mod policy;
pub mod quote;
pub mod report;
mod service;
mod tcb;
mod verify;

pub use collateral::Collateral;
pub use policy::Policy;
pub(crate) use policy::policy;
pub use service::Wanted;
pub use verify::verify;

/// Intel SGX Root CA, valid to 2049. Its key is what counts.
pub const ROOT: &[u8] = include_bytes!("root.der");
