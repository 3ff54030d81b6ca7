//! A process is stopped and goes on later, not knowing that time has passed.

use rand::RngExt;

use super::Fault;
use crate::check::Violation;
use crate::world::World;

pub struct Stopped;

impl Fault for Stopped {
    fn rarity(&self) -> u32 {
        2_500
    }

    fn strike(&self, world: &mut World) -> Result<(), Violation> {
        let node = world.any_member();
        let until = world.now + world.rng.random_range(5..1000);
        world.node(node).stopped_until = until;
        Ok(())
    }
}
