//! Messages are lost, doubled and delayed for a while, so that they overtake each other.

use rand::RngExt;

use super::Fault;
use crate::check::Violation;
use crate::world::{Event, World};

pub struct BadWeather;

impl Fault for BadWeather {
    fn rarity(&self) -> u32 {
        2_000
    }

    fn strike(&self, world: &mut World) -> Result<(), Violation> {
        world.network.loss = world.rng.random_range(0..400);
        world.network.doubles = world.rng.random_range(0..400);
        world.network.delay = world.rng.random_range(1..80);
        let after = world.rng.random_range(50..1500);
        world.plan(after, Event::Calm);
        Ok(())
    }
}
