//! One node can speak to another and is not answered.

use rand::RngExt;

use super::Fault;
use crate::check::Violation;
use crate::world::{Event, World};

pub struct OneWay;

impl Fault for OneWay {
    fn rarity(&self) -> u32 {
        2_000
    }

    fn strike(&self, world: &mut World) -> Result<(), Violation> {
        let link = (world.any_member(), world.any_member());
        world.network.cut.insert(link);
        let after = world.rng.random_range(20..2500);
        world.plan(after, Event::Joined { links: vec![link] });
        Ok(())
    }
}
