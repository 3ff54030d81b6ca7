//! What makes a run: the same options give the same run.

use std::fmt;

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    pub seed: u64,
    pub nodes: u64,
    /// Moments with faults; ten moments are a tick of a node.
    pub steps: u64,
    /// Who is wanted changes in some runs, among more nodes.
    pub changes: bool,
    /// A mistake put in on purpose, to see that the checks find it.
    pub bug: Option<Bug>,
}

/// Mistakes that a runtime around the driver could make.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bug {
    /// A write is reported as synced when it is only queued.
    AcknowledgeBeforeSync,
    /// A restart forgets view and vote.
    ForgetVote,
    /// A new primary's truncation is not carried out: entries are only added.
    KeepTail,
    /// A restart forgets which configuration was in force.
    ForgetConfiguration,
}

impl Bug {
    const ALL: [Self; 4] = [Self::AcknowledgeBeforeSync, Self::ForgetVote, Self::KeepTail, Self::ForgetConfiguration];

    const fn name(self) -> &'static str {
        match self {
            Self::AcknowledgeBeforeSync => "acknowledge-before-sync",
            Self::ForgetVote => "forget-vote",
            Self::KeepTail => "keep-tail",
            Self::ForgetConfiguration => "forget-configuration",
        }
    }

    /// Reads a name as given on the command line.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|bug| bug.name() == name)
    }
}

impl Default for Options {
    fn default() -> Self {
        Self { seed: 0, nodes: 3, steps: 20_000, changes: true, bug: None }
    }
}

/// The command that repeats the run.
impl fmt::Display for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, nodes, steps, changes, bug } = self;
        write!(f, "sim --seed {seed} --nodes {nodes} --steps {steps}")?;
        if !changes {
            f.write_str(" --changes no")?;
        }
        match bug {
            Some(bug) => write!(f, " --bug {}", bug.name()),
            None => Ok(()),
        }
    }
}
