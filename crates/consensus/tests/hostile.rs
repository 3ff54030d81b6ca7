//! No peer can make the driver panic: neither by bytes at random, nor by real messages with changed bytes, nor by
//! well-formed messages that lie about the present state.
//!
//! A liar can of course break the agreement itself (peers are attested for that reason), so only the absence of panics
//! is asked for here. Overflow checks are on in every profile.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::collections::VecDeque;

use base::View;
use bytes::Bytes;
use consensus::{
    Body, CatchUp, Config, Configuration, Content, Driver, Effects, Index, Input, Item, Member, Membership, Message,
    Point, Stored, VIEW_MAX, Wanted, WriteNumber,
};
use proptest::collection::vec;
use proptest::prelude::*;

const NODES: u64 = 3;

/// One thing that happens. Numbers are taken modulo what there is, so that shrinking keeps them valid.
#[derive(Debug, Clone)]
enum Event {
    Tick { node: u64, times: u8 },
    Propose { node: u64, bytes: u8 },
    Persist { node: u64 },
    Deliver { wire: usize },
    Corrupt { wire: usize, place: usize, with: u8 },
    Bytes { to: u64, from: u64, bytes: Vec<u8> },
    Lie { to: u64, from: u64, lie: Lie },
    Compact { node: u64, index: u8 },
    Transfer { node: u64, to: u8 },
    Install { node: u64, ahead: u8 },
    Campaign { node: u64 },
    Unreachable { node: u64, peer: u64 },
    Want { node: u64, members: Vec<u64> },
}

/// A well-formed message whose numbers are near, or far from, those of the node that gets it.
#[derive(Debug, Clone)]
struct Lie {
    kind: u8,
    view: Near,
    index: Near,
    index_view: Near,
    other: Near,
    flag: bool,
    entries: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
enum Near {
    By(i8),
    Far,
    Zero,
}

impl Near {
    fn to(self, base: u64, far: u64) -> u64 {
        match self {
            Self::By(offset) => base.saturating_add_signed(i64::from(offset)).min(far),
            Self::Far => far,
            Self::Zero => 0,
        }
    }
}

fn near() -> impl Strategy<Value = Near> {
    prop_oneof![8 => (-3_i8..4).prop_map(Near::By), 1 => Just(Near::Far), 1 => Just(Near::Zero)]
}

fn lie() -> impl Strategy<Value = Lie> {
    (0_u8..11, near(), near(), near(), near(), any::<bool>(), vec(0_u8..9, 0..4)).prop_map(
        |(kind, view, index, index_view, other, flag, entries)| Lie {
            kind,
            view,
            index,
            index_view,
            other,
            flag,
            entries,
        },
    )
}

fn event() -> impl Strategy<Value = Event> {
    let node = || 0..NODES;
    prop_oneof![
        4 => (node(), 1_u8..24).prop_map(|(node, times)| Event::Tick { node, times }),
        4 => (node(), 0_u8..9).prop_map(|(node, bytes)| Event::Propose { node, bytes }),
        8 => node().prop_map(|node| Event::Persist { node }),
        16 => any::<usize>().prop_map(|wire| Event::Deliver { wire }),
        4 => any::<(usize, usize, u8)>().prop_map(|(wire, place, with)| Event::Corrupt { wire, place, with }),
        1 => (node(), node(), vec(any::<u8>(), 0..60)).prop_map(|(to, from, bytes)| Event::Bytes { to, from, bytes }),
        12 => (node(), node(), lie()).prop_map(|(to, from, lie)| Event::Lie { to, from, lie }),
        1 => (node(), any::<u8>()).prop_map(|(node, index)| Event::Compact { node, index }),
        1 => (node(), 0_u8..5).prop_map(|(node, to)| Event::Transfer { node, to }),
        1 => (node(), 0_u8..6).prop_map(|(node, ahead)| Event::Install { node, ahead }),
        2 => node().prop_map(|node| Event::Campaign { node }),
        1 => (node(), node()).prop_map(|(node, peer)| Event::Unreachable { node, peer }),
        2 => (node(), vec(0_u64..6, 0..5)).prop_map(|(node, members)| Event::Want { node, members }),
    ]
}

struct Cluster {
    drivers: Vec<Driver>,
    open: Vec<Option<WriteNumber>>,
    wires: VecDeque<(Member, Member, Bytes)>,
}

impl Cluster {
    fn new(nodes: u64) -> Self {
        let members: Vec<_> = (1..=nodes).map(Member).collect();
        let driver = |id: &Member| {
            let config =
                Config { append_bytes_max: 30, uncommitted_bytes_max: 60, ..Config::new(*id, members.clone(), 3) };
            Driver::new(config, Stored::default()).unwrap()
        };
        let drivers: Vec<_> = members.iter().map(driver).collect();
        Self { open: vec![None; drivers.len()], drivers, wires: VecDeque::new() }
    }

    fn step(&mut self, node: u64, input: Input) {
        let place = node as usize % self.drivers.len();
        let Effects { write, send, committed, catch_up, .. } = self.drivers[place].step(input);
        self.open[place] = write.map(|write| write.number).or(self.open[place]);
        let from = Member(place as u64 + 1);
        self.wires.extend(send.into_iter().map(|(to, bytes)| (from, to, bytes)));
        while self.wires.len() > 200 {
            self.wires.pop_front();
        }
        if let Some(last) = committed.last() {
            self.step(node, Input::Applied(last.index));
        }
        if let Some(CatchUp { to, .. }) = catch_up {
            assert!(to.index > Index(0));
        }
    }

    fn take(&mut self, wire: usize) -> Option<(Member, Member, Bytes)> {
        let place = wire.checked_rem(self.wires.len())?;
        self.wires.remove(place)
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Tick { node, times } => (0..times).for_each(|_| self.step(node, Input::Tick)),
            Event::Propose { node, bytes } => self.step(node, Input::Propose(vec![b'x'; bytes.into()].into())),
            Event::Persist { node } => {
                if let Some(number) = self.open[node as usize % self.drivers.len()].take() {
                    self.step(node, Input::Persisted(number));
                }
            }
            Event::Deliver { wire } => {
                if let Some((from, to, message)) = self.take(wire) {
                    self.step(to.0 - 1, Input::Receive { from, message });
                }
            }
            Event::Corrupt { wire, place, with } => {
                if let Some((from, to, message)) = self.take(wire) {
                    let mut bytes = message.to_vec();
                    let place = place % bytes.len();
                    bytes[place] = with;
                    self.step(to.0 - 1, Input::Receive { from, message: bytes.into() });
                }
            }
            Event::Bytes { to, from, bytes } => {
                self.step(to, Input::Receive { from: Member(from), message: bytes.into() });
            }
            Event::Lie { to, from, lie } => {
                let message = self.message(to, &lie).encode();
                self.step(to, Input::Receive { from: Member(from + 1), message });
            }
            Event::Compact { node, index } => self.step(node, Input::Compact(Index(index.into()))),
            Event::Transfer { node, to } => {
                self.step(node, Input::Transfer(to.checked_sub(1).map(|to| Member(to.into()))));
            }
            Event::Install { node, ahead } => {
                let last = self.drivers[node as usize % self.drivers.len()].status().last;
                let index = last.index.0.saturating_sub(2) + u64::from(ahead);
                let input = Input::Installed(Point::new(index, if index == 0 { 0 } else { last.view.0.max(2) }));
                self.step(node, if ahead == 0 { Input::CatchUpFailed } else { input });
            }
            Event::Campaign { node } => self.step(node, Input::Campaign),
            Event::Want { node, members } => {
                self.step(node, Input::Want(Wanted::to_vote(members.into_iter().map(Member).collect())));
            }
            Event::Unreachable { node, peer } => self.step(node, Input::Unreachable(Member(peer + 1))),
        }
    }

    fn message(&self, to: u64, lie: &Lie) -> Message {
        let status = self.drivers[to as usize % self.drivers.len()].status();
        let (consensus::Role::Primary { view, .. }
        | consensus::Role::Backup { view, .. }
        | consensus::Role::Candidate { view }) = status.role;
        // Far views would end every conversation, so they come seldom: only by changed bytes.
        let view = View(lie.view.to(view.0, view.0 + 5).clamp(1, VIEW_MAX));
        let index = Index(lie.index.to(status.last.index.0, 1 << 62));
        let other = Index(lie.other.to(status.committed.0, 1 << 62));
        let index_view = lie.index_view.to(status.last.view.0, VIEW_MAX).clamp(u64::from(index.0 > 0), VIEW_MAX);
        let point = if index.0 == 0 { Point::default() } else { Point { index, view: View(index_view.max(1)) } };
        let body = match lie.kind {
            0 => {
                let before = Point { view: point.view.min(view), ..point };
                let item = |data: &u8| Item { view, content: content(*data) };
                Body::Append { before, commit: other, entries: lie.entries.iter().map(item).collect() }
            }
            1 => Body::Appended { index, commit: other },
            2 => Body::Refused { before: other, hint: point, commit: index },
            3 => Body::Vote { last: point, handover: lie.flag },
            4 => Body::Voted { granted: lie.flag },
            5 => Body::PreVote { last: point },
            6 => Body::PreVoted { granted: lie.flag },
            7 => Body::Heartbeat { commit: index },
            8 => Body::Alive { commit: index },
            9 => {
                let to = Point { index: Index(index.0.max(1)), view: View(index_view.clamp(1, view.0)) };
                let membership =
                    Membership { since: other.min(to.index), configuration: configuration(lie.entries.len()) };
                Body::CatchUp { to, known: to.index, membership }
            }
            _ => Body::TakeOver,
        };
        Message { view, body }
    }
}

/// Who takes part, in the eyes of a liar: this node or not, one voter more or many.
fn configuration(number: usize) -> Configuration {
    let members = |numbers: &[u64]| numbers.iter().copied().map(Member).collect::<Vec<_>>();
    let (voters, learners) = [
        (members(&[1, 2, 3]), members(&[])),
        (members(&[2, 3]), members(&[])),
        (members(&[1]), members(&[2, 3])),
        (members(&[7, 8, 9]), members(&[1, 10])),
        (members(&[1, 2, 3, 4]), members(&[5])),
    ][number % 5]
        .clone();
    Configuration::new(voters, learners).unwrap()
}

/// Small numbers are batches of that length.
fn content(number: u8) -> Content {
    match number {
        0..4 => Content::batch(vec![b'y'; number.into()].into()),
        other => Content::Configuration(configuration(other.into())),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, ..ProptestConfig::default() })]

    #[test]
    fn no_message_makes_the_driver_panic(events in vec(event(), 1..250)) {
        let mut cluster = Cluster::new(NODES);
        for event in events {
            cluster.happen(event);
        }
    }

    #[test]
    fn no_message_makes_a_single_node_panic(events in vec(event(), 1..200)) {
        let mut cluster = Cluster::new(1);
        for event in events {
            cluster.happen(event);
        }
    }

    /// A node alone goes on, whatever bytes come and whoever is wanted beside it.
    #[test]
    fn a_single_node_is_not_disturbed(events in vec(event(), 1..100)) {
        let mut cluster = Cluster::new(1);
        for event in events {
            if !matches!(event, Event::Lie { .. } | Event::Install { .. }) {
                cluster.happen(event);
            }
        }
        for _ in 0..40 {
            cluster.happen(Event::Tick { node: 0, times: 1 });
            cluster.happen(Event::Persist { node: 0 });
        }
        let before = cluster.drivers[0].status().committed;
        cluster.happen(Event::Propose { node: 0, bytes: 1 });
        cluster.happen(Event::Persist { node: 0 });
        prop_assert_eq!(cluster.drivers[0].status().committed, before.next());
    }
}

/// The library asserts that a candidate's log is synced when it wins. Honest votes come only after that; a lie could
/// come before.
#[test]
fn a_vote_before_the_candidacy_is_durable_is_dropped() {
    let mut cluster = Cluster::new(NODES);
    let backup = &mut cluster.drivers[1];
    let mut say = |view, body| {
        let message = Message { view: View(view), body }.encode();
        backup.step(Input::Receive { from: Member(1), message })
    };
    let entries = vec![Item { view: View(2), content: Content::Mark }];
    say(2, Body::Append { before: Point::default(), commit: Index(0), entries });
    let candidacy = say(2, Body::TakeOver);
    assert_eq!(candidacy.role, Some(consensus::Role::Candidate { view: View(3) }));
    assert_eq!(candidacy.send, []);
    assert_eq!(say(3, Body::Voted { granted: true }).ignored, Some(consensus::Ignored::VoteTooEarly));

    let asked = backup.step(Input::Persisted(WriteNumber(u64::MAX)));
    assert_eq!(asked.send.len(), 3, "one acknowledgement, two requests for votes");
    let message = Message { view: View(3), body: Body::Voted { granted: true } }.encode();
    let won = backup.step(Input::Receive { from: Member(1), message });
    assert_eq!(won.role, Some(consensus::Role::Primary { view: View(3), mark: Index(2) }));
}

#[test]
fn only_peers_are_heard_and_only_the_primary_hands_over() {
    let mut cluster = Cluster::new(NODES);
    let mut hear = |from, body| {
        let message = Message { view: View(2), body }.encode();
        cluster.drivers[1].step(Input::Receive { from: Member(from), message }).ignored
    };
    use consensus::Ignored::{NotAPeer, NotPrimary};
    for stranger in [0, 2] {
        assert_eq!(hear(stranger, Body::Heartbeat { commit: Index(0) }), Some(NotAPeer(Member(stranger))));
    }
    assert_eq!(hear(1, Body::TakeOver), Some(NotPrimary));
    assert_eq!(hear(1, Body::Heartbeat { commit: Index(0) }), None);
    assert_eq!(hear(3, Body::TakeOver), Some(NotPrimary));
    let membership = Membership { since: Index(0), configuration: configuration(0) };
    let offer = Body::CatchUp { to: Point::new(9, 2), known: Index(9), membership };
    assert_eq!(hear(3, offer), Some(NotPrimary));
    // Nobody but the runtime says who is a peer.
    assert_eq!(hear(4, Body::PreVote { last: Point::default() }), None);
}
