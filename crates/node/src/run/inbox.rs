//! Where frames from peers go.

use std::sync::{Arc, OnceLock};

use crossbeam_channel::Sender;

use crate::ordering::Event;
use crate::peers::{Frame, PeerEvent};
use crate::route::Route;
use crate::{history, log};

/// Consensus messages that wait for the orderer; more are dropped, they come again.
const EVENTS_MAX: usize = 8_192;

/// Peers may speak before the rest of the node is there; what they say then is dropped.
#[derive(Default)]
pub(super) struct Inbox(OnceLock<(Sender<Event>, Sender<history::Keep>, Arc<Route>)>);

impl Inbox {
    pub(super) fn open(&self, events: Sender<Event>, keeps: Sender<history::Keep>, route: Arc<Route>) {
        let _ = self.0.set((events, keeps, route));
    }

    pub(super) fn take(&self, event: PeerEvent) {
        let Some((events, keeps, route)) = self.0.get() else { return };
        let event = match event {
            PeerEvent::Received { from, frame } => match frame {
                Frame::Consensus(message) => Event::Message { from, message },
                Frame::Work { id, work } => return route.receive(from, id, work),
                Frame::Answer { id, answer } => return route.answered(from, id, answer),
                Frame::LedgerWanted { from: first, to: _ } => {
                    // A full queue is an answer too: the peer asks again.
                    let _ = keeps.try_send(history::Keep::Serve { peer: from, from: first });
                    return;
                }
                Frame::LedgerPart { batches } => Event::LedgerPart { from, batches },
                Frame::LedgerEnd { last, point } => Event::LedgerEnd { from, end: log::Mark { point, seqno: last } },
            },
            PeerEvent::Found { peer } => return route.found(peer),
            PeerEvent::Silent { peer } => return route.silent(peer),
            PeerEvent::Lost { peer } => {
                route.lost(peer);
                Event::Lost { peer }
            }
        };
        if events.len() < EVENTS_MAX {
            let _ = events.send(event);
        } else {
            metrics::counter!("coco_consensus_messages_dropped_total").increment(1);
        }
    }
}
