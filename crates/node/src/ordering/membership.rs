//! Which nodes there are: the ledger's rows say whom members trust, and connections and consensus follow them.
//!
//! Until the ledger here names this node, it is behind, and knows what it was told when it joined or was founded. A node that
//! retires is talked with until consensus has let it go, since its vote may be needed for that.

use std::collections::BTreeSet;
use std::sync::Arc;

use adapter::Fault;
use base::{NodeId, Seqno};
use consensus::{Configuration, Input, Member, Role, Wanted};
use ledger::genesis::NodeStatus;
use tokio::sync::watch;

use super::Orderer;
use crate::genesis::ServiceTables;
use crate::nodes::{Listed, Nodes};
use crate::peers::Peer;

/// Ticks without a primary after which a node that retires believes that it was let go: those who let it go need not tell it.
const LET_GO_AFTER: u32 = 100;
/// Ticks for which it goes on once it knows: others may not know yet, and ask it for entries.
const LET_GO_FOR_SURE_AFTER: u32 = 20;

pub struct Membership {
    tables: ServiceTables,
    own: NodeId,
    /// What this node was told, for as long as its ledger is behind that.
    told: Arc<Nodes>,
    /// The rows as last looked at.
    seen: Option<Nodes>,
    /// Those that this node goes by.
    nodes: watch::Sender<Arc<Nodes>>,
    configuration: Configuration,
    /// Ticks since this node, which retires, last heard of a primary that counts it.
    lonely: u32,
}

impl Membership {
    pub fn new(tables: ServiceTables, own: NodeId, told: Arc<Nodes>, nodes: watch::Sender<Arc<Nodes>>) -> Self {
        Self { tables, own, told, seen: None, nodes, configuration: Configuration::default(), lonely: 0 }
    }

    pub fn id_of(&self, number: u64) -> Option<NodeId> {
        self.nodes.borrow().iter().find(|node| node.number == number).map(|node| node.id)
    }

    /// How many nodes vote.
    pub fn voters(&self) -> usize {
        self.configuration.voters().len()
    }

    /// Whom this node talks with.
    fn peers(&self) -> Vec<Peer> {
        let nodes = self.nodes.borrow();
        let speaks =
            |node: &&Listed| node.id != self.own && (node.status == NodeStatus::Trusted || self.counts(node.number));
        let peer = |node: &Listed| Peer { number: node.number, id: node.id, address: node.address.clone() };
        nodes.iter().filter(speaks).map(peer).collect()
    }

    /// Whether a node votes or follows, as far as this one knows.
    fn counts(&self, number: u64) -> bool {
        let member = Member(number);
        self.configuration.voters().contains(&member) || self.configuration.learners().contains(&member)
    }

    fn counts_itself(&self) -> bool {
        self.nodes.borrow().find(self.own).is_some_and(|node| self.counts(node.number))
    }

    fn own_status(&self) -> Option<NodeStatus> {
        self.nodes.borrow().find(self.own).map(|node| node.status)
    }
}

impl Orderer {
    /// Nodes as they are known at the start.
    pub(super) fn meet(&mut self) -> Result<(), Fault> {
        self.look_at_nodes()?;
        let configuration = self.tools.driver.status().configuration;
        let list = |members: &BTreeSet<Member>| members.iter().copied().collect();
        let (voters, followers) = (list(configuration.voters()), list(configuration.learners()));
        self.reconfigured(configuration)?;
        // Nobody else until this node knows what members decided. This first step writes down who takes part, too, before anything
        // may drop the entries that it follows from.
        self.step(Input::Want(Wanted { voters, followers }))
    }

    /// Looks at the rows of nodes, if they may have changed, and follows them.
    pub(super) fn look_at_nodes(&mut self) -> Result<(), Fault> {
        let snapshot = self.tools.plumbing.node.snapshot();
        let membership = &mut self.tools.membership;
        let rows = Nodes::read(&membership.tables, snapshot.state());
        if membership.seen.as_ref() != Some(&rows) {
            let named = rows.find(membership.own).is_some_and(|node| node.status != NodeStatus::Pending);
            let nodes = if named { Arc::new(rows.clone()) } else { membership.told.clone() };
            membership.nodes.send_if_modified(|known| {
                let changed = **known != *nodes;
                *known = nodes;
                changed
            });
            membership.seen = Some(rows);
            self.talk_with_peers()?;
        }
        self.want_voters(snapshot.seqno())
    }

    /// Members' decisions are what consensus is to become, as soon as this node leads and has seen all that was decided before.
    fn want_voters(&mut self, seen: Seqno) -> Result<(), Fault> {
        let Some(leading) = self.leading.as_mut().filter(|leading| leading.told && seen >= leading.begun_at) else {
            return Ok(());
        };
        let rows = self.tools.membership.seen.as_ref();
        let of = |lapsed: bool| {
            let nodes = rows.into_iter().flat_map(Nodes::trusted).filter(move |node| node.lapsed == lapsed);
            nodes.map(|node| Member(node.number)).collect()
        };
        // A node whose lease ran out follows on: only so can it prove itself anew.
        let wanted = Wanted { voters: of(false), followers: of(true) };
        if leading.wanted.as_ref() == Some(&wanted) {
            return Ok(());
        }
        leading.wanted = Some(wanted.clone());
        self.step(Input::Want(wanted))
    }

    /// Consensus has a new configuration.
    pub(super) fn reconfigured(&mut self, configuration: Configuration) -> Result<(), Fault> {
        tracing::info!(%configuration, "consensus configuration");
        let numbers = |members: &BTreeSet<Member>| members.iter().map(|member| member.0).collect::<Vec<_>>();
        let (voters, learners) = (numbers(configuration.voters()), numbers(configuration.learners()));
        self.tools.membership.configuration = configuration;
        self.tools.plumbing.status.send_modify(|status| {
            status.voters = voters;
            status.learners = learners;
        });
        self.talk_with_peers()
    }

    fn talk_with_peers(&self) -> Result<(), Fault> {
        self.tools.peers.set(&self.tools.membership.peers()).map_err(Fault::new)
    }

    /// Whether this node has been let go and may end.
    pub(super) fn was_let_go(&mut self) -> bool {
        let led = self.leading.is_some() || matches!(self.role, Role::Backup { primary: Some(_), .. });
        let membership = &mut self.tools.membership;
        if membership.own_status() != Some(NodeStatus::Retired) {
            return false;
        }
        let counts = membership.counts_itself();
        membership.lonely = if led && counts { 0 } else { membership.lonely + 1 };
        membership.lonely > if counts { LET_GO_AFTER } else { LET_GO_FOR_SURE_AFTER }
    }
}
