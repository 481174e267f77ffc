//! Secrets made of other secrets on the host (PKCS#11 3.2 sections 6.26, 6.43 and 6.62).

use zeroize::Zeroizing;

use super::mac::hmac;
use super::{Encryptor, SecretKey, SecretKind, check_cipher, check_mac, joined, key_based, leaving_nothing};
use crate::error::Error;
use crate::mechanism::{Derivation, Hash, HkdfParameters, Mechanism, Result};
use crate::secret::SecretBytes;

/// Longest secret that is made, in bytes.
const LONGEST: usize = 65_536;

/// Whether a key of this kind is a base key for `mechanism`, and how.
///
/// `MechanismInvalid` for a mechanism that derives nothing, `KeyTypeInconsistent` for one that wants another key.
pub fn check_derivation(mechanism: &Mechanism, kind: SecretKind) -> Result<&Derivation> {
    match mechanism {
        Mechanism::Derive(derivation) => {
            match derivation {
                Derivation::Encrypt { cipher, .. } => check_cipher(cipher, kind)?,
                Derivation::KeyBased(parameters) => {
                    check_mac(&Mechanism::Mac { function: parameters.function, length: None }, kind)?;
                }
                _ => {}
            }
            Ok(derivation)
        }
        Mechanism::Ecdh1(_) => Err(Error::KeyTypeInconsistent),
        _ => Err(Error::MechanismInvalid),
    }
}

/// The secret that is derived of `base`, and of `other` where a second key takes part; `length` is what the template
/// asks for, where it does.
///
/// `AttributeValueInvalid` for more bytes than there are, `TemplateIncomplete` where a length has to be given,
/// `MechanismParamInvalid` for a bit beyond the base key's last, `DataLenRange` for data that do not fill their blocks.
pub fn derive(
    derivation: &Derivation,
    base: &SecretKey,
    other: Option<&[u8]>,
    length: Option<usize>,
) -> Result<SecretBytes> {
    if length == Some(0) {
        return Err(Error::AttributeValueInvalid);
    }
    leaving_nothing(|| derived(derivation, base, other, length))
}

fn derived(
    derivation: &Derivation,
    base: &SecretKey,
    other: Option<&[u8]>,
    length: Option<usize>,
) -> Result<SecretBytes> {
    let value = base.value.expose();
    let all = match derivation {
        Derivation::WithKey(_) => joined(value, other.ok_or(Error::GeneralError)?),
        Derivation::WithData(data) => joined(value, data),
        Derivation::AfterData(data) => joined(data, value),
        Derivation::Xor(data) => {
            Zeroizing::new(value.iter().zip(data.iter()).map(|(one, other)| one ^ other).collect())
        }
        Derivation::Extract { bit } => return extract(value, *bit, length.ok_or(Error::TemplateIncomplete)?),
        Derivation::Digest(hash) => Zeroizing::new(hash.digest(&[value])),
        Derivation::Hkdf { parameters, .. } => return hkdf(parameters, value, other, length),
        Derivation::KeyBased(parameters) => {
            let length = length.ok_or(Error::TemplateIncomplete)?;
            return key_based::derive_keys(parameters, base, &[length])?.pop().ok_or(Error::GeneralError);
        }
        Derivation::Encrypt { cipher, data } => {
            let mut encryptor = Encryptor::new(cipher, base)?;
            let text = encryptor.update(data)?;
            encryptor.finish()?;
            if length.is_some_and(|length| length > text.len()) {
                return Err(Error::DataLenRange);
            }
            text
        }
    };
    leading(all, length)
}

/// The first bytes.
fn leading(mut all: SecretBytes, length: Option<usize>) -> Result<SecretBytes> {
    let length = length.unwrap_or(all.len());
    if length > all.len() || length > LONGEST {
        return Err(Error::AttributeValueInvalid);
    }
    all.truncate(length);
    Ok(all)
}

/// Bits of the value from a first one on, that of most weight being number 0, and from the beginning again after the
/// last (PKCS#11 3.2 6.43.7).
fn extract(value: &[u8], first: usize, length: usize) -> Result<SecretBytes> {
    let bits = value.len().saturating_mul(8);
    if first >= bits {
        return Err(Error::MechanismParamInvalid);
    }
    if length > value.len() {
        return Err(Error::AttributeValueInvalid);
    }
    let bit = |position: usize| {
        let position = (first + position) % bits;
        value.get(position / 8).map_or(0, |byte| byte >> (7 - position % 8) & 1)
    };
    let byte = |at: usize| (0..8).fold(0, |byte, offset| byte << 1 | bit(8 * at + offset));
    Ok(Zeroizing::new((0..length).map(byte).collect()))
}

/// HKDF (RFC 5869 2): extraction, expansion, or both.
fn hkdf(parameters: &HkdfParameters, value: &[u8], salt: Option<&[u8]>, length: Option<usize>) -> Result<SecretBytes> {
    let hash = parameters.hash;
    let extracted = parameters.extract.then(|| hmac(hash, salt.unwrap_or_default(), &[value])).transpose()?;
    if !parameters.expand {
        return leading(extracted.ok_or(Error::MechanismParamInvalid)?, length);
    }
    let key = extracted.as_ref().map_or(value, |key| key.as_slice());
    expand(hash, key, &parameters.info, length.unwrap_or(hash.output_len()))
}

fn expand(hash: Hash, key: &[u8], info: &[u8], length: usize) -> Result<SecretBytes> {
    if length > hash.output_len() * 255 {
        return Err(Error::AttributeValueInvalid);
    }
    let mut all = Zeroizing::new(Vec::with_capacity(length.next_multiple_of(hash.output_len())));
    let mut block = SecretBytes::default();
    for counter in 1..=u8::MAX {
        if all.len() >= length {
            break;
        }
        block = hmac(hash, key, &[&block, info, &[counter]])?;
        all.extend_from_slice(&block);
    }
    all.truncate(length);
    Ok(all)
}
