//! Who takes part: the content of a configuration entry, and the configuration in force.
//!
//! Its bytes stand in three places (entries on the wire, offers to catch up, the log on disk) and are the same in all:
//! `voters u8 · learners u8 · members u64 …`, little-endian, voters first, each list ascending.

use std::collections::BTreeSet;
use std::fmt;

use thiserror::Error;

use crate::{Content, Entry, Index, Member};

/// Voters, and learners, of one network.
pub const MEMBERS_MAX: usize = 64;

/// Bytes in front of the members.
const COUNTS_BYTES: usize = 2;
const MEMBER_BYTES: usize = 8;

/// Who votes and who only follows. Empty only while a node that joins has not heard who there is.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Configuration {
    voters: BTreeSet<Member>,
    learners: BTreeSet<Member>,
}

/// Members that cannot be a configuration.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum BadConfiguration {
    #[error("a configuration without voters decides nothing")]
    NoVoter,
    #[error("more than {MEMBERS_MAX} voters or learners")]
    TooMany,
    #[error("0 is no member")]
    Zero,
    #[error("{0} cannot be voter and learner at once")]
    Both(Member),
    #[error("its bytes end early, go on, or are out of order")]
    Bytes,
}

impl Configuration {
    /// A configuration that can decide something.
    pub fn new(
        voters: impl IntoIterator<Item = Member>,
        learners: impl IntoIterator<Item = Member>,
    ) -> Result<Self, BadConfiguration> {
        let (voters, learners): (BTreeSet<_>, BTreeSet<_>) =
            (voters.into_iter().collect(), learners.into_iter().collect());
        if voters.is_empty() {
            return Err(BadConfiguration::NoVoter);
        }
        if voters.len() > MEMBERS_MAX || learners.len() > MEMBERS_MAX {
            return Err(BadConfiguration::TooMany);
        }
        if voters.contains(&Member(0)) || learners.contains(&Member(0)) {
            return Err(BadConfiguration::Zero);
        }
        if let Some(both) = voters.intersection(&learners).next() {
            return Err(BadConfiguration::Both(*both));
        }
        Ok(Self { voters, learners })
    }

    /// Whose acknowledgements and votes count.
    #[must_use]
    pub const fn voters(&self) -> &BTreeSet<Member> {
        &self.voters
    }

    /// Who gets every entry and decides nothing.
    #[must_use]
    pub const fn learners(&self) -> &BTreeSet<Member> {
        &self.learners
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.voters.is_empty()
    }

    /// Appends its bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        for members in [&self.voters, &self.learners] {
            out.push(u8::try_from(members.len()).expect("the constructor bounds both lists"));
        }
        for member in self.voters.iter().chain(&self.learners) {
            out.extend_from_slice(&member.0.to_le_bytes());
        }
    }

    /// Reads exactly these bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, BadConfiguration> {
        let [voters, learners, members @ ..] = bytes else { return Err(BadConfiguration::Bytes) };
        let (voters, learners) = (usize::from(*voters), usize::from(*learners));
        if members.len() != (voters + learners) * MEMBER_BYTES {
            return Err(BadConfiguration::Bytes);
        }
        let (members, _) = members.as_chunks::<MEMBER_BYTES>();
        let members: Vec<Member> = members.iter().map(|bytes| Member(u64::from_le_bytes(*bytes))).collect();
        let (voters, learners) = members.split_at(voters);
        if !voters.is_sorted_by(|a, b| a < b) || !learners.is_sorted_by(|a, b| a < b) {
            return Err(BadConfiguration::Bytes);
        }
        Self::new(voters.iter().copied(), learners.iter().copied())
    }

    pub(crate) fn encoded_bytes(&self) -> usize {
        COUNTS_BYTES + MEMBER_BYTES * (self.voters.len() + self.learners.len())
    }
}

/// Who should take part, as the layers above say.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Wanted {
    pub voters: Vec<Member>,
    /// They get every entry and have no vote, until they are wanted as voters. None of the voters.
    pub followers: Vec<Member>,
}

impl Wanted {
    /// All of these are to vote.
    #[must_use]
    pub const fn to_vote(voters: Vec<Member>) -> Self {
        Self { voters, followers: Vec::new() }
    }
}

/// The configuration in force.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Membership {
    /// The entry that brought it, which is committed; 0 for that of the beginning.
    pub since: Index,
    pub configuration: Configuration,
}

impl Membership {
    /// What a committed entry brings, if it is a configuration.
    pub(crate) fn of(entry: &Entry) -> Option<Self> {
        match &entry.content {
            Content::Configuration(configuration) => {
                Some(Self { since: entry.index, configuration: configuration.clone() })
            }
            Content::Mark | Content::Batch(_) => None,
        }
    }
}

/// Written `1 2 3` or `1 2 3 + 4 5`, learners last.
impl fmt::Display for Configuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |members: &BTreeSet<Member>| members.iter().map(Member::to_string).collect::<Vec<_>>().join(" ");
        match (self.voters.is_empty(), self.learners.is_empty()) {
            (true, _) => f.write_str("nobody"),
            (false, true) => f.write_str(&list(&self.voters)),
            (false, false) => write!(f, "{} + {}", list(&self.voters), list(&self.learners)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::{btree_set, vec};
    use proptest::prelude::*;

    use super::*;

    fn members(numbers: &[u64]) -> Vec<Member> {
        numbers.iter().copied().map(Member).collect()
    }

    #[test]
    fn members_that_cannot_decide_are_refused() {
        let new = |voters: &[u64], learners: &[u64]| Configuration::new(members(voters), members(learners));
        assert_eq!(new(&[], &[1]), Err(BadConfiguration::NoVoter));
        assert_eq!(new(&[0, 1], &[]), Err(BadConfiguration::Zero));
        assert_eq!(new(&[1], &[0]), Err(BadConfiguration::Zero));
        assert_eq!(new(&[1, 2], &[2]), Err(BadConfiguration::Both(Member(2))));
        let many: Vec<u64> = (1..=65).collect();
        assert_eq!(new(&many, &[]), Err(BadConfiguration::TooMany));
        assert_eq!(new(&[99], &many), Err(BadConfiguration::TooMany));
    }

    #[test]
    fn a_configuration_has_the_documented_bytes() {
        let mut bytes = Vec::new();
        Configuration::new(members(&[3, 1]), members(&[2])).unwrap().encode(&mut bytes);
        assert_eq!(bytes, [2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]);
        let mut unordered = bytes.clone();
        unordered.swap(2, 10);
        assert_eq!(Configuration::decode(&unordered), Err(BadConfiguration::Bytes));
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(all in btree_set(1_u64.., 1..100), split in 1_usize..64) {
            let all: Vec<_> = all.into_iter().map(Member).collect();
            let (voters, learners) = all.split_at(split.min(all.len()));
            prop_assume!(learners.len() <= MEMBERS_MAX);
            let configuration = Configuration::new(voters.to_vec(), learners.to_vec()).unwrap();
            let mut bytes = Vec::new();
            configuration.encode(&mut bytes);
            prop_assert_eq!(bytes.len(), configuration.encoded_bytes());
            for end in 0..bytes.len() {
                prop_assert!(Configuration::decode(&bytes[..end]).is_err());
            }
            prop_assert_eq!(Configuration::decode(&bytes), Ok(configuration));
            bytes.push(0);
            prop_assert!(Configuration::decode(&bytes).is_err());
        }

        #[test]
        fn any_bytes_are_refused_or_are_a_configuration(mut bytes in vec(0_u8..4, 2..60), counts in (0_u8..4, 0_u8..4)) {
            (bytes[0], bytes[1]) = counts;
            if let Ok(configuration) = Configuration::decode(&bytes) {
                let mut again = Vec::new();
                configuration.encode(&mut again);
                prop_assert_eq!(again, bytes);
            }
        }
    }
}
