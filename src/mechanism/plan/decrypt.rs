//! Decryption by the card.

use zeroize::Zeroizing;

use super::{Collected, max_message, modulus};
use crate::card::{DecipherScheme, PrivateKey};
use crate::error::Error;
use crate::mechanism::Result;
use crate::mechanism::rsa::pkcs1::{self, Rejection};
use crate::mechanism::rsa::{oaep, random};
use crate::mechanism::{Mechanism, OaepParameters};
use crate::secret::SecretBytes;

/// Secret of one key in one process, from which answers to badly padded cryptograms are made; see
/// [`pkcs1::Rejection`]. It has to be the same for every decryption with that key.
pub type RejectionSecret = Zeroizing<[u8; 32]>;

/// A fresh secret for one key.
pub fn rejection_secret() -> Result<RejectionSecret> {
    let bytes = random(32)?;
    let mut secret = Zeroizing::new([0; 32]);
    secret.copy_from_slice(&bytes);
    Ok(secret)
}

/// A decryption in progress.
pub struct DecryptPlan {
    scheme: DecipherScheme,
    padding: Padding,
    block_len: usize,
    max_output_len: usize,
    modulus: Option<Vec<u8>>,
    collected: Collected,
}

enum Padding {
    Pkcs1 { secret: RejectionSecret, rejection: Option<Rejection> },
    Oaep(OaepParameters),
    None,
}

/// Whether and how `key` decrypts data by `mechanism`.
pub fn check_decrypt(mechanism: &Mechanism, key: &PrivateKey) -> Result<DecipherScheme> {
    check(mechanism, key, key.usage.decrypt)
}

/// Whether and how `key` unwraps keys by `mechanism`.
pub fn check_unwrap(mechanism: &Mechanism, key: &PrivateKey) -> Result<DecipherScheme> {
    match mechanism {
        Mechanism::RsaAesWrap { oaep, .. } => check(&Mechanism::RsaOaep(oaep.clone()), key, key.usage.unwrap),
        _ => check(mechanism, key, key.usage.unwrap),
    }
}

fn check(mechanism: &Mechanism, key: &PrivateKey, permitted: bool) -> Result<DecipherScheme> {
    max_message(mechanism, key.kind)?;
    if !permitted || key.abilities.decipher.is_empty() {
        return Err(Error::KeyFunctionNotPermitted);
    }
    let serves = |scheme: &DecipherScheme| match scheme {
        DecipherScheme::RsaRaw => true,
        DecipherScheme::RsaPkcs1 => matches!(mechanism, Mechanism::RsaPkcs),
    };
    key.abilities.decipher.iter().copied().find(serves).ok_or(Error::MechanismInvalid)
}

/// C_DecryptInit.
pub fn plan_decrypt(mechanism: &Mechanism, key: &PrivateKey, secret: &RejectionSecret) -> Result<DecryptPlan> {
    plan(mechanism, key, secret, check_decrypt(mechanism, key)?)
}

/// The decryption in C_UnwrapKey; with CKM_RSA_AES_KEY_WRAP that of the AES key.
pub fn plan_unwrap(mechanism: &Mechanism, key: &PrivateKey, secret: &RejectionSecret) -> Result<DecryptPlan> {
    let scheme = check_unwrap(mechanism, key)?;
    match mechanism {
        Mechanism::RsaAesWrap { oaep, .. } => plan(&Mechanism::RsaOaep(oaep.clone()), key, secret, scheme),
        _ => plan(mechanism, key, secret, scheme),
    }
}

fn plan(
    mechanism: &Mechanism,
    key: &PrivateKey,
    secret: &RejectionSecret,
    scheme: DecipherScheme,
) -> Result<DecryptPlan> {
    let block_len = key.kind.bits().div_ceil(8);
    Ok(DecryptPlan {
        scheme,
        padding: match mechanism {
            Mechanism::RsaPkcs => Padding::Pkcs1 { secret: secret.clone(), rejection: None },
            Mechanism::RsaOaep(parameters) => Padding::Oaep(parameters.clone()),
            _ => Padding::None,
        },
        block_len,
        max_output_len: max_message(mechanism, key.kind)?,
        modulus: modulus(key).map(<[u8]>::to_vec),
        collected: Collected::bytes(block_len),
    })
}

impl DecryptPlan {
    /// Most bytes that [`Self::unpad`] gives.
    pub fn max_output_len(&self) -> usize {
        self.max_output_len
    }

    /// Length of the cryptogram in bytes.
    pub fn input_len(&self) -> usize {
        self.block_len
    }

    /// How the card is to decipher.
    pub fn scheme(&self) -> DecipherScheme {
        self.scheme
    }

    /// Takes the next part of the cryptogram; `EncryptedDataLenRange` if it is too much.
    pub fn update(&mut self, part: &[u8]) -> Result<()> {
        self.collected.update(part, Error::EncryptedDataLenRange)
    }

    /// The cryptogram for the card. `EncryptedDataLenRange` if it is not k bytes, `EncryptedDataInvalid` if it is
    /// not below the modulus, which anyone can see.
    pub fn finish_input(&mut self) -> Result<(DecipherScheme, Vec<u8>)> {
        let collected = core::mem::replace(&mut self.collected, Collected::bytes(0));
        let cryptogram = collected.finish();
        if cryptogram.len() != self.block_len {
            return Err(Error::EncryptedDataLenRange);
        }
        if self.modulus.as_ref().is_some_and(|modulus| cryptogram.as_slice() >= modulus.as_slice()) {
            return Err(Error::EncryptedDataInvalid);
        }
        if let Padding::Pkcs1 { secret, rejection } = &mut self.padding {
            *rejection = Some(Rejection::new(secret, &cryptogram)?);
        }
        Ok((self.scheme, cryptogram.to_vec()))
    }

    /// The message in what the card answered.
    ///
    /// Bad PKCS#1 v1.5 padding gives a pseudo-random message, bad OAEP padding `EncryptedDataInvalid`; an answer
    /// that no card may give is a `DeviceError`.
    pub fn unpad(&self, block: SecretBytes) -> Result<SecretBytes> {
        match (&self.padding, self.scheme) {
            (Padding::Pkcs1 { .. }, DecipherScheme::RsaPkcs1) => {
                if block.len() > self.max_output_len {
                    return Err(Error::DeviceError);
                }
                Ok(block)
            }
            _ if block.len() != self.block_len => Err(Error::DeviceError),
            (Padding::Pkcs1 { rejection, .. }, _) => {
                let rejection = rejection.as_ref().ok_or(Error::GeneralError)?;
                pkcs1::unpad_encryption(&block, rejection)
            }
            (Padding::Oaep(parameters), _) => oaep::decode(parameters, &block),
            (Padding::None, _) => Ok(block),
        }
    }

    /// The message where a card that removes the padding itself ([`DecipherScheme::RsaPkcs1`]) found it bad: the
    /// same pseudo-random one that [`Self::unpad`] would give. `EncryptedDataInvalid` for other paddings.
    pub fn rejected(&self) -> Result<SecretBytes> {
        match &self.padding {
            Padding::Pkcs1 { rejection: Some(rejection), .. } => Ok(rejection.message()),
            _ => Err(Error::EncryptedDataInvalid),
        }
    }
}
