//! C_GetOperationState and C_SetOperationState.

use cardea_pkcs11::error::Error;
use cardea_pkcs11::mechanism::Hash;
use cardea_pkcs11::session::{Answer, digest, encrypt, search, state};
use cryptoki_sys::*;

use super::*;
use crate::in_process::keys::bytes;
use crate::in_process::setting::Setting;

fn begun(session: &Session, hash: Hash, part: &[u8]) -> Vec<u8> {
    digest::init(session, Mechanism::Digest(hash)).unwrap();
    digest::update(session, part).unwrap();
    let length = match state::save(session, None).unwrap() {
        Answer::Length(length) => length,
        _ => panic!("no length"),
    };
    assert!(matches!(state::save(session, Some(length - 1)), Ok(Answer::TooSmall(needed)) if needed == length));
    let saved = bytes(state::save(session, Some(length)).unwrap());
    assert_eq!(saved.len(), length);
    saved
}

#[test]
fn a_digest_goes_on_in_another_session() {
    let setting = Setting::elliptic();
    let (session, other) = (setting.open(), setting.open());
    for hash in Hash::ALL {
        let saved = begun(&session, hash, b"first ");
        digest::update(&session, b"elsewhere").unwrap();
        let length = hash.output_len();
        assert_eq!(bytes(digest::finish(&session, Some(length)).unwrap()), hash.digest(&[b"first elsewhere"]));
        for target in [&other, &session] {
            state::restore(target, &saved, 0, 0).unwrap();
            assert_eq!(digest::digest(target, b"", None).err(), Some(Error::OperationNotInitialized), "it has begun");
            digest::update(target, b"second").unwrap();
            assert_eq!(bytes(digest::finish(target, Some(length)).unwrap()), hash.digest(&[b"first second"]));
        }
    }
}

#[test]
fn what_is_not_a_digest_alone_is_not_saved() {
    let setting = Setting::elliptic();
    let session = setting.open();
    assert_eq!(state::save(&session, None).err(), Some(Error::OperationNotInitialized));
    let key = create(&session, &aes(&[7; 16])).unwrap();
    encrypt::init(&session, cbc(), key).unwrap();
    assert_eq!(state::save(&session, None).err(), Some(Error::StateUnsaveable));
    digest::init(&session, Mechanism::Digest(Hash::Sha256)).unwrap();
    assert_eq!(state::save(&session, None).err(), Some(Error::StateUnsaveable));
    session.cancel(CKF_ENCRYPT).unwrap();
    assert!(state::save(&session, None).is_ok());
    digest::key(&session, key).unwrap();
    assert_eq!(state::save(&session, None).err(), Some(Error::StateUnsaveable), "the key would be in it");
}

#[test]
fn a_state_that_was_changed_or_comes_from_elsewhere_is_refused() {
    let setting = Setting::elliptic();
    let session = setting.open();
    let saved = begun(&session, Hash::Sha256, b"part");
    session.cancel(u64::MAX).unwrap();
    let refused = Err(Error::SavedStateInvalid);
    for position in 0..saved.len() {
        let mut changed = saved.clone();
        changed[position] ^= 1;
        assert_eq!(state::restore(&session, &changed, 0, 0), refused, "{position}");
    }
    for length in [0, 1, 31, 32, 33, saved.len() - 1] {
        assert_eq!(state::restore(&session, &saved[..length], 0, 0), refused);
    }
    let foreign = Setting::elliptic();
    assert_eq!(state::restore(&foreign.open(), &saved, 0, 0), refused);
    assert_eq!(state::restore(&session, &saved, 1, 0), Err(Error::KeyNotNeeded));
    assert_eq!(state::restore(&session, &saved, 0, 1), Err(Error::KeyNotNeeded));
    assert_eq!(state::restore(&session, &saved, 0, 0), Ok(()));
}

#[test]
fn a_state_takes_the_place_of_what_is_active_and_one_that_is_refused_does_not() {
    let setting = Setting::elliptic();
    let session = setting.open();
    let saved = begun(&session, Hash::Sha256, b"first ");
    digest::update(&session, b"forgotten").unwrap();
    assert_eq!(state::restore(&session, &saved[1..], 0, 0), Err(Error::SavedStateInvalid));
    digest::update(&session, b"forgotten too").unwrap();
    search::find_init(&session, template(&[])).unwrap();
    let key = create(&session, &aes(&[7; 16])).unwrap();
    encrypt::init(&session, cbc(), key).unwrap();
    state::restore(&session, &saved, 0, 0).unwrap();
    assert_eq!(encrypt::encrypt(&session, b"", None).err(), Some(Error::OperationNotInitialized));
    digest::update(&session, b"second").unwrap();
    assert_eq!(bytes(digest::finish(&session, Some(32)).unwrap()), Hash::Sha256.digest(&[b"first second"]));
    assert_eq!(search::find_final(&session), Ok(()), "a search is no cryptographic operation");
}
