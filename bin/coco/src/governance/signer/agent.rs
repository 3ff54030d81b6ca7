//! Keys that an ssh-agent holds: two of its messages, over the socket that the environment names.
//!
//! ```text
//!   message  = length: u32, kind: u8, fields
//!   11 ⇒ 12    which keys?          count: u32, count × (key, comment)
//!   13 ⇒ 14    sign                 key, data, flags: u32 ⇒ signature
//!   key        = "ecdsa-sha2-nistp384", "nistp384", 4 ‖ x ‖ y
//!   signature  = "ecdsa-sha2-nistp384", (r: mpint, s: mpint)
//! ```
//!
//! Texts and numbers are strings: a length and so many bytes. An agent signs the digest that goes with the curve of exactly the data
//! that it is given, and that is what COSE wants of ES256, ES384 and ES512, too.
//!
//! The agent is a program of the same user, and is believed no more than others: every length is bounded, and the signature is
//! verified by whoever asked.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use crypto::ForeignKey;
use crypto::foreign_key::{Curve, Numbers};

use super::curve_name;
use crate::failure::Failure;

const SOCKET: &str = "SSH_AUTH_SOCK";
/// What OpenSSH's agent takes and gives at most.
const MESSAGE_BYTES_MAX: usize = 256 << 10;
/// More keys than anybody has.
const KEYS_MAX: u32 = 2_048;
/// A person may have to agree, at a dialog or on a device.
const PATIENCE: Duration = Duration::from_secs(120);

const WHICH_KEYS: u8 = 11;
const KEYS: u8 = 12;
const SIGN: u8 = 13;
const SIGNATURE: u8 = 14;

/// A key that an agent holds.
pub struct Agent {
    socket: PathBuf,
    /// As the agent names it.
    blob: Vec<u8>,
}

impl Agent {
    /// The agent that the environment names, if it holds this key.
    pub fn of_environment(key: &ForeignKey, name: &str) -> Result<Self, Failure> {
        match std::env::var_os(SOCKET).filter(|socket| !socket.is_empty()) {
            Some(socket) => Self::open(PathBuf::from(socket), key, name),
            None => Err(Failure::new(format!("there is no ssh-agent: {SOCKET} is not set"))
                .hint("`eval $(ssh-agent)` starts one, `ssh-add ann_privk.pem` gives it a key")),
        }
    }

    fn open(socket: PathBuf, key: &ForeignKey, name: &str) -> Result<Self, Failure> {
        let wanted = blob(key).ok_or_else(|| {
            Failure::new(format!("an ssh-agent cannot hold the key of {name}: it is on none of the curves"))
        })?;
        let agent = Self { socket, blob: wanted };
        let answer = agent.ask(WHICH_KEYS, &[], KEYS)?;
        let keys = keys(&answer).ok_or_else(|| agent.nonsense())?;
        if keys.iter().any(|(key, _)| *key == agent.blob) {
            return Ok(agent);
        }
        let usable: Vec<String> =
            keys.iter().filter_map(|(key, comment)| Some(format!("{} ({comment})", curve_in(key)?))).collect();
        let held = match (keys.len(), usable.is_empty()) {
            (0, _) => "it holds none".to_owned(),
            (n, true) => format!("none of its {n} keys is one that members sign with (ECDSA)"),
            (_, false) => format!("of those that members could sign with it holds {}", usable.join(", ")),
        };
        Err(Failure::new(format!("the ssh-agent does not hold the key of the certificate of {name}"))
            .hint(format!("{held}; `ssh-add {name}_privk.pem` gives it the key")))
    }

    /// `r ‖ s` over the message.
    pub fn sign(&self, curve: Curve, message: &[u8]) -> Result<Vec<u8>, Failure> {
        let mut fields = Vec::with_capacity(self.blob.len() + message.len() + 12);
        string(&mut fields, &self.blob);
        string(&mut fields, message);
        fields.extend_from_slice(&0_u32.to_be_bytes());
        if fields.len() + 1 > MESSAGE_BYTES_MAX {
            let kib = message.len() >> 10;
            return Err(Failure::new(format!("the request has {kib} KiB, and an ssh-agent signs 256 at most"))
                .hint("sign it in another way: with --key FILE, --key pkcs11:…, or --prepare FILE"));
        }
        let answer = self.ask(SIGN, &fields, SIGNATURE)?;
        fixed(&answer, curve).ok_or_else(|| self.nonsense())
    }

    /// One question, one answer of the kind that is wanted.
    fn ask(&self, kind: u8, fields: &[u8], wanted: u8) -> Result<Vec<u8>, Failure> {
        let (given, answer) = self.exchange(kind, fields).map_err(|e| {
            let failure =
                Failure::from_error(format!("the ssh-agent at {} gives no answer", self.socket.display()), &e);
            failure.hint(format!("does it run? `ssh-add -l` asks it, too; {SOCKET} says where it is"))
        })?;
        match given {
            given if given == wanted => Ok(answer),
            _ if kind == SIGN => Err(Failure::new("the ssh-agent would not sign")
                .hint("it may be locked (`ssh-add -X`), the key may need your consent (`ssh-add -c`), or its time be over (`ssh-add -t`)")),
            _ => Err(Failure::new("the ssh-agent would not say which keys it holds").hint("it may be locked: `ssh-add -X`")),
        }
    }

    fn exchange(&self, kind: u8, fields: &[u8]) -> io::Result<(u8, Vec<u8>)> {
        let mut stream = UnixStream::connect(&self.socket)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let length = u32::try_from(fields.len() + 1).map_err(io::Error::other)?;
        stream.write_all(&[&length.to_be_bytes()[..], &[kind], fields].concat())?;
        let mut head = [0; 5];
        stream.read_exact(&mut head)?;
        let [a, b, c, d, given] = head;
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        if !(1..=MESSAGE_BYTES_MAX).contains(&length) {
            return Err(io::Error::other(format!("a message of {length} bytes")));
        }
        let mut answer = vec![0; length - 1];
        stream.read_exact(&mut answer)?;
        Ok((given, answer))
    }

    fn nonsense(&self) -> Failure {
        Failure::new(format!("what answers at {} does not speak as an ssh-agent does", self.socket.display()))
            .hint(format!("{SOCKET} says where the agent is"))
    }
}

/// How SSH names a curve.
fn ssh_name(curve: Curve) -> &'static str {
    match curve {
        Curve::P256 => "nistp256",
        Curve::P384 => "nistp384",
        Curve::P521 => "nistp521",
    }
}

/// The key as an agent names it.
fn blob(key: &ForeignKey) -> Option<Vec<u8>> {
    let Numbers::Ec { curve, x, y } = key.numbers() else { return None };
    let mut blob = Vec::with_capacity(160);
    string(&mut blob, format!("ecdsa-sha2-{}", ssh_name(*curve)).as_bytes());
    string(&mut blob, ssh_name(*curve).as_bytes());
    string(&mut blob, &[&[4], &x[..], &y[..]].concat());
    Some(blob)
}

/// What the curve of an agent's key is called, if it is on one.
fn curve_in(blob: &[u8]) -> Option<&'static str> {
    let kind = Fields(blob).string()?;
    let curves = [Curve::P256, Curve::P384, Curve::P521].into_iter();
    let mut found = curves.filter(|curve| kind.strip_prefix(b"ecdsa-sha2-") == Some(ssh_name(*curve).as_bytes()));
    found.next().map(curve_name)
}

/// Keys with their comments.
fn keys(answer: &[u8]) -> Option<Vec<(Vec<u8>, String)>> {
    let mut fields = Fields(answer);
    let count = fields.number().filter(|count| *count <= KEYS_MAX)?;
    let mut keys = Vec::new();
    for _ in 0..count {
        let key = fields.string()?.to_vec();
        keys.push((key, crate::governance::plain(&String::from_utf8_lossy(fields.string()?))));
    }
    Some(keys)
}

/// The numbers of a signature, both as long as the curve says.
fn fixed(answer: &[u8], curve: Curve) -> Option<Vec<u8>> {
    let mut signature = Fields(Fields(answer).string()?);
    if signature.string()? != format!("ecdsa-sha2-{}", ssh_name(curve)).as_bytes() {
        return None;
    }
    let mut numbers = Fields(signature.string()?);
    let mut both = Vec::with_capacity(2 * curve.bytes());
    for _ in 0..2 {
        let number = numbers.string()?;
        // A number that would be negative otherwise has a zero before it.
        let number = &number[number.iter().take_while(|byte| **byte == 0).count()..];
        both.resize(both.len() + curve.bytes().checked_sub(number.len())?, 0);
        both.extend_from_slice(number);
    }
    Some(both)
}

fn string(to: &mut Vec<u8>, bytes: &[u8]) {
    // What is longer than a message is refused before it is sent.
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    to.extend_from_slice(&length.to_be_bytes());
    to.extend_from_slice(bytes);
}

/// Bytes that are read from the front.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn number(&mut self) -> Option<u32> {
        let (head, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*head))
    }

    fn string(&mut self) -> Option<&'a [u8]> {
        let length = self.number()? as usize;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;
    use std::thread;

    use crypto::KeyPair;

    use super::*;

    fn key() -> ForeignKey {
        ForeignKey::from_spki_der(KeyPair::generate().unwrap().public().spki_der()).unwrap()
    }

    fn strings(parts: &[&[u8]]) -> Vec<u8> {
        let mut all = Vec::new();
        parts.iter().for_each(|part| string(&mut all, part));
        all
    }

    #[test]
    fn numbers_of_a_signature_are_padded_to_the_curve() {
        let of = |r: &[u8], s: &[u8]| strings(&[&strings(&[b"ecdsa-sha2-nistp256", &strings(&[r, s])])]);
        let both = fixed(&of(&[0, 0x80], &[7; 32]), Curve::P256).unwrap();
        assert_eq!((both.len(), &both[..32]), (64, &[&[0; 31][..], &[0x80]].concat()[..]));
        assert!(fixed(&of(&[1; 33], &[1]), Curve::P256).is_none(), "too long for the curve");
        assert!(fixed(&of(&[1], &[1]), Curve::P384).is_none(), "of another curve");
        let whole = of(&[1; 32], &[1; 32]);
        for cut in 0..whole.len() {
            assert!(fixed(&whole[..cut], Curve::P256).is_none());
        }
    }

    /// An agent that gives these answers in turn, whatever it is asked.
    fn answering(answers: Vec<Vec<u8>>) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("agent");
        let listener = UnixListener::bind(&socket).unwrap();
        thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let mut head = [0; 4];
                stream.read_exact(&mut head).unwrap();
                stream.read_exact(&mut vec![0; u32::from_be_bytes(head) as usize]).unwrap();
                stream.write_all(&answer).unwrap();
            }
        });
        (dir, socket)
    }

    fn message(kind: u8, fields: &[u8]) -> Vec<u8> {
        let length = u32::try_from(fields.len() + 1).unwrap();
        [&length.to_be_bytes()[..], &[kind], fields].concat()
    }

    #[test]
    fn what_an_agent_says_is_not_believed() {
        let (wanted, other) = (key(), key());
        let held = |keys: &[(&[u8], &[u8])]| {
            let mut fields = u32::try_from(keys.len()).unwrap().to_be_bytes().to_vec();
            keys.iter().for_each(|(key, comment)| fields.extend(strings(&[key, comment])));
            message(KEYS, &fields)
        };
        let other_blob = blob(&other).unwrap();
        for (answer, said) in [
            (held(&[]), "it holds none"),
            (held(&[(&strings(&[b"ssh-ed25519", b"k"]), b"laptop")]), "none of its 1 keys"),
            (held(&[(&other_blob, b"work\x1b")]), "P-384 (work\\u{1b})"),
            (message(5, &[]), "locked"),
            (message(KEYS, &[0xff; 4]), "SSH_AUTH_SOCK"),
            (message(KEYS, &[0, 0, 0, 9]), "SSH_AUTH_SOCK"),
            (vec![0xff; 5], "SSH_AUTH_SOCK"),
            (vec![0, 0], "does it run"),
        ] {
            let (_dir, socket) = answering(vec![answer]);
            let failure = Agent::open(socket, &wanted, "ann").err().unwrap();
            assert!(failure.hint.as_deref().unwrap().contains(said), "{said}: {failure:?}");
        }
        let blob = blob(&wanted).unwrap();
        let (_dir, socket) = answering(vec![held(&[(&blob, b"")]), message(5, &[]), message(SIGNATURE, b"no")]);
        let agent = Agent::open(socket, &wanted, "ann").unwrap();
        assert!(agent.sign(Curve::P384, b"text").unwrap_err().message.contains("would not sign"));
        assert!(agent.sign(Curve::P384, b"text").unwrap_err().message.contains("does not speak"));
        let large = agent.sign(Curve::P384, &vec![0; MESSAGE_BYTES_MAX]).unwrap_err();
        assert!(large.message.contains("256 at most"), "{}", large.message);
        let gone = Agent::open("/none/such".into(), &wanted, "ann").err().unwrap();
        assert!(gone.hint.unwrap().contains("ssh-add -l"));
    }
}
