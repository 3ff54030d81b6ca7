//! The verdict on a recorded Windows boot, which named no key of a secure kernel.

use attestation::Code;
use attestation::vbs::{self, Evidence};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::mock::vbs::Build;
use crate::mock::vectors::{folder, read};

fn recorded_log() -> Vec<u8> {
    let document: Value = serde_json::from_slice(&read("vbs-windows/windows_gcp_shielded_vm.json")).unwrap();
    STANDARD.decode(document["Log"]["Raw"].as_str().unwrap()).unwrap()
}

#[test]
fn a_recorded_boot_parses_and_names_no_key() {
    if folder().is_none() {
        return;
    }
    let build = Build::new();
    let evidence = Evidence { log: recorded_log(), ..build.evidence() };
    let verdict = vbs::verify(&evidence.to_json(), &build.anchors(), build.now);
    assert_eq!(verdict.unwrap_err().code, Code::VbsKeyNotInLog);
}

#[test]
fn a_recorded_boot_cut_anywhere_names_no_key_either() {
    if folder().is_none() {
        return;
    }
    let build = Build::new();
    let (evidence, anchors, log) = (build.evidence(), build.anchors(), recorded_log());
    for length in (0..log.len()).step_by(7) {
        let evidence = Evidence { log: log[..length].to_vec(), ..evidence.clone() };
        let code = vbs::verify(&evidence.to_json(), &anchors, build.now).unwrap_err().code;
        assert!(
            matches!(code, Code::VbsKeyNotInLog | Code::EventLogTruncated | Code::VbsLogReplay),
            "{length}: {code:?}"
        );
    }
}
