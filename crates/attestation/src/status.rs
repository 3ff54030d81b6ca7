//! Intel's verdict on a platform's TCB.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Code;

/// What Intel says of a TCB level, by Intel's own names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Status {
    UpToDate,
    SWHardeningNeeded,
    ConfigurationNeeded,
    ConfigurationAndSWHardeningNeeded,
    OutOfDate,
    OutOfDateConfigurationNeeded,
    TDRelaunchAdvised,
    TDRelaunchAdvisedConfigurationNeeded,
    Revoked,
}

impl Status {
    pub const ALL: [Self; 9] = [
        Self::UpToDate,
        Self::SWHardeningNeeded,
        Self::ConfigurationNeeded,
        Self::ConfigurationAndSWHardeningNeeded,
        Self::OutOfDate,
        Self::OutOfDateConfigurationNeeded,
        Self::TDRelaunchAdvised,
        Self::TDRelaunchAdvisedConfigurationNeeded,
        Self::Revoked,
    ];

    /// The refusal of a policy that does not allow this status.
    pub fn code(self) -> Code {
        match self {
            Self::UpToDate => Code::StatusUpToDate,
            Self::SWHardeningNeeded => Code::StatusSwHardeningNeeded,
            Self::ConfigurationNeeded => Code::StatusConfigurationNeeded,
            Self::ConfigurationAndSWHardeningNeeded => Code::StatusConfigurationAndSwHardeningNeeded,
            Self::OutOfDate => Code::StatusOutOfDate,
            Self::OutOfDateConfigurationNeeded => Code::StatusOutOfDateConfigurationNeeded,
            Self::TDRelaunchAdvised => Code::StatusTdRelaunchAdvised,
            Self::TDRelaunchAdvisedConfigurationNeeded => Code::StatusTdRelaunchAdvisedConfigurationNeeded,
            Self::Revoked => Code::StatusRevoked,
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
