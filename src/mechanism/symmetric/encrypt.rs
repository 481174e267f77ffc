//! Encryption with AES, in one part or many.

use zeroize::Zeroizing;

use super::aes::{Aes, xor};
use super::counter::Counter;
use super::gcm::Gcm;
use super::{BLOCK, SecretKey, check_cipher, collect, joined, key_wrap, leaving_nothing, padding};
use crate::error::Error;
use crate::mechanism::{AesMode, KeyWrap, Mechanism, Result};
use crate::secret::SecretBytes;

/// An encryption in progress. Its memory is wiped when it ends.
pub struct Encryptor {
    aes: Aes,
    mode: Mode,
    /// Data that wait for more: less than a block, or all where the mode needs all at once.
    pending: SecretBytes,
}

enum Mode {
    Ecb,
    Cbc { last: [u8; BLOCK], padded: bool },
    Ctr(Box<Counter>),
    Gcm(Box<Gcm>),
    Wrap(KeyWrap),
}

impl Encryptor {
    /// C_EncryptInit; errors as of [`check_cipher`], `KeySizeRange` for a key that AES does not have.
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

    /// Length of the whole cryptogram of `length` bytes, where nothing was given yet.
    pub fn output_len(&self, length: usize) -> usize {
        match &self.mode {
            Mode::Ecb | Mode::Ctr(_) | Mode::Cbc { padded: false, .. } => length,
            Mode::Cbc { padded: true, .. } => length - length % BLOCK + BLOCK,
            Mode::Gcm(gcm) => length.saturating_add(gcm.tag_length()),
            Mode::Wrap(wrap) => key_wrap::wrapped_len(*wrap, length),
        }
    }

    /// Length of what [`Self::update`] gives for a part of this length.
    pub fn update_len(&self, length: usize) -> usize {
        match self.mode {
            Mode::Ecb | Mode::Cbc { .. } => {
                let all = self.pending.len().saturating_add(length);
                all - all % BLOCK
            }
            Mode::Ctr(_) | Mode::Gcm(_) => length,
            Mode::Wrap(_) => 0,
        }
    }

    /// Length of what [`Self::finish`] gives.
    pub fn finish_len(&self) -> usize {
        match &self.mode {
            Mode::Ecb | Mode::Ctr(_) | Mode::Cbc { padded: false, .. } => 0,
            Mode::Cbc { padded: true, .. } => BLOCK,
            Mode::Gcm(gcm) => gcm.tag_length(),
            Mode::Wrap(wrap) => key_wrap::wrapped_len(*wrap, self.pending.len()),
        }
    }

    /// Takes the next part of the message and gives what is ready of the cryptogram; `DataLenRange` where the
    /// mechanism has come to its end.
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
            Mode::Gcm(gcm) => {
                let mut data = Zeroizing::new(part.to_vec());
                gcm.encrypt(&self.aes, &mut data)?;
                Ok(data)
            }
            Mode::Wrap(_) => {
                collect(&mut self.pending, part, Error::DataLenRange)?;
                Ok(Zeroizing::default())
            }
        }
    }

    fn whole_blocks(&mut self, part: &[u8]) -> SecretBytes {
        let mut data = joined(&self.pending, part);
        let whole = data.len() - data.len() % BLOCK;
        self.pending = Zeroizing::new(data.get(whole..).unwrap_or_default().to_vec());
        data.truncate(whole);
        self.blocks(data.as_chunks_mut().0);
        data
    }

    fn blocks(&mut self, blocks: &mut [[u8; BLOCK]]) {
        let Mode::Cbc { last, .. } = &mut self.mode else { return self.aes.encrypt(blocks) };
        for block in blocks {
            xor(block, last);
            *block = self.aes.encrypted(*block);
            *last = *block;
        }
    }

    /// The rest of the cryptogram; `DataLenRange` where the message should have filled its last block.
    pub fn finish(self) -> Result<SecretBytes> {
        leaving_nothing(|| self.finished())
    }

    fn finished(mut self) -> Result<SecretBytes> {
        let pending = core::mem::take(&mut self.pending);
        match self.mode {
            Mode::Cbc { padded: true, .. } => {
                let mut data = padding::padded(&pending, BLOCK);
                self.blocks(data.as_chunks_mut().0);
                Ok(data)
            }
            Mode::Gcm(gcm) => Ok(Zeroizing::new(gcm.tag())),
            Mode::Wrap(wrap) => key_wrap::wrap(&self.aes, wrap, &pending).map(Zeroizing::new),
            Mode::Ecb | Mode::Cbc { .. } | Mode::Ctr(_) if pending.is_empty() => Ok(Zeroizing::default()),
            _ => Err(Error::DataLenRange),
        }
    }
}
