//! The next step from the configuration in force to the members that are wanted.
//!
//! ```text
//!   1 2 3 ──▶ 1 2 3 + 4 ──▶ 1 2 3 4 ──▶ 1 2 4        wanted: 1 2 4
//! ```
//!
//! Learners come first, because they cost nobody anything. A learner votes once it has the log, so that a majority is
//! never made of nodes that must fetch it first. Only then does anyone leave. One voter a step, so that any majority of
//! a configuration meets any majority of the next.

use std::collections::BTreeSet;

use crate::membership::MEMBERS_MAX;
use crate::{Configuration, Member, Wanted};

/// What the primary does next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Next {
    /// Propose this.
    Change(Configuration),
    /// Give the office to this voter: whoever leads does not remove itself.
    HandOver(Member),
    /// Nothing to do, or nothing that can be done now.
    Wait,
}

/// What the primary knows.
pub struct Situation<'a> {
    pub me: Member,
    pub configuration: &'a Configuration,
    pub wanted: &'a Wish,
    /// Others that were heard lately, and how far each has the log.
    pub heard: &'a [(Member, u64)],
    /// A learner that has the log up to here has caught up.
    pub reached: u64,
    /// Learners that are not heard were waited for long enough: somebody may leave before they come.
    pub patience_ended: bool,
}

/// What is wanted, looked at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wish {
    voters: BTreeSet<Member>,
    /// None of the voters.
    followers: BTreeSet<Member>,
}

impl Wish {
    /// Refuses what nobody can want.
    pub fn new(wanted: &Wanted) -> Result<Self, &'static str> {
        let set = |members: &[Member]| members.iter().copied().collect::<BTreeSet<_>>();
        let (voters, followers) = (set(&wanted.voters), set(&wanted.followers));
        if voters.is_empty() {
            return Err("there are no voters");
        }
        if voters.len() + followers.len() > MEMBERS_MAX {
            return Err("there are more than a configuration holds");
        }
        if voters.contains(&Member(0)) || followers.contains(&Member(0)) {
            return Err("0 is no member");
        }
        if !voters.is_disjoint(&followers) {
            return Err("one is to vote and not to vote");
        }
        Ok(Self { voters, followers })
    }
}

impl Situation<'_> {
    pub fn next(&self) -> Next {
        let (voters, learners) = (self.configuration.voters(), self.configuration.learners());
        // Nobody who decides today would decide then: that is another network, not this one changed.
        if self.wanted.voters.is_disjoint(voters) {
            return Next::Wait;
        }
        let waiting: BTreeSet<Member> = self.wanted.voters.difference(voters).copied().collect();
        let following = self.wanted.followers.difference(voters).chain(&waiting).copied().collect();
        if following != *learners {
            return self.change(voters.clone(), following);
        }
        if let Some(ready) = waiting.iter().find(|learner| self.log_of(**learner).is_some_and(|to| to >= self.reached))
        {
            let (mut voters, mut learners) = (voters.clone(), following);
            learners.remove(ready);
            voters.insert(*ready);
            return self.change(voters, learners);
        }
        if waiting.iter().any(|learner| self.is_heard(*learner) || !self.patience_ended) {
            return Next::Wait;
        }
        self.leave(voters, following)
    }

    /// Somebody whose vote is not wanted leaves, or follows from here on: first whoever is not heard, this node never.
    fn leave(&self, voters: &BTreeSet<Member>, mut learners: BTreeSet<Member>) -> Next {
        let wanted = &self.wanted.voters;
        if voters.is_subset(wanted) {
            return Next::Wait;
        }
        if !wanted.contains(&self.me) {
            return self.heir(voters).map_or(Next::Wait, Next::HandOver);
        }
        let unwanted = voters.difference(wanted).copied();
        let Some(leaves) = unwanted.min_by_key(|voter| (self.is_heard(*voter), *voter)) else { return Next::Wait };
        let mut rest = voters.clone();
        rest.remove(&leaves);
        let alive = rest.iter().filter(|voter| **voter == self.me || self.is_heard(**voter)).count();
        if alive <= rest.len() / 2 {
            return Next::Wait;
        }
        if self.wanted.followers.contains(&leaves) {
            learners.insert(leaves);
        }
        self.change(rest, learners)
    }

    /// The wanted voter that has most of the log.
    fn heir(&self, voters: &BTreeSet<Member>) -> Option<Member> {
        let fit =
            self.heard.iter().filter(|(member, _)| voters.contains(member) && self.wanted.voters.contains(member));
        fit.max_by_key(|(member, to)| (*to, u64::MAX - member.0)).map(|(member, _)| *member)
    }

    fn log_of(&self, member: Member) -> Option<u64> {
        self.heard.iter().find(|(heard, _)| *heard == member).map(|(_, to)| *to)
    }

    fn is_heard(&self, member: Member) -> bool {
        self.log_of(member).is_some()
    }

    /// The next configuration. Too many at once (which the bound on wanted members leaves possible) wait.
    fn change(&self, voters: BTreeSet<Member>, learners: BTreeSet<Member>) -> Next {
        Configuration::new(voters, learners).map_or(Next::Wait, Next::Change)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(numbers: &[u64]) -> Vec<Member> {
        numbers.iter().copied().map(Member).collect()
    }

    fn configuration(voters: &[u64], learners: &[u64]) -> Configuration {
        Configuration::new(set(voters), set(learners)).unwrap()
    }

    /// Node 1 leads; so much of the log is committed: 10.
    fn next(voters: &[u64], learners: &[u64], wanted: &[u64], heard: &[(u64, u64)], patience_ended: bool) -> Next {
        next_of(voters, learners, &Wanted::to_vote(set(wanted)), heard, patience_ended)
    }

    fn next_of(voters: &[u64], learners: &[u64], wanted: &Wanted, heard: &[(u64, u64)], patience_ended: bool) -> Next {
        let heard: Vec<_> = heard.iter().map(|(member, to)| (Member(*member), *to)).collect();
        let (configuration, wanted) = (configuration(voters, learners), Wish::new(wanted).unwrap());
        let (me, configuration, wanted) = (Member(1), &configuration, &wanted);
        Situation { me, configuration, wanted, heard: &heard, reached: 10, patience_ended }.next()
    }

    fn change(voters: &[u64], learners: &[u64]) -> Next {
        Next::Change(configuration(voters, learners))
    }

    #[test]
    fn learners_come_and_go_at_once() {
        assert_eq!(next(&[1, 2], &[], &[1, 2, 3, 4], &[], false), change(&[1, 2], &[3, 4]));
        assert_eq!(next(&[1, 2], &[3, 4], &[1, 2, 5], &[], false), change(&[1, 2], &[5]));
        assert_eq!(next(&[1, 2], &[3], &[1, 2], &[], false), change(&[1, 2], &[]));
    }

    #[test]
    fn one_learner_votes_once_it_has_the_log_and_is_heard() {
        let all = &[1, 2, 3, 4];
        assert_eq!(next(&[1, 2], &[3, 4], all, &[(2, 10), (3, 9), (4, 10)], false), change(&[1, 2, 4], &[3]));
        assert_eq!(next(&[1, 2], &[3, 4], all, &[(2, 10), (3, 10), (4, 10)], false), change(&[1, 2, 3], &[4]));
        assert_eq!(next(&[1, 2], &[3, 4], all, &[(2, 10), (3, 9)], true), Next::Wait);
    }

    #[test]
    fn nobody_leaves_while_somebody_comes() {
        let heard = &[(2, 10), (3, 10), (4, 5)];
        assert_eq!(next(&[1, 2, 3], &[4], &[1, 2, 4], heard, true), Next::Wait);
        assert_eq!(next(&[1, 2, 3], &[4], &[1, 2, 4], &heard[..2], false), Next::Wait);
        // One that is silent for long is not waited for.
        assert_eq!(next(&[1, 2, 3], &[4], &[1, 2, 4], &heard[..2], true), change(&[1, 2], &[4]));
    }

    #[test]
    fn the_silent_leave_first_and_the_rest_must_be_able_to_elect() {
        assert_eq!(next(&[1, 2, 3], &[], &[1], &[(2, 10)], false), change(&[1, 2], &[]));
        assert_eq!(next(&[1, 2, 3], &[], &[1, 2], &[(3, 10)], false), Next::Wait, "2 is down");
        assert_eq!(next(&[1, 2], &[], &[1], &[(2, 10)], false), change(&[1], &[]));
    }

    #[test]
    fn a_primary_that_is_not_wanted_hands_over() {
        assert_eq!(next(&[1, 2, 3], &[], &[2, 3], &[(2, 9), (3, 10)], false), Next::HandOver(Member(3)));
        assert_eq!(next(&[1, 2, 3], &[], &[2, 3], &[], false), Next::Wait);
        assert_eq!(next(&[1], &[], &[2], &[(2, 10)], false), Next::Wait, "no voter is wanted");
    }

    #[test]
    fn a_vote_is_taken_away_and_given_back_and_the_member_follows_meanwhile() {
        let wanted = Wanted { voters: set(&[1, 2]), followers: set(&[3]) };
        let heard = &[(2, 10), (3, 10)];
        assert_eq!(next_of(&[1, 2, 3], &[], &wanted, heard, false), change(&[1, 2], &[3]));
        assert_eq!(next_of(&[1, 2], &[3], &wanted, heard, true), Next::Wait);
        assert_eq!(next_of(&[1, 2], &[], &wanted, heard, false), change(&[1, 2], &[3]), "it may begin so");
        assert_eq!(next(&[1, 2], &[3], &[1, 2, 3], heard, false), change(&[1, 2, 3], &[]));
        let more = Wanted { voters: set(&[1, 2, 4]), followers: set(&[3]) };
        assert_eq!(next_of(&[1, 2], &[3, 4], &more, &[(2, 10), (3, 10), (4, 10)], false), change(&[1, 2, 4], &[3]));
        let mine = Wanted { voters: set(&[2, 3]), followers: set(&[1]) };
        assert_eq!(next_of(&[1, 2, 3], &[], &mine, heard, false), Next::HandOver(Member(2)));
    }

    #[test]
    fn what_nobody_can_want_is_refused() {
        let refused = |wanted: Wanted| Wish::new(&wanted).is_err();
        assert!(refused(Wanted::to_vote(vec![])) && refused(Wanted::to_vote(set(&[0, 1]))));
        assert!(refused(Wanted::to_vote((1..=65).map(Member).collect())));
        assert!(refused(Wanted { voters: set(&[1, 2]), followers: set(&[2]) }));
        assert!(refused(Wanted { voters: set(&[1]), followers: set(&[0]) }));
        assert_eq!(next(&[1, 2], &[], &[1, 2], &[(2, 10)], true), Next::Wait);
    }
}
