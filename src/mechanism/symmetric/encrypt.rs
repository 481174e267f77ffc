//! Encryption with AES and triple DES, in one part or many.

use zeroize::Zeroizing;

use super::mode::Mode;
use super::{SecretKey, check_cipher, collect, joined, key_wrap, leaving_nothing, padding};
use crate::error::Error;
use crate::mechanism::{Mechanism, Result};
use crate::secret::SecretBytes;

/// An encryption in progress. Its memory is wiped when it ends.
pub struct Encryptor {
    mode: Mode,
    /// Data that wait for more: less than a block, or all where the mode needs all at once.
    pending: SecretBytes,
}

impl Encryptor {
    /// C_EncryptInit; errors as of [`check_cipher`], `KeySizeRange` for a key that the cipher does not have.
    pub fn new(mechanism: &Mechanism, key: &SecretKey) -> Result<Self> {
        check_cipher(mechanism, key.kind)?;
        leaving_nothing(|| Ok(Self { mode: Mode::new(mechanism, key)?, pending: Zeroizing::default() }))
    }

    /// Length of the whole cryptogram of `length` bytes, where nothing was given yet.
    pub fn output_len(&self, length: usize) -> usize {
        match &self.mode {
            Mode::Blocks(blocks) if blocks.padded => {
                (length - length % blocks.block_len()).saturating_add(blocks.block_len())
            }
            Mode::Blocks(_) | Mode::Ctr(..) => length,
            Mode::Gcm(_, gcm) => length.saturating_add(gcm.tag_length()),
            Mode::Wrap(_, wrap) => key_wrap::wrapped_len(*wrap, length),
        }
    }

    /// Length of what [`Self::update`] gives for a part of this length.
    pub fn update_len(&self, length: usize) -> usize {
        match &self.mode {
            Mode::Blocks(blocks) => {
                let all = self.pending.len().saturating_add(length);
                all - all % blocks.block_len()
            }
            Mode::Ctr(..) | Mode::Gcm(..) => length,
            Mode::Wrap(..) => 0,
        }
    }

    /// Length of what [`Self::finish`] gives.
    pub fn finish_len(&self) -> usize {
        match &self.mode {
            Mode::Blocks(blocks) if blocks.padded => blocks.block_len(),
            Mode::Blocks(_) | Mode::Ctr(..) => 0,
            Mode::Gcm(_, gcm) => gcm.tag_length(),
            Mode::Wrap(_, wrap) => key_wrap::wrapped_len(*wrap, self.pending.len()),
        }
    }

    /// Takes the next part of the message and gives what is ready of the cryptogram; `DataLenRange` where the
    /// mechanism has come to its end.
    pub fn update(&mut self, part: &[u8]) -> Result<SecretBytes> {
        leaving_nothing(|| self.updated(part))
    }

    fn updated(&mut self, part: &[u8]) -> Result<SecretBytes> {
        match &mut self.mode {
            Mode::Blocks(blocks) => {
                let mut data = joined(&self.pending, part);
                let whole = data.len() - data.len() % blocks.block_len();
                self.pending = Zeroizing::new(data.get(whole..).unwrap_or_default().to_vec());
                data.truncate(whole);
                blocks.encrypt(&mut data);
                Ok(data)
            }
            Mode::Ctr(aes, counter) => {
                let mut data = Zeroizing::new(part.to_vec());
                counter.apply(aes, &mut data)?;
                Ok(data)
            }
            Mode::Gcm(aes, gcm) => {
                let mut data = Zeroizing::new(part.to_vec());
                gcm.encrypt(aes, &mut data)?;
                Ok(data)
            }
            Mode::Wrap(..) => {
                collect(&mut self.pending, part, Error::DataLenRange)?;
                Ok(Zeroizing::default())
            }
        }
    }

    /// The rest of the cryptogram; `DataLenRange` where the message should have filled its last block.
    pub fn finish(self) -> Result<SecretBytes> {
        leaving_nothing(|| self.finished())
    }

    fn finished(mut self) -> Result<SecretBytes> {
        let pending = core::mem::take(&mut self.pending);
        match self.mode {
            Mode::Blocks(mut blocks) if blocks.padded => {
                let mut data = padding::padded(&pending, blocks.block_len());
                blocks.encrypt(&mut data);
                Ok(data)
            }
            Mode::Gcm(_, gcm) => Ok(Zeroizing::new(gcm.tag())),
            Mode::Wrap(aes, wrap) => key_wrap::wrap(&aes, wrap, &pending).map(Zeroizing::new),
            Mode::Blocks(_) | Mode::Ctr(..) if pending.is_empty() => Ok(Zeroizing::default()),
            _ => Err(Error::DataLenRange),
        }
    }
}
