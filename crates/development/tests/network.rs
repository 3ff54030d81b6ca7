//! A network's directory: made once, opened by each node, and refused when its parts do not belong together.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use development::{
    ETHEREUM, EndorsementServices, FounderFile, Identity, Layout, Network, Newcomer, NodeFile, Origin, Past, Plan,
    create, newcomer,
};

fn founder(file: &NodeFile) -> &FounderFile {
    let Origin::Founder(founder) = &file.origin else { panic!("it is a founder") };
    founder
}

#[test]
fn every_node_opens_its_own_identity_of_one_service() {
    let dir = tempfile::tempdir().unwrap();
    let network = create(dir.path(), &Plan::new(3)).unwrap();
    assert_eq!(Network::read(dir.path()).unwrap(), Some(network.clone()));
    assert_eq!(network.chain_id(), Some(1337));
    let names: Vec<&str> = network.ledgers.iter().map(|ledger| ledger.name.as_str()).collect();
    assert_eq!(names, ["ethereum", "keyvalue"]);
    let layout = Layout::new(dir.path());
    let mut ports = BTreeSet::new();
    for node in &network.nodes {
        let node_dir = layout.node(node.number);
        let file = NodeFile::read(node_dir.dir()).unwrap();
        let identity = Identity::open(node_dir.dir()).unwrap();
        let own = &founder(&file).nodes[founder(&file).number as usize - 1];
        assert_eq!(own.id, identity.node_key.public().node_id());
        assert_eq!(own.id.to_string(), node.id);
        assert_eq!((own.peer, own.governance), (file.peer, Some(file.governance)));
        assert_eq!(identity.service_key.public().fingerprint().to_string(), network.service);
        assert_eq!(identity.service_certificate, fs::read_to_string(layout.service_certificate()).unwrap());
        let Past::Founded { node_certificates, members } = &identity.past else { panic!("it is a founder") };
        assert_eq!((node_certificates.len(), members.len()), (3, 3));
        let accounts = file.ledger(ETHEREUM).unwrap().accounts.as_ref().unwrap();
        assert!(node_dir.dir().join(accounts).is_file());
        ports.extend(file.ledgers.iter().map(|ledger| ledger.listen.port()));
        ports.extend([file.http.port(), file.governance.port(), file.peer.port()]);
    }
    assert_eq!(ports.len(), 3 * 5, "no port is given out twice");
    for member in &network.members {
        let key = crypto::KeyPair::from_pkcs8_pem(&fs::read_to_string(layout.member_key(member)).unwrap()).unwrap();
        let pem = fs::read_to_string(layout.member_certificate(member)).unwrap();
        assert!(crypto::Certificate::from_pem(&pem).unwrap().public_key().unwrap() == *key.public());
    }
}

#[test]
fn secrets_are_readable_by_their_owner_alone() {
    let dir = tempfile::tempdir().unwrap();
    create(dir.path(), &Plan::new(1)).unwrap();
    let layout = Layout::new(dir.path());
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&layout.node(1).virtual_tee()), 0o700);
    assert_eq!(mode(&layout.node(1).virtual_tee().join("sealing_key")), 0o600);
    assert_eq!(mode(&layout.member_key("member0")), 0o600);
}

#[test]
fn a_directory_with_other_files_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("thesis.txt"), "mine").unwrap();
    let error = create(dir.path(), &Plan::new(1)).unwrap_err();
    assert!(error.to_string().contains("holds other files"), "{error}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn an_interrupted_making_is_made_again() {
    let dir = tempfile::tempdir().unwrap();
    create(dir.path(), &Plan::new(3)).unwrap();
    let layout = Layout::new(dir.path());
    fs::remove_file(layout.network()).unwrap();
    fs::write(layout.unfinished(), "").unwrap();
    create(dir.path(), &Plan::new(1)).unwrap();
    assert!(layout.node(1).file().exists() && !layout.node(2).file().exists());
}

#[test]
fn a_genesis_of_ones_own_is_kept_byte_for_byte() {
    let dir = tempfile::tempdir().unwrap();
    let genesis = br#"{ "config": { "chainId": 4242 }, "alloc": {} }"#.to_vec();
    let own = Plan { genesis: Some(("g.json".into(), genesis.clone())), ..Plan::new(1) };
    assert_eq!(create(dir.path(), &own).unwrap().chain_id(), Some(4242));
    assert_eq!(fs::read(Layout::new(dir.path()).genesis()).unwrap(), genesis);
}

#[test]
fn a_bare_network_has_doors_for_ledgers_and_is_made_for_none() {
    let dir = tempfile::tempdir().unwrap();
    let network = create(dir.path(), &Plan { bare: true, ..Plan::new(1) }).unwrap();
    assert_eq!((network.ledgers.len(), network.chain_id()), (0, None));
    let file = NodeFile::read(Layout::new(dir.path()).node(1).dir()).unwrap();
    assert!(file.ledger("ethereum").is_some() && file.ledger("keyvalue").is_some());
}

#[test]
fn an_identity_of_another_network_or_a_changed_one_does_not_open() {
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    create(a.path(), &Plan::new(1)).unwrap();
    create(b.path(), &Plan::new(1)).unwrap();
    let (a, b) = (Layout::new(a.path()).node(1), Layout::new(b.path()).node(1));
    let refused = |name: &str, bytes: &[u8]| {
        let path = a.virtual_tee().join(name);
        let good = fs::read(&path).unwrap();
        fs::write(&path, bytes).unwrap();
        let error = Identity::open(a.dir()).err().map(|e| e.to_string());
        fs::write(&path, good).unwrap();
        error.unwrap_or_else(|| panic!("{name} was accepted"))
    };
    for name in ["node_key.sealed", "service_key.sealed", "ledger_secrets.sealed", "sealing_key", "service_cert.pem"] {
        let other = fs::read(b.virtual_tee().join(name)).unwrap();
        assert!(!refused(name, &other).is_empty());
        let mut changed = fs::read(a.virtual_tee().join(name)).unwrap();
        changed.truncate(changed.len() / 2);
        assert!(!refused(name, &changed).is_empty());
    }
    Identity::open(a.dir()).unwrap();
}

#[test]
fn every_door_is_on_the_address_that_was_asked_for_and_the_certificates_say_so() {
    let dir = tempfile::tempdir().unwrap();
    let listen = "127.0.0.2".parse().unwrap();
    create(dir.path(), &Plan { listen, ..Plan::new(1) }).unwrap();
    let node = Layout::new(dir.path()).node(1);
    let file = NodeFile::read(node.dir()).unwrap();
    let doors = [file.http, file.governance, file.peer].into_iter().chain(file.ledgers.iter().map(|l| l.listen));
    assert!(doors.map(|door| door.ip()).all(|ip| ip == listen));
    let certificate = crypto::Certificate::from_pem(&Identity::open(node.dir()).unwrap().node_certificate).unwrap();
    assert!(certificate.der().windows(4).any(|bytes| bytes == [127, 0, 0, 2]));
}

#[test]
fn a_newcomer_has_a_file_and_no_key() {
    let dir = tempfile::tempdir().unwrap();
    let new = Newcomer {
        network: vec!["https://10.0.0.1:8443".into()],
        service_certificate: "PEM".into(),
        listen: "127.0.0.1".parse().unwrap(),
        governance_port: None,
        published: None,
        constitution: None,
        node_data: Some("{}".into()),
        endorsements: EndorsementServices::default(),
    };
    let file = newcomer(dir.path(), &new).unwrap();
    assert_eq!(NodeFile::read(dir.path()).unwrap(), file);
    let Origin::Joiner(join) = &file.origin else { panic!("it joins") };
    assert_eq!(fs::read_to_string(dir.path().join(&join.service_certificate)).unwrap(), "PEM");
    assert!(!Identity::has_joined(dir.path()));
    let nowhere = Newcomer { network: vec!["10.0.0.1:8443".into()], ..new };
    assert!(newcomer(dir.path(), &nowhere).unwrap_err().to_string().contains("is not where a node serves members"));
}
