//! `coco attest` on evidence of a virtual TEE, which needs no vendor.
#![expect(clippy::unwrap_used, reason = "a test says what failed by where it panics")]

use std::path::Path;
use std::process::{Command, Output};

use attestation::{Bytes, Endorsements, Kind, Presented, virtual_tee};
use serde_json::{Value, json};

fn coco(dir: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_coco")).current_dir(dir).args(arguments).output().unwrap()
}

fn verdict(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn evidence_is_shown_and_judged() {
    let dir = tempfile::tempdir().unwrap();
    let evidence = Bytes(virtual_tee::evidence(&[1; 32], &[2; 64], None));
    let presented = Presented { kind: Kind::Virtual, evidence, endorsements: Endorsements::None, event_log: None };
    let write = |name: &str, value: &Value| std::fs::write(dir.path().join(name), value.to_string()).unwrap();
    write("evidence.json", &json!(presented));
    let manifest = json!([{ "kind": "virtual", "measurements": { "code": "01".repeat(32) } }]);
    write("development.json", &json!({ "manifest": manifest, "allow_virtual": true }));
    write("production.json", &json!({ "manifest": manifest }));

    let shown = coco(dir.path(), &["attest", "show", "evidence.json"]);
    assert!(shown.status.success());
    let text = String::from_utf8(shown.stdout).unwrap();
    assert!(text.starts_with("authentic: virtual evidence") && text.contains(&"02".repeat(64)), "{text}");

    let (bound, other) = ("02".repeat(64), "03".repeat(64));
    let verify = |policy, data| {
        coco(dir.path(), &["attest", "verify", "evidence.json", "--policy", policy, "--report-data", data, "--json"])
    };
    let accepted = verify("development.json", bound.as_str());
    assert!(accepted.status.success());
    assert_eq!(verdict(&accepted)["verdict"], "accepted");
    assert_eq!(verdict(&accepted)["claims"]["kind"], "virtual");
    for (policy, data, code) in [("production.json", &bound, "S1"), ("development.json", &other, "C19")] {
        let refused = verify(policy, data);
        assert_eq!((refused.status.code(), &verdict(&refused)["code"]), (Some(1), &json!(code)));
    }

    let nonsense = coco(dir.path(), &["attest", "show", "development.json"]);
    assert_eq!(nonsense.status.code(), Some(1));
    assert!(String::from_utf8(nonsense.stderr).unwrap().contains("is no evidence"));
}
