//! Mechanisms: what the host adds to the card's bare private-key operations.
//!
//! [`table`] judges what a caller asks for, [`plan`] matches it with a key and splits the work between host and
//! card; the rest are the paddings, formats and public operations that the host computes itself.

#![forbid(unsafe_code)]

mod derivation;
pub mod digest;
pub mod ec;
mod parameters;
pub mod plan;
pub mod random;
pub mod rsa;
pub mod symmetric;
pub mod table;

use crate::card::key::KeyKind;
use crate::error::Error;

pub use derivation::{Derivation, HkdfParameters, InputPart, Iteration, KeyBasedParameters, NumberFormat, Salt};
pub use parameters::{ParameterKind, Parameters};

/// Results here carry Cryptoki's errors.
pub type Result<T> = core::result::Result<T, Error>;

/// Hash functions computed on the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Hash {
    /// FIPS 180-4 SHA-1, 20 bytes.
    Sha1,
    /// FIPS 180-4 SHA-224, 28 bytes.
    Sha224,
    /// FIPS 180-4 SHA-256, 32 bytes.
    Sha256,
    /// FIPS 180-4 SHA-384, 48 bytes.
    Sha384,
    /// FIPS 180-4 SHA-512, 64 bytes.
    Sha512,
}

/// RSASSA-PSS parameters (`CK_RSA_PKCS_PSS_PARAMS`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PssParameters {
    /// Hash of the message.
    pub hash: Hash,
    /// Hash inside MGF1.
    pub mgf: Hash,
    /// Salt length in bytes.
    pub salt_length: usize,
}

/// RSAES-OAEP parameters (`CK_RSA_PKCS_OAEP_PARAMS`), label copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OaepParameters {
    /// Hash of the label.
    pub hash: Hash,
    /// Hash inside MGF1.
    pub mgf: Hash,
    /// The label (source data).
    pub label: Vec<u8>,
}

/// Key derivation after Diffie-Hellman (`CK_EC_KDF_TYPE`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kdf {
    /// The shared value itself.
    Null,
    /// ANSI X9.63 with this hash.
    X963(Hash),
    /// One-step key derivation of SP 800-56C 4.1 with this hash, which SP 800-56A called concatenation.
    OneStep(Hash),
}

/// ECDH parameters (`CK_ECDH1_DERIVE_PARAMS`), copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EcdhParameters {
    /// CKM_ECDH1_COFACTOR_DERIVE, which is for short Weierstrass curves only (PKCS#11 3.2 6.3.19).
    pub cofactor: bool,
    /// Key derivation function.
    pub kdf: Kdf,
    /// Shared data for the KDF.
    pub shared_data: Vec<u8>,
    /// The other party's public value: raw point or DER OCTET STRING.
    pub public_data: Vec<u8>,
}

/// GCM parameters (`CK_GCM_PARAMS`), copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GcmParameters {
    /// The initialisation vector, at least one byte.
    pub iv: Vec<u8>,
    /// Additional authenticated data.
    pub associated: Vec<u8>,
    /// Length of the tag in bytes.
    pub tag_length: usize,
}

/// A key wrap with AES and its initial value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyWrap {
    /// CKM_AES_KEY_WRAP: KW of SP 800-38F.
    Plain {
        /// ICV1, or the caller's.
        initial: [u8; 8],
    },
    /// CKM_AES_KEY_WRAP_PAD: since PKCS#11 3.0 the deprecated number of the next.
    Pad {
        /// ICV1, or the caller's.
        initial: [u8; 8],
    },
    /// CKM_AES_KEY_WRAP_PKCS7: PKCS#7 padding to 8 bytes, then KW.
    Pkcs7 {
        /// ICV1, or the caller's.
        initial: [u8; 8],
    },
    /// CKM_AES_KEY_WRAP_KWP: KWP of SP 800-38F.
    Padded {
        /// ICV2, or the caller's.
        initial: [u8; 4],
    },
}

/// AES with one of its modes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AesMode {
    /// CKM_AES_ECB.
    Ecb,
    /// CKM_AES_CBC.
    Cbc {
        /// Initialisation vector.
        iv: [u8; 16],
    },
    /// CKM_AES_CBC_PAD.
    CbcPad {
        /// Initialisation vector.
        iv: [u8; 16],
    },
    /// CKM_AES_CTR.
    Ctr {
        /// The first counter block.
        block: [u8; 16],
        /// Its bits that are counted, 1 to 128.
        bits: usize,
    },
    /// CKM_AES_GCM.
    Gcm(GcmParameters),
    /// CKM_AES_KEY_WRAP and its kin.
    Wrap(KeyWrap),
}

/// Triple DES with one of its modes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Des3Mode {
    /// CKM_DES3_ECB.
    Ecb,
    /// CKM_DES3_CBC.
    Cbc {
        /// Initialisation vector.
        iv: [u8; 8],
    },
    /// CKM_DES3_CBC_PAD.
    CbcPad {
        /// Initialisation vector.
        iv: [u8; 8],
    },
}

/// A function that makes message authentication codes with a secret key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MacFunction {
    /// CMAC with AES.
    Cmac,
    /// CMAC with triple DES.
    Des3Cmac,
    /// The last block of AES in CBC mode.
    CbcMac,
    /// The last block of triple DES in CBC mode.
    Des3CbcMac,
    /// HMAC with this hash.
    Hmac(Hash),
}

/// A mechanism with its parameters, judged and copied from the caller's memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mechanism {
    /// CKM_RSA_PKCS.
    RsaPkcs,
    /// CKM_RSA_X_509.
    RsaX509,
    /// CKM_SHAn_RSA_PKCS.
    RsaPkcsHash(Hash),
    /// CKM_RSA_PKCS_PSS: the caller gives the digest.
    RsaPss(PssParameters),
    /// CKM_SHAn_RSA_PKCS_PSS.
    RsaPssHash(PssParameters),
    /// CKM_RSA_PKCS_OAEP.
    RsaOaep(OaepParameters),
    /// CKM_RSA_AES_KEY_WRAP: KWP with an AES key made for it, which goes before in OAEP.
    RsaAesWrap {
        /// Length of the AES key in bytes.
        length: usize,
        /// How the AES key is encrypted.
        oaep: OaepParameters,
    },
    /// CKM_ECDSA: the caller gives the digest.
    Ecdsa,
    /// CKM_ECDSA_SHAn.
    EcdsaHash(Hash),
    /// CKM_EDDSA, pure Ed25519.
    Eddsa,
    /// CKM_ECDH1_DERIVE and CKM_ECDH1_COFACTOR_DERIVE (all curves here have cofactor 1 or clear it themselves).
    Ecdh1(EcdhParameters),
    /// CKM_SHAn.
    Digest(Hash),
    /// AES that encrypts, decrypts, wraps and unwraps.
    Aes(AesMode),
    /// Triple DES that encrypts, decrypts, wraps and unwraps.
    Des3(Des3Mode),
    /// A secret made of another on the host.
    Derive(Derivation),
    /// CKM_AES_CMAC, CKM_AES_MAC, CKM_DES3_CMAC, CKM_DES3_MAC, CKM_SHAn_HMAC and their _GENERAL forms.
    Mac {
        /// The function.
        function: MacFunction,
        /// Bytes of the code that are kept; `None` for the forms without parameter, which keep all, or half a block.
        length: Option<usize>,
    },
    /// CKM_GENERIC_SECRET_KEY_GEN, CKM_AES_KEY_GEN and their kin.
    Generate(symmetric::SecretKind),
    /// CKM_RSA_PKCS_KEY_PAIR_GEN, CKM_EC_KEY_PAIR_GEN and its kin.
    GeneratePair(PairType),
}

/// A type of key pairs, which mechanisms and CKA_KEY_TYPE name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PairType {
    /// RSA.
    Rsa,
    /// Elliptic curves in short Weierstrass form.
    Ec,
    /// Edwards curves: signatures.
    Edwards,
    /// Montgomery curves: key agreement.
    Montgomery,
}

impl PairType {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Rsa, Self::Ec, Self::Edwards, Self::Montgomery];

    /// The type that a kind of key is of.
    pub fn of(kind: KeyKind) -> Self {
        match kind {
            KeyKind::Rsa { .. } => Self::Rsa,
            KeyKind::Ec(_) => Self::Ec,
            KeyKind::Ed25519 => Self::Edwards,
            KeyKind::X25519 => Self::Montgomery,
        }
    }
}
