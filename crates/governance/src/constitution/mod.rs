//! The constitution that a network starts with unless its founders bring another: JavaScript like any other constitution,
//! and replaced like any other.
//!
//! Its rules are not in the script but in rows that members change by vote: per action, who must agree (`policies.js`), and
//! under what conditions nobody need vote (`automatic.js`). A change of a rule is judged by the rule as it was. Who founded
//! the network is a member like the others.

/// The script, in the order in which its parts build on each other.
pub const DEFAULT: &str = concat!(
    include_str!("rows.js"),
    include_str!("checks.js"),
    include_str!("automatic.js"),
    include_str!("policies.js"),
    include_str!("actions.js"),
    include_str!("rules.js"),
    include_str!("organisations.js"),
    include_str!("members.js"),
    include_str!("rotation.js"),
    include_str!("service.js"),
    include_str!("nodes.js"),
    include_str!("manifests.js"),
    include_str!("ledgers.js"),
    include_str!("tokens.js"),
    include_str!("main.js"),
);
