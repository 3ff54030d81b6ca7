//! The firmware versions of an AMD processor (its TCB) as one number, taken apart.

use serde::Serialize;

/// The versions that a row of `nodes.snp.tcb_versions` has. Absent where the processor's generation has no such part.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct Tcb {
    hexstring: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    fmc: Option<u8>,
    boot_loader: u8,
    tee: u8,
    snp: u8,
    microcode: u8,
}

impl Tcb {
    /// From the processor's CPUID (4 bytes) and the number (8 bytes), both in hexadecimal, most significant byte first.
    pub(crate) fn read(cpuid: &str, tcb: &str) -> Result<Self, String> {
        let mut id = [0; 4];
        let mut bytes = [0; 8];
        const_hex::decode_to_slice(cpuid, &mut id).map_err(|_| "a CPUID is 8 hexadecimal characters")?;
        const_hex::decode_to_slice(tcb, &mut bytes).map_err(|_| "a TCB version is 16 hexadecimal characters")?;
        bytes.reverse();
        let id = u32::from_be_bytes(id);
        let family = ((id >> 8) & 0xf) + ((id >> 20) & 0xff);
        let hexstring = tcb.to_owned();
        match family {
            // Milan and Genoa.
            0x19 => {
                let [boot_loader, tee, _, _, _, _, snp, microcode] = bytes;
                Ok(Self { hexstring, fmc: None, boot_loader, tee, snp, microcode })
            }
            // Turin.
            0x1a => {
                let [fmc, boot_loader, tee, snp, _, _, _, microcode] = bytes;
                Ok(Self { hexstring, fmc: Some(fmc), boot_loader, tee, snp, microcode })
            }
            _ => Err(format!("CPUID {cpuid} is of no processor that is known here")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_generation_has_its_layout() {
        let milan = Tcb::read("00a00f11", "d315000000000004").unwrap();
        assert_eq!((milan.microcode, milan.snp, milan.tee, milan.boot_loader), (0xd3, 0x15, 0, 4));
        let turin = Tcb::read("00b00f21", "4a00000004010203").unwrap();
        assert_eq!((turin.microcode, turin.snp, turin.tee), (0x4a, 4, 1));
        assert_eq!((turin.boot_loader, turin.fmc), (2, Some(3)));
        for (cpuid, tcb) in [("00a00f1", "d315000000000004"), ("00a00f11", "d3"), ("00000000", "d315000000000004")] {
            assert!(Tcb::read(cpuid, tcb).is_err());
        }
    }
}
