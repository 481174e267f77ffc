//! Block ciphers on the host in ECB and CBC (SP 800-38A 6.1, 6.2): AES, and triple DES (SP 800-67).

use des::cipher::{Array, BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use des::{TdesEde2, TdesEde3};
use zeroize::Zeroizing;

use super::aes::{Aes, xor};
use super::{BLOCK, DES_BLOCK};
use crate::error::Error;
use crate::mechanism::Result;
use crate::secret::SecretBytes;

/// A block cipher with its key schedule, which wipes itself.
pub(super) enum BlockCipher {
    Aes(Aes),
    Two(Box<TdesEde2>),
    Three(Box<TdesEde3>),
}

impl BlockCipher {
    /// AES; `KeySizeRange` for a key that it does not have.
    pub(super) fn aes(key: &[u8]) -> Result<Self> {
        Aes::new(key).map(Self::Aes)
    }

    /// Triple DES with two keys or three; `KeySizeRange` for another length.
    pub(super) fn des3(key: &[u8]) -> Result<Self> {
        let refusal = |_| Error::KeySizeRange;
        if key.len() == 2 * DES_BLOCK {
            return TdesEde2::new_from_slice(key).map(|des| Self::Two(Box::new(des))).map_err(refusal);
        }
        TdesEde3::new_from_slice(key).map(|des| Self::Three(Box::new(des))).map_err(refusal)
    }

    /// Length of a block in bytes.
    pub(super) fn block_len(&self) -> usize {
        if matches!(self, Self::Aes(_)) { BLOCK } else { DES_BLOCK }
    }

    /// Enciphers each block in place.
    fn encrypt(&self, data: &mut [u8]) {
        match self {
            Self::Aes(aes) => aes.encrypt(data.as_chunks_mut().0),
            Self::Two(des) => des.encrypt_blocks(Array::cast_slice_from_core_mut(data.as_chunks_mut().0)),
            Self::Three(des) => des.encrypt_blocks(Array::cast_slice_from_core_mut(data.as_chunks_mut().0)),
        }
    }

    /// Deciphers each block in place.
    fn decrypt(&self, data: &mut [u8]) {
        match self {
            Self::Aes(aes) => aes.decrypt(data.as_chunks_mut().0),
            Self::Two(des) => des.decrypt_blocks(Array::cast_slice_from_core_mut(data.as_chunks_mut().0)),
            Self::Three(des) => des.decrypt_blocks(Array::cast_slice_from_core_mut(data.as_chunks_mut().0)),
        }
    }
}

/// A block cipher with its mode and the state between blocks.
pub(super) struct Blocks {
    cipher: BlockCipher,
    /// The last block of ciphertext where blocks are chained.
    last: Option<SecretBytes>,
    /// PKCS#7 padding ends the message.
    pub(super) padded: bool,
}

impl Blocks {
    /// Chained from an initialisation vector on, where there is one.
    pub(super) fn new(cipher: BlockCipher, vector: Option<&[u8]>, padded: bool) -> Self {
        Self { cipher, last: vector.map(|vector| Zeroizing::new(vector.to_vec())), padded }
    }

    /// Length of a block in bytes.
    pub(super) fn block_len(&self) -> usize {
        self.cipher.block_len()
    }

    /// Enciphers whole blocks in place.
    pub(super) fn encrypt(&mut self, data: &mut [u8]) {
        let Some(last) = &mut self.last else { return self.cipher.encrypt(data) };
        for block in data.chunks_exact_mut(self.cipher.block_len()) {
            xor(block, last);
            self.cipher.encrypt(block);
            last.copy_from_slice(block);
        }
    }

    /// Deciphers whole blocks in place.
    pub(super) fn decrypt(&mut self, data: &mut [u8]) {
        let Some(last) = &mut self.last else { return self.cipher.decrypt(data) };
        let mut cryptogram = Zeroizing::new([0; BLOCK]);
        for block in data.chunks_exact_mut(self.cipher.block_len()) {
            let (cryptogram, _) = cryptogram.split_at_mut(block.len());
            cryptogram.copy_from_slice(block);
            self.cipher.decrypt(block);
            xor(block, last);
            last.copy_from_slice(cryptogram);
        }
    }
}
