//! The report of an enclave: a package of header, signed statement and signature, packed and little-endian.

use crate::{Claims, Code, Reader, Refusal};

/// Headers, statement and signature of real enclaves need a few kilobytes.
const PACKAGE_BYTES: usize = 64 << 10;
const PACKAGE_HEADER_BYTES: u32 = 24;
const PACKAGE_VERSION: u32 = 1;
const REPORT_VERSION: u32 = 1;
/// SHA-256, RSA-PSS with SHA-256.
const SCHEME: u32 = 1;
const BLOCK_HEADER_BYTES: usize = 8;
const BLOCK_MODULE: u32 = 1;
const UNIQUE_ID_BYTES: usize = 32;

pub(super) struct Report<'a> {
    pub(super) signed: &'a [u8],
    pub(super) signature: &'a [u8],
    pub(super) enclave_data: &'a [u8],
    owner_id: &'a [u8],
    unique_id: &'a [u8],
    author_id: &'a [u8],
    family_id: &'a [u8],
    image_id: &'a [u8],
    enclave_svn: u32,
    secure_kernel_svn: u32,
    platform_svn: u32,
    flags: u32,
    signing_level: u32,
    /// Unique ids of the modules in the enclave.
    modules: Vec<&'a [u8]>,
}

impl<'a> Report<'a> {
    pub(super) fn parse(package: &'a [u8]) -> Result<Self, Refusal> {
        if package.len() > PACKAGE_BYTES {
            return Err(Refusal::new(Code::OversizedLength, format!("a report of {} bytes", package.len())));
        }
        let mut reader = Reader::new(package);
        let package_size = reader.u32_le()?;
        let version = reader.u32_le()?;
        if version != PACKAGE_VERSION {
            return Err(Refusal::new(Code::WrongVersion, format!("a package of version {version}")));
        }
        let scheme = reader.u32_le()?;
        if scheme != SCHEME {
            return Err(Refusal::new(Code::VbsScheme, format!("{scheme}")));
        }
        let (signed_size, signature_size) = (reader.u32_le()?, reader.u32_le()?);
        reader.zeros(4)?;
        let signed = reader.sized(signed_size, PACKAGE_BYTES)?;
        let signature = reader.sized(signature_size, PACKAGE_BYTES)?;
        reader.end()?;
        let whole = signed_size.checked_add(signature_size).and_then(|size| size.checked_add(PACKAGE_HEADER_BYTES));
        if whole != Some(package_size) {
            return Err(Refusal::new(Code::OversizedLength, "the sizes of a package contradict each other"));
        }
        Self::statement(signed, signature)
    }

    fn statement(signed: &'a [u8], signature: &'a [u8]) -> Result<Self, Refusal> {
        let mut reader = Reader::part(signed);
        let size = reader.u32_le()?;
        let version = reader.u32_le()?;
        if version != REPORT_VERSION {
            return Err(Refusal::new(Code::VbsVersion, format!("{version}")));
        }
        if usize::try_from(size).ok() != Some(signed.len()) {
            return Err(Refusal::new(Code::OversizedLength, "the report's size is not its statement's"));
        }
        let report = Self {
            signed,
            signature,
            enclave_data: reader.take(64)?,
            owner_id: reader.take(32)?,
            unique_id: reader.take(UNIQUE_ID_BYTES)?,
            author_id: reader.take(32)?,
            family_id: reader.take(16)?,
            image_id: reader.take(16)?,
            enclave_svn: reader.u32_le()?,
            secure_kernel_svn: reader.u32_le()?,
            platform_svn: reader.u32_le()?,
            flags: reader.u32_le()?,
            signing_level: reader.u32_le()?,
            modules: Vec::new(),
        };
        reader.zeros(4)?;
        Ok(Self { modules: modules(reader)?, ..report })
    }

    pub(super) fn tell(&self, claims: &mut Claims) {
        claims.measure("unique-id", self.unique_id);
        claims.measure("author-id", self.author_id);
        claims.measure("owner-id", self.owner_id);
        for (index, module) in self.modules.iter().enumerate() {
            claims.measure(&format!("module{index}"), module);
        }
        claims.svn = Some(u64::from(self.enclave_svn));
        claims.debug = self.flags != 0;
        claims.tell("flags", u64::from(self.flags));
        claims.tell("signing-level", u64::from(self.signing_level));
        claims.tell("secure-kernel-svn", u64::from(self.secure_kernel_svn));
        claims.tell("platform-svn", u64::from(self.platform_svn));
        claims.tell("family-id", self.family_id);
        claims.tell("image-id", self.image_id);
    }
}

/// Blocks of a type and a size that counts its own header; unknown types are passed over.
fn modules<'a>(mut reader: Reader<'a>) -> Result<Vec<&'a [u8]>, Refusal> {
    let mut modules = Vec::new();
    while !reader.is_empty() {
        let kind = reader.u32_le()?;
        let size = reader.u32_le()?;
        let content = usize::try_from(size).ok().and_then(|size| size.checked_sub(BLOCK_HEADER_BYTES));
        let content = content.filter(|content| *content <= reader.left().len());
        let content = content.ok_or_else(|| Refusal::new(Code::VbsBlockSize, format!("{size} bytes")))?;
        let content = reader.take(content)?;
        if kind == BLOCK_MODULE {
            let unique_id = content.get(..UNIQUE_ID_BYTES);
            modules.push(unique_id.ok_or_else(|| Refusal::new(Code::VbsBlockSize, "a module without its id"))?);
        }
    }
    Ok(modules)
}
