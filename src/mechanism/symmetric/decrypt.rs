//! Decryption with AES and triple DES, in one part or many.

use zeroize::Zeroizing;

use super::mode::Mode;
use super::{SecretKey, check_cipher, collect, joined, key_wrap, leaving_nothing, padding};
use crate::error::Error;
use crate::mechanism::{Mechanism, Result};
use crate::secret::SecretBytes;

/// A decryption in progress. Its memory is wiped when it ends.
pub struct Decryptor {
    mode: Mode,
    /// Cryptogram that waits for more: at most a block, or all where the mode needs all at once.
    pending: SecretBytes,
}

impl Decryptor {
    /// C_DecryptInit; errors as of [`check_cipher`], `KeySizeRange` for a key that the cipher does not have.
    pub fn new(mechanism: &Mechanism, key: &SecretKey) -> Result<Self> {
        check_cipher(mechanism, key.kind)?;
        leaving_nothing(|| Ok(Self { mode: Mode::new(mechanism, key)?, pending: Zeroizing::default() }))
    }

    /// Most bytes that `length` bytes of cryptogram are the encryption of.
    pub fn max_output_len(&self, length: usize) -> usize {
        match &self.mode {
            Mode::Blocks(_) | Mode::Ctr(..) => length,
            Mode::Gcm(_, gcm) => length.saturating_sub(gcm.tag_length()),
            Mode::Wrap(..) => length.saturating_sub(8),
        }
    }

    /// Length of what [`Self::update`] gives for a part of this length.
    pub fn update_len(&self, length: usize) -> usize {
        let all = self.pending.len().saturating_add(length);
        match &self.mode {
            // The last block may be padding.
            Mode::Blocks(blocks) if blocks.padded => all.saturating_sub(1) / blocks.block_len() * blocks.block_len(),
            Mode::Blocks(blocks) => all - all % blocks.block_len(),
            Mode::Ctr(..) => length,
            Mode::Gcm(..) | Mode::Wrap(..) => 0,
        }
    }

    /// Most bytes that [`Self::finish`] gives.
    pub fn max_finish_len(&self) -> usize {
        match &self.mode {
            Mode::Blocks(blocks) if blocks.padded => blocks.block_len() - 1,
            Mode::Blocks(_) | Mode::Ctr(..) => 0,
            Mode::Gcm(..) | Mode::Wrap(..) => self.max_output_len(self.pending.len()),
        }
    }

    /// Takes the next part of the cryptogram and gives what is ready of the message.
    pub fn update(&mut self, part: &[u8]) -> Result<SecretBytes> {
        leaving_nothing(|| self.updated(part))
    }

    fn updated(&mut self, part: &[u8]) -> Result<SecretBytes> {
        let whole = self.update_len(part.len());
        match &mut self.mode {
            Mode::Blocks(blocks) => {
                let mut data = joined(&self.pending, part);
                self.pending = Zeroizing::new(data.get(whole..).unwrap_or_default().to_vec());
                data.truncate(whole);
                blocks.decrypt(&mut data);
                Ok(data)
            }
            Mode::Ctr(aes, counter) => {
                let mut data = Zeroizing::new(part.to_vec());
                counter.apply(aes, &mut data)?;
                Ok(data)
            }
            Mode::Gcm(..) | Mode::Wrap(..) => {
                collect(&mut self.pending, part, Error::EncryptedDataLenRange)?;
                Ok(Zeroizing::default())
            }
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
            Mode::Blocks(mut blocks) if blocks.padded => {
                if pending.len() != blocks.block_len() {
                    return Err(Error::EncryptedDataLenRange);
                }
                blocks.decrypt(&mut pending);
                padding::unpadded(pending, blocks.block_len())
            }
            Mode::Gcm(aes, gcm) => {
                let length = pending.len().checked_sub(gcm.tag_length()).ok_or(Error::EncryptedDataLenRange)?;
                let (data, tag) = pending.split_at_mut(length);
                gcm.decrypt(&aes, data, tag)?;
                pending.truncate(length);
                Ok(pending)
            }
            Mode::Wrap(aes, wrap) => key_wrap::unwrap(&aes, wrap, &pending),
            Mode::Blocks(_) | Mode::Ctr(..) if pending.is_empty() => Ok(Zeroizing::default()),
            _ => Err(Error::EncryptedDataLenRange),
        }
    }
}
