//! The driver under the Library: what an application sees of a MyEID card, and what another program's work with the
//! card between two of our commands comes to.

use std::sync::Arc;

use cardea_harness::myeid::{
    MYEID_AID, MyEidCard, MyEidLayout, MyEidOptions, MyEidProbe, PIN, ProvisionedMyEid, SO_PIN, provision_myeid,
};
use cardea_harness::provision::Authority;
use cardea_harness::reader::VirtualReader;
use cardea_pkcs11::card::driver::DRIVERS;
use cardea_pkcs11::configuration::Configuration;
use cardea_pkcs11::error::Error;
use cardea_pkcs11::library::Library;
use cardea_pkcs11::mechanism::{Hash, Mechanism, PssParameters};
use cardea_pkcs11::session::Session;
use cryptoki_sys::{CKA_CLASS, CKA_VALUE, CKO_CERTIFICATE};

use crate::in_process::keys::{DIGEST, attribute, decrypted, encrypted, find_all, private, signature, verified};
use crate::in_process::link::LocalReader;
use crate::in_process::setting::{CONTEXT, SO, USER, library, pin, select};

const RSA: u8 = 0x45;
const P256: u8 = 0x46;
const CONSENT: u8 = 0x54;

struct Setting {
    library: Library,
    reader: Arc<LocalReader>,
    chip: MyEidProbe,
    provisioned: ProvisionedMyEid,
}

impl Setting {
    fn new(layout: &MyEidLayout) -> Self {
        let mut card = MyEidCard::new(MyEidOptions::default());
        let provisioned = provision_myeid(&mut card, layout, &Authority::default());
        let chip = card.probe();
        let reader = LocalReader::new("Virtual Reader 00 00", VirtualReader::with_card(card));
        let library = library(std::slice::from_ref(&reader), Configuration::default(), DRIVERS);
        Self { library, reader, chip, provisioned }
    }

    fn open(&self) -> Arc<Session> {
        self.library.session(self.library.open_session(0, true).unwrap()).unwrap()
    }

    fn logged_in(&self) -> Arc<Session> {
        let session = self.open();
        session.login(USER, pin(PIN)).unwrap();
        session
    }

    fn another(&self, command: &[u8]) {
        assert_eq!(self.reader.transmit_by_another(command), [0x90, 0x00]);
    }
}

#[test]
fn the_token_shows_label_and_serial_number() {
    let setting = Setting::new(&MyEidLayout::standard());
    let info = setting.library.slot(0).unwrap().token_info().unwrap();
    assert_eq!(info.label, "Cardea MyEID");
    assert_eq!(info.serial.len(), 16);
}

#[test]
fn keys_of_the_token_sign_and_decrypt() {
    let setting = Setting::new(&MyEidLayout::standard());
    let session = setting.logged_in();
    let pss = PssParameters { hash: Hash::Sha256, mgf: Hash::Sha256, salt_length: 32 };
    for (id, mechanism) in [
        (RSA, Mechanism::RsaPkcsHash(Hash::Sha256)),
        (RSA, Mechanism::RsaPssHash(pss)),
        (P256, Mechanism::EcdsaHash(Hash::Sha256)),
    ] {
        let signed = signature(&session, mechanism.clone(), private(&session, id).unwrap(), DIGEST).unwrap();
        verified(&session, mechanism, id, DIGEST, &signed).unwrap();
    }
    let cryptogram = encrypted(&session, Mechanism::RsaPkcs, RSA, b"a message");
    assert_eq!(decrypted(&session, Mechanism::RsaPkcs, RSA, &cryptogram).unwrap(), b"a message");
}

#[test]
fn certificates_are_there_before_login() {
    let setting = Setting::new(&MyEidLayout::standard());
    let session = setting.open();
    let found = find_all(&session, &[(CKA_CLASS, &CKO_CERTIFICATE.to_ne_bytes())]).unwrap();
    assert_eq!(found.len(), 4);
    let der = setting.provisioned.certificate(RSA).unwrap();
    assert!(found.iter().any(|handle| attribute(&session, *handle, CKA_VALUE) == der));
}

#[test]
fn a_logout_and_the_last_close_reach_the_card() {
    let setting = Setting::new(&MyEidLayout::standard());
    let session = setting.logged_in();
    assert_eq!(setting.chip.verified_pins(), 1);
    session.logout().unwrap();
    assert_eq!(setting.chip.verified_pins(), 0);
    session.login(USER, pin(PIN)).unwrap();
    setting.library.close_all_sessions(0).unwrap();
    assert_eq!(setting.chip.verified_pins(), 0);
}

#[test]
fn another_programs_selection_of_a_file_or_of_the_application_costs_no_login() {
    let setting = Setting::new(&MyEidLayout::standard());
    let session = setting.logged_in();
    let key = private(&session, P256).unwrap();
    for command in [vec![0x00, 0xA4, 0x00, 0x0C, 0x02, 0x3F, 0x00], {
        let mut command = select(&MYEID_AID);
        command[3] = 0x0C;
        command
    }] {
        setting.another(&command);
        signature(&session, Mechanism::Ecdsa, key, DIGEST).unwrap();
    }
}

#[test]
fn a_key_with_consent_signs_after_a_login_of_its_own() {
    let setting = Setting::new(&MyEidLayout::varied());
    let session = setting.logged_in();
    let key = private(&session, CONSENT).unwrap();
    for _ in 0..2 {
        cardea_pkcs11::session::sign::init(&session, Mechanism::Ecdsa, key).unwrap();
        session.login(CONTEXT, pin(PIN)).unwrap();
        cardea_pkcs11::session::sign::sign(&session, DIGEST, Some(1024)).unwrap();
    }
}

#[test]
fn a_wrong_pin_costs_one_try() {
    let setting = Setting::new(&MyEidLayout::standard());
    let session = setting.open();
    assert_eq!(session.login(USER, pin("000000")), Err(Error::PinIncorrect));
    let answer = setting.reader.transmit_by_another(&[0x00, 0x20, 0x00, 0x01]);
    assert_eq!(answer, [0x63, 0xC2]);
}

#[test]
fn an_officer_whose_pin_is_no_puk_cannot_set_the_users_pin_and_stays_who_he_is() {
    let setting = Setting::new(&MyEidLayout::standard());
    let session = setting.open();
    session.login(SO, pin(SO_PIN)).unwrap();
    assert_eq!(session.init_pin(pin("2468")), Err(Error::FunctionNotSupported));
    session.logout().unwrap();
    session.login(SO, pin(SO_PIN)).unwrap();
    assert_eq!(session.init_pin(pin("2468")), Err(Error::FunctionNotSupported));
    session.logout().unwrap();
    session.login(USER, pin(PIN)).unwrap();
}
