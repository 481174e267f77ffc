//! Cases that leave the token as it was. A signature counter may move; a PIN is presented only when no try is missing.

use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, SessionState, UserType};

use crate::case::{Ending, Subject, ensure};

/// What is signed.
pub(crate) const MESSAGE: &[u8] = b"Cardea hardware test";

/// Opens a session and logs in, unless that would be on thin ice.
pub(crate) fn user_session(subject: &Subject<'_>, read_write: bool) -> Result<Session, Ending> {
    let pin = subject.pin.as_ref().ok_or_else(|| Ending::Skipped("the allow-list names no PIN".to_owned()))?;
    let token = subject.module.get_token_info(subject.slot)?;
    if token.user_pin_count_low() || token.user_pin_final_try() || token.user_pin_locked() {
        return Err(Ending::Skipped("a try of the PIN is missing: present it elsewhere first".to_owned()));
    }
    let session = if read_write {
        subject.module.open_rw_session(subject.slot)
    } else {
        subject.module.open_ro_session(subject.slot)
    }?;
    session.login(UserType::User, Some(pin))?;
    Ok(session)
}

pub(crate) fn describe_themselves(subject: &Subject<'_>) -> Result<(), Ending> {
    let (slot, token) = (subject.module.get_slot_info(subject.slot)?, subject.token);
    ensure(slot.token_present() && slot.hardware_slot(), || "slot flags deny the token".to_owned())?;
    ensure(!slot.slot_description().is_empty(), || "no slot description".to_owned())?;
    ensure(!token.serial_number().is_empty() && !token.label().is_empty(), || {
        "no serial number or no label".to_owned()
    })?;
    ensure(token.min_pin_length() <= token.max_pin_length(), || "PIN lengths".to_owned())?;
    ensure(token.token_initialized(), || "not initialised".to_owned())
}

pub(crate) fn mechanisms(subject: &Subject<'_>) -> Result<(), Ending> {
    let mechanisms = subject.module.get_mechanism_list(subject.slot)?;
    ensure(!mechanisms.is_empty(), || "no mechanism".to_owned())?;
    for mechanism in mechanisms {
        let info = subject.module.get_mechanism_info(subject.slot, mechanism)?;
        ensure(info.min_key_size() <= info.max_key_size(), || format!("{mechanism}: key sizes"))?;
    }
    Ok(())
}

pub(crate) fn objects(subject: &Subject<'_>) -> Result<(), Ending> {
    // Class and label of each object, and the value where it is a certificate.
    let look = || -> Result<Vec<[Vec<Attribute>; 2]>, Ending> {
        let session = subject.module.open_ro_session(subject.slot)?;
        let mut found = Vec::new();
        for object in session.find_objects(&[])? {
            let identity = session.get_attributes(object, &[AttributeType::Class, AttributeType::Label])?;
            let certificate = identity.contains(&Attribute::Class(ObjectClass::CERTIFICATE));
            let value = if certificate { session.get_attributes(object, &[AttributeType::Value])? } else { Vec::new() };
            let empty = value.iter().any(|value| matches!(value, Attribute::Value(bytes) if bytes.is_empty()));
            ensure(!empty, || format!("{identity:?} has no value"))?;
            found.push([identity, value]);
        }
        Ok(found)
    };
    let (first, second) = (look()?, look()?);
    ensure(first == second, || format!("{} objects, then {} others", first.len(), second.len()))
}

pub(crate) fn random(subject: &Subject<'_>) -> Result<(), Ending> {
    if !subject.token.rng() {
        return Err(Ending::Skipped("the token has no random numbers".to_owned()));
    }
    let session = subject.module.open_ro_session(subject.slot)?;
    let (first, second) = (session.generate_random_vec(32)?, session.generate_random_vec(32)?);
    ensure(first != second, || "32 bytes came twice".to_owned())
}

pub(crate) fn login(subject: &Subject<'_>) -> Result<(), Ending> {
    let state = |session: &Session| session.get_session_info().map(|info| info.session_state());
    let session = user_session(subject, false)?;
    ensure(state(&session)? == SessionState::RoUser, || "logged in and not in the user's state".to_owned())?;
    session.logout()?;
    ensure(state(&session)? == SessionState::RoPublic, || "logged out and not in the public state".to_owned())?;
    session.close()?;
    user_session(subject, false)?.close()?;
    let session = subject.module.open_ro_session(subject.slot)?;
    ensure(state(&session)? == SessionState::RoPublic, || "the last session closed and the login stayed".to_owned())
}

pub(crate) fn signatures(subject: &Subject<'_>) -> Result<(), Ending> {
    let session = user_session(subject, false)?;
    let keys = session.find_objects(&[Attribute::Class(ObjectClass::PRIVATE_KEY), Attribute::Sign(true)])?;
    let mut signed = 0;
    for key in keys {
        let Some(public) = public_key(&session, key)? else { continue };
        if let Some(mechanism) = mechanism(&session, key)? {
            sign_and_verify(subject, &session, &mechanism, key, public)?;
            signed += 1;
        }
    }
    if signed == 0 { Err(Ending::Skipped("no signing key with a public key".to_owned())) } else { Ok(()) }
}

/// The public key with the private key's CKA_ID.
fn public_key(session: &Session, key: ObjectHandle) -> Result<Option<ObjectHandle>, Ending> {
    let id = session.get_attributes(key, &[AttributeType::Id])?;
    let template: Vec<_> = id.into_iter().chain([Attribute::Class(ObjectClass::PUBLIC_KEY)]).collect();
    Ok(session.find_objects(&template)?.into_iter().next())
}

/// How the key signs a whole message; `None` for kinds of keys that sign otherwise.
fn mechanism(session: &Session, key: ObjectHandle) -> Result<Option<Mechanism<'static>>, Ending> {
    Ok(session.get_attributes(key, &[AttributeType::KeyType])?.into_iter().find_map(|attribute| match attribute {
        Attribute::KeyType(KeyType::RSA) => Some(Mechanism::Sha256RsaPkcs),
        Attribute::KeyType(KeyType::EC) => Some(Mechanism::EcdsaSha256),
        _ => None,
    }))
}

/// Signs in parts, which leaves room for the PIN of keys that want it each time (CKA_ALWAYS_AUTHENTICATE).
pub(crate) fn sign_and_verify(
    subject: &Subject<'_>,
    session: &Session,
    mechanism: &Mechanism<'_>,
    key: ObjectHandle,
    public: ObjectHandle,
) -> Result<(), Ending> {
    let always = session.get_attributes(key, &[AttributeType::AlwaysAuthenticate])?;
    session.sign_init(mechanism, key)?;
    if always.contains(&Attribute::AlwaysAuthenticate(true)) {
        session.login(UserType::ContextSpecific, subject.pin.as_ref())?;
    }
    session.sign_update(MESSAGE)?;
    let signature = session.sign_final()?;
    session.verify(mechanism, public, MESSAGE, &signature)?;
    let refused = session.verify(mechanism, public, b"another message", &signature).is_err();
    ensure(refused, || "a signature of one message passes for another".to_owned())
}
