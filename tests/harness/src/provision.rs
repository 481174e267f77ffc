//! Filling a PIV card with keys, certificates and data objects, by commands alone.
//!
//! RSA keys are imported (they are the test keys in `keys/`), keys on elliptic curves are generated on the card.

mod authority;
mod chuid;
mod layout;
mod objects;
mod personalization;

use std::fs;
use std::io;
use std::path::Path;

use x509_cert::der::pem::{LineEnding, encode_string};

use crate::card::VirtualCard;

pub use authority::{Authority, ServerCertificate};
pub use chuid::{Chuid, FascN};
pub use layout::{Holder, KeyKind, KeySlot, Layout, Usage};
pub use personalization::Personalization;

/// The application PIN of a fresh card.
pub const PIN: &str = "123456";
/// The PIN unblocking key of a fresh card.
pub const PUK: &str = "12345678";
/// The card management key of a fresh card (3DES).
pub const MANAGEMENT_KEY: [u8; 24] = [1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8];

/// What a card was filled with.
#[derive(Debug, Clone)]
pub struct Provisioned {
    /// The application PIN.
    pub pin: String,
    /// The PIN unblocking key.
    pub puk: String,
    /// The card management key (3DES).
    pub management_key: Vec<u8>,
    /// The authority's certificate.
    pub ca_pem: String,
    /// Certificates in DER by key reference, as issued: not compressed.
    pub certificates: Vec<(u8, Vec<u8>)>,
    /// Public keys as SubjectPublicKeyInfo in DER by key reference.
    pub public_keys: Vec<(u8, Vec<u8>)>,
    /// What the card's CHUID says.
    pub chuid: Chuid,
    /// Whose card it is.
    pub holder: Holder,
}

impl Provisioned {
    /// The certificate of a key reference in DER.
    pub fn certificate(&self, reference: u8) -> Option<&[u8]> {
        self.certificates.iter().find(|(found, _)| *found == reference).map(|(_, der)| der.as_slice())
    }

    /// The SubjectPublicKeyInfo of a key reference in DER.
    pub fn public_key(&self, reference: u8) -> Option<&[u8]> {
        self.public_keys.iter().find(|(found, _)| *found == reference).map(|(_, der)| der.as_slice())
    }

    /// Writes `ca.pem`, and for every key reference `9a.crt.pem` and `9a.pub.pem` (and so on) into a directory.
    pub fn write_pem(&self, directory: &Path) -> io::Result<()> {
        fs::create_dir_all(directory)?;
        fs::write(directory.join("ca.pem"), &self.ca_pem)?;
        for (reference, der) in &self.certificates {
            fs::write(directory.join(format!("{reference:02x}.crt.pem")), pem("CERTIFICATE", der))?;
        }
        for (reference, der) in &self.public_keys {
            fs::write(directory.join(format!("{reference:02x}.pub.pem")), pem("PUBLIC KEY", der))?;
        }
        Ok(())
    }
}

/// Fills a fresh card according to a layout; the certificates come from `authority`.
///
/// # Panics
/// If the card refuses anything.
pub fn provision(card: &mut dyn VirtualCard, layout: &Layout, authority: &Authority) -> Provisioned {
    card.power_on();
    let mut personalization = Personalization::begin(card, &MANAGEMENT_KEY);
    let mut certificates = Vec::new();
    let mut public_keys = Vec::new();
    for slot in &layout.slots {
        let public_key = personalization.key(slot);
        if let Some(usage) = slot.certificate {
            let certificate = authority.issue(&layout.holder, slot, usage, &public_key);
            personalization.certificate(slot.reference, &certificate, slot.compressed);
            certificates.push((slot.reference, certificate));
        }
        public_keys.push((slot.reference, public_key));
    }
    personalization.put(objects::CHUID, &layout.chuid.to_bytes());
    personalization.put(objects::PRINTED_INFORMATION, &layout.holder.printed_information());
    if layout.slots.iter().any(KeySlot::is_retired) {
        personalization.put(objects::KEY_HISTORY, &objects::key_history(&layout.slots));
    }
    card.reset();
    Provisioned {
        pin: PIN.to_owned(),
        puk: PUK.to_owned(),
        management_key: MANAGEMENT_KEY.to_vec(),
        ca_pem: authority.pem(),
        certificates,
        public_keys,
        chuid: layout.chuid.clone(),
        holder: layout.holder.clone(),
    }
}

fn pem(label: &'static str, der: &[u8]) -> String {
    encode_string(label, LineEnding::LF, der).expect("DER encodes as PEM")
}
