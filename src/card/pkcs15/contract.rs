//! Entries in the terms of the card contract, and the contract's terms in entries. What only a driver knows (its
//! references, what the card can do with a key) comes from the driver.

use super::certificate::CertificateEntry;
use super::data::DataEntry;
use super::flags::{AccessFlags, KeyUsage, ObjectFlags};
use super::key_pair::PrivateKeyEntry;
use super::object::Common;
use super::secret_key::{SecretKeyAlgorithm, SecretKeyEntry};
use super::token_info::TokenInfo;
use crate::card::key::{KeyKind, PublicKey};
use crate::card::new_key::Storage;
use crate::card::secret_key::{SecretKey, SecretKind, SecretUsage};
use crate::card::{
    Abilities, Authentication, Certificate, Data, DataReference, KeyPolicy, KeyReference, PrivateKey, Usage,
};

/// 2.16.840.1.101.3.4.1, under which all modes of AES are, DER without its last byte.
const AES: &[u8] = &[0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01];
/// `CKM_AES_KEY_GEN` to `CKM_AES_CBC_PAD` and their neighbours up to `CKM_AES_CMAC`.
const AES_MECHANISMS: core::ops::RangeInclusive<u32> = 0x1080..=0x108A;

impl From<KeyUsage> for Usage {
    fn from(usage: KeyUsage) -> Self {
        Self {
            sign: usage.intersects(KeyUsage::SIGN | KeyUsage::SIGN_RECOVER | KeyUsage::NON_REPUDIATION),
            decrypt: usage.intersects(KeyUsage::DECRYPT),
            unwrap: usage.intersects(KeyUsage::UNWRAP),
            derive: usage.intersects(KeyUsage::DERIVE),
        }
    }
}

impl From<KeyUsage> for SecretUsage {
    fn from(usage: KeyUsage) -> Self {
        Self {
            encrypt: usage.intersects(KeyUsage::ENCRYPT),
            decrypt: usage.intersects(KeyUsage::DECRYPT),
            wrap: usage.intersects(KeyUsage::WRAP),
            unwrap: usage.intersects(KeyUsage::UNWRAP),
        }
    }
}

impl From<Usage> for KeyUsage {
    fn from(usage: Usage) -> Self {
        chosen(&[
            (usage.sign, Self::SIGN),
            (usage.decrypt, Self::DECRYPT),
            (usage.unwrap, Self::UNWRAP),
            (usage.derive, Self::DERIVE),
        ])
    }
}

impl From<SecretUsage> for KeyUsage {
    fn from(usage: SecretUsage) -> Self {
        chosen(&[
            (usage.encrypt, Self::ENCRYPT),
            (usage.decrypt, Self::DECRYPT),
            (usage.wrap, Self::WRAP),
            (usage.unwrap, Self::UNWRAP),
        ])
    }
}

impl KeyUsage {
    /// What the public half of a pair is for when this is what its private half is for.
    #[must_use]
    pub fn of_public_half(self) -> Self {
        let half = |private, public| (self.contains(private), public);
        chosen(&[
            half(Self::DECRYPT, Self::ENCRYPT),
            half(Self::SIGN, Self::VERIFY),
            half(Self::SIGN_RECOVER, Self::VERIFY_RECOVER),
            half(Self::UNWRAP, Self::WRAP),
            half(Self::DERIVE, Self::DERIVE),
            half(Self::NON_REPUDIATION, Self::VERIFY),
        ])
    }
}

fn chosen(uses: &[(bool, KeyUsage)]) -> KeyUsage {
    uses.iter().filter(|(is_chosen, _)| *is_chosen).fold(KeyUsage::NONE, |all, (_, bit)| all | *bit)
}

impl Common {
    /// Attributes of an object that is guarded as `authentication` says by the PIN with this identifier.
    pub fn guarded(label: &str, authentication: Authentication, auth_id: &[u8]) -> Self {
        let guarded = authentication != Authentication::Never;
        let flags = if guarded { ObjectFlags::PRIVATE | ObjectFlags::MODIFIABLE } else { ObjectFlags::MODIFIABLE };
        Self {
            label: label.to_owned(),
            flags,
            auth_id: guarded.then(|| auth_id.to_vec()),
            user_consent: (authentication == Authentication::Always).then_some(1),
            extensions: Vec::new(),
        }
    }

    /// When use wants the PIN. A consent is asked before each use, whatever its count.
    pub fn authentication(&self) -> Authentication {
        match (self.user_consent, &self.auth_id) {
            (Some(1..), _) => Authentication::Always,
            (_, Some(_)) => Authentication::Once,
            (_, None) if self.flags.contains(ObjectFlags::PRIVATE) => Authentication::Once,
            (_, None) => Authentication::Never,
        }
    }
}

impl AccessFlags {
    /// Flags of a key that was generated on the card or brought to it, and may leave it wrapped or not.
    pub fn of(local: bool, extractable: bool) -> Self {
        let origin = match (local, extractable) {
            (true, true) => Self::LOCAL | Self::ALWAYS_SENSITIVE,
            (true, false) => Self::LOCAL | Self::ALWAYS_SENSITIVE | Self::NEVER_EXTRACTABLE,
            (false, _) => Self::NONE,
        };
        let extractable = if extractable { Self::EXTRACTABLE } else { Self::NONE };
        Self::SENSITIVE | origin | extractable
    }
}

impl PrivateKeyEntry {
    /// The key in the contract's terms.
    pub fn private_key(
        &self,
        reference: KeyReference,
        kind: KeyKind,
        public: Option<PublicKey>,
        abilities: Abilities,
    ) -> PrivateKey {
        PrivateKey {
            reference,
            id: self.key.id.clone(),
            label: self.common.label.clone(),
            kind,
            public,
            subject: self.subject.clone(),
            abilities,
            usage: self.key.usage.into(),
            authentication: self.common.authentication(),
            local: self.key.local(),
            storage: Storage::Token,
            policy: KeyPolicy::default(),
        }
    }
}

impl SecretKeyEntry {
    /// Algorithm and size. The entry's own alternative tells triple DES; AES is told by the algorithms that the
    /// token's list has under the key's references.
    ///
    /// `None` where the length is missing or impossible, and for algorithms that the contract does not have.
    pub fn kind(&self, token_info: Option<&TokenInfo>) -> Option<SecretKind> {
        let bits = self.length.and_then(|length| usize::try_from(length).ok());
        match self.algorithm {
            SecretKeyAlgorithm::Des3 => Some(SecretKind::Des3),
            SecretKeyAlgorithm::Generic | SecretKeyAlgorithm::GenericSecret => match bits {
                Some(bits @ (128 | 192 | 256)) if self.is_aes(token_info) => Some(SecretKind::Aes { bits }),
                Some(bits) if bits > 0 && bits.is_multiple_of(8) => Some(SecretKind::Generic { length: bits / 8 }),
                _ => None,
            },
            _ => None,
        }
    }

    fn is_aes(&self, token_info: Option<&TokenInfo>) -> bool {
        let algorithms = self.key.algorithms.iter().filter_map(|&reference| token_info?.algorithm(reference));
        algorithms.into_iter().any(|info| info.oid.starts_with(AES) || AES_MECHANISMS.contains(&info.mechanism))
    }

    /// The key in the contract's terms. What is listed in a file is in lasting memory.
    pub fn secret_key(&self, reference: KeyReference, kind: SecretKind) -> SecretKey {
        SecretKey {
            reference,
            storage: Storage::Token,
            id: self.key.id.clone(),
            label: self.common.label.clone(),
            kind,
            usage: self.key.usage.into(),
            extractable: self.key.access.is_some_and(|access| access.contains(AccessFlags::EXTRACTABLE)),
            authentication: self.common.authentication(),
            local: self.key.local(),
        }
    }
}

impl CertificateEntry {
    /// The certificate in the contract's terms, with its content and its public key.
    pub fn certificate(&self, der: Vec<u8>, public: Option<PublicKey>) -> Certificate {
        Certificate { reference: None, id: self.id.clone(), label: self.common.label.clone(), der, public }
    }
}

impl DataEntry {
    /// The object in the contract's terms.
    pub fn data(&self, reference: DataReference, value: Option<Vec<u8>>) -> Data {
        Data {
            reference,
            label: self.common.label.clone(),
            application: self.application.clone(),
            object_id: self.oid.clone().unwrap_or_else(|| self.application_oid.clone()),
            value,
            private: self.common.flags.contains(ObjectFlags::PRIVATE),
        }
    }
}
