//! A disk takes up to some election timeouts for each sync.

use rand::RngExt;

use super::Fault;
use crate::check::Violation;
use crate::world::{Event, World};

pub struct SlowDisk;

impl Fault for SlowDisk {
    fn rarity(&self) -> u32 {
        3_000
    }

    fn strike(&self, world: &mut World) -> Result<(), Violation> {
        let node = world.any_member();
        world.node(node).sync_delay = world.rng.random_range(10..400);
        let after = world.rng.random_range(100..3000);
        world.plan(after, Event::FastDisk { node });
        Ok(())
    }
}
