//! Verification by the host.

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{Collected, Framing, rsa_public};
use crate::card::key::{KeyKind, PublicKey};
use crate::error::Error;
use crate::mechanism::Result;
use crate::mechanism::rsa::{RsaPublic, pkcs1, pss, raw_block};
use crate::mechanism::{Mechanism, ec};
use crate::secret::SecretBytes;

/// Longest message for CKM_EDDSA in bytes: it is kept until the signature is known.
const MESSAGE_LIMIT: usize = 1 << 24;

/// A verification in progress.
pub struct VerifyPlan {
    framing: Framing,
    key: PublicKey,
    collected: Collected,
}

/// A verification that gives the data back.
pub struct RecoverPlan {
    mechanism: Mechanism,
    key: RsaPublic,
}

/// Whether a public key of this kind verifies by `mechanism`.
pub fn check_verify(mechanism: &Mechanism, kind: KeyKind) -> Result<()> {
    Framing::new(mechanism, kind).map(|_| ())
}

/// Whether a public key of this kind recovers by `mechanism`: CKM_RSA_PKCS and CKM_RSA_X_509 only.
pub fn check_verify_recover(mechanism: &Mechanism, kind: KeyKind) -> Result<()> {
    match mechanism {
        Mechanism::RsaPkcs | Mechanism::RsaX509 => check_verify(mechanism, kind),
        _ => Err(Error::MechanismInvalid),
    }
}

/// C_VerifyInit.
pub fn plan_verify(mechanism: &Mechanism, key: &PublicKey) -> Result<VerifyPlan> {
    let kind = key.kind();
    Ok(VerifyPlan {
        framing: Framing::new(mechanism, kind)?,
        key: key.clone(),
        collected: Collected::for_signature(mechanism, kind, MESSAGE_LIMIT),
    })
}

/// C_VerifyRecoverInit.
pub fn plan_verify_recover(mechanism: &Mechanism, key: &PublicKey) -> Result<RecoverPlan> {
    check_verify_recover(mechanism, key.kind())?;
    Ok(RecoverPlan { mechanism: mechanism.clone(), key: rsa_public(key)? })
}

impl VerifyPlan {
    /// Length of a signature in bytes; an ECDSA signature may be shorter.
    pub fn signature_len(&self) -> usize {
        match self.key.kind() {
            KeyKind::Rsa { bits } => bits.div_ceil(8),
            KeyKind::Ec(curve) => 2 * curve.field_len(),
            KeyKind::Ed25519 | KeyKind::X25519 => 64,
        }
    }

    /// Takes the next part of the data; `DataLenRange` if it is too much.
    pub fn update(&mut self, part: &[u8]) -> Result<()> {
        self.collected.update(part, Error::DataLenRange)
    }

    /// `SignatureLenRange`, `SignatureInvalid`, or that the signature is good.
    pub fn finish(self, signature: &[u8]) -> Result<()> {
        let data = self.collected.finish();
        let good = match (&self.key, self.framing) {
            (PublicKey::Ec { curve, point }, Framing::Ecdsa(_)) => {
                let signature = ec::full_signature(*curve, signature)?;
                if data.is_empty() {
                    return Err(Error::DataLenRange);
                }
                ec::verify_ecdsa(*curve, point, &data, &signature)
            }
            (PublicKey::Ed25519(key), Framing::Eddsa) => {
                let signature = signature.try_into().map_err(|_| Error::SignatureLenRange)?;
                ec::verify_ed25519(key, &data, signature)
            }
            (key, framing) => verify_rsa(&rsa_public(key)?, framing, &data, signature)?,
        };
        if good { Ok(()) } else { Err(Error::SignatureInvalid) }
    }
}

fn verify_rsa(key: &RsaPublic, framing: Framing, data: &[u8], signature: &[u8]) -> Result<bool> {
    let block = opened(key, signature)?;
    let expected = match framing {
        Framing::Pkcs1(hash) => {
            let info = hash.map(|hash| pkcs1::digest_info(hash, data));
            pkcs1::pad_signature(key.block_len(), info.as_deref().unwrap_or(data))?
        }
        Framing::Raw => raw_block(key.block_len(), Some(&key.modulus), data)?,
        Framing::Pss(parameters) => {
            if data.len() != parameters.hash.output_len() {
                return Err(Error::DataLenRange);
            }
            return Ok(pss::verify(&parameters, key.bits(), data, &block));
        }
        Framing::Ecdsa(_) | Framing::Eddsa => return Err(Error::KeyTypeInconsistent),
    };
    Ok(expected.ct_eq(&block).into())
}

/// The block that a signature holds.
fn opened(key: &RsaPublic, signature: &[u8]) -> Result<SecretBytes> {
    if signature.len() != key.block_len() {
        return Err(Error::SignatureLenRange);
    }
    key.public_operation(signature).ok_or(Error::SignatureInvalid)
}

impl RecoverPlan {
    /// Length of a signature in bytes.
    pub fn signature_len(&self) -> usize {
        self.key.block_len()
    }

    /// Most bytes that [`Self::recover`] gives.
    pub fn max_output_len(&self) -> usize {
        match self.mechanism {
            Mechanism::RsaPkcs => self.key.block_len().saturating_sub(pkcs1::OVERHEAD),
            _ => self.key.block_len(),
        }
    }

    /// The signed data: without padding for CKM_RSA_PKCS, k bytes for CKM_RSA_X_509.
    pub fn recover(&self, signature: &[u8]) -> Result<SecretBytes> {
        let block = opened(&self.key, signature)?;
        match self.mechanism {
            Mechanism::RsaPkcs => {
                let data = pkcs1::unpad_signature(&block).ok_or(Error::SignatureInvalid)?;
                Ok(Zeroizing::new(data.to_vec()))
            }
            _ => Ok(block),
        }
    }
}
