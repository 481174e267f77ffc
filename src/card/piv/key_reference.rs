//! The asymmetric keys of the PIV card application: references, certificate objects, ids and names
//! (SP 800-73-4 part 1 table 4b, 800-78-5 table 6-1).

use cardea_apdu::Tag;

use crate::card::key::KeyKind;
use crate::card::{Authentication, KeyReference, Usage};

/// Retired key management keys, 82 to 95.
pub(super) const RETIRED_KEYS: u8 = 20;
/// First of the retired key management keys.
const RETIRED_FIRST: u8 = 0x82;
/// Tag of the key history object; the retired certificates follow it.
const KEY_HISTORY: u32 = 0x005F_C10C;
/// `CKA_ID` of the first retired key: they follow the four others.
const RETIRED_FIRST_ID: u8 = 5;

/// One asymmetric key of the application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PivKey {
    /// Key reference, P2 of GENERAL AUTHENTICATE.
    pub(super) reference: u8,
    /// Data object of its certificate.
    pub(super) certificate: Tag,
    /// `CKA_ID`: 01 to 04 for 9A, 9C, 9D, 9E, 05 to 18 for 82 to 95, 19 for F9, as users of other modules know them.
    pub(super) id: u8,
}

impl PivKey {
    /// PIV Authentication.
    pub(super) const AUTHENTICATION: Self = Self::new(0x9A, 0x005F_C105, 0x01);
    /// Digital Signature.
    pub(super) const SIGNATURE: Self = Self::new(0x9C, 0x005F_C10A, 0x02);
    /// Key Management.
    pub(super) const KEY_MANAGEMENT: Self = Self::new(0x9D, 0x005F_C10B, 0x03);
    /// Card Authentication.
    pub(super) const CARD_AUTHENTICATION: Self = Self::new(0x9E, 0x005F_C101, 0x04);
    /// The key with which a YubiKey attests keys that it generated (Yubico PIV extensions).
    pub(super) const ATTESTATION: Self = Self::new(0xF9, 0x005F_FF01, 0x19);
    /// The four keys that each card may have, in the order of their ids.
    pub(super) const PRIMARY: [Self; 4] =
        [Self::AUTHENTICATION, Self::SIGNATURE, Self::KEY_MANAGEMENT, Self::CARD_AUTHENTICATION];

    const fn new(reference: u8, certificate: u32, id: u8) -> Self {
        Self { reference, certificate: Tag::new(certificate), id }
    }

    /// The retired key management keys, 82 first.
    pub(super) fn retired() -> impl Iterator<Item = Self> {
        (0..RETIRED_KEYS)
            .map(|index| Self::new(RETIRED_FIRST + index, KEY_HISTORY + 1 + u32::from(index), RETIRED_FIRST_ID + index))
    }

    /// The keys that can be made here, in the order of their ids: all but the attestation key, whose loss is final.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        Self::PRIMARY.into_iter().chain(Self::retired())
    }

    /// The key that a caller means by `CKA_ID`.
    pub(super) fn with_id(id: &[u8]) -> Option<Self> {
        Self::all().find(|key| id == [key.id])
    }

    /// The key with this reference.
    pub(super) fn with_reference(reference: KeyReference) -> Option<Self> {
        Self::all().find(|key| u16::from(key.reference) == reference.0)
    }

    /// Whether it is a retired key management key, which the key history counts.
    pub(super) fn is_retired(self) -> bool {
        self.id >= RETIRED_FIRST_ID && self != Self::ATTESTATION
    }

    /// `CKA_LABEL` of the key and its certificate.
    pub(super) fn label(self) -> String {
        match self.reference {
            0x9A => "PIV Authentication".to_owned(),
            0x9C => "Digital Signature".to_owned(),
            0x9D => "Key Management".to_owned(),
            0x9E => "Card Authentication".to_owned(),
            0xF9 => "PIV Attestation".to_owned(),
            reference => format!("Retired Key Management {}", reference.wrapping_sub(RETIRED_FIRST).wrapping_add(1)),
        }
    }

    /// When the standard has the key want the PIN (SP 800-73-4 part 1 table 4b).
    pub(super) fn authentication(self) -> Authentication {
        match self.reference {
            0x9C => Authentication::Always,
            0x9E => Authentication::Never,
            _ => Authentication::Once,
        }
    }

    /// What the standard means the key for, as far as a key of this kind can (SP 800-73-4 part 1 3.2).
    pub(super) fn usage(self, kind: KeyKind) -> Usage {
        let signs = matches!(self.reference, 0x9A | 0x9C | 0x9E);
        let all = Usage { sign: signs, decrypt: !signs, unwrap: !signs, derive: !signs };
        intersection(all, possible_usage(kind))
    }
}

/// All that a key of this kind can do on a card.
pub(super) fn possible_usage(kind: KeyKind) -> Usage {
    let rsa = matches!(kind, KeyKind::Rsa { .. });
    Usage {
        sign: kind != KeyKind::X25519,
        decrypt: rsa,
        unwrap: rsa,
        derive: matches!(kind, KeyKind::Ec(_) | KeyKind::X25519),
    }
}

/// What both allow.
pub(super) fn intersection(one: Usage, other: Usage) -> Usage {
    Usage {
        sign: one.sign && other.sign,
        decrypt: one.decrypt && other.decrypt,
        unwrap: one.unwrap && other.unwrap,
        derive: one.derive && other.derive,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use crate::card::key::Curve;

    #[test]
    fn retired_keys_run_from_82_to_95_with_their_certificates_and_ids() {
        let keys: Vec<_> = PivKey::retired().collect();
        assert_eq!(keys.len(), 20);
        assert_eq!(keys[0], PivKey::new(0x82, 0x5FC10D, 0x05));
        assert_eq!(keys[19], PivKey::new(0x95, 0x5FC120, 0x18));
        assert_eq!(keys[0].label(), "Retired Key Management 1");
        assert_eq!(keys[19].label(), "Retired Key Management 20");
    }

    #[test]
    fn ids_and_certificate_objects_are_all_different() {
        let keys: Vec<_> = PivKey::PRIMARY.into_iter().chain(PivKey::retired()).chain([PivKey::ATTESTATION]).collect();
        for (index, key) in keys.iter().enumerate() {
            assert_eq!(usize::from(key.id), index + 1);
            assert!(keys.iter().filter(|other| other.certificate == key.certificate).count() == 1);
            assert!(keys.iter().filter(|other| other.reference == key.reference).count() == 1);
        }
    }

    #[test]
    fn a_default_usage_is_never_more_than_the_kind_can_do() {
        let ec = PivKey::KEY_MANAGEMENT.usage(KeyKind::Ec(Curve::P256));
        assert_eq!(ec, Usage { derive: true, ..Usage::default() });
        let rsa = PivKey::KEY_MANAGEMENT.usage(KeyKind::Rsa { bits: 2048 });
        assert_eq!(rsa, Usage { decrypt: true, unwrap: true, ..Usage::default() });
        assert_eq!(PivKey::AUTHENTICATION.usage(KeyKind::X25519), Usage::default());
        assert_eq!(PivKey::SIGNATURE.usage(KeyKind::Ed25519), Usage { sign: true, ..Usage::default() });
    }
}
