//! The hashes in the names of Cryptoki and of OpenSSL, and the mechanisms made with them.

use cryptoki::mechanism::rsa::{PkcsMgfType, PkcsPssParams};
use cryptoki::mechanism::{Mechanism, MechanismType};

/// One hash and what is built on it.
pub struct Hash {
    /// OpenSSL's name.
    pub name: &'static str,
    pub length: usize,
    pub mechanism: MechanismType,
    pub mask: PkcsMgfType,
    pub digest: Mechanism<'static>,
    pub rsa: Mechanism<'static>,
    pub ecdsa: Mechanism<'static>,
    /// CKM_…_RSA_PKCS_PSS; the crate has none for SHA-224.
    pub pss: Option<fn(PkcsPssParams) -> Mechanism<'static>>,
}

pub const HASHES: [Hash; 5] = [
    Hash {
        name: "sha1",
        length: 20,
        mechanism: MechanismType::SHA1,
        mask: PkcsMgfType::MGF1_SHA1,
        digest: Mechanism::Sha1,
        rsa: Mechanism::Sha1RsaPkcs,
        ecdsa: Mechanism::EcdsaSha1,
        pss: Some(Mechanism::Sha1RsaPkcsPss),
    },
    Hash {
        name: "sha224",
        length: 28,
        mechanism: MechanismType::SHA224,
        mask: PkcsMgfType::MGF1_SHA224,
        digest: Mechanism::Sha224,
        rsa: Mechanism::Sha224RsaPkcs,
        ecdsa: Mechanism::EcdsaSha224,
        pss: None,
    },
    Hash {
        name: "sha256",
        length: 32,
        mechanism: MechanismType::SHA256,
        mask: PkcsMgfType::MGF1_SHA256,
        digest: Mechanism::Sha256,
        rsa: Mechanism::Sha256RsaPkcs,
        ecdsa: Mechanism::EcdsaSha256,
        pss: Some(Mechanism::Sha256RsaPkcsPss),
    },
    Hash {
        name: "sha384",
        length: 48,
        mechanism: MechanismType::SHA384,
        mask: PkcsMgfType::MGF1_SHA384,
        digest: Mechanism::Sha384,
        rsa: Mechanism::Sha384RsaPkcs,
        ecdsa: Mechanism::EcdsaSha384,
        pss: Some(Mechanism::Sha384RsaPkcsPss),
    },
    Hash {
        name: "sha512",
        length: 64,
        mechanism: MechanismType::SHA512,
        mask: PkcsMgfType::MGF1_SHA512,
        digest: Mechanism::Sha512,
        rsa: Mechanism::Sha512RsaPkcs,
        ecdsa: Mechanism::EcdsaSha512,
        pss: Some(Mechanism::Sha512RsaPkcsPss),
    },
];

impl Hash {
    /// PSS parameters of this hash with the mask generation function of `mask`.
    pub fn pss_parameters(&self, mask: &Self, salt: usize) -> PkcsPssParams {
        PkcsPssParams { hash_alg: self.mechanism, mgf: mask.mask, s_len: u64::try_from(salt).unwrap().into() }
    }
}
