//! What was asked for, against what the directory holds already. A network does not change because of a flag.

use std::fs;
use std::net::{IpAddr, SocketAddr};

use development::{ETHEREUM, Layout, LedgerKind, Network, NodeFile};

use super::{Options, count};
use crate::failure::Failure;
use crate::network::Node;

/// Refuses flags that contradict the network; moves node 1 to another port if that was asked for and it does not run.
pub fn check(options: &Options, network: &Network) -> Result<(), Failure> {
    let layout = Layout::new(&options.dir);
    let conflict = |what: String, flag: &str| {
        Failure::new(format!("the network in {} {what}", options.dir.display()))
            .hint(format!("leave {flag} out to go on with it, or make another network with another --dir"))
    };
    let made = network.nodes.len() as u64;
    if let Some(asked) = options.nodes.filter(|asked| *asked != made) {
        return Err(conflict(format!("was made with {}, not {asked}", count(made)), "--nodes"));
    }
    if let Some(asked) = options.signing.filter(|asked| *asked != network.signing) {
        let what = format!("signs its ledger in the form {:?}, not {asked:?}", network.signing).to_lowercase();
        return Err(conflict(what, "--signing"));
    }
    if let Some((path, asked)) = &options.genesis {
        let kept = layout.genesis();
        let genesis = fs::read(&kept).map_err(|e| Failure::file("read", &kept, &e))?;
        if genesis != *asked {
            return Err(conflict(format!("was made with another genesis than {}", path.display()), "--genesis"));
        }
    }
    let Some(first) = network.nodes.first() else { return Ok(()) };
    let first = Node::read(layout.node(first.number), first.id.clone())?;
    same_address(options, &first)?;
    if options.bare && !network.ledgers.is_empty() {
        return Err(conflict("was made with ledgers".into(), "--bare"));
    }
    let hosted = network.ledgers.iter().find(|ledger| ledger.kind == LedgerKind::Ethereum);
    let (base_fee, blobs) = hosted.map_or((0, false), |ledger| (ledger.base_fee, ledger.blobs));
    if let Some(asked) = options.base_fee.filter(|asked| *asked != base_fee) {
        return Err(conflict(format!("has a base fee of {base_fee} wei, not {asked}"), "--base-fee"));
    }
    if options.blobs && !blobs {
        return Err(conflict("takes no blob transactions".into(), "--blobs"));
    }
    let Some(ledger) = first.file.ledger(ETHEREUM) else { return Ok(()) };
    match options.rpc_port {
        None | Some(0) => Ok(()),
        Some(port) if port == ledger.listen.port() => Ok(()),
        Some(_) if first.process().is_some() => {
            let what = format!("runs already, with node 1 at port {}", ledger.listen.port());
            Err(conflict(what, "--rpc-port"))
        }
        Some(port) => move_to(&first, port),
    }
}

/// A network's addresses are in its certificates and in its ledger.
fn same_address(options: &Options, first: &Node) -> Result<(), Failure> {
    let made = first.file.governance.ip();
    match options.listen.filter(|asked| *asked != made) {
        None => Ok(()),
        Some(asked) => {
            Err(Failure::new(format!("the network in {} listens on {made}, not {asked}", options.dir.display()))
                .hint("leave --listen out to go on with it, or make another network with another --dir"))
        }
    }
}

fn move_to(node: &Node, port: u16) -> Result<(), Failure> {
    check_port(node.file.governance.ip(), port)?;
    let mut file: NodeFile = node.file.clone();
    for ledger in file.ledgers.iter_mut().filter(|ledger| ledger.name == ETHEREUM) {
        ledger.listen.set_port(port);
    }
    Ok(file.write(node.layout.dir())?)
}

/// Before anything is made: the port that was asked for is free.
pub fn check_port(listen: IpAddr, port: u16) -> Result<(), Failure> {
    if port != 0 && development::in_use(SocketAddr::from((listen, port))) {
        return Err(Failure::new(format!("port {port} on {listen} is in use (or needs more rights)"))
            .hint("choose another with --rpc-port, 0 for any that is free; or stop the program that uses it"));
    }
    Ok(())
}
