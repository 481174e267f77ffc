//! RSA (RFC 8017): the public operation on the host, and what the paddings share.
//!
//! Blocks are byte strings as long as the modulus, k bytes. The private operation is the card's.

pub mod components;
pub mod oaep;
pub mod pkcs1;
pub mod pss;

use crypto_bigint::modular::{BoxedMontyForm, BoxedMontyParams};
use crypto_bigint::{BoxedUint, Odd};
use zeroize::Zeroizing;

use super::Hash;
use super::random::fill;
use crate::error::Error;
use crate::mechanism::Result;
use crate::secret::SecretBytes;

/// An RSA public key on the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RsaPublic {
    /// n, big-endian without leading zeros.
    pub modulus: Vec<u8>,
    /// e, big-endian without leading zeros.
    pub exponent: Vec<u8>,
}

impl RsaPublic {
    /// Length of a block: k of RFC 8017.
    pub fn block_len(&self) -> usize {
        self.modulus.len()
    }

    /// Bits of the modulus.
    pub fn bits(&self) -> usize {
        self.modulus.first().map_or(0, |first| self.modulus.len() * 8 - first.leading_zeros() as usize)
    }

    /// Whether `block` is as long as the modulus and represents a number below it.
    pub fn in_range(&self, block: &[u8]) -> bool {
        block.len() == self.modulus.len() && block < self.modulus.as_slice()
    }

    /// RSAEP and RSAVP1 (RFC 8017 5.1.1, 5.2.2) on a block; `None` if it is not in range.
    pub fn public_operation(&self, block: &[u8]) -> Option<SecretBytes> {
        if !self.in_range(block) {
            return None;
        }
        let modulus: Odd<BoxedUint> = Option::from(BoxedUint::from_be_slice_vartime(&self.modulus).to_odd())?;
        let message = BoxedUint::from_be_slice(block, modulus.bits_precision()).ok()?;
        let exponent = BoxedUint::from_be_slice_vartime(&self.exponent);
        let parameters = BoxedMontyParams::new_vartime(modulus);
        let bytes = Zeroizing::new(BoxedMontyForm::new(message, &parameters).pow(&exponent).retrieve().to_be_bytes());
        let excess = bytes.len().checked_sub(self.block_len())?;
        Some(Zeroizing::new(bytes.get(excess..)?.to_vec()))
    }
}

/// CKM_RSA_X_509 input: `data` with zeros before it, k bytes (PKCS#11 3.2 6.1.12).
///
/// `DataLenRange` above k bytes; `DataInvalid` for a number that is not below the modulus, where it is known.
pub fn raw_block(block_len: usize, modulus: Option<&[u8]>, data: &[u8]) -> Result<SecretBytes> {
    let zeros = block_len.checked_sub(data.len()).ok_or(Error::DataLenRange)?;
    let mut block = Zeroizing::new(vec![0; zeros]);

    block.extend_from_slice(data);
    match modulus {
        Some(modulus) if block.as_slice() >= modulus => Err(Error::DataInvalid),
        _ => Ok(block),
    }
}

/// Exclusive-ors `target` with MGF1 of `seed` (RFC 8017 B.2.1).
fn mask(hash: Hash, seed: &[u8], target: &mut [u8]) {
    for (counter, chunk) in (0u32..).zip(target.chunks_mut(hash.output_len())) {
        let digest = Zeroizing::new(hash.digest(&[seed, &counter.to_be_bytes()]));
        for (byte, mask) in chunk.iter_mut().zip(digest.iter()) {
            *byte ^= mask;
        }
    }
}

/// Fresh random bytes, for salts and seeds.
pub fn random(length: usize) -> Result<SecretBytes> {
    let mut bytes = Zeroizing::new(vec![0; length]);
    fill(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
pub(crate) mod tests;
