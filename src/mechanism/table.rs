//! The mechanism table: Cryptoki's numbers and parameters, judged, as [`Mechanism`]s.

mod derivation;
mod offer;
mod secret;

use cryptoki_sys::*;

use super::symmetric::SecretKind;
use super::{
    EcdhParameters, Hash, Kdf, MacFunction, Mechanism, OaepParameters, PairType, ParameterKind, Parameters,
    PssParameters,
};
use crate::error::Error;
use crate::mechanism::Result;

pub use derivation::salt;
pub use offer::{
    MechanismRow, Supported, mechanisms_for_private, mechanisms_for_public, mechanisms_for_public_half,
    mechanisms_for_secret, token_mechanisms,
};
pub use secret::padded_key_wrap;

use derivation::{Derive, Mode};
use secret::Cipher;

/// A mechanism without its parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    RsaPkcs,
    RsaX509,
    RsaPkcsHash(Hash),
    RsaPss,
    RsaPssHash(Hash),
    RsaOaep,
    RsaAesWrap,
    Ecdsa,
    EcdsaHash(Hash),
    Eddsa,
    Ecdh1 { cofactor: bool },
    Digest(Hash),
    Aes(Cipher),
    Des3(Cipher),
    Derive(Derive),
    Mac { function: MacFunction, general: bool },
    Generate(SecretKind),
    GeneratePair(PairType),
}

const fn hmac(hash: Hash, general: bool) -> Family {
    Family::Mac { function: MacFunction::Hmac(hash), general }
}

/// Every mechanism, in the order in which C_GetMechanismList gives them.
const TABLE: &[(CK_MECHANISM_TYPE, Family)] = &[
    (CKM_RSA_PKCS_KEY_PAIR_GEN, Family::GeneratePair(PairType::Rsa)),
    (CKM_RSA_PKCS, Family::RsaPkcs),
    (CKM_RSA_X_509, Family::RsaX509),
    (CKM_SHA1_RSA_PKCS, Family::RsaPkcsHash(Hash::Sha1)),
    (CKM_SHA224_RSA_PKCS, Family::RsaPkcsHash(Hash::Sha224)),
    (CKM_SHA256_RSA_PKCS, Family::RsaPkcsHash(Hash::Sha256)),
    (CKM_SHA384_RSA_PKCS, Family::RsaPkcsHash(Hash::Sha384)),
    (CKM_SHA512_RSA_PKCS, Family::RsaPkcsHash(Hash::Sha512)),
    (CKM_RSA_PKCS_PSS, Family::RsaPss),
    (CKM_SHA1_RSA_PKCS_PSS, Family::RsaPssHash(Hash::Sha1)),
    (CKM_SHA224_RSA_PKCS_PSS, Family::RsaPssHash(Hash::Sha224)),
    (CKM_SHA256_RSA_PKCS_PSS, Family::RsaPssHash(Hash::Sha256)),
    (CKM_SHA384_RSA_PKCS_PSS, Family::RsaPssHash(Hash::Sha384)),
    (CKM_SHA512_RSA_PKCS_PSS, Family::RsaPssHash(Hash::Sha512)),
    (CKM_RSA_PKCS_OAEP, Family::RsaOaep),
    (CKM_RSA_AES_KEY_WRAP, Family::RsaAesWrap),
    (CKM_EC_KEY_PAIR_GEN, Family::GeneratePair(PairType::Ec)),
    (CKM_EC_EDWARDS_KEY_PAIR_GEN, Family::GeneratePair(PairType::Edwards)),
    (CKM_EC_MONTGOMERY_KEY_PAIR_GEN, Family::GeneratePair(PairType::Montgomery)),
    (CKM_ECDSA, Family::Ecdsa),
    (CKM_ECDSA_SHA1, Family::EcdsaHash(Hash::Sha1)),
    (CKM_ECDSA_SHA224, Family::EcdsaHash(Hash::Sha224)),
    (CKM_ECDSA_SHA256, Family::EcdsaHash(Hash::Sha256)),
    (CKM_ECDSA_SHA384, Family::EcdsaHash(Hash::Sha384)),
    (CKM_ECDSA_SHA512, Family::EcdsaHash(Hash::Sha512)),
    (CKM_EDDSA, Family::Eddsa),
    (CKM_ECDH1_DERIVE, Family::Ecdh1 { cofactor: false }),
    (CKM_ECDH1_COFACTOR_DERIVE, Family::Ecdh1 { cofactor: true }),
    (CKM_SHA_1, Family::Digest(Hash::Sha1)),
    (CKM_SHA224, Family::Digest(Hash::Sha224)),
    (CKM_SHA256, Family::Digest(Hash::Sha256)),
    (CKM_SHA384, Family::Digest(Hash::Sha384)),
    (CKM_SHA512, Family::Digest(Hash::Sha512)),
    (CKM_AES_KEY_GEN, Family::Generate(SecretKind::Aes)),
    (CKM_AES_ECB, Family::Aes(Cipher::Ecb)),
    (CKM_AES_CBC, Family::Aes(Cipher::Cbc)),
    (CKM_AES_CBC_PAD, Family::Aes(Cipher::CbcPad)),
    (CKM_AES_CTR, Family::Aes(Cipher::Ctr)),
    (CKM_AES_GCM, Family::Aes(Cipher::Gcm)),
    (CKM_AES_KEY_WRAP, Family::Aes(Cipher::KeyWrap)),
    (CKM_AES_KEY_WRAP_PAD, Family::Aes(Cipher::KeyWrapPad)),
    (CKM_AES_KEY_WRAP_KWP, Family::Aes(Cipher::KeyWrapPadded)),
    (CKM_AES_KEY_WRAP_PKCS7, Family::Aes(Cipher::KeyWrapPkcs7)),
    (CKM_DES2_KEY_GEN, Family::Generate(SecretKind::Des2)),
    (CKM_DES3_KEY_GEN, Family::Generate(SecretKind::Des3)),
    (CKM_DES3_ECB, Family::Des3(Cipher::Ecb)),
    (CKM_DES3_CBC, Family::Des3(Cipher::Cbc)),
    (CKM_DES3_CBC_PAD, Family::Des3(Cipher::CbcPad)),
    (CKM_AES_MAC, Family::Mac { function: MacFunction::CbcMac, general: false }),
    (CKM_AES_MAC_GENERAL, Family::Mac { function: MacFunction::CbcMac, general: true }),
    (CKM_DES3_MAC, Family::Mac { function: MacFunction::Des3CbcMac, general: false }),
    (CKM_DES3_MAC_GENERAL, Family::Mac { function: MacFunction::Des3CbcMac, general: true }),
    (CKM_DES3_CMAC, Family::Mac { function: MacFunction::Des3Cmac, general: false }),
    (CKM_DES3_CMAC_GENERAL, Family::Mac { function: MacFunction::Des3Cmac, general: true }),
    (CKM_AES_CMAC, Family::Mac { function: MacFunction::Cmac, general: false }),
    (CKM_AES_CMAC_GENERAL, Family::Mac { function: MacFunction::Cmac, general: true }),
    (CKM_GENERIC_SECRET_KEY_GEN, Family::Generate(SecretKind::Generic)),
    (CKM_SHA_1_HMAC, hmac(Hash::Sha1, false)),
    (CKM_SHA_1_HMAC_GENERAL, hmac(Hash::Sha1, true)),
    (CKM_SHA224_HMAC, hmac(Hash::Sha224, false)),
    (CKM_SHA224_HMAC_GENERAL, hmac(Hash::Sha224, true)),
    (CKM_SHA256_HMAC, hmac(Hash::Sha256, false)),
    (CKM_SHA256_HMAC_GENERAL, hmac(Hash::Sha256, true)),
    (CKM_SHA384_HMAC, hmac(Hash::Sha384, false)),
    (CKM_SHA384_HMAC_GENERAL, hmac(Hash::Sha384, true)),
    (CKM_SHA512_HMAC, hmac(Hash::Sha512, false)),
    (CKM_SHA512_HMAC_GENERAL, hmac(Hash::Sha512, true)),
    (CKM_CONCATENATE_BASE_AND_KEY, Family::Derive(Derive::WithKey)),
    (CKM_CONCATENATE_BASE_AND_DATA, Family::Derive(Derive::WithData)),
    (CKM_CONCATENATE_DATA_AND_BASE, Family::Derive(Derive::AfterData)),
    (CKM_XOR_BASE_AND_DATA, Family::Derive(Derive::Xor)),
    (CKM_EXTRACT_KEY_FROM_KEY, Family::Derive(Derive::Extract)),
    (CKM_SHA1_KEY_DERIVATION, Family::Derive(Derive::Digest(Hash::Sha1))),
    (CKM_SHA224_KEY_DERIVATION, Family::Derive(Derive::Digest(Hash::Sha224))),
    (CKM_SHA256_KEY_DERIVATION, Family::Derive(Derive::Digest(Hash::Sha256))),
    (CKM_SHA384_KEY_DERIVATION, Family::Derive(Derive::Digest(Hash::Sha384))),
    (CKM_SHA512_KEY_DERIVATION, Family::Derive(Derive::Digest(Hash::Sha512))),
    (CKM_AES_ECB_ENCRYPT_DATA, Family::Derive(Derive::Aes(Cipher::Ecb))),
    (CKM_AES_CBC_ENCRYPT_DATA, Family::Derive(Derive::Aes(Cipher::Cbc))),
    (CKM_DES3_ECB_ENCRYPT_DATA, Family::Derive(Derive::Des3(Cipher::Ecb))),
    (CKM_DES3_CBC_ENCRYPT_DATA, Family::Derive(Derive::Des3(Cipher::Cbc))),
    (CKM_HKDF_KEY_GEN, Family::Generate(SecretKind::Hkdf)),
    (CKM_HKDF_DERIVE, Family::Derive(Derive::Hkdf { data: false })),
    (CKM_SP800_108_COUNTER_KDF, Family::Derive(Derive::KeyBased(Mode::Counter))),
    (CKM_SP800_108_FEEDBACK_KDF, Family::Derive(Derive::KeyBased(Mode::Feedback))),
    (CKM_SP800_108_DOUBLE_PIPELINE_KDF, Family::Derive(Derive::KeyBased(Mode::DoublePipeline))),
    (CKM_HKDF_DATA, Family::Derive(Derive::Hkdf { data: true })),
];

/// The hashes as mechanisms, mask generation functions and key derivation functions name them.
const HASHES: &[(Hash, CK_MECHANISM_TYPE, CK_RSA_PKCS_MGF_TYPE, CK_EC_KDF_TYPE)] = &[
    (Hash::Sha1, CKM_SHA_1, CKG_MGF1_SHA1, CKD_SHA1_KDF),
    (Hash::Sha224, CKM_SHA224, CKG_MGF1_SHA224, CKD_SHA224_KDF),
    (Hash::Sha256, CKM_SHA256, CKG_MGF1_SHA256, CKD_SHA256_KDF),
    (Hash::Sha384, CKM_SHA384, CKG_MGF1_SHA384, CKD_SHA384_KDF),
    (Hash::Sha512, CKM_SHA512, CKG_MGF1_SHA512, CKD_SHA512_KDF),
];

/// The hashes as the key derivation functions of SP 800-56 name them.
const ONE_STEP: &[(CK_EC_KDF_TYPE, Hash)] = &[
    (CKD_SHA1_KDF_SP800, Hash::Sha1),
    (CKD_SHA224_KDF_SP800, Hash::Sha224),
    (CKD_SHA256_KDF_SP800, Hash::Sha256),
    (CKD_SHA384_KDF_SP800, Hash::Sha384),
    (CKD_SHA512_KDF_SP800, Hash::Sha512),
];

/// Which parameter the mechanism `ckm` takes; `None` for a mechanism that is not known here.
pub fn parameter_kind(ckm: u64) -> Option<ParameterKind> {
    Some(match family(ckm)? {
        Family::RsaPss | Family::RsaPssHash(_) => ParameterKind::Pss,
        Family::RsaOaep => ParameterKind::Oaep,
        Family::RsaAesWrap => ParameterKind::RsaAesWrap,
        Family::Eddsa => ParameterKind::OptionalEddsa,
        Family::Ecdh1 { .. } => ParameterKind::Ecdh1,
        Family::RsaPkcs
        | Family::RsaX509
        | Family::RsaPkcsHash(_)
        | Family::Ecdsa
        | Family::EcdsaHash(_)
        | Family::Digest(_)
        | Family::Generate(_)
        | Family::GeneratePair(_)
        | Family::Mac { general: false, .. } => ParameterKind::None,
        Family::Mac { general: true, .. } => ParameterKind::Length,
        Family::Aes(cipher) | Family::Des3(cipher) => cipher.parameter_kind(),
        Family::Derive(derive) => derive.parameter_kind(),
    })
}

/// The mechanism `ckm` with its parameter, judged as far as it can be without a key.
///
/// `MechanismInvalid` for a mechanism not known here, `MechanismParamInvalid` for a parameter that is missing,
/// unexpected, or has values that the mechanism does not allow.
pub fn mechanism(ckm: u64, parameters: Parameters) -> Result<Mechanism> {
    match (family(ckm).ok_or(Error::MechanismInvalid)?, parameters) {
        (Family::RsaPkcs, Parameters::None) => Ok(Mechanism::RsaPkcs),
        (Family::RsaX509, Parameters::None) => Ok(Mechanism::RsaX509),
        (Family::RsaPkcsHash(hash), Parameters::None) => Ok(Mechanism::RsaPkcsHash(hash)),
        (Family::RsaPss, Parameters::Pss { hash, mgf, salt_length }) => {
            Ok(Mechanism::RsaPss(pss(hash, mgf, salt_length)?))
        }
        (Family::RsaPssHash(own), Parameters::Pss { hash, mgf, salt_length }) => {
            let parameters = pss(hash, mgf, salt_length)?;
            // PKCS#11 3.2 6.1.10: hashAlg is the mechanism's own hash.
            if parameters.hash == own {
                Ok(Mechanism::RsaPssHash(parameters))
            } else {
                Err(Error::MechanismParamInvalid)
            }
        }
        (Family::RsaOaep, Parameters::Oaep { hash, mgf, source, label }) => {
            Ok(Mechanism::RsaOaep(oaep(hash, mgf, source, label)?))
        }
        (Family::RsaAesWrap, Parameters::RsaAesWrap { bits, oaep: parameters }) => {
            let (128 | 192 | 256, Parameters::Oaep { hash, mgf, source, label }) = (bits, *parameters) else {
                return Err(Error::MechanismParamInvalid);
            };
            let length = usize::try_from(bits / 8).map_err(|_| Error::MechanismParamInvalid)?;
            Ok(Mechanism::RsaAesWrap { length, oaep: oaep(hash, mgf, source, label)? })
        }
        (Family::Ecdsa, Parameters::None) => Ok(Mechanism::Ecdsa),
        (Family::EcdsaHash(hash), Parameters::None) => Ok(Mechanism::EcdsaHash(hash)),
        (Family::Eddsa, Parameters::None) => Ok(Mechanism::Eddsa),
        (Family::Eddsa, Parameters::Eddsa { prehash: false, context }) if context.is_empty() => Ok(Mechanism::Eddsa),
        (Family::Ecdh1 { cofactor }, Parameters::Ecdh1 { kdf, shared_data, public_data }) => {
            Ok(Mechanism::Ecdh1(ecdh(cofactor, kdf, shared_data, public_data)?))
        }
        (Family::Digest(hash), Parameters::None) => Ok(Mechanism::Digest(hash)),
        (Family::Aes(cipher), parameters) => cipher.with(parameters).map(Mechanism::Aes),
        (Family::Des3(cipher), parameters) => cipher.with_des3(parameters).map(Mechanism::Des3),
        (Family::Derive(derive), parameters) => derive.with(parameters).map(Mechanism::Derive),
        (Family::Mac { function, general }, parameters) => secret::mac(function, general, parameters),
        (Family::Generate(kind), Parameters::None) => Ok(Mechanism::Generate(kind)),
        (Family::GeneratePair(pair), Parameters::None) => Ok(Mechanism::GeneratePair(pair)),
        _ => Err(Error::MechanismParamInvalid),
    }
}

/// The CKM_ number of a mechanism.
pub fn number(mechanism: &Mechanism) -> u64 {
    let family = match mechanism {
        Mechanism::RsaPkcs => Family::RsaPkcs,
        Mechanism::RsaX509 => Family::RsaX509,
        Mechanism::RsaPkcsHash(hash) => Family::RsaPkcsHash(*hash),
        Mechanism::RsaPss(_) => Family::RsaPss,
        Mechanism::RsaPssHash(parameters) => Family::RsaPssHash(parameters.hash),
        Mechanism::RsaOaep(_) => Family::RsaOaep,
        Mechanism::RsaAesWrap { .. } => Family::RsaAesWrap,
        Mechanism::Ecdsa => Family::Ecdsa,
        Mechanism::EcdsaHash(hash) => Family::EcdsaHash(*hash),
        Mechanism::Eddsa => Family::Eddsa,
        Mechanism::Ecdh1(parameters) => Family::Ecdh1 { cofactor: parameters.cofactor },
        Mechanism::Digest(hash) => Family::Digest(*hash),
        Mechanism::Aes(mode) => Family::Aes(Cipher::of(mode)),
        Mechanism::Des3(mode) => Family::Des3(Cipher::of_des3(mode)),
        Mechanism::Derive(derivation) => Family::Derive(Derive::of(derivation)),
        Mechanism::Mac { function, length } => Family::Mac { function: *function, general: length.is_some() },
        Mechanism::Generate(kind) => Family::Generate(*kind),
        Mechanism::GeneratePair(pair) => Family::GeneratePair(*pair),
    };
    TABLE.iter().find(|row| row.1 == family).map_or(CK_UNAVAILABLE_INFORMATION, |row| row.0)
}

fn family(ckm: u64) -> Option<Family> {
    TABLE.iter().find(|row| row.0 == ckm).map(|row| row.1)
}

/// Whether the salt fits is for the key to say.
fn pss(hash: u64, mgf: u64, salt_length: u64) -> Result<PssParameters> {
    Ok(PssParameters {
        hash: hash_of_mechanism(hash)?,
        mgf: hash_of_mgf(mgf)?,
        salt_length: usize::try_from(salt_length).map_err(|_| Error::MechanismParamInvalid)?,
    })
}

/// `source` 0 is taken for an empty label: callers leave it so (PKCS#11 3.2 6.1.7 has CKZ_DATA_SPECIFIED only).
fn oaep(hash: u64, mgf: u64, source: u64, label: Vec<u8>) -> Result<OaepParameters> {
    match source {
        CKZ_DATA_SPECIFIED => {}
        0 if label.is_empty() => {}
        _ => return Err(Error::MechanismParamInvalid),
    }
    Ok(OaepParameters { hash: hash_of_mechanism(hash)?, mgf: hash_of_mgf(mgf)?, label })
}

/// Shared data are for a KDF only (PKCS#11 3.2 6.3.17).
fn ecdh(cofactor: bool, kdf: u64, shared_data: Vec<u8>, public_data: Vec<u8>) -> Result<EcdhParameters> {
    let kdf = match kdf {
        CKD_NULL if shared_data.is_empty() => Kdf::Null,
        CKD_NULL => return Err(Error::MechanismParamInvalid),
        _ => match ONE_STEP.iter().find(|(own, _)| *own == kdf) {
            Some((_, hash)) => Kdf::OneStep(*hash),
            None => Kdf::X963(hash_where(|row| row.3 == kdf)?),
        },
    };
    if public_data.is_empty() {
        return Err(Error::MechanismParamInvalid);
    }
    Ok(EcdhParameters { cofactor, kdf, shared_data, public_data })
}

fn hash_of_mechanism(ckm: u64) -> Result<Hash> {
    hash_where(|row| row.1 == ckm)
}

fn hash_of_mgf(mgf: u64) -> Result<Hash> {
    hash_where(|row| row.2 == mgf)
}

fn hash_where(
    matches: impl Fn(&(Hash, CK_MECHANISM_TYPE, CK_RSA_PKCS_MGF_TYPE, CK_EC_KDF_TYPE)) -> bool,
) -> Result<Hash> {
    HASHES.iter().find(|row| matches(row)).map(|row| row.0).ok_or(Error::MechanismParamInvalid)
}

#[cfg(test)]
mod tests;
