//! Big-endian numbers, as keys are made of them.

use zeroize::Zeroizing;

use super::CardError;
use crate::secret::SecretBytes;

/// A number without leading zeros; empty for zero.
pub fn significant(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

/// A number in so many bytes; [`CardError::Input`] where it needs more.
pub fn of_length(number: &[u8], length: usize) -> Result<SecretBytes, CardError> {
    let number = significant(number);
    let zeros = length.checked_sub(number.len()).ok_or(CardError::Input)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(length));
    bytes.resize(zeros, 0);
    bytes.extend_from_slice(number);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_gets_as_many_bytes_as_are_wanted_and_loses_zeros_alone() {
        let written = |number: &[u8], length| of_length(number, length).map(|bytes| bytes.to_vec());
        assert_eq!(written(&[0, 0, 1, 2], 3), Ok(vec![0, 1, 2]));
        assert_eq!(written(&[1, 2], 4), Ok(vec![0, 0, 1, 2]));
        assert_eq!(written(&[1, 2], 1), Err(CardError::Input));
        assert_eq!(written(&[], 2), Ok(vec![0, 0]));
        assert!(significant(&[0, 0]).is_empty());
        assert_eq!(significant(&[0, 3, 0]), [3, 0]);
    }
}
