//! What AMD's key distribution service (KDS) has for a report: the certificate of the chip's key at the report's TCB, its issuers, and
//! their revocation list.

use super::vek::Extensions;
use super::{Endorsements, Product, Report, SigningKey};
use crate::fetch::{Document, Fetched};
use crate::formats::x509::Certificate;
use crate::{Code, Refusal, limits};

/// Two certificates in PEM.
const ISSUERS_BYTES: usize = 4 * limits::CERTIFICATE_BYTES;
/// Other products' ids fill the report's field.
const TURIN_ID_BYTES: usize = 8;

/// Which chip's, or which product's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    product: Product,
    signing_key: SigningKey,
    /// The chip's certificate, as the service is asked for it; `None` where the host gave one of this TCB.
    chip: Option<String>,
    host: Endorsements,
}

impl Wanted {
    /// `host` is what the host handed over: a chain that fits is not fetched again, since the service limits rates. After an update of
    /// the firmware the host's may be of before.
    pub(crate) fn of(report: &[u8], host: Endorsements) -> Result<Self, Refusal> {
        let report = Report::parse(report)?;
        let [family, model, _] = report
            .cpuid()
            .ok_or_else(|| Refusal::new(Code::SnpVersionLow, "the report does not say which product it is of"))?;
        let product = Product::of_cpuid(family, model)
            .ok_or_else(|| Refusal::new(Code::SnpCpuid, format!("family {family:#x}, model {model:#x}")))?;
        let signing_key = report.signing_key;
        let chip = match signing_key {
            SigningKey::Vcek if !fits(&host.chain, &report, product) => Some(chip(&report, product)),
            SigningKey::Vcek => None,
            SigningKey::Vlek if !host.chain.is_empty() => None,
            SigningKey::Vlek => {
                let text = "the key is one that AMD loaded for the host's cloud: its certificate is had from the host";
                return Err(Refusal::new(Code::ChainIncomplete, text));
            }
        };
        Ok(Self { product, signing_key, chip, host })
    }

    /// Whether the host gave all but a revocation list.
    pub(crate) fn is_optional(&self) -> bool {
        self.chip.is_none()
    }

    /// In the order in which [`Wanted::endorsements`] takes what came.
    pub(crate) fn documents(&self, service: &str) -> Vec<Document> {
        let key = match self.signing_key {
            SigningKey::Vcek => "vcek",
            SigningKey::Vlek => "vlek",
        };
        let base = format!("{}/{key}/v1/{}", service.trim_end_matches('/'), self.product.name());
        let at = |path: &str, bytes_max| Document { url: format!("{base}/{path}"), bytes_max, chain: None };
        let mut documents = vec![at("crl", limits::CRL_BYTES)];
        if let Some(chip) = &self.chip {
            documents.extend([at(chip, limits::CERTIFICATE_BYTES), at("cert_chain", ISSUERS_BYTES)]);
        }
        documents
    }

    pub(crate) fn endorsements(&self, fetched: Vec<Fetched>) -> Result<Endorsements, Refusal> {
        let mut bodies = fetched.into_iter().map(|it| it.body);
        let mut next =
            || bodies.next().ok_or_else(|| Refusal::new(Code::ChainIncomplete, "a document of AMD's is missing"));
        let mut endorsements = Endorsements { crls: vec![next()?], ..self.host.clone() };
        if self.chip.is_some() {
            endorsements.chain = vec![next()?];
            endorsements.chain.extend(Endorsements::of_pem(&next()?)?.chain);
        }
        Ok(endorsements)
    }
}

/// Whether the chain is whole, and its certificate of the chip and of the TCB that the report was made at.
fn fits(chain: &[Vec<u8>], report: &Report<'_>, product: Product) -> bool {
    let of_leaf = |leaf: &Vec<u8>| {
        let leaf = Certificate::parse(leaf)?;
        let said = Extensions::of(&leaf)?;
        Ok::<_, Refusal>((said.tcb(product)?, said.chip_id(product)?))
    };
    let [leaf, _, ..] = chain else { return false };
    of_leaf(leaf).is_ok_and(|(tcb, chip)| tcb == report.reported_tcb().parts(product) && chip == report.chip_id())
}

/// Its path: the chip, and the number of each part of its firmware.
fn chip(report: &Report<'_>, product: Product) -> String {
    let tcb = report.reported_tcb().parts(product);
    let chip_id = report.chip_id();
    let id = if product == Product::Turin { &chip_id[..TURIN_ID_BYTES] } else { chip_id };
    let parts = tcb.named().map(|(part, number)| {
        let name = match part {
            "bootloader" => "bl",
            "microcode" => "ucode",
            same => same,
        };
        format!("{name}SPL={number:02}")
    });
    format!("{}?{}", const_hex::encode(id), parts.collect::<Vec<_>>().join("&"))
}
