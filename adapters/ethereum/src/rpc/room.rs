//! Memory for what callers send. It is taken as bytes arrive, not as they are announced, and given back with the answer:
//! what was read of a request lives as long as the request does.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What all requests under way may take together, in KiB.
const ALL_MAX_KIB: usize = 256 * 1024;
/// The beginning of a request takes no room, so that those who ask for little are heard while others send much: the
/// number of connections bounds it.
const FREE: usize = 16 * 1024;

#[derive(Clone)]
pub(super) struct Room(Arc<Semaphore>);

/// What one request has taken.
#[derive(Default)]
pub(super) struct Taken(Option<OwnedSemaphorePermit>);

impl Default for Room {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(ALL_MAX_KIB)))
    }
}

impl Room {
    /// Makes room for a request that has so many bytes by now. `None`: there is none.
    pub(super) fn grow(&self, taken: &mut Taken, bytes: usize) -> Option<()> {
        let wanted = bytes.saturating_sub(FREE).div_ceil(1024);
        let have = taken.0.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let more = u32::try_from(wanted.saturating_sub(have)).ok()?;
        if more > 0 {
            let more = self.0.clone().try_acquire_many_owned(more).ok()?;
            match &mut taken.0 {
                Some(taken) => taken.merge(more),
                none => *none = Some(more),
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn much_is_bounded_and_little_always_fits() {
        let room = Room::default();
        let mut first = Taken::default();
        assert!(room.grow(&mut first, FREE).is_some());
        assert_eq!(room.0.available_permits(), ALL_MAX_KIB);
        assert!(room.grow(&mut first, FREE + 1).is_some() && room.grow(&mut first, ALL_MAX_KIB * 1024).is_some());
        let mut second = Taken::default();
        assert!(room.grow(&mut second, FREE).is_some());
        assert!(room.grow(&mut second, 2 * ALL_MAX_KIB * 1024).is_none());
        drop(first);
        assert_eq!(room.0.available_permits(), ALL_MAX_KIB);
    }
}
