//! CKA_CHECK_VALUE: three bytes by which two copies of a key are known to be the same (PKCS#11 3.2 4.10.2).

use super::blocks::{BlockCipher, Blocks};
use super::{SecretKind, leaving_nothing};
use crate::mechanism::{Hash, Result};

/// CKA_CHECK_VALUE of an AES or DES key: the first three bytes of a block of zeros enciphered. `None` for a kind of keys
/// without a cipher.
pub fn cipher_check_value(kind: SecretKind, key: &[u8]) -> Result<Option<[u8; 3]>> {
    leaving_nothing(|| {
        let cipher = match kind {
            SecretKind::Aes => BlockCipher::aes(key)?,
            SecretKind::Des2 | SecretKind::Des3 => BlockCipher::des3(key)?,
            _ => return Ok(None),
        };
        let mut blocks = Blocks::new(cipher, None, false);
        let mut block = vec![0; blocks.block_len()];
        blocks.encrypt(&mut block);
        Ok(block.first_chunk().copied())
    })
}

/// CKA_CHECK_VALUE of a generic secret: the first three bytes of its SHA-1 digest.
pub fn secret_check_value(secret: &[u8]) -> [u8; 3] {
    leaving_nothing(|| {
        let digest = Hash::Sha1.digest(&[secret]);
        digest.first_chunk().copied().unwrap_or_default()
    })
}
