//! C_InitToken that breaks off: the card is known, says how it stands, and another C_InitToken makes it whole.

use std::cell::RefCell;
use std::collections::BTreeSet;

use cardea_harness::card::VirtualCard;
use cardea_harness::myeid::{MyEidCard, MyEidOptions, SO_PIN};
use cardea_harness::openpgp::PW3;
use cardea_harness::provision::PUK;
use cardea_pkcs11::configuration::Configuration;
use cardea_pkcs11::error::Error;
use cryptoki_sys::*;

use super::{Desk, at_every_command, myeid, openpgp, yubikey};
use crate::in_process::keys::find_all;
use crate::in_process::setting::{SO, USER, pin};
use crate::in_process::writing::{TRUE, elliptic_pair};

const LABEL: &[u8; 32] = b"whole again                     ";
const MANAGEMENT_KEY: &str = "010203040506070801020304050607080102030405060708";
const ANOTHER_KEY: &str = "A1A2A3A4A5A6A7A8B1B2B3B4B5B6B7B8C1C2C3C4C5C6C7C8";

impl Desk {
    fn init_token(&self, officer: &str) -> Result<(), Error> {
        self.library.slot(0).unwrap().init_token(pin(officer), *LABEL)
    }

    fn flags(&self) -> u64 {
        self.library.slot(0).unwrap().token_info().unwrap().flags
    }

    /// The state in which a MyEID looks at no access condition (data object 8A of its control information).
    fn is_being_created(&self) -> bool {
        let select = [&[0x00, 0xA4, 0x04, 0x00, 0x0C][..], b"\xA0\x00\x00\x00\x63PKCS-15", &[0x00]].concat();
        self.reader.transmit_by_another(&select).windows(3).any(|bytes| bytes == [0x8A, 0x01, 0x01])
    }

    /// The officer gives the user a PIN, and whoever writes makes a key.
    fn is_whole(&self, officer: &str, what: &str) {
        assert_ne!(self.flags() & CKF_TOKEN_INITIALIZED, 0, "{what}");
        let generation = self.library.slot(0).unwrap().present().unwrap();
        let officer_writes = self.library.slot(0).unwrap().store(generation).unwrap().officer_writes;
        let session = self.open();
        assert_eq!(find_all(&session, &[(CKA_TOKEN, TRUE), (CKA_CLASS, &CKO_CERTIFICATE.to_ne_bytes())]), Ok(vec![]));
        session.login(SO, pin(officer)).unwrap_or_else(|error| panic!("{what}: {error}"));
        session.init_pin(pin("314159")).unwrap_or_else(|error| panic!("{what}: {error}"));
        let pair = || elliptic_pair(&session, &[(CKA_TOKEN, TRUE), (CKA_ID, &[1])]).map(drop);
        // Not who has a PUK only.
        let has_puk =
            self.library.slot(0).unwrap().token_info().unwrap().model.starts_with("YubiKey") && officer.len() == 8;
        let made = if officer_writes && !has_puk { pair() } else { Ok(()) };
        session.logout().unwrap();
        session.login(USER, pin("314159")).unwrap_or_else(|error| panic!("{what}: {error}"));
        let made = if officer_writes { made } else { pair() };
        made.unwrap_or_else(|error| panic!("{what}: {error}"));
        self.close();
    }
}

/// A card as it is before, and who its officer is.
struct Case {
    fresh: fn() -> Box<dyn VirtualCard>,
    /// The officer of the card before.
    before: Option<&'static str>,
    /// What C_InitToken is given.
    officer: &'static str,
    /// The officer's PIN that the card has from its factory, and no other until the last step.
    factory: Option<&'static str>,
    /// The officer's PIN is changed before, from the one that the card was provisioned with.
    changes: bool,
}

/// The instructions at which the card was then as new from the factory, with its officer's PIN.
fn every_cut(case: &Case) -> BTreeSet<u8> {
    let fresh = || {
        let desk = Desk::new((case.fresh)(), Configuration::default());
        if case.changes {
            let session = desk.open();
            session.login(SO, pin(case.before.unwrap())).unwrap();
            session.set_pin(pin(case.before.unwrap()), pin(case.officer)).unwrap();
            desk.close();
            desk.recover();
        }
        desk
    };
    let as_new = RefCell::new(BTreeSet::new());
    at_every_command(
        fresh,
        |desk| desk,
        |desk| desk.init_token(case.officer),
        |desk, outcome, what, command| {
            assert_ne!(outcome, Err(Error::PinIncorrect), "{what}");
            if desk.is_being_created() {
                assert_eq!(desk.flags() & (CKF_TOKEN_INITIALIZED | CKF_USER_PIN_INITIALIZED), 0, "{what}");
            }
            let session = desk.open();
            find_all(&session, &[]).unwrap();
            desk.close();
            let officer = match desk.init_token(case.officer) {
                Err(Error::PinIncorrect) => {
                    as_new.borrow_mut().insert(command[1]);
                    let factory = case.factory.unwrap_or_else(|| panic!("{what}: nobody is the officer"));
                    desk.init_token(factory).unwrap_or_else(|error| panic!("{what}: {error}"));
                    factory
                }
                outcome => {
                    outcome.unwrap_or_else(|error| panic!("{what}: {error}"));
                    case.officer
                }
            };
            desk.is_whole(officer, what);
        },
    );
    as_new.into_inner()
}

#[test]
fn an_openpgp_card_is_made_whole_after_every_cut() {
    let case = Case { fresh: openpgp, before: None, officer: PW3, factory: None, changes: false };
    assert!(every_cut(&case).is_empty());
}

#[test]
fn an_openpgp_card_whose_officer_has_a_pin_of_his_own_has_the_factorys_after_cuts_before_it_is_set() {
    let case = Case { fresh: openpgp, before: Some(PW3), officer: "27182818", factory: Some(PW3), changes: true };
    // ACTIVATE FILE, SELECT and GET DATA after it, CHANGE REFERENCE DATA.
    assert_eq!(every_cut(&case), BTreeSet::from([0x24, 0x44, 0xA4, 0xCA]));
}

#[test]
fn a_yubikey_is_made_whole_after_every_cut() {
    let fresh = || yubikey([5, 7, 1]);
    let case = Case { fresh, before: None, officer: PUK, factory: None, changes: false };
    assert!(every_cut(&case).is_empty());
}

#[test]
fn a_yubikey_whose_officer_has_a_secret_of_his_own_has_the_factorys_after_cuts_before_it_is_set() {
    for (before, officer) in [(PUK, "24680246"), (MANAGEMENT_KEY, ANOTHER_KEY)] {
        let fresh = || yubikey([5, 7, 1]);
        let case = Case { fresh, before: Some(before), officer, factory: Some(before), changes: true };
        assert!(every_cut(&case).contains(&0xFB), "{officer}");
    }
}

#[test]
fn a_myeid_is_made_whole_after_every_cut() {
    let blank = || -> Box<dyn VirtualCard> { Box::new(MyEidCard::new(MyEidOptions::default())) };
    for (fresh, officer) in [(myeid as fn() -> Box<dyn VirtualCard>, SO_PIN), (blank, "27182818")] {
        let case = Case { fresh, before: None, officer, factory: None, changes: false };
        assert!(every_cut(&case).is_empty(), "{officer}");
    }
}
