//! The commands of members: who they are, what they propose and vote, the constitution that decides.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};

#[derive(Subcommand)]
pub enum Member {
    List(MemberList),
    New(MemberNew),
    Ack(MemberAck),
    Rotate(MemberRotate),
}

/// List the members of a network
///
/// A member counts once it is active: it has signed the state with `coco member ack`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  coco member list
  coco member list --url https://node.example:8443 --service-certificate service_cert.pem --json")]
pub struct MemberList {
    #[command(flatten)]
    pub at: At,
}

/// Make the key and the certificate of someone who is to become a member
///
/// Writes NAME_privk.pem, NAME_cert.pem and NAME_proposal.json, and asks nobody: who becomes a member is for the members to vote on.
#[derive(Args)]
#[command(after_help = "Examples:\n  coco member new erin\n  coco member new erin --out ~/keys --days 90")]
pub struct MemberNew {
    /// What the member is called: letters, digits, dots and dashes
    #[arg(value_name = "NAME", value_parser = name)]
    pub name: String,
    /// Where the files go [default: the members' directory of the network in --dir, or the current one if there is no network]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// How long the certificate is valid
    #[arg(long, value_name = "N", default_value_t = 365, value_parser = clap::value_parser!(u64).range(1..=36_500))]
    pub days: u64,
    /// The network's directory
    #[arg(long, value_name = "DIR", default_value = "./coco-network")]
    pub dir: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Sign the state of the network as a member, and become active with that
///
/// The service gives the digest of its ledger; the member signs it and gives it back. Members who have done so propose and vote.
#[derive(Args)]
#[command(after_help = "\
Examples:
  coco member ack --all                      everyone whose key is in the network's directory: for development
  coco member ack --certificate erin_cert.pem --key erin_privk.pem --url URL --service-certificate service_cert.pem
  coco member ack --certificate erin_cert.pem --key agent: --url URL --service-certificate service_cert.pem
  coco member ack --as erin --prepare ack.json           the key is somewhere else: see `coco request`")]
pub struct MemberAck {
    /// Sign for every member whose key is in the network's directory
    #[arg(long, conflicts_with_all = ["signer", "certificate", "key", "prepare", "url"])]
    pub all: bool,
    #[command(flatten)]
    pub signer: Signer,
    #[command(flatten)]
    pub at: At,
}

/// Propose that a member goes on with another certificate and key
///
/// Its data, its encryption key and its place in policies stay; its id becomes that of the new certificate. The old key counts no more once
/// it is accepted, and the member counts again once the new key has signed the state.
#[derive(Args)]
#[command(after_help = "\
Examples:
  coco member new ann-2027 --out ~/keys                          the new key and its certificate
  coco member rotate ~/keys/ann-2027_cert.pem --as ann           ann proposes it for itself, with the old key
  coco member rotate bob_cert.pem --member 3f2a… --as ann        for another one, whose key is lost")]
pub struct MemberRotate {
    /// The new certificate (PEM)
    #[arg(value_name = "CERTIFICATE")]
    pub new: PathBuf,
    /// Whose it is to be: a member's id [default: whoever signs]
    #[arg(long, value_name = "ID")]
    pub member: Option<String>,
    /// The certificates between the new one and its organisation's (PEM), for a member that an organisation vouches for
    #[arg(long, value_name = "FILE")]
    pub chain: Option<PathBuf>,
    #[command(flatten)]
    pub signer: Signer,
    #[command(flatten)]
    pub at: At,
}

#[derive(Subcommand)]
pub enum Proposal {
    New(ProposalNew),
    List(ProposalList),
    Show(ProposalShow),
    Vote(ProposalVote),
    Withdraw(ProposalWithdraw),
}

/// Propose a change of the network
///
/// The proposer's own vote is not part of it: vote afterwards.
#[derive(Args)]
#[command(after_help = "\
Examples:
  coco proposal new erin_proposal.json --as member0
  echo '[{\"name\": \"remove_member\", \"args\": {\"member_id\": \"3f2a…\"}}]' | coco proposal new -
  coco proposal new --action set_constitution --arg constitution@new.js")]
#[command(group = ArgGroup::new("what").required(true).args(["file", "action"]))]
pub struct ProposalNew {
    /// A JSON list of actions, or {"actions": [...]}; `-` reads standard input
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Propose this one action instead
    #[arg(long, value_name = "NAME")]
    pub action: Option<String>,
    /// An argument of the action: `key=value` (JSON, or else a text), or `key@FILE` for what a file says, as a text
    #[arg(long = "arg", value_name = "ARGUMENT", requires = "action")]
    pub args: Vec<String>,
    #[command(flatten)]
    pub signer: Signer,
    #[command(flatten)]
    pub at: At,
}

/// List the proposals that the service remembers
///
/// All that are open, and the one that was decided last: what was decided before is in the ledger.
#[derive(Args)]
#[command(after_help = "Example:\n  coco proposal list")]
pub struct ProposalList {
    #[command(flatten)]
    pub at: At,
}

/// Say what a proposal would change, who has voted, and what is still needed
#[derive(Args)]
#[command(after_help = "Examples:\n  coco proposal show 3f2a\n  coco proposal show 3f2a --json | jq .actions")]
pub struct ProposalShow {
    /// The proposal's id, or how it begins
    #[arg(value_name = "ID")]
    pub id: String,
    #[command(flatten)]
    pub at: At,
}

/// Vote on a proposal
///
/// A ballot is a script that is run whenever the proposal is looked at; it cannot be changed once it is cast.
#[derive(Args)]
#[command(after_help = "\
Examples:
  coco proposal vote 3f2a --yes --as member1
  coco proposal vote 3f2a --yes --as member1 --key agent:
  coco proposal vote 3f2a --no --as member1 --prepare vote.json
  coco proposal vote 3f2a --script ballot.js     export function vote(proposal, proposerId) { return …; }")]
#[command(group = ArgGroup::new("ballot").required(true).args(["yes", "no", "script"]))]
pub struct ProposalVote {
    /// The proposal's id, or how it begins
    #[arg(value_name = "ID")]
    pub id: String,
    /// For it
    #[arg(long)]
    pub yes: bool,
    /// Against it
    #[arg(long)]
    pub no: bool,
    /// As the function `vote` in this file says
    #[arg(long, value_name = "FILE")]
    pub script: Option<PathBuf>,
    #[command(flatten)]
    pub signer: Signer,
    #[command(flatten)]
    pub at: At,
}

/// Take back a proposal of one's own
#[derive(Args)]
#[command(after_help = "Example:\n  coco proposal withdraw 3f2a --as member0")]
pub struct ProposalWithdraw {
    /// The proposal's id, or how it begins
    #[arg(value_name = "ID")]
    pub id: String,
    #[command(flatten)]
    pub signer: Signer,
    #[command(flatten)]
    pub at: At,
}

#[derive(Subcommand)]
pub enum Constitution {
    Show(ConstitutionShow),
    Check(ConstitutionCheck),
    Diff(ConstitutionDiff),
}

/// Print the constitution that is in force
#[derive(Args)]
#[command(after_help = "Example:\n  coco constitution show > constitution.js")]
pub struct ConstitutionShow {
    #[command(flatten)]
    pub at: At,
}

/// Check that a script is a constitution, as the service would before it accepts one
///
/// Needs no network: the script is loaded into the engine that the nodes use, under their bounds. Exits with 1 if it is none.
#[derive(Args)]
#[command(after_help = "Example:\n  coco constitution check constitution.js")]
pub struct ConstitutionCheck {
    /// JavaScript that exports validate, resolve and apply
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Compare the constitution in force with another one
///
/// Exits with 1 if they differ.
#[derive(Args)]
#[command(after_help = "\
Examples:
  coco constitution diff constitution.js
  coco constitution diff --proposal 3f2a     what a proposal would make of it")]
#[command(group = ArgGroup::new("other").required(true).args(["file", "proposal"]))]
pub struct ConstitutionDiff {
    /// JavaScript
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// The constitution that this proposal would set: its id, or how that begins
    #[arg(long, value_name = "ID")]
    pub proposal: Option<String>,
    #[command(flatten)]
    pub at: At,
}

#[derive(Subcommand)]
pub enum Governance {
    Log(GovernanceLog),
}

/// Judge every decision of a ledger again: who decided what, and does it follow from the rules of then?
///
/// Needs no network and no key. The ledger is verified first; then each signed request in it is verified with the certificate in force at
/// its time and judged by the constitution in force at its time. Exits with 1 if anything does not follow.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  coco governance log ./coco-network/node1/ledger\n  coco governance log DIR --json | jq 'select(.follows | not)'"
)]
pub struct GovernanceLog {
    /// A node's ledger directory
    #[arg(value_name = "DIR")]
    pub ledger: PathBuf,
    /// Print JSON, a line for each
    #[arg(long)]
    pub json: bool,
}

/// Which network.
#[derive(Args)]
pub struct At {
    /// The network's directory
    #[arg(long, value_name = "DIR", default_value = "./coco-network", conflicts_with = "url")]
    pub dir: PathBuf,
    /// A node of a network elsewhere: where it serves members
    #[arg(long, value_name = "https://…", requires = "service_certificate")]
    pub url: Option<String>,
    /// The certificate (PEM) of the service behind --url, and the only one that is trusted
    #[arg(long, value_name = "FILE", requires = "url")]
    pub service_certificate: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Who signs, and where the key is.
#[derive(Args)]
#[command(group = ArgGroup::new("whose").args(["signer", "certificate"]))]
#[command(group = ArgGroup::new("hand").args(["key", "prepare"]))]
pub struct Signer {
    /// Sign as this member of the network's directory [default: the first one whose key is there]
    // Not called `name`: whatever a command is about may have a name, too.
    #[arg(id = "signer", long = "as", value_name = "NAME", conflicts_with = "url")]
    pub name: Option<String>,
    /// Sign as the member with this certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "hand")]
    pub certificate: Option<PathBuf>,
    /// The private key of the certificate: a FILE (PEM, not encrypted), `agent:` for one that the ssh-agent holds, or a PKCS#11
    /// URI for one in a token: 'pkcs11:token=NAME;object=NAME?module-path=/usr/lib/….so&pin-source=FILE'
    #[arg(long, value_name = "KEY", requires = "whose")]
    pub key: Option<PathBuf>,
    /// The key is somewhere else: write what is to be signed into this file, and send nothing (`coco request` goes on with it)
    #[arg(long, value_name = "FILE", requires = "whose")]
    pub prepare: Option<PathBuf>,
}

#[derive(Subcommand)]
pub enum Request {
    Show(RequestShow),
    Sign(RequestSign),
    Send(RequestSend),
}

/// Say what a request that was prepared asks for, and which digest is to be signed
///
/// Needs no network. All of it is read out of what is signed; nothing else in the file is believed.
#[derive(Args)]
#[command(after_help = "\
Examples:
  coco request show vote.json
  coco request show vote.json --json                 {\"alg\": …, \"value\": …}, as Azure's Key Vault takes it
  coco request show vote.json --json | jq -r .value | base64 -d > digest
  openssl pkeyutl -sign -inkey ann_privk.pem -in digest -out vote.sig")]
pub struct RequestShow {
    /// What a command wrote with --prepare
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Print JSON: the algorithm and the digest
    #[arg(long)]
    pub json: bool,
}

/// Sign a request that was prepared on another machine
///
/// Needs no network. Says what is signed, and prints the signature.
#[derive(Args)]
#[command(after_help = "\
Examples:
  coco request sign vote.json --key ann_privk.pem > vote.sig
  coco request sign vote.json --key 'pkcs11:token=Coco;object=ann?module-path=/usr/lib/softhsm/libsofthsm2.so' > vote.sig")]
pub struct RequestSign {
    /// What a command wrote with --prepare
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The private key of the member: a FILE (PEM), `agent:`, or a PKCS#11 URI
    #[arg(long, value_name = "KEY")]
    pub key: PathBuf,
}

/// Send a request that was prepared, with the signature that was made elsewhere
///
/// The signature is verified with the member's certificate first; a wrong one is not sent.
#[derive(Args)]
#[command(after_help = "\
Examples:
  coco request send vote.json --signature vote.sig
  coco request send vote.json --signature vote.sig --url URL --service-certificate service_cert.pem")]
pub struct RequestSend {
    /// What a command wrote with --prepare
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The signature: as `coco request sign`, OpenSSL or Azure's Key Vault write it; `-` reads standard input
    #[arg(long, value_name = "FILE")]
    pub signature: PathBuf,
    #[command(flatten)]
    pub at: At,
}

fn name(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let fits = text.len() <= 64 && text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(plain);
    if fits { Ok(text.into()) } else { Err("a name is letters, digits, dots and dashes, 64 at most".into()) }
}
