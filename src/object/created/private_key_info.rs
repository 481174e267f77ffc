//! PrivateKeyInfo (RFC 5208 5, RFC 5958 2), the form in which private keys are wrapped (PKCS#11 3.2 section 6.7).

use cryptoki_sys::*;
use der::asn1::{AnyRef, BitStringRef, ContextSpecific, ObjectIdentifier, OctetStringRef, UintRef};
use der::{Decode, Encode, Header, Reader, SliceReader, Tag, TagMode, TagNumber};
use pkcs8::PrivateKeyInfoRef;
use zeroize::Zeroizing;

use crate::card::key::KeyKind;
use crate::card::new_key::PrivateValue;
use crate::error::Error;
use crate::object::attribute::Attributes;
use crate::secret::{SecretBytes, wipe_stack};

/// rsaEncryption (RFC 8017 A.1).
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
/// id-ecPublicKey (RFC 5480 2.1.1).
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
/// id-Ed25519 (RFC 8410 3).
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
/// id-X25519 (RFC 8410 3).
const X25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.110");
/// The numbers of RSAPrivateKey after its version, in their order (RFC 8017 A.1.2).
const RSA_NUMBERS: [CK_ATTRIBUTE_TYPE; 8] = [
    CKA_MODULUS,
    CKA_PUBLIC_EXPONENT,
    CKA_PRIVATE_EXPONENT,
    CKA_PRIME_1,
    CKA_PRIME_2,
    CKA_EXPONENT_1,
    CKA_EXPONENT_2,
    CKA_COEFFICIENT,
];

/// The key type and the numbers in a PrivateKeyInfo with nothing after it, as the attributes in which C_CreateObject
/// takes them. Whether they are those of a key is not judged.
pub(super) fn decode(info: &[u8]) -> Result<(CK_KEY_TYPE, Attributes), Error> {
    let decoded = numbers(info);
    wipe_stack();
    decoded.map_err(|_| Error::WrappedKeyInvalid)
}

/// The bytes of DER at the beginning of `data`, which zeros may follow.
pub(super) fn encoded_len(data: &[u8]) -> Option<usize> {
    let mut reader = SliceReader::new(data).ok()?;
    let header = Header::decode(&mut reader).ok()?;
    let whole = (header.encoded_len().ok()? + header.length()).ok()?;
    usize::try_from(whole).ok()
}

fn numbers(info: &[u8]) -> der::Result<(CK_KEY_TYPE, Attributes)> {
    let info = PrivateKeyInfoRef::from_der(info)?;
    let (key, parameters) = (info.private_key.as_bytes(), info.algorithm.parameters);
    let refusal = || der::Error::from(Tag::Sequence.value_error());
    match info.algorithm.oid {
        RSA_ENCRYPTION if parameters.is_none_or(|any| any.is_null()) && info.public_key.is_none() => {
            Ok((CKK_RSA, rsa(key)?))
        }
        EC_PUBLIC_KEY => {
            let curve = parameters.ok_or_else(refusal)?.decode_as::<ObjectIdentifier>()?;
            let attributes = elliptic(key, &curve)?;
            Ok((CKK_EC, with_point(attributes, info.public_key)?))
        }
        oid @ (ED25519 | X25519) if parameters.is_none() => {
            let seed = <&OctetStringRef>::from_der(key)?;
            let attributes =
                Attributes::default().bytes(CKA_EC_PARAMS, &oid.to_der()?).bytes(CKA_VALUE, seed.as_bytes());
            let key_type = if oid == ED25519 { CKK_EC_EDWARDS } else { CKK_EC_MONTGOMERY };
            Ok((key_type, with_point(attributes, info.public_key)?))
        }
        _ => Err(refusal()),
    }
}

/// RSAPrivateKey of two primes (RFC 8017 A.1.2).
fn rsa(key: &[u8]) -> der::Result<Attributes> {
    let mut reader = SliceReader::new(key)?;
    let attributes = reader.sequence(|reader| {
        if u8::decode(reader)? != 0 {
            return Err(Tag::Integer.value_error().into());
        }
        RSA_NUMBERS.into_iter().try_fold(Attributes::default(), |attributes, attribute| {
            Ok::<_, der::Error>(attributes.bytes(attribute, UintRef::decode(reader)?.as_bytes()))
        })
    })?;
    reader.finish()?;
    Ok(attributes)
}

/// ECPrivateKey (RFC 5915 3), whose parameters, where it has any, are those of the algorithm.
fn elliptic(key: &[u8], curve: &ObjectIdentifier) -> der::Result<Attributes> {
    let mut reader = SliceReader::new(key)?;
    let attributes = reader.sequence(|reader| {
        let version = u8::decode(reader)?;
        let value = <&OctetStringRef>::decode(reader)?;
        let own: Option<ObjectIdentifier> = reader.context_specific(TagNumber(0), TagMode::Explicit)?;
        let point: Option<BitStringRef<'_>> = reader.context_specific(TagNumber(1), TagMode::Explicit)?;
        if version != 1 || own.is_some_and(|own| own != *curve) {
            return Err(der::Error::from(Tag::Sequence.value_error()));
        }
        let attributes =
            Attributes::default().bytes(CKA_EC_PARAMS, &curve.to_der()?).bytes(CKA_VALUE, value.as_bytes());
        with_point(attributes, point)
    })?;
    reader.finish()?;
    Ok(attributes)
}

/// The public half, where it is given.
fn with_point(attributes: Attributes, point: Option<BitStringRef<'_>>) -> der::Result<Attributes> {
    let Some(point) = point else { return Ok(attributes) };
    let point = point.as_bytes().ok_or_else(|| der::Error::from(Tag::BitString.value_error()))?;
    Ok(attributes.bytes(CKA_EC_POINT, point))
}

/// The PrivateKeyInfo of a key, version 1: with the public half in an ECPrivateKey, and without it elsewhere.
pub(super) fn encode(value: &PrivateValue) -> Result<SecretBytes, Error> {
    let encoded = info(value);
    wipe_stack();
    encoded.map_err(|_| Error::GeneralError)
}

fn info(value: &PrivateValue) -> der::Result<SecretBytes> {
    let (oid, curve, key) = match value {
        PrivateValue::Rsa { .. } => (RSA_ENCRYPTION, None::<ObjectIdentifier>, rsa_private_key(value)?),
        PrivateValue::Ec { curve, scalar, point } => {
            let oid: ObjectIdentifier = Decode::from_der(curve.oid_der())?;
            (EC_PUBLIC_KEY, Some(oid), ec_private_key(scalar, point)?)
        }
        PrivateValue::Montgomery { kind, scalar, .. } => {
            let oid = if *kind == KeyKind::Ed25519 { ED25519 } else { X25519 };
            (oid, None, secret(&OctetStringRef::new(scalar)?)?)
        }
    };
    let parameters = match (&curve, oid) {
        (Some(curve), _) => Some(AnyRef::from(curve)),
        (None, RSA_ENCRYPTION) => Some(AnyRef::NULL),
        (None, _) => None,
    };
    let algorithm = pkcs8::AlgorithmIdentifierRef { oid, parameters };
    secret(&PrivateKeyInfoRef::new(algorithm, OctetStringRef::new(&key)?))
}

fn rsa_private_key(value: &PrivateValue) -> der::Result<SecretBytes> {
    let PrivateValue::Rsa {
        modulus,
        exponent,
        private_exponent,
        prime_1,
        prime_2,
        exponent_1,
        exponent_2,
        coefficient,
    } = value
    else {
        return Err(Tag::Sequence.value_error().into());
    };
    let numbers: [&[u8]; 9] =
        [&[0], modulus, exponent, private_exponent, prime_1, prime_2, exponent_1, exponent_2, coefficient];
    let numbers = numbers.into_iter().map(UintRef::new).collect::<der::Result<Vec<_>>>()?;
    secret(&numbers)
}

fn ec_private_key(scalar: &[u8], point: &[u8]) -> der::Result<SecretBytes> {
    let point = ContextSpecific {
        tag_number: TagNumber(1),
        tag_mode: TagMode::Explicit,
        value: BitStringRef::from_bytes(point)?,
    };
    let fields: [SecretBytes; 3] = [secret(&1_u8)?, secret(&OctetStringRef::new(scalar)?)?, secret(&point)?];
    let fields = fields.iter().map(|field| AnyRef::from_der(field)).collect::<der::Result<Vec<_>>>()?;
    secret(&fields)
}

/// DER in memory that is allocated once and wiped.
fn secret<T: Encode + ?Sized>(value: &T) -> der::Result<SecretBytes> {
    let mut bytes = Zeroizing::new(vec![0; usize::try_from(value.encoded_len()?)?]);
    value.encode_to_slice(&mut bytes)?;
    Ok(bytes)
}

/// What becomes of a key that was decoded and found to be none.
pub(super) fn refusal(error: Error) -> Error {
    match error {
        Error::CurveNotSupported => error,
        _ => Error::WrappedKeyInvalid,
    }
}
