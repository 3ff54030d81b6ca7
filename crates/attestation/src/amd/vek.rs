//! What a VCEK's or VLEK's certificate says in AMD's own extensions.

use x509_parser::der_parser::oid;
use x509_parser::oid_registry::Oid;

use super::{Product, SigningKey, Tcb};
use crate::formats::x509::Certificate;
use crate::{Code, Refusal};

const PRODUCT_NAME: Oid<'static> = oid!(1.3.6.1.4.1.3704.1.2);
const BOOTLOADER: Oid<'static> = oid!(1.3.6.1.4.1.3704.1.3.1);
const TEE: Oid<'static> = oid!(1.3.6.1.4.1.3704.1.3.2);
const SNP: Oid<'static> = oid!(1.3.6.1.4.1.3704.1.3.3);
const MICROCODE: Oid<'static> = oid!(1.3.6.1.4.1.3704.1.3.8);
const FMC: Oid<'static> = oid!(1.3.6.1.4.1.3704.1.3.9);
const HWID: Oid<'static> = oid!(1.3.6.1.4.1.3704.1.4);
const CSP_ID: Oid<'static> = oid!(1.3.6.1.4.1.3704.1.5);

const DER_INTEGER: u8 = 0x02;
const DER_IA5_STRING: u8 = 0x16;
const CHIP_ID_BYTES: usize = 64;

pub(super) struct Extensions<'a> {
    name: &'a str,
    bootloader: u8,
    tee: u8,
    snp: u8,
    microcode: u8,
    fmc: Option<u8>,
    /// Of a VCEK; a VLEK has a cloud's name in its place.
    hwid: Option<&'a [u8]>,
}

impl<'a> Extensions<'a> {
    pub(super) fn of(leaf: &Certificate<'a>) -> Result<Self, Refusal> {
        let must = |oid: &Oid<'_>| leaf.extension(oid)?.ok_or_else(|| malformed(oid));
        let number = |oid: &Oid<'_>| integer(must(oid)?).ok_or_else(|| malformed(oid));
        let hwid = leaf.extension(&HWID)?;
        if hwid.is_some() == leaf.extension(&CSP_ID)?.is_some() {
            return Err(Refusal::new(Code::BadEncoding, "a certificate of neither a chip's nor a cloud's key"));
        }
        Ok(Self {
            name: text(must(&PRODUCT_NAME)?).ok_or_else(|| malformed(&PRODUCT_NAME))?,
            bootloader: number(&BOOTLOADER)?,
            tee: number(&TEE)?,
            snp: number(&SNP)?,
            microcode: number(&MICROCODE)?,
            fmc: leaf.extension(&FMC)?.map(|value| integer(value).ok_or_else(|| malformed(&FMC))).transpose()?,
            hwid,
        })
    }

    pub(super) fn product(&self) -> Result<Product, Refusal> {
        Product::of_name(self.name)
            .ok_or_else(|| Refusal::new(Code::OtherProduct, format!("the certificate is of \"{}\"", self.name)))
    }

    pub(super) fn signing_key(&self) -> SigningKey {
        if self.hwid.is_some() { SigningKey::Vcek } else { SigningKey::Vlek }
    }

    pub(super) fn tcb(&self, product: Product) -> Result<Tcb, Refusal> {
        let Self { bootloader, tee, snp, microcode, fmc, .. } = *self;
        if fmc.is_some() != (product == Product::Turin) {
            return Err(Refusal::new(Code::SnpLayout, "the certificate's TCB has the parts of another product"));
        }
        Ok(Tcb { fmc, bootloader, tee, snp, microcode })
    }

    /// As a report has it: Turin's is shorter and zeros follow, a VLEK's is zero.
    pub(super) fn chip_id(&self, product: Product) -> Result<[u8; CHIP_ID_BYTES], Refusal> {
        let mut chip_id = [0; CHIP_ID_BYTES];
        if let Some(hwid) = self.hwid {
            let length = if product == Product::Turin { 8 } else { CHIP_ID_BYTES };
            if hwid.len() != length {
                return Err(malformed(&HWID));
            }
            chip_id[..length].copy_from_slice(hwid);
        }
        Ok(chip_id)
    }
}

fn malformed(oid: &Oid<'_>) -> Refusal {
    Refusal::new(Code::BadEncoding, format!("extension {oid} of a VCEK or VLEK is absent or malformed"))
}

/// A DER INTEGER of 0 to 255 in its one form.
fn integer(der: &[u8]) -> Option<u8> {
    match *der {
        [DER_INTEGER, 1, value @ 0..0x80] | [DER_INTEGER, 2, 0, value @ 0x80..=0xFF] => Some(value),
        _ => None,
    }
}

fn text(der: &[u8]) -> Option<&str> {
    match der {
        [DER_IA5_STRING, length, text @ ..] if usize::from(*length) == text.len() => std::str::from_utf8(text).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_above_127_has_two_bytes_and_every_version_one_form() {
        assert_eq!(integer(&[2, 1, 4]), Some(4));
        assert_eq!(integer(&[2, 2, 0, 0xdb]), Some(0xdb));
        for other in [&[2, 1, 0xdb][..], &[2, 2, 0, 4], &[2, 2, 1, 0], &[2, 1], &[2, 1, 4, 0], &[4, 1, 4], &[]] {
            assert_eq!(integer(other), None, "{other:?}");
        }
        assert_eq!(text(b"\x16\x05Genoa"), Some("Genoa"));
        assert_eq!(text(b"\x16\x06Genoa"), None);
    }
}
