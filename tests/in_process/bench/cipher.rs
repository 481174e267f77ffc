//! Keys for ciphers on the card, beside AES on the host.

use aes::cipher::{Block, BlockCipherEncrypt, KeyInit};
use cardea_pkcs11::card::CardError;
use cardea_pkcs11::card::secret_key::{CipherMode, Direction, SecretKey};
use cardea_pkcs11::secret::SecretBytes;

use super::{Bench, DrivenCard};

impl<C: DrivenCard> Bench<C> {
    pub fn cipher(
        &mut self,
        key: &SecretKey,
        direction: Direction,
        mode: CipherMode<'_>,
        blocks: &[u8],
    ) -> Result<SecretBytes, CardError> {
        self.run(|application, channel| application.cipher(channel, key, direction, mode, blocks))
    }

    /// The key is AES with this value, in every mode and direction, and in as many blocks as one command or several take.
    pub fn assert_aes(&mut self, key: &SecretKey, value: &[u8]) {
        let vector = [0xA5; 16];
        let (there, back) = (Direction::Encipher, Direction::Decipher);
        for blocks in [0, 1, 2, 15, 16, 31] {
            let plain = text(blocks);
            let ecb = self.cipher(key, there, CipherMode::Ecb, &plain).unwrap();
            assert_eq!(*ecb, reference(value, &plain), "{blocks} blocks");
            assert_eq!(*self.cipher(key, back, CipherMode::Ecb, &ecb).unwrap(), plain);
            let cbc = self.cipher(key, there, CipherMode::Cbc(&vector), &plain).unwrap();
            assert_eq!(*cbc, chained(value, &vector, &plain));
            assert_eq!(*self.cipher(key, back, CipherMode::Cbc(&vector), &cbc).unwrap(), plain);
        }
    }

    /// Parts of blocks, and vectors of another length, cost no command.
    pub fn assert_only_blocks_are_sent(&mut self, key: &SecretKey) {
        self.link.commands.clear();
        for (mode, length) in [(CipherMode::Ecb, 15), (CipherMode::Cbc(&[0; 16]), 17), (CipherMode::Cbc(&[0; 8]), 16)] {
            for direction in [Direction::Encipher, Direction::Decipher] {
                assert_eq!(self.cipher(key, direction, mode, &vec![0; length]), Err(CardError::Input));
            }
        }
        assert!(self.instructions().is_empty());
    }
}

/// ECB of AES-256 on the host.
pub fn reference(key: &[u8], blocks: &[u8]) -> Vec<u8> {
    let cipher = aes::Aes256::new_from_slice(key).unwrap();
    let mut result = Vec::new();
    for chunk in blocks.chunks(16) {
        let mut block = Block::<aes::Aes256>::try_from(chunk).unwrap();
        cipher.encrypt_block(&mut block);
        result.extend(block);
    }
    result
}

/// CBC of AES-256 on the host.
pub fn chained(key: &[u8], vector: &[u8], blocks: &[u8]) -> Vec<u8> {
    let mut vector = vector.to_vec();
    let mut result = Vec::new();
    for chunk in blocks.chunks(16) {
        let mixed: Vec<u8> = chunk.iter().zip(&vector).map(|(byte, other)| byte ^ other).collect();
        vector = reference(key, &mixed);
        result.extend(&vector);
    }
    result
}

/// So many blocks of sixteen.
pub fn text(blocks: usize) -> Vec<u8> {
    (0..blocks * 16).map(|position| (position * 7 % 251) as u8).collect()
}
