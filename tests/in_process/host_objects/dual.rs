//! The dual functions: one part through two operations.

use cardea_pkcs11::error::Error;
use cardea_pkcs11::mechanism::Hash;
use cardea_pkcs11::session::{Answer, decrypt, digest, dual, encrypt, sign, verify};
use cryptoki_sys::*;

use super::*;
use crate::in_process::keys::bytes;
use crate::in_process::setting::Setting;

fn cmac() -> Mechanism {
    mechanism(CKM_AES_CMAC, Parameters::None)
}

fn sha256(data: &[u8]) -> Vec<u8> {
    Hash::Sha256.digest(&[data])
}

#[test]
fn what_is_digested_and_encrypted_is_decrypted_and_digested_to_the_same() {
    let setting = Setting::elliptic();
    let session = setting.open();
    let key = create(&session, &aes(&[7; 16])).unwrap();
    let message: Vec<u8> = (0..64).collect();
    digest::init(&session, Mechanism::Digest(Hash::Sha256)).unwrap();
    encrypt::init(&session, cbc(), key).unwrap();
    let mut cryptogram = Vec::new();
    for part in message.chunks(10) {
        cryptogram.extend(bytes(dual::digest_encrypt(&session, part, Some(100)).unwrap()));
    }
    cryptogram.extend(bytes(encrypt::finish(&session, Some(16)).unwrap()));
    assert_eq!(bytes(digest::finish(&session, Some(32)).unwrap()), sha256(&message));
    encrypt::init(&session, cbc(), key).unwrap();
    assert_eq!(bytes(encrypt::encrypt(&session, &message, Some(64)).unwrap()), cryptogram);

    digest::init(&session, Mechanism::Digest(Hash::Sha256)).unwrap();
    decrypt::init(&session, cbc(), key).unwrap();
    let mut back = Vec::new();
    for part in cryptogram.chunks(10) {
        back.extend(bytes(dual::decrypt_digest(&session, part, Some(100)).unwrap()));
    }
    assert!(bytes(decrypt::finish(&session, Some(16)).unwrap()).is_empty());
    assert_eq!(back, message);
    assert_eq!(bytes(digest::finish(&session, Some(32)).unwrap()), sha256(&message));
}

#[test]
fn what_is_signed_and_encrypted_is_decrypted_and_verified() {
    let setting = Setting::elliptic();
    let session = setting.open();
    let key = create(&session, &aes(&[7; 16])).unwrap();
    let message = [9; 48];
    sign::init(&session, cmac(), key).unwrap();
    encrypt::init(&session, cbc(), key).unwrap();
    let mut cryptogram = Vec::new();
    for part in message.chunks(20) {
        cryptogram.extend(bytes(dual::sign_encrypt(&session, part, Some(100)).unwrap()));
    }
    bytes(encrypt::finish(&session, Some(16)).unwrap());
    let code = bytes(sign::finish(&session, Some(16)).unwrap());
    sign::init(&session, cmac(), key).unwrap();
    assert_eq!(bytes(sign::sign(&session, &message, Some(16)).unwrap()), code);

    verify::init(&session, cmac(), key).unwrap();
    decrypt::init(&session, cbc(), key).unwrap();
    for part in cryptogram.chunks(20) {
        bytes(dual::decrypt_verify(&session, part, Some(100)).unwrap());
    }
    bytes(decrypt::finish(&session, Some(16)).unwrap());
    assert_eq!(verify::finish(&session, &code), Ok(()));
}

#[test]
fn the_token_says_that_it_has_dual_functions_and_states_without_keys() {
    let flags = Setting::elliptic().token_info().unwrap().flags;
    assert_ne!(flags & CKF_DUAL_CRYPTO_OPERATIONS, 0);
    assert_ne!(flags & CKF_RESTORE_KEY_NOT_NEEDED, 0);
}

#[test]
fn both_operations_must_be_active() {
    let setting = Setting::elliptic();
    let session = setting.open();
    let key = create(&session, &aes(&[7; 16])).unwrap();
    type Dual = fn(&Session, &[u8], Option<usize>) -> Result<Answer, Error>;
    let duals: [Dual; 4] = [dual::digest_encrypt, dual::decrypt_digest, dual::sign_encrypt, dual::decrypt_verify];
    let none = |session: &Session| duals.map(|dual| dual(session, &[0; 16], Some(16)).err());
    assert_eq!(none(&session), [Some(Error::OperationNotInitialized); 4]);
    encrypt::init(&session, cbc(), key).unwrap();
    decrypt::init(&session, cbc(), key).unwrap();
    assert_eq!(none(&session), [Some(Error::OperationNotInitialized); 4]);
    session.cancel(u64::MAX).unwrap();
    digest::init(&session, Mechanism::Digest(Hash::Sha256)).unwrap();
    sign::init(&session, cmac(), key).unwrap();
    verify::init(&session, cmac(), key).unwrap();
    assert_eq!(none(&session), [Some(Error::OperationNotInitialized); 4]);
}

#[test]
fn a_length_query_or_a_buffer_too_small_passes_nothing_on() {
    let setting = Setting::elliptic();
    let session = setting.open();
    let key = create(&session, &aes(&[7; 16])).unwrap();
    digest::init(&session, Mechanism::Digest(Hash::Sha256)).unwrap();
    encrypt::init(&session, cbc(), key).unwrap();
    assert!(matches!(dual::digest_encrypt(&session, &[1; 20], None), Ok(Answer::Length(16))));
    assert!(matches!(dual::digest_encrypt(&session, &[1; 20], Some(15)), Ok(Answer::TooSmall(16))));
    assert_eq!(bytes(dual::digest_encrypt(&session, &[1; 20], Some(16)).unwrap()).len(), 16);
    assert_eq!(bytes(digest::finish(&session, Some(32)).unwrap()), sha256(&[1; 20]));
}

#[test]
fn a_key_destroyed_meanwhile_ends_its_half() {
    let setting = Setting::elliptic();
    let session = setting.open();
    let key = create(&session, &aes(&[7; 16])).unwrap();
    digest::init(&session, Mechanism::Digest(Hash::Sha256)).unwrap();
    encrypt::init(&session, cbc(), key).unwrap();
    bytes(dual::digest_encrypt(&session, &[1; 16], Some(16)).unwrap());
    objects::destroy(&session, key).unwrap();
    let next = dual::digest_encrypt(&session, &[1; 16], Some(16)).err();
    assert_eq!(next, Some(Error::OperationNotInitialized));
    assert_eq!(bytes(digest::finish(&session, Some(32)).unwrap()), sha256(&[1; 16]));
}
