//! AES, DES and 3DES in CBC mode, which with a zero vector and one block is ECB.

use aes::cipher::generic_array::GenericArray;
use aes::cipher::{BlockDecrypt, BlockEncrypt, KeyInit};
use aes::{Aes128, Aes192, Aes256};
use des::{Des, TdesEde2, TdesEde3};

use crate::card::status::{CONDITIONS_OF_USE_NOT_SATISFIED, WRONG_LENGTH};

/// Which way a cipher is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Encipher,
    Decipher,
}

/// A block cipher with its key.
pub(super) enum BlockCipher {
    Aes128(Box<Aes128>),
    Aes192(Box<Aes192>),
    Aes256(Box<Aes256>),
    Des(Des),
    TripleDes2(TdesEde2),
    TripleDes3(TdesEde3),
}

impl BlockCipher {
    pub(super) fn aes(key: &[u8]) -> Option<Self> {
        Some(match key.len() {
            16 => Self::Aes128(Box::new(Aes128::new_from_slice(key).ok()?)),
            24 => Self::Aes192(Box::new(Aes192::new_from_slice(key).ok()?)),
            32 => Self::Aes256(Box::new(Aes256::new_from_slice(key).ok()?)),
            _ => return None,
        })
    }

    pub(super) fn des(key: &[u8]) -> Option<Self> {
        Some(match key.len() {
            8 => Self::Des(Des::new_from_slice(key).ok()?),
            16 => Self::TripleDes2(TdesEde2::new_from_slice(key).ok()?),
            24 => Self::TripleDes3(TdesEde3::new_from_slice(key).ok()?),
            _ => return None,
        })
    }

    pub(super) fn block_length(&self) -> usize {
        match self {
            Self::Aes128(_) | Self::Aes192(_) | Self::Aes256(_) => 16,
            Self::Des(_) | Self::TripleDes2(_) | Self::TripleDes3(_) => 8,
        }
    }

    fn block(&self, direction: Direction, block: &mut [u8]) {
        macro_rules! run {
            ($cipher:expr) => {{
                let block = GenericArray::from_mut_slice(block);
                match direction {
                    Direction::Encipher => $cipher.encrypt_block(block),
                    Direction::Decipher => $cipher.decrypt_block(block),
                }
            }};
        }
        match self {
            Self::Aes128(cipher) => run!(cipher),
            Self::Aes192(cipher) => run!(cipher),
            Self::Aes256(cipher) => run!(cipher),
            Self::Des(cipher) => run!(cipher),
            Self::TripleDes2(cipher) => run!(cipher),
            Self::TripleDes3(cipher) => run!(cipher),
        }
    }

    /// Runs CBC over whole blocks and leaves the vector for the next ones in `vector`.
    pub(super) fn chain(&self, direction: Direction, vector: &mut Vec<u8>, data: &[u8]) -> Result<Vec<u8>, u16> {
        let length = self.block_length();
        if data.is_empty() || !data.len().is_multiple_of(length) {
            return Err(WRONG_LENGTH);
        }
        vector.resize(length, 0);
        let mut result = Vec::with_capacity(data.len());
        for input in data.chunks(length) {
            let mut block = input.to_vec();
            if direction == Direction::Encipher {
                exclusive_or(&mut block, vector);
            }
            self.block(direction, &mut block);
            if direction == Direction::Decipher {
                exclusive_or(&mut block, vector);
                vector.copy_from_slice(input);
            } else {
                vector.copy_from_slice(&block);
            }
            result.extend_from_slice(&block);
        }
        Ok(result)
    }

    /// PKCS #7 padding (RFC 5652 6.3).
    pub(super) fn pad(&self, data: &[u8]) -> Vec<u8> {
        let filler = self.block_length() - data.len() % self.block_length();
        [data, &vec![filler as u8; filler]].concat()
    }

    /// What was padded; 6985 if the padding is wrong.
    pub(super) fn strip(&self, padded: &[u8]) -> Result<Vec<u8>, u16> {
        let filler = padded.last().copied().unwrap_or(0);
        let message = padded.len().checked_sub(usize::from(filler)).ok_or(CONDITIONS_OF_USE_NOT_SATISFIED)?;
        let good = (1..=self.block_length()).contains(&usize::from(filler))
            && padded[message..].iter().all(|byte| *byte == filler);
        if good { Ok(padded[..message].to_vec()) } else { Err(CONDITIONS_OF_USE_NOT_SATISFIED) }
    }
}

fn exclusive_or(block: &mut [u8], vector: &[u8]) {
    block.iter_mut().zip(vector).for_each(|(byte, other)| *byte ^= other);
}
