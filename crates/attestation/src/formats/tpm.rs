//! The TPM's quote: `TPMS_ATTEST` of type quote, big-endian.

use crate::{Bytes, Code, Reader, Refusal};

/// Of the SHA-256 bank.
pub(crate) const PCR_BYTES: usize = 32;
pub(crate) const PCRS: usize = 24;

const MAGIC: u32 = 0xff54_4347;
const TYPE_QUOTE: u16 = 0x8018;
const HASH_SHA256: u16 = 0x000b;
const QUOTE_BYTES: usize = 1 << 10;
/// A name is a hash and its algorithm, a nonce at most a hash.
const NAME_BYTES: usize = 68;
const NONCE_BYTES: usize = 64;

pub(crate) struct Quote<'a> {
    pub(crate) extra_data: &'a [u8],
    pub(crate) reset_count: u32,
    pub(crate) restart_count: u32,
    pub(crate) firmware_version: u64,
    /// In rising order.
    pub(crate) selected: Vec<usize>,
    pub(crate) digest: &'a [u8],
}

impl<'a> Quote<'a> {
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, Refusal> {
        if bytes.len() > QUOTE_BYTES {
            return Err(Refusal::new(Code::OversizedLength, format!("a TPM quote of {} bytes", bytes.len())));
        }
        let mut reader = Reader::new(bytes);
        let (magic, kind) = (reader.u32_be()?, reader.u16_be()?);
        if (magic, kind) != (MAGIC, TYPE_QUOTE) {
            return Err(Refusal::new(Code::VtpmMagic, format!("{magic:#x}, {kind:#x}")));
        }
        sized(&mut reader, NAME_BYTES)?;
        let extra_data = sized(&mut reader, NONCE_BYTES)?;
        reader.u64_be()?; // the TPM's clock
        let (reset_count, restart_count) = (reader.u32_be()?, reader.u32_be()?);
        reader.u8()?; // whether that clock is safe
        let firmware_version = reader.u64_be()?;
        let selected = selection(&mut reader)?;
        let digest = sized(&mut reader, PCR_BYTES)?;
        reader.end()?;
        Ok(Self { extra_data, reset_count, restart_count, firmware_version, selected, digest })
    }

    /// The values are those that were quoted.
    pub(crate) fn check_registers(&self, pcrs: &[[u8; PCR_BYTES]]) -> Result<(), Refusal> {
        if pcrs.len() != self.selected.len() {
            let text = format!("{} PCRs are selected, {} given", self.selected.len(), pcrs.len());
            return Err(Refusal::new(Code::VtpmPcrDigest, text));
        }
        let digest = crypto::sha256(&pcrs.concat()).0;
        if digest != self.digest {
            return Err(Refusal::new(Code::VtpmPcrDigest, const_hex::encode(self.digest)));
        }
        Ok(())
    }

    /// As long as the report data of other hardware.
    pub(crate) fn padded_nonce(&self) -> Bytes {
        let mut nonce = self.extra_data.to_vec();
        nonce.resize(NONCE_BYTES, 0);
        Bytes(nonce)
    }
}

/// One bank, SHA-256.
fn selection(reader: &mut Reader<'_>) -> Result<Vec<usize>, Refusal> {
    let (count, hash) = (reader.u32_be()?, reader.u16_be()?);
    if (count, hash) != (1, HASH_SHA256) {
        return Err(Refusal::new(Code::VtpmPcrSelection, format!("{count} banks, the first {hash:#x}")));
    }
    let bytes = usize::from(reader.u8()?);
    if bytes > PCRS / 8 {
        return Err(Refusal::new(Code::OversizedLength, format!("a selection of {bytes} bytes")));
    }
    let bits = reader.take(bytes)?;
    Ok((0..bytes * 8).filter(|index| bits[index / 8] >> (index % 8) & 1 == 1).collect())
}

/// `TPM2B_…`
fn sized<'a>(reader: &mut Reader<'a>, limit: usize) -> Result<&'a [u8], Refusal> {
    let length = reader.u16_be()?;
    reader.sized(u32::from(length), limit)
}
