//! What nodes say of files, taken apart.

use super::*;

fn headers(lines: &[(&str, &str)]) -> HeaderMap {
    lines.iter().map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap())).collect()
}

#[test]
fn a_redirect_leads_to_a_file_of_the_same_kind_or_nowhere() {
    let asked = "/node/ledger_chunk?since=7";
    let there = found(asked, "/node/ledger_chunk/ledger_1-9.committed").unwrap();
    assert_eq!((&*there.path, &*there.name), ("/node/ledger_chunk/ledger_1-9.committed", "ledger_1-9.committed"));
    assert_eq!(found("/node/snapshot", "/node/snapshot/snapshot_9").unwrap().name, "snapshot_9");
    for nowhere in [
        "",
        "/node/ledger_chunk",
        "/node/ledger_chunk/",
        "/node/ledger_chunk/../join",
        "/node/ledger_chunk/a?b",
        "/node/ledger_chunk/a%2Fb",
        "/node/ledger_chunkledger_1",
        "/node/snapshot/snapshot_9",
        "https://10.0.0.1/node/ledger_chunk/ledger_1",
        &format!("/node/ledger_chunk/{}", "a".repeat(200)),
    ] {
        assert!(found(asked, nowhere).is_err(), "{nowhere}");
    }
}

#[test]
fn a_file_has_a_length_within_bounds_and_its_rest_is_the_rest() {
    let digest = "sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:";
    let told =
        Told::whole(&headers(&[("content-length", "10"), ("etag", "\"t\""), ("repr-digest", digest)]), 10).unwrap();
    assert_eq!((told.bytes, told.tag.as_deref(), told.digest), (10, Some("\"t\""), Some([0; 32])));
    assert_eq!(told.go_on(4), [(header::RANGE, "bytes=4-".to_owned()), (header::IF_RANGE, "\"t\"".to_owned())]);
    assert!(told.continued(&headers(&[("content-range", "bytes 4-9/10")]), 4).is_ok());
    for other in ["bytes 5-9/10", "bytes 4-8/10", "bytes 4-9/11", "bytes 4-9/*", ""] {
        assert!(told.continued(&headers(&[("content-range", other)]), 4).is_err(), "{other}");
    }
    for bad in ["11", "-1", "x", "99999999999999999999"] {
        assert!(Told::whole(&headers(&[("content-length", bad)]), 10).is_err(), "{bad}");
    }
    assert!(Told::whole(&headers(&[]), 10).is_err());
    assert_eq!(super::digest(&format!("sha-512=:AAAA:, {digest}")), Some([0; 32]));
    for none in ["", "sha-256=AAAA", "sha-256=:AAAA:", "md5=:AAAA:"] {
        assert_eq!(super::digest(none), None, "{none}");
    }
}
