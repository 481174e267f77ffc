//! Cards that nobody knows, that say nothing, or that say absurd things.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cardea_harness::card::VirtualCard;
use cardea_harness::reader::{Action, Fault, VirtualReader};
use cardea_pkcs11::card::driver::DRIVERS;
use cardea_pkcs11::configuration::Configuration;
use cardea_pkcs11::error::Error;
use cardea_pkcs11::library::Library;

use super::link::LocalReader;
use super::operations::everything_works;
use super::setting::{Setting, library};

/// Most commands that a card nobody knows may cost.
const MOST: usize = 8;

/// A card that answers everything alike.
struct Parrot {
    atr: Vec<u8>,
    answer: Vec<u8>,
    resets: Arc<AtomicU64>,
}

impl VirtualCard for Parrot {
    fn atr(&self) -> Vec<u8> {
        self.atr.clone()
    }

    fn power_on(&mut self) {}

    fn reset(&mut self) {
        self.resets.fetch_add(1, Ordering::SeqCst);
    }

    fn power_off(&mut self) {}

    fn transmit(&mut self, _: &[u8]) -> Vec<u8> {
        self.answer.clone()
    }
}

/// The ATR of a plain T=1 card.
const ATR: &[u8] = &[0x3B, 0x80, 0x81, 0x01, 0x01];

fn before(atr: &[u8], answer: &[u8]) -> (Library, Arc<LocalReader>) {
    let card = Parrot { atr: atr.to_vec(), answer: answer.to_vec(), resets: Arc::default() };
    let reader = LocalReader::new("Reader of the unknown", VirtualReader::with_card(card));
    (library(std::slice::from_ref(&reader), Configuration::default(), DRIVERS), reader)
}

fn token_info(library: &Library) -> Option<Error> {
    library.slot(0).unwrap().token_info().err()
}

fn commands(reader: &LocalReader) -> usize {
    let count = reader.virtual_reader().commands().len();
    reader.virtual_reader().clear_log();
    count
}

#[test]
fn a_card_nobody_knows_is_asked_a_few_times_once_for_each_insertion() {
    for answer in [[0x6A, 0x82], [0x6D, 0x00], [0x6E, 0x00], [0x6F, 0x00], [0x90, 0x00], [0x69, 0x82], [0x67, 0x00]] {
        let (library, reader) = before(ATR, &answer);
        for _ in 0..2 {
            assert_eq!(token_info(&library), Some(Error::TokenNotRecognized), "{answer:02X?}");
            let first = commands(&reader);
            assert!((1..=MOST).contains(&first), "{answer:02X?}: {first} commands");
            assert_eq!(token_info(&library), Some(Error::TokenNotRecognized));
            assert_eq!(library.open_session(0, true), Err(Error::TokenNotRecognized));
            assert_eq!(commands(&reader), 0, "it is remembered");
            reader.remove();
            reader.reinsert();
        }
    }
}

#[test]
fn a_card_nobody_knows_is_in_the_slot_all_the_same() {
    let (library, _) = before(ATR, &[0x6A, 0x82]);
    assert_eq!(library.slot_ids(true, true), Ok(vec![0]));
    assert!(library.slot(0).unwrap().info().unwrap().token_present);
}

#[test]
fn an_absurd_atr_is_no_reason_to_fail() {
    for atr in
        [&[][..], &[0x00], &[0x3B], &[0x3B, 0xFF], &[0x3F, 0xFF, 0xFF, 0xFF, 0xFF], &[0xFF; 33], &[0x3B, 0x8F, 0x80]]
    {
        let (library, reader) = before(atr, &[0x6A, 0x82]);
        for _ in 0..2 {
            assert_eq!(token_info(&library), Some(Error::TokenNotRecognized), "{atr:02X?}");
        }
        assert!(commands(&reader) <= MOST);
    }
}

#[test]
fn answers_without_end_or_sense_are_errors_and_cost_little() {
    for answer in [&[0x61, 0x10][..], &[0x6C, 0x10], &[], &[0x90], &[0xAA; 40]] {
        let (library, reader) = before(ATR, answer);
        let error = token_info(&library);
        assert!(matches!(error, Some(Error::TokenNotRecognized | Error::DeviceError)), "{answer:02X?}: {error:?}");
        assert!(commands(&reader) <= 520, "{answer:02X?}");
    }
}

#[test]
fn a_card_that_does_not_answer_is_asked_again_when_somebody_wants_it() {
    let setting = Setting::elliptic();
    setting.fault(Fault::at(1, Action::Mute).times(6));
    for _ in 0..3 {
        assert!(matches!(setting.token_info().err(), Some(Error::DeviceError | Error::TokenNotRecognized)));
    }
    setting.reader.virtual_reader().clear_faults();
    everything_works(&setting, "the card was mute for a while");
}
