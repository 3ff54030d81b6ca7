//! What a constitution asks of the node beyond rows in tables.

/// Something that follows once the transaction is committed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect {
    /// A new ledger secret, as soon as nobody is counted who must not have it: a row says that it is wanted.
    RekeyLedger,
    /// New recovery shares of the ledger secret that is in use: a row says that they are wanted.
    RefreshRecoveryShares,
    /// Members have approved this service identity (PEM); after a disaster, also the one before it.
    OpenService {
        previous: Option<String>,
        next: String,
    },
    /// The chunk of the ledger that is being written ends here.
    CloseChunk,
    TakeSnapshot,
    /// The deployed application is compiled anew.
    RefreshBytecode,
}

/// What the node knows and a constitution may ask while it applies a proposal. Called on the thread of the script; none of
/// these changes anything.
pub trait Service: Send + Sync {
    /// The first seqno of the ledger secret in use.
    fn ledger_secret_seqno(&self) -> u64;

    /// A certificate (PEM) of the service for a node's signing request (PEM).
    fn endorse_node(&self, request: &str, valid_from: &str, days: u32) -> Result<String, String>;

    /// The service's certificate (PEM) with another validity.
    fn renew_certificate(&self, valid_from: &str, days: u32) -> Result<String, String>;

    /// Whether these are the identities (PEM) of this service and the one that it recovers.
    fn check_identities(&self, previous: Option<&str>, next: &str) -> Result<(), String>;
}

/// Where there is no node: in an audit, say, or where only `validate` is asked for.
pub struct NoService;

impl Service for NoService {
    fn ledger_secret_seqno(&self) -> u64 {
        0
    }

    fn endorse_node(&self, _: &str, _: &str, _: u32) -> Result<String, String> {
        Err("there is no service here that could endorse a certificate".to_owned())
    }

    fn renew_certificate(&self, _: &str, _: u32) -> Result<String, String> {
        Err("there is no service here that could renew its certificate".to_owned())
    }

    fn check_identities(&self, _: Option<&str>, _: &str) -> Result<(), String> {
        Err("there is no service here that could be opened".to_owned())
    }
}
