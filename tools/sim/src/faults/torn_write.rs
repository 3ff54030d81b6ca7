//! A process is killed while it writes: some unsynced writes survive, and half of the next.

use rand::RngExt;

use super::Fault;
use crate::check::Violation;
use crate::storage::Surviving;
use crate::world::{Event, World};

pub struct TornWrite;

impl Fault for TornWrite {
    fn rarity(&self) -> u32 {
        1_500
    }

    fn strike(&self, world: &mut World) -> Result<(), Violation> {
        let node = world.any_member();
        let surviving = Surviving { writes: world.rng.random_range(0..3), torn_entries: world.rng.random_range(0..4) };
        world.crash(node, surviving);
        let after = world.rng.random_range(1..500);
        world.plan(after, Event::Restart { node });
        Ok(())
    }
}
