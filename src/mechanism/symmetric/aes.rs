//! AES (FIPS 197) with a key of any of its three lengths.

use aes::cipher::{Array, BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use aes::{Aes128, Aes192, Aes256};

use super::BLOCK;
use crate::error::Error;
use crate::mechanism::Result;

/// The block cipher with its key schedule, which wipes itself.
pub(super) enum Aes {
    Aes128(Box<Aes128>),
    Aes192(Box<Aes192>),
    Aes256(Box<Aes256>),
}

impl Aes {
    /// `KeySizeRange` for a key that is not 16, 24 or 32 bytes long.
    pub(super) fn new(key: &[u8]) -> Result<Self> {
        let refusal = |_| Error::KeySizeRange;
        match key.len() {
            16 => Aes128::new_from_slice(key).map(|aes| Self::Aes128(Box::new(aes))).map_err(refusal),
            24 => Aes192::new_from_slice(key).map(|aes| Self::Aes192(Box::new(aes))).map_err(refusal),
            _ => Aes256::new_from_slice(key).map(|aes| Self::Aes256(Box::new(aes))).map_err(refusal),
        }
    }

    /// Enciphers each block in place.
    pub(super) fn encrypt(&self, blocks: &mut [[u8; BLOCK]]) {
        let blocks = Array::cast_slice_from_core_mut(blocks);
        match self {
            Self::Aes128(aes) => aes.encrypt_blocks(blocks),
            Self::Aes192(aes) => aes.encrypt_blocks(blocks),
            Self::Aes256(aes) => aes.encrypt_blocks(blocks),
        }
    }

    /// Deciphers each block in place.
    pub(super) fn decrypt(&self, blocks: &mut [[u8; BLOCK]]) {
        let blocks = Array::cast_slice_from_core_mut(blocks);
        match self {
            Self::Aes128(aes) => aes.decrypt_blocks(blocks),
            Self::Aes192(aes) => aes.decrypt_blocks(blocks),
            Self::Aes256(aes) => aes.decrypt_blocks(blocks),
        }
    }

    /// One block enciphered.
    pub(super) fn encrypted(&self, block: [u8; BLOCK]) -> [u8; BLOCK] {
        let mut block = [block];
        self.encrypt(&mut block);
        let [block] = block;
        block
    }

    /// One block deciphered.
    pub(super) fn decrypted(&self, block: [u8; BLOCK]) -> [u8; BLOCK] {
        let mut block = [block];
        self.decrypt(&mut block);
        let [block] = block;
        block
    }
}

/// Exclusive-ors `target` with `mask`, as far as both go.
pub(super) fn xor(target: &mut [u8], mask: &[u8]) {
    for (byte, mask) in target.iter_mut().zip(mask) {
        *byte ^= mask;
    }
}
