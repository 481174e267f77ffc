//! PINs that are typed on the reader: one prompt for each purpose of PW1 that is needed, and none where the card takes
//! what is derived from PINs.

use std::sync::Arc;

use cardea_harness::card::VirtualCard;
use cardea_harness::openpgp::{OPENPGP_AID, OpenPgpCard, OpenPgpLayout, OpenPgpOptions, PW1, PW3, provision_openpgp};
use cardea_harness::provision::Authority;
use cardea_harness::reader::{Key, PinPad, VirtualReader};
use cardea_pkcs11::card::driver::DRIVERS;
use cardea_pkcs11::configuration::Configuration;
use cardea_pkcs11::error::Error;
use cardea_pkcs11::library::Library;
use cardea_pkcs11::mechanism::Mechanism;
use cardea_pkcs11::session::{Session, sign};

use super::passwords::kdf;
use crate::in_process::keys::{DIGEST, private, signature};
use crate::in_process::link::LocalReader;
use crate::in_process::setting::{CONTEXT, SO, USER, library, pin};

/// CKF_PROTECTED_AUTHENTICATION_PATH.
const PROTECTED: u64 = 0x100;

struct Setting {
    library: Library,
    reader: Arc<LocalReader>,
}

impl Setting {
    fn new(layout: &OpenPgpLayout, pad: PinPad) -> Self {
        Self::with(layout, pad, |_| ())
    }

    /// A card to which something was done before it came into the reader.
    fn with(layout: &OpenPgpLayout, pad: PinPad, before: impl FnOnce(&mut OpenPgpCard)) -> Self {
        let mut card = OpenPgpCard::new(OpenPgpOptions::default());
        provision_openpgp(&mut card, layout, &Authority::default());
        before(&mut card);
        let reader = LocalReader::new("Virtual Reader 00 00", VirtualReader::with_card(card));
        reader.virtual_reader().set_pin_pad(Some(pad));
        let library = library(std::slice::from_ref(&reader), Configuration::default(), DRIVERS);
        Self { library, reader }
    }

    fn open(&self) -> Arc<Session> {
        self.library.session(self.library.open_session(0, true).unwrap()).unwrap()
    }

    fn pad(&self) -> PinPad {
        self.reader.virtual_reader().pin_pad().unwrap()
    }

    fn flags(&self) -> u64 {
        self.library.slot(0).unwrap().token_info().unwrap().flags
    }

    /// What an empty VERIFY of 81, 82 and 83 answers.
    fn verified(&self) -> [bool; 3] {
        [0x81, 0x82, 0x83]
            .map(|password| self.reader.transmit_by_another(&[0x00, 0x20, 0x00, password]) == [0x90, 0x00])
    }

    /// Tries of PW1, the resetting code and PW3.
    fn tries(&self) -> [u8; 3] {
        self.reader.transmit_by_another(&[0x00, 0xCA, 0x00, 0xC4, 0x00])[4..7].try_into().unwrap()
    }
}

/// PUT DATA of the KDF data object, with the fresh card's PINs.
fn put_kdf(mut transmit: impl FnMut(&[u8]) -> Vec<u8>) {
    transmit(&[&[0x00, 0xA4, 0x04, 0x00, 0x06][..], &OPENPGP_AID].concat());
    transmit(&[&[0x00, 0x20, 0x00, 0x83, 0x08][..], PW3.as_bytes()].concat());
    let object = kdf(100_000, false);
    let put = [&[0x00, 0xDA, 0x00, 0xF9, object.len() as u8][..], &object].concat();
    assert_eq!(transmit(&put), [0x90, 0x00]);
}

#[test]
fn a_login_is_two_prompts_where_the_signature_key_needs_one_and_they_are_told_what_to_verify() {
    let setting = Setting::new(&OpenPgpLayout::modern(), PinPad::typing(&[PW1, PW1]));
    let session = setting.open();
    assert_eq!(setting.flags() & PROTECTED, PROTECTED);
    session.login(USER, None).unwrap();
    let ends: Vec<String> =
        setting.pad().structures.iter().map(|structure| hex::encode_upper(&structure[19..])).collect();
    assert_eq!(ends, ["0020008200", "0020008100"]);
    assert_eq!(setting.verified(), [true, true, false]);
    for id in [1, 3] {
        signature(&session, Mechanism::Eddsa, private(&session, id).unwrap(), DIGEST).unwrap();
    }
    session.logout().unwrap();
    assert_eq!(setting.verified(), [false; 3]);
}

#[test]
fn a_login_is_one_prompt_where_each_signature_has_its_own() {
    let setting = Setting::new(&OpenPgpLayout::standard(), PinPad::typing(&[PW1, PW1, PW1]));
    let session = setting.open();
    session.login(USER, None).unwrap();
    assert_eq!((setting.pad().prompts, setting.verified()), (1, [false, true, false]));
    let key = private(&session, 1).unwrap();
    for prompts in [2, 3] {
        sign::init(&session, Mechanism::Ecdsa, key).unwrap();
        session.login(CONTEXT, None).unwrap();
        assert_eq!((setting.pad().prompts, setting.verified()), (prompts, [true, true, false]));
        sign::sign(&session, DIGEST, Some(1024)).unwrap();
    }
    session.logout().unwrap();
    assert_eq!(setting.verified(), [false; 3]);
}

#[test]
fn a_login_is_one_prompt_where_there_is_no_signature_key() {
    let keys = [None, OpenPgpLayout::modern().keys[1], None];
    let setting = Setting::new(&OpenPgpLayout { keys, ..OpenPgpLayout::modern() }, PinPad::typing(&[PW1]));
    setting.open().login(USER, None).unwrap();
    assert_eq!((setting.pad().prompts, setting.verified()), (1, [false, true, false]));
}

#[test]
fn a_login_that_is_broken_off_at_the_second_prompt_is_none() {
    let user = vec![Key::Digits(PW1.to_owned()), Key::Cancel];
    let setting = Setting::new(&OpenPgpLayout::modern(), PinPad::typing(&[]).with_user(user));
    let session = setting.open();
    assert_eq!(session.login(USER, None), Err(Error::FunctionCanceled));
    assert_eq!((setting.verified(), setting.tries()), ([false; 3], [3, 0, 3]));
    session.login(USER, pin(PW1)).unwrap();
}

#[test]
fn a_wrong_pin_costs_one_try() {
    let setting = Setting::new(&OpenPgpLayout::modern(), PinPad::typing(&["654321"]));
    let session = setting.open();
    assert_eq!(session.login(USER, None), Err(Error::PinIncorrect));
    assert_eq!((setting.pad().prompts, setting.tries()), (1, [2, 0, 3]));
}

#[test]
fn the_officer_types_pw3_and_then_a_pin_for_the_user() {
    let setting = Setting::new(&OpenPgpLayout::modern(), PinPad::typing(&[PW3, "24682468", "24682468"]));
    let session = setting.open();
    session.login(SO, None).unwrap();
    session.init_pin(None).unwrap();
    session.logout().unwrap();
    assert_eq!(session.login(USER, pin(PW1)), Err(Error::PinIncorrect));
    session.login(USER, pin("24682468")).unwrap();
}

#[test]
fn a_pad_changes_no_pin_of_varying_length() {
    let setting = Setting::new(&OpenPgpLayout::modern(), PinPad::typing(&[PW1, "24682468", "24682468"]));
    let session = setting.open();
    assert_eq!(session.set_pin(None, None), Err(Error::ArgumentsBad));
    assert_eq!((setting.pad().prompts, setting.tries()), (0, [3, 0, 3]));
}

#[test]
fn a_card_that_wants_derived_pins_has_no_protected_path() {
    let setting = Setting::with(&OpenPgpLayout::modern(), PinPad::typing(&[PW1]), |card| {
        card.power_on();
        put_kdf(|command| card.transmit(command));
        card.power_off();
    });
    let session = setting.open();
    assert_eq!(setting.flags() & PROTECTED, 0);
    assert_eq!(session.login(USER, None), Err(Error::ArgumentsBad));
    assert_eq!((setting.pad().prompts, setting.tries()), (0, [3, 0, 3]));
    session.login(USER, pin(PW1)).unwrap();
}

#[test]
fn a_card_that_wants_derived_pins_meanwhile_gets_none_that_is_typed() {
    let setting = Setting::new(&OpenPgpLayout::modern(), PinPad::typing(&[PW1]));
    let session = setting.open();
    assert_eq!(setting.flags() & PROTECTED, PROTECTED);
    put_kdf(|command| setting.reader.transmit_by_another(command));
    assert!(session.login(USER, None).is_err());
    assert_eq!((setting.pad().prompts, setting.tries()), (0, [3, 0, 3]));
    session.login(USER, pin(PW1)).unwrap();
}
