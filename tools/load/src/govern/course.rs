//! What comes next in the life of one proposal after another.

/// Counts, and knows no network.
pub struct Course {
    members: usize,
    /// Which member's turn it is to propose.
    turn: usize,
    /// Ballots so far, over all proposals.
    cast: usize,
    open: Option<Open>,
}

/// A proposal that is not decided.
struct Open {
    id: String,
    voted: usize,
}

/// `by` is a member's place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    Propose {
        by: usize,
    },
    Vote {
        id: String,
        by: usize,
        /// Which ballot of all it is.
        number: usize,
    },
    Withdraw {
        id: String,
        by: usize,
    },
}

impl Course {
    /// Courses that begin at different places spread over members.
    pub fn new(members: usize, begin: usize) -> Self {
        Self { members, turn: begin, cast: begin, open: None }
    }

    pub fn next(&self) -> Step {
        let by = |after: usize| (self.turn + after) % self.members;
        match &self.open {
            None => Step::Propose { by: by(0) },
            // Who proposed votes last.
            Some(Open { id, voted }) if *voted < self.members => {
                Step::Vote { id: id.clone(), by: by(1 + voted), number: self.cast }
            }
            Some(Open { id, .. }) => Step::Withdraw { id: id.clone(), by: by(0) },
        }
    }

    /// The step was done to this proposal, which is open now or is not.
    pub fn done(&mut self, step: Step, id: &str, open: bool) {
        let next = match step {
            Step::Propose { .. } => Some(Open { id: id.to_owned(), voted: 0 }),
            Step::Vote { id, .. } => {
                self.cast += 1;
                self.open.take().map(|Open { voted, .. }| Open { id, voted: voted + 1 })
            }
            Step::Withdraw { .. } => None,
        };
        match next.filter(|_| open) {
            Some(next) => self.open = Some(next),
            None => self.over(),
        }
    }

    /// The proposal is decided, or gone.
    pub fn over(&mut self) {
        self.open = None;
        self.turn += 1;
    }

    /// The withdrawal of what is still open.
    pub fn abandon(&mut self) -> Option<Step> {
        let by = self.turn % self.members;
        self.open.take().map(|Open { id, .. }| Step::Withdraw { id, by })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(course: &mut Course, open: bool) -> Step {
        let step = course.next();
        course.done(step.clone(), "p", open);
        step
    }

    #[test]
    fn members_vote_in_turn_until_it_is_decided() {
        let mut course = Course::new(3, 4);
        let id = || "p".to_owned();
        assert_eq!(told(&mut course, true), Step::Propose { by: 1 });
        assert_eq!(told(&mut course, true), Step::Vote { id: id(), by: 2, number: 4 });
        assert_eq!(told(&mut course, false), Step::Vote { id: id(), by: 0, number: 5 });
        assert_eq!(told(&mut course, false), Step::Propose { by: 2 });
        assert_eq!(course.next(), Step::Propose { by: 0 });
    }

    #[test]
    fn what_nobody_decides_is_withdrawn() {
        let mut course = Course::new(2, 0);
        (0..3).for_each(|_| drop(told(&mut course, true)));
        assert_eq!(told(&mut course, false), Step::Withdraw { id: "p".into(), by: 0 });
        assert_eq!(told(&mut course, true), Step::Propose { by: 1 });
        assert_eq!(course.abandon(), Some(Step::Withdraw { id: "p".into(), by: 1 }));
        assert_eq!(course.abandon(), None);
    }

    #[test]
    fn after_a_proposal_that_somebody_else_decided_comes_the_next() {
        let mut course = Course::new(1, 0);
        told(&mut course, true);
        course.over();
        assert_eq!(course.next(), Step::Propose { by: 0 });
    }
}
