//! Asking a service: HTTPS to one of its nodes, with the service's certificate as the only root, a deadline, and a bound on every answer.

use std::fs;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use governance::Kind;
use serde::de::DeserializeOwned;
use ureq::http::Response;
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};
use ureq::{Agent, Body};

use super::answers::{self, List, Problem, StateDigest};
use super::refusal::Refusal;
use super::{About, Member, People, Place, Proposal, Request, Signer, plain};
use crate::failure::Failure;
use crate::network;
use crate::printer::Printer;

/// No answer of governance is larger: a constitution has a mebibyte at most.
const ANSWER_BYTES_MAX: u64 = 64 << 20;
/// A node decides within a minute, or says that it could not.
const DEADLINE: Duration = Duration::from_secs(70);
/// To find a node that answers at all.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a busy service, or one that is choosing a primary, is asked again.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(200);
/// When waiting is mentioned.
const MENTION: Duration = Duration::from_secs(1);
const VERSION: &str = "api-version=2024-07-01";
const TRANSACTION: &str = "x-ms-ccf-transaction-id";

/// A service, by one of its nodes.
pub struct Service<'a> {
    agent: Agent,
    /// Scheme, host and port of the node.
    base: String,
    place: &'a Place,
    printer: &'a Printer,
}

/// Why there is no answer of use.
pub enum Trouble {
    Refused(Refusal),
    Failed(Failure),
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Refused(refusal) => refusal.into(),
            Trouble::Failed(failure) => failure,
        }
    }
}

/// What became of a signed request.
pub struct Sent {
    pub body: Vec<u8>,
    /// Where in the ledger it stands, if it changed something.
    pub transaction: Option<String>,
}

impl Sent {
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_slice(&self.body).map_err(|e| unexpected(&e))
    }
}

impl<'a> Service<'a> {
    /// Finds a node that answers.
    pub fn reach(place: &'a Place, printer: &'a Printer) -> Result<Self, Failure> {
        let (certificate, bases) = match place {
            Place::Url { base, service_certificate } => (service_certificate.clone(), vec![base.clone()]),
            Place::Dir(dir) => {
                let (_, nodes) = network::open(dir)?;
                let bases = nodes.iter().map(|node| format!("https://{}", node.file.governance)).collect();
                (development::Layout::new(dir).service_certificate(), bases)
            }
        };
        let pem = fs::read(&certificate).map_err(|e| Failure::file("read", &certificate, &e))?;
        let root = Certificate::from_pem(&pem)
            .map_err(|e| Failure::from_error(format!("{} is no certificate", certificate.display()), &e))?;
        let agent = agent(root);
        let mut why = Vec::new();
        for base in bases {
            let ask = agent.get(format!("{base}/node/state")).config().timeout_global(Some(CONNECT)).build();
            match mentioned(printer, &format!("waiting for {base}"), || ask.call()) {
                Ok(_) => return Ok(Self { agent, base, place, printer }),
                Err(e) => why.push(format!("\n    {base}: {e}")),
            }
        }
        let what = format!("no node of the network answers{}", why.concat());
        Err(Failure::new(what).hint(match place {
            Place::Dir(dir) => format!("`coco up --dir {}` starts it, `coco status` shows its nodes", dir.display()),
            Place::Url { .. } => format!(
                "is the address right, and {} the certificate of the service there? No other one is trusted",
                certificate.display()
            ),
        }))
    }

    /// A JSON document of `/gov`.
    pub fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Trouble> {
        let body = self.read(path)?;
        serde_json::from_slice(&body).map_err(|e| Trouble::Failed(unexpected(&e)))
    }

    /// A text of `/gov`.
    pub fn text(&self, path: &str) -> Result<String, Trouble> {
        let body = self.read(path)?;
        String::from_utf8(body).map_err(|e| Trouble::Failed(unexpected(&e)))
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, Trouble> {
        let hint = "the answers to questions change nothing: ask again";
        Ok(self.patiently(hint, || self.agent.get(self.url(path)).call())?.body)
    }

    /// Lets a member sign, sends it, and waits until it is committed.
    pub fn send(
        &self,
        signer: &Signer,
        kind: Kind,
        proposal_id: Option<&str>,
        payload: &[u8],
    ) -> Result<Sent, Trouble> {
        let request = Request::new(signer, &About::now(kind, proposal_id), payload).map_err(Trouble::Failed)?;
        let signature = signer.sign(&request.to_be_signed()).map_err(Trouble::Failed)?;
        self.deliver(&path(kind, proposal_id, &signer.id), &request.name, &request.sealed(&signature))
    }

    /// Sends what `name` has signed, and waits until it is committed.
    pub fn deliver(&self, path: &str, name: &str, request: &[u8]) -> Result<Sent, Trouble> {
        let url = self.url(path);
        let hint = "whether it was done is not known: `coco proposal list` and `coco member list` show what stands";
        let sent = self.patiently(hint, || self.agent.post(&url).content_type("application/cose").send(request));
        sent.map_err(|trouble| match trouble {
            Trouble::Refused(refusal) => Trouble::Refused(Refusal { signer: Some(name.to_owned()), ..refusal }),
            failed => failed,
        })
    }

    fn url(&self, path: &str) -> String {
        format!("{}/gov/{path}?{VERSION}", self.base)
    }

    /// Asks again for a while as long as the service says that it is busy. A signed request counts once however often it is sent.
    /// `hint` is for whoever hears nothing.
    fn patiently(&self, hint: &str, ask: impl Fn() -> Result<Response<Body>, ureq::Error>) -> Result<Sent, Trouble> {
        let begun = Instant::now();
        mentioned(self.printer, "the service takes its time", || {
            loop {
                let silent = |e: ureq::Error| {
                    Trouble::Failed(Failure::new(format!("{} gave no whole answer: {e}", self.base)).hint(hint))
                };
                match self.taken(ask().map_err(silent)?, silent) {
                    Err(Trouble::Refused(refusal)) if refusal.status == 503 && begun.elapsed() < PATIENCE => {
                        thread::sleep(PAUSE);
                    }
                    other => return other,
                }
            }
        })
    }

    fn taken(&self, mut answer: Response<Body>, silent: impl FnOnce(ureq::Error) -> Trouble) -> Result<Sent, Trouble> {
        let status = answer.status().as_u16();
        let transaction = answer.headers().get(TRANSACTION).and_then(|value| value.to_str().ok()).map(plain);
        let read = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec();
        let body = read.map_err(silent)?;
        if (200..300).contains(&status) {
            return Ok(Sent { body, transaction });
        }
        match serde_json::from_slice::<Problem>(&body) {
            Ok(Problem { error }) => Err(Trouble::Refused(Refusal {
                status,
                code: plain(&error.code),
                message: error.message,
                signer: None,
            })),
            Err(_) => Err(Trouble::Failed(
                Failure::new(format!("{} answers with HTTP status {status} and no reason", self.base))
                    .hint("does a node of a Coco network serve members there?"),
            )),
        }
    }

    /// All members, with what they are called.
    pub fn people(&self) -> Result<People, Trouble> {
        let List { value } = self.get("service/members")?;
        Ok(People::new(value, self.place.layout().as_ref()))
    }

    pub fn member(&self, id: &str) -> Result<Member, Trouble> {
        self.get(&format!("service/members/{id}"))
    }

    pub fn proposals(&self) -> Result<Vec<Proposal>, Trouble> {
        Ok(self.get::<List<Proposal>>("members/proposals")?.value)
    }

    pub fn proposal(&self, id: &str) -> Result<Proposal, Trouble> {
        self.get(&format!("members/proposals/{id}"))
    }

    /// All nodes, ascending by number.
    pub fn nodes(&self) -> Result<Vec<answers::Node>, Trouble> {
        let List { mut value } = self.get::<List<answers::Node>>("coco/nodes")?;
        value.sort_by_key(|node| node.number);
        Ok(value)
    }

    /// The hosted ledgers, by name.
    pub fn ledgers(&self) -> Result<Vec<answers::Ledger>, Trouble> {
        Ok(self.get::<List<answers::Ledger>>("coco/ledgers")?.value)
    }

    /// What a proposal would do, action by action.
    pub fn actions(&self, id: &str) -> Result<Vec<answers::Action>, Trouble> {
        Ok(self.get::<answers::Body>(&format!("members/proposals/{id}/actions"))?.actions)
    }

    /// The script of a member's ballot.
    pub fn ballot(&self, id: &str, member: &str) -> Result<String, Trouble> {
        self.text(&format!("members/proposals/{id}/ballots/{member}"))
    }

    /// The rules that proposals are judged by, if the service tells them and judges by them.
    pub fn policies(&self) -> Result<Option<answers::Policies>, Trouble> {
        match self.get::<answers::Policies>("coco/policies") {
            Ok(policies) => Ok(Some(policies).filter(|policies| policies.judged)),
            // A service of another kind has no such thing to tell.
            Err(Trouble::Refused(refusal)) if refusal.status == 404 => Ok(None),
            Err(trouble) => Err(trouble),
        }
    }

    /// When a proposal's ballots came.
    pub fn times(&self, id: &str) -> Result<answers::Times, Trouble> {
        self.get(&format!("coco/proposals/{id}/times"))
    }

    pub fn constitution(&self) -> Result<String, Trouble> {
        self.text("service/constitution")
    }

    /// Lets a member sign the state. Returns the digest that it signed, and where in the ledger that stands.
    pub fn acknowledge(&self, signer: &Signer) -> Result<(String, Option<String>), Trouble> {
        let given = self.send(signer, Kind::StateDigest, None, &[])?;
        let StateDigest { state_digest } = given.json().map_err(Trouble::Failed)?;
        let done = self.send(signer, Kind::Ack, None, acknowledgement(&state_digest).as_bytes())?;
        Ok((plain(&state_digest), done.transaction))
    }

    /// The digest that a member was given to sign, if it was given one.
    pub fn state_digest(&self, member: &str) -> Result<Option<String>, Trouble> {
        match self.get::<StateDigest>(&format!("members/state-digests/{member}")) {
            Ok(given) => Ok(Some(given.state_digest)),
            Err(Trouble::Refused(refusal)) if refusal.status == 404 => Ok(None),
            Err(trouble) => Err(trouble),
        }
    }

    /// The proposal whose id begins like this.
    pub fn find(&self, id: &str) -> Result<Proposal, Failure> {
        let id = id.to_ascii_lowercase();
        if id.is_empty() || !id.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(Failure::new(format!("{} is no id of a proposal", plain(&id))).hint(
                "an id is 64 hexadecimal characters, and its beginning is enough; `coco proposal list` has them",
            ));
        }
        if id.len() == 64 {
            return Ok(self.proposal(&id)?);
        }
        let mut found: Vec<_> = self.proposals()?.into_iter().filter(|p| p.proposal_id.starts_with(&id)).collect();
        match found.len() {
            1 => Ok(found.remove(0)),
            0 => Err(Failure::new(format!("the service remembers no proposal whose id begins with {id}"))
                .hint("`coco proposal list` has those that it remembers; what was decided earlier is in the ledger")),
            n => {
                let ids: Vec<&str> = found.iter().map(|p| p.proposal_id.as_str()).collect();
                Err(Failure::new(format!("{n} proposals begin with {id}"))
                    .hint(format!("say more of the id: {}", ids.join(", "))))
            }
        }
    }
}

/// Where a signed request goes: what it says itself decides.
pub fn path(kind: Kind, proposal_id: Option<&str>, signer: &str) -> String {
    let id = proposal_id.unwrap_or_default();
    match kind {
        Kind::Proposal => "members/proposals:create".into(),
        Kind::Withdrawal => format!("members/proposals/{id}:withdraw"),
        Kind::Ballot => format!("members/proposals/{id}/ballots/{signer}:submit"),
        Kind::StateDigest => format!("members/state-digests/{signer}:update"),
        Kind::Ack => format!("members/state-digests/{signer}:ack"),
        Kind::RecoveryShare => format!("recovery/members/{signer}:recover"),
    }
}

/// What a member signs to acknowledge a state.
pub fn acknowledgement(digest: &str) -> String {
    serde_json::json!({ "stateDigest": digest }).to_string()
}

fn agent(root: Certificate<'static>) -> Agent {
    let tls = TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .root_certs(RootCerts::new_with_certs(&[root]))
        .build();
    Agent::config_builder()
        .tls_config(tls)
        .https_only(true)
        .timeout_global(Some(DEADLINE))
        .timeout_connect(Some(CONNECT))
        .http_status_as_error(false)
        // Whoever signs says where to; nothing in the environment changes that.
        .proxy(None)
        .max_redirects(0)
        .build()
        .new_agent()
}

/// Does something that may take long, and says so if it does.
fn mentioned<T>(printer: &Printer, what: &str, act: impl FnOnce() -> T) -> T {
    let (done, waited) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            if waited.recv_timeout(MENTION) == Err(mpsc::RecvTimeoutError::Timeout) {
                printer.note(format!("{what} …"));
            }
        });
        let result = act();
        drop(done);
        result
    })
}

fn unexpected(error: &dyn std::error::Error) -> Failure {
    Failure::new(format!("the service answers with what this program does not know: {error}"))
        .hint("programs and nodes of one version understand each other")
}
