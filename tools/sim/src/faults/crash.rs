//! A process is killed: what it had not synced is gone.

use rand::RngExt;

use super::Fault;
use crate::check::Violation;
use crate::storage::Surviving;
use crate::world::{Event, World};

pub struct Crash;

impl Fault for Crash {
    fn rarity(&self) -> u32 {
        1_500
    }

    fn strike(&self, world: &mut World) -> Result<(), Violation> {
        let node = world.any_member();
        world.crash(node, Surviving::NOTHING);
        let after = world.rng.random_range(1..2000);
        world.plan(after, Event::Restart { node });
        Ok(())
    }
}
