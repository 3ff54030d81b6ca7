//! What a node's own platform answers when it is asked for evidence. The host of a guest and the hypervisor of an enclave make
//! it up, and nobody signs the envelope.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use attestation::gather::{Attester, Gathered, Nsm, NsmDevice, Refused, SevGuest, SevGuestDevice};
use attestation::{Endorsements, Presented};
use minicbor::Encoder;

use crate::input::{Input, pieces};
use crate::mock::amd::Build;

/// A secure processor: how it answers, what the report's answer begins with, and the host's table.
struct Processor {
    choice: u8,
    room: usize,
    response: Vec<u8>,
    table: Vec<u8>,
}

impl Processor {
    fn respond(&self, response: &mut [u8; 4000]) -> Result<(), Refused> {
        if self.choice & 2 != 0 {
            return Err(self.refused(0));
        }
        response.iter_mut().zip(&self.response).for_each(|(to, from)| *to = *from);
        Ok(())
    }

    fn refused(&self, hypervisor: u32) -> Refused {
        let error = io::Error::from_raw_os_error(i32::from(self.choice >> 4) + 1);
        Refused { error, firmware: 1, hypervisor, room: self.room }
    }
}

impl SevGuestDevice for Processor {
    fn report(&self, _: &[u8; 96], response: &mut [u8; 4000]) -> Result<(), Refused> {
        self.respond(response)
    }

    fn extended_report(&self, _: &[u8; 96], certificates: &mut [u8], response: &mut [u8; 4000]) -> Result<(), Refused> {
        if certificates.len() < self.room {
            return Err(self.refused(1));
        }
        certificates.iter_mut().zip(&self.table).for_each(|(to, from)| *to = *from);
        self.respond(response)
    }

    fn name(&self) -> PathBuf {
        "processor".into()
    }
}

/// A security module: its answer, and how long the driver says that it is.
struct Module {
    answer: Vec<u8>,
    length: u64,
}

impl NsmDevice for Module {
    fn ask(&self, _: &[u8], response: &mut [u8]) -> io::Result<u64> {
        response.iter_mut().zip(&self.answer).for_each(|(to, from)| *to = *from);
        Ok(self.length)
    }

    fn name(&self) -> PathBuf {
        "module".into()
    }
}

/// The first byte chooses who answers, and how.
pub fn run(data: &[u8]) {
    let mut input = Input(data);
    let choice = input.byte();
    let number = usize::from(u16::from_le_bytes([input.byte(), input.byte()]));
    if choice & 1 == 0 {
        let response = input.piece().to_vec();
        // Up to twice what a node makes room for.
        let processor = Processor { choice, room: number * 2, response: response.clone(), table: input.0.to_vec() };
        let attester = SevGuest::on(Box::new(processor)).with_patience(1, Duration::ZERO);
        let Ok(gathered) = attester.evidence(&[7; 64]) else { return };
        let mut whole = response;
        whole.resize(4000, 0);
        assert_eq!(gathered.evidence, &whole[32..32 + 1184]);
        show(gathered);
    } else {
        let answer = input.0.to_vec();
        let length = if choice & 2 == 0 { answer.len() } else { number };
        let module = Module { answer: answer.clone(), length: length as u64 };
        let Ok(gathered) = Nsm::on(Box::new(module)).evidence(&[7; 64]) else { return };
        let document = &gathered.evidence;
        // The driver may say that there is more than was written, and that is zeros.
        assert!(length > answer.len() || answer.windows(document.len()).any(|window| window == document));
        show(gathered);
    }
}

/// As it would be sent.
fn show(gathered: Gathered) {
    let Ok(presented) = gathered.presented(None) else { return };
    if let Endorsements::Amd(given) = &presented.endorsements {
        assert!(given.chain.iter().all(|certificate| certificate.len() <= 64 << 10));
    }
    let text = serde_json::to_vec(&presented).expect("it has a text");
    assert_eq!(Presented::parse(&text).as_ref(), Ok(&presented));
}

pub fn seeds() -> Vec<Vec<u8>> {
    let build = Build::new();
    let mut response = vec![0; 32];
    response[4..8].copy_from_slice(&1184_u32.to_le_bytes());
    response.extend(build.evidence());
    let table = table(&build.endorsements().chain);
    let whole = |choice: u8, room: u16, table: &[u8]| {
        let answer = pieces(0, &[&response], table);
        [&[choice][..], &room.to_le_bytes(), &answer[1..]].concat()
    };
    let answer = |name: &str, document: bool| {
        let mut e = Encoder::new(vec![3, 0, 0]);
        let written = if document {
            e.map(1).and_then(|e| e.str(name)?.map(1)?.str("document")?.bytes(b"abc"))
        } else {
            e.map(1).and_then(|e| e.str(name)?.str("InvalidArgument"))
        };
        written.expect("memory takes it");
        let mut bytes = e.into_writer();
        bytes[0] = 1;
        bytes
    };
    vec![
        whole(0, 0, &table),
        whole(0, 10_240, &table),
        whole(0, u16::MAX, &[]),
        whole(2, 0, &table),
        answer("Attestation", true),
        answer("Error", false),
    ]
}

/// As a host lays it out: the chip's certificate, its issuer's, the root's.
fn table(chain: &[Vec<u8>]) -> Vec<u8> {
    let guids: [u128; 3] = [
        0x63da758d_e664_4564_adc5_f4b93be8accd,
        0x4ab7b379_bbac_4fe4_a02f_05aef327c782,
        0xc0b406a4_a803_4952_9743_3fb6014cd0ae,
    ];
    let mut head = Vec::new();
    let mut at = 24 * (chain.len() + 1);
    for (guid, certificate) in guids.iter().zip(chain) {
        head.extend(guid.to_be_bytes());
        head.extend(u32::try_from(at).unwrap_or(0).to_le_bytes());
        head.extend(u32::try_from(certificate.len()).unwrap_or(0).to_le_bytes());
        at += certificate.len();
    }
    [head, vec![0; 24], chain.concat()].concat()
}
