//! Cards that drag out what they are asked: no call becomes endless, and the next card is served as ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cardea_harness::card::VirtualCard;
use cardea_harness::myeid::{MyEidCard, MyEidLayout, MyEidOptions, PIN, provision_myeid};
use cardea_harness::provision::Authority;
use cardea_harness::reader::VirtualReader;
use cardea_pkcs11::card::driver::DRIVERS;
use cardea_pkcs11::configuration::Configuration;
use cardea_pkcs11::error::Error;

use super::keys::{DIGEST, find_all, private, signature};
use super::link::LocalReader;
use super::setting::{USER, library, pin};

/// INS of READ BINARY.
const READ_BINARY: u8 = 0xB0;
/// Most commands that one call may take: the bound of a listing, for the description and for each look at the objects.
const MOST: usize = 4 * 2048;
/// CKA_ID of the P-256 key.
const P256: u8 = 0x46;

/// A card that gives its files byte by byte while it is told to.
struct Dripping<C> {
    card: C,
    drips: Arc<AtomicBool>,
}

impl<C: VirtualCard> VirtualCard for Dripping<C> {
    fn atr(&self) -> Vec<u8> {
        self.card.atr()
    }

    fn power_on(&mut self) {
        self.card.power_on();
    }

    fn reset(&mut self) {
        self.card.reset();
    }

    fn power_off(&mut self) {
        self.card.power_off();
    }

    fn transmit(&mut self, command: &[u8]) -> Vec<u8> {
        let answer = self.card.transmit(command);
        match (&answer[..], command.get(1)) {
            ([first, _, .., 0x90, 0x00], Some(&READ_BINARY)) if self.drips.load(Ordering::SeqCst) => {
                vec![*first, 0x90, 0x00]
            }
            _ => answer,
        }
    }
}

#[test]
fn a_card_that_gives_its_files_byte_by_byte_ends_a_call_and_not_the_patience_of_its_user() {
    let mut card = MyEidCard::new(MyEidOptions::default());
    provision_myeid(&mut card, &MyEidLayout::standard(), &Authority::default());
    let drips = Arc::new(AtomicBool::new(true));
    let card = Dripping { card, drips: Arc::clone(&drips) };
    let reader = LocalReader::new("Dripping Reader 00 00", VirtualReader::with_card(card));
    let library = library(std::slice::from_ref(&reader), Configuration::default(), DRIVERS);
    let counted = |what: &str| {
        let count = reader.virtual_reader().commands().len();
        assert!(count <= MOST, "{count} commands for {what}");
        reader.virtual_reader().clear_log();
    };
    let token = library.slot(0).unwrap().token_info();
    counted("the token");
    let found = library.open_session(0, true).and_then(|handle| find_all(&library.session(handle).unwrap(), &[]));
    assert!(matches!((&token, &found), (Err(_), _) | (_, Err(Error::DeviceError))), "{token:?} {found:?}");
    counted("the objects");
    drips.store(false, Ordering::SeqCst);
    reader.remove();
    library.slot_ids(true, true).unwrap();
    reader.reinsert();
    let session = library.session(library.open_session(0, true).unwrap()).unwrap();
    session.login(USER, pin(PIN)).unwrap();
    let key = private(&session, P256).unwrap();
    signature(&session, cardea_pkcs11::mechanism::Mechanism::Ecdsa, key, DIGEST).unwrap();
}
