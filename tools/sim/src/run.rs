//! A run: faults without mercy, then peace, in which the cluster must make progress.

use std::collections::BTreeSet;
use std::fmt;

use consensus::{Input, Point};
use rand::RngExt;

use crate::check::Violation;
use crate::faults::membership::Membership;
use crate::faults::{self, Fault};
use crate::options::Options;
use crate::storage::Surviving;
use crate::trace::Trace;
use crate::world::{TICK, World};

/// After healing, so many ticks suffice for a new primary, repeated catch-ups, all who are wanted, and a batch on every
/// node of them.
const PEACE_TICKS: u64 = 2000;

/// What a run came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    pub trace: Trace,
    /// Committed entries.
    pub committed: u64,
    /// The last view.
    pub view: u64,
    pub crashes: u64,
    pub catch_ups: u64,
    /// Configurations among what is committed.
    pub changes: u64,
    /// From healing to the last node.
    pub peace_ticks: u64,
}

/// Runs a seed.
pub fn run(options: &Options) -> Result<Outcome, Violation> {
    let mut world = World::new(options)?;
    let mut faults = chosen(&mut world);
    if options.changes && world.rng.random_bool(0.7) {
        faults.push(Box::new(Membership));
    }
    let busy = world.rng.random_range(2..40);
    for _ in 0..options.steps {
        world.pass()?;
        for fault in &faults {
            if world.rng.random_ratio(1, fault.rarity()) {
                fault.strike(&mut world)?;
            }
        }
        if world.rng.random_ratio(1, busy) {
            let member = world.any_member();
            world.propose(member)?;
        }
        hand_over_sometimes(&mut world)?;
    }
    world.heal()?;
    let peace_ticks = make_progress(&mut world)?;
    let last = world.check.last();
    Ok(Outcome {
        trace: world.trace,
        committed: last.index.0,
        view: last.view.0,
        crashes: world.crashes,
        catch_ups: world.catch_ups,
        changes: world.check.changes(),
        peace_ticks,
    })
}

/// Ticks from the death of a working primary to the next batch that is committed, in calm weather.
pub fn fail_over(options: &Options) -> Result<u64, Violation> {
    let mut world = World::new(options)?;
    make_progress(&mut world)?;
    // The primary dies at any moment between two of its heartbeats.
    for _ in 0..world.rng.random_range(0..100) {
        world.pass()?;
    }
    let primary = world.nodes.iter().find(|node| node.is_primary()).map(|node| node.member());
    let Some(primary) = primary else {
        return world.check.stuck("there is no primary").map(|()| PEACE_TICKS);
    };
    world.crash(primary, Surviving::NOTHING);
    let death = world.now;
    let mut batch = None;
    while world.now < death + PEACE_TICKS * TICK {
        world.pass()?;
        for member in world.members() {
            if batch.is_none() {
                batch = world.propose(member)?;
            }
        }
        if batch.is_some_and(|place| world.check.point(place.index) == Some(place)) {
            return Ok((world.now - death).div_ceil(TICK));
        }
    }
    world.check.stuck("no batch was committed").map(|()| PEACE_TICKS)
}

/// Each run has faults of its own choice, so that some are seen alone and others together.
fn chosen(world: &mut World) -> Vec<Box<dyn Fault>> {
    let mut faults = faults::all();
    faults.retain(|_| world.rng.random_bool(0.5));
    faults
}

fn hand_over_sometimes(world: &mut World) -> Result<(), Violation> {
    if world.rng.random_ratio(1, 2000) {
        let (member, any) = (world.any_member(), world.any_member());
        let target = world.rng.random_bool(0.5).then_some(any);
        world.step(member, Input::Transfer(target))?;
    }
    Ok(())
}

/// What was wished last may be out of reach: then whoever votes now is wanted.
fn want_what_can_be_reached(world: &mut World) {
    if world.wanted.is_disjoint(world.check.configuration().voters()) {
        let voters = world.check.configuration().voters().clone();
        world.wish(voters, BTreeSet::new(), 1);
    }
}

/// Who is wanted must take part, and nobody else, and a new batch must get to all of them.
fn make_progress(world: &mut World) -> Result<u64, Violation> {
    let start = world.now;
    let mut batch: Option<Point> = None;
    for _ in 0..PEACE_TICKS * TICK {
        want_what_can_be_reached(world);
        world.pass()?;
        // What an older primary accepted may give way; then it is for the client to ask again.
        let committed = |place: &Point| world.check.point(place.index) == Some(*place);
        batch = batch.filter(|place| committed(place) || world.check.last().view <= place.view);
        let primary = world.nodes.iter().find(|node| node.is_primary()).map(|node| node.member());
        if let (None, Some(primary)) = (batch, primary) {
            batch = world.propose(primary)?;
        }
        let done = batch.filter(|place| world.check.point(place.index) == Some(*place));
        let reached = world.check.configuration();
        let following = world.followers.difference(&world.wanted).eq(reached.learners());
        let reached = *reached.voters() == world.wanted && following;
        let mut those = world.nodes.iter().filter(|node| world.wanted.contains(&node.member()));
        if done.is_some_and(|place| reached && those.all(|node| node.applied >= place.index)) {
            return Ok((world.now - start).div_ceil(TICK));
        }
    }
    let behind = world.nodes.iter().map(|node| {
        let status = node.driver.as_ref().map(consensus::Driver::status);
        format!("node {} has {}: {status:?}", node.member(), node.applied)
    });
    let behind: Vec<_> = behind.collect();
    let (configuration, wanted) = (world.check.configuration(), &world.wanted);
    world.check.stuck(&format!("{configuration} where {wanted:?} are wanted; {}", behind.join(", ")))?;
    Ok(PEACE_TICKS)
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { trace, committed, view, crashes, catch_ups, changes, peace_ticks } = self;
        write!(
            f,
            "trace {trace}: {committed} committed, view {view}, {crashes} crashes, {catch_ups} catch-ups, {changes} configurations, \
             progress after {peace_ticks} ticks"
        )
    }
}
