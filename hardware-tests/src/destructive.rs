//! Cases that write to the token, and take back what they wrote.

use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, ObjectClass};

use crate::case::{Ending, Subject, ensure, is_not_served};
use crate::read_only::{MESSAGE, sign_and_verify, user_session};

/// The label of everything that is made here.
const LABEL: &[u8] = b"cardea-hardware-test";
/// OID of P-256 (SEC 2: secp256r1) in DER.
const P256: &[u8] = &[0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07];

fn or_skipped<T>(result: cryptoki::error::Result<T>) -> Result<T, Ending> {
    result.map_err(|error| if is_not_served(&error) { Ending::Skipped(format!("{error:?}")) } else { error.into() })
}

pub(crate) fn data_object(subject: &Subject<'_>) -> Result<(), Ending> {
    let session = user_session(subject, true)?;
    let template = [
        Attribute::Class(ObjectClass::DATA),
        Attribute::Token(true),
        Attribute::Label(LABEL.to_vec()),
        Attribute::Value(MESSAGE.to_vec()),
    ];
    let object = or_skipped(session.create_object(&template))?;
    let read = session.get_attributes(object, &[AttributeType::Value]);
    // Whatever was read, the token gets rid of the object.
    session.destroy_object(object)?;
    ensure(read? == [Attribute::Value(MESSAGE.to_vec())], || "another value was read than written".to_owned())?;
    let left = session.find_objects(&[Attribute::Label(LABEL.to_vec())])?;
    ensure(left.is_empty(), || format!("{} objects are left", left.len()))
}

pub(crate) fn key_pair(subject: &Subject<'_>) -> Result<(), Ending> {
    let session = user_session(subject, true)?;
    let common = [Attribute::Token(true), Attribute::Label(LABEL.to_vec()), Attribute::Id(LABEL.to_vec())];
    let public = [&common[..], &[Attribute::EcParams(P256.to_vec()), Attribute::Verify(true)]].concat();
    let private =
        [&common[..], &[Attribute::Sign(true), Attribute::Sensitive(true), Attribute::Private(true)]].concat();
    let (public, private) = or_skipped(session.generate_key_pair(&Mechanism::EccKeyPairGen, &public, &private))?;
    let used = sign_and_verify(subject, &session, &Mechanism::EcdsaSha256, private, public);
    session.destroy_object(private)?;
    session.destroy_object(public)?;
    used
}
