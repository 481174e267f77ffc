//! Changes of PINs that break off: the old one or the new one holds, and nothing is sent by the module to find out which.

use std::sync::Arc;

use cardea_harness::card::VirtualCard;
use cardea_harness::myeid::SO_PIN;
use cardea_harness::openpgp::PW3;
use cardea_harness::piv::DUMMY_AID;
use cardea_harness::provision::{PIN, PUK};
use cardea_pkcs11::card::Role;
use cardea_pkcs11::configuration::Configuration;
use cardea_pkcs11::error::Error;
use cardea_pkcs11::secret::Pin;
use cardea_pkcs11::session::Session;
use cryptoki_sys::*;

use super::{Desk, at_every_command, myeid, openpgp, yubikey};
use crate::in_process::keys::find_all;
use crate::in_process::setting::{SO, USER, pin};
use crate::in_process::writing::{TRUE, elliptic_pair};

const NEW: &str = "314159";
const NEW_OFFICER: &str = "27182818";
const MANAGEMENT_KEY: &str = "010203040506070801020304050607080102030405060708";
const ANOTHER_KEY: &str = "A1A2A3A4A5A6A7A8B1B2B3B4B5B6B7B8C1C2C3C4C5C6C7C8";
const KEYS: &[(u64, &[u8])] = &[(CKA_CLASS, &CKO_PRIVATE_KEY.to_ne_bytes())];

type Fresh = fn() -> Box<dyn VirtualCard>;

/// The cards with the PIN of the officer, who sets the user's.
const CARDS: [(Fresh, &str); 3] = [(|| yubikey([5, 7, 1]), PUK), (openpgp, PW3), (myeid, SO_PIN)];

impl Desk {
    fn login(&self, user: u64, text: &str) -> Result<Arc<Session>, Error> {
        let session = self.open();
        session.login(user, pin(text)).map(|()| session)
    }

    /// One of these logs in, at the price of one try at most.
    fn logs_in_with_one_of(&self, user: u64, pins: &[&str], what: &str) -> Arc<Session> {
        self.close();
        let role = if user == USER { Role::User } else { Role::SecurityOfficer };
        if let Ok(Some(tries)) = self.library.slot(0).unwrap().tries(role) {
            assert_eq!(tries, 3, "{what}: a try was spent");
        }
        let session = self.open();
        let refused: Vec<Error> = pins.iter().map_while(|text| session.login(user, pin(text)).err()).collect();
        assert!(refused.len() < pins.len(), "{what}: {refused:?}");
        assert!(refused.iter().all(|error| *error == Error::PinIncorrect), "{what}: {refused:?}");
        session
    }

    /// Reference data in VERIFY, CHANGE REFERENCE DATA and RESET RETRY COUNTER since the log was cleared.
    fn reference_data(&self) -> Vec<Vec<u8>> {
        let carries = |command: &Vec<u8>| [0x20, 0x24, 0x2C].contains(&command[1]) && command.len() > 5;
        self.commands().into_iter().filter(carries).collect()
    }

    /// Another program selects its application, and whoever is logged in here looks for keys.
    fn is_disturbed(&self, session: &Session) {
        let select = [&[0x00, 0xA4, 0x04, 0x00, DUMMY_AID.len() as u8][..], &DUMMY_AID].concat();
        self.reader.transmit_by_another(&select);
        self.reader.virtual_reader().clear_log();
        let _ = find_all(session, KEYS);
        let _ = elliptic_pair(session, &[(CKA_TOKEN, TRUE)]);
    }
}

/// A card in the hands of whoever is logged in.
fn at(fresh: Fresh, configuration: Configuration, user: u64, text: &str) -> (Desk, Arc<Session>) {
    let desk = Desk::new(fresh(), configuration);
    let session = desk.login(user, text).unwrap();
    desk.commands();
    (desk, session)
}

#[test]
fn a_change_that_breaks_off_leaves_the_user_the_old_pin_or_the_new_one_and_neither_is_sent_again() {
    for (fresh, _) in CARDS {
        for restore_login in [false, true] {
            let configuration = || Configuration { restore_login, ..Configuration::default() };
            at_every_command(
                || at(fresh, configuration(), USER, PIN),
                |(desk, _)| desk,
                |(_, session)| session.set_pin(pin(PIN), pin(NEW)),
                |(desk, session), outcome, what, _| {
                    if outcome.is_err() {
                        desk.is_disturbed(session);
                        assert!(desk.reference_data().is_empty(), "{what}");
                    }
                    desk.logs_in_with_one_of(USER, &[NEW, PIN], what);
                },
            );
        }
    }
}

#[test]
fn an_officers_change_that_breaks_off_leaves_the_old_pin_or_the_new_one_and_neither_is_sent_again() {
    for (fresh, officer) in CARDS {
        at_every_command(
            || at(fresh, Configuration::default(), SO, officer),
            |(desk, _)| desk,
            |(_, session)| session.set_pin(pin(officer), pin(NEW_OFFICER)),
            |(desk, session), outcome, what, _| {
                if outcome.is_err() {
                    desk.reader.virtual_reader().clear_log();
                    assert!(session.init_pin(pin(NEW)).is_err(), "{what}");
                    assert!(desk.reference_data().is_empty(), "{what}");
                }
                drop(desk.logs_in_with_one_of(SO, &[NEW_OFFICER, officer], what));
            },
        );
    }
}

#[test]
fn a_pin_that_the_officer_sets_and_that_breaks_off_is_the_old_one_or_the_new_one() {
    for (fresh, officer) in CARDS {
        at_every_command(
            || at(fresh, Configuration::default(), SO, officer),
            |(desk, _)| desk,
            |(_, session)| session.init_pin(pin(NEW)),
            |(desk, _), _, what, _| {
                drop(desk.logs_in_with_one_of(USER, &[NEW, PIN], what));
            },
        );
    }
}

#[test]
fn a_resetting_code_that_breaks_off_costs_the_user_no_pin() {
    let code = || Pin::new(b"11223344");
    let with_code = || {
        let (desk, session) = at(openpgp, Configuration::default(), SO, PW3);
        let generation = desk.library.slot(0).unwrap().present().unwrap();
        desk.library.slot(0).unwrap().set_resetting_code(generation, Some(&code())).unwrap();
        desk.close();
        desk.commands();
        drop(session);
        desk
    };
    at_every_command(
        with_code,
        |desk| desk,
        |desk| {
            let slot = desk.library.slot(0).unwrap();
            slot.present().and_then(|generation| slot.reset_pin_by_code(generation, &code(), &Pin::new(NEW.as_bytes())))
        },
        |desk, _, what, _| drop(desk.logs_in_with_one_of(USER, &[NEW, PIN], what)),
    );
    at_every_command(
        || at(openpgp, Configuration::default(), SO, PW3),
        |(desk, _)| desk,
        |(desk, _)| {
            let slot = desk.library.slot(0).unwrap();
            slot.present().and_then(|generation| slot.set_resetting_code(generation, Some(&code())))
        },
        |(desk, _), _, what, _| drop(desk.logs_in_with_one_of(USER, &[PIN], what)),
    );
}

#[test]
fn tries_that_are_set_and_break_off_leave_the_pin_or_the_factorys() {
    const OWN: &str = "246802";
    let with_own_pin = || {
        let (desk, session) = at(|| yubikey([5, 7, 1]), Configuration::default(), USER, PIN);
        session.set_pin(pin(PIN), pin(OWN)).unwrap();
        session.logout().unwrap();
        session.login(SO, pin(MANAGEMENT_KEY)).unwrap();
        desk.commands();
        (desk, session)
    };
    at_every_command(
        with_own_pin,
        |(desk, _)| desk,
        |(desk, _)| {
            let slot = desk.library.slot(0).unwrap();
            slot.present().and_then(|generation| slot.set_tries(generation, &Pin::new(OWN.as_bytes()), (3, 3)))
        },
        |(desk, _), _, what, _| drop(desk.logs_in_with_one_of(USER, &[OWN, PIN], what)),
    );
}

#[test]
fn a_management_key_behind_the_pin_that_breaks_off_is_made_good_by_whoever_has_the_old_one_or_the_new_one() {
    let protected = || {
        let (desk, session) = at(|| yubikey([5, 7, 1]), Configuration::default(), SO, MANAGEMENT_KEY);
        let key = hex::decode(MANAGEMENT_KEY).unwrap();
        let admin = hex::decode("5C035FFF0053058003810102").unwrap();
        let printed = [&hex::decode("5C035FC109531C881A8918").unwrap()[..], &key].concat();
        for object in [admin, printed] {
            let put = [&[0x00, 0xDB, 0x3F, 0xFF, object.len() as u8][..], &object].concat();
            assert_eq!(desk.reader.transmit_by_another(&put), [0x90, 0x00]);
        }
        desk.commands();
        (desk, session)
    };
    at_every_command(
        protected,
        |(desk, _)| desk,
        |(_, session)| session.set_pin(pin(MANAGEMENT_KEY), pin(ANOTHER_KEY)),
        |(desk, _), _, what, _| {
            desk.close();
            let session = desk.open();
            let is_new = session.login(SO, pin(ANOTHER_KEY)).is_ok();
            let present = if is_new { ANOTHER_KEY } else { MANAGEMENT_KEY };
            if !is_new {
                session.login(SO, pin(present)).unwrap_or_else(|error| panic!("{what}: {error}"));
            }
            session.set_pin(pin(present), pin(ANOTHER_KEY)).unwrap_or_else(|error| panic!("{what}: {error}"));
            session.logout().unwrap();
            session.login(USER, pin(PIN)).unwrap();
            elliptic_pair(&session, &[(CKA_TOKEN, TRUE)]).unwrap_or_else(|error| panic!("{what}: {error}"));
        },
    );
}
