//! What the hardware says about an enclave or a trust domain (TD): fixed layouts, little-endian.
//!
//! The bytes are signed, so a report is read as a whole; what the format reserves must be zero.

use crate::{Code, Reader, Refusal};

pub(super) const ENCLAVE_BYTES: usize = 384;
pub(super) const TD10_BYTES: usize = 584;
pub(super) const TD15_BYTES: usize = 648;
pub(super) const TD15EX_BYTES: usize = 885;

/// An enclave's report. The quoting enclave has one, too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnclaveReport {
    pub cpusvn: [u8; 16],
    pub miscselect: u32,
    pub extprodid: [u8; 16],
    pub attributes: [u8; 16],
    pub mrenclave: [u8; 32],
    pub mrsigner: [u8; 32],
    pub configid: [u8; 64],
    pub isvprodid: u16,
    pub isvsvn: u16,
    pub configsvn: u16,
    pub familyid: [u8; 16],
    pub report_data: [u8; 64],
}

impl EnclaveReport {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        let mut reader = Reader::part(bytes);
        let cpusvn = reader.array()?;
        let miscselect = reader.u32_le()?;
        reader.zeros(12)?;
        let extprodid = reader.array()?;
        let attributes = reader.array()?;
        let mrenclave = reader.array()?;
        reader.zeros(32)?;
        let mrsigner = reader.array()?;
        reader.zeros(32)?;
        let configid = reader.array()?;
        let isvprodid = reader.u16_le()?;
        let isvsvn = reader.u16_le()?;
        let configsvn = reader.u16_le()?;
        reader.zeros(42)?;
        let familyid = reader.array()?;
        let report_data = reader.array()?;
        reader.end()?;
        Ok(Self {
            cpusvn,
            miscselect,
            extprodid,
            attributes,
            mrenclave,
            mrsigner,
            configid,
            isvprodid,
            isvsvn,
            configsvn,
            familyid,
            report_data,
        })
    }

    pub fn debug(&self) -> bool {
        self.attributes[0] & 0x02 != 0
    }
}

/// Bits of a TD's attributes.
pub mod td_attributes {
    pub const DEBUG: u64 = 1;
    /// Performance counters of the TD are visible outside.
    pub const PROFILING: u64 = 0b111 << 4;
    pub const SERVTD_EXT: u64 = 1 << 17;
    pub const LASS: u64 = 1 << 27;
    /// A page that the host takes away stops the TD instead of raising an exception that the host can provoke.
    pub const SEPT_VE_DISABLE: u64 = 1 << 28;
    pub const MIGRATABLE: u64 = 1 << 29;
    pub const PKS: u64 = 1 << 30;
    pub const KL: u64 = 1 << 31;
    pub const PERFMON: u64 = 1 << 63;
    /// Bits 1-3, 7-15, 23-26 and 32-61 must be zero.
    pub const RESERVED: u64 = 0x3FFF_FFFF_0780_FF8E;
}

/// A TD's report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TdReport {
    /// Versions of the TDX module and what it stands on, when the TD was launched.
    pub tee_tcb_svn: [u8; 16],
    pub mrseam: [u8; 48],
    pub mrsignerseam: [u8; 48],
    pub seam_attributes: [u8; 8],
    pub attributes: u64,
    pub xfam: u64,
    pub mrtd: [u8; 48],
    pub mrconfigid: [u8; 48],
    pub mrowner: [u8; 48],
    pub mrownerconfig: [u8; 48],
    pub rtmr: [[u8; 48]; 4],
    pub report_data: [u8; 64],
    pub td15: Option<Td15>,
    pub td15ex: Option<Td15Ex>,
}

/// What TDX 1.5 adds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Td15 {
    /// The versions now: the module can be updated under a running TD.
    pub tee_tcb_svn2: [u8; 16],
    pub mrservicetd: [u8; 48],
}

/// What TDX 1.5ex adds; the initial TCB is not appraised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Td15Ex {
    /// 0 is the TD itself or its first level.
    pub vmid: u8,
    pub td_id: [u8; 32],
    pub dev_info: [u8; 48],
    /// Service TDs bound at creation and now, and their attributes.
    pub init_service_td: ([u8; 48], [u8; 8]),
    pub cur_service_td: ([u8; 48], [u8; 8]),
}

impl TdReport {
    /// `bytes` has the size of one of the three bodies.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        let mut reader = Reader::part(bytes);
        Ok(Self {
            tee_tcb_svn: reader.array()?,
            mrseam: reader.array()?,
            mrsignerseam: reader.array()?,
            seam_attributes: reader.array()?,
            attributes: reader.u64_le()?,
            xfam: reader.u64_le()?,
            mrtd: reader.array()?,
            mrconfigid: reader.array()?,
            mrowner: reader.array()?,
            mrownerconfig: reader.array()?,
            rtmr: [reader.array()?, reader.array()?, reader.array()?, reader.array()?],
            report_data: reader.array()?,
            td15: if bytes.len() > TD10_BYTES { Some(Td15::read(&mut reader)?) } else { None },
            td15ex: if bytes.len() > TD15_BYTES { Some(Td15Ex::read(&mut reader)?) } else { None },
        })
        .and_then(|report| reader.end().map(|()| report))
    }

    /// The rules for attributes that no policy changes.
    pub(super) fn check_attributes(&self) -> Result<(), Refusal> {
        use td_attributes as bit;
        let refuse = |code| Err(Refusal::new(code, format!("TD attributes {:016x}", self.attributes)));
        if self.attributes & bit::RESERVED != 0 {
            return refuse(Code::ReservedNotZero);
        }
        if self.attributes & bit::PROFILING != 0 {
            return refuse(Code::Profiling);
        }
        if self.attributes & bit::MIGRATABLE != 0 {
            return refuse(Code::Migratable);
        }
        if self.attributes & bit::SEPT_VE_DISABLE == 0 {
            return refuse(Code::SeptVeDisable);
        }
        if self.attributes & bit::SERVTD_EXT != 0 || self.has_service_td() {
            return refuse(Code::MrServiceTd);
        }
        Ok(())
    }

    fn has_service_td(&self) -> bool {
        let bound = self.td15.as_ref().is_some_and(|td15| td15.mrservicetd != [0; 48]);
        bound
            || self.td15ex.as_ref().is_some_and(|ex| [ex.init_service_td, ex.cur_service_td] != [([0; 48], [0; 8]); 2])
    }
}

impl Td15 {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Refusal> {
        Ok(Self { tee_tcb_svn2: reader.array()?, mrservicetd: reader.array()? })
    }
}

impl Td15Ex {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Refusal> {
        let vmid = reader.u8()?;
        let td_id = reader.array()?;
        let dev_info = reader.array()?;
        let init_service_td = (reader.array()?, reader.array()?);
        // CPUSVN, TEE_TCB_SVN and FMSPC at creation.
        reader.take(16 + 16 + 12)?;
        let cur_service_td = (reader.array()?, reader.array()?);
        Ok(Self { vmid, td_id, dev_info, init_service_td, cur_service_td })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_attributes_are_the_listed_ranges() {
        let listed: u64 = (1..=3).chain(7..=15).chain(23..=26).chain(32..=61).map(|bit| 1_u64 << bit).sum();
        assert_eq!(td_attributes::RESERVED, listed);
    }

    #[test]
    fn each_layout_takes_exactly_its_size() {
        assert!(EnclaveReport::parse(&[0; ENCLAVE_BYTES]).is_ok());
        for size in [TD10_BYTES, TD15_BYTES, TD15EX_BYTES] {
            let report = TdReport::parse(&vec![0; size]).unwrap();
            assert_eq!((report.td15.is_some(), report.td15ex.is_some()), (size > TD10_BYTES, size > TD15_BYTES));
            assert!(TdReport::parse(&vec![0; size + 1]).is_err());
        }
    }
}
