//! Logs of measured events, as firmware keeps them (TCG PC Client Platform Firmware Profile, crypto-agile form).
//!
//! ```text
//! first event   register u32 · type u32 = 3 · digest 20 (zero) · size u32 · "Spec ID Event03\0" · …
//!                 u32 platform class · u8 minor, major, errata, word size · u32 count · count × (algorithm u16, size u16)
//!                 · u8 length · vendor information
//! each further  register u32 · type u32 · u32 count · count × (algorithm u16 · digest) · size u32 · event
//! ```
//!
//! A log stands in a fixed area: what follows the last event is all zeros or all ones.

use crate::{Code, Reader, Refusal};

const SIGNATURE: &[u8; 16] = b"Spec ID Event03\0";
/// Banks of one log: firmware has a handful.
const ALGORITHMS_MAX: u32 = 16;

/// One measured event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event<'a> {
    /// The register that was extended (PCR index, or register index in a confidential machine).
    pub(crate) register: u32,
    pub(crate) kind: u32,
    /// (TCG algorithm, digest), as logged.
    pub(crate) digests: Vec<(u16, &'a [u8])>,
    pub(crate) data: &'a [u8],
}

impl<'a> Event<'a> {
    pub(crate) fn digest(&self, algorithm: u16) -> Option<&'a [u8]> {
        self.digests.iter().find(|(own, _)| *own == algorithm).map(|(_, digest)| *digest)
    }
}

/// The events after the first one, which only describes the log.
pub(crate) fn parse(log: &[u8], limit: usize) -> Result<Vec<Event<'_>>, Refusal> {
    if log.len() > limit {
        return Err(Refusal::new(Code::OversizedLength, format!("an event log of {} bytes", log.len())));
    }
    let (events, _) = read(log, limit).map_err(|refusal| Refusal::new(Code::EventLogTruncated, refusal.text))?;
    Ok(events)
}

/// The log without what is left of its area: firmware reserves several times what it needs. One that cannot be read stays as it is.
pub(crate) fn without_padding(mut log: Vec<u8>, limit: usize) -> Vec<u8> {
    if let Ok((_, end)) = read(&log, limit) {
        log.truncate(end);
    }
    log
}

/// The events, and where the last one ends.
fn read(log: &[u8], limit: usize) -> Result<(Vec<Event<'_>>, usize), Refusal> {
    let mut reader = Reader::new(log);
    let algorithms = header(&mut reader, limit)?;
    let mut events = Vec::new();
    let end = log.len() - padding(log);
    while reader.at() < end {
        let register = reader.u32_le()?;
        let kind = reader.u32_le()?;
        let count = reader.u32_le()?;
        if count > ALGORITHMS_MAX {
            return Err(bad("an event has too many digests"));
        }
        let mut digests = Vec::new();
        for _ in 0..count {
            let algorithm = reader.u16_le()?;
            let size = algorithms.iter().find(|(own, _)| *own == algorithm).map(|(_, size)| *size);
            let size =
                size.ok_or_else(|| bad("an event has a digest of an algorithm that the log does not announce"))?;
            if digests.iter().any(|(own, _)| *own == algorithm) {
                return Err(bad("an event has two digests of one algorithm"));
            }
            digests.push((algorithm, reader.take(size.into())?));
        }
        let size = reader.u32_le()?;
        events.push(Event { register, kind, digests, data: reader.sized(size, limit)? });
    }
    Ok((events, reader.at()))
}

/// Which digests the events carry, and how long each is.
fn header(reader: &mut Reader<'_>, limit: usize) -> Result<Vec<(u16, u16)>, Refusal> {
    reader.take(4 + 4 + 20)?;
    let size = reader.u32_le()?;
    let mut inner = Reader::part(reader.sized(size, limit)?);
    if &inner.array()? != SIGNATURE {
        return Err(bad("it does not open as a crypto-agile log"));
    }
    inner.take(8)?;
    let count = inner.u32_le()?;
    if count > ALGORITHMS_MAX {
        return Err(bad("it announces too many algorithms"));
    }
    (0..count).map(|_| Ok((inner.u16_le()?, inner.u16_le()?))).collect()
}

/// How many bytes at the end are alike and all zero or all one. An event may end in such bytes, too: it is read over them.
fn padding(log: &[u8]) -> usize {
    let same = |wanted: u8| log.iter().rev().take_while(|byte| **byte == wanted).count();
    same(0).max(same(0xFF))
}

fn bad(text: &str) -> Refusal {
    Refusal::new(Code::EventLogTruncated, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The recorded log of a confidential machine of another vendor, if it is here.
    #[test]
    fn a_recorded_log_has_its_events_and_banks() {
        let root = std::env::var("COCO_VECTORS")
            .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/vectors").to_owned());
        let Ok(log) = std::fs::read(format!("{root}/attestation/eventlogs/ubuntu-2404-amd-sevsnp.bin")) else {
            println!("SKIPPED: no event log under {root}; set COCO_VECTORS");
            return;
        };
        let events = parse(&log, 1 << 20).unwrap();
        assert_eq!(events.len(), 116);
        let banks: Vec<u16> = events[0].digests.iter().map(|(algorithm, _)| *algorithm).collect();
        assert_eq!(banks, [0x0004, 0x000B, 0x000C]);
        for cut in 0..log.len() {
            if let Ok(fewer) = parse(&log[..cut], 1 << 20) {
                assert!(events.starts_with(&fewer));
            }
        }
    }
}
