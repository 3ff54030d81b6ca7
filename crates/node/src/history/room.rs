//! Bounds the bytes of what waits for the keeper, as the channel bounds its number.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// Sealed bytes of the batches that wait; in memory, with their write sets, each is about three times as large.
const BYTES_MAX: usize = 48 << 20;

/// Room for batches on their way to the disk.
#[derive(Default)]
pub struct Room {
    taken: Mutex<usize>,
    freed: Condvar,
}

/// Room that a batch takes, until it is dropped.
pub struct Taken {
    room: Arc<Room>,
    bytes: usize,
}

impl Room {
    /// Waits until there is room for so many bytes. There always is for one batch alone.
    pub fn take(self: &Arc<Self>, bytes: usize) -> Taken {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let full = |taken: &mut usize| *taken > 0 && *taken + bytes > BYTES_MAX;
        *self.freed.wait_while(taken, full).unwrap_or_else(PoisonError::into_inner) += bytes;
        Taken { room: self.clone(), bytes }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        *self.room.taken.lock().unwrap_or_else(PoisonError::into_inner) -= self.bytes;
        self.room.freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_waits_for_room_and_a_large_one_for_all_of_it() {
        let room = Arc::new(Room::default());
        let first = room.take(BYTES_MAX / 2);
        let second = room.take(BYTES_MAX / 2);
        let (waits, waited) = std::sync::mpsc::channel();
        let other = std::thread::spawn({
            let room = room.clone();
            move || {
                waits.send(()).unwrap();
                let large = room.take(2 * BYTES_MAX);
                waits.send(()).unwrap();
                drop(large);
            }
        });
        waited.recv().unwrap();
        drop(first);
        assert!(waited.try_recv().is_err(), "half of it is taken");
        drop(second);
        waited.recv().unwrap();
        other.join().unwrap();
    }
}
