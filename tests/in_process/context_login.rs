//! Keys that want the PIN immediately before each use (CKA_ALWAYS_AUTHENTICATE), such as PIV's 9C.

use cardea_harness::piv::PivOptions;
use cardea_harness::provision::{KeyKind, KeySlot, Layout, PIN};
use cardea_pkcs11::card::driver::DRIVERS;
use cardea_pkcs11::configuration::Configuration;
use cardea_pkcs11::error::Error;
use cardea_pkcs11::mechanism::{Hash, Mechanism};
use cardea_pkcs11::session::{decrypt, sign};
use cryptoki_sys::{CK_TRUE, CKA_ALWAYS_AUTHENTICATE};

use super::keys::{
    AUTHENTICATION, DIGEST, SIGNATURE, attribute, bytes, ecdsa, ecdsa_with_context, encrypted, private, verified,
};
use super::setting::{CONTEXT, FULL, GENERAL_AUTHENTICATE, Setting, USER, VERIFY, pin};

/// The ATR of a YubiKey 5 over USB.
const YUBIKEY: &[u8] = b"\x3B\xFD\x13\x00\x00\x81\x31\xFE\x15\x80\x73\xC0\x21\xC0\x57YubiKey@";

#[test]
fn each_signature_wants_its_own_login() {
    let setting = Setting::elliptic();
    let session = setting.logged_in();
    let key = private(&session, SIGNATURE).unwrap();
    assert_eq!(attribute(&session, key, CKA_ALWAYS_AUTHENTICATE), [CK_TRUE]);
    for _ in 0..3 {
        let signature = ecdsa_with_context(&session).unwrap();
        assert_eq!(verified(&session, Mechanism::Ecdsa, SIGNATURE, DIGEST, &signature), Ok(()));
        sign::init(&session, Mechanism::Ecdsa, key).unwrap();
        assert_eq!(sign::sign(&session, DIGEST, Some(64)).err(), Some(Error::UserNotLoggedIn));
    }
    assert!(ecdsa(&session, AUTHENTICATION).is_ok(), "the login itself stands");
}

#[test]
fn a_card_that_forgets_the_login_when_it_is_selected_has_it_again_by_the_pin_for_a_key() {
    let options = PivOptions { discovery_object: false, reselect_keeps_login: false, ..PivOptions::default() };
    let setting = Setting::with(options, &Layout::elliptic(), Configuration::default(), DRIVERS);
    let session = setting.logged_in();
    for _ in 0..3 {
        ecdsa_with_context(&session).unwrap();
        assert!(ecdsa(&session, AUTHENTICATION).is_ok(), "the login itself stands");
    }
    assert_eq!(setting.tries(), FULL);
}

#[test]
fn the_login_itself_stands_for_the_use_that_follows_it_directly() {
    let setting = Setting::elliptic();
    let session = setting.logged_in();
    let key = private(&session, SIGNATURE).unwrap();
    let without_context = || {
        sign::init(&session, Mechanism::Ecdsa, key).unwrap();
        sign::sign(&session, DIGEST, Some(64)).map(bytes)
    };
    session.logout().unwrap();
    session.login(USER, pin(PIN)).unwrap();
    setting.commands();
    let signature = without_context().unwrap();
    assert_eq!(setting.instructions(), [GENERAL_AUTHENTICATE]);
    assert_eq!(verified(&session, Mechanism::Ecdsa, SIGNATURE, DIGEST, &signature), Ok(()));
    setting.commands();
    assert_eq!(without_context().err(), Some(Error::UserNotLoggedIn));
    assert!(setting.instructions().is_empty(), "what is refused does not reach the card");
    assert!(ecdsa(&session, AUTHENTICATION).is_ok(), "the login itself stands");
}

#[test]
fn the_login_does_not_stand_for_a_use_after_another_or_after_another_program() {
    let setting = Setting::elliptic();
    let session = setting.logged_in();
    let key = private(&session, SIGNATURE).unwrap();
    let without_context = || {
        sign::init(&session, Mechanism::Ecdsa, key).unwrap();
        sign::sign(&session, DIGEST, Some(64)).err()
    };
    let log_in_again = || {
        session.logout().unwrap();
        session.login(USER, pin(PIN)).unwrap();
    };
    log_in_again();
    assert!(ecdsa(&session, AUTHENTICATION).is_ok());
    assert_eq!(without_context(), Some(Error::UserNotLoggedIn));
    log_in_again();
    assert!(ecdsa_with_context(&session).is_ok());
    assert_eq!(without_context(), Some(Error::UserNotLoggedIn));
    log_in_again();
    assert_eq!(setting.another(&[0x00, 0xFD, 0x00, 0x00]), 0x9000);
    assert_eq!(without_context(), Some(Error::UserNotLoggedIn), "the card insists");
    assert!(ecdsa(&session, AUTHENTICATION).is_ok(), "the login itself stands");
    assert_eq!(setting.tries(), FULL);
}

#[test]
fn it_costs_a_check_a_verify_and_the_signature() {
    let setting = Setting::elliptic();
    let session = setting.logged_in();
    ecdsa_with_context(&session).unwrap();
    setting.commands();
    ecdsa_with_context(&session).unwrap();
    assert_eq!(setting.instructions(), [0xCB, VERIFY, GENERAL_AUTHENTICATE]);
}

#[test]
fn what_another_program_does_in_between_costs_no_signature() {
    let setting = Setting::elliptic();
    type Meddle = fn(&Setting);
    let meddle: [(&str, Meddle); 4] = [
        ("a command", |setting| assert_eq!(setting.another(&[0x00, 0xFD, 0x00, 0x00]), 0x9000)),
        ("a selection", Setting::another_selects_its_application),
        ("a second selection", Setting::another_selects_piv),
        ("a reset", |setting| setting.reader.reset_by_another()),
    ];
    for (name, meddle) in meddle {
        let session = setting.logged_in();
        let key = private(&session, SIGNATURE).unwrap();
        sign::init(&session, Mechanism::Ecdsa, key).unwrap();
        session.login(CONTEXT, pin(PIN)).unwrap();
        meddle(&setting);
        setting.commands();
        let signature =
            sign::sign(&session, DIGEST, Some(64)).map(bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        let instructions = setting.instructions();
        assert!(instructions.ends_with(&[VERIFY, GENERAL_AUTHENTICATE]), "{name}: {instructions:02X?}");
        assert_eq!(verified(&session, Mechanism::Ecdsa, SIGNATURE, DIGEST, &signature), Ok(()));
        setting.library.close_all_sessions(0).unwrap();
        assert_ne!(setting.pin_status(), 0x9000, "{name} leaves a verified PIN");
    }
    assert_eq!(setting.tries(), FULL);
}

#[test]
fn a_wrong_pin_costs_one_try_and_the_operation_stays() {
    let setting = Setting::elliptic();
    let session = setting.logged_in();
    sign::init(&session, Mechanism::Ecdsa, private(&session, SIGNATURE).unwrap()).unwrap();
    for _ in 0..10 {
        assert_eq!(session.login(CONTEXT, pin("000000")), Err(Error::PinIncorrect));
    }
    assert_eq!(session.login(CONTEXT, pin("")), Err(Error::PinLenRange));
    assert_eq!(setting.tries(), FULL - 1);
    assert_eq!(session.login(CONTEXT, pin(PIN)), Ok(()));
    assert_eq!(sign::sign(&session, DIGEST, Some(64)).map(bytes).unwrap().len(), 64);
}

#[test]
fn it_needs_the_user_and_an_operation_that_wants_it() {
    let setting = Setting::elliptic();
    let session = setting.logged_in();
    assert_eq!(session.login(CONTEXT, pin(PIN)), Err(Error::OperationNotInitialized));
    sign::init(&session, Mechanism::Ecdsa, private(&session, AUTHENTICATION).unwrap()).unwrap();
    assert_eq!(session.login(CONTEXT, pin(PIN)), Err(Error::OperationNotInitialized));
    let other = setting.open();
    sign::init(&other, Mechanism::Ecdsa, private(&session, SIGNATURE).unwrap()).unwrap();
    session.logout().unwrap();
    assert_eq!(other.login(CONTEXT, pin(PIN)), Err(Error::UserNotLoggedIn));
}

#[test]
fn two_operations_of_one_session_get_their_logins_in_turn() {
    // A YubiKey tells of keys without certificates, and nothing restricts what such a key is for.
    let layout = Layout { slots: vec![KeySlot::new(0x9C, KeyKind::Rsa2048('a')).bare()], ..Layout::standard() };
    let options = PivOptions { atr: Some(YUBIKEY.to_vec()), ..PivOptions::default() };
    let setting = Setting::with(options, &layout, Configuration::default(), DRIVERS);
    let session = setting.logged_in();
    let key = private(&session, SIGNATURE).unwrap();
    let cryptogram = encrypted(&session, Mechanism::RsaPkcs, SIGNATURE, b"secret");
    sign::init(&session, Mechanism::RsaPkcsHash(Hash::Sha256), key).unwrap();
    decrypt::init(&session, Mechanism::RsaPkcs, key).unwrap();
    session.login(CONTEXT, pin(PIN)).unwrap();
    session.login(CONTEXT, pin(PIN)).unwrap();
    assert_eq!(bytes(sign::sign(&session, DIGEST, Some(256)).unwrap()).len(), 256);
    assert_eq!(bytes(decrypt::decrypt(&session, &cryptogram, Some(256)).unwrap()), b"secret");
}

#[test]
fn two_sessions_sign_with_it_side_by_side() {
    let setting = Setting::elliptic();
    let sessions = [setting.logged_in(), setting.open()];
    let key = private(&sessions[0], SIGNATURE).unwrap();
    for session in &sessions {
        sign::init(session, Mechanism::Ecdsa, key).unwrap();
        session.login(CONTEXT, pin(PIN)).unwrap();
    }
    for session in &sessions {
        let signature = bytes(sign::sign(session, DIGEST, Some(64)).unwrap());
        assert_eq!(verified(session, Mechanism::Ecdsa, SIGNATURE, DIGEST, &signature), Ok(()));
    }
}

#[test]
fn a_pin_changed_by_another_program_in_between_is_no_signature_and_one_try() {
    let setting = Setting::elliptic();
    let session = setting.logged_in();
    sign::init(&session, Mechanism::Ecdsa, private(&session, SIGNATURE).unwrap()).unwrap();
    session.login(CONTEXT, pin(PIN)).unwrap();
    let mut change = vec![0x00, 0x24, 0x00, 0x80, 0x10];
    change.extend_from_slice(b"123456\xFF\xFF654321\xFF\xFF");
    assert_eq!(setting.another(&change), 0x9000);
    setting.another_selects_piv();
    assert_eq!(sign::sign(&session, DIGEST, Some(64)).err(), Some(Error::UserNotLoggedIn));
    assert_eq!(setting.tries(), FULL - 1);
    assert_eq!(session.login(USER, pin(PIN)), Err(Error::PinIncorrect));
    assert_eq!(setting.tries(), FULL - 1);
}
