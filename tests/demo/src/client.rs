//! The module as a program uses it: one session, the keys with their certificates, signatures and decryption.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::rsa::{PkcsMgfType, PkcsOaepParams, PkcsOaepSource};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;

use crate::Result;
use crate::openssl::Openssl;

/// A certificate on the token.
pub(crate) struct Certificate {
    pub(crate) label: String,
    pub(crate) id: Vec<u8>,
    pub(crate) value: Vec<u8>,
}

/// A private key with its certificate.
pub(crate) struct Credential {
    pub(crate) label: String,
    pub(crate) key: ObjectHandle,
    pub(crate) key_type: KeyType,
    pub(crate) signs: bool,
    pub(crate) decrypts: bool,
    /// The PIN is wanted for each use.
    pub(crate) always_authenticate: bool,
    /// The certificate as the token holds it.
    pub(crate) der: Vec<u8>,
    /// The same as a PEM file.
    pub(crate) pem: PathBuf,
}

pub(crate) fn load(module: &Path) -> Result<Pkcs11> {
    let pkcs11 = Pkcs11::new(module)?;
    pkcs11.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))?;
    Ok(pkcs11)
}

/// How many objects of each class there are, and the certificates.
pub(crate) fn objects(session: &Session) -> Result<(BTreeMap<&'static str, usize>, Vec<Certificate>)> {
    let mut counts = BTreeMap::new();
    let mut certificates = Vec::new();
    for object in session.find_objects(&[])? {
        let class = session.get_attributes(object, &[AttributeType::Class])?;
        let name = match class.first() {
            Some(Attribute::Class(ObjectClass::CERTIFICATE)) => {
                certificates.push(certificate(session, object)?);
                "certificates"
            }
            Some(Attribute::Class(ObjectClass::PUBLIC_KEY)) => "public keys",
            Some(Attribute::Class(ObjectClass::PRIVATE_KEY)) => "private keys",
            Some(Attribute::Class(ObjectClass::DATA)) => "data objects",
            Some(Attribute::Class(ObjectClass::PROFILE)) => "profiles",
            _ => "others",
        };
        *counts.entry(name).or_insert(0) += 1;
    }
    Ok((counts, certificates))
}

fn certificate(session: &Session, object: ObjectHandle) -> Result<Certificate> {
    let mut certificate = Certificate { label: String::new(), id: Vec::new(), value: Vec::new() };
    for attribute in session.get_attributes(object, &[AttributeType::Label, AttributeType::Id, AttributeType::Value])? {
        match attribute {
            Attribute::Label(label) => certificate.label = String::from_utf8_lossy(&label).into_owned(),
            Attribute::Id(id) => certificate.id = id,
            Attribute::Value(value) => certificate.value = value,
            _ => {}
        }
    }
    Ok(certificate)
}

/// The private keys that have a certificate.
pub(crate) fn credentials(
    session: &Session,
    certificates: &[Certificate],
    openssl: &Openssl<'_>,
) -> Result<Vec<Credential>> {
    let mut credentials = Vec::new();
    for key in session.find_objects(&[Attribute::Class(ObjectClass::PRIVATE_KEY)])? {
        let wanted = [
            AttributeType::Id,
            AttributeType::KeyType,
            AttributeType::Sign,
            AttributeType::Decrypt,
            AttributeType::AlwaysAuthenticate,
        ];
        let attributes = session.get_attributes(key, &wanted)?;
        let has = |attribute: &Attribute| attributes.contains(attribute);
        let found =
            certificates.iter().enumerate().find(|(_, certificate)| has(&Attribute::Id(certificate.id.clone())));
        let key_type = attributes.iter().find_map(|attribute| match attribute {
            Attribute::KeyType(key_type) => Some(*key_type),
            _ => None,
        });
        if let (Some((index, certificate)), Some(key_type)) = (found, key_type) {
            credentials.push(Credential {
                label: certificate.label.clone(),
                key,
                key_type,
                signs: has(&Attribute::Sign(true)),
                decrypts: has(&Attribute::Decrypt(true)),
                always_authenticate: has(&Attribute::AlwaysAuthenticate(true)),
                der: certificate.value.clone(),
                pem: openssl.certificate(&format!("certificate-{index}"), &certificate.value)?,
            });
        }
    }
    Ok(credentials)
}

impl Credential {
    /// Signs `message` with SHA-256, in the encoding that openssl takes.
    pub(crate) fn sign(&self, session: &Session, message: &[u8], pin: &AuthPin) -> Result<Vec<u8>> {
        let elliptic = self.key_type == KeyType::EC;
        let mechanism = if elliptic { Mechanism::EcdsaSha256 } else { Mechanism::Sha256RsaPkcs };
        session.sign_init(&mechanism, self.key)?;
        if self.always_authenticate {
            session.login(UserType::ContextSpecific, Some(pin))?;
        }
        session.sign_update(message)?;
        let signature = session.sign_final()?;
        Ok(if elliptic { ecdsa_der(&signature) } else { signature })
    }

    /// Decrypts RSA-OAEP with SHA-256.
    pub(crate) fn decrypt(&self, session: &Session, encrypted: &[u8]) -> Result<Vec<u8>> {
        let parameters = PkcsOaepParams::new(MechanismType::SHA256, PkcsMgfType::MGF1_SHA256, PkcsOaepSource::empty());
        Ok(session.decrypt(&Mechanism::RsaPkcsOaep(parameters), self.key, encrypted)?)
    }
}

/// Cryptoki's `r ‖ s` as the SEQUENCE of two INTEGERs that X.509 and TLS use.
pub(crate) fn ecdsa_der(signature: &[u8]) -> Vec<u8> {
    let (r, s) = signature.split_at(signature.len() / 2);
    let content = [integer(r), integer(s)].concat();
    let mut sequence = vec![0x30];
    if content.len() > 0x7F {
        sequence.push(0x81);
    }
    sequence.push(u8::try_from(content.len()).unwrap_or(u8::MAX));
    sequence.extend(content);
    sequence
}

fn integer(magnitude: &[u8]) -> Vec<u8> {
    let start = magnitude.iter().position(|byte| *byte != 0).unwrap_or(magnitude.len() - 1);
    let digits = &magnitude[start..];
    let padding = if digits[0] > 0x7F { &[0][..] } else { &[] };
    let length = u8::try_from(padding.len() + digits.len()).unwrap_or(u8::MAX);
    [&[0x02, length], padding, digits].concat()
}
