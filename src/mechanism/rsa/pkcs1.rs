//! PKCS#1 v1.5 paddings (RFC 8017 7.2, 9.2).
//!
//! Decryption never tells bad padding: it answers with a message made from the cryptogram and a secret
//! (implicit rejection, draft-irtf-cfrg-rsa-guidance 7.2), so no caller can be an oracle.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq, ConstantTimeGreater, ConstantTimeLess};
use zeroize::Zeroizing;

use crate::error::Error;
use crate::mechanism::Hash;
use crate::mechanism::Result;
use crate::secret::SecretBytes;

/// Bytes that either padding needs: 00, type, 8 of filling, 00.
pub const OVERHEAD: usize = 11;

/// DER DigestInfo around `digest` (RFC 8017 9.2 step 2).
pub fn digest_info(hash: Hash, digest: &[u8]) -> Vec<u8> {
    [hash.digest_info_prefix(), digest].concat()
}

/// 00 01 FF…FF 00 `data`, k bytes. `DataLenRange` if `data` is longer than k - 11.
pub fn pad_signature(block_len: usize, data: &[u8]) -> Result<SecretBytes> {
    let filling = filling(block_len, data)?;
    let mut block = Zeroizing::new(Vec::with_capacity(block_len));
    block.extend_from_slice(&[0x00, 0x01]);
    block.resize(2 + filling, 0xFF);
    block.push(0x00);
    block.extend_from_slice(data);
    Ok(block)
}

/// What [`pad_signature`] padded; `None` if `block` is not exactly of that form.
pub fn unpad_signature(block: &[u8]) -> Option<&[u8]> {
    let rest = block.strip_prefix(&[0x00, 0x01])?;
    let filling = rest.iter().take_while(|byte| **byte == 0xFF).count();
    if filling < 8 {
        return None;
    }
    rest.get(filling..)?.strip_prefix(&[0x00])
}

/// 00 02, random bytes other than 0, 00 `data`; k bytes. `DataLenRange` if `data` is longer than k - 11.
pub fn pad_encryption(block_len: usize, data: &[u8]) -> Result<SecretBytes> {
    let filling = filling(block_len, data)?;
    let mut block = Zeroizing::new(Vec::with_capacity(block_len));
    block.extend_from_slice(&[0x00, 0x02]);
    while block.len() < 2 + filling {
        let random = super::random(filling)?;
        let missing = 2 + filling - block.len();
        block.extend(random.iter().filter(|byte| **byte != 0).take(missing));
    }
    block.push(0x00);
    block.extend_from_slice(data);
    Ok(block)
}

fn filling(block_len: usize, data: &[u8]) -> Result<usize> {
    let most = block_len.checked_sub(OVERHEAD).ok_or(Error::KeySizeRange)?;
    Ok(8 + most.checked_sub(data.len()).ok_or(Error::DataLenRange)?)
}

/// What decryption answers where the padding is bad: the same for the same cryptogram, unlike anything an
/// attacker can compute.
pub struct Rejection {
    /// k pseudo-random bytes, of which the last `length` are the message.
    bytes: SecretBytes,
    length: u32,
}

impl Rejection {
    /// Derives the message from `secret` (draft-irtf-cfrg-rsa-guidance: KDH, here random instead of a hash of
    /// a private exponent that stays on the card) and a cryptogram of k bytes.
    pub fn new(secret: &[u8; 32], cryptogram: &[u8]) -> Result<Self> {
        let key = hmac(secret, &[cryptogram])?;
        let lengths = expand(&key, b"length", 256)?;
        let bytes = expand(&key, b"message", cryptogram.len())?;
        // One more than the longest message, and the mask of ones that covers it.
        let limit = u32::try_from(cryptogram.len()).map_err(|_| Error::KeySizeRange)?.saturating_sub(10);
        let mask = (limit + 1).next_power_of_two() - 1;
        let mut length = 0;
        for pair in lengths.chunks_exact(2) {
            let candidate = pair.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)) & mask;
            length.conditional_assign(&candidate, candidate.ct_lt(&limit));
        }
        Ok(Self { bytes, length })
    }

    /// The message itself.
    pub fn message(&self) -> SecretBytes {
        tail(&self.bytes, self.length)
    }
}

/// Removes type 2 padding from the block that the private operation gave, or answers with `rejection`'s
/// message, in a time that depends on the length of the answer only.
pub fn unpad_encryption(block: &[u8], rejection: &Rejection) -> Result<SecretBytes> {
    if block.len() != rejection.bytes.len() {
        return Err(Error::DeviceError);
    }
    let block_len = u32::try_from(block.len()).map_err(|_| Error::KeySizeRange)?;
    let start = block.iter().zip([0x00u8, 0x02]);
    let mut good = start.fold(Choice::from(1), |good, (byte, expected)| good & byte.ct_eq(&expected));
    let mut found = Choice::from(0);
    let mut separator = 0u32;
    for (index, byte) in (0u32..).zip(block).skip(2) {
        let here = byte.ct_eq(&0) & !found;
        separator.conditional_assign(&index, here);
        found |= here;
    }
    good &= found & separator.ct_gt(&9);
    let length = u32::conditional_select(&rejection.length, &(block_len - 1 - separator), good);
    let mut bytes = rejection.bytes.clone();
    for (byte, real) in bytes.iter_mut().zip(block) {
        byte.conditional_assign(real, good);
    }
    Ok(tail(&bytes, length))
}

fn tail(bytes: &[u8], length: u32) -> SecretBytes {
    let start = bytes.len().saturating_sub(length as usize);
    Zeroizing::new(bytes.get(start..).unwrap_or_default().to_vec())
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> Result<SecretBytes> {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).map_err(|_| Error::GeneralError)?;
    for part in parts {
        mac.update(part);
    }
    Ok(Zeroizing::new(mac.finalize().into_bytes().to_vec()))
}

/// The draft's PRF: blocks of HMAC over a counter, the label and the length in bits.
fn expand(key: &[u8], label: &[u8], length: usize) -> Result<SecretBytes> {
    let bits = u16::try_from(length * 8).map_err(|_| Error::KeySizeRange)?.to_be_bytes();
    let mut output = Zeroizing::new(Vec::with_capacity(length.next_multiple_of(32)));
    for counter in 0u16.. {
        if output.len() >= length {
            break;
        }
        output.extend_from_slice(&hmac(key, &[&counter.to_be_bytes(), label, &bits])?);
    }
    output.truncate(length);
    Ok(output)
}

#[cfg(test)]
mod tests;
