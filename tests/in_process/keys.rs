//! Finding keys and using them, as an application does.

use cardea_harness::provision::PIN;
use cardea_pkcs11::error::Error;
use cardea_pkcs11::mechanism::{EcdhParameters, Kdf, Mechanism};
use cardea_pkcs11::object::template::Template;
use cardea_pkcs11::session::objects::{AttributeValue, attribute_values};
use cardea_pkcs11::session::{Answer, Session, decrypt, derive, encrypt, search, sign, verify};
use cryptoki_sys::{
    CK_ATTRIBUTE_TYPE, CK_ULONG, CKA_CLASS, CKA_EC_POINT, CKA_ID, CKA_KEY_TYPE, CKK_GENERIC_SECRET, CKO_PRIVATE_KEY,
    CKO_PUBLIC_KEY, CKO_SECRET_KEY,
};
use zeroize::Zeroizing;

use super::setting::{CONTEXT, pin};

/// CKA_ID of the key in 9A.
pub const AUTHENTICATION: u8 = 1;
/// CKA_ID of the key in 9C.
pub const SIGNATURE: u8 = 2;
/// CKA_ID of the key in 9D.
pub const MANAGEMENT: u8 = 3;
/// CKA_ID of the key in 9E.
pub const CARD_AUTHENTICATION: u8 = 4;

/// A SHA-256 digest, which ECDSA with P-256 takes as it is.
pub const DIGEST: &[u8; 32] = b"thirty-two bytes to be signed...";

/// A template of attributes.
pub fn template(attributes: &[(CK_ATTRIBUTE_TYPE, &[u8])]) -> Template {
    Template::new(attributes.iter().map(|(attribute, value)| (*attribute, Zeroizing::new(value.to_vec()))).collect())
}

/// All objects that match.
pub fn find_all(session: &Session, attributes: &[(CK_ATTRIBUTE_TYPE, &[u8])]) -> Result<Vec<u64>, Error> {
    search::find_init(session, template(attributes))?;
    let found = search::find(session, usize::MAX);
    search::find_final(session)?;
    found
}

fn key(session: &Session, class: CK_ULONG, id: u8) -> Result<u64, Error> {
    let found = find_all(session, &[(CKA_CLASS, &class.to_ne_bytes()), (CKA_ID, &[id])])?;
    assert!(found.len() <= 1);
    found.first().copied().ok_or(Error::KeyHandleInvalid)
}

/// The private key with this id, if this session sees it.
pub fn private(session: &Session, id: u8) -> Option<u64> {
    match key(session, CKO_PRIVATE_KEY, id) {
        Err(Error::KeyHandleInvalid) => None,
        found => Some(found.unwrap()),
    }
}

/// The public key with this id.
pub fn public(session: &Session, id: u8) -> u64 {
    key(session, CKO_PUBLIC_KEY, id).unwrap()
}

/// The bytes of an answer that is one.
pub fn bytes(answer: Answer) -> Vec<u8> {
    match answer {
        Answer::Bytes(bytes) => bytes.to_vec(),
        Answer::Length(length) => panic!("a length, {length}"),
        Answer::TooSmall(length) => panic!("the buffer is too small for {length}"),
    }
}

/// One attribute.
pub fn attribute(session: &Session, object: u64, attribute: CK_ATTRIBUTE_TYPE) -> Vec<u8> {
    match attribute_values(session, object, &[attribute]).unwrap().pop() {
        Some(AttributeValue::Value(value)) => value.to_vec(),
        _ => panic!("attribute {attribute:#x} has no value to show"),
    }
}

/// The same attribute of several objects.
pub fn attribute_of_all(session: &Session, objects: &[u64], wanted: CK_ATTRIBUTE_TYPE) -> Vec<Vec<u8>> {
    objects.iter().map(|object| attribute(session, *object, wanted)).collect()
}

/// C_SignInit and C_Sign.
pub fn signature(session: &Session, mechanism: Mechanism, key: u64, data: &[u8]) -> Result<Vec<u8>, Error> {
    sign::init(session, mechanism, key)?;
    sign::sign(session, data, Some(1024)).map(bytes)
}

/// A signature by a P-256 key with this id.
pub fn ecdsa(session: &Session, id: u8) -> Result<Vec<u8>, Error> {
    let key = key(session, CKO_PRIVATE_KEY, id)?;
    signature(session, Mechanism::Ecdsa, key, DIGEST)
}

/// A signature by the key in 9C, with its context-specific login.
pub fn ecdsa_with_context(session: &Session) -> Result<Vec<u8>, Error> {
    let key = key(session, CKO_PRIVATE_KEY, SIGNATURE)?;
    sign::init(session, Mechanism::Ecdsa, key)?;
    session.login(CONTEXT, pin(PIN))?;
    sign::sign(session, DIGEST, Some(1024)).map(bytes)
}

/// C_VerifyInit and C_Verify with the public key that has this id.
pub fn verified(session: &Session, mechanism: Mechanism, id: u8, data: &[u8], signature: &[u8]) -> Result<(), Error> {
    verify::init(session, mechanism, public(session, id))?;
    verify::verify(session, data, signature)
}

/// C_EncryptInit and C_Encrypt with the public key that has this id.
pub fn encrypted(session: &Session, mechanism: Mechanism, id: u8, data: &[u8]) -> Vec<u8> {
    encrypt::init(session, mechanism, public(session, id)).unwrap();
    bytes(encrypt::encrypt(session, data, Some(1024)).unwrap())
}

/// C_DecryptInit and C_Decrypt.
pub fn decrypted(session: &Session, mechanism: Mechanism, id: u8, data: &[u8]) -> Result<Vec<u8>, Error> {
    let key = key(session, CKO_PRIVATE_KEY, id)?;
    decrypt::init(session, mechanism, key)?;
    decrypt::decrypt(session, data, Some(1024)).map(bytes)
}

/// ECDH with the other party's point, as a mechanism.
pub fn ecdh(public_data: Vec<u8>) -> Mechanism {
    Mechanism::Ecdh1(EcdhParameters { cofactor: false, kdf: Kdf::Null, shared_data: Vec::new(), public_data })
}

/// A secret that the key in 9D agrees on with the holder of the key in 9E, as a session object with these attributes
/// besides.
pub fn agreed_with(session: &Session, more: &[(CK_ATTRIBUTE_TYPE, &[u8])]) -> Result<u64, Error> {
    let point = attribute(session, key(session, CKO_PUBLIC_KEY, CARD_AUTHENTICATION)?, CKA_EC_POINT);
    let base = key(session, CKO_PRIVATE_KEY, MANAGEMENT)?;
    let (class, key_type) = (CKO_SECRET_KEY.to_ne_bytes(), CKK_GENERIC_SECRET.to_ne_bytes());
    let mut attributes: Vec<(CK_ATTRIBUTE_TYPE, &[u8])> = vec![(CKA_CLASS, &class), (CKA_KEY_TYPE, &key_type)];
    attributes.extend_from_slice(more);
    derive::derive(session, ecdh(point), base, template(&attributes))
}
