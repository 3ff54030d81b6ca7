//! All nodes lose power at once.

use rand::RngExt;

use super::Fault;
use crate::check::Violation;
use crate::storage::Surviving;
use crate::world::{Event, World};

pub struct PowerLoss;

impl Fault for PowerLoss {
    fn rarity(&self) -> u32 {
        8_000
    }

    fn strike(&self, world: &mut World) -> Result<(), Violation> {
        for node in world.members() {
            let surviving =
                Surviving { writes: world.rng.random_range(0..2), torn_entries: world.rng.random_range(0..2) };
            world.crash(node, surviving);
            let after = world.rng.random_range(1..600);
            world.plan(after, Event::Restart { node });
        }
        Ok(())
    }
}
