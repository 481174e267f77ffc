//! CKA_CHECK_VALUE: three bytes by which two copies of a key are known to be the same (PKCS#11 3.2 4.10.2).

use super::aes::Aes;
use super::{BLOCK, leaving_nothing};
use crate::mechanism::{Hash, Result};

/// CKA_CHECK_VALUE of an AES key: the first three bytes of a block of zeros enciphered.
pub fn aes_check_value(key: &[u8]) -> Result<[u8; 3]> {
    leaving_nothing(|| {
        let [first, second, third, ..] = Aes::new(key)?.encrypted([0; BLOCK]);
        Ok([first, second, third])
    })
}

/// CKA_CHECK_VALUE of a generic secret: the first three bytes of its SHA-1 digest.
pub fn secret_check_value(secret: &[u8]) -> [u8; 3] {
    leaving_nothing(|| {
        let digest = Hash::Sha1.digest(&[secret]);
        digest.first_chunk().copied().unwrap_or_default()
    })
}
