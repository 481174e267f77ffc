//! The driver under the Library: what an application sees of an OpenPGP card.

use std::sync::Arc;

use cardea_harness::openpgp::{OpenPgpCard, OpenPgpLayout, OpenPgpOptions, PW1, PW3, provision_openpgp};
use cardea_harness::provision::Authority;
use cardea_harness::reader::VirtualReader;
use cardea_pkcs11::card::driver::DRIVERS;
use cardea_pkcs11::configuration::Configuration;
use cardea_pkcs11::error::Error;
use cardea_pkcs11::library::Library;
use cardea_pkcs11::mechanism::{Hash, Mechanism, PssParameters};
use cardea_pkcs11::session::Session;

use crate::in_process::keys::{DIGEST, decrypted, encrypted, private, signature, verified};
use crate::in_process::link::LocalReader;
use crate::in_process::setting::{CONTEXT, SO, USER, library, pin};

struct Setting {
    library: Library,
    reader: Arc<LocalReader>,
}

impl Setting {
    fn new(layout: &OpenPgpLayout) -> Self {
        let mut card = OpenPgpCard::new(OpenPgpOptions::default());
        provision_openpgp(&mut card, layout, &Authority::default());
        let reader = LocalReader::new("Virtual Reader 00 00", VirtualReader::with_card(card));
        let library = library(std::slice::from_ref(&reader), Configuration::default(), DRIVERS);
        Self { library, reader }
    }

    fn open(&self) -> Arc<Session> {
        self.library.session(self.library.open_session(0, true).unwrap()).unwrap()
    }

    fn logged_in(&self) -> Arc<Session> {
        let session = self.open();
        session.login(USER, pin(PW1)).unwrap();
        session
    }

    fn verified(&self, reference: u8) -> bool {
        self.reader.transmit_by_another(&[0x00, 0x20, 0x00, reference]) == [0x90, 0x00]
    }
}

#[test]
fn keys_of_the_token_sign_and_decrypt_and_say_what_they_cannot() {
    let setting = Setting::new(&OpenPgpLayout::standard());
    let session = setting.logged_in();
    let authentication = private(&session, 3).unwrap();
    let mechanism = Mechanism::RsaPkcsHash(Hash::Sha256);
    let signed = signature(&session, mechanism.clone(), authentication, DIGEST).unwrap();
    verified(&session, mechanism, 3, DIGEST, &signed).unwrap();
    let cryptogram = encrypted(&session, Mechanism::RsaPkcs, 2, b"a message");
    assert_eq!(decrypted(&session, Mechanism::RsaPkcs, 2, &cryptogram).unwrap(), b"a message");
    let pss = PssParameters { hash: Hash::Sha256, mgf: Hash::Sha256, salt_length: 32 };
    let refused = signature(&session, Mechanism::RsaPssHash(pss), authentication, DIGEST);
    assert_eq!(refused, Err(Error::MechanismInvalid));
}

#[test]
fn the_signature_key_signs_once_after_login_and_then_with_a_pin_each_time() {
    let setting = Setting::new(&OpenPgpLayout::standard());
    let session = setting.open();
    session.login(USER, pin(PW1)).unwrap();
    let key = private(&session, 1).unwrap();
    for _ in 0..2 {
        cardea_pkcs11::session::sign::init(&session, Mechanism::Ecdsa, key).unwrap();
        session.login(CONTEXT, pin(PW1)).unwrap();
        cardea_pkcs11::session::sign::sign(&session, DIGEST, Some(1024)).unwrap();
    }
    cardea_pkcs11::session::sign::init(&session, Mechanism::Ecdsa, key).unwrap();
    let refused = cardea_pkcs11::session::sign::sign(&session, DIGEST, Some(1024));
    assert_eq!(refused.err(), Some(Error::UserNotLoggedIn));
}

#[test]
fn a_logout_and_the_last_close_reach_the_card() {
    let setting = Setting::new(&OpenPgpLayout::modern());
    let session = setting.logged_in();
    assert!(setting.verified(0x81) && setting.verified(0x82));
    session.logout().unwrap();
    assert!(!setting.verified(0x81) && !setting.verified(0x82));
    session.login(USER, pin(PW1)).unwrap();
    setting.library.close_all_sessions(0).unwrap();
    assert!(!setting.verified(0x81) && !setting.verified(0x82));
}

#[test]
fn an_officers_logout_and_last_close_reach_the_card() {
    let setting = Setting::new(&OpenPgpLayout::modern());
    let session = setting.open();
    session.login(SO, pin(PW3)).unwrap();
    assert!(setting.verified(0x83));
    session.logout().unwrap();
    assert!(!setting.verified(0x83));
    session.login(SO, pin(PW3)).unwrap();
    setting.library.close_all_sessions(0).unwrap();
    assert!(!setting.verified(0x83));
}

#[test]
fn a_wrong_pin_costs_one_try_and_a_blocked_one_is_set_anew_by_the_officer() {
    let setting = Setting::new(&OpenPgpLayout::modern());
    let session = setting.open();
    for wrong in ["000000", "000001", "000002"] {
        assert!(session.login(USER, pin(wrong)).is_err());
    }
    assert_eq!(session.login(USER, pin(PW1)), Err(Error::PinLocked));
    session.login(0, pin(PW3)).unwrap();
    session.init_pin(pin("13579135")).unwrap();
    session.logout().unwrap();
    session.login(USER, pin("13579135")).unwrap();
}
