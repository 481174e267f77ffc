//! The last block of a cipher in CBC mode as a code (FIPS 113; PKCS#11 3.2 sections 6.13 and 6.19).

use zeroize::Zeroizing;

use super::blocks::{BlockCipher, Blocks};
use super::{BLOCK, joined};
use crate::secret::SecretBytes;

/// A code in the making; a message that does not fill its last block is filled with zeros.
pub(super) struct CbcMac {
    blocks: Blocks,
    /// At most a block that waits for more.
    pending: SecretBytes,
}

impl CbcMac {
    pub(super) fn new(cipher: BlockCipher) -> Self {
        let zeros = Zeroizing::new([0; BLOCK]);
        let vector = zeros.get(..cipher.block_len()).unwrap_or_default();
        Self { blocks: Blocks::new(cipher, Some(vector), false), pending: Zeroizing::default() }
    }

    /// Takes the next part of the message.
    pub(super) fn update(&mut self, part: &[u8]) {
        let mut data = joined(&self.pending, part);
        let whole = data.len().saturating_sub(1) / self.blocks.block_len() * self.blocks.block_len();
        self.pending = Zeroizing::new(data.get(whole..).unwrap_or_default().to_vec());
        data.truncate(whole);
        self.blocks.encrypt(&mut data);
    }

    /// The whole last block.
    pub(super) fn finish(mut self) -> SecretBytes {
        let mut last = Zeroizing::new(vec![0; self.blocks.block_len()]);
        for (byte, pending) in last.iter_mut().zip(self.pending.iter()) {
            *byte = *pending;
        }
        self.blocks.encrypt(&mut last);
        last
    }
}
