//! The constitution of our own: its actions, its policies, and what it never does.
#![expect(clippy::unwrap_used, reason = "a test says what failed by where it panics")]

mod world;

use governance::constitution::DEFAULT;
use governance::engine::{Bounds, check_constitution};
use world::actions::{cases, check};
use world::clock;

#[test]
fn it_is_a_constitution() {
    check_constitution(DEFAULT, &Bounds::LEAST, clock(Bounds::LEAST.time)).unwrap();
}

#[test]
fn it_knows_ccfs_actions_under_their_names() {
    assert_eq!(check(DEFAULT, |world| cases(world, DEFAULT)), 39);
}
