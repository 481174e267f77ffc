//! Operations whose key is destroyed while they run (`sessions.md`, C_CloseSession 4), and keys that change meanwhile.

use cardea_pkcs11::error::Error;
use cardea_pkcs11::mechanism::Hash;
use cardea_pkcs11::session::{decrypt, digest, encrypt, sign, verify};
use cryptoki_sys::*;

use super::*;
use crate::in_process::keys::{CARD_AUTHENTICATION, bytes, public};
use crate::in_process::setting::Setting;

/// Starts every kind of operation with the key in `session`.
fn start_all(session: &Session, key: u64) {
    encrypt::init(session, cbc(), key).unwrap();
    decrypt::init(session, cbc(), key).unwrap();
    sign::init(session, mechanism(CKM_AES_CMAC, Parameters::None), key).unwrap();
    verify::init(session, mechanism(CKM_AES_CMAC, Parameters::None), key).unwrap();
    encrypt::update(session, &[0; 16], Some(16)).unwrap();
    decrypt::update(session, &[0; 16], Some(16)).unwrap();
    sign::update(session, b"part").unwrap();
    verify::update(session, b"part").unwrap();
}

/// Every next step finds no operation, and a new one no key.
fn all_ended(session: &Session, key: u64) {
    let ended = Some(Error::OperationNotInitialized);
    assert_eq!(encrypt::update(session, &[0; 16], Some(16)).err(), ended);
    assert_eq!(encrypt::finish(session, None).err(), ended);
    assert_eq!(decrypt::finish(session, Some(16)).err(), ended);
    assert_eq!(sign::finish(session, Some(16)).err(), ended);
    assert_eq!(verify::finish(session, &[0; 16]).err(), ended);
    assert_eq!(encrypt::init(session, cbc(), key), Err(Error::KeyHandleInvalid));
    assert_eq!(refusal(session, key, CKA_LABEL), Some(Error::ObjectHandleInvalid));
    assert_eq!(set(session, key, CKA_LABEL, b"x"), Err(Error::ObjectHandleInvalid));
    assert_eq!(objects::destroy(session, key), Err(Error::ObjectHandleInvalid));
}

#[test]
fn operations_end_when_another_session_destroys_their_key() {
    let setting = Setting::elliptic();
    let (owner, other) = (setting.open(), setting.open());
    let key = create(&owner, &aes(&[7; 16])).unwrap();
    start_all(&owner, key);
    objects::destroy(&other, key).unwrap();
    all_ended(&owner, key);
}

#[test]
fn operations_end_when_the_session_that_made_their_key_closes() {
    let setting = Setting::elliptic();
    let (owner, other) = (setting.open(), setting.open());
    let key = create(&owner, &aes(&[7; 16])).unwrap();
    start_all(&other, key);
    setting.library.close_session(owner.handle()).unwrap();
    all_ended(&other, key);
}

#[test]
fn operations_end_when_the_user_logs_out_and_their_key_was_private() {
    let setting = Setting::elliptic();
    let (session, other) = (setting.logged_in(), setting.open());
    let private = create(&session, &aes(&[7; 16])).unwrap();
    let public = create(&session, &with(&aes(&[7; 16]), &[(CKA_PRIVATE, &NO)])).unwrap();
    start_all(&session, private);
    encrypt::init(&other, cbc(), public).unwrap();
    other.logout().unwrap();
    all_ended(&session, private);
    assert_eq!(bytes(encrypt::encrypt(&other, &[0; 16], Some(16)).unwrap()).len(), 16);
}

#[test]
fn an_ended_operation_makes_room_for_another() {
    let setting = Setting::elliptic();
    let session = setting.open();
    let keys = [(); 2].map(|()| create(&session, &aes(&[7; 16])).unwrap());
    encrypt::init(&session, cbc(), keys[0]).unwrap();
    objects::destroy(&session, keys[0]).unwrap();
    assert_eq!(encrypt::init(&session, cbc(), keys[1]), Ok(()));
}

#[test]
fn operations_without_the_key_go_on() {
    let setting = Setting::elliptic();
    let session = setting.open();
    let key = create(&session, &aes(&[7; 16])).unwrap();
    encrypt::init(&session, cbc(), key).unwrap();
    digest::init(&session, Mechanism::Digest(Hash::Sha256)).unwrap();
    verify::init(&session, Mechanism::Ecdsa, public(&session, CARD_AUTHENTICATION)).unwrap();
    objects::destroy(&session, key).unwrap();
    assert_eq!(encrypt::finish(&session, None).err(), Some(Error::OperationNotInitialized));
    assert_eq!(bytes(digest::digest(&session, b"", Some(32)).unwrap()).len(), 32);
    assert_eq!(verify::verify(&session, &[1; 32], &[1; 64]), Err(Error::SignatureInvalid));
}

#[test]
fn a_public_key_that_is_destroyed_ends_its_verification() {
    let setting = Setting::elliptic();
    let session = setting.open();
    let point = attribute(&session, public(&session, CARD_AUTHENTICATION), CKA_EC_POINT);
    let pairs = vec![
        (CKA_CLASS, number(CKO_PUBLIC_KEY)),
        (CKA_KEY_TYPE, number(CKK_EC)),
        (CKA_EC_PARAMS, hex::decode("06082a8648ce3d030107").unwrap()),
        (CKA_EC_POINT, point),
    ];
    let key = create(&session, &pairs).unwrap();
    verify::init(&session, Mechanism::Ecdsa, key).unwrap();
    objects::destroy(&session, key).unwrap();
    assert_eq!(verify::verify(&session, &[1; 32], &[1; 64]), Err(Error::OperationNotInitialized));
}

#[test]
fn an_operation_goes_on_with_a_key_whose_attributes_change() {
    let setting = Setting::elliptic();
    let session = setting.open();
    let key = create(&session, &aes(&[7; 16])).unwrap();
    encrypt::init(&session, cbc(), key).unwrap();
    set(&session, key, CKA_SENSITIVE, &YES).unwrap();
    set(&session, key, CKA_ENCRYPT, &NO).unwrap();
    assert_eq!(bytes(encrypt::encrypt(&session, &[0; 16], Some(16)).unwrap()).len(), 16);
    assert_eq!(encrypt::init(&session, cbc(), key), Err(Error::KeyFunctionNotPermitted));
}

#[test]
fn many_threads_use_and_destroy_one_key_and_each_is_told_what_happened() {
    let setting = Setting::elliptic();
    for _ in 0..50 {
        let owner = setting.open();
        let key = create(&owner, &aes(&[7; 16])).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..3 {
                let session = setting.open();
                scope.spawn(move || {
                    loop {
                        match encrypt::init(&session, cbc(), key) {
                            Ok(()) => {}
                            Err(error) => break assert_eq!(error, Error::KeyHandleInvalid),
                        }
                        match encrypt::encrypt(&session, &[0; 64], Some(64)) {
                            Ok(answer) => assert_eq!(bytes(answer).len(), 64),
                            Err(error) => assert_eq!(error, Error::OperationNotInitialized),
                        }
                    }
                });
            }
            setting.library.close_session(owner.handle()).unwrap();
        });
        setting.library.close_all_sessions(0).unwrap();
    }
}
