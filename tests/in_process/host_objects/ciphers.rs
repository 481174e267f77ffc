//! Encryption, decryption and codes with secret keys, as an application makes the calls.

use cardea_pkcs11::error::Error;
use cardea_pkcs11::mechanism::Hash;
use cardea_pkcs11::session::{Answer, decrypt, digest, encrypt, sign, verify};
use cryptoki_sys::*;

use super::*;
use crate::in_process::keys::bytes;
use crate::in_process::setting::Setting;

/// Begins an operation.
type Start<'s> = &'s dyn Fn() -> Result<(), Error>;

fn gcm() -> Mechanism {
    mechanism(CKM_AES_GCM, Parameters::Gcm { iv: vec![1; 12], associated: b"header".to_vec(), tag_bits: 128 })
}

fn every_cipher() -> Vec<Mechanism> {
    let iv = || Parameters::Bytes(vec![3; 16]);
    vec![
        mechanism(CKM_AES_ECB, Parameters::None),
        mechanism(CKM_AES_CBC, iv()),
        mechanism(CKM_AES_CBC_PAD, iv()),
        mechanism(CKM_AES_CTR, Parameters::Ctr { bits: 64, block: [4; 16] }),
        gcm(),
        mechanism(CKM_AES_KEY_WRAP, Parameters::None),
        mechanism(CKM_AES_KEY_WRAP_KWP, Parameters::None),
        mechanism(CKM_AES_KEY_WRAP_PKCS7, Parameters::None),
    ]
}

fn length(answer: Answer) -> usize {
    match answer {
        Answer::Length(length) | Answer::TooSmall(length) => length,
        Answer::Bytes(bytes) => panic!("{} bytes", bytes.len()),
    }
}

#[test]
fn every_cipher_comes_back_in_one_part_and_in_many() {
    let setting = Setting::elliptic();
    let session = setting.open();
    let key = create(&session, &aes(&[7; 32])).unwrap();
    let message = [5; 64];
    for mechanism in every_cipher() {
        encrypt::init(&session, mechanism.clone(), key).unwrap();
        let needed = length(encrypt::encrypt(&session, &message, None).unwrap());
        assert_eq!(length(encrypt::encrypt(&session, &message, Some(needed - 1)).unwrap()), needed);
        let whole = bytes(encrypt::encrypt(&session, &message, Some(needed)).unwrap());
        assert_eq!(whole.len(), needed, "{mechanism:?}");
        assert_eq!(encrypt::encrypt(&session, &message, None).err(), Some(Error::OperationNotInitialized));

        encrypt::init(&session, mechanism.clone(), key).unwrap();
        let mut parts = Vec::new();
        for part in message.chunks(9) {
            let needed = length(encrypt::update(&session, part, None).unwrap());
            if needed > 0 {
                assert_eq!(length(encrypt::update(&session, part, Some(needed - 1)).unwrap()), needed);
            }
            parts.extend(bytes(encrypt::update(&session, part, Some(needed)).unwrap()));
        }
        let needed = length(encrypt::finish(&session, None).unwrap());
        parts.extend(bytes(encrypt::finish(&session, Some(needed)).unwrap()));
        assert_eq!(parts, whole, "{mechanism:?}");

        decrypt::init(&session, mechanism.clone(), key).unwrap();
        assert!(length(decrypt::decrypt(&session, &whole, None).unwrap()) >= message.len());
        assert_eq!(length(decrypt::decrypt(&session, &whole, Some(message.len() - 1)).unwrap()), message.len());
        assert_eq!(bytes(decrypt::decrypt(&session, &whole, Some(message.len())).unwrap()), message);

        decrypt::init(&session, mechanism.clone(), key).unwrap();
        let mut parts = Vec::new();
        for part in whole.chunks(11) {
            let needed = length(decrypt::update(&session, part, None).unwrap());
            parts.extend(bytes(decrypt::update(&session, part, Some(needed)).unwrap()));
        }
        let most = length(decrypt::finish(&session, None).unwrap());
        parts.extend(bytes(decrypt::finish(&session, Some(most)).unwrap()));
        assert_eq!(parts, message, "{mechanism:?}");
    }
}

#[test]
fn an_operation_that_was_begun_in_parts_is_not_ended_in_one() {
    let setting = Setting::elliptic();
    let session = setting.open();
    let key = create(&session, &aes(&[7; 16])).unwrap();
    encrypt::init(&session, cbc(), key).unwrap();
    assert_eq!(encrypt::init(&session, cbc(), key), Err(Error::OperationActive));
    bytes(encrypt::update(&session, &[0; 20], Some(16)).unwrap());
    assert_eq!(encrypt::encrypt(&session, &[0; 16], Some(16)).err(), Some(Error::OperationNotInitialized));
    assert_eq!(encrypt::finish(&session, Some(16)).err(), Some(Error::DataLenRange));
    assert_eq!(encrypt::finish(&session, Some(16)).err(), Some(Error::OperationNotInitialized));
}

#[test]
fn a_forged_tag_gives_nothing_and_ends_the_decryption() {
    let setting = Setting::elliptic();
    let session = setting.open();
    let key = create(&session, &aes(&[7; 16])).unwrap();
    encrypt::init(&session, gcm(), key).unwrap();
    let mut cryptogram = bytes(encrypt::encrypt(&session, b"message", Some(23)).unwrap());
    cryptogram[0] ^= 1;
    decrypt::init(&session, gcm(), key).unwrap();
    for part in cryptogram.chunks(5) {
        assert!(bytes(decrypt::update(&session, part, Some(100)).unwrap()).is_empty());
    }
    assert_eq!(decrypt::finish(&session, Some(100)).err(), Some(Error::EncryptedDataInvalid));
    assert_eq!(decrypt::finish(&session, Some(100)).err(), Some(Error::OperationNotInitialized));
}

#[test]
fn codes_are_made_and_verified_in_one_part_and_in_many() {
    let setting = Setting::elliptic();
    let session = setting.open();
    let (aes, secret) = (create(&session, &aes(&[7; 16])).unwrap(), create(&session, &generic(b"secret")).unwrap());
    let cases = [
        (mechanism(CKM_AES_CMAC, Parameters::None), aes, 16),
        (mechanism(CKM_AES_CMAC_GENERAL, Parameters::Length(4)), aes, 4),
        (mechanism(CKM_SHA_1_HMAC, Parameters::None), secret, 20),
        (mechanism(CKM_SHA256_HMAC, Parameters::None), secret, 32),
        (mechanism(CKM_SHA512_HMAC_GENERAL, Parameters::Length(10)), secret, 10),
    ];
    for (mechanism, key, expected) in cases {
        sign::init(&session, mechanism.clone(), key).unwrap();
        assert_eq!(length(sign::sign(&session, b"message", None).unwrap()), expected);
        let code = bytes(sign::sign(&session, b"message", Some(expected)).unwrap());
        sign::init(&session, mechanism.clone(), key).unwrap();
        sign::update(&session, b"mess").unwrap();
        sign::update(&session, b"age").unwrap();
        assert_eq!(bytes(sign::finish(&session, Some(64)).unwrap()), code);
        let check = |data: &[u8], code: &[u8]| {
            verify::init(&session, mechanism.clone(), key).unwrap();
            verify::verify(&session, data, code)
        };
        assert_eq!(check(b"message", &code), Ok(()));
        assert_eq!(check(b"massage", &code), Err(Error::SignatureInvalid));
        assert_eq!(check(b"message", &code[1..]), Err(Error::SignatureLenRange));
        verify::init(&session, mechanism.clone(), key).unwrap();
        verify::update(&session, b"mess").unwrap();
        verify::update(&session, b"age").unwrap();
        assert_eq!(verify::finish(&session, &code), Ok(()));
    }
}

#[test]
fn a_key_is_used_for_what_its_attributes_permit() {
    let setting = Setting::elliptic();
    let session = setting.open();
    let key = create(&session, &aes(&[7; 16])).unwrap();
    let cmac = || mechanism(CKM_AES_CMAC, Parameters::None);
    let uses: [(CK_ATTRIBUTE_TYPE, Start<'_>); 4] = [
        (CKA_ENCRYPT, &|| encrypt::init(&session, cbc(), key)),
        (CKA_DECRYPT, &|| decrypt::init(&session, cbc(), key)),
        (CKA_SIGN, &|| sign::init(&session, cmac(), key)),
        (CKA_VERIFY, &|| verify::init(&session, cmac(), key)),
    ];
    for (usage, start) in uses {
        assert_eq!(start(), Ok(()));
        assert_eq!(session.cancel(u64::MAX), Ok(true));
        set(&session, key, usage, &NO).unwrap();
        assert_eq!(start(), Err(Error::KeyFunctionNotPermitted), "{usage:#x}");
    }
}

#[test]
fn a_key_is_used_with_the_mechanisms_that_it_allows() {
    let setting = Setting::elliptic();
    let session = setting.open();
    let allowed = number(CKM_AES_GCM);
    let key = create(&session, &with(&aes(&[7; 16]), &[(CKA_ALLOWED_MECHANISMS, &allowed)])).unwrap();
    assert_eq!(attribute(&session, key, CKA_ALLOWED_MECHANISMS), allowed);
    assert_eq!(encrypt::init(&session, cbc(), key), Err(Error::MechanismInvalid));
    assert_eq!(encrypt::init(&session, gcm(), key), Ok(()));
    let free = create(&session, &aes(&[7; 16])).unwrap();
    let all = attribute(&session, free, CKA_ALLOWED_MECHANISMS);
    let all: Vec<CK_ULONG> = all.chunks(8).map(|one| CK_ULONG::from_ne_bytes(one.try_into().unwrap())).collect();
    assert!(all.contains(&CKM_AES_CBC) && all.contains(&CKM_AES_KEY_WRAP_KWP) && !all.contains(&CKM_SHA256_HMAC));
}

#[test]
fn a_mechanism_wants_its_own_type_of_key() {
    let setting = Setting::elliptic();
    let session = setting.open();
    let (aes, secret) = (create(&session, &aes(&[7; 16])).unwrap(), create(&session, &generic(&[7; 16])).unwrap());
    let plain = create(&session, &data(b"no key")).unwrap();
    let hmac = || mechanism(CKM_SHA256_HMAC, Parameters::None);
    let inconsistent = Err(Error::KeyTypeInconsistent);
    assert_eq!(encrypt::init(&session, cbc(), secret), inconsistent);
    assert_eq!(decrypt::init(&session, Mechanism::RsaPkcs, aes), inconsistent);
    assert_eq!(sign::init(&session, hmac(), aes), inconsistent);
    assert_eq!(sign::init(&session, Mechanism::Ecdsa, secret), inconsistent);
    assert_eq!(sign::recover_init(&session, hmac(), secret), inconsistent);
    assert_eq!(encrypt::init(&session, cbc(), plain), inconsistent);
    assert_eq!(encrypt::init(&session, hmac(), secret), Err(Error::MechanismInvalid));
    assert_eq!(encrypt::init(&session, cbc(), 999_999), Err(Error::KeyHandleInvalid));
}

#[test]
fn a_secret_is_digested_where_it_may_leave() {
    let setting = Setting::elliptic();
    let session = setting.open();
    let secret = create(&session, &generic(b"abc")).unwrap();
    digest::init(&session, Mechanism::Digest(Hash::Sha1)).unwrap();
    digest::key(&session, secret).unwrap();
    let result = bytes(digest::finish(&session, Some(20)).unwrap());
    assert_eq!(hex::encode(result), "a9993e364706816aba3e25717850c26c9cd0d89d");
    set(&session, secret, CKA_EXTRACTABLE, &NO).unwrap();
    let plain = create(&session, &data(b"no key")).unwrap();
    for key in [secret, plain] {
        digest::init(&session, Mechanism::Digest(Hash::Sha1)).unwrap();
        assert_eq!(digest::key(&session, key), Err(Error::KeyIndigestible));
        session.cancel(u64::MAX).unwrap();
    }
}
