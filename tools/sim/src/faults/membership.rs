//! Others are wanted: nodes come and go while everything else goes wrong.

use rand::RngExt;

use super::Fault;
use crate::check::Violation;
use crate::world::World;

pub struct Membership;

impl Fault for Membership {
    fn rarity(&self) -> u32 {
        2_500
    }

    fn strike(&self, world: &mut World) -> Result<(), Violation> {
        // Any set may be wanted, even none and even one without any voter: such are not followed.
        let likely = world.rng.random_range(0.2..0.9);
        let wanted = world.members().into_iter().filter(|_| world.rng.random_bool(likely)).collect();
        // Some lose their vote and follow on.
        let likely = if world.rng.random_bool(0.5) { 0.0 } else { 0.4 };
        let followers = world.members().into_iter().filter(|_| world.rng.random_bool(likely)).collect();
        // Now and then the next wish comes before this one was heard everywhere.
        world.wish(wanted, followers, 400);
        Ok(())
    }
}
