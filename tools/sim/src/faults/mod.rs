//! Bad things that happen, each in a small file of its own.

mod bad_weather;
mod crash;
mod isolated_primary;
pub mod membership;
mod one_way;
mod partition;
mod power_loss;
mod slow_disk;
mod stopped;
mod torn_write;

use crate::check::Violation;
use crate::world::World;

/// A fault. It ends by itself: what it breaks it plans to mend.
pub trait Fault {
    /// It strikes once in so many moments.
    fn rarity(&self) -> u32;

    /// Breaks something now.
    fn strike(&self, world: &mut World) -> Result<(), Violation>;
}

/// All there are.
#[must_use]
pub fn all() -> Vec<Box<dyn Fault>> {
    vec![
        Box::new(bad_weather::BadWeather),
        Box::new(crash::Crash),
        Box::new(isolated_primary::IsolatedPrimary),
        Box::new(one_way::OneWay),
        Box::new(partition::Partition),
        Box::new(power_loss::PowerLoss),
        Box::new(slow_disk::SlowDisk),
        Box::new(stopped::Stopped),
        Box::new(torn_write::TornWrite),
    ]
}
