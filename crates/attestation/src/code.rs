//! Why evidence is refused: one table of codes, each with whom to blame and one sentence.

use std::fmt;

/// What is wrong at the root of a refusal: who has to do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Blame {
    /// The bytes are not what they claim to be: whoever made or carried them is at fault.
    Malformed,
    /// The bytes may be fine and this verifier does not speak their dialect.
    Unsupported,
    /// Somebody signed whom nobody here trusts.
    Untrusted,
    /// Out of its time: fetch newer endorsements, or look at the clock.
    Expired,
    /// The vendor took a key or a platform back.
    Revoked,
    /// Two authentic things do not belong together.
    Mismatch,
    /// All is authentic and the policy does not want it.
    Refused,
}

macro_rules! codes {
    ($($name:ident $id:literal $blame:ident $sentence:literal;)*) => {
        /// Which rule refused. The id is stable and is what reports and tests compare.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $(#[doc = $sentence] $name,)* }

        impl Code {
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            pub fn id(self) -> &'static str {
                match self { $(Self::$name => $id,)* }
            }

            pub fn blame(self) -> Blame {
                match self { $(Self::$name => Blame::$blame,)* }
            }

            pub fn sentence(self) -> &'static str {
                match self { $(Self::$name => $sentence,)* }
            }
        }
    };
}

codes! {
    // Common: what any format may suffer from.
    Empty "C1" Malformed "There is no evidence.";
    Truncated "C2" Malformed "The evidence ends too early.";
    TrailingBytes "C3" Malformed "Something other than padding follows the evidence.";
    WrongVersion "C4" Unsupported "The format's version is not one that is verified here.";
    WrongAlgorithm "C5" Unsupported "The key or algorithm type is not one that is verified here.";
    SignatureOfOther "C6" Untrusted "The signature belongs to other evidence.";
    BadSignature "C7" Untrusted "A signature does not verify with the key that should have made it.";
    ChainIncomplete "C8" Untrusted "The certificate chain misses a link.";
    ChainOrder "C9" Untrusted "The certificates are not in the order leaf, issuer, root.";
    OtherProduct "C10" Mismatch "The key's certificate is of another product.";
    OtherRoot "C11" Untrusted "The chain does not end in a pinned root key.";
    Expired "C12" Expired "Something the evidence stands on has expired.";
    NotYetValid "C13" Expired "Something the evidence stands on is not valid yet.";
    CrlMissing "C14" Malformed "A revocation list is missing.";
    CrlExpired "C15" Expired "A revocation list has expired.";
    CrlOfOther "C16" Untrusted "A revocation list is of another issuer.";
    LeafRevoked "C17" Revoked "The certificate of the evidence's key is revoked.";
    IntermediateRevoked "C18" Revoked "An issuing certificate is revoked.";
    ReportData "C19" Mismatch "The report data is not what was asked for.";
    Nonce "C20" Mismatch "The key is right and the nonce is not.";
    DebugBit "C21" Refused "The TEE can be debugged.";
    Measurement "C22" Refused "The measured code is not in the manifest.";
    LowSvn "C23" Refused "The code's version is below the lowest allowed.";
    OtherNode "C24" Mismatch "The evidence is that of another node.";
    ReservedNotZero "C25" Malformed "Bytes that the format reserves are not zero.";
    OversizedLength "C26" Malformed "A length is larger than the format or its container allows.";
    LengthOverflow "C27" Malformed "A length overflows.";
    DuplicateKey "C28" Malformed "A map has a key twice.";
    NotCanonical "C29" Malformed "CBOR is not in its canonical form.";
    JsonTrailing "C30" Malformed "Something follows a JSON document.";
    CrlFromFuture "C31" Expired "An endorsement is dated in the future.";
    // Common, beyond the list that the codes come from.
    BadEncoding "C32" Malformed "A certificate, list or document does not parse.";
    ClaimMissing "C33" Refused "The policy asks for something that the evidence does not say.";

    // Intel SGX and TDX.
    QeIdentityUnsigned "I1" Untrusted "The quoting enclave's identity has no signature.";
    QeIdentitySigner "I2" Untrusted "The quoting enclave's identity is signed by another key.";
    QeMrsigner "I3" Mismatch "The quoting enclave has another signer.";
    QeIsvSvn "I4" Mismatch "The quoting enclave is older than any that its identity lists.";
    QeAttributes "I5" Mismatch "The quoting enclave's attributes or miscselect differ from its identity.";
    QeProdId "I6" Mismatch "The quoting enclave is another product.";
    OtherFmspc "I7" Mismatch "The TCB info is of another platform family (FMSPC).";
    OtherPceId "I8" Mismatch "The TCB info is of another provisioning enclave (PCEID).";
    SgxTcbForTd "I9" Mismatch "SGX endorsements were given for a TD.";
    TdxTcbForSgx "I10" Mismatch "TDX endorsements were given for an SGX enclave.";
    LowEvaluation "I11" Refused "The endorsements are older than ones already seen.";
    StatusUpToDate "I12" Refused "The policy does not allow UpToDate.";
    StatusSwHardeningNeeded "I13" Refused "The TCB status is SWHardeningNeeded.";
    StatusConfigurationNeeded "I14" Refused "The TCB status is ConfigurationNeeded.";
    StatusConfigurationAndSwHardeningNeeded "I15" Refused "The TCB status is ConfigurationAndSWHardeningNeeded.";
    StatusOutOfDate "I16" Refused "The TCB status is OutOfDate.";
    StatusOutOfDateConfigurationNeeded "I17" Refused "The TCB status is OutOfDateConfigurationNeeded.";
    StatusTdRelaunchAdvised "I18" Refused "The TCB status is TDRelaunchAdvised.";
    StatusTdRelaunchAdvisedConfigurationNeeded "I19" Refused "The TCB status is TDRelaunchAdvisedConfigurationNeeded.";
    StatusRevoked "I20" Revoked "The TCB status is Revoked.";
    DeniedAdvisory "I21" Refused "An advisory that the policy denies applies.";
    QeReportData "I22" Mismatch "The quoting enclave does not vouch for the attestation key.";
    QeReportDataUpper "I23" Malformed "The upper half of the quoting enclave's report data is not zero.";
    CertificationNesting "I24" Malformed "The certification data is nested wrongly.";
    Migratable "I25" Refused "The TD can be migrated.";
    MrServiceTd "I26" Refused "The TD is bound to a service TD.";
    MrSignerSeam "I27" Mismatch "The TDX module has another signer.";
    SeamAttributes "I28" Mismatch "The TDX module's attributes differ from its identity.";
    ModuleIdentityMissing "I29" Mismatch "The TCB info does not list this TDX module.";
    SeptVeDisable "I30" Refused "The TD does not set SEPT_VE_DISABLE.";
    Profiling "I31" Refused "The TD can be profiled.";
    TcbInfoUnsigned "I32" Untrusted "The TCB info has no signature.";
    TcbInfoVersion "I33" Unsupported "The TCB info's version is not one that is verified here.";
    TcbSignerAsPck "I34" Untrusted "A certificate of another role stands where the PCK certificate should.";
    OtherPckChain "I35" Mismatch "The collateral's PCK chain differs from the quote's.";
    BodyType "I36" Unsupported "The quote's body type is unknown or its size is wrong.";
    SgxBodyInV4 "I37" Unsupported "An SGX report in a quote of version 4 or 5.";
    EventLogReplay "I38" Mismatch "The event log does not replay to the measured registers.";
    EventLogTruncated "I39" Malformed "The event log is cut off or malformed.";
    // Intel, beyond the list.
    NoTcbLevel "I40" Refused "The platform is below every TCB level that Intel lists.";
    TcbInfoSigner "I41" Untrusted "The TCB info is signed by another key.";
    PckExtension "I42" Malformed "The PCK certificate does not say what platform it is of.";
    PlatformFlag "I43" Refused "The policy does not allow this configuration of the platform.";
    TdAttributes "I44" Refused "The TD has an attribute or extended feature that the policy does not allow.";
    QeDebug "I45" Mismatch "The quoting enclave can be debugged.";
    QeVendor "I46" Unsupported "The quoting enclave is not Intel's.";
    SecondOpinion "I47" Untrusted "The two verifiers of Intel quotes disagree.";

    // AMD SEV-SNP.
    SnpVersionLow "A1" Refused "The report's version is older than the policy allows.";
    SnpVersionUnknown "A2" Unsupported "The report's version is not known here.";
    SnpVlek "A3" Refused "The report is signed by a loaded key (VLEK) where a chip's key is required.";
    SnpMaskedChipKey "A4" Refused "The chip's key was masked: nothing signs the report.";
    SnpAuthorKey "A5" Refused "The report's author key is not what the policy says.";
    SnpTcbMismatch "A6" Mismatch "The reported TCB is not the one that the key is certified for.";
    SnpHwid "A7" Mismatch "The report is of another chip than the certificate.";
    SnpLayout "A8" Mismatch "The TCB is laid out for another product.";
    SnpDebugPolicy "A9" Refused "The guest policy allows debugging.";
    SnpMigrationAgent "A10" Refused "The guest policy allows a migration agent.";
    SnpVmpl1 "A11" Refused "The report was asked for at VMPL 1.";
    SnpVmpl2 "A12" Refused "The report was asked for at VMPL 2.";
    SnpVmpl3 "A13" Refused "The report was asked for at VMPL 3.";
    SnpReportedTcb "A14" Refused "The reported TCB is below the lowest allowed.";
    SnpCommittedTcb "A15" Refused "The committed TCB is below the lowest allowed: firmware can be rolled back.";
    SnpHostData "A16" Refused "The host data is not in the manifest.";
    UvmIssuer "A17" Untrusted "The UVM endorsement is of another issuer.";
    UvmSvn "A18" Refused "The UVM endorsement's SVN is below the lowest allowed.";
    UvmFeed "A19" Refused "The UVM endorsement is of another feed.";
    UvmRoot "A20" Untrusted "The UVM endorsement's chain has another root.";
    UvmEku "A21" Untrusted "The UVM endorsement's leaf lacks the extended key usage that its issuer names.";
    SnpPss "A22" Untrusted "A certificate is not signed with RSASSA-PSS, SHA-384 and a salt of 48.";
    SnpAsk "A23" Mismatch "The issuing key (ASK) is of another product.";
    SnpSignaturePadding "A24" Malformed "The padding of r or s is not zero.";
    SnpPolicyBit17 "A25" Malformed "Bit 17 of the guest policy is zero.";
    SnpCpuid "A26" Unsupported "The CPUID is of no product known here.";

    // AWS Nitro.
    NitroZeroPcrs "N1" Refused "PCR0 to PCR2 are zero: the enclave runs in debug mode.";
    NitroAlgorithm "N2" Unsupported "The document is not signed with ES384.";
    NitroUnprotected "N3" Malformed "The document has an unprotected header.";
    NitroRoot "N4" Untrusted "The chain does not start at the pinned root G1.";
    NitroTimestamp "N5" Expired "The document's time is in the future or outside its leaf's.";
    NitroPublicKey "N6" Mismatch "The document carries no public key.";
    NitroTagged "N7" Malformed "The document is tagged.";
    NitroPathLength "N8" Untrusted "A certificate's path length is exceeded.";
    NitroLeafIsCa "N9" Untrusted "The leaf is a CA.";
    NitroFieldSize "N10" Malformed "A field is larger than 1,024 bytes.";
    NitroPcrSize "N11" Malformed "A PCR does not have 48 bytes, or its index is out of range.";
    NitroDigest "N12" Unsupported "The document's digest is not SHA384.";

    // Azure Attestation.
    MaaNone "M1" Untrusted "The token is not signed.";
    MaaAlgorithm "M2" Untrusted "The token's algorithm is not RS256.";
    MaaKid "M3" Untrusted "No pinned key has the token's key id.";
    MaaJku "M4" Untrusted "The token points to keys elsewhere.";
    MaaExpired "M5" Expired "The token has expired.";
    MaaNotYet "M6" Expired "The token is not valid yet.";
    MaaIssuer "M7" Untrusted "The token is of another instance.";
    MaaPolicyHash "M8" Refused "The token was issued under another policy.";
    MaaDebuggable "M9" Refused "The TEE behind the token can be debugged.";
    MaaType "M10" Refused "The token attests no TEE, or another kind.";
    MaaRuntime "M11" Mismatch "The token's runtime data or nonce is not what was asked for.";
    MaaNestedType "M12" Refused "The isolation TEE inside the token is another kind.";

    // Azure vTPM.
    VtpmClaimsHash "V1" Mismatch "The hardware report does not vouch for the runtime claims.";
    VtpmQuoteKey "V2" Untrusted "The TPM quote is not signed by the attestation key of the claims.";
    VtpmExtraData "V3" Mismatch "The TPM quote's nonce is not what was asked for.";
    VtpmPcrDigest "V4" Mismatch "The PCR values are not those of the TPM quote.";
    VtpmPcrSelection "V5" Refused "The TPM quote covers fewer PCRs than the policy needs.";
    VtpmMagic "V6" Malformed "The TPM structure is not a quote.";
    VtpmReportType "V7" Mismatch "The report type is not that of the hardware report.";
    VtpmConsole "V8" Refused "The machine has a console.";
    VtpmSecureBoot "V9" Refused "Secure boot is off.";
    VtpmTwoKeys "V10" Malformed "The runtime claims name two attestation keys.";

    // Windows VBS.
    VbsFullDebug "B1" Refused "The enclave can be debugged.";
    VbsDynamicDebug "B2" Refused "Dynamic debugging is enabled.";
    VbsDynamicDebugActive "B3" Refused "Dynamic debugging is active.";
    VbsKeyNotInLog "B4" Untrusted "The boot log does not name the key that signs reports.";
    VbsLogReplay "B5" Mismatch "The boot log does not replay to the quoted registers.";
    VbsSalt "B6" Untrusted "The report's PSS salt is wrong.";
    VbsScheme "B7" Unsupported "The report's signature scheme is unknown.";
    VbsVersion "B8" Unsupported "The report's version is unknown.";
    VbsBlockSize "B9" Malformed "A block is larger than the report.";

    // Arm CCA.
    CcaNotBound "R1" Mismatch "The platform token does not vouch for the realm's key.";
    CcaLifecycle "R2" Refused "The platform's lifecycle is not secured.";
    CcaRealmKey "R3" Untrusted "The realm token is signed by another key.";
    CcaHashClaims "R4" Unsupported "A hash algorithm claim stands in another's place.";
    CcaChallenge "R5" Malformed "The token has no challenge.";
    CcaCurve "R6" Untrusted "The trust anchor is not on its curve.";
    CcaTag "R7" Malformed "The token is not tagged as one.";

    // Virtual.
    Virtual "S1" Refused "Virtual evidence, and the policy does not allow it.";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

/// How much of what strangers wrote is repeated in a refusal.
const TEXT_BYTES: usize = 400;

/// The verdict "no": which rule, and what was seen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} ({code}): {text}", code.sentence().trim_end_matches('.'))]
pub struct Refusal {
    pub code: Code,
    /// What was found and what was expected, for people. Strangers have a say in it, so it has a bound.
    pub text: String,
}

impl Refusal {
    pub fn new(code: Code, text: impl Into<String>) -> Self {
        let mut text = text.into();
        if text.len() > TEXT_BYTES {
            text.truncate(text.floor_char_boundary(TEXT_BYTES));
            text.push('…');
        }
        Self { code, text }
    }

    pub fn blame(&self) -> Blame {
        self.code.blame()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_and_the_lists_complete() {
        let ids: std::collections::BTreeSet<_> = Code::ALL.iter().map(|code| code.id()).collect();
        assert_eq!(ids.len(), Code::ALL.len());
        for (letter, last) in
            [('C', 31), ('I', 39), ('A', 26), ('N', 12), ('M', 12), ('V', 10), ('B', 9), ('R', 7), ('S', 1)]
        {
            assert!((1..=last).all(|number| ids.contains(format!("{letter}{number}").as_str())), "{letter}");
        }
    }

    #[test]
    fn a_refusal_reads_as_a_sentence() {
        let refusal = Refusal::new(Code::DebugBit, "attributes 0700000000000000");
        assert_eq!(refusal.to_string(), "The TEE can be debugged (C21): attributes 0700000000000000");
        assert_eq!(refusal.blame(), Blame::Refused);
    }

    #[test]
    fn strangers_do_not_fill_a_log() {
        let refusal = Refusal::new(Code::BadEncoding, "ä".repeat(100_000));
        assert_eq!(refusal.text.len(), TEXT_BYTES + '…'.len_utf8());
    }
}
