//! What a key and a token offer, computed by asking the planner about every row of the table.

use cryptoki_sys::*;

use super::secret::{self, Cipher};
use super::{Family, TABLE};
use crate::card::key::{KeyKind, PublicKey};
use crate::card::{Abilities, PrivateKey, Usage};
use crate::mechanism::symmetric::{SecretKind, check_cipher, check_derivation, check_mac};
use crate::mechanism::{
    Derivation, EcdhParameters, Hash, Kdf, MacFunction, Mechanism, OaepParameters, PairType, PssParameters, plan,
};

/// A kind of key that a card could hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Supported {
    /// Algorithm and size.
    pub kind: KeyKind,
    /// What the card would do with such a key.
    pub abilities: Abilities,
}

/// `CK_MECHANISM_INFO` with the mechanism's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MechanismRow {
    /// CKM_ number.
    pub ckm: u64,
    /// `ulMinKeySize`, in bits, but in bytes for AES; 0 for hashes.
    pub min_key: u64,
    /// `ulMaxKeySize`, in the same unit.
    pub max_key: u64,
    /// CKF_ bits.
    pub flags: u64,
}

/// `CKA_ALLOWED_MECHANISMS` of a private key: what it can do and is meant for.
pub fn mechanisms_for_private(key: &PrivateKey) -> Vec<u64> {
    rows(|mechanism| private_flags(mechanism, key))
}

/// `CKA_ALLOWED_MECHANISMS` of the public half of a key pair with this usage.
pub fn mechanisms_for_public_half(key: &PublicKey, usage: Usage) -> Vec<u64> {
    let uses = [(usage.sign, CKF_VERIFY | CKF_VERIFY_RECOVER), (usage.decrypt, CKF_ENCRYPT), (usage.unwrap, CKF_WRAP)];
    let meant = uses.into_iter().fold(0, |all, (is, flags)| if is { all | flags } else { all });
    rows(|mechanism| public_flags(mechanism, key) & meant)
}

/// `CKA_ALLOWED_MECHANISMS` of a public key.
pub fn mechanisms_for_public(key: &PublicKey) -> Vec<u64> {
    rows(|mechanism| public_flags(mechanism, key))
}

/// `CKA_ALLOWED_MECHANISMS` of a secret key on the host.
pub fn mechanisms_for_secret(kind: SecretKind) -> Vec<u64> {
    rows(|mechanism| secret_flags(mechanism, kind))
}

fn rows(flags: impl Fn(&Mechanism) -> CK_FLAGS) -> Vec<u64> {
    TABLE.iter().filter(|row| flags(&sample(row.1)) != 0).map(|row| row.0).collect()
}

/// C_GetMechanismList and C_GetMechanismInfo of a token with these keys.
///
/// `supported` counts beside the keys that are there: a program that has asked once goes by that for the key that it makes
/// next, as Java does. Hashes and what the host does with secret keys of the session are always there. CKF_HW marks what
/// the card computes, such as key pairs of the kinds in `generate`.
pub fn token_mechanisms<'a>(
    private: impl IntoIterator<Item = &'a PrivateKey>,
    public: impl IntoIterator<Item = &'a PublicKey>,
    supported: &[Supported],
    generate: &[KeyKind],
) -> Vec<MechanismRow> {
    let mut private: Vec<PrivateKey> = private.into_iter().cloned().collect();
    let public: Vec<&PublicKey> = public.into_iter().collect();
    private.extend(supported.iter().map(placeholder));
    TABLE.iter().filter_map(|(ckm, family)| token_row(*ckm, *family, &private, &public, generate)).collect()
}

/// What a mechanism on named curves says of them (PKCS#11 3.2 6.3, mechanism information flags): prime fields, curves by
/// identifier and by name, points in both forms.
const ON_CURVES: CK_FLAGS = CKF_EC_F_P | CKF_EC_OID | CKF_EC_CURVENAME | CKF_EC_UNCOMPRESS | CKF_EC_COMPRESS;

fn token_row(
    ckm: u64,
    family: Family,
    private: &[PrivateKey],
    public: &[&PublicKey],
    generate: &[KeyKind],
) -> Option<MechanismRow> {
    if let Family::GeneratePair(pair) = family {
        return generation_row(ckm, pair, generate);
    }
    if let Family::Digest(_) = family {
        return Some(MechanismRow { ckm, min_key: 0, max_key: 0, flags: CKF_DIGEST });
    }
    let mechanism = sample(family);
    if let Some((min_key, max_key)) = secret_sizes(family) {
        let flags = SecretKind::ALL.into_iter().fold(0, |all, kind| all | secret_flags(&mechanism, kind));
        return Some(MechanismRow { ckm, min_key, max_key, flags });
    }
    let by_card = private.iter().map(|key| (key.kind, private_flags(&mechanism, key)));
    let by_card = by_card.map(|(kind, flags)| (kind, if flags == 0 { 0 } else { flags | CKF_HW }));
    let by_host = private.iter().map(|key| (key.kind, kind_flags(&mechanism, key.kind)));
    let by_host = by_host.chain(public.iter().map(|key| (key.kind(), public_flags(&mechanism, key))));
    let useful: Vec<_> = by_card.chain(by_host).filter(|(_, flags)| *flags != 0).collect();
    let sizes = || useful.iter().map(|(kind, _)| kind.bits() as u64);
    let curve = if matches!(family, Family::Ecdsa | Family::EcdsaHash(_) | Family::Eddsa | Family::Ecdh1 { .. }) {
        ON_CURVES
    } else {
        0
    };
    Some(MechanismRow {
        ckm,
        min_key: sizes().min()?,
        max_key: sizes().max()?,
        flags: useful.iter().fold(curve, |all, (_, flags)| all | flags),
    })
}

/// Generation of key pairs on the card; `None` where it makes none of this type.
fn generation_row(ckm: u64, pair: PairType, generate: &[KeyKind]) -> Option<MechanismRow> {
    let sizes = || generate.iter().filter(|kind| PairType::of(**kind) == pair).map(|kind| kind.bits() as u64);
    let curve = if pair == PairType::Rsa { 0 } else { ON_CURVES };
    let flags = CKF_HW | CKF_GENERATE_KEY_PAIR | curve;
    Some(MechanismRow { ckm, min_key: sizes().min()?, max_key: sizes().max()?, flags })
}

/// What the card does for `key` with `mechanism`, as CKF_ bits.
fn private_flags(mechanism: &Mechanism, key: &PrivateKey) -> CK_FLAGS {
    [
        (plan::check_sign(mechanism, key).is_ok(), CKF_SIGN),
        (plan::check_sign_recover(mechanism, key).is_ok(), CKF_SIGN_RECOVER),
        (plan::check_decrypt(mechanism, key).is_ok(), CKF_DECRYPT),
        (plan::check_unwrap(mechanism, key).is_ok(), CKF_UNWRAP),
        (plan::check_derive(mechanism, key).is_ok(), CKF_DERIVE),
    ]
    .into_iter()
    .fold(0, |all, (can, flag)| if can { all | flag } else { all })
}

/// What the host does with a public key and `mechanism`, as CKF_ bits.
fn public_flags(mechanism: &Mechanism, key: &PublicKey) -> CK_FLAGS {
    kind_flags(mechanism, key.kind())
}

/// What the host does with a secret key and `mechanism`, as CKF_ bits.
fn secret_flags(mechanism: &Mechanism, kind: SecretKind) -> CK_FLAGS {
    let generates = matches!(mechanism, Mechanism::Generate(own) if *own == kind);
    [
        (check_cipher(mechanism, kind).is_ok(), CKF_ENCRYPT | CKF_DECRYPT | CKF_WRAP | CKF_UNWRAP),
        (check_mac(mechanism, kind).is_ok(), CKF_SIGN | CKF_VERIFY),
        (derives(mechanism, kind), CKF_DERIVE),
        (generates, CKF_GENERATE),
    ]
    .into_iter()
    .fold(0, |all, (can, flag)| if can { all | flag } else { all })
}

/// Whether keys derive by `mechanism`: by a key-based derivation with a function of their own kind.
fn derives(mechanism: &Mechanism, kind: SecretKind) -> bool {
    match mechanism {
        Mechanism::Derive(Derivation::KeyBased(_)) => !matches!(kind, SecretKind::Hkdf | SecretKind::Other),
        _ => check_derivation(mechanism, kind).is_ok(),
    }
}

/// Shortest and longest secret key, AES in bytes and others in bits, as PKCS#11 3.2 6.7.7 and 6.13.2 have them, and 0
/// for DES (6.19.4); `None` where no secret key is used.
fn secret_sizes(family: Family) -> Option<(u64, u64)> {
    match family {
        Family::Aes(_)
        | Family::Mac { function: MacFunction::Cmac | MacFunction::CbcMac, .. }
        | Family::Generate(SecretKind::Aes) => Some((16, 32)),
        Family::Des3(_)
        | Family::Mac { function: MacFunction::Des3Cmac | MacFunction::Des3CbcMac, .. }
        | Family::Generate(SecretKind::Des2 | SecretKind::Des3) => Some((0, 0)),
        Family::Derive(derive) => Some(derive.sizes()),
        Family::Mac { .. } | Family::Generate(_) => Some((8, 8 * secret::LONGEST_KEY)),
        _ => None,
    }
}

fn kind_flags(mechanism: &Mechanism, kind: KeyKind) -> CK_FLAGS {
    [
        (plan::check_verify(mechanism, kind).is_ok(), CKF_VERIFY),
        (plan::check_verify_recover(mechanism, kind).is_ok(), CKF_VERIFY_RECOVER),
        (plan::check_encrypt(mechanism, kind).is_ok(), CKF_ENCRYPT),
        (plan::check_wrap(mechanism, kind).is_ok(), CKF_WRAP),
    ]
    .into_iter()
    .fold(0, |all, (can, flag)| if can { all | flag } else { all })
}

/// A mechanism of the family with the parameter that the shortest key could take.
fn sample(family: Family) -> Mechanism {
    let pss = |hash| PssParameters { hash, mgf: hash, salt_length: 0 };
    let oaep = || OaepParameters { hash: Hash::Sha1, mgf: Hash::Sha1, label: Vec::new() };
    match family {
        Family::RsaPkcs => Mechanism::RsaPkcs,
        Family::RsaX509 => Mechanism::RsaX509,
        Family::RsaPkcsHash(hash) => Mechanism::RsaPkcsHash(hash),
        Family::RsaPss => Mechanism::RsaPss(pss(Hash::Sha1)),
        Family::RsaPssHash(hash) => Mechanism::RsaPssHash(pss(hash)),
        Family::RsaOaep => Mechanism::RsaOaep(oaep()),
        Family::RsaAesWrap => Mechanism::RsaAesWrap { length: 16, oaep: oaep() },
        Family::Ecdsa => Mechanism::Ecdsa,
        Family::EcdsaHash(hash) => Mechanism::EcdsaHash(hash),
        Family::Eddsa => Mechanism::Eddsa,
        Family::Ecdh1 { cofactor } => Mechanism::Ecdh1(EcdhParameters {
            cofactor,
            kdf: Kdf::Null,
            shared_data: Vec::new(),
            public_data: Vec::new(),
        }),
        Family::Digest(hash) => Mechanism::Digest(hash),
        Family::Aes(cipher) => Mechanism::Aes(Cipher::sample(cipher)),
        Family::Des3(cipher) => Mechanism::Des3(cipher.sample_des3()),
        Family::Derive(derive) => derive.sample(),
        Family::Mac { function, general } => Mechanism::Mac { function, length: general.then_some(1) },
        Family::Generate(kind) => Mechanism::Generate(kind),
        Family::GeneratePair(pair) => Mechanism::GeneratePair(pair),
    }
}

/// A key of a supported kind, meant for everything that the card could do with it.
fn placeholder(entry: &Supported) -> PrivateKey {
    let deciphers = !entry.abilities.decipher.is_empty();
    PrivateKey {
        reference: crate::card::KeyReference(0),
        id: Vec::new(),
        label: String::new(),
        kind: entry.kind,
        public: None,
        subject: Vec::new(),
        abilities: entry.abilities,
        usage: Usage {
            sign: !entry.abilities.sign.is_empty(),
            decrypt: deciphers,
            unwrap: deciphers,
            derive: entry.abilities.agree,
        },
        authentication: crate::card::Authentication::Once,
        local: None,
        storage: crate::card::Storage::Token,
        policy: crate::card::KeyPolicy::default(),
    }
}
