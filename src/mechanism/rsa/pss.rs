//! EMSA-PSS (RFC 8017 9.1), with any hash inside MGF1 and any salt that fits.

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::mask;
use crate::error::Error;
use crate::mechanism::PssParameters;
use crate::mechanism::Result;
use crate::secret::SecretBytes;

/// Longest salt that fits beside the hash for a modulus of so many bits; `None` if not even an empty one does.
pub fn max_salt(hash_len: usize, modulus_bits: usize) -> Option<usize> {
    encoded_len(modulus_bits).checked_sub(hash_len + 2)
}

/// EMSA-PSS-ENCODE of a digest (9.1.1 from step 3), with a zero before it where the modulus is one bit longer
/// than a multiple of 8: always k bytes.
pub fn encode(parameters: &PssParameters, modulus_bits: usize, digest: &[u8], salt: &[u8]) -> Result<SecretBytes> {
    let PssParameters { hash, mgf, .. } = *parameters;
    if digest.len() != hash.output_len() {
        return Err(Error::DataLenRange);
    }
    let spare = max_salt(hash.output_len(), modulus_bits).ok_or(Error::KeySizeRange)?;
    let padding = spare.checked_sub(salt.len()).ok_or(Error::MechanismParamInvalid)?;
    let leading = modulus_bits.div_ceil(8) - encoded_len(modulus_bits);
    let h = hash.digest(&[&[0; 8], digest, salt]);
    let mut db = Zeroizing::new(vec![0; padding]);
    db.push(0x01);
    db.extend_from_slice(salt);
    mask(mgf, &h, &mut db);
    if let Some(first) = db.first_mut() {
        *first &= top_mask(modulus_bits);
    }
    let mut block = Zeroizing::new(vec![0; leading]);
    block.extend_from_slice(&db);
    block.extend_from_slice(&h);
    block.push(0xBC);
    Ok(block)
}

/// EMSA-PSS-VERIFY (9.1.2) of the k bytes that the public operation gave.
pub fn verify(parameters: &PssParameters, modulus_bits: usize, digest: &[u8], block: &[u8]) -> bool {
    recovered_salt_matches(parameters, modulus_bits, digest, block).unwrap_or(false)
}

fn recovered_salt_matches(
    parameters: &PssParameters,
    modulus_bits: usize,
    digest: &[u8],
    block: &[u8],
) -> Option<bool> {
    let PssParameters { hash, mgf, salt_length } = *parameters;
    let padding = max_salt(hash.output_len(), modulus_bits)?.checked_sub(salt_length)?;
    let leading = block.len().checked_sub(encoded_len(modulus_bits))?;
    let (zeros, encoded) = block.split_at_checked(leading)?;
    let (masked, rest) = encoded.split_at_checked(padding + 1 + salt_length)?;
    let (h, trailer) = rest.split_at_checked(hash.output_len())?;
    let unused = !top_mask(modulus_bits);
    if zeros.iter().any(|byte| *byte != 0) || trailer != [0xBC] || masked.first()? & unused != 0 {
        return None;
    }
    let mut db = masked.to_vec();
    mask(mgf, h, &mut db);
    *db.first_mut()? &= top_mask(modulus_bits);
    let (filling, salt) = db.split_at_checked(padding + 1)?;
    let (one, filling) = filling.split_last()?;
    if *one != 0x01 || filling.iter().any(|byte| *byte != 0) {
        return None;
    }
    Some(hash.digest(&[&[0; 8], digest, salt]).ct_eq(h).into())
}

/// emLen: bytes for one bit less than the modulus.
fn encoded_len(modulus_bits: usize) -> usize {
    modulus_bits.saturating_sub(1).div_ceil(8)
}

/// Bits of the first byte of the encoding that may be set (9.1.1 step 11).
fn top_mask(modulus_bits: usize) -> u8 {
    match modulus_bits.saturating_sub(1) % 8 {
        0 => 0xFF,
        bits => 0xFF >> (8 - bits),
    }
}

#[cfg(test)]
mod tests;
