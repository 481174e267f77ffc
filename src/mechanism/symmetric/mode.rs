//! The modes in which a cipher of the host encrypts and decrypts.

use super::SecretKey;
use super::aes::Aes;
use super::blocks::{BlockCipher, Blocks};
use super::counter::Counter;
use super::gcm::Gcm;
use crate::error::Error;
use crate::mechanism::{AesMode, Des3Mode, KeyWrap, Mechanism, Result};

/// A mode with its key and parameters, and how far it has come.
pub(super) enum Mode {
    Blocks(Box<Blocks>),
    Ctr(Box<Aes>, Box<Counter>),
    /// Nothing is deciphered before the tag at the end was found right.
    Gcm(Box<Aes>, Box<Gcm>),
    Wrap(Box<Aes>, KeyWrap),
}

impl Mode {
    /// The mode of `mechanism`; `MechanismInvalid` for one that is no cipher's.
    pub(super) fn new(mechanism: &Mechanism, key: &SecretKey) -> Result<Self> {
        let value = key.value.expose();
        Ok(match mechanism {
            Mechanism::Des3(mode) => {
                let cipher = BlockCipher::des3(value)?;
                Self::Blocks(Box::new(match mode {
                    Des3Mode::Ecb => Blocks::new(cipher, None, false),
                    Des3Mode::Cbc { iv } => Blocks::new(cipher, Some(iv), false),
                    Des3Mode::CbcPad { iv } => Blocks::new(cipher, Some(iv), true),
                }))
            }
            Mechanism::Aes(AesMode::Ecb) => Self::aes_blocks(value, None, false)?,
            Mechanism::Aes(AesMode::Cbc { iv }) => Self::aes_blocks(value, Some(iv), false)?,
            Mechanism::Aes(AesMode::CbcPad { iv }) => Self::aes_blocks(value, Some(iv), true)?,
            Mechanism::Aes(AesMode::Ctr { block, bits }) => {
                Self::Ctr(Box::new(Aes::new(value)?), Box::new(Counter::new(*block, *bits)))
            }
            Mechanism::Aes(AesMode::Gcm(parameters)) => {
                let aes = Box::new(Aes::new(value)?);
                let gcm = Gcm::new(&aes, parameters);
                Self::Gcm(aes, Box::new(gcm))
            }
            Mechanism::Aes(AesMode::Wrap(wrap)) => Self::Wrap(Box::new(Aes::new(value)?), *wrap),
            _ => return Err(Error::MechanismInvalid),
        })
    }

    fn aes_blocks(key: &[u8], iv: Option<&[u8; 16]>, padded: bool) -> Result<Self> {
        Ok(Self::Blocks(Box::new(Blocks::new(BlockCipher::aes(key)?, iv.map(|iv| &iv[..]), padded))))
    }
}
