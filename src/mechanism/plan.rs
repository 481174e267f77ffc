//! The planner: which part of a mechanism the host does, and what goes to the card.
//!
//! The `check_…` functions judge a mechanism against a key; the `plan_…` functions also collect and frame the
//! data. Errors of judging: `MechanismInvalid` where the function or the card has no such mechanism,
//! `KeyTypeInconsistent`, `KeyFunctionNotPermitted` where the key is not meant for it, `KeySizeRange` where the
//! key is too short for the hash, `MechanismParamInvalid` for a salt or public value that does not fit the key.

mod decrypt;
mod derive;
mod encrypt;
mod sign;
mod verify;

use zeroize::Zeroizing;

use super::digest::Digester;
use super::rsa::{RsaPublic, oaep, pkcs1, pss};
use super::{Hash, Mechanism, PssParameters};
use crate::card::PrivateKey;
use crate::card::key::{Curve, KeyKind, PublicKey};
use crate::error::Error;
use crate::mechanism::Result;
use crate::secret::SecretBytes;

pub use decrypt::{
    DecryptPlan, RejectionSecret, check_decrypt, check_unwrap, plan_decrypt, plan_unwrap, rejection_secret,
};
pub use derive::{DerivePlan, check_derive, plan_derive};
pub use encrypt::{EncryptPlan, check_encrypt, check_wrap, plan_encrypt, plan_wrap};
pub use sign::{SignPlan, check_sign, check_sign_recover, plan_sign, plan_sign_recover};
pub use verify::{RecoverPlan, VerifyPlan, check_verify, check_verify_recover, plan_verify, plan_verify_recover};

/// What a signature mechanism makes of its data, once collected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    /// PKCS#1 v1.5 of the data, or of a DigestInfo around their hash.
    Pkcs1(Option<Hash>),
    /// EMSA-PSS of a digest.
    Pss(PssParameters),
    /// Zeros before the data.
    Raw,
    /// Field-size digest.
    Ecdsa(Curve),
    /// The message itself.
    Eddsa,
}

impl Framing {
    /// Judges a signature mechanism against the kind of key, for the card's side and the host's.
    fn new(mechanism: &Mechanism, kind: KeyKind) -> Result<Self> {
        match (mechanism, kind) {
            (Mechanism::RsaPkcs, KeyKind::Rsa { .. }) => Ok(Self::Pkcs1(None)),
            (Mechanism::RsaX509, KeyKind::Rsa { .. }) => Ok(Self::Raw),
            (Mechanism::RsaPkcsHash(hash), KeyKind::Rsa { bits }) => {
                let info = hash.digest_info_prefix().len() + hash.output_len();
                let fits = bits.div_ceil(8) >= info + pkcs1::OVERHEAD;
                if fits { Ok(Self::Pkcs1(Some(*hash))) } else { Err(Error::KeySizeRange) }
            }
            (Mechanism::RsaPss(parameters) | Mechanism::RsaPssHash(parameters), KeyKind::Rsa { bits }) => {
                let most = pss::max_salt(parameters.hash.output_len(), bits).ok_or(Error::KeySizeRange)?;
                let fits = parameters.salt_length <= most;
                if fits { Ok(Self::Pss(*parameters)) } else { Err(Error::MechanismParamInvalid) }
            }
            (Mechanism::Ecdsa | Mechanism::EcdsaHash(_), KeyKind::Ec(curve)) => Ok(Self::Ecdsa(curve)),
            (Mechanism::Eddsa, KeyKind::Ed25519) => Ok(Self::Eddsa),
            (
                Mechanism::RsaOaep(_)
                | Mechanism::RsaAesWrap { .. }
                | Mechanism::Ecdh1(_)
                | Mechanism::Digest(_)
                | Mechanism::Aes(_)
                | Mechanism::Des3(_)
                | Mechanism::Derive(_)
                | Mechanism::Generate(_)
                | Mechanism::GeneratePair(_),
                _,
            ) => Err(Error::MechanismInvalid),
            _ => Err(Error::KeyTypeInconsistent),
        }
    }
}

/// The data of one operation, as they come in parts.
enum Collected {
    /// Hashed at once.
    Digest(Box<Digester>),
    /// Kept, up to a limit.
    Bytes { bytes: SecretBytes, limit: usize },
    /// Only the leftmost bytes matter.
    Leftmost { bytes: SecretBytes, keep: usize },
}

/// Kept data are allocated whole up to this size, so that no copy stays behind when they grow.
const WHOLE: usize = 4096;

impl Collected {
    fn bytes(limit: usize) -> Self {
        Self::Bytes { bytes: Zeroizing::new(Vec::with_capacity(limit.min(WHOLE))), limit }
    }

    /// For a signature or verification by `mechanism` with `kind` of key.
    fn for_signature(mechanism: &Mechanism, kind: KeyKind, message_limit: usize) -> Self {
        let block_len = kind.bits().div_ceil(8);
        match mechanism {
            Mechanism::RsaPkcsHash(hash) | Mechanism::EcdsaHash(hash) => Self::Digest(Box::new(Digester::new(*hash))),
            Mechanism::RsaPssHash(parameters) => Self::Digest(Box::new(Digester::new(parameters.hash))),
            Mechanism::RsaPss(parameters) => Self::bytes(parameters.hash.output_len()),
            Mechanism::RsaPkcs => Self::bytes(block_len.saturating_sub(pkcs1::OVERHEAD)),
            Mechanism::RsaX509 => Self::bytes(block_len),
            Mechanism::Ecdsa => {
                Self::Leftmost { bytes: Zeroizing::new(Vec::with_capacity(block_len)), keep: block_len }
            }
            _ => Self::bytes(message_limit),
        }
    }

    /// Takes the next part, or answers `refusal` if it is too much.
    fn update(&mut self, part: &[u8], refusal: Error) -> Result<()> {
        match self {
            Self::Digest(digester) => digester.update(part),
            Self::Bytes { bytes, limit } => {
                if part.len() > limit.saturating_sub(bytes.len()) {
                    return Err(refusal);
                }
                bytes.extend_from_slice(part);
            }
            Self::Leftmost { bytes, keep } => {
                let room = keep.saturating_sub(bytes.len());
                bytes.extend_from_slice(part.get(..room).unwrap_or(part));
            }
        }
        Ok(())
    }

    fn finish(self) -> SecretBytes {
        match self {
            Self::Digest(digester) => Zeroizing::new(digester.finish()),
            Self::Bytes { bytes, .. } | Self::Leftmost { bytes, .. } => bytes,
        }
    }
}

/// The modulus of a private key, where its public half is known and of the right length.
fn modulus(key: &PrivateKey) -> Option<&[u8]> {
    match &key.public {
        Some(PublicKey::Rsa { modulus, .. }) if modulus.len() == key.kind.bits().div_ceil(8) => Some(modulus),
        _ => None,
    }
}

/// Judges an encryption mechanism against the kind of key: the longest message.
fn max_message(mechanism: &Mechanism, kind: KeyKind) -> Result<usize> {
    let block_len = kind.bits().div_ceil(8);
    let most = match (mechanism, kind) {
        (Mechanism::RsaPkcs, KeyKind::Rsa { .. }) => block_len.checked_sub(pkcs1::OVERHEAD),
        (Mechanism::RsaOaep(parameters), KeyKind::Rsa { .. }) => oaep::max_message(parameters, block_len),
        (Mechanism::RsaX509, KeyKind::Rsa { .. }) => Some(block_len),
        (
            Mechanism::RsaPkcs | Mechanism::RsaOaep(_) | Mechanism::RsaX509 | Mechanism::Aes(_) | Mechanism::Des3(_),
            _,
        ) => {
            return Err(Error::KeyTypeInconsistent);
        }
        _ => return Err(Error::MechanismInvalid),
    };
    most.ok_or(Error::KeySizeRange)
}

/// The host's form of an RSA public key.
fn rsa_public(key: &PublicKey) -> Result<RsaPublic> {
    match key {
        PublicKey::Rsa { modulus, exponent } => Ok(RsaPublic { modulus: modulus.clone(), exponent: exponent.clone() }),
        _ => Err(Error::KeyTypeInconsistent),
    }
}

#[cfg(test)]
pub(crate) mod tests;
