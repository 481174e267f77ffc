//! What a transcript keeps to itself: PINs that go through the reader's pad, and those that a card gives back.

use std::path::PathBuf;

use cardea_harness::card::VirtualCard;
use cardea_harness::piv::{PivCard, PivOptions};
use cardea_harness::provision::{Authority, Layout, PIN, PUK, provision};
use cardea_harness::reader::{PinPad, VirtualReader};
use cardea_pkcs11::card::driver::DRIVERS;
use cardea_pkcs11::configuration::Configuration;
use cardea_pkcs11::library::Library;
use cardea_pkcs11::log::Log;
use cardea_pkcs11::pcsc::recorder::{Recorder, Sheet};

use super::link::{Desk, LocalReader};
use super::setting::{SO, USER, VERIFY, pin};

/// A card that gives back the data field of VERIFY.
struct Echoing(PivCard);

impl VirtualCard for Echoing {
    fn atr(&self) -> Vec<u8> {
        self.0.atr()
    }

    fn power_on(&mut self) {
        self.0.power_on();
    }

    fn reset(&mut self) {
        self.0.reset();
    }

    fn power_off(&mut self) {
        self.0.power_off();
    }

    fn transmit(&mut self, command: &[u8]) -> Vec<u8> {
        let answer = self.0.transmit(command);
        match command {
            [_, VERIFY, _, _, _, data @ ..] => [data, answer.as_slice()].concat(),
            _ => answer,
        }
    }
}

/// A file that goes with the value.
struct Paper(PathBuf);

impl Paper {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("cardea-transcript-{name}-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        Self(path)
    }

    fn text(&self) -> String {
        std::fs::read_to_string(&self.0).unwrap()
    }
}

impl Drop for Paper {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn recorded(paper: &Paper, reader: VirtualReader) -> Library {
    let desk = Desk::new(vec![LocalReader::new("Recorded Reader 00 00", reader)]);
    let recorder = Recorder::new(Box::new(desk), Sheet::create(&paper.0).unwrap());
    Library::new(Box::new(recorder), Configuration::default(), Log::default(), DRIVERS).unwrap()
}

fn card() -> PivCard {
    let mut card = PivCard::new(PivOptions::default());
    provision(&mut card, &Layout::elliptic(), &Authority::default());
    card
}

#[test]
fn a_pin_that_a_hostile_card_gives_back_is_not_written_down() {
    let paper = Paper::new("echo");
    let library = recorded(&paper, VirtualReader::with_card(Echoing(card())));
    let session = library.session(library.open_session(0, true).unwrap()).unwrap();
    session.login(USER, pin(PIN)).unwrap();
    let text = paper.text();
    assert!(text.contains("> 0020008008????????????????\n< ????????????????9000\n"), "{text}");
    assert!(!text.contains(&hex::encode_upper(PIN)), "{text}");
}

#[test]
fn a_puk_that_goes_to_the_pad_with_the_place_for_a_new_pin_is_not_written_down() {
    let paper = Paper::new("pad");
    let reader = VirtualReader::with_card(card());
    reader.set_pin_pad(Some(PinPad::typing(&["222222", "222222"])));
    let library = recorded(&paper, reader);
    let session = library.session(library.open_session(0, true).unwrap()).unwrap();
    session.login(SO, pin(PUK)).unwrap();
    session.init_pin(None).unwrap();
    let text = paper.text();
    assert!(text.contains(&format!("002C008010{} 9000\n", "?".repeat(32))), "{text}");
    assert!(!text.contains(&hex::encode_upper(PUK)), "{text}");
}
