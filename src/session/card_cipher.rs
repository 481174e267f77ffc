//! Encryption and decryption with a secret key on the card (PKCS#11 3.2 section 5.8 and 5.10, 6.13).
//!
//! The chaining state belongs to the operation: each command sequence on the card is complete in itself, so that two
//! sessions cannot mix theirs.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::operation::appended;
use crate::card::secret_key::{CipherMode, Direction, SecretKey};
use crate::card::{Authentication, CardApplication, CardError, Channel, Role};
use crate::error::Error;
use crate::mechanism::symmetric::padding;
use crate::mechanism::{AesMode, Mechanism};
use crate::secret::SecretBytes;
use crate::slot::Slot;

/// Block of AES in bytes.
const BLOCK: usize = 16;

/// A cipher in progress.
pub(super) struct CardCipher {
    slot: Arc<Slot>,
    generation: u64,
    key: SecretKey,
    direction: Direction,
    /// The last block of ciphertext where blocks are chained.
    chain: Option<[u8; BLOCK]>,
    padded: bool,
    /// Data that wait for more.
    pending: SecretBytes,
}

impl CardCipher {
    /// C_EncryptInit or C_DecryptInit: AES in the modes that cards have.
    pub(super) fn new(
        slot: &Arc<Slot>,
        generation: u64,
        key: &SecretKey,
        mechanism: &Mechanism,
        direction: Direction,
    ) -> Result<Self, Error> {
        let Mechanism::Aes(mode) = mechanism else { return Err(Error::MechanismInvalid) };
        let (chain, padded) = match mode {
            AesMode::Ecb => (None, false),
            AesMode::Cbc { iv } => (Some(*iv), false),
            AesMode::CbcPad { iv } => (Some(*iv), true),
            AesMode::Ctr { .. } | AesMode::Gcm(_) | AesMode::Wrap(_) => return Err(Error::MechanismInvalid),
        };
        if key.kind.block_len() != Some(BLOCK) {
            return Err(Error::KeyTypeInconsistent);
        }
        let (slot, key, pending) = (Arc::clone(slot), key.clone(), Zeroizing::default());
        Ok(Self { slot, generation, key, direction, chain, padded, pending })
    }

    /// Most bytes that come of `length` more bytes and the end.
    pub(super) fn output_len(&self, length: usize) -> usize {
        let all = self.pending.len().saturating_add(length);
        match (self.padded, self.direction) {
            (true, Direction::Encipher) => (all - all % BLOCK).saturating_add(BLOCK),
            _ => all,
        }
    }

    /// Bytes that [`Self::update`] gives for a part of this length.
    pub(super) fn update_len(&self, length: usize) -> usize {
        let all = self.pending.len().saturating_add(length);
        // The last block of a padded ciphertext waits for the end, which tells how much of it is data.
        let held = if self.padded && self.direction == Direction::Decipher { all.min(1) } else { 0 };
        (all - held) / BLOCK * BLOCK
    }

    /// Most bytes that [`Self::finish`] gives.
    pub(super) fn finish_len(&self) -> usize {
        if self.padded { BLOCK } else { 0 }
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
            (true, Direction::Encipher) => self.run(&padding::padded(&pending, BLOCK)),
            (true, Direction::Decipher) if pending.len() == BLOCK => padding::unpadded(self.run(&pending)?, BLOCK),
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
        let mode = self.chain.as_ref().map_or(CipherMode::Ecb, |iv| CipherMode::Cbc(iv));
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
        if let (Some(chain), Some(last)) = (&mut self.chain, ciphertext.last_chunk()) {
            *chain = *last;
        }
        Ok(result)
    }
}
