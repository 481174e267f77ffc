//! The three keys of the application (OpenPGP card 4.1): what each is for, and where what belongs to it is stored.

use cardea_apdu::Tag;

use crate::card::key::KeyKind;
use crate::card::{CardError, DataReference, KeyReference, Usage};

/// One of the three keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    /// Digital signatures, by PSO: COMPUTE DIGITAL SIGNATURE.
    Signature,
    /// Decryption, by PSO: DECIPHER.
    Decryption,
    /// Client authentication, by INTERNAL AUTHENTICATE.
    Authentication,
}

/// Data references of certificates: this with the key's number in the low byte. No other object is like it.
const CERTIFICATES: u32 = 0x007F_2100;

impl Key {
    /// In the order of their numbers.
    pub(super) const ALL: [Self; 3] = [Self::Signature, Self::Decryption, Self::Authentication];

    /// Key reference of OpenPGP card 7.2.18, 1 to 3; also `CKA_ID`, as users of other modules know it.
    pub(super) fn number(self) -> u8 {
        match self {
            Self::Signature => 1,
            Self::Decryption => 2,
            Self::Authentication => 3,
        }
    }

    /// The key with this reference.
    pub(super) fn of(reference: KeyReference) -> Result<Self, CardError> {
        let found = Self::ALL.into_iter().find(|key| key.reference() == reference);
        found.ok_or(CardError::NotFound)
    }

    /// The key whose certificate this is.
    pub(super) fn of_certificate(reference: DataReference) -> Result<Self, CardError> {
        let found = Self::ALL.into_iter().find(|key| key.certificate() == reference);
        found.ok_or(CardError::NotFound)
    }

    /// The reference in the driver's numbering.
    pub(super) fn reference(self) -> KeyReference {
        KeyReference(u16::from(self.number()))
    }

    /// The reference of its certificate in the driver's numbering.
    pub(super) fn certificate(self) -> DataReference {
        DataReference(CERTIFICATES | u32::from(self.number()))
    }

    /// `CKA_LABEL` of the key and its certificate.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Signature => "Signature key",
            Self::Decryption => "Encryption key",
            Self::Authentication => "Authentication key",
        }
    }

    /// Tag of its control reference template (OpenPGP card 7.2.14).
    pub(super) fn template(self) -> Tag {
        match self {
            Self::Signature => Tag::new(0xB6),
            Self::Decryption => Tag::new(0xB8),
            Self::Authentication => Tag::new(0xA4),
        }
    }

    /// Which occurrence of DO 7F21 its certificate is: authentication first, then decryption, then signature.
    pub(super) fn occurrence(self) -> u8 {
        match self {
            Self::Authentication => 0,
            Self::Decryption => 1,
            Self::Signature => 2,
        }
    }

    /// DO with its algorithm attributes: C1, C2, C3.
    pub(super) fn attributes(self) -> u16 {
        0xC0 + u16::from(self.number())
    }

    /// DO with its fingerprint, to be written: C7, C8, C9.
    pub(super) fn fingerprint(self) -> u16 {
        0xC6 + u16::from(self.number())
    }

    /// DO with its time of generation, to be written: CE, CF, D0.
    pub(super) fn generation_time(self) -> u16 {
        0xCD + u16::from(self.number())
    }

    /// DO with its user interaction flag: D6, D7, D8.
    pub(super) fn interaction_flag(self) -> u16 {
        0xD5 + u16::from(self.number())
    }

    /// Its place in lists of three.
    pub(super) fn index(self) -> usize {
        usize::from(self.number()) - 1
    }

    /// What a key of this kind is meant for here.
    pub(super) fn usage(self, kind: KeyKind) -> Usage {
        let none = Usage::default();
        match (self, kind) {
            (Self::Decryption, KeyKind::Rsa { .. }) => Usage { decrypt: true, unwrap: true, ..none },
            (Self::Decryption, KeyKind::Ec(_) | KeyKind::X25519) => Usage { derive: true, ..none },
            (Self::Signature | Self::Authentication, KeyKind::Rsa { .. } | KeyKind::Ec(_) | KeyKind::Ed25519) => {
                Usage { sign: true, ..none }
            }
            (Self::Decryption, KeyKind::Ed25519) | (Self::Signature | Self::Authentication, KeyKind::X25519) => none,
        }
    }
}
