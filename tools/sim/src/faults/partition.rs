//! The network falls apart in two; nothing passes between the parts.

use consensus::Member;
use rand::RngExt;

use super::Fault;
use crate::check::Violation;
use crate::world::{Event, World};

pub struct Partition;

impl Fault for Partition {
    fn rarity(&self) -> u32 {
        2_500
    }

    fn strike(&self, world: &mut World) -> Result<(), Violation> {
        let members = world.members();
        let side: Vec<bool> = members.iter().map(|_| world.rng.random_bool(0.5)).collect();
        let apart = |from: &Member, to: &Member| side[from.0 as usize - 1] != side[to.0 as usize - 1];
        let pairs = members.iter().flat_map(|from| members.iter().map(move |to| (*from, *to)));
        let links: Vec<_> = pairs.filter(|(from, to)| apart(from, to)).collect();
        world.network.cut.extend(links.iter().copied());
        let after = world.rng.random_range(20..2500);
        world.plan(after, Event::Joined { links });
        Ok(())
    }
}
