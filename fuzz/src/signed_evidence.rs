//! Evidence of hierarchies of our own, whose innermost parts an input replaces before they are signed: what a vendor's key
//! would have to sign for a parser to see it.

use std::sync::LazyLock;

use attestation::{Binding, Claims, Refusal, amd, intel, vbs};

use crate::input::{Input, pieces};
use crate::mock::{amd as mock_amd, intel as mock_intel, vbs as mock_vbs};

/// The kinds of quotes, and the collateral that each is verified with.
struct Intel {
    build: fn() -> mock_intel::Build,
    collateral: intel::Collateral,
    root: Vec<u8>,
}

struct Amd {
    build: fn() -> mock_amd::Build,
    given: amd::Endorsements,
    roots: amd::Roots,
}

fn intels() -> &'static [Intel] {
    static ALL: LazyLock<Vec<Intel>> = LazyLock::new(|| {
        let builds: [fn() -> mock_intel::Build; 4] = [
            || mock_intel::Build::new(mock_intel::Base::Sgx),
            || mock_intel::Build::new(mock_intel::Base::Tdx4),
            || mock_intel::Build::new(mock_intel::Base::Tdx5),
            || mock_intel::Build::new(mock_intel::Base::Tdx5Ex),
        ];
        let one = |build: fn() -> mock_intel::Build| Intel {
            build,
            collateral: build().collateral(),
            root: mock_intel::Build::pinned(),
        };
        builds.into_iter().map(one).collect()
    });
    &ALL
}

fn amds() -> &'static [Amd] {
    static ALL: LazyLock<Vec<Amd>> = LazyLock::new(|| {
        let builds: [fn() -> mock_amd::Build; 3] =
            [mock_amd::Build::new, mock_amd::Build::turin, mock_amd::Build::vlek];
        let one = |build: fn() -> mock_amd::Build| Amd { build, given: build().endorsements(), roots: build().roots() };
        builds.into_iter().map(one).collect()
    });
    &ALL
}

/// The first byte chooses what is made.
pub fn run(data: &[u8]) {
    let mut input = Input(data);
    match input.byte() % 9 {
        choice @ 0..4 => quote(&intels()[usize::from(choice)], &mut input),
        choice @ 4..7 => report(&amds()[usize::from(choice - 4)], &mut input),
        7 => endorsements(&mut input),
        _ => enclave(&mut input),
    }
}

/// A verdict is the same twice, and what was accepted was made of these very bytes.
fn twice(verify: impl Fn() -> Result<Claims, Refusal>) -> Option<Claims> {
    let (first, second) = (verify(), verify());
    assert_eq!(first, second);
    first.ok()
}

fn quote(given: &Intel, input: &mut Input<'_>) {
    let mut build = (given.build)();
    let (header, body, qe_report) = (input.piece(), input.piece(), input.piece());
    build.body_size = u32::try_from(body.len()).unwrap_or(u32::MAX);
    build.header = padded(header, 1);
    build.body = body.to_vec();
    // Its report data is computed.
    build.qe_report = padded(qe_report, 384);
    build.qe_auth_data = input.0.iter().copied().take(1 << 10).collect();
    let evidence = build.evidence();
    if let Some(claims) = twice(|| intel::verify(&evidence, &given.collateral, &given.root, build.now)) {
        let data = claims.report_data.0.clone();
        assert!(body.windows(data.len()).any(|window| window == data), "report data that is not in the body");
        drop(attestation::policy(&claims, &build.policy, &Binding::Exact(data)));
    }
}

fn padded(bytes: &[u8], least: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes.resize(bytes.len().max(least), 0);
    bytes
}

fn report(given: &Amd, input: &mut Input<'_>) {
    let mut build = (given.build)();
    build.report = padded(input.0, 1184);
    let evidence = build.evidence();
    if let Some(claims) = twice(|| amd::verify(&evidence, &given.given, &given.roots, build.now)) {
        assert_eq!(claims.report_data.0, &evidence[0x50..0x90]);
        assert_eq!(claims.measurements["measurement"].as_ref(), &evidence[0x90..0xc0]);
        drop(attestation::policy(&claims, &build.policy, &Binding::Exact(claims.report_data.0.clone())));
    }
}

/// What vouches for a good report, one part of it replaced. An accepted change changes no claim; an endorsement of the firmware
/// names its own root, and there the policy decides whose counts.
fn endorsements(input: &mut Input<'_>) {
    static GOOD: LazyLock<(Vec<u8>, Claims)> = LazyLock::new(|| {
        let evidence = mock_amd::Build::new().evidence();
        let claims = amd::verify(&evidence, &amds()[0].given, &amds()[0].roots, mock_amd::NOW).expect("it is good");
        (evidence, claims)
    });
    let mut given = amds()[0].given.clone();
    let part = input.byte();
    let place = match part % 5 {
        at @ 0..3 => given.chain.get_mut(usize::from(at)),
        3 => given.crls.first_mut(),
        _ => given.uvm.as_mut(),
    };
    if let Some(place) = place {
        *place = input.0.to_vec();
    }
    let (evidence, claims) = &*GOOD;
    if let Some(other) = twice(|| amd::verify(evidence, &given, &amds()[0].roots, mock_amd::NOW)) {
        let exact = Binding::Exact(other.report_data.0.clone());
        if part % 5 < 4 || attestation::policy(&other, &mock_amd::Build::new().policy, &exact).is_ok() {
            assert_eq!(&other, claims, "an accepted change changed a claim");
        }
    }
}

/// What a good Windows enclave shows, one part of it replaced.
fn enclave(input: &mut Input<'_>) {
    let (good, anchors, claims) = windows();
    let mut evidence = good.clone();
    let place = match input.byte() % 4 {
        0 => &mut evidence.report,
        1 => &mut evidence.log,
        2 => &mut evidence.tpm_quote.message,
        _ => &mut evidence.ak_chain[0],
    };
    *place = input.0.to_vec();
    let json = evidence.to_json();
    if let Some(other) = twice(|| vbs::verify(&json, anchors, mock_amd::NOW)) {
        assert_eq!(&Claims { evidence: claims.evidence, ..other }, claims, "an accepted change changed a claim");
    }
}

fn windows() -> &'static (vbs::Evidence, vbs::Anchors, Claims) {
    static GOOD: LazyLock<(vbs::Evidence, vbs::Anchors, Claims)> = LazyLock::new(|| {
        let build = mock_vbs::Build::new();
        let (evidence, anchors) = (build.evidence(), build.anchors());
        let claims = vbs::verify(&evidence.to_json(), &anchors, mock_amd::NOW).expect("it is good");
        (evidence, anchors, claims)
    });
    &GOOD
}

pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (choice, given) in (0..).zip(intels()) {
        let build = (given.build)();
        seeds.push(pieces(choice, &[&build.header, &build.body, &build.qe_report], &build.qe_auth_data));
    }
    for (choice, given) in (4..).zip(amds()) {
        seeds.push(pieces(choice, &[], &(given.build)().report));
    }
    let given = &amds()[0].given;
    let parts = given.chain.iter().chain(&given.crls).chain(&given.uvm);
    seeds.extend((0_u8..).zip(parts).map(|(part, bytes)| [&[7, part], &bytes[..]].concat()));
    let good = &windows().0;
    let parts = [&good.report, &good.log, &good.tpm_quote.message, &good.ak_chain[0]];
    seeds.extend((0_u8..).zip(parts).map(|(part, bytes)| [&[8, part], &bytes[..]].concat()));
    seeds
}
