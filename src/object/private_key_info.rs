//! Encodings of private keys: PrivateKeyInfo (RFC 5208 5, RFC 5958 2), the form in which they are wrapped (PKCS#11 3.2
//! section 6.7), and RSAPrivateKey (RFC 8017 A.1.2) and ECPrivateKey (RFC 5915 3), which are in it and in files of their own.

use cryptoki_sys::*;
use der::asn1::{AnyRef, BitStringRef, ContextSpecific, ObjectIdentifier, OctetStringRef, UintRef};
use der::{Decode, Encode, Header, Reader, SliceReader, Tag, TagMode, TagNumber, Tagged};
use pkcs8::PrivateKeyInfoRef;
use zeroize::Zeroizing;

use crate::card::key::{Curve, KeyKind};
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

/// A private key that was decoded. Whether its numbers are those of a key is not judged.
#[derive(Debug)]
pub struct DecodedKey {
    /// Its type.
    pub key_type: CK_KEY_TYPE,
    /// Its numbers, as the attributes in which C_CreateObject takes them; with the public half, where that is given.
    pub numbers: Attributes,
}

impl DecodedKey {
    /// Decodes a PrivateKeyInfo with nothing after it.
    pub fn from_private_key_info(der: &[u8]) -> Result<Self, Error> {
        let decoded = private_key_info(der);
        wipe_stack();
        decoded.map_err(|_| Error::WrappedKeyInvalid)
    }

    /// Decodes an RSAPrivateKey of two primes with nothing after it.
    pub fn from_rsa_private_key(der: &[u8]) -> Result<Self, Error> {
        let decoded = rsa(der);
        wipe_stack();
        decoded.map(|numbers| Self { key_type: CKK_RSA, numbers }).map_err(|_| Error::WrappedKeyInvalid)
    }

    /// Decodes an ECPrivateKey that names its curve, with nothing after it.
    pub fn from_ec_private_key(der: &[u8]) -> Result<Self, Error> {
        let decoded = elliptic(der, None);
        wipe_stack();
        decoded.map(|numbers| Self { key_type: CKK_EC, numbers }).map_err(|_| Error::WrappedKeyInvalid)
    }

    /// Its algorithm and size; `None` for a curve that is not known here.
    pub fn kind(&self) -> Option<KeyKind> {
        let parameters = self.numbers.shown(CKA_EC_PARAMS).unwrap_or_default();
        match self.key_type {
            CKK_RSA => {
                let modulus = self.numbers.shown(CKA_MODULUS).unwrap_or_default();
                let leading = modulus.first().map_or(0, |first| usize::try_from(first.leading_zeros()).unwrap_or(0));
                Some(KeyKind::Rsa { bits: (modulus.len() * 8).saturating_sub(leading) })
            }
            CKK_EC_EDWARDS => Some(KeyKind::Ed25519),
            CKK_EC_MONTGOMERY => Some(KeyKind::X25519),
            _ => Curve::ALL.into_iter().find(|curve| curve.oid_der() == parameters).map(KeyKind::Ec),
        }
    }
}

/// The bytes of DER at the beginning of `data`, which zeros may follow.
pub(super) fn encoded_len(data: &[u8]) -> Option<usize> {
    let mut reader = SliceReader::new(data).ok()?;
    let header = Header::decode(&mut reader).ok()?;
    let whole = (header.encoded_len().ok()? + header.length()).ok()?;
    usize::try_from(whole).ok()
}

fn private_key_info(der: &[u8]) -> der::Result<DecodedKey> {
    let mut reader = SliceReader::new(der)?;
    let (algorithm, key, public) = reader.sequence(|reader| {
        if u8::decode(reader)? > 1 {
            return Err(der::Error::from(Tag::Integer.value_error()));
        }
        let algorithm = pkcs8::AlgorithmIdentifierRef::decode(reader)?;
        let key = <&OctetStringRef>::decode(reader)?.as_bytes();
        Ok((algorithm, key, public_half(reader)?))
    })?;
    reader.finish()?;
    let (oid, parameters) = (algorithm.oid, algorithm.parameters);
    let refusal = || der::Error::from(Tag::Sequence.value_error());
    let (key_type, numbers) = match oid {
        RSA_ENCRYPTION if parameters.is_none_or(|any| any.is_null()) && public.is_none() => (CKK_RSA, rsa(key)?),
        EC_PUBLIC_KEY => {
            let curve = parameters.ok_or_else(refusal)?.decode_as::<ObjectIdentifier>()?;
            (CKK_EC, with_point(elliptic(key, Some(curve))?, public)?)
        }
        ED25519 | X25519 if parameters.is_none() => {
            let seed = <&OctetStringRef>::from_der(key)?;
            let numbers = Attributes::default().bytes(CKA_EC_PARAMS, &oid.to_der()?).bytes(CKA_VALUE, seed.as_bytes());
            let key_type = if oid == ED25519 { CKK_EC_EDWARDS } else { CKK_EC_MONTGOMERY };
            (key_type, with_point(numbers, public)?)
        }
        _ => return Err(refusal()),
    };
    Ok(DecodedKey { key_type, numbers })
}

/// The public half among the fields after the key. Attributes are passed over, and so is the public half as ring before
/// 0.17 wrote it: a BIT STRING within a constructed \[1\].
fn public_half<'d>(reader: &mut SliceReader<'d>) -> der::Result<Option<BitStringRef<'d>>> {
    let mut public = None;
    while !reader.is_finished() {
        let field = AnyRef::decode(reader)?;
        if field.tag() == (Tag::ContextSpecific { constructed: false, number: TagNumber(1) }) {
            public = Some(AnyRef::new(Tag::BitString, field.value())?.decode_as()?);
        }
    }
    Ok(public)
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

/// ECPrivateKey (RFC 5915 3), whose parameters, where it has any, are those of the algorithm beside it.
fn elliptic(key: &[u8], beside: Option<ObjectIdentifier>) -> der::Result<Attributes> {
    let mut reader = SliceReader::new(key)?;
    let attributes = reader.sequence(|reader| {
        let version = u8::decode(reader)?;
        let value = <&OctetStringRef>::decode(reader)?;
        let own: Option<ObjectIdentifier> = reader.context_specific(TagNumber(0), TagMode::Explicit)?;
        let point: Option<BitStringRef<'_>> = reader.context_specific(TagNumber(1), TagMode::Explicit)?;
        let refusal = || der::Error::from(Tag::Sequence.value_error());
        let curve = beside.or(own).ok_or_else(refusal)?;
        if version != 1 || own.is_some_and(|own| own != curve) {
            return Err(refusal());
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// An Ed25519 key of this version with these fields after it.
    fn ed25519(version: &str, fields: &str) -> Result<DecodedKey, Error> {
        let content = format!("0201{version} 300506032B6570 04220420{}{fields}", "5A".repeat(32)).replace(' ', "");
        let der = hex::decode(format!("30{:02X}{content}", content.len() / 2)).unwrap();
        DecodedKey::from_private_key_info(&der)
    }

    fn point(key: &DecodedKey) -> Option<&[u8]> {
        key.numbers.shown(CKA_EC_POINT)
    }

    #[test]
    fn the_public_half_is_read_where_the_standard_puts_it_and_passed_over_elsewhere() {
        let public = "C3".repeat(32);
        let bare = ed25519("00", "").unwrap();
        assert_eq!((bare.kind(), bare.numbers.shown(CKA_VALUE)), (Some(KeyKind::Ed25519), Some(&[0x5A; 32][..])));
        assert_eq!(point(&bare), None);
        assert_eq!(point(&ed25519("01", &format!("812100{public}")).unwrap()), Some(&[0xC3; 32][..]));
        assert_eq!(point(&ed25519("01", &format!("A000812100{public}")).unwrap()), Some(&[0xC3; 32][..]));
        assert_eq!(point(&ed25519("01", &format!("A123032100{public}")).unwrap()), None, "ring before 0.17");
        assert!(ed25519("01", &format!("812107{public}")).is_err(), "no whole bytes");
        assert!(ed25519("02", "").is_err());
        assert!(ed25519("00", "00").is_err());
    }

    #[test]
    fn a_key_in_a_file_of_its_own_is_the_one_in_a_private_key_info() {
        let sec1 = |parameters: &str| {
            let content = format!("020101 0420{} {parameters}", "01".repeat(32)).replace(' ', "");
            format!("30{:02X}{content}", content.len() / 2)
        };
        let named = hex::decode(sec1("A00A 06082A8648CE3D030107")).unwrap();
        let own = DecodedKey::from_ec_private_key(&named).unwrap();
        assert_eq!((own.key_type, own.kind()), (CKK_EC, Some(KeyKind::Ec(Curve::P256))));
        assert!(DecodedKey::from_ec_private_key(&hex::decode(sec1("")).unwrap()).is_err(), "no curve is named");
        let info = |inner: &str| {
            let algorithm = "301306072A8648CE3D020106082A8648CE3D030107";
            let content = format!("020100{algorithm}04{:02X}{inner}", inner.len() / 2);
            hex::decode(format!("30{:02X}{content}", content.len() / 2)).unwrap()
        };
        let within = DecodedKey::from_private_key_info(&info(&sec1(""))).unwrap();
        assert_eq!(within.numbers.shown(CKA_VALUE), own.numbers.shown(CKA_VALUE));
        assert_eq!(within.numbers.shown(CKA_EC_PARAMS), own.numbers.shown(CKA_EC_PARAMS));
        let another = info(&sec1("A007 06052B8104000A"));
        assert!(DecodedKey::from_private_key_info(&another).is_err(), "of another curve than the algorithm's");
    }
}
