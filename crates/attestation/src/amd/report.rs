//! The report of 1,184 bytes, read by an own table of offsets.
//!
//! The signature is checked over the bytes as they came; no re-encoding stands between what was signed and what is believed.

use crate::limits::SNP_REPORT_BYTES;
use crate::{Code, Refusal};

/// What of a report is signed; then r, s and padding.
pub(super) const SIGNED_BYTES: usize = 0x2A0;
const NUMBER_BYTES: usize = 72;
const COORDINATE_BYTES: usize = 48;

/// Which key signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SigningKey {
    /// A key of one chip at one TCB.
    Vcek,
    /// A key that AMD's service gave to a cloud.
    Vlek,
}

/// Versions that a TCB may name at all; each product has its own layout of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Product {
    Milan,
    Genoa,
    Turin,
}

impl Product {
    pub fn name(self) -> &'static str {
        match self {
            Self::Milan => "Milan",
            Self::Genoa => "Genoa",
            Self::Turin => "Turin",
        }
    }

    /// By the CPUID of a report of version 3 and above: family (extended added) and model. Bergamo and Siena report as Genoa does.
    pub fn of_cpuid(family: u8, model: u8) -> Option<Self> {
        match (family, model) {
            (0x19, 0x00..=0x0F) => Some(Self::Milan),
            (0x19, 0x10..=0x1F | 0xA0..=0xAF) => Some(Self::Genoa),
            (0x1A, 0x00..=0x11) => Some(Self::Turin),
            _ => None,
        }
    }

    /// By CPUID in hexadecimal, as claims and policies name platforms: "00a00f11".
    pub fn of_platform(name: &str) -> Option<Self> {
        let packed = u32::from_str_radix(name, 16).ok().filter(|_| name.len() == 8)?;
        let family = u8::try_from((packed >> 8 & 0xF) + (packed >> 20)).ok()?;
        let model = u8::try_from((packed >> 12 & 0xF0) | (packed >> 4 & 0xF)).ok()?;
        Self::of_cpuid(family, model)
    }

    /// By what a certificate says: "Milan-B0", "Genoa", "Turin".
    pub fn of_name(name: &str) -> Option<Self> {
        let product = name.split('-').next().unwrap_or_default();
        [Self::Milan, Self::Genoa, Self::Turin].into_iter().find(|known| known.name() == product)
    }
}

/// Eight bytes that number the parts of the firmware, in a layout of the product's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawTcb(pub [u8; 8]);

/// The parts of a TCB by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tcb {
    /// Turin and later.
    pub fmc: Option<u8>,
    pub bootloader: u8,
    pub tee: u8,
    pub snp: u8,
    pub microcode: u8,
}

impl RawTcb {
    /// Written as one number, the highest byte first, as Azure and CCF do: "d315000000000004".
    pub fn of_hex(text: &str) -> Option<Self> {
        let mut bytes: [u8; 8] = const_hex::decode_to_array(text).ok()?;
        bytes.reverse();
        Some(Self(bytes))
    }

    pub fn parts(self, product: Product) -> Tcb {
        let b = self.0;
        match product {
            Product::Milan | Product::Genoa => {
                Tcb { fmc: None, bootloader: b[0], tee: b[1], snp: b[6], microcode: b[7] }
            }
            Product::Turin => Tcb { fmc: Some(b[0]), bootloader: b[1], tee: b[2], snp: b[3], microcode: b[7] },
        }
    }

    /// The bytes between are zero.
    pub(super) fn is_laid_out_for(self, product: Product) -> bool {
        let reserved = match product {
            Product::Milan | Product::Genoa => 2..6,
            Product::Turin => 4..7,
        };
        self.0[reserved].iter().all(|byte| *byte == 0)
    }
}

impl Tcb {
    /// Every part by the name that claims and policies use.
    pub fn named(self) -> impl Iterator<Item = (&'static str, u8)> {
        let Self { fmc, bootloader, tee, snp, microcode } = self;
        let parts = [("bootloader", bootloader), ("tee", tee), ("snp", snp), ("microcode", microcode)];
        fmc.map(|fmc| ("fmc", fmc)).into_iter().chain(parts)
    }
}

/// A report whose reserved bytes are zero; what it says is not authenticated before its signature is.
#[derive(Debug, Clone)]
pub struct Report<'a> {
    bytes: &'a [u8; SNP_REPORT_BYTES],
    pub signing_key: SigningKey,
}

impl<'a> Report<'a> {
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Refusal> {
        let bytes: &[u8; SNP_REPORT_BYTES] = bytes.try_into().map_err(|_| {
            let code = match bytes.len() {
                0 => Code::Empty,
                length if length < SNP_REPORT_BYTES => Code::Truncated,
                _ => Code::TrailingBytes,
            };
            Refusal::new(code, format!("{} bytes, a report has {SNP_REPORT_BYTES}", bytes.len()))
        })?;
        let mut report = Self { bytes, signing_key: SigningKey::Vcek };
        match report.version() {
            2..=5 => {}
            version @ 6.. => return Err(Refusal::new(Code::SnpVersionUnknown, format!("version {version}"))),
            version => return Err(Refusal::new(Code::WrongVersion, format!("version {version}"))),
        }
        if report.u32(0x034) != 1 {
            return Err(Refusal::new(Code::WrongAlgorithm, "the signature algorithm is not ECDSA P-384 with SHA-384"));
        }
        report.signing_key = match report.key_flags() >> 2 & 7 {
            0 => SigningKey::Vcek,
            1 => SigningKey::Vlek,
            other => return Err(Refusal::new(Code::WrongAlgorithm, format!("signing key of kind {other}"))),
        };
        if report.key_flags() & 2 != 0 {
            return Err(Refusal::new(Code::SnpMaskedChipKey, "mask_chip_key is set"));
        }
        report.refuse_reserved()?;
        Ok(report)
    }

    /// What each version leaves unused, and what nobody signs.
    fn refuse_reserved(&self) -> Result<(), Refusal> {
        let version = self.version();
        let reserved = [
            (0x04C, 0x050),
            (if version >= 3 { 0x18B } else { 0x188 }, 0x1A0),
            (0x1EB, 0x1EC),
            (0x1EF, 0x1F0),
            (if version >= 5 { 0x208 } else { 0x1F8 }, SIGNED_BYTES),
            (SIGNED_BYTES + 2 * NUMBER_BYTES, SNP_REPORT_BYTES),
        ];
        for (from, to) in reserved {
            if self.bytes[from..to].iter().any(|byte| *byte != 0) {
                return Err(Refusal::new(Code::ReservedNotZero, format!("bytes {from:#x} to {to:#x}")));
            }
        }
        if self.key_flags() >> 5 != 0 {
            return Err(Refusal::new(Code::ReservedNotZero, "unknown key flags"));
        }
        for start in [SIGNED_BYTES, SIGNED_BYTES + NUMBER_BYTES] {
            if self.bytes[start + COORDINATE_BYTES..start + NUMBER_BYTES].iter().any(|byte| *byte != 0) {
                return Err(Refusal::new(Code::SnpSignaturePadding, "a number of the signature has over 384 bits"));
            }
        }
        if self.policy() >> 17 & 1 == 0 {
            return Err(Refusal::new(Code::SnpPolicyBit17, format!("guest policy {:#x}", self.policy())));
        }
        Ok(())
    }

    /// Every TCB has the product's layout: read in another's, a number would count for another part.
    pub(super) fn refuse_other_layout(&self, product: Product) -> Result<(), Refusal> {
        let all = [self.current_tcb(), self.reported_tcb(), self.committed_tcb(), self.launch_tcb()];
        if all.iter().all(|tcb| tcb.is_laid_out_for(product)) {
            return Ok(());
        }
        Err(Refusal::new(Code::SnpLayout, format!("a TCB has bytes that {} reserves", product.name())))
    }

    pub(super) fn signed(&self) -> &'a [u8] {
        &self.bytes[..SIGNED_BYTES]
    }

    /// r and s, big-endian, side by side.
    pub(super) fn signature(&self) -> [u8; 2 * COORDINATE_BYTES] {
        let mut signature = [0; 2 * COORDINATE_BYTES];
        let (r, s) = signature.split_at_mut(COORDINATE_BYTES);
        for (number, start) in [(r, SIGNED_BYTES), (s, SIGNED_BYTES + NUMBER_BYTES)] {
            number.copy_from_slice(&self.bytes[start..start + COORDINATE_BYTES]);
            number.reverse();
        }
        signature
    }

    pub fn version(&self) -> u32 {
        self.u32(0x000)
    }

    pub fn guest_svn(&self) -> u32 {
        self.u32(0x004)
    }

    pub fn policy(&self) -> u64 {
        self.u64(0x008)
    }

    pub fn family_id(&self) -> &'a [u8] {
        &self.bytes[0x010..0x020]
    }

    pub fn image_id(&self) -> &'a [u8] {
        &self.bytes[0x020..0x030]
    }

    pub fn vmpl(&self) -> u32 {
        self.u32(0x030)
    }

    pub fn current_tcb(&self) -> RawTcb {
        self.tcb(0x038)
    }

    pub fn platform_info(&self) -> u64 {
        self.u64(0x040)
    }

    fn key_flags(&self) -> u32 {
        self.u32(0x048)
    }

    pub fn author_key_enabled(&self) -> bool {
        self.key_flags() & 1 != 0
    }

    pub fn report_data(&self) -> &'a [u8] {
        &self.bytes[0x050..0x090]
    }

    pub fn measurement(&self) -> &'a [u8] {
        &self.bytes[0x090..0x0C0]
    }

    pub fn host_data(&self) -> &'a [u8] {
        &self.bytes[0x0C0..0x0E0]
    }

    pub fn id_key_digest(&self) -> &'a [u8] {
        &self.bytes[0x0E0..0x110]
    }

    pub fn author_key_digest(&self) -> &'a [u8] {
        &self.bytes[0x110..0x140]
    }

    pub fn report_id(&self) -> &'a [u8] {
        &self.bytes[0x140..0x160]
    }

    pub fn report_id_ma(&self) -> &'a [u8] {
        &self.bytes[0x160..0x180]
    }

    pub fn reported_tcb(&self) -> RawTcb {
        self.tcb(0x180)
    }

    /// Family, model and stepping, since version 3.
    pub fn cpuid(&self) -> Option<[u8; 3]> {
        (self.version() >= 3).then(|| [self.bytes[0x188], self.bytes[0x189], self.bytes[0x18A]])
    }

    pub fn chip_id(&self) -> &'a [u8] {
        &self.bytes[0x1A0..0x1E0]
    }

    pub fn committed_tcb(&self) -> RawTcb {
        self.tcb(0x1E0)
    }

    /// Major, minor and build of the firmware that runs, and of the lowest one it can go back to.
    pub fn firmware(&self) -> [[u8; 3]; 2] {
        let version = |at: usize| [self.bytes[at + 2], self.bytes[at + 1], self.bytes[at]];
        [version(0x1E8), version(0x1EC)]
    }

    pub fn launch_tcb(&self) -> RawTcb {
        self.tcb(0x1F0)
    }

    /// Mitigations at launch and now, since version 5.
    pub fn mitigations(&self) -> Option<[u64; 2]> {
        (self.version() >= 5).then(|| [self.u64(0x1F8), self.u64(0x200)])
    }

    fn tcb(&self, at: usize) -> RawTcb {
        RawTcb(self.array(at))
    }

    fn u32(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.array(at))
    }

    fn u64(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.array(at))
    }

    /// Offsets are constants of this file, all of them far from the end.
    fn array<const N: usize>(&self, at: usize) -> [u8; N] {
        let mut array = [0; N];
        array.copy_from_slice(&self.bytes[at..at + N]);
        array
    }
}
