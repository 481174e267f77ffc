//! What is to be on a card.

use super::chuid::Chuid;
use crate::tlv::object;

/// Kinds of keys that the virtual card takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// RSA with 2048 bits: one of the three test keys a, b and c.
    Rsa2048(char),
    /// RSA with 3072 bits.
    Rsa3072,
    /// RSA with 4096 bits.
    Rsa4096,
    /// NIST P-256, generated on the card.
    P256,
    /// NIST P-384, generated on the card.
    P384,
}

impl KeyKind {
    /// The algorithm identifier in PIV commands (SP 800-78-5 table 6-2, and Yubico's 16 for RSA-4096).
    pub fn algorithm(self) -> u8 {
        match self {
            Self::Rsa2048(_) => 0x07,
            Self::Rsa3072 => 0x05,
            Self::Rsa4096 => 0x16,
            Self::P256 => 0x11,
            Self::P384 => 0x14,
        }
    }
}

/// What a certificate is for: its KeyUsage and ExtendedKeyUsage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usage {
    /// digitalSignature; clientAuth, smart card logon.
    Authentication,
    /// digitalSignature and nonRepudiation; emailProtection.
    Signature,
    /// keyEncipherment or, on curves, keyAgreement; emailProtection.
    KeyManagement,
    /// digitalSignature; id-PIV-cardAuth.
    CardAuthentication,
}

/// One key on the card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeySlot {
    /// The key reference: 9A, 9C, 9D, 9E, or 82 to 95.
    pub reference: u8,
    /// What key it is.
    pub kind: KeyKind,
    /// What the certificate is for, if there is one.
    pub certificate: Option<Usage>,
    /// Whether the certificate is stored compressed with gzip (CertInfo bit 0).
    pub compressed: bool,
    /// Bytes of an extension that only makes the certificate larger.
    pub filler: usize,
}

impl KeySlot {
    /// A key with the usual certificate for its reference, not compressed.
    pub fn new(reference: u8, kind: KeyKind) -> Self {
        let usage = match reference {
            0x9C => Usage::Signature,
            0x9A => Usage::Authentication,
            0x9E => Usage::CardAuthentication,
            _ => Usage::KeyManagement,
        };
        Self { reference, kind, certificate: Some(usage), compressed: false, filler: 0 }
    }

    /// The same with the certificate compressed.
    pub fn compressed(self) -> Self {
        Self { compressed: true, ..self }
    }

    /// The same with a certificate larger by about that many bytes.
    pub fn larger(self, filler: usize) -> Self {
        Self { filler, ..self }
    }

    /// The same without a certificate.
    pub fn bare(self) -> Self {
        Self { certificate: None, ..self }
    }

    /// Whether this is one of the twenty retired key management keys.
    pub fn is_retired(&self) -> bool {
        (0x82..=0x95).contains(&self.reference)
    }
}

/// Whose card it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The subject as an RFC 4514 string.
    pub subject: String,
    /// The name on the card.
    pub name: String,
    /// The e-mail address in the subject alternative name.
    pub email: String,
    /// The user principal name in the subject alternative name.
    pub principal_name: String,
}

impl Holder {
    /// Somebody of the organisation "Cardea Bench".
    pub fn new(name: &str) -> Self {
        let account = name.to_lowercase().replace(' ', ".");
        Self {
            subject: format!("CN={name},O=Cardea Bench,C=GB"),
            name: name.to_owned(),
            email: format!("{account}@example.org"),
            principal_name: format!("{account}@bench.example"),
        }
    }

    /// The printed information object's content (SP 800-73-4 part 1 table 14): name, affiliation, expiry, serial, issuer.
    pub(super) fn printed_information(&self) -> Vec<u8> {
        [
            object(&[0x01], self.name.as_bytes()),
            object(&[0x02], b"Cardea Bench"),
            object(&[0x04], b"2036JAN01"),
            object(&[0x05], b"00000001"),
            object(&[0x06], b"CARDEA-BENCH-01"),
            object(&[0xFE], &[]),
        ]
        .concat()
    }
}

/// What is to be on a card.
#[derive(Debug, Clone)]
pub struct Layout {
    /// Whose card it is.
    pub holder: Holder,
    /// The keys, in the order they are made.
    pub slots: Vec<KeySlot>,
    /// The card holder unique identifier.
    pub chuid: Chuid,
}

impl Layout {
    /// A common card, Ada Lovelace's: 9A RSA-2048, 9C P-256, 9D RSA-2048, 9E P-256.
    pub fn standard() -> Self {
        Self {
            holder: Holder::new("Ada Lovelace"),
            slots: vec![
                KeySlot::new(0x9A, KeyKind::Rsa2048('a')),
                KeySlot::new(0x9C, KeyKind::P256),
                KeySlot::new(0x9D, KeyKind::Rsa2048('b')),
                KeySlot::new(0x9E, KeyKind::P256),
            ],
            chuid: Chuid::default(),
        }
    }

    /// A card with the rarer things, Grace Hopper's: 9A P-384, 9C RSA-3072 with a compressed certificate, 9D P-256, 9E RSA-2048,
    /// retired keys 82 RSA-4096, 83 P-384 and 84 without a certificate.
    pub fn varied() -> Self {
        Self {
            holder: Holder::new("Grace Hopper"),
            slots: vec![
                KeySlot::new(0x9A, KeyKind::P384),
                KeySlot::new(0x9C, KeyKind::Rsa3072).compressed(),
                KeySlot::new(0x9D, KeyKind::P256),
                KeySlot::new(0x9E, KeyKind::Rsa2048('c')),
                KeySlot::new(0x82, KeyKind::Rsa4096),
                KeySlot::new(0x83, KeyKind::P384),
                KeySlot::new(0x84, KeyKind::P256).bare(),
            ],
            chuid: Chuid::default(),
        }
    }

    /// A card that is filled in no time, Alan Turing's: P-256 everywhere.
    pub fn elliptic() -> Self {
        Self {
            holder: Holder::new("Alan Turing"),
            slots: [0x9A, 0x9C, 0x9D, 0x9E].map(|reference| KeySlot::new(reference, KeyKind::P256)).to_vec(),
            chuid: Chuid::default(),
        }
    }
}
