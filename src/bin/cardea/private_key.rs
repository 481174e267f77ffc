//! Private keys in files: PKCS#8 (RFC 5958, RFC 8410), PKCS#1 (RFC 8017 A.1.2) and SEC 1 C.4, in PEM or DER.

use cardea_pkcs11::card::key::KeyKind;
use cardea_pkcs11::object::attribute::Value;
use cardea_pkcs11::object::private_key_info::DecodedKey;
use cardea_pkcs11::secret::SecretBytes;
use cryptoki_sys::{CK_KEY_TYPE, CKA_EC_POINT};

use crate::failure::{Exit, Failure};
use crate::pkcs12::{Pkcs12, is_encrypted_key};
use crate::writer::Attributes;

/// The last line of a curve's parameters in PEM.
const END_OF_PARAMETERS: &[u8] = b"-----END EC PARAMETERS-----";

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
    key: DecodedKey,
}

impl KeyFile {
    /// Recognises a file's content.
    pub(crate) fn recognize(content: &[u8]) -> Result<Self, Failure> {
        if !content.starts_with(b"-----") {
            return match Pkcs12::recognize(content) {
                Some(file) => Ok(Self::Pkcs12(file)),
                None if is_encrypted_key(content) => Ok(Self::Encrypted(SecretBytes::new(content.to_vec()))),
                None => DecodedKey::from_private_key_info(content)
                    .or_else(|_| DecodedKey::from_rsa_private_key(content))
                    .or_else(|_| DecodedKey::from_ec_private_key(content))
                    .map_err(|_| unreadable())
                    .and_then(PrivateKeyFile::of)
                    .map(Self::Plain),
            };
        }
        let (label, der) = der::pem::decode_vec(without_parameters(content)).map_err(|_| unreadable())?;
        let der = SecretBytes::new(der);
        let key = match label {
            "PRIVATE KEY" => DecodedKey::from_private_key_info(&der),
            "RSA PRIVATE KEY" => DecodedKey::from_rsa_private_key(&der),
            "EC PRIVATE KEY" => DecodedKey::from_ec_private_key(&der),
            "ENCRYPTED PRIVATE KEY" => return Ok(Self::Encrypted(der)),
            _ => return Err(unreadable()),
        };
        PrivateKeyFile::of(key.map_err(|_| unreadable())?).map(Self::Plain)
    }
}

/// What follows the parameters of a curve, which `openssl ecparam -genkey` writes before the key, and which the key
/// repeats.
fn without_parameters(content: &[u8]) -> &[u8] {
    let end = content.windows(END_OF_PARAMETERS.len()).position(|window| window == END_OF_PARAMETERS);
    let rest = end.and_then(|end| content.get(end + END_OF_PARAMETERS.len()..)).unwrap_or(content);
    rest.trim_ascii_start()
}

fn unreadable() -> Failure {
    Failure::new(Exit::Failure, "that is no private key in PKCS#8, PKCS#12, PKCS#1 or SEC 1")
        .advise("one that OpenSSL encrypted in its own older way is read by `openssl pkey -in FILE | cardea import -`")
}

impl PrivateKeyFile {
    /// A key in PKCS#8.
    pub(crate) fn from_pkcs8(der: &[u8]) -> Result<Self, Failure> {
        DecodedKey::from_private_key_info(der).map_err(|_| unreadable()).and_then(Self::of)
    }

    fn of(key: DecodedKey) -> Result<Self, Failure> {
        Ok(Self { kind: key.kind().ok_or_else(unreadable)?, key })
    }

    pub(crate) fn key_type(&self) -> CK_KEY_TYPE {
        self.key.key_type
    }

    /// Adds its numbers to a template, without the public half, which follows from them.
    pub(crate) fn fill(&self, attributes: Attributes) -> Attributes {
        self.key.numbers.iter().fold(attributes, |attributes, (attribute, value)| match value {
            Value::Bytes(bytes) if attribute != CKA_EC_POINT => attributes.bytes(attribute, bytes),
            _ => attributes,
        })
    }
}
