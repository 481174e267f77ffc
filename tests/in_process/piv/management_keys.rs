//! Management keys of every kind at C_Login, and the one that a YubiKey keeps behind its user's PIN.

use std::sync::Arc;

use cardea_harness::piv::{PivCard, PivOptions};
use cardea_harness::provision::{Authority, Layout, PIN, provision};
use cardea_harness::reader::VirtualReader;
use cardea_pkcs11::card::Role;
use cardea_pkcs11::card::driver::DRIVERS;
use cardea_pkcs11::configuration::Configuration;
use cardea_pkcs11::error::Error;
use cardea_pkcs11::session::Session;
use cardea_pkcs11::session::objects::{create, destroy};
use cryptoki_sys::*;

use super::bench::{KEY, WRONG, YUBIKEY, certificate};
use crate::in_process::keys::{ecdsa, find_all, private, template};
use crate::in_process::link::LocalReader;
use crate::in_process::setting::{SO, Setting, USER, library, pin};
use crate::in_process::writing::{TRUE, elliptic_pair};

const AES_128: &str = "00112233445566778899AABBCCDDEEFF";
const AES_192: &str = "000102030405060708090A0B0C0D0E0F1011121314151617";
const AES_256: &str = "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F";
/// Commands that write: GENERATE ASYMMETRIC KEY PAIR, PUT DATA, MOVE KEY, IMPORT KEY, SET MANAGEMENT KEY.
const WRITES: [u8; 5] = [0x47, 0xDB, 0xF6, 0xFE, 0xFF];

/// A YubiKey whose management key another program has set, with this algorithm, and put behind the PIN if it is to be.
fn yubikey(algorithm: u8, key: &str, protected: bool) -> Setting {
    let options = PivOptions { atr: Some(hex::decode(YUBIKEY).unwrap()), version: [5, 7, 1], ..PivOptions::default() };
    let mut card = PivCard::new(options);
    provision(&mut card, &Layout { slots: Vec::new(), ..Layout::elliptic() }, &Authority::default());
    let reader = LocalReader::new("Virtual Reader 00 00", VirtualReader::with_card(card));
    let library = library(std::slice::from_ref(&reader), Configuration::default(), DRIVERS);
    let setting = Setting { library, reader };
    let session = setting.open();
    session.login(SO, pin(KEY)).unwrap();
    let key = hex::decode(key).unwrap();
    let length = u8::try_from(key.len()).unwrap();
    let put = |data: &[u8]| {
        let length = u8::try_from(data.len()).unwrap();
        assert_eq!(setting.another(&[&[0x00, 0xDB, 0x3F, 0xFF, length], data].concat()), 0x9000);
    };
    let set = [&[0x00, 0xFF, 0xFF, 0xFF, length + 3, algorithm, 0x9B, length], &key[..]].concat();
    assert_eq!(setting.another(&set), 0x9000);
    if protected {
        put(&hex::decode("5C035FFF0053058003810102").unwrap());
        put(&[&[0x5C, 0x03, 0x5F, 0xC1, 0x09, 0x53, length + 4, 0x88, length + 2, 0x89, length], &key[..]].concat());
    }
    setting.library.close_all_sessions(0).unwrap();
    let library =
        crate::in_process::setting::library(std::slice::from_ref(&setting.reader), Configuration::default(), DRIVERS);
    Setting { library, reader: Arc::clone(&setting.reader) }
}

fn pair(session: &Session, id: u8) -> Result<(u64, u64), Error> {
    elliptic_pair(session, &[(CKA_TOKEN, TRUE), (CKA_ID, &[id])])
}

#[test]
fn a_management_key_of_each_algorithm_logs_the_officer_in_and_writes() {
    for (algorithm, key) in [(0x08, AES_128), (0x0A, AES_192), (0x0C, AES_256), (0x03, AES_192)] {
        let setting = yubikey(algorithm, key, false);
        let session = setting.open();
        setting.commands();
        // One of the same length, the one from before, and the default one.
        let other = &WRONG.repeat(2)[..key.len()];
        for wrong in [other, KEY] {
            assert_eq!(session.login(SO, pin(wrong)), Err(Error::PinIncorrect), "{algorithm:02X}");
        }
        assert_eq!(pair(&session, 1), Err(Error::UserNotLoggedIn));
        let instructions = setting.instructions();
        assert!(instructions.iter().all(|instruction| !WRITES.contains(instruction)), "{instructions:02X?}");
        assert_eq!(setting.tries(), 3);
        assert_eq!(setting.slot().tries(Role::SecurityOfficer), Ok(Some(3)));
        session.login(SO, pin(&key.to_lowercase())).unwrap();
        pair(&session, 1).unwrap();
        session.logout().unwrap();
        session.login(USER, pin(PIN)).unwrap();
        ecdsa(&session, 1).unwrap();
    }
}

#[test]
fn a_management_key_becomes_one_of_another_length_by_c_set_pin() {
    let setting = yubikey(0x08, AES_128, false);
    let session = setting.open();
    session.login(SO, pin(AES_128)).unwrap();
    for (old, new) in [(AES_128, AES_192), (AES_192, AES_256), (AES_256, AES_128)] {
        assert_eq!(session.set_pin(pin(&WRONG.repeat(2)[..old.len()]), pin(new)), Err(Error::PinIncorrect));
        session.set_pin(pin(old), pin(new)).unwrap();
        session.logout().unwrap();
        assert_eq!(session.login(SO, pin(old)), Err(Error::PinIncorrect), "{new}");
        session.login(SO, pin(new)).unwrap();
    }
    pair(&session, 1).unwrap();
}

#[test]
fn the_users_pin_writes_where_the_management_key_is_behind_it() {
    for (algorithm, key) in [(0x0A, AES_192), (0x08, AES_128)] {
        let setting = yubikey(algorithm, key, true);
        let session = setting.open();
        assert_eq!(pair(&session, 1), Err(Error::UserNotLoggedIn));
        session.login(USER, pin(PIN)).unwrap();
        let (_, made) = pair(&session, 1).unwrap();
        ecdsa(&session, 1).unwrap();
        // A certificate comes to it, and both go again.
        let public = p256::SecretKey::from_slice(&[9; 32]).unwrap().public_key().to_sec1_bytes();
        let public = cardea_pkcs11::card::key::PublicKey::from_ec_point(cardea_pkcs11::card::key::Curve::P256, &public);
        let der = certificate(&public.unwrap(), 0);
        let attributes: &[(u64, &[u8])] = &[
            (CKA_CLASS, &CKO_CERTIFICATE.to_ne_bytes()),
            (CKA_CERTIFICATE_TYPE, &CKC_X_509.to_ne_bytes()),
            (CKA_VALUE, &der),
            (CKA_TOKEN, TRUE),
            (CKA_ID, &[3]),
        ];
        let written = create(&session, template(attributes)).unwrap();
        destroy(&session, written).unwrap();
        destroy(&session, made).unwrap();
        assert_eq!(private(&session, 1), None);
        assert_eq!(find_all(&session, &[(CKA_CLASS, &CKO_CERTIFICATE.to_ne_bytes())]).unwrap(), [0; 0]);
        // Another program takes what was proved; after the next login the user writes again.
        setting.another_selects_piv();
        let _ = session.logout();
        session.login(USER, pin(PIN)).unwrap();
        pair(&session, 1).unwrap();
    }
}

#[test]
fn the_users_pin_writes_nothing_where_the_management_key_is_the_officers_alone() {
    let setting = yubikey(0x0A, AES_192, false);
    let session = setting.open();
    session.login(USER, pin(PIN)).unwrap();
    setting.commands();
    assert_eq!(pair(&session, 1), Err(Error::UserNotLoggedIn));
    let instructions = setting.instructions();
    assert!(instructions.iter().all(|instruction| !WRITES.contains(instruction)), "{instructions:02X?}");
}

#[test]
fn a_copy_behind_the_pin_that_is_not_the_management_key_writes_nothing_and_costs_nothing() {
    let setting = yubikey(0x0A, AES_192, true);
    let officer = setting.open();
    officer.login(SO, pin(AES_192)).unwrap();
    // Another program that knows nothing of the copy.
    let set = [&[0x00, 0xFF, 0xFF, 0xFF, 0x1B, 0x0A, 0x9B, 0x18], &hex::decode(WRONG).unwrap()[..]].concat();
    assert_eq!(setting.another(&set), 0x9000);
    officer.logout().unwrap();
    officer.login(USER, pin(PIN)).unwrap();
    assert_eq!(pair(&officer, 1), Err(Error::UserNotLoggedIn));
    assert_eq!(setting.slot().tries(Role::SecurityOfficer), Ok(Some(3)));
}
