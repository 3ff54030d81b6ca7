//! How much of anything is looked at. Real evidence stays far below; what is larger is refused before it is parsed.

/// An SGX or TDX quote, with whatever follows it.
pub const QUOTE_BYTES: usize = 16 << 10;
/// An SEV-SNP report has exactly this size.
pub const SNP_REPORT_BYTES: usize = 1_184;
/// A Nitro attestation document.
pub const NITRO_BYTES: usize = 16 << 10;
/// An Arm CCA token.
pub const CCA_BYTES: usize = 16 << 10;
/// A token of Azure Attestation.
pub const JWT_BYTES: usize = 64 << 10;
/// A log of measured events.
pub const EVENT_LOG_BYTES: usize = 1 << 20;
/// One certificate, DER.
pub const CERTIFICATE_BYTES: usize = 8 << 10;
/// Certificates from a root to a leaf, both counted.
pub const CHAIN_CERTIFICATES: usize = 6;
/// A certificate revocation list, DER.
pub const CRL_BYTES: usize = 1 << 20;
/// Intel's TCB info or QE identity, JSON.
pub const TCB_INFO_BYTES: usize = 256 << 10;
/// A virtual node's statement.
pub const VIRTUAL_BYTES: usize = 4 << 10;
/// Intel's collateral for one quote, JSON with the lists in hexadecimal.
pub const COLLATERAL_BYTES: usize = 6 << 20;
/// All that a node shows, JSON: collateral and an event log are its largest parts.
pub const PRESENTED_BYTES: usize = COLLATERAL_BYTES + 2 * EVENT_LOG_BYTES + (1 << 20);
