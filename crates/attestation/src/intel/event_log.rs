//! The log of what a TD's firmware and loader measured (CCEL) against the registers that the quote certifies.
//!
//! Register i of the TD (RTMRi) is index i+1 of the log. RTMR3 is the guest's own: compared where the log has events of it.

use crate::formats::event_log::{self, Event};
use crate::{Claims, Code, Refusal, limits};

const SHA384: u16 = 0x000C;
const NO_ACTION: u32 = 3;

/// What the registers must hold after these events.
pub fn replay(log: &[u8]) -> Result<[[u8; 48]; 4], Refusal> {
    Ok(fold(&event_log::parse(log, limits::EVENT_LOG_BYTES)?)?.0)
}

/// Refuses a log that does not replay to the claims' registers, and tells its hash otherwise ("event-log").
pub fn check(mut claims: Claims, log: &[u8]) -> Result<Claims, Refusal> {
    let events = event_log::parse(log, limits::EVENT_LOG_BYTES)?;
    let (registers, measured) = fold(&events)?;
    for (index, value) in registers.iter().enumerate() {
        let name = format!("rtmr{index}");
        let claimed = claims.measurements.get(&name).map_or(&[][..], |bytes| &bytes.0);
        if claimed != value && (index < 3 || measured[index]) {
            let text = format!("{name} is {}, the log gives {}", const_hex::encode(claimed), const_hex::encode(value));
            return Err(Refusal::new(Code::EventLogReplay, text));
        }
    }
    claims.tell("event-log", &crypto::sha256(log).0[..]);
    Ok(claims)
}

/// The registers, and which of them have events.
fn fold(events: &[Event<'_>]) -> Result<([[u8; 48]; 4], [bool; 4]), Refusal> {
    let mut registers = [[0; 48]; 4];
    let mut measured = [false; 4];
    for event in events.iter().filter(|event| event.kind != NO_ACTION) {
        let index = usize::try_from(event.register).ok().and_then(|register| register.checked_sub(1));
        // Index 0 is MRTD, which the module measures before anything runs.
        let Some(index) = index.filter(|index| *index < 4) else { continue };
        let Some(digest) = event.digest(SHA384) else {
            return Err(Refusal::new(Code::EventLogTruncated, "an event has no SHA-384 digest"));
        };
        let mut hash = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA384);
        hash.update(&registers[index]);
        hash.update(digest);
        registers[index].copy_from_slice(hash.finish().as_ref());
        measured[index] = true;
    }
    Ok((registers, measured))
}
