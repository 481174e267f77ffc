//! Signatures by the card.

use super::{Collected, Framing, modulus};
use crate::card::key::KeyKind;
use crate::card::{PrivateKey, SignatureScheme};
use crate::error::Error;
use crate::mechanism::Result;
use crate::mechanism::rsa::{self, pkcs1, pss};
use crate::mechanism::{Mechanism, ec};
use crate::secret::SecretBytes;

/// Longest message for CKM_EDDSA in bytes: the card needs it whole, and a command carries no more.
const MESSAGE_LIMIT: usize = 65_535;

/// A signature in the making.
pub struct SignPlan {
    scheme: SignatureScheme,
    framing: Framing,
    kind: KeyKind,
    modulus: Option<Vec<u8>>,
    collected: Collected,
}

/// Whether and how `key` signs by `mechanism`.
pub fn check_sign(mechanism: &Mechanism, key: &PrivateKey) -> Result<SignatureScheme> {
    let framing = Framing::new(mechanism, key.kind)?;
    if !key.usage.sign || key.abilities.sign.is_empty() {
        return Err(Error::KeyFunctionNotPermitted);
    }
    let serves = |scheme: &SignatureScheme| match framing {
        Framing::Pkcs1(_) => matches!(scheme, SignatureScheme::RsaRaw | SignatureScheme::RsaPkcs1),
        Framing::Pss(_) | Framing::Raw => matches!(scheme, SignatureScheme::RsaRaw),
        Framing::Ecdsa(_) => matches!(scheme, SignatureScheme::Ecdsa),
        Framing::Eddsa => matches!(scheme, SignatureScheme::Eddsa),
    };
    key.abilities.sign.iter().copied().find(serves).ok_or(Error::MechanismInvalid)
}

/// Whether and how `key` signs with recovery by `mechanism`: CKM_RSA_PKCS and CKM_RSA_X_509 only.
pub fn check_sign_recover(mechanism: &Mechanism, key: &PrivateKey) -> Result<SignatureScheme> {
    match mechanism {
        Mechanism::RsaPkcs | Mechanism::RsaX509 => check_sign(mechanism, key),
        _ => Err(Error::MechanismInvalid),
    }
}

/// C_SignInit.
pub fn plan_sign(mechanism: &Mechanism, key: &PrivateKey) -> Result<SignPlan> {
    Ok(SignPlan {
        scheme: check_sign(mechanism, key)?,
        framing: Framing::new(mechanism, key.kind)?,
        kind: key.kind,
        modulus: modulus(key).map(<[u8]>::to_vec),
        collected: Collected::for_signature(mechanism, key.kind, MESSAGE_LIMIT),
    })
}

/// C_SignRecoverInit.
pub fn plan_sign_recover(mechanism: &Mechanism, key: &PrivateKey) -> Result<SignPlan> {
    check_sign_recover(mechanism, key)?;
    plan_sign(mechanism, key)
}

impl SignPlan {
    /// Length of the signature in bytes, known before anything is signed.
    pub fn output_len(&self) -> usize {
        match self.kind {
            KeyKind::Rsa { bits } => bits.div_ceil(8),
            KeyKind::Ec(curve) => 2 * curve.field_len(),
            KeyKind::Ed25519 | KeyKind::X25519 => 64,
        }
    }

    /// How the card is to take what [`Self::finish`] gives.
    pub fn scheme(&self) -> SignatureScheme {
        self.scheme
    }

    /// Takes the next part of the data; `DataLenRange` if it is too much.
    pub fn update(&mut self, part: &[u8]) -> Result<()> {
        self.collected.update(part, Error::DataLenRange)
    }

    /// The input for the card.
    pub fn finish(self) -> Result<(SignatureScheme, SecretBytes)> {
        let data = self.collected.finish();
        let block_len = self.kind.bits().div_ceil(8);
        let input = match self.framing {
            Framing::Pkcs1(hash) => {
                let data = hash.map_or(data.clone(), |hash| pkcs1::digest_info(hash, &data).into());
                match self.scheme {
                    SignatureScheme::RsaRaw => pkcs1::pad_signature(block_len, &data)?,
                    _ => data,
                }
            }
            Framing::Pss(parameters) => {
                let salt = rsa::random(parameters.salt_length)?;
                pss::encode(&parameters, self.kind.bits(), &data, &salt)?
            }
            Framing::Raw => rsa::raw_block(block_len, self.modulus.as_deref(), &data)?,
            Framing::Ecdsa(_) if data.is_empty() => return Err(Error::DataLenRange),
            Framing::Ecdsa(curve) => ec::frame_digest(curve, &data).into(),
            Framing::Eddsa => data,
        };
        Ok((self.scheme, input))
    }
}
