//! ECDSA signatures: Ecdsa-Sig-Value (RFC 3279 2.2.3), as many cards answer, and r || s, as Cryptoki wants.

use der::Encode;
use der::asn1::UintRef;

use super::encoding::two_integers;
use super::{Curve, KeyError};
use crate::card::number::significant;

/// r || s, each of the field's length, from a DER Ecdsa-Sig-Value with nothing after it.
///
/// Negative, zero and oversize numbers and encodings that are not DER are refused.
pub fn ecdsa_from_der(der: &[u8], curve: Curve) -> Result<Vec<u8>, KeyError> {
    let (r, s) = two_integers(der)?;
    let length = curve.field_len();
    let mut signature = Vec::with_capacity(2 * length);
    for number in [r, s] {
        let number = significant(number);
        if number.is_empty() {
            return Err(KeyError::Malformed);
        }
        let zeros = length.checked_sub(number.len()).ok_or(KeyError::Malformed)?;
        signature.resize(signature.len() + zeros, 0);
        signature.extend_from_slice(number);
    }
    Ok(signature)
}

/// DER Ecdsa-Sig-Value from r || s, which must both have the field's length.
pub fn ecdsa_to_der(signature: &[u8], curve: Curve) -> Result<Vec<u8>, KeyError> {
    let length = curve.field_len();
    if signature.len() != 2 * length {
        return Err(KeyError::Malformed);
    }
    let (r, s) = signature.split_at(length);
    Ok(vec![UintRef::new(r)?, UintRef::new(s)?].to_der()?)
}
