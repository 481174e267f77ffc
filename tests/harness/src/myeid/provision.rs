//! Filling a blank MyEID card as OpenSC's profile for it does: a PKCS#15 file system, PINs, keys, certificates, data objects.

mod directory;
mod personalization;

use std::path::Path;
use std::{fs, io};

use x509_cert::der::pem::{LineEnding, decode_vec, encode_string};

use crate::card::VirtualCard;
use crate::provision::{Authority, Holder, KeyKind, KeySlot, Usage};

use personalization::Personalization;

/// The user PIN, reference 1.
pub const PIN: &str = "123456";
/// The user PIN's PUK.
pub const PUK: &str = "12345678";
/// The security officer's PIN, reference 3.
pub const SO_PIN: &str = "87654321";
/// The PUK of the security officer's PIN.
pub const SO_PUK: &str = "43218765";

/// What key a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MyEidKeyKind {
    /// RSA, one of the test keys rsa-2048-a, b and c, imported.
    Rsa2048(char),
    /// RSA with 3072 bits, a test key, imported.
    Rsa3072,
    /// RSA with 4096 bits, a test key, imported.
    Rsa4096,
    /// A NIST curve of 192, 256, 384 or 521 bits, generated on the card.
    Curve(u16),
    /// AES with 128, 192 or 256 bits, a random value imported.
    Aes(u16),
    /// 3DES with three keys, a random value imported.
    TripleDes,
}

impl MyEidKeyKind {
    /// The size of the key file.
    fn bits(self) -> u16 {
        match self {
            Self::Rsa2048(_) => 2048,
            Self::Rsa3072 => 3072,
            Self::Rsa4096 => 4096,
            Self::Curve(bits) | Self::Aes(bits) => bits,
            Self::TripleDes => 192,
        }
    }

    fn is_secret(self) -> bool {
        matches!(self, Self::Aes(_) | Self::TripleDes)
    }
}

/// One key on the card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MyEidKey {
    /// The identifier that ties key pair and certificate together.
    pub id: u8,
    /// The label of key and certificate.
    pub label: String,
    /// What key it is.
    pub kind: MyEidKeyKind,
    /// What the certificate is for, if there is one.
    pub certificate: Option<Usage>,
    /// Whether the PIN is forgotten after each use (userConsent of PKCS#15).
    pub consent: bool,
    /// Whether a secret key may be wrapped.
    pub extractable: bool,
}

impl MyEidKey {
    /// A key without certificate.
    pub fn new(id: u8, label: &str, kind: MyEidKeyKind) -> Self {
        Self { id, label: label.to_owned(), kind, certificate: None, consent: false, extractable: false }
    }

    /// The same with a certificate.
    #[must_use]
    pub fn certified(self, usage: Usage) -> Self {
        Self { certificate: Some(usage), ..self }
    }

    /// The same, asking for the PIN before each use.
    #[must_use]
    pub fn with_consent(self) -> Self {
        Self { consent: true, ..self }
    }

    /// The same, allowed to leave the card wrapped.
    #[must_use]
    pub fn extractable(self) -> Self {
        Self { extractable: true, ..self }
    }
}

/// What is to be on a card.
#[derive(Debug, Clone)]
pub struct MyEidLayout {
    /// The token's label.
    pub label: String,
    /// Whose card it is.
    pub holder: Holder,
    /// The keys, in the order they are made.
    pub keys: Vec<MyEidKey>,
}

impl MyEidLayout {
    /// A common card, Ada Lovelace's: 45 RSA-2048, 46 P-256, 47 P-384, each with a certificate, 48 AES-256.
    pub fn standard() -> Self {
        Self {
            label: "Cardea MyEID".to_owned(),
            holder: Holder::new("Ada Lovelace"),
            keys: vec![
                MyEidKey::new(0x45, "RSA key", MyEidKeyKind::Rsa2048('a')).certified(Usage::Authentication),
                MyEidKey::new(0x46, "Signature key", MyEidKeyKind::Curve(256)).certified(Usage::Signature),
                MyEidKey::new(0x47, "Agreement key", MyEidKeyKind::Curve(384)).certified(Usage::KeyManagement),
                MyEidKey::new(0x48, "AES key", MyEidKeyKind::Aes(256)),
            ],
        }
    }

    /// A card with the rarer things, Grace Hopper's: 51 RSA-4096, 52 P-521, 53 P-192 without a certificate, 54 P-256 that asks for
    /// the PIN each time, 55 AES-128 that may be wrapped, 56 3DES.
    pub fn varied() -> Self {
        Self {
            label: "Cardea MyEID varied".to_owned(),
            holder: Holder::new("Grace Hopper"),
            keys: vec![
                MyEidKey::new(0x51, "Long RSA key", MyEidKeyKind::Rsa4096).certified(Usage::Authentication),
                MyEidKey::new(0x52, "P-521 key", MyEidKeyKind::Curve(521)).certified(Usage::Signature),
                MyEidKey::new(0x53, "P-192 key", MyEidKeyKind::Curve(192)),
                MyEidKey::new(0x54, "Consent key", MyEidKeyKind::Curve(256)).certified(Usage::Signature).with_consent(),
                MyEidKey::new(0x55, "Extractable AES key", MyEidKeyKind::Aes(128)).extractable(),
                MyEidKey::new(0x56, "3DES key", MyEidKeyKind::TripleDes),
            ],
        }
    }
}

/// What a card was filled with; keys and certificates by identifier.
#[derive(Debug, Clone)]
pub struct ProvisionedMyEid {
    /// The user PIN.
    pub pin: String,
    /// The user PIN's PUK.
    pub puk: String,
    /// The security officer's PIN.
    pub so_pin: String,
    /// The PUK of the security officer's PIN.
    pub so_puk: String,
    /// The authority's certificate, which is on the card too as a trusted one.
    pub ca_pem: String,
    /// Certificates in DER.
    pub certificates: Vec<(u8, Vec<u8>)>,
    /// Public keys as SubjectPublicKeyInfo in DER.
    pub public_keys: Vec<(u8, Vec<u8>)>,
    /// Values of secret keys.
    pub secret_keys: Vec<(u8, Vec<u8>)>,
    /// The contents of the data objects: one everybody may read, one for whoever has the PIN.
    pub data: [Vec<u8>; 2],
}

impl ProvisionedMyEid {
    /// The certificate with an identifier in DER.
    pub fn certificate(&self, id: u8) -> Option<&[u8]> {
        find(&self.certificates, id)
    }

    /// The SubjectPublicKeyInfo of a key pair in DER.
    pub fn public_key(&self, id: u8) -> Option<&[u8]> {
        find(&self.public_keys, id)
    }

    /// The value of a secret key.
    pub fn secret_key(&self, id: u8) -> Option<&[u8]> {
        find(&self.secret_keys, id)
    }

    /// Writes `ca.pem`, and for every key pair `45.crt.pem` and `45.pub.pem` (and so on) into a directory.
    pub fn write_pem(&self, directory: &Path) -> io::Result<()> {
        fs::create_dir_all(directory)?;
        fs::write(directory.join("ca.pem"), &self.ca_pem)?;
        let kinds = [(&self.certificates, "crt", "CERTIFICATE"), (&self.public_keys, "pub", "PUBLIC KEY")];
        for (entries, kind, label) in kinds {
            for (id, der) in entries {
                let pem = encode_string(label, LineEnding::LF, der).expect("DER encodes as PEM");
                fs::write(directory.join(format!("{id:02x}.{kind}.pem")), pem)?;
            }
        }
        Ok(())
    }
}

fn find(entries: &[(u8, Vec<u8>)], id: u8) -> Option<&[u8]> {
    entries.iter().find(|(found, _)| *found == id).map(|(_, value)| value.as_slice())
}

/// Fills a blank card according to a layout; the certificates come from `authority`.
///
/// # Panics
/// If the card refuses anything.
pub fn provision_myeid(card: &mut dyn VirtualCard, layout: &MyEidLayout, authority: &Authority) -> ProvisionedMyEid {
    card.power_on();
    let mut personalization = Personalization::begin(card);
    let mut provisioned = ProvisionedMyEid {
        pin: PIN.to_owned(),
        puk: PUK.to_owned(),
        so_pin: SO_PIN.to_owned(),
        so_puk: SO_PUK.to_owned(),
        ca_pem: authority.pem(),
        certificates: Vec::new(),
        public_keys: Vec::new(),
        secret_keys: Vec::new(),
        data: [b"what everybody may read".to_vec(), b"what is private".to_vec()],
    };
    for key in &layout.keys {
        if key.kind.is_secret() {
            provisioned.secret_keys.push((key.id, personalization.secret_key(key)));
            continue;
        }
        let public_key = personalization.key_pair(key);
        if let Some(usage) = key.certificate {
            // only the number of the slot goes into the certificate
            let slot = KeySlot::new(key.id, KeyKind::P256);
            let certificate = authority.issue(&layout.holder, &slot, usage, &public_key);
            personalization.certificate(key.id, &key.label, &certificate, false);
            provisioned.certificates.push((key.id, certificate));
        }
        provisioned.public_keys.push((key.id, public_key));
    }
    let (_, authority) = decode_vec(provisioned.ca_pem.as_bytes()).expect("PEM of the authority");
    personalization.certificate(0xCA, "Cardea Bench CA", &authority, true);
    personalization.data_object("Public data", &provisioned.data[0], false);
    personalization.data_object("Private data", &provisioned.data[1], true);
    personalization.finish(&layout.label);
    card.reset();
    provisioned
}
