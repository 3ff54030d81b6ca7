//! The primary is cut off from all others, most likely with batches on their way.

use rand::RngExt;

use super::Fault;
use crate::check::Violation;
use crate::node::Node;
use crate::world::{Event, World};

pub struct IsolatedPrimary;

impl Fault for IsolatedPrimary {
    fn rarity(&self) -> u32 {
        2_000
    }

    fn strike(&self, world: &mut World) -> Result<(), Violation> {
        let Some(primary) = world.nodes.iter().find(|node| node.is_primary()).map(Node::member) else {
            return Ok(());
        };
        let others: Vec<_> = world.members().into_iter().filter(|member| *member != primary).collect();
        let links: Vec<_> = others.into_iter().flat_map(|other| [(primary, other), (other, primary)]).collect();
        world.network.cut.extend(links.iter().copied());
        let after = world.rng.random_range(20..2000);
        world.plan(after, Event::Joined { links });
        Ok(())
    }
}
