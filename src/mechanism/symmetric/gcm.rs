//! Galois/Counter mode (SP 800-38D) with an initialisation vector of any length.

use ghash::GHash;
use ghash::universal_hash::UniversalHash;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::BLOCK;
use super::aes::{Aes, xor};
use super::counter::Counter;
use crate::error::Error;
use crate::mechanism::{GcmParameters, Result};

/// An authenticated encryption or decryption in progress.
pub(super) struct Gcm {
    hash: GHash,
    /// Cryptogram that does not fill a block yet.
    partial: Vec<u8>,
    counter: Counter,
    tag_mask: Zeroizing<[u8; BLOCK]>,
    associated_bits: u64,
    text_bits: u64,
    tag_length: usize,
}

impl Gcm {
    pub(super) fn new(aes: &Aes, parameters: &GcmParameters) -> Self {
        let subkey = Zeroizing::new(aes.encrypted([0; BLOCK]));
        let mut hash = GHash::new((&*subkey).into());
        let j0 = first_counter(&hash, &parameters.iv);
        hash.update_padded(&parameters.associated);
        Self {
            hash,
            partial: Vec::with_capacity(BLOCK),
            counter: Counter::after(j0),
            tag_mask: Zeroizing::new(aes.encrypted(j0)),
            associated_bits: bits(&parameters.associated),
            text_bits: 0,
            tag_length: parameters.tag_length,
        }
    }

    /// Length of the tag in bytes.
    pub(super) fn tag_length(&self) -> usize {
        self.tag_length
    }

    /// Enciphers the next part in place.
    pub(super) fn encrypt(&mut self, aes: &Aes, data: &mut [u8]) -> Result<()> {
        self.counter.apply(aes, data)?;
        self.absorb(data);
        Ok(())
    }

    /// Deciphers the whole text in place if `tag` is right; otherwise leaves it as it is: `EncryptedDataInvalid`.
    pub(super) fn decrypt(mut self, aes: &Aes, data: &mut [u8], tag: &[u8]) -> Result<()> {
        self.absorb(data);
        let mut counter = core::mem::replace(&mut self.counter, Counter::new([0; BLOCK], 1));
        if !bool::from(self.tag().ct_eq(tag)) {
            return Err(Error::EncryptedDataInvalid);
        }
        counter.apply(aes, data)
    }

    fn absorb(&mut self, cryptogram: &[u8]) {
        self.text_bits = self.text_bits.wrapping_add(bits(cryptogram));
        self.partial.extend_from_slice(cryptogram);
        let whole = self.partial.len() - self.partial.len() % BLOCK;
        self.hash.update_padded(self.partial.get(..whole).unwrap_or_default());
        self.partial.drain(..whole);
    }

    /// The tag of everything absorbed.
    pub(super) fn tag(mut self) -> Vec<u8> {
        self.hash.update_padded(&self.partial);
        self.hash.update_padded(&lengths(self.associated_bits, self.text_bits));
        let mut tag = self.hash.finalize().to_vec();
        xor(&mut tag, &*self.tag_mask);
        tag.truncate(self.tag_length);
        tag
    }
}

/// J0 (SP 800-38D 7.1 step 2).
fn first_counter(hash: &GHash, iv: &[u8]) -> [u8; BLOCK] {
    let mut j0 = [0; BLOCK];
    if iv.len() == 12 {
        j0 = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
        for (byte, iv) in j0.iter_mut().zip(iv) {
            *byte = *iv;
        }
        return j0;
    }
    let mut hash = hash.clone();
    hash.update_padded(iv);
    hash.update_padded(&lengths(0, bits(iv)));
    j0.copy_from_slice(&hash.finalize());
    j0
}

fn lengths(associated: u64, text: u64) -> [u8; BLOCK] {
    ((u128::from(associated) << 64) | u128::from(text)).to_be_bytes()
}

fn bits(bytes: &[u8]) -> u64 {
    (bytes.len() as u64).wrapping_mul(8)
}
