//! Key wrapping with AES: KW (SP 800-38F 6.2, RFC 3394) and KWP (SP 800-38F 6.3, RFC 5649).

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::aes::Aes;
use super::padding::{padded, unpadded};
use crate::error::Error;
use crate::mechanism::{KeyWrap, Result};
use crate::secret::SecretBytes;

/// Half of a block.
const SEMIBLOCK: usize = 8;

/// Length of what `data_length` bytes become.
pub(super) fn wrapped_len(wrap: KeyWrap, data_length: usize) -> usize {
    SEMIBLOCK
        + match wrap {
            KeyWrap::Plain { .. } => data_length,
            KeyWrap::Pad { .. } | KeyWrap::Pkcs7 { .. } => data_length - data_length % SEMIBLOCK + SEMIBLOCK,
            KeyWrap::Padded { .. } => data_length.next_multiple_of(SEMIBLOCK),
        }
}

/// Wraps `data`; `DataLenRange` for a length that the mechanism does not take.
pub(super) fn wrap(aes: &Aes, wrap: KeyWrap, data: &[u8]) -> Result<Vec<u8>> {
    match wrap {
        KeyWrap::Plain { initial } => kw(aes, initial, data),
        KeyWrap::Pad { initial } | KeyWrap::Pkcs7 { initial } => kw(aes, initial, &padded(data, SEMIBLOCK)),
        KeyWrap::Padded { initial } => kwp(aes, initial, data),
    }
}

/// Unwraps `cryptogram`: `EncryptedDataLenRange` for a length that no wrapping has, `EncryptedDataInvalid` where the
/// initial value does not come out.
pub(super) fn unwrap(aes: &Aes, wrap: KeyWrap, cryptogram: &[u8]) -> Result<SecretBytes> {
    match wrap {
        KeyWrap::Plain { initial } => kw_inverse(aes, initial, cryptogram),
        KeyWrap::Pad { initial } | KeyWrap::Pkcs7 { initial } => {
            unpadded(kw_inverse(aes, initial, cryptogram)?, SEMIBLOCK)
        }
        KeyWrap::Padded { initial } => kwp_inverse(aes, initial, cryptogram),
    }
}

fn kw(aes: &Aes, initial: [u8; SEMIBLOCK], data: &[u8]) -> Result<Vec<u8>> {
    let (semiblocks, []) = data.as_chunks::<SEMIBLOCK>() else { return Err(Error::DataLenRange) };
    if semiblocks.len() < 2 {
        return Err(Error::DataLenRange);
    }
    Ok(encipher(aes, initial, semiblocks))
}

fn kwp(aes: &Aes, initial: [u8; 4], data: &[u8]) -> Result<Vec<u8>> {
    let length = u32::try_from(data.len()).ok().filter(|length| *length > 0).ok_or(Error::DataLenRange)?;
    let start = joined(initial, length.to_be_bytes());
    let mut padded = Zeroizing::new(Vec::with_capacity(data.len().next_multiple_of(SEMIBLOCK)));
    padded.extend_from_slice(data);
    padded.resize(data.len().next_multiple_of(SEMIBLOCK), 0);
    match padded.as_chunks::<SEMIBLOCK>().0 {
        [only] => Ok(aes.encrypted(block(start, *only)).to_vec()),
        semiblocks => Ok(encipher(aes, start, semiblocks)),
    }
}

/// W of SP 800-38F 6.1.
fn encipher(aes: &Aes, start: [u8; SEMIBLOCK], semiblocks: &[[u8; SEMIBLOCK]]) -> Vec<u8> {
    let mut first = start;
    let mut rest = Zeroizing::new(semiblocks.to_vec());
    let mut step = 0u64;
    for _ in 0..6 {
        for semiblock in rest.iter_mut() {
            step += 1;
            (first, *semiblock) = halves(aes.encrypted(block(first, *semiblock)));
            first = counted(first, step);
        }
    }
    [&first[..], rest.as_flattened()].concat()
}

fn kw_inverse(aes: &Aes, initial: [u8; SEMIBLOCK], cryptogram: &[u8]) -> Result<SecretBytes> {
    let (semiblocks, []) = cryptogram.as_chunks::<SEMIBLOCK>() else { return Err(Error::EncryptedDataLenRange) };
    let [first, rest @ ..] = semiblocks else { return Err(Error::EncryptedDataLenRange) };
    if rest.len() < 2 {
        return Err(Error::EncryptedDataLenRange);
    }
    let (first, data) = decipher(aes, *first, rest);
    if bool::from(first.ct_eq(&initial)) { Ok(data) } else { Err(Error::EncryptedDataInvalid) }
}

fn kwp_inverse(aes: &Aes, initial: [u8; 4], cryptogram: &[u8]) -> Result<SecretBytes> {
    let (semiblocks, []) = cryptogram.as_chunks::<SEMIBLOCK>() else { return Err(Error::EncryptedDataLenRange) };
    let (start, mut data) = match semiblocks {
        [] | [_] => return Err(Error::EncryptedDataLenRange),
        [first, only] => {
            let (start, data) = halves(aes.decrypted(block(*first, *only)));
            (start, Zeroizing::new(data.to_vec()))
        }
        [first, rest @ ..] => decipher(aes, *first, rest),
    };
    let [a, b, c, d, e, f, g, h] = start;
    let length = usize::try_from(u32::from_be_bytes([e, f, g, h])).unwrap_or(usize::MAX);
    let fits = length <= data.len() && data.len() - length < SEMIBLOCK;
    // Looked at together, so that the time says nothing about which of them is wrong.
    let padding = data.get(length..).unwrap_or_default().iter().fold(0, |all, byte| all | byte);
    if !bool::from([a, b, c, d].ct_eq(&initial)) | !fits | (padding != 0) {
        return Err(Error::EncryptedDataInvalid);
    }
    data.truncate(length);
    Ok(data)
}

/// The inverse of W: the first semiblock, and the rest.
fn decipher(aes: &Aes, start: [u8; SEMIBLOCK], semiblocks: &[[u8; SEMIBLOCK]]) -> ([u8; SEMIBLOCK], SecretBytes) {
    let mut first = start;
    let mut rest = Zeroizing::new(semiblocks.to_vec());
    let mut step = 6 * rest.len() as u64;
    for _ in 0..6 {
        for semiblock in rest.iter_mut().rev() {
            (first, *semiblock) = halves(aes.decrypted(block(counted(first, step), *semiblock)));
            step -= 1;
        }
    }
    (first, Zeroizing::new(rest.as_flattened().to_vec()))
}

fn counted(semiblock: [u8; SEMIBLOCK], step: u64) -> [u8; SEMIBLOCK] {
    (u64::from_be_bytes(semiblock) ^ step).to_be_bytes()
}

fn block(first: [u8; SEMIBLOCK], second: [u8; SEMIBLOCK]) -> [u8; 16] {
    ((u128::from(u64::from_be_bytes(first)) << 64) | u128::from(u64::from_be_bytes(second))).to_be_bytes()
}

fn halves(block: [u8; 16]) -> ([u8; SEMIBLOCK], [u8; SEMIBLOCK]) {
    let number = u128::from_be_bytes(block);
    (((number >> 64) as u64).to_be_bytes(), (number as u64).to_be_bytes())
}

fn joined(first: [u8; 4], second: [u8; 4]) -> [u8; SEMIBLOCK] {
    ((u64::from(u32::from_be_bytes(first)) << 32) | u64::from(u32::from_be_bytes(second))).to_be_bytes()
}
