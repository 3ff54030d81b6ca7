//! The kinds of TEE, by the names that ledgers and people see.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What made the evidence. The text names are stored in ledgers and never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    #[serde(rename = "sev-snp")]
    SevSnp,
    #[serde(rename = "tdx")]
    Tdx,
    #[serde(rename = "sgx")]
    Sgx,
    #[serde(rename = "nitro")]
    Nitro,
    #[serde(rename = "arm-cca")]
    ArmCca,
    #[serde(rename = "azure-vtpm")]
    AzureVtpm,
    #[serde(rename = "maa")]
    Maa,
    #[serde(rename = "vbs")]
    Vbs,
    #[serde(rename = "virtual")]
    Virtual,
}

impl Kind {
    pub const ALL: [Self; 9] = [
        Self::SevSnp,
        Self::Tdx,
        Self::Sgx,
        Self::Nitro,
        Self::ArmCca,
        Self::AzureVtpm,
        Self::Maa,
        Self::Vbs,
        Self::Virtual,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::SevSnp => "sev-snp",
            Self::Tdx => "tdx",
            Self::Sgx => "sgx",
            Self::Nitro => "nitro",
            Self::ArmCca => "arm-cca",
            Self::AzureVtpm => "azure-vtpm",
            Self::Maa => "maa",
            Self::Vbs => "vbs",
            Self::Virtual => "virtual",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The text names no kind of TEE.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no kind of TEE has this name")]
pub struct ParseKindError;

impl FromStr for Kind {
    type Err = ParseKindError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|kind| kind.name() == text).ok_or(ParseKindError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_has_one_name_in_text_and_in_json() {
        for kind in Kind::ALL {
            assert_eq!(kind.name().parse(), Ok(kind));
            assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{kind}\""));
        }
        assert_eq!("SGX".parse::<Kind>(), Err(ParseKindError));
    }
}
