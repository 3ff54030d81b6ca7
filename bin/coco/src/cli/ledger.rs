//! The commands about hosted ledgers, as members see them, and about ledger files.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::governance::{At, Signer};

/// For `--connect`: from everywhere.
pub const ANYWHERE: &str = "any";

#[derive(Subcommand)]
pub enum Ledger {
    List(LedgerList),
    Open(LedgerOpen),
    /// Propose that a hosted ledger takes no more transactions until it is resumed; what it has stays readable
    Pause(LedgerChange),
    /// Propose that a paused ledger takes transactions again
    Resume(LedgerChange),
    /// Propose that a hosted ledger takes no more transactions, ever
    Close(LedgerChange),
    Policy(LedgerPolicy),
    Verify(LedgerVerify),
    Show(LedgerShow),
}

/// List the ledgers that a network hosts: of which kind, whether they are open, where they are served, who may connect
#[derive(Args)]
#[command(after_help = "Examples:\n  coco ledger list\n  coco ledger list --json | jq '.ledgers[].doors'")]
pub struct LedgerList {
    #[command(flatten)]
    pub at: At,
}

/// Propose that the network hosts another ledger
///
/// Once members have decided it, every node opens it while the network runs, and serves it where its own file (node.toml) says, or else
/// at --port. Hosted ledgers have NO TLS YET.
#[derive(Args)]
#[command(after_help = "\
Examples:
  coco ledger open shop --kind ethereum --genesis genesis.json --port 8546
  coco ledger open notes --kind keyvalue --port 8600 --connect 10.1.0.0/16,127.0.0.0/8
  coco ledger open shop --kind ethereum --genesis genesis.json --as member1 --prepare open.json")]
pub struct LedgerOpen {
    /// What it is called: letters, digits, dots, dashes. A name is used once, even if its ledger is closed
    #[arg(value_name = "NAME", value_parser = super::governance::name)]
    pub name: String,
    /// What it is
    #[arg(long, value_name = "KIND")]
    pub kind: LedgerKind,
    /// Ethereum: its first state, in geth's format
    #[arg(long, value_name = "FILE", required_if_eq("kind", "ethereum"))]
    pub genesis: Option<PathBuf>,
    /// Ethereum: base fee of every block, in wei [default: 0]
    #[arg(long, value_name = "WEI")]
    pub base_fee: Option<u64>,
    /// Ethereum: take blob transactions; the blobs themselves are not kept
    #[arg(long)]
    pub blobs: bool,
    /// Where nodes serve it whose own file says nothing else
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Option<u16>,
    /// From where clients may connect: networks, several with commas between them [default: any]
    #[arg(long, value_name = "CIDR", value_delimiter = ',', value_parser = network)]
    pub connect: Vec<String>,
    #[command(flatten)]
    pub signer: Signer,
    #[command(flatten)]
    pub at: At,
}

/// What a ledger is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum LedgerKind {
    Ethereum,
    Keyvalue,
}

/// Propose from where clients may connect to a hosted ledger
///
/// Once it is decided, every node keeps to it, and ends the connections of clients that are elsewhere.
#[derive(Args)]
#[command(after_help = "\
Examples:
  coco ledger policy ethereum --connect 10.1.0.0/16,127.0.0.0/8
  coco ledger policy ethereum --connect any")]
pub struct LedgerPolicy {
    /// The ledger's name
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Networks, several with commas between them; `any` for everywhere
    #[arg(long, value_name = "CIDR", value_delimiter = ',', required = true, value_parser = network)]
    pub connect: Vec<String>,
    #[command(flatten)]
    pub signer: Signer,
    #[command(flatten)]
    pub at: At,
}

/// A change of one hosted ledger.
#[derive(Args)]
#[command(after_help = "Example:\n  coco ledger pause ethereum --as member0")]
pub struct LedgerChange {
    /// The ledger's name
    #[arg(value_name = "NAME")]
    pub name: String,
    #[command(flatten)]
    pub signer: Signer,
    #[command(flatten)]
    pub at: At,
}

/// Check a whole ledger: every digest, every root, every signature
///
/// Needs no node and no key: the ledger brings the service's certificate along. Exits with 1, and says where and why, if
/// anything does not fit.
#[derive(Args)]
#[command(after_help = "Example:\n  coco ledger verify coco-network/node1/ledger")]
pub struct LedgerVerify {
    /// A node's ledger directory
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// The service certificate (PEM) that the ledger must belong to [default: the one it names itself]
    #[arg(long, value_name = "FILE")]
    pub service: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

/// Print the entries of a ledger in a form that people can read
///
/// Private tables are sealed and shown by their size.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  coco ledger show coco-network/node1/ledger --to 10\n  coco ledger show DIR --from 100 --json | jq .txid"
)]
pub struct LedgerShow {
    /// A node's ledger directory
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// The first entry
    #[arg(long, value_name = "SEQNO", default_value_t = 1)]
    pub from: u64,
    /// The last entry [default: the newest]
    #[arg(long, value_name = "SEQNO")]
    pub to: Option<u64>,
    /// Print one JSON object a line
    #[arg(long)]
    pub json: bool,
}

/// A network, as it is written shortest: an address alone is a network of one.
fn network(text: &str) -> Result<String, String> {
    if text == ANYWHERE {
        return Ok(text.into());
    }
    let like = || "a network is like 10.1.0.0/16, 10.1.2.3 or fd00::/8".to_owned();
    let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
    let address: IpAddr = address.parse().map_err(|_| like())?;
    let (value, width) = match address {
        IpAddr::V4(it) => (u128::from(it.to_bits()) << 96, 32),
        IpAddr::V6(it) => (it.to_bits(), 128),
    };
    let bits: u32 = bits.map_or(Ok(width), |bits| bits.parse().map_err(|_| like()))?;
    if bits > width {
        return Err(format!("an address of that kind has {width} bits"));
    }
    let beyond = u128::MAX.checked_shr(bits).unwrap_or(0);
    if value & beyond != 0 {
        let begins = value & !beyond;
        let begins = match address {
            IpAddr::V4(_) => IpAddr::V4(u32::try_from(begins >> 96).unwrap_or_default().into()),
            IpAddr::V6(_) => IpAddr::V6(begins.into()),
        };
        return Err(format!("the network that has this address is {begins}/{bits}"));
    }
    Ok(format!("{address}/{bits}"))
}

#[cfg(test)]
mod tests {
    use super::network;

    #[test]
    fn networks_are_written_from_their_first_address() {
        for (text, wanted) in [
            ("10.1.0.0/16", "10.1.0.0/16"),
            ("10.1.2.3", "10.1.2.3/32"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("fd00::/8", "fd00::/8"),
            ("0:0::1", "::1/128"),
            ("::/0", "::/0"),
            ("any", "any"),
        ] {
            assert_eq!(network(text).as_deref(), Ok(wanted), "{text}");
        }
        for (text, said) in [
            ("10.1.2.3/16", "10.1.0.0/16"),
            ("fd00::1/64", "fd00::/64"),
            ("10.0.0.0/33", "32 bits"),
            ("everywhere", "is like"),
            ("10.0.0.0/", "is like"),
            ("10.0.0.0/-1", "is like"),
            ("", "is like"),
        ] {
            assert!(network(text).unwrap_err().contains(said), "{text}");
        }
    }
}
