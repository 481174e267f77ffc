//! Encryption by the host.

use super::{Collected, max_message, rsa_public};
use crate::card::key::{KeyKind, PublicKey};
use crate::error::Error;
use crate::mechanism::Mechanism;
use crate::mechanism::Result;
use crate::mechanism::rsa::{RsaPublic, oaep, pkcs1, random, raw_block};

/// An encryption in progress.
pub struct EncryptPlan {
    mechanism: Mechanism,
    key: RsaPublic,
    max_input: usize,
    collected: Collected,
}

/// Whether a public key of this kind encrypts by `mechanism`.
pub fn check_encrypt(mechanism: &Mechanism, kind: KeyKind) -> Result<()> {
    max_message(mechanism, kind).map(|_| ())
}

/// Whether a public key of this kind wraps by `mechanism`.
pub fn check_wrap(mechanism: &Mechanism, kind: KeyKind) -> Result<()> {
    match mechanism {
        Mechanism::RsaAesWrap { length, oaep } => {
            let most = max_message(&Mechanism::RsaOaep(oaep.clone()), kind)?;
            if *length <= most { Ok(()) } else { Err(Error::KeySizeRange) }
        }
        _ => check_encrypt(mechanism, kind),
    }
}

/// The encryption in C_WrapKey; with CKM_RSA_AES_KEY_WRAP that of the AES key.
pub fn plan_wrap(mechanism: &Mechanism, key: &PublicKey) -> Result<EncryptPlan> {
    check_wrap(mechanism, key.kind())?;
    match mechanism {
        Mechanism::RsaAesWrap { oaep, .. } => plan_encrypt(&Mechanism::RsaOaep(oaep.clone()), key),
        _ => plan_encrypt(mechanism, key),
    }
}

/// C_EncryptInit.
pub fn plan_encrypt(mechanism: &Mechanism, key: &PublicKey) -> Result<EncryptPlan> {
    let max_input = max_message(mechanism, key.kind())?;
    Ok(EncryptPlan {
        mechanism: mechanism.clone(),
        key: rsa_public(key)?,
        max_input,
        collected: Collected::bytes(max_input),
    })
}

impl EncryptPlan {
    /// Length of the cryptogram in bytes.
    pub fn output_len(&self) -> usize {
        self.key.block_len()
    }

    /// Longest message in bytes.
    pub fn max_input(&self) -> usize {
        self.max_input
    }

    /// Takes the next part of the message; `DataLenRange` if it is too much.
    pub fn update(&mut self, part: &[u8]) -> Result<()> {
        self.collected.update(part, Error::DataLenRange)
    }

    /// The cryptogram.
    pub fn finish(self) -> Result<Vec<u8>> {
        let message = self.collected.finish();
        let block_len = self.key.block_len();
        let block = match &self.mechanism {
            Mechanism::RsaPkcs => pkcs1::pad_encryption(block_len, &message)?,
            Mechanism::RsaOaep(parameters) => {
                let seed = random(parameters.hash.output_len())?;
                oaep::encode(parameters, block_len, &message, &seed)?
            }
            _ => raw_block(block_len, Some(&self.key.modulus), &message)?,
        };
        Ok(self.key.public_operation(&block).ok_or(Error::DataInvalid)?.to_vec())
    }
}
