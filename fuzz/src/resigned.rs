//! Evidence of machines whose signed parts an input is, signed anew with keys of our own: Windows enclaves, vTPMs of Azure,
//! tokens of Azure Attestation. So a change gets past the signatures, and meets what reads the parts and compares them with
//! each other.
//!
//! What is accepted has claims that are in the signed bytes, each where the layout has it. Then one more change is made that
//! nobody signs again: **if that is accepted too, it changes no claim.**

use std::sync::LazyLock;

use attestation::maa::{self, Instance};
use attestation::{Binding, Claims, Policy, Refusal, vbs};

use crate::input::{Input, pieces};
use crate::mock::azure::{Build as Azure, Hardware};
use crate::mock::intel::Base;
use crate::mock::maa as mock_maa;
use crate::mock::maa::{Build as Maa, ISSUER};
use crate::mock::vbs::{Build as Windows, Event};

/// One byte of the evidence, changed after everything was signed.
struct Late {
    at: usize,
    mask: u8,
}

impl Late {
    fn of(input: &mut Input<'_>) -> Self {
        Self { at: usize::from(u16::from_le_bytes([input.byte(), input.byte()])), mask: input.byte() }
    }

    fn on(&self, bytes: &mut [u8]) {
        let length = bytes.len().max(1);
        if let Some(byte) = bytes.get_mut(self.at % length) {
            *byte ^= self.mask;
        }
    }
}

/// The same verdict twice, and once more changed late.
fn judge(evidence: &[u8], late: &Late, verify: impl Fn(&[u8]) -> Result<Claims, Refusal>) -> Option<Claims> {
    let verdict = verify(evidence);
    assert_eq!(verdict, verify(evidence));
    let claims = verdict.ok()?;
    let text = serde_json::to_string(&claims).expect("claims have a text");
    assert_eq!(serde_json::from_str::<Claims>(&text).ok().as_ref(), Some(&claims));
    drop(attestation::policy(&claims, &Policy::default(), &Binding::Exact(claims.report_data.0.clone())));
    let mut changed = evidence.to_vec();
    late.on(&mut changed);
    if let Ok(other) = verify(&changed) {
        assert_eq!(Claims { evidence: claims.evidence, ..other }, claims, "an accepted change changed a claim");
    }
    Some(claims)
}

/// What an enclave's report says, the events of a boot, and the TPM's words.
pub fn windows(data: &[u8]) {
    static ANCHORS: LazyLock<vbs::Anchors> = LazyLock::new(|| Windows::new().anchors());
    let mut input = Input(data);
    let (late, choice) = (Late::of(&mut input), input.byte());
    let mut build = Windows::new();
    if choice & 1 == 1 {
        build.statement = Some(input.piece().to_vec());
    }
    if choice & 2 == 2 {
        build.message = Some(input.piece().to_vec());
    }
    if choice & 4 == 4 {
        build.events = events(&mut input);
    }
    let statement = build.statement.clone().unwrap_or_else(|| build.statement());
    let registers = build.registers();
    let evidence = build.evidence().to_json();
    let claims = judge(&evidence, &late, |evidence| vbs::verify(evidence, &ANCHORS, build.now));
    let Some(claims) = claims else { return };
    assert_eq!(claims.report_data.0, &statement[8..72]);
    assert_eq!(claims.measurements["unique-id"].as_ref(), &statement[104..136]);
    assert_eq!(claims.measurements["author-id"].as_ref(), &statement[136..168]);
    for (index, register) in registers.iter().enumerate() {
        let said = claims.measurements.get(&format!("pcr{index}"));
        assert!(said.is_none_or(|said| said.as_ref() == register), "register {index} is not what was measured");
    }
}

/// Register, type and data of each; the digest is the data's.
fn events(input: &mut Input<'_>) -> Vec<Event> {
    let mut events = Vec::new();
    while !input.0.is_empty() && events.len() < 64 {
        let (register, kind) = (u32::from(input.byte() % 24), u32::from(input.byte()));
        // The upper bit stands for EFI's types.
        let kind = if kind & 0x80 == 0 { kind } else { 0x8000_0000 | (kind & 0x7f) };
        let data = input.piece().to_vec();
        // What the mock TPM starts its locality with is in the last byte.
        if !data.is_empty() {
            events.push((register, kind, data, None));
        }
    }
    events
}

pub fn windows_seeds() -> Vec<Vec<u8>> {
    let build = Windows::new();
    let statement = build.statement();
    let message = build.evidence().tpm_quote.message;
    let mut events = Vec::new();
    for (register, kind, data, digest) in &build.events {
        if digest.is_none() {
            let kind = (kind & 0x7f) as u8 | if kind & 0x8000_0000 == 0 { 0 } else { 0x80 };
            events.push(pieces(*register as u8, &[], &[kind]));
            events.push((data.len() as u16).to_le_bytes().to_vec());
            events.push(data.clone());
        }
    }
    let events = events.concat();
    let whole = |choice: u8, parts: &[&[u8]], last: &[u8]| [&[9, 0, 1][..], &pieces(choice, parts, last)].concat();
    vec![
        whole(1, &[&statement], &[]),
        whole(2, &[&message], &[]),
        whole(4, &[], &events),
        whole(7, &[&statement, &message], &events),
    ]
}

/// With all that it needs but the evidence.
type Verifier = Box<dyn Fn(&[u8]) -> Result<Claims, Refusal> + Send + Sync>;

/// What an input's choice says of the hardware.
const ON_TDX: u8 = 8;

fn machine(choice: u8) -> Azure {
    if choice & ON_TDX == 0 { Azure::new() } else { Azure::tdx(Base::Tdx4) }
}

/// What the hardware's vendor signs, and how long it is.
fn vouched(build: &mut Azure) -> (&mut Vec<u8>, usize) {
    match build.hardware {
        Hardware::Snp => (&mut build.amd.report, 1184),
        Hardware::Tdx => (&mut build.intel.body, 584),
    }
}

/// A paravisor's claims, the SNP report or TD that binds them, and the TPM's words with the values of its registers.
pub fn vtpm(data: &[u8]) {
    static VERIFIERS: LazyLock<[Verifier; 2]> =
        LazyLock::new(|| [0, ON_TDX].map(|choice| Box::new(machine(choice).verifier()) as _));
    let mut input = Input(data);
    let (late, choice) = (Late::of(&mut input), input.byte());
    let mut build = machine(choice);
    if choice & 1 == 1 {
        build.runtime = Some(input.piece().to_vec());
    }
    if choice & 2 == 2 {
        let (vouched, length) = vouched(&mut build);
        *vouched = input.piece().to_vec();
        vouched.resize(vouched.len().max(length), 0);
    }
    if choice & 4 == 4 {
        let message = input.piece().to_vec();
        build.quoted = Some((message, input.0.as_chunks().0.to_vec()));
    }
    let message = build.tpm_quote().message;
    let [on_snp, on_tdx] = &*VERIFIERS;
    let (verify, name, measured) = match build.hardware {
        Hardware::Snp => (on_snp, "measurement", &build.amd.report[0x90..0xc0]),
        Hardware::Tdx => (on_tdx, "mrtd", &build.intel.body[136..184]),
    };
    let Some(claims) = judge(&build.evidence(), &late, verify) else { return };
    assert_eq!(claims.measurements[name].as_ref(), measured);
    let nonce = claims.bytes("extra-data").expect("a quote has it");
    assert!(message.windows(nonce.len().max(1)).any(|window| window == nonce) || nonce.is_empty());
    assert!(claims.report_data.0.starts_with(nonce));
    let quoted = claims.measurements.iter().filter(|(name, _)| name.starts_with("pcr")).map(|(_, value)| value);
    let pcrs = build.tpm_quote().pcrs;
    for value in quoted {
        assert!(pcrs.iter().any(|pcr| pcr == value.as_ref()), "a register that was not given");
    }
}

pub fn vtpm_seeds() -> Vec<Vec<u8>> {
    let whole = |choice: u8, parts: &[&[u8]], last: &[u8]| [&[9, 0, 1][..], &pieces(choice, parts, last)].concat();
    let seeds = |hardware: u8| {
        let mut build = machine(hardware);
        let (runtime, quote) = (build.runtime_claims().into_bytes(), build.tpm_quote());
        let (vouched, pcrs) = (vouched(&mut build).0, quote.pcrs.concat());
        [
            whole(hardware | 1, &[&runtime], &[]),
            whole(hardware | 2, &[vouched], &[]),
            whole(hardware | 4, &[&quote.message], &pcrs),
            whole(hardware | 7, &[&runtime, vouched, &quote.message], &pcrs),
        ]
    };
    [0, ON_TDX].into_iter().flat_map(seeds).collect()
}

/// A token's header and payload.
pub fn token(data: &[u8]) {
    static INSTANCE: LazyLock<Instance> =
        LazyLock::new(|| Instance::new(ISSUER, Maa::jwks().as_bytes()).expect("a key set"));
    let mut input = Input(data);
    let late = Late::of(&mut input);
    let (header, payload) = (input.piece(), input.0);
    let build = Maa { texts: Some([header.to_vec(), payload.to_vec()]), ..Maa::new() };
    let verify = |token: &[u8]| maa::verify(token, &INSTANCE, mock_maa::NOW);
    let Some(claims) = judge(&build.token(), &late, verify) else { return };
    let header: serde_json::Value = serde_json::from_slice(header).expect("it was read");
    let payload: serde_json::Value = serde_json::from_slice(payload).expect("it was read");
    assert_eq!((header["alg"].as_str(), header["kid"].as_str()), (Some("RS256"), Some("one")));
    assert_eq!(payload["iss"].as_str(), Some(ISSUER));
    assert!(payload["exp"].as_u64() >= Some(mock_maa::NOW));
    let mut texts = Vec::new();
    strings(&payload, &mut texts);
    for (name, value) in &claims.measurements {
        let hex = value.to_string();
        assert!(texts.iter().any(|text| text.eq_ignore_ascii_case(&hex)), "{name} is not in the payload");
    }
}

fn strings<'a>(value: &'a serde_json::Value, texts: &mut Vec<&'a str>) {
    match value {
        serde_json::Value::String(text) => texts.push(text),
        serde_json::Value::Array(items) => items.iter().for_each(|item| strings(item, texts)),
        serde_json::Value::Object(members) => members.values().for_each(|member| strings(member, texts)),
        _ => {}
    }
}

pub fn token_seeds() -> Vec<Vec<u8>> {
    [Maa::new(), Maa::sgx()]
        .iter()
        .map(|build| {
            let (header, payload) = (build.header.to_string(), build.payload.to_string());
            [&[9, 0][..], &pieces(1, &[header.as_bytes()], payload.as_bytes())].concat()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Else a target would look at nothing but refusals.
    #[test]
    fn what_the_targets_start_from_is_accepted() {
        let build = Windows::new();
        let message = build.evidence().tpm_quote.message;
        let again = Windows { statement: Some(build.statement()), message: Some(message), ..Windows::new() };
        let verdict = vbs::verify(&again.evidence().to_json(), &again.anchors(), again.now);
        assert_eq!(verdict.err(), None);
        // The boot loader's digest is not its data's, and events of an input have no other.
        let mut events = Windows::new();
        events.events.iter_mut().for_each(|event| event.3 = None);
        let verdict = vbs::verify(&events.evidence().to_json(), &events.anchors(), events.now);
        assert_eq!(verdict.err(), None);
        for mut azure in [0, ON_TDX].map(machine) {
            azure.runtime = Some(azure.runtime_claims().into_bytes());
            let quote = azure.tpm_quote();
            azure.quoted = Some((quote.message, quote.pcrs));
            assert_eq!(azure.verifier()(&azure.evidence()).err(), None);
        }
        let maa = Maa::new();
        let texts = [maa.header.to_string().into_bytes(), maa.payload.to_string().into_bytes()];
        let token = Maa { texts: Some(texts), ..Maa::new() }.token();
        let instance = Instance::new(ISSUER, Maa::jwks().as_bytes()).unwrap();
        assert_eq!(maa::verify(&token, &instance, mock_maa::NOW).err(), None);
    }
}
