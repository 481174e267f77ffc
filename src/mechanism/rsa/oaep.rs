//! EME-OAEP (RFC 8017 7.1), with any hash inside MGF1 and any label.

use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use zeroize::Zeroizing;

use super::mask;
use crate::error::Error;
use crate::mechanism::OaepParameters;
use crate::mechanism::Result;
use crate::secret::SecretBytes;

/// Longest message for a modulus of k bytes; `None` if the key is too short for the hash.
pub fn max_message(parameters: &OaepParameters, block_len: usize) -> Option<usize> {
    block_len.checked_sub(2 * parameters.hash.output_len() + 2)
}

/// EME-OAEP encoding (7.1.1 step 2), k bytes, with a seed as long as the hash.
pub fn encode(parameters: &OaepParameters, block_len: usize, message: &[u8], seed: &[u8]) -> Result<SecretBytes> {
    let spare = max_message(parameters, block_len).ok_or(Error::KeySizeRange)?;
    if message.len() > spare {
        return Err(Error::DataLenRange);
    }
    let hash = parameters.hash;
    let mut block = Zeroizing::new(Vec::with_capacity(block_len));
    block.push(0x00);
    block.extend_from_slice(seed);
    block.extend_from_slice(&hash.digest(&[&parameters.label]));
    block.resize(block_len - message.len() - 1, 0x00);
    block.push(0x01);
    block.extend_from_slice(message);
    let (_, masked) = block.split_at_mut_checked(1).ok_or(Error::GeneralError)?;
    let (seed, db) = masked.split_at_mut_checked(hash.output_len()).ok_or(Error::GeneralError)?;
    mask(parameters.mgf, seed, db);
    mask(parameters.mgf, db, seed);
    Ok(block)
}

/// EME-OAEP decoding (7.1.2 step 3) of the k bytes that the private operation gave.
///
/// Every fault is the same `EncryptedDataInvalid`, found in a time that does not depend on which it is.
pub fn decode(parameters: &OaepParameters, block: &[u8]) -> Result<SecretBytes> {
    let hash = parameters.hash;
    max_message(parameters, block.len()).ok_or(Error::KeySizeRange)?;
    let label = hash.digest(&[&parameters.label]);
    let mut block = Zeroizing::new(block.to_vec());
    let (first, masked) = block.split_at_mut_checked(1).ok_or(Error::KeySizeRange)?;
    let (seed, db) = masked.split_at_mut_checked(hash.output_len()).ok_or(Error::KeySizeRange)?;
    mask(parameters.mgf, db, seed);
    mask(parameters.mgf, seed, db);
    let (found_label, rest) = db.split_at_checked(hash.output_len()).ok_or(Error::KeySizeRange)?;
    let mut good = first.ct_eq(&[0x00]) & found_label.ct_eq(&label);
    let mut found = Choice::from(0);
    let mut start = 0u32;
    for (index, byte) in (1u32..).zip(rest) {
        let one = byte.ct_eq(&0x01);
        start.conditional_assign(&index, one & !found);
        good &= found | one | byte.ct_eq(&0x00);
        found |= one;
    }
    if !bool::from(good & found) {
        return Err(Error::EncryptedDataInvalid);
    }
    Ok(Zeroizing::new(rest.get(start as usize..).unwrap_or_default().to_vec()))
}

#[cfg(test)]
mod tests;
