//! Encryption and decryption with a secret key on the card (PKCS#11 3.2 section 5.8 and 5.10, 6.13).
//!
//! The chaining state belongs to the operation: each command sequence on the card is complete in itself, so that two
//! sessions cannot mix theirs.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::operation::appended;
use crate::card::secret_key::{CipherMode, Direction, SecretKey, SecretKind};
use crate::card::{Authentication, CardApplication, CardError, Channel, Role};
use crate::error::Error;
use crate::mechanism::symmetric::padding;
use crate::mechanism::{AesMode, Des3Mode, Mechanism};
use crate::secret::SecretBytes;
use crate::slot::Slot;

/// A cipher in progress.
pub(super) struct CardCipher {
    slot: Arc<Slot>,
    generation: u64,
    key: SecretKey,
    direction: Direction,
    /// Length of a block in bytes.
    block: usize,
    /// The last block of ciphertext where blocks are chained.
    chain: Option<Vec<u8>>,
    padded: bool,
    /// Data that wait for more.
    pending: SecretBytes,
}

impl CardCipher {
    /// C_EncryptInit or C_DecryptInit, C_WrapKey or C_UnwrapKey: AES and triple DES in the modes that cards have.
    pub(super) fn new(
        slot: &Arc<Slot>,
        generation: u64,
        key: &SecretKey,
        mechanism: &Mechanism,
        direction: Direction,
    ) -> Result<Self, Error> {
        let (chain, padded) = match mechanism {
            Mechanism::Aes(AesMode::Ecb) | Mechanism::Des3(Des3Mode::Ecb) => (None, false),
            Mechanism::Aes(AesMode::Cbc { iv }) => (Some(iv.to_vec()), false),
            Mechanism::Aes(AesMode::CbcPad { iv }) => (Some(iv.to_vec()), true),
            Mechanism::Des3(Des3Mode::Cbc { iv }) => (Some(iv.to_vec()), false),
            Mechanism::Des3(Des3Mode::CbcPad { iv }) => (Some(iv.to_vec()), true),
            _ => return Err(Error::MechanismInvalid),
        };
        let own = match key.kind {
            SecretKind::Aes { .. } | SecretKind::AesUntold => matches!(mechanism, Mechanism::Aes(_)),
            SecretKind::Des3 => matches!(mechanism, Mechanism::Des3(_)),
            SecretKind::Generic { .. } => false,
        };
        if !own {
            return Err(Error::KeyTypeInconsistent);
        }
        let block = key.kind.block_len().ok_or(Error::KeyTypeInconsistent)?;
        let (slot, key, pending) = (Arc::clone(slot), key.clone(), Zeroizing::default());
        Ok(Self { slot, generation, key, direction, block, chain, padded, pending })
    }

    /// How blocks are chained from here on.
    pub(super) fn mode(&self) -> CipherMode<'_> {
        self.chain.as_deref().map_or(CipherMode::Ecb, CipherMode::Cbc)
    }

    /// Whether the last block has padding.
    pub(super) fn is_padded(&self) -> bool {
        self.padded
    }

    /// Most bytes that come of `length` more bytes and the end.
    pub(super) fn output_len(&self, length: usize) -> usize {
        let all = self.pending.len().saturating_add(length);
        match (self.padded, self.direction) {
            (true, Direction::Encipher) => (all - all % self.block).saturating_add(self.block),
            _ => all,
        }
    }

    /// Bytes that [`Self::update`] gives for a part of this length.
    pub(super) fn update_len(&self, length: usize) -> usize {
        let all = self.pending.len().saturating_add(length);
        // The last block of a padded ciphertext waits for the end, which tells how much of it is data.
        let held = if self.padded && self.direction == Direction::Decipher { all.min(1) } else { 0 };
        (all - held) / self.block * self.block
    }

    /// Most bytes that [`Self::finish`] gives.
    pub(super) fn finish_len(&self) -> usize {
        if self.padded { self.block } else { 0 }
    }

    /// Takes the next part and gives what is ready.
    pub(super) fn update(&mut self, part: &[u8]) -> Result<SecretBytes, Error> {
        let ready = self.update_len(part.len());
        let pending = std::mem::take(&mut self.pending);
        let data = appended(pending, Zeroizing::new(part.to_vec()));
        let (blocks, rest) = data.split_at_checked(ready).ok_or(Error::GeneralError)?;
        self.pending = Zeroizing::new(rest.to_vec());
        self.run(blocks)
    }

    /// The end.
    pub(super) fn finish(mut self) -> Result<SecretBytes, Error> {
        let pending = std::mem::take(&mut self.pending);
        match (self.padded, self.direction) {
            (true, Direction::Encipher) => self.run(&padding::padded(&pending, self.block)),
            (true, Direction::Decipher) if pending.len() == self.block => {
                padding::unpadded(self.run(&pending)?, self.block)
            }
            (false, _) if pending.is_empty() => Ok(Zeroizing::default()),
            (_, Direction::Encipher) => Err(Error::DataLenRange),
            (_, Direction::Decipher) => Err(Error::EncryptedDataLenRange),
        }
    }

    fn run(&mut self, blocks: &[u8]) -> Result<SecretBytes, Error> {
        if blocks.is_empty() {
            return Ok(Zeroizing::default());
        }
        let permitted = match self.key.authentication {
            Authentication::Never => true,
            Authentication::Once => self.slot.role(self.generation)? == Some(Role::User),
            // Nothing here takes a context-specific login for a cipher.
            Authentication::Always => false,
        };
        if !permitted {
            return Err(Error::UserNotLoggedIn);
        }
        let mode = self.mode();
        let result = self.slot.with_card(self.generation, |access| {
            let (key, direction) = (&self.key, self.direction);
            let encipher = |application: &mut dyn CardApplication, channel: &mut Channel<'_>| {
                self.slot.keeps(self.generation, key.storage)?;
                application.cipher(channel, key, direction, mode, blocks)
            };
            match access.probably(encipher) {
                Err(CardError::SecurityStatus) => {
                    self.slot.lose_login();
                    Err(Error::UserNotLoggedIn)
                }
                result => Ok(result?),
            }
        })?;
        if result.len() != blocks.len() {
            return Err(Error::DeviceError);
        }
        let ciphertext = if self.direction == Direction::Encipher { &result } else { blocks };
        if let Some(chain) = &mut self.chain {
            *chain = ciphertext.get(ciphertext.len() - self.block..).unwrap_or_default().to_vec();
        }
        Ok(result)
    }
}
