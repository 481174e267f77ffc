//! PKCS#7 padding (RFC 5652 6.3): as many bytes as are missing to a whole block, each that number, at least one.

use zeroize::Zeroizing;

use crate::error::Error;
use crate::mechanism::Result;
use crate::secret::SecretBytes;

/// `data` with padding to a multiple of `block` bytes (at most 255).
pub fn padded(data: &[u8], block: usize) -> SecretBytes {
    let missing = block - data.len() % block;
    let mut padded = Zeroizing::new(Vec::with_capacity(data.len() + missing));
    padded.extend_from_slice(data);
    padded.resize(data.len() + missing, missing as u8);
    padded
}

/// `data` without its padding; `EncryptedDataInvalid` where it has none.
///
/// All bytes that could be padding are looked at, whatever they are: how long it takes tells nothing but the answer.
pub fn unpadded(mut data: SecretBytes, block: usize) -> Result<SecretBytes> {
    let last = data.last().copied().unwrap_or(0);
    let count = usize::from(last);
    let mut bad = u8::from(count == 0) | u8::from(count > block) | u8::from(count > data.len());
    for (position, byte) in data.iter().rev().take(block).enumerate() {
        bad |= u8::from(position < count) * (byte ^ last);
    }
    if bad != 0 {
        return Err(Error::EncryptedDataInvalid);
    }
    let length = data.len() - count;
    data.truncate(length);
    Ok(data)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn padding_is_added_and_taken_off_at_every_length() {
        for block in [8, 16] {
            for length in 0..=2 * block {
                let data = vec![0xA5; length];
                let padded = padded(&data, block);
                assert!(padded.len() > length && padded.len() <= length + block && padded.len().is_multiple_of(block));
                assert_eq!(*unpadded(padded, block).unwrap(), data);
            }
        }
    }

    #[test]
    fn what_is_not_padding_is_refused() {
        let unpadded = |end: &[u8]| {
            let mut data = vec![0xA5; 16 - end.len()];
            data.extend_from_slice(end);
            unpadded(Zeroizing::new(data), 16).map(|data| data.len())
        };
        assert_eq!(unpadded(&[1]), Ok(15));
        assert_eq!(unpadded(&[16; 16]), Ok(0));
        for end in [&[0][..], &[17], &[1, 2], &[3, 2, 3], &[0xFF; 16]] {
            assert_eq!(unpadded(end), Err(Error::EncryptedDataInvalid), "{end:?}");
        }
        assert_eq!(super::unpadded(Zeroizing::new(vec![]), 16), Err(Error::EncryptedDataInvalid));
    }
}
