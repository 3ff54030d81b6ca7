//! Members whose keys are not in a file of this machine: signed elsewhere, by an ssh-agent, by a token.
//!
//! The agent is the real one of OpenSSH, the token SoftHSM, and what signs elsewhere is OpenSSL. Where one of them is not installed, its
//! tests say so and are skipped.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]

#[expect(dead_code, reason = "this test uses a part of it")]
mod place;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use place::{Place, text};
use serde_json::Value;

const CURVES: [(&str, &str); 3] = [("prime256v1", "ES256"), ("secp384r1", "ES384"), ("secp521r1", "ES512")];

/// Where a member without a network works.
struct Desk {
    dir: tempfile::TempDir,
    environment: Vec<(&'static str, PathBuf)>,
}

impl Desk {
    /// `None`, loudly, if a program is missing.
    fn new(programs: &[&str]) -> Option<Self> {
        for program in programs {
            let there = Command::new(program).arg("-V").stdin(Stdio::null()).output();
            if there.is_err_and(|e| e.kind() == std::io::ErrorKind::NotFound) {
                eprintln!("SKIPPED: {program} is not installed");
                return None;
            }
        }
        Some(Self { dir: tempfile::tempdir().unwrap(), environment: Vec::new() })
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn run(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_coco"));
        command.args(args).current_dir(self.dir.path()).env_remove("SSH_AUTH_SOCK");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).output().unwrap()
    }

    fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}{}", text(&output.stdout), text(&output.stderr));
        text(&output.stdout)
    }

    fn fails(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {}{}", text(&output.stdout), text(&output.stderr));
        text(&output.stderr)
    }

    /// A program of somebody else, which must succeed.
    fn tool(&self, program: &str, args: &[&str]) {
        let mut command = Command::new(program);
        command.args(args).current_dir(self.dir.path()).stdin(Stdio::null());
        let output = command.envs(self.environment.iter().map(|(name, value)| (name, value))).output().unwrap();
        assert!(output.status.success(), "{program} {args:?}: {}{}", text(&output.stdout), text(&output.stderr));
    }

    /// A key on a curve and its certificate, as a member makes them with OpenSSL.
    fn make(&self, name: &str, curve: &str) {
        let (key, certificate) = (format!("{name}_privk.pem"), format!("{name}_cert.pem"));
        let parameter = format!("ec_paramgen_curve:{curve}");
        self.tool("openssl", &["genpkey", "-algorithm", "EC", "-pkeyopt", &parameter, "-out", &key]);
        self.tool(
            "openssl",
            &[
                "req",
                "-x509",
                "-new",
                "-key",
                &key,
                "-subj",
                &format!("/CN={name}"),
                "-days",
                "9",
                "-out",
                &certificate,
            ],
        );
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(self.file(&key), fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// Prepares a proposal of this member; what is to be signed, for machines.
    fn prepare(&self, name: &str) -> Value {
        let certificate = format!("{name}_cert.pem");
        let file = format!("{name}.json");
        let _ = fs::remove_file(self.file(&file));
        let task = self.ok(&[
            "proposal",
            "new",
            "--action",
            "pause_ledger",
            "--arg",
            "name=eth",
            "--certificate",
            &certificate,
            "--prepare",
            &file,
            "--json",
        ]);
        serde_json::from_str(&task).unwrap()
    }

    /// Whether a signature is taken for that of the member: sending goes on to look for a network, and there is none.
    fn takes(&self, name: &str, signature: &str) -> bool {
        let said = self.fails(&["request", "send", &format!("{name}.json"), "--signature", signature]);
        assert!(
            said.contains("nothing was sent") || said.contains("there is no network") || said.contains("no network"),
            "{said}"
        );
        !said.contains("nothing was sent")
    }
}

/// A process that ends with the test.
struct Ends(Child);

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn agent(desk: &mut Desk) -> Ends {
    let socket = desk.file("agent");
    let mut command = Command::new("ssh-agent");
    let child = command.arg("-D").arg("-a").arg(&socket).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let child = Ends(child);
    let begun = Instant::now();
    while !socket.exists() {
        assert!(begun.elapsed() < Duration::from_secs(60), "the ssh-agent does not start");
        thread::sleep(Duration::from_millis(10));
    }
    desk.environment.push(("SSH_AUTH_SOCK", socket));
    child
}

/// A token of SoftHSM in the desk's directory, and the library that speaks for it. `None`, loudly, if it is not installed.
fn softhsm(desk: &mut Desk) -> Option<PathBuf> {
    let places = ["/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so"];
    let named = std::env::var_os("COCO_SOFTHSM").map(PathBuf::from);
    let library = named.or_else(|| places.into_iter().map(PathBuf::from).find(|path| path.is_file()));
    let Some(library) = library else {
        eprintln!("SKIPPED: SoftHSM is not installed (Debian: softhsm2); COCO_SOFTHSM names its library elsewhere");
        return None;
    };
    let (tokens, configuration) = (desk.file("tokens"), desk.file("softhsm2.conf"));
    fs::create_dir(&tokens).unwrap();
    fs::write(&configuration, format!("directories.tokendir = {}\nlog.level = ERROR\n", tokens.display())).unwrap();
    desk.environment.push(("SOFTHSM2_CONF", configuration));
    desk.environment.push(("COCO_PKCS11_MODULE", library.clone()));
    fs::write(desk.file("pin"), "1234\n").unwrap();
    for label in ["Coco", "Other"] {
        desk.tool(
            "softhsm2-util",
            &[
                "--module",
                library.to_str().unwrap(),
                "--init-token",
                "--free",
                "--label",
                label,
                "--pin",
                "1234",
                "--so-pin",
                "5678",
            ],
        );
    }
    Some(library)
}

fn import(desk: &Desk, library: &Path, name: &str, id: &str) {
    let key = format!("{name}_privk.pem");
    desk.tool(
        "softhsm2-util",
        &[
            "--module",
            library.to_str().unwrap(),
            "--import",
            &key,
            "--token",
            "Coco",
            "--label",
            name,
            "--id",
            id,
            "--pin",
            "1234",
        ],
    );
}

#[test]
fn a_digest_is_signed_elsewhere_on_every_curve() {
    let Some(desk) = Desk::new(&["openssl", "base64"]) else { return };
    for (curve, algorithm) in CURVES {
        desk.make("ann", curve);
        let task = desk.prepare("ann");
        assert_eq!((task["alg"].as_str(), task.as_object().unwrap().len()), (Some(algorithm), 2), "{task}");
        let twice =
            desk.fails(&["proposal", "new", "--action", "x", "--certificate", "ann_cert.pem", "--prepare", "ann.json"]);
        assert!(twice.contains("cannot write ann.json"), "{twice}");

        fs::write(desk.file("digest.txt"), task["value"].as_str().unwrap()).unwrap();
        desk.tool("sh", &["-c", "base64 -d digest.txt > digest"]);
        desk.tool("openssl", &["pkeyutl", "-sign", "-inkey", "ann_privk.pem", "-in", "digest", "-out", "ann.der"]);
        desk.tool("sh", &["-c", "base64 ann.der > ann.b64"]);
        assert!(desk.takes("ann", "ann.der") && desk.takes("ann", "ann.b64"));

        let value: Value =
            serde_json::from_str(&desk.ok(&["request", "sign", "ann.json", "--key", "ann_privk.pem"])).unwrap();
        fs::write(desk.file("ann.sig"), value.to_string()).unwrap();
        assert!(desk.takes("ann", "ann.sig"));

        let shown = desk.ok(&["request", "show", "ann.json"]);
        for said in ["ann is to sign", "1 action", "pause the ledger eth", algorithm, "UTC"] {
            assert!(shown.contains(said), "{said}: {shown}");
        }
    }
}

#[test]
fn what_was_not_signed_is_not_sent() {
    let Some(desk) = Desk::new(&["openssl"]) else { return };
    desk.make("ann", "secp384r1");
    desk.make("bob", "secp384r1");
    desk.make("eve", "prime256v1");
    desk.prepare("ann");
    let wrong = desk.fails(&["request", "sign", "ann.json", "--key", "bob_privk.pem"]);
    assert!(wrong.contains("is not the key of the certificate of ann"), "{wrong}");
    fs::write(desk.file("sig"), desk.ok(&["request", "sign", "ann.json", "--key", "ann_privk.pem"])).unwrap();
    assert!(desk.takes("ann", "sig"));

    // Of another time, by another one, on another curve, not a signature at all.
    let first = fs::read_to_string(desk.file("ann.json")).unwrap();
    for (name, kept) in [("bob", "bob.sig"), ("eve", "eve.sig")] {
        desk.prepare(name);
        let key = format!("{name}_privk.pem");
        fs::write(desk.file(kept), desk.ok(&["request", "sign", &format!("{name}.json"), "--key", &key])).unwrap();
    }
    assert!(!desk.takes("ann", "bob.sig"));
    let curve = desk.fails(&["request", "send", "ann.json", "--signature", "eve.sig"]);
    assert!(curve.contains("no signature by a key on this curve"), "{curve}");
    let changed = first.replacen("\"payload\": \"ey", "\"payload\": \"fy", 1);
    assert_ne!(changed, first);
    fs::write(desk.file("ann.json"), changed).unwrap();
    assert!(!desk.takes("ann", "sig"));

    // A file that names one and is signed by another, or is no such file.
    let mut document: Value = serde_json::from_str(&first).unwrap();
    document["certificate"] = fs::read_to_string(desk.file("bob_cert.pem")).unwrap().into();
    fs::write(desk.file("ann.json"), document.to_string()).unwrap();
    assert!(desk.fails(&["request", "show", "ann.json"]).contains("signed by another one than its certificate's"));
    document["format"] = "coco-request-9".into();
    fs::write(desk.file("ann.json"), document.to_string()).unwrap();
    assert!(desk.fails(&["request", "show", "ann.json"]).contains("coco-request-9"));
    fs::write(desk.file("ann.json"), "{}").unwrap();
    assert!(desk.fails(&["request", "show", "ann.json"]).contains("is no request that was prepared"));
}

#[test]
fn an_ssh_agent_signs_on_every_curve() {
    let Some(mut desk) = Desk::new(&["openssl", "ssh-agent", "ssh-add"]) else { return };
    desk.make("ann", "secp384r1");
    desk.prepare("ann");
    let sign = ["request", "sign", "ann.json", "--key", "agent:"];
    assert!(desk.fails(&sign).contains("SSH_AUTH_SOCK is not set"));
    let running = agent(&mut desk);
    assert!(desk.fails(&sign).contains("it holds none"));
    desk.make("bob", "prime256v1");
    desk.tool("ssh-add", &["-q", "bob_privk.pem"]);
    let other = desk.fails(&sign);
    assert!(other.contains("does not hold the key of the certificate of ann") && other.contains("P-256"), "{other}");
    for (curve, _) in CURVES {
        desk.make("ann", curve);
        desk.tool("ssh-add", &["-q", "ann_privk.pem"]);
        desk.prepare("ann");
        for _ in 0..8 {
            fs::write(desk.file("sig"), desk.ok(&sign)).unwrap();
            assert!(desk.takes("ann", "sig"));
        }
    }
    drop(running);
    assert!(desk.fails(&sign).contains("ssh-add -l"));
}

#[test]
fn a_token_signs_on_every_curve() {
    let Some(mut desk) = Desk::new(&["openssl"]) else { return };
    let Some(library) = softhsm(&mut desk) else { return };
    for (place, (curve, _)) in CURVES.into_iter().enumerate() {
        let name = format!("ann{place}");
        desk.make(&name, curve);
        import(&desk, &library, &name, &format!("0{place}"));
        desk.prepare(&name);
        for uri in [
            format!("pkcs11:token=Coco;object={name}?pin-source=pin"),
            format!("pkcs11:token=Coco;id=%0{place}?pin-source=file:pin"),
        ] {
            fs::write(desk.file("sig"), desk.ok(&["request", "sign", &format!("{name}.json"), "--key", &uri])).unwrap();
            assert!(desk.takes(&name, "sig"));
        }
    }
    // By the environment.
    let signed = Command::new(env!("CARGO_BIN_EXE_coco"))
        .args(["request", "sign", "ann1.json", "--key", "pkcs11:token=Coco;object=ann1", "-q"])
        .current_dir(desk.dir.path())
        .envs(desk.environment.iter().map(|(name, value)| (name, value)))
        .env("COCO_PKCS11_PIN", "1234")
        .output()
        .unwrap();
    assert!(signed.status.success(), "{}", text(&signed.stderr));
}

#[test]
fn what_is_wrong_with_a_token_is_told() {
    let Some(mut desk) = Desk::new(&["openssl"]) else { return };
    let Some(library) = softhsm(&mut desk) else { return };
    for (name, curve, id) in [("ann", "secp384r1", "01"), ("bob", "secp384r1", "02"), ("eve", "prime256v1", "03")] {
        desk.make(name, curve);
        import(&desk, &library, name, id);
    }
    desk.tool("openssl", &["genpkey", "-algorithm", "RSA", "-out", "rsa_privk.pem"]);
    import(&desk, &library, "rsa", "04");
    desk.prepare("ann");
    fs::write(desk.file("wrong"), "4321").unwrap();
    for (uri, said) in [
        ("pkcs11:token=None;object=ann?pin-source=pin", &["no token is it: token None", "Coco (serial"][..]),
        ("pkcs11:object=ann?pin-source=pin", &["2 tokens are it", "say more"]),
        ("pkcs11:token=Coco;object=ann?pin-source=wrong", &["that is not the PIN", "lock themselves"]),
        ("pkcs11:token=Coco;object=zoe?pin-source=pin", &["no private key that is it", "ann (id 01)", "bob (id 02)"]),
        ("pkcs11:token=Coco?pin-source=pin", &["4 private keys", "object=NAME"]),
        ("pkcs11:token=Coco;object=eve?pin-source=pin", &["it is P-256, the certificate's is P-384"]),
        ("pkcs11:token=Coco;object=rsa?pin-source=pin", &["none to sign with as a member"]),
        (
            "pkcs11:token=Coco;object=bob?pin-source=pin",
            &["what signed is not the key of the certificate of ann", "nothing was sent"],
        ),
        ("pkcs11:token=Coco;object=ann?pin-source=none", &["cannot read the PIN in none"]),
        ("pkcs11:token=Coco;object=ann?pin-value=1234", &["does not belong on a command line"]),
        ("pkcs11:token=Coco?module-path=/none.so", &["/none.so cannot be used"]),
    ] {
        let told = desk.fails(&["request", "sign", "ann.json", "--key", uri]);
        assert!(said.iter().all(|said| told.contains(said)), "{uri}: {told}");
    }
    desk.environment.retain(|(name, _)| *name != "COCO_PKCS11_MODULE");
    let told = desk.fails(&["request", "sign", "ann.json", "--key", "pkcs11:token=Coco"]);
    assert!(told.contains("module-path="), "{told}");
}

/// The whole way of a change, with no key in reach of what sends it.
#[test]
fn a_network_is_governed_with_keys_elsewhere() {
    let Some(mut desk) = Desk::new(&["openssl", "ssh-agent", "ssh-add", "base64"]) else { return };
    let Some(place) = Place::bare("1") else { return };
    let _running = agent(&mut desk);
    let members = place.network().join("members");
    let key = |name: &str| members.join(format!("{name}_privk.pem")).to_str().unwrap().to_owned();
    let network = place.network();
    let at = ["--dir", network.to_str().unwrap()];
    let on = |args: &[&str]| desk.ok(&[args, &at[..]].concat());
    // member0 signs elsewhere: it is given a digest first, then it acknowledges it.
    for (round, said) in [("1", "was given the state"), ("2", "member0 signed the state")] {
        let (file, signature) = (format!("ack{round}.json"), format!("ack{round}.sig"));
        let task: Value =
            serde_json::from_str(&on(&["member", "ack", "--as", "member0", "--prepare", &file, "--json"])).unwrap();
        fs::write(desk.file("digest.txt"), task["value"].as_str().unwrap()).unwrap();
        desk.tool("sh", &["-c", "base64 -d digest.txt > digest"]);
        desk.tool("openssl", &["pkeyutl", "-sign", "-inkey", &key("member0"), "-in", "digest", "-out", &signature]);
        let sent = on(&["request", "send", &file, "--signature", &signature]);
        assert!(sent.contains(said), "{sent}");
    }
    // member1's key is in the agent.
    desk.tool("ssh-add", &["-q", &key("member1")]);
    assert!(on(&["member", "ack", "--as", "member1", "--key", "agent:"]).contains("member1 signed the state"));
    on(&["member", "ack", "--as", "member2"]);

    let new = ["proposal", "new", "--action", "remove_user", "--arg", &format!("user_id={:064}", 1)];
    let prepared = on(&[&new[..], &["--as", "member0", "--prepare", "new.json"]].concat());
    assert!(prepared.contains("put the user 000000000000 out") && prepared.contains("ES384"), "{prepared}");
    let offline = ["request", "sign", "new.json", "--key", &key("member0")];
    fs::write(desk.file("new.sig"), desk.ok(&offline)).unwrap();
    let proposed: Value =
        serde_json::from_str(&on(&["request", "send", "new.json", "--signature", "new.sig", "--json"])).unwrap();
    assert_eq!((proposed["state"].as_str(), proposed["proposer"]["name"].as_str()), (Some("Open"), Some("member0")));
    let id = proposed["id"].as_str().unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(&on(&["request", "send", "new.json", "--signature", "new.sig", "--json"]))
            .unwrap()["id"],
        id,
        "sent again it is the same"
    );

    let voted = on(&["proposal", "vote", id, "--yes", "--as", "member1", "--key", "agent:"]);
    assert!(voted.contains("member1 voted yes"), "{voted}");
    let shown = on(&["proposal", "vote", id, "--no", "--as", "member0", "--prepare", "vote.json"]);
    assert!(shown.contains(&format!("that it votes no on the proposal {id}")), "{shown}");
    fs::write(desk.file("vote.sig"), desk.ok(&["request", "sign", "vote.json", "--key", &key("member0")])).unwrap();
    assert!(on(&["request", "send", "vote.json", "--signature", "vote.sig"]).contains("member0 voted no"));
    on(&["proposal", "withdraw", id, "--as", "member0", "--prepare", "back.json"]);
    fs::write(desk.file("back.sig"), desk.ok(&["request", "sign", "back.json", "--key", &key("member0")])).unwrap();
    assert!(on(&["request", "send", "back.json", "--signature", "back.sig"]).contains("withdrawn"));

    // member2 goes on with a key in the agent.
    on(&["member", "new", "next", "--out", desk.dir.path().to_str().unwrap()]);
    desk.tool("ssh-add", &["-q", "next_privk.pem"]);
    let rotated = on(&["member", "rotate", "next_cert.pem", "--as", "member2", "--json"]);
    let rotated: Value = serde_json::from_str(&rotated).unwrap();
    let id = rotated["id"].as_str().unwrap();
    let shown = on(&["proposal", "show", id]);
    assert!(shown.contains("replace the certificate of the member member2 ("), "{shown}");
    on(&["proposal", "vote", id, "--yes", "--as", "member1", "--key", "agent:"]);
    on(&["proposal", "vote", id, "--yes", "--as", "member2"]);
    assert!(desk.fails(&[&["member", "ack", "--as", "member2"], &at[..]].concat()).contains("not a member"));
    let next = ["member", "ack", "--certificate", "next_cert.pem", "--key", "agent:"];
    assert!(on(&next).contains("next signed the state"));
}
