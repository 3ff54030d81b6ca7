//! The members of a test's network: they propose and vote at a node's HTTPS door, with the keys that its making left.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crypto::{ForeignCertificate, KeyPair};
use development::Layout;
use governance::MemberId;
use governance::envelope::{Kind, signed_bytes};
use minicbor::Encoder;
use minicbor::data::Tag;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value, json};

const YES: &str = "export function vote () { return true; }";

pub struct Members {
    members: Vec<(MemberId, KeyPair)>,
    tls: Arc<ClientConfig>,
    /// When the last request was made, as it says: each later than the one before.
    created_at: AtomicU64,
}

impl Members {
    /// Those of a network's directory.
    pub fn of(dir: &Path) -> Self {
        let layout = Layout::new(dir);
        let member = |name: &str| {
            let pem = std::fs::read_to_string(layout.member_certificate(name)).unwrap();
            let key = KeyPair::from_pkcs8_pem(&std::fs::read_to_string(layout.member_key(name)).unwrap()).unwrap();
            (MemberId::of(&ForeignCertificate::from_pem(&pem).unwrap()), key)
        };
        let mut roots = RootCertStore::empty();
        let service = std::fs::read(layout.service_certificate()).unwrap();
        roots.add(CertificateDer::from_pem_slice(&service).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let tls = Arc::new(tls.with_root_certificates(roots).with_no_client_auth());
        let members = ["member0", "member1", "member2"].map(member).into();
        Self { members, tls, created_at: AtomicU64::new(0) }
    }

    /// Every member signs the state: nobody counts before that.
    pub fn acknowledge(&self, door: SocketAddr) {
        for (id, key) in &self.members {
            let path = format!("/gov/members/state-digests/{id}");
            let (status, given) =
                self.post(door, &format!("{path}:update"), &self.sign(id, key, Kind::StateDigest, None, b""));
            assert_eq!(status, 200, "{given}");
            let ack = json!({ "stateDigest": given["stateDigest"] }).to_string();
            let (status, told) =
                self.post(door, &format!("{path}:ack"), &self.sign(id, key, Kind::Ack, None, ack.as_bytes()));
            assert_eq!(status, 204, "{told}");
        }
    }

    /// Proposes, and votes until it is decided or refused: the last answer.
    pub fn decide(&self, door: SocketAddr, actions: &Value) -> (u16, Value) {
        let body = json!({ "actions": actions }).to_string();
        let (id, key) = &self.members[0];
        let signed = self.sign(id, key, Kind::Proposal, None, body.as_bytes());
        let (mut status, mut said) = self.post(door, "/gov/members/proposals:create", &signed);
        for (id, key) in &self.members {
            if status != 200 || said["proposalState"] != "Open" {
                break;
            }
            let proposal = said["proposalId"].as_str().unwrap().to_owned();
            let ballot = json!({ "ballot": YES }).to_string();
            let signed = self.sign(id, key, Kind::Ballot, Some(&proposal), ballot.as_bytes());
            let path = format!("/gov/members/proposals/{proposal}/ballots/{id}:submit");
            (status, said) = self.post(door, &path, &signed);
        }
        (status, said)
    }

    /// What must be accepted.
    pub fn pass(&self, door: SocketAddr, actions: &Value) {
        let (status, said) = self.decide(door, actions);
        assert_eq!((status, &said["proposalState"]), (200, &json!("Accepted")), "{actions}: {said}");
    }

    fn sign(&self, id: &MemberId, key: &KeyPair, kind: Kind, proposal: Option<&str>, payload: &[u8]) -> Vec<u8> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let last = self.created_at.fetch_max(now, Ordering::Relaxed).max(now);
        self.created_at.store(last + 1, Ordering::Relaxed);
        let mut protected = Vec::new();
        let mut e = Encoder::new(&mut protected);
        e.map(if proposal.is_some() { 5 } else { 4 }).unwrap();
        e.i64(1).unwrap().i64(-35).unwrap();
        e.i64(4).unwrap().bytes(id.to_string().as_bytes()).unwrap();
        e.str("ccf.gov.msg.type").unwrap().str(kind.text()).unwrap();
        if let Some(id) = proposal {
            e.str("ccf.gov.msg.proposal_id").unwrap().str(id).unwrap();
        }
        e.str("ccf.gov.msg.created_at").unwrap().u64(last).unwrap();
        let signature = key.sign(&signed_bytes(&protected, payload)).unwrap();
        let mut bytes = Vec::new();
        let mut e = Encoder::new(&mut bytes);
        e.tag(Tag::new(18)).unwrap().array(4).unwrap().bytes(&protected).unwrap().map(0).unwrap();
        e.bytes(payload).unwrap().bytes(&signature).unwrap();
        bytes
    }

    /// Asks again where a script did not get its time on this machine, or the node was busy: nothing was done then.
    fn post(&self, door: SocketAddr, path: &str, body: &[u8]) -> (u16, Value) {
        let mut said = self.post_once(door, path, body);
        for _ in 0..20 {
            let slow = said.1["error"]["message"].as_str().is_some_and(|message| message.contains("took too long"));
            if said.0 != 503 && !slow {
                break;
            }
            said = self.post_once(door, path, body);
        }
        said
    }

    fn post_once(&self, door: SocketAddr, path: &str, body: &[u8]) -> (u16, Value) {
        let name = ServerName::try_from("localhost").unwrap();
        let connection = ClientConnection::new(self.tls.clone(), name).unwrap();
        let mut stream = StreamOwned::new(connection, TcpStream::connect(door).unwrap());
        let head = format!(
            "POST {path}?api-version=2024-07-01 HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/cose\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body).unwrap();
        let mut answer = Vec::new();
        // How the connection ends is nobody's business once the answer is there.
        let _ = stream.read_to_end(&mut answer);
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        let status = std::str::from_utf8(&answer[..end]).unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_slice(&answer[end + 4..]).unwrap_or_default())
    }
}
