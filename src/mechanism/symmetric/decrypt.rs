//! Decryption with AES, in one part or many.

use zeroize::Zeroizing;

use super::aes::{Aes, xor};
use super::counter::Counter;
use super::gcm::Gcm;
use super::{BLOCK, SecretKey, check_cipher, collect, joined, key_wrap, leaving_nothing, padding};
use crate::error::Error;
use crate::mechanism::{AesMode, KeyWrap, Mechanism, Result};
use crate::secret::SecretBytes;

/// A decryption in progress. Its memory is wiped when it ends.
pub struct Decryptor {
    aes: Aes,
    mode: Mode,
    /// Cryptogram that waits for more: at most a block, or all where the mode needs all at once.
    pending: SecretBytes,
}

enum Mode {
    Ecb,
    Cbc {
        last: [u8; BLOCK],
        padded: bool,
    },
    Ctr(Box<Counter>),
    /// Nothing is given before the tag at the end was found right.
    Gcm(Box<Gcm>),
    Wrap(KeyWrap),
}

impl Decryptor {
    /// C_DecryptInit; errors as of [`check_cipher`], `KeySizeRange` for a key that AES does not have.
    pub fn new(mechanism: &Mechanism, key: &SecretKey) -> Result<Self> {
        let mode = check_cipher(mechanism, key.kind)?;
        leaving_nothing(|| Self::with_mode(mode, key))
    }

    fn with_mode(mode: &AesMode, key: &SecretKey) -> Result<Self> {
        let aes = Aes::new(key.value.expose())?;
        let mode = match mode {
            AesMode::Ecb => Mode::Ecb,
            AesMode::Cbc { iv } => Mode::Cbc { last: *iv, padded: false },
            AesMode::CbcPad { iv } => Mode::Cbc { last: *iv, padded: true },
            AesMode::Ctr { block, bits } => Mode::Ctr(Box::new(Counter::new(*block, *bits))),
            AesMode::Gcm(parameters) => Mode::Gcm(Box::new(Gcm::new(&aes, parameters))),
            AesMode::Wrap(wrap) => Mode::Wrap(*wrap),
        };
        Ok(Self { aes, mode, pending: Zeroizing::default() })
    }

    /// Most bytes that `length` bytes of cryptogram are the encryption of.
    pub fn max_output_len(&self, length: usize) -> usize {
        match &self.mode {
            Mode::Ecb | Mode::Cbc { .. } | Mode::Ctr(_) => length,
            Mode::Gcm(gcm) => length.saturating_sub(gcm.tag_length()),
            Mode::Wrap(_) => length.saturating_sub(8),
        }
    }

    /// Length of what [`Self::update`] gives for a part of this length.
    pub fn update_len(&self, length: usize) -> usize {
        let all = self.pending.len().saturating_add(length);
        match self.mode {
            Mode::Ecb | Mode::Cbc { padded: false, .. } => all - all % BLOCK,
            // The last block may be padding.
            Mode::Cbc { padded: true, .. } => all.saturating_sub(1) / BLOCK * BLOCK,
            Mode::Ctr(_) => length,
            Mode::Gcm(_) | Mode::Wrap(_) => 0,
        }
    }

    /// Most bytes that [`Self::finish`] gives.
    pub fn max_finish_len(&self) -> usize {
        match &self.mode {
            Mode::Ecb | Mode::Ctr(_) | Mode::Cbc { padded: false, .. } => 0,
            Mode::Cbc { padded: true, .. } => BLOCK - 1,
            Mode::Gcm(_) | Mode::Wrap(_) => self.max_output_len(self.pending.len()),
        }
    }

    /// Takes the next part of the cryptogram and gives what is ready of the message.
    pub fn update(&mut self, part: &[u8]) -> Result<SecretBytes> {
        leaving_nothing(|| self.updated(part))
    }

    fn updated(&mut self, part: &[u8]) -> Result<SecretBytes> {
        match &mut self.mode {
            Mode::Ecb | Mode::Cbc { .. } => Ok(self.whole_blocks(part)),
            Mode::Ctr(counter) => {
                let mut data = Zeroizing::new(part.to_vec());
                counter.apply(&self.aes, &mut data)?;
                Ok(data)
            }
            Mode::Gcm(_) | Mode::Wrap(_) => {
                collect(&mut self.pending, part, Error::EncryptedDataLenRange)?;
                Ok(Zeroizing::default())
            }
        }
    }

    fn whole_blocks(&mut self, part: &[u8]) -> SecretBytes {
        let whole = self.update_len(part.len());
        let mut data = joined(&self.pending, part);
        self.pending = Zeroizing::new(data.get(whole..).unwrap_or_default().to_vec());
        data.truncate(whole);
        self.blocks(data.as_chunks_mut().0);
        data
    }

    fn blocks(&mut self, blocks: &mut [[u8; BLOCK]]) {
        let Mode::Cbc { last, .. } = &mut self.mode else { return self.aes.decrypt(blocks) };
        for block in blocks {
            let cryptogram = *block;
            *block = self.aes.decrypted(cryptogram);
            xor(block, last);
            *last = cryptogram;
        }
    }

    /// The rest of the message; `EncryptedDataLenRange` where the cryptogram has no length that the mechanism gives,
    /// `EncryptedDataInvalid` where padding, tag or initial value are wrong.
    pub fn finish(self) -> Result<SecretBytes> {
        leaving_nothing(|| self.finished())
    }

    fn finished(mut self) -> Result<SecretBytes> {
        let mut pending = core::mem::take(&mut self.pending);
        match self.mode {
            Mode::Cbc { padded: true, .. } => {
                let ([_], []) = pending.as_chunks_mut::<BLOCK>() else { return Err(Error::EncryptedDataLenRange) };
                self.blocks(pending.as_chunks_mut().0);
                padding::unpadded(pending, BLOCK)
            }
            Mode::Gcm(gcm) => {
                let length = pending.len().checked_sub(gcm.tag_length()).ok_or(Error::EncryptedDataLenRange)?;
                let (data, tag) = pending.split_at_mut(length);
                gcm.decrypt(&self.aes, data, tag)?;
                pending.truncate(length);
                Ok(pending)
            }
            Mode::Wrap(wrap) => key_wrap::unwrap(&self.aes, wrap, &pending),
            Mode::Ecb | Mode::Cbc { .. } | Mode::Ctr(_) if pending.is_empty() => Ok(Zeroizing::default()),
            _ => Err(Error::EncryptedDataLenRange),
        }
    }
}
