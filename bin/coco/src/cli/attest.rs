//! The commands around evidence.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Subcommand};

#[derive(Subcommand)]
pub enum Attest {
    Show(Evidence),
    Verify(AttestVerify),
}

/// Say what evidence of a TEE says, as far as it is authentic
///
/// The vendors' own roots are trusted. Exits with 1 if it is refused, and says by which rule.
#[derive(Args)]
#[command(after_help = "Examples:\n  coco attest show evidence.json\n  coco attest show evidence.json --at 1750420800")]
pub struct Evidence {
    /// JSON: docs/formats/evidence.md
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The moment to judge it at, in seconds since 1970: endorsements run out [default: now]
    #[arg(long, value_name = "SECONDS")]
    pub at: Option<u64>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Say whether a policy accepts evidence of a TEE
///
/// What is accepted is authentic, wanted by the policy and bound to the report data that was asked for. Exits with 1 if it is refused.
#[derive(Args)]
#[command(after_help = "Example:\n  coco attest verify evidence.json --policy policy.json --report-data 5f3a…")]
pub struct AttestVerify {
    #[command(flatten)]
    pub evidence: Evidence,
    /// JSON: the manifest of code, and what else must hold
    #[arg(long, value_name = "FILE")]
    pub policy: PathBuf,
    /// What the evidence must be bound to, in hexadecimal
    #[arg(long, value_name = "HEX")]
    pub report_data: Hex,
}

/// Bytes in hexadecimal.
#[derive(Clone)]
pub struct Hex(pub Vec<u8>);

impl FromStr for Hex {
    type Err = const_hex::FromHexError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const_hex::decode(text).map(Self)
    }
}
