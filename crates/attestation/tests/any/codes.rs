//! No code of these kinds is without a case.

use std::collections::BTreeSet;

use attestation::Code;

use crate::{amd, azure, cca, maa, nitro, vbs};

/// Refusals that these kinds share with others, as far as each of their formats has the part.
const COMMON: [Code; 30] = [
    Code::Empty,
    Code::Truncated,
    Code::TrailingBytes,
    Code::WrongVersion,
    Code::WrongAlgorithm,
    Code::BadSignature,
    Code::ChainIncomplete,
    Code::ChainOrder,
    Code::OtherProduct,
    Code::OtherRoot,
    Code::Expired,
    Code::NotYetValid,
    Code::CrlMissing,
    Code::CrlExpired,
    Code::CrlOfOther,
    Code::LeafRevoked,
    Code::IntermediateRevoked,
    Code::ReportData,
    Code::Nonce,
    Code::DebugBit,
    Code::Measurement,
    Code::LowSvn,
    Code::OtherNode,
    Code::ReservedNotZero,
    Code::OversizedLength,
    Code::LengthOverflow,
    Code::DuplicateKey,
    Code::NotCanonical,
    Code::JsonTrailing,
    Code::CrlFromFuture,
];

#[test]
fn every_code_has_a_case() {
    let covered: BTreeSet<Code> = amd::deviations::covered()
        .chain(nitro::deviations::covered())
        .chain(cca::deviations::covered())
        .chain(azure::deviations::covered())
        .chain(maa::deviations::covered())
        .chain(vbs::synthetic::covered())
        .collect();
    let own = Code::ALL.iter().filter(|code| code.id().starts_with(['A', 'N', 'M', 'V', 'B', 'R']));
    let missing: Vec<&Code> = own.chain(&COMMON).filter(|code| !covered.contains(code)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
