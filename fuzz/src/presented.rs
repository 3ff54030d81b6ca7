//! What a joining node shows of itself, in JSON.

use attestation::{Binding, Bytes, Endorsements, Kind, Policy, Presented, Roots, virtual_tee};

use crate::mock::amd as mock_amd;
use crate::mock::intel::{self as mock_intel, Base, Build, NOW};
use crate::vectors;

pub fn run(data: &[u8]) {
    thread_local! {
        static GIVEN: (Roots, Policy) = {
            let roots = Roots { intel: Build::pinned(), amd: mock_amd::Build::new().roots(), ..Roots::vendors() };
            (roots, Policy { allow_virtual: true, ..Policy::default() })
        };
    }
    let Ok(presented) = Presented::parse(data) else { return };
    let text = serde_json::to_vec(&presented).expect("what was read has a text");
    assert_eq!(Presented::parse(&text).as_ref(), Ok(&presented), "its own text says the same");
    GIVEN.with(|(roots, policy)| {
        let verdict = presented.verify(roots, NOW);
        assert_eq!(verdict, presented.verify(roots, NOW));
        let Ok(claims) = verdict else { return };
        assert_eq!(claims.kind, presented.kind);
        let binding = Binding::Exact(claims.report_data.0.clone());
        drop(presented.accept(roots, policy, &binding, NOW));
    });
}

pub fn seeds() -> Vec<Vec<u8>> {
    let plain = |kind, evidence| Presented {
        kind,
        evidence: Bytes(evidence),
        endorsements: Endorsements::None,
        event_log: None,
    };
    let mut shown = vec![plain(Kind::Virtual, virtual_tee::evidence(&[1; 32], &[2; 64], None))];
    let build = mock_amd::Build::new();
    shown.push(Presented {
        endorsements: Endorsements::Amd(build.endorsements()),
        ..plain(Kind::SevSnp, build.evidence())
    });
    for (kind, base) in [(Kind::Sgx, Base::Sgx), (Kind::Tdx, Base::Tdx5)] {
        let build = Build::new(base);
        let endorsements = Endorsements::Intel(Box::new(build.collateral()));
        let event_log = (kind == Kind::Tdx).then(|| Bytes(mock_intel::event_log(&[(1, [7; 48])])));
        shown.push(Presented { endorsements, event_log, ..plain(kind, build.evidence()) });
    }
    let nitro = vectors::read("attestation/nitro/nitro_attest/attestation.cose");
    shown.extend(nitro.map(|evidence| plain(Kind::Nitro, evidence)));
    shown.iter().map(|one| serde_json::to_vec(one).expect("it has a text")).collect()
}
