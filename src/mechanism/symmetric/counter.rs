//! Counter mode (SP 800-38A 6.5, appendix B.1): the keystream of CTR and GCM.

use zeroize::Zeroizing;

use super::BLOCK;
use super::aes::{Aes, xor};
use crate::error::Error;
use crate::mechanism::Result;

/// Blocks of keystream that are made at once.
const BATCH: usize = 8;

/// A counter block, and the rest of the keystream of the one before.
pub(super) struct Counter {
    block: u128,
    /// The bits that are counted.
    mask: u128,
    /// Blocks that the counter still has.
    left: u128,
    stream: Zeroizing<[u8; BLOCK]>,
    used: usize,
}

impl Counter {
    /// A counter in the last `bits` bits of `block`, 1 to 128, that must not run over (PKCS#11 3.2 6.13.6).
    pub(super) fn new(block: [u8; BLOCK], bits: usize) -> Self {
        let block = u128::from_be_bytes(block);
        let mask = u128::MAX.checked_shr(128 - u32::try_from(bits).unwrap_or(128)).unwrap_or(0);
        let left = (mask - (block & mask)).saturating_add(1);
        Self { block, mask, left, stream: Zeroizing::new([0; BLOCK]), used: BLOCK }
    }

    /// GCM's counter of 32 bits after the block `j0`, which may run over but serves no more than 2^32 - 2 blocks
    /// (SP 800-38D 5.2.1.1, 7.1).
    pub(super) fn after(j0: [u8; BLOCK]) -> Self {
        let mut counter = Self::new(j0, 32);
        counter.step();
        counter.left = u128::from(u32::MAX) - 1;
        counter
    }

    fn step(&mut self) {
        self.block = (self.block & !self.mask) | (self.block.wrapping_add(1) & self.mask);
    }

    /// Exclusive-ors `data` with the keystream; `DataLenRange` and no change where the counter would run over.
    pub(super) fn apply(&mut self, aes: &Aes, data: &mut [u8]) -> Result<()> {
        let (rest, data) = data.split_at_mut((BLOCK - self.used).min(data.len()));
        let blocks = data.len().div_ceil(BLOCK) as u128;
        self.left = self.left.checked_sub(blocks).ok_or(Error::DataLenRange)?;
        xor(rest, self.stream.get(self.used..).unwrap_or_default());
        self.used += rest.len();
        let mut batch = Zeroizing::new([[0; BLOCK]; BATCH]);
        for chunk in data.chunks_mut(BATCH * BLOCK) {
            let count = chunk.len().div_ceil(BLOCK);
            for block in batch.iter_mut().take(count) {
                *block = self.block.to_be_bytes();
                self.step();
            }
            aes.encrypt(batch.get_mut(..count).unwrap_or_default());
            xor(chunk, batch.as_flattened());
            if let (tail @ 1.., Some(last)) = (chunk.len() % BLOCK, batch.get(count - 1)) {
                *self.stream = *last;
                self.used = tail;
            }
        }
        Ok(())
    }
}
