//! What a person needs once the network serves.

use development::{Layout, LedgerKind, Network, Signing};

use super::Options;
use crate::network::{Node, ReadyFile, Status};
use crate::printer::{Printer, Tone};

pub struct Facts<'a> {
    pub options: &'a Options,
    pub network: &'a Network,
    pub nodes: &'a [Node],
    /// What each of them says.
    pub statuses: &'a [Status],
    pub ready: &'a ReadyFile,
}

pub fn print(facts: &Facts<'_>, printer: &Printer) {
    let Facts { options, network, nodes, statuses, ready } = facts;
    let layout = Layout::new(&options.dir);
    let title = |text: &str| printer.paint(Tone::Strong, format!("{text:<10}"));
    let dir = options.dir.display();

    printer.show("");
    printer.show(format!(
        "{}  {}",
        printer.paint(Tone::Strong, format!("Coco, a development network of {}", super::count(nodes.len() as u64))),
        printer.paint(Tone::Warning, "virtual TEE: not protected, whoever can read the files can read everything")
    ));
    printer.show("");
    if let (Some(ethereum), Some(chain_id)) = (&ready.ethereum, ready.chain_id) {
        printer.show(format!("{} {}   {}", title("Ethereum"), ethereum.http, ethereum.ws));
        printer.show(format!("{} chain id {chain_id}", title("")));
    }
    for (i, (node, described)) in nodes.iter().zip(&ready.nodes).enumerate() {
        let role = if described.primary { printer.paint(Tone::Good, "primary") } else { "backup ".into() };
        printer.show(format!(
            "{} {} {role}  {}   {}  pid {}",
            title(if i == 0 { "Nodes" } else { "" }),
            node.number,
            described.ethereum.as_deref().unwrap_or_default(),
            printer.paint(Tone::Faint, format!("{}/node/status", described.http)),
            described.pid
        ));
    }
    let first = statuses.first();
    if let Some(address) = first.and_then(|status| status.door(LedgerKind::Keyvalue)) {
        printer.show(format!("{} http://{address}", title("Key-value")));
    }
    if first.is_some_and(|status| status.ledgers.is_empty()) {
        let genesis = layout.genesis();
        let how = format!("coco ledger open ethereum --kind ethereum --genesis {}", genesis.display());
        printer.show(format!("{} as members open them   {}", title("Ledgers"), printer.paint(Tone::Faint, how)));
    }
    if let Some(first) = ready.nodes.first() {
        let hint = printer.paint(Tone::Faint, "coco member list");
        printer.show(format!("{} {}   {hint}", title("Governance"), first.governance));
    }
    if ready.ethereum.is_some() {
        accounts(&layout, ready, printer);
    }
    printer.show(format!("{} {} in {}", title("Members"), network.members.join(", "), layout.members().display()));
    printer.show(format!("{} {}", title("Service"), ready.service_certificate.display()));
    let signed = match network.signing {
        Signing::Cose => "",
        Signing::Dual => "   (signed twice)",
    };
    let node_range = if nodes.len() == 1 { "node1".into() } else { format!("node{{1..{}}}", nodes.len()) };
    printer.show(format!("{} {dir}/{node_range}/ledger{signed}", title("Ledger")));
    printer.show(format!("{} {dir}/{node_range}/node.log", title("Logs")));
    let stop = if options.detach { format!("coco down --dir {dir}") } else { "Ctrl-C".into() };
    printer.show(format!("{} {stop}", title("Stop")));
    printer.show("");
}

fn accounts(layout: &Layout, ready: &ReadyFile, printer: &Printer) {
    let default_genesis = std::fs::read(layout.genesis()).is_ok_and(|g| g == development::DEFAULT_GENESIS.as_bytes());
    let funds = if default_genesis { "10,000 ETH each" } else { "funded as the genesis says" };
    printer.show(format!(
        "{} {funds}; unlocked; the keys are known to everyone",
        printer.paint(Tone::Strong, "Accounts  ")
    ));
    for account in &ready.accounts {
        printer.show(format!("           {}  {}", account.address, printer.paint(Tone::Faint, account.private_key)));
    }
}
