//! Which tables a step may read and write.
//!
//! | step | `public:ccf.internal.*` | `public:ccf.gov.*`, `public:coco.gov.*` | tables given to the constitution | all others |
//! |---|---|---|---|---|
//! | while the script loads | | | | |
//! | validate, ballot, resolve, join | read | read | | |
//! | apply | read | read, write | write | |

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Step;

/// What may be done with one table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Right {
    Read,
    Write,
}

/// The names of public application tables that a constitution may write to.
pub type Given = Arc<BTreeSet<String>>;

/// `step` is absent while the script loads.
pub(crate) fn may(step: Option<Step>, table: &str, right: Right, given: &Given) -> bool {
    let Some(step) = step else { return false };
    let governance = table.starts_with("public:ccf.gov.") || table.starts_with("public:coco.gov.");
    match right {
        Right::Read => governance || table.starts_with("public:ccf.internal."),
        Right::Write => step == Step::Apply && (governance || given.contains(table)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_has_its_rights_and_no_more() {
        let given: Given = Arc::new(BTreeSet::from(["public:app".to_owned()]));
        let table = [
            ("public:ccf.gov.members.info", "r", "rw"),
            ("public:coco.gov.policies", "r", "rw"),
            ("public:ccf.internal.signatures", "r", "r"),
            ("public:app", "", "w"),
            ("public:another", "", ""),
            ("public:coco.internal", "", ""),
            ("ccf.gov.members.info", "", ""),
            ("private", "", ""),
        ];
        let rights = |step, name| {
            let may = |right| may(step, name, right, &given);
            format!("{}{}", if may(Right::Read) { "r" } else { "" }, if may(Right::Write) { "w" } else { "" })
        };
        for (name, reading, applying) in table {
            for step in [Step::Validate, Step::Ballot, Step::Resolve, Step::Join] {
                assert_eq!(rights(Some(step), name), reading, "{name} {step:?}");
            }
            assert_eq!(rights(Some(Step::Apply), name), applying, "{name}");
            assert_eq!(rights(None, name), "", "{name}");
        }
    }
}
