//! Private keys in files: PKCS#8 (RFC 5958, RFC 8410), PKCS#1 (RFC 8017 A.1.2) and SEC 1 C.4, in PEM or DER.

use cardea_pkcs11::card::key::{Curve, KeyKind};
use cardea_pkcs11::secret::SecretBytes;
use cryptoki_sys::*;
use der::asn1::{AnyRef, ObjectIdentifier, OctetStringRef, UintRef};
use der::{Decode, Reader, SliceReader, Tag, TagNumber, Tagged};

use crate::failure::{Exit, Failure};
use crate::pkcs12::{Pkcs12, is_encrypted_key};
use crate::writer::Attributes;

/// rsaEncryption.
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
/// id-ecPublicKey.
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
/// id-Ed25519.
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
/// id-X25519.
const X25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.110");

/// What may be behind a passphrase.
pub(crate) enum KeyFile {
    /// A key for everybody who has the file.
    Plain(PrivateKeyFile),
    /// PKCS#8, encrypted.
    Encrypted(SecretBytes),
    /// PKCS#12.
    Pkcs12(Pkcs12),
}

/// A private key that was read.
pub(crate) struct PrivateKeyFile {
    pub(crate) kind: KeyKind,
    /// Its values as attributes.
    values: Vec<(CK_ATTRIBUTE_TYPE, SecretBytes)>,
}

impl KeyFile {
    /// Recognises a file's content.
    pub(crate) fn recognize(content: &[u8]) -> Result<Self, Failure> {
        if !content.starts_with(b"-----") {
            return match Pkcs12::recognize(content) {
                Some(file) => Ok(Self::Pkcs12(file)),
                None if is_encrypted_key(content) => Ok(Self::Encrypted(SecretBytes::new(content.to_vec()))),
                None => pkcs8(content).or_else(|_| rsa(content)).or_else(|_| ec(content, None)).map(Self::Plain),
            }
            .map_err(|_| unreadable());
        }
        let (label, der) = der::pem::decode_vec(content).map_err(|_| unreadable())?;
        let der = SecretBytes::new(der);
        match label {
            "PRIVATE KEY" => pkcs8(&der).map(Self::Plain),
            "RSA PRIVATE KEY" => rsa(&der).map(Self::Plain),
            "EC PRIVATE KEY" => ec(&der, None).map(Self::Plain),
            "ENCRYPTED PRIVATE KEY" => Ok(Self::Encrypted(der)),
            _ => return Err(unreadable()),
        }
        .map_err(|_| unreadable())
    }
}

fn unreadable() -> Failure {
    Failure::new(Exit::Failure, "that is no private key in PKCS#8, PKCS#12, PKCS#1 or SEC 1")
        .advise("one that OpenSSL encrypted in its own older way is read by `openssl pkey -in FILE | cardea import -`")
}

impl PrivateKeyFile {
    /// A key in PKCS#8.
    pub(crate) fn from_pkcs8(der: &[u8]) -> Result<Self, Failure> {
        pkcs8(der).map_err(|_| unreadable())
    }

    /// Adds its values to a template.
    pub(crate) fn fill(&self, attributes: Attributes) -> Attributes {
        self.values.iter().fold(attributes, |attributes, (attribute, value)| attributes.bytes(*attribute, value))
    }
}

fn pkcs8(der: &[u8]) -> der::Result<PrivateKeyFile> {
    let mut reader = SliceReader::new(der)?;
    reader.sequence(|reader| {
        let _version = UintRef::decode(reader)?;
        let (algorithm, parameters) = reader.sequence(|reader| {
            let algorithm = ObjectIdentifier::decode(reader)?;
            let parameters = if reader.is_finished() { None } else { Some(AnyRef::decode(reader)?) };
            Ok::<_, der::Error>((algorithm, parameters))
        })?;
        let key = <&OctetStringRef>::decode(reader)?;
        while !reader.is_finished() {
            AnyRef::decode(reader)?;
        }
        match algorithm {
            RSA => rsa(key.as_bytes()),
            EC => {
                let oid = parameters.ok_or(Tag::ObjectIdentifier.value_error())?.decode_as::<ObjectIdentifier>()?;
                ec(key.as_bytes(), Some(oid))
            }
            ED25519 => montgomery(KeyKind::Ed25519, key.as_bytes()),
            X25519 => montgomery(KeyKind::X25519, key.as_bytes()),
            _ => Err(Tag::ObjectIdentifier.value_error().into()),
        }
    })
}

/// RSAPrivateKey with two primes.
fn rsa(der: &[u8]) -> der::Result<PrivateKeyFile> {
    const NUMBERS: [CK_ATTRIBUTE_TYPE; 8] = [
        CKA_MODULUS,
        CKA_PUBLIC_EXPONENT,
        CKA_PRIVATE_EXPONENT,
        CKA_PRIME_1,
        CKA_PRIME_2,
        CKA_EXPONENT_1,
        CKA_EXPONENT_2,
        CKA_COEFFICIENT,
    ];
    let mut reader = SliceReader::new(der)?;
    let values = reader.sequence(|reader| {
        if UintRef::decode(reader)?.as_bytes() != [0] {
            return Err(der::Error::from(Tag::Integer.value_error()));
        }
        let number = |reader: &mut _, attribute| {
            Ok::<_, der::Error>((attribute, SecretBytes::new(UintRef::decode(reader)?.as_bytes().to_vec())))
        };
        NUMBERS.into_iter().map(|attribute| number(reader, attribute)).collect::<Result<Vec<_>, _>>()
    })?;
    let modulus = values.first().map(|(_, modulus)| modulus.as_slice()).unwrap_or_default();
    let leading = modulus.first().map_or(0, |first| usize::try_from(first.leading_zeros()).unwrap_or(0));
    Ok(PrivateKeyFile { kind: KeyKind::Rsa { bits: (modulus.len() * 8).saturating_sub(leading) }, values })
}

/// ECPrivateKey; the curve is in it or beside it.
fn ec(der: &[u8], beside: Option<ObjectIdentifier>) -> der::Result<PrivateKeyFile> {
    let mut reader = SliceReader::new(der)?;
    reader.sequence(|reader| {
        let _version = UintRef::decode(reader)?;
        let scalar = <&OctetStringRef>::decode(reader)?;
        let mut oid = beside;
        while !reader.is_finished() {
            let field = AnyRef::decode(reader)?;
            if field.tag() == (Tag::ContextSpecific { constructed: true, number: TagNumber(0) }) {
                oid = Some(ObjectIdentifier::from_der(field.value())?);
            }
        }
        let named = oid.and_then(|oid| {
            Curve::ALL.into_iter().find(|curve| ObjectIdentifier::from_der(curve.oid_der()) == Ok(oid))
        });
        let curve = named.ok_or(Tag::ObjectIdentifier.value_error())?;
        let values = vec![
            (CKA_EC_PARAMS, SecretBytes::new(curve.oid_der().to_vec())),
            (CKA_VALUE, SecretBytes::new(scalar.as_bytes().to_vec())),
        ];
        Ok(PrivateKeyFile { kind: KeyKind::Ec(curve), values })
    })
}

/// CurvePrivateKey (RFC 8410 7): an OCTET STRING in the OCTET STRING.
fn montgomery(kind: KeyKind, der: &[u8]) -> der::Result<PrivateKeyFile> {
    let value = <&OctetStringRef>::from_der(der)?.as_bytes();
    if value.len() != 32 {
        return Err(Tag::OctetString.length_error().into());
    }
    let values = vec![
        (CKA_EC_PARAMS, SecretBytes::new(kind.ec_params().unwrap_or_default())),
        (CKA_VALUE, SecretBytes::new(value.to_vec())),
    ];
    Ok(PrivateKeyFile { kind, values })
}
