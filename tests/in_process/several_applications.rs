//! A card with PIV and OpenPGP: two slots of one reader that share the card lock, each with its own login. Selecting
//! one application ends the login with the other on this card, as on most.

use std::sync::Arc;
use std::thread;

use cardea_harness::openpgp::{OpenPgpLayout, OpenPgpOptions, PW1, provision_openpgp};
use cardea_harness::piv::PivOptions;
use cardea_harness::provision::{Authority, Layout, PIN, provision};
use cardea_harness::reader::VirtualReader;
use cardea_harness::several::PivAndOpenPgpCard;
use cardea_pkcs11::card::driver::DRIVERS;
use cardea_pkcs11::configuration::Configuration;
use cardea_pkcs11::error::Error;
use cardea_pkcs11::library::Library;
use cardea_pkcs11::mechanism::Mechanism;
use cardea_pkcs11::session::Session;

use super::keys::{AUTHENTICATION, CARD_AUTHENTICATION, DIGEST, private, signature, verified};
use super::link::LocalReader;
use super::setting::{SELECT, USER, library, pin};

/// CKA_ID of OpenPGP's authentication key.
const OPENPGP_AUTHENTICATION: u8 = 3;
/// Operations of each thread.
const ROUNDS: usize = 500;

struct Setting {
    library: Library,
    reader: Arc<LocalReader>,
    slots: Vec<u64>,
}

impl Setting {
    fn new(configuration: Configuration) -> Self {
        let mut card = PivAndOpenPgpCard::new(PivOptions::extended(), OpenPgpOptions::default());
        provision(&mut card, &Layout::elliptic(), &Authority::default());
        provision_openpgp(&mut card, &OpenPgpLayout::modern(), &Authority::default());
        let reader = LocalReader::new("Virtual Reader 00 00", VirtualReader::with_card(card));
        let library = library(std::slice::from_ref(&reader), configuration, DRIVERS);
        let slots = library.slot_ids(true, true).unwrap();
        Self { library, reader, slots }
    }

    fn labels(&self) -> Vec<String> {
        self.slots.iter().map(|slot| self.library.slot(*slot).unwrap().token_info().unwrap().label).collect()
    }

    fn open(&self, slot: usize) -> Arc<Session> {
        self.library.session(self.library.open_session(self.slots[slot], true).unwrap()).unwrap()
    }
}

#[test]
fn each_application_is_a_slot_with_a_label_of_its_own_and_keeps_its_number() {
    let setting = Setting::new(Configuration::default());
    assert_eq!(setting.slots.len(), 2);
    let labels = setting.labels();
    assert!(labels[0].contains("PIV") && labels[1].contains("OpenPGP"), "{labels:?}");
    let second = setting.library.slot(setting.slots[1]).unwrap();
    assert_eq!(second.info().unwrap().description, "Virtual Reader 00 00 (OpenPGP)");
    setting.reader.remove();
    assert_eq!(setting.library.slot_ids(true, true).unwrap(), Vec::<u64>::new());
    assert_eq!(setting.library.slot_ids(false, true).unwrap(), setting.slots, "slots stay without their tokens");
    assert_eq!(second.token_info().err(), Some(Error::TokenNotPresent));
    setting.reader.reinsert();
    assert_eq!(setting.library.slot_ids(true, true).unwrap(), setting.slots);
    assert_eq!(setting.labels(), labels);
}

#[test]
fn a_slot_that_is_known_needs_no_new_list_after_an_insertion() {
    let setting = Setting::new(Configuration::default());
    setting.reader.remove();
    setting.reader.reinsert();
    assert!(setting.library.slot(setting.slots[1]).unwrap().token_info().is_ok());
}

#[test]
fn an_application_can_be_switched_off() {
    let without = |name: &str| Configuration { disabled_applications: vec![name.to_owned()], ..Default::default() };
    for (name, left) in [("openpgp", "PIV"), ("PIV", "OpenPGP")] {
        let setting = Setting::new(without(name));
        let labels = setting.labels();
        assert!(labels.len() == 1 && labels[0].contains(left), "{labels:?}");
    }
}

#[test]
fn each_slot_has_its_own_login_and_finds_out_when_the_other_took_it() {
    let setting = Setting::new(Configuration::default());
    let (piv, openpgp) = (setting.open(0), setting.open(1));
    piv.login(USER, pin(PIN)).unwrap();
    let signs = private(&piv, AUTHENTICATION).unwrap();
    assert_eq!((piv.info().unwrap().state, openpgp.info().unwrap().state), (3, 2));
    openpgp.login(USER, pin(PW1)).unwrap();
    let key = private(&openpgp, OPENPGP_AUTHENTICATION).unwrap();
    signature(&openpgp, Mechanism::Eddsa, key, DIGEST).unwrap();
    let refused = signature(&piv, Mechanism::Ecdsa, signs, DIGEST);
    assert_eq!(refused, Err(Error::UserNotLoggedIn), "the card forgot it");
    piv.login(USER, pin(PIN)).unwrap();
    signature(&piv, Mechanism::Ecdsa, signs, DIGEST).unwrap();
}

#[test]
fn two_threads_that_alternate_get_only_right_answers_and_no_needless_selection() {
    let setting = Setting::new(Configuration::default());
    let (piv, openpgp) = (setting.open(0), setting.open(1));
    setting.reader.virtual_reader().clear_log();
    let logins = thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..ROUNDS {
                let key = private(&piv, CARD_AUTHENTICATION).unwrap();
                let signed = signature(&piv, Mechanism::Ecdsa, key, DIGEST).unwrap();
                verified(&piv, Mechanism::Ecdsa, CARD_AUTHENTICATION, DIGEST, &signed).unwrap();
            }
        });
        let mut logins = 0;
        for _ in 0..ROUNDS {
            let signed = loop {
                let signed = private(&openpgp, OPENPGP_AUTHENTICATION)
                    .ok_or(Error::UserNotLoggedIn)
                    .and_then(|key| signature(&openpgp, Mechanism::Eddsa, key, DIGEST));
                match signed {
                    Err(Error::UserNotLoggedIn) => {
                        logins += 1;
                        openpgp.login(USER, pin(PW1)).unwrap();
                    }
                    other => break other.unwrap(),
                }
            };
            verified(&openpgp, Mechanism::Eddsa, OPENPGP_AUTHENTICATION, DIGEST, &signed).unwrap();
        }
        logins
    });
    let commands = setting.reader.virtual_reader().commands();
    let selections = commands.iter().filter(|command| command[1] == SELECT).count();
    // Each operation and each login may find the other application selected, and nothing else selects.
    assert!(selections <= 2 * ROUNDS + logins, "{selections} selections for {logins} logins");
}
