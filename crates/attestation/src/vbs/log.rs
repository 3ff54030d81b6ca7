//! The Windows boot log: what firmware and boot loader measured, and in it what Windows says of itself.
//!
//! An event's type is not measured, so nothing here depends on one (but that "no action" is measured at all, which the
//! replay shows): what counts is the register, and data whose hash is the digest. In Windows' own registers every event must
//! be of Windows until it closes the register with the separator "WBCL"; what comes later was measured by whoever ran by then.
//! Firmware closes its settings, secure boot among them, with a separator of zeros.

use crate::formats::event_log::{self, Event};
use crate::formats::tpm::{PCR_BYTES, PCRS, Quote};
use crate::{Claims, Code, Reader, Refusal, limits};

const ALGORITHM_SHA1: u16 = 0x0004;
const ALGORITHM_SHA256: u16 = 0x000b;

const EV_NO_ACTION: u32 = 3;
const WINDOWS_END: &[u8] = b"WBCL";
const FIRMWARE_END: &[u8] = &[0; 4];
const STARTUP_LOCALITY: &[u8] = b"StartupLocality\0";

/// Windows' own events inside tagged ones; a set bit says that others are nested in it.
const SIPA_AGGREGATION: u32 = 0x4000_0000;
const SIPA_BOOT_DEBUGGING: u32 = 0x0004_0001;
const SIPA_KERNEL_DEBUG: u32 = 0x0005_0001;
const SIPA_TEST_SIGNING: u32 = 0x0005_0003;
const SIPA_HYPERVISOR_DEBUG: u32 = 0x0005_000d;
const SIPA_VSM_IDKS_INFO: u32 = 0x0005_0023;
/// Trust boundaries hold modules, modules hold their facts.
const SIPA_DEPTH_MAX: u32 = 8;
/// Registers that Windows alone measures into, tagged events and nothing else.
const WINDOWS_REGISTERS: std::ops::RangeInclusive<usize> = 12..=14;
const SECURE_BOOT_REGISTER: usize = 7;

pub(super) struct Log<'a> {
    events: Vec<Event<'a>>,
}

/// The key that the secure kernel signs reports with, and where it was measured.
pub(super) struct SecureKernelKey<'a> {
    pub(super) register: usize,
    pub(super) exponent: &'a [u8],
    pub(super) modulus: &'a [u8],
}

impl<'a> Log<'a> {
    /// The crypto-agile form, or the older one that has SHA-1 only (which replays to nothing here).
    pub(super) fn parse(log: &'a [u8]) -> Result<Self, Refusal> {
        let first_data = log.get(32..48);
        if first_data == Some(b"Spec ID Event03\0") {
            return Ok(Self { events: event_log::parse(log, limits::EVENT_LOG_BYTES)? });
        }
        let events = older(log).map_err(|refusal| Refusal::new(Code::EventLogTruncated, refusal.text))?;
        Ok(Self { events })
    }

    /// The one key that Windows named.
    pub(super) fn secure_kernel_key(&self) -> Result<SecureKernelKey<'a>, Refusal> {
        let mut keys = Vec::new();
        self.windows_events(|register, kind, data| {
            if kind == SIPA_VSM_IDKS_INFO {
                keys.push((register, data));
            }
        })?;
        let [(register, data)] = keys[..] else {
            return Err(Refusal::new(Code::VbsKeyNotInLog, format!("{} keys are named", keys.len())));
        };
        let mut reader = Reader::part(data);
        let (_algorithm, bits) = (reader.u32_le()?, reader.u32_le()?);
        let (exponent, modulus) = (reader.u32_le()?, reader.u32_le()?);
        let exponent = reader.sized(exponent, 4)?;
        let modulus = reader.sized(modulus, 1024)?;
        reader.end()?;
        if u32::try_from(modulus.len() * 8).ok() != Some(bits) || bits < 2048 {
            return Err(Refusal::new(Code::VbsKeyNotInLog, format!("a key of {bits} bits")));
        }
        Ok(SecureKernelKey { register, exponent: significant(exponent), modulus: significant(modulus) })
    }

    /// The quoted registers, if the log replays to them.
    pub(super) fn replay(&self, quote: &Quote<'_>) -> Result<Vec<[u8; PCR_BYTES]>, Refusal> {
        let mut registers = [[0; PCR_BYTES]; PCRS];
        for event in &self.events {
            let Some(register) = usize::try_from(event.register).ok().and_then(|index| registers.get_mut(index)) else {
                return Err(Refusal::new(Code::VbsLogReplay, format!("register {}", event.register)));
            };
            if event.kind == EV_NO_ACTION {
                if let Some([locality]) = event.data.strip_prefix(STARTUP_LOCALITY) {
                    *register = [0; PCR_BYTES];
                    register[PCR_BYTES - 1] = *locality;
                }
                continue;
            }
            let measured = event.digest(ALGORITHM_SHA256);
            let measured = measured.ok_or_else(|| Refusal::new(Code::VbsLogReplay, "an event without SHA-256"))?;
            *register = crypto::sha256(&[&register[..], measured].concat()).0;
        }
        let selected: Vec<[u8; PCR_BYTES]> = quote.selected.iter().map(|index| registers[*index]).collect();
        if crypto::sha256(&selected.concat()).0 != quote.digest {
            return Err(Refusal::new(Code::VbsLogReplay, "the quoted PCRs are others"));
        }
        Ok(selected)
    }

    /// Every event of Windows' own before it closed the register, innermost ones too.
    fn windows_events(&self, mut see: impl FnMut(usize, u32, &'a [u8])) -> Result<(), Refusal> {
        for register in WINDOWS_REGISTERS {
            for data in self.until(register, WINDOWS_END)? {
                nested(data, 0, &mut |kind, data| see(register, kind, data))?;
            }
        }
        Ok(())
    }

    /// What was measured into a register until `end` was. Each must be there, and as it was measured.
    fn until(&self, register: usize, end: &[u8]) -> Result<Vec<&'a [u8]>, Refusal> {
        let of_register =
            |event: &&Event<'_>| usize::try_from(event.register) == Ok(register) && event.kind != EV_NO_ACTION;
        let mut found = Vec::new();
        for event in self.events.iter().filter(of_register) {
            if !is_measured(event) {
                let text = format!("an event's digest in register {register} is not its data's");
                return Err(Refusal::new(Code::VbsLogReplay, text));
            }
            if event.data == end {
                return Ok(found);
            }
            found.push(event.data);
        }
        if found.is_empty() {
            return Ok(found);
        }
        Err(Refusal::new(Code::VbsLogReplay, format!("register {register} was never closed")))
    }
}

/// What the log says of the machine, as far as the quoted registers vouch for it.
pub(super) struct Boot {
    secure_boot: Option<bool>,
    facts: Vec<(&'static str, bool)>,
}

impl Boot {
    pub(super) fn of(log: &Log<'_>, selected: &[usize]) -> Result<Self, Refusal> {
        let mut facts = Vec::new();
        log.windows_events(|register, kind, data| {
            let name = match kind {
                SIPA_BOOT_DEBUGGING => "boot-debugging",
                SIPA_KERNEL_DEBUG => "kernel-debugging",
                SIPA_TEST_SIGNING => "test-signing",
                SIPA_HYPERVISOR_DEBUG => "hypervisor-debugging",
                _ => return,
            };
            if selected.contains(&register) {
                facts.push((name, data.iter().any(|byte| *byte != 0)));
            }
        })?;
        let mut secure_boot = None;
        if selected.contains(&SECURE_BOOT_REGISTER) {
            let settings = log.until(SECURE_BOOT_REGISTER, FIRMWARE_END)?;
            for on in settings.into_iter().filter_map(secure_boot_of) {
                secure_boot = Some(on && secure_boot != Some(false));
            }
        }
        Ok(Self { secure_boot, facts })
    }

    /// A fact that was bad once is bad.
    pub(super) fn tell(self, claims: &mut Claims) {
        if let Some(on) = self.secure_boot {
            claims.tell("secure-boot", on);
        }
        for (name, on) in self.facts {
            let before = claims.flag(name).unwrap_or(false);
            claims.tell(name, on || before);
        }
    }
}

/// Register u32, type u32, SHA-1, size u32, data.
fn older(log: &[u8]) -> Result<Vec<Event<'_>>, Refusal> {
    if log.len() > limits::EVENT_LOG_BYTES {
        return Err(Refusal::new(Code::OversizedLength, format!("a log of {} bytes", log.len())));
    }
    let mut reader = Reader::new(log);
    let mut events = Vec::new();
    while !reader.is_empty() {
        let (register, kind) = (reader.u32_le()?, reader.u32_le()?);
        let digest = reader.take(20)?;
        let size = reader.u32_le()?;
        let data = reader.sized(size, limits::EVENT_LOG_BYTES)?;
        events.push(Event { register, kind, digests: vec![(ALGORITHM_SHA1, digest)], data });
    }
    Ok(events)
}

/// A log with SHA-1 alone measures nothing that is believed, and is not refused for it here.
fn is_measured(event: &Event<'_>) -> bool {
    event.digest(ALGORITHM_SHA256).is_none_or(|measured| measured == crypto::sha256(event.data).0)
}

/// Pairs of type and size, each maybe holding others.
fn nested<'a>(data: &'a [u8], depth: u32, see: &mut dyn FnMut(u32, &'a [u8])) -> Result<(), Refusal> {
    if depth > SIPA_DEPTH_MAX {
        return Err(Refusal::new(Code::EventLogTruncated, "events are nested too deeply"));
    }
    let mut reader = Reader::part(data);
    while !reader.is_empty() {
        let (kind, size) = (reader.u32_le()?, reader.u32_le()?);
        let content = reader.sized(size, limits::EVENT_LOG_BYTES)?;
        if kind & SIPA_AGGREGATION != 0 {
            nested(content, depth + 1, see)?;
        } else {
            see(kind, content);
        }
    }
    Ok(())
}

/// `UEFI_VARIABLE_DATA`: GUID, lengths of name (in characters) and data, name in UTF-16, data.
fn secure_boot_of(data: &[u8]) -> Option<bool> {
    let mut reader = Reader::new(data);
    reader.take(16).ok()?;
    let (name, data) = (reader.u64_le().ok()?, reader.u64_le().ok()?);
    let name = reader.take(usize::try_from(name.checked_mul(2)?).ok()?).ok()?;
    let data = reader.take(usize::try_from(data).ok()?).ok()?;
    let wanted: Vec<u8> = "SecureBoot".encode_utf16().flat_map(u16::to_le_bytes).collect();
    (name == wanted).then_some(data == [1])
}

/// A number without leading zeros.
fn significant(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    &number[zeros..]
}
