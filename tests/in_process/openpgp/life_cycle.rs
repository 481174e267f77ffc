//! Cards that were left between TERMINATE DF and ACTIVATE FILE, in the manners that cards have of saying so.

use std::sync::Arc;

use cardea_harness::card::VirtualCard;
use cardea_harness::openpgp::{OPENPGP_AID, OpenPgpCard, OpenPgpLayout, OpenPgpOptions, PW1, PW3, provision_openpgp};
use cardea_harness::provision::Authority;
use cardea_harness::reader::{Action, Fault, VirtualReader};
use cardea_pkcs11::card::driver::DRIVERS;
use cardea_pkcs11::configuration::Configuration;
use cardea_pkcs11::error::Error;
use cardea_pkcs11::library::Library;
use cardea_pkcs11::session::Session;
use cryptoki_sys::*;

use crate::in_process::keys::find_all;
use crate::in_process::link::LocalReader;
use crate::in_process::setting::{SO, USER, library, pin};
use crate::in_process::writing::{TRUE, elliptic_pair};

const TERMINATE: u8 = 0xE6;
const ACTIVATE: u8 = 0x44;
const LABEL: &[u8; 32] = b"revived                         ";
/// A PW3 that no factory gives.
const OFFICER: &str = "27182818";
const SERIAL: u32 = 0x0102_0304;

/// How a card behaves that is in initialisation state. But for SELECT and ACTIVATE FILE all commands are refused, and so
/// is GET DATA where nothing else is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    /// As opcard has it: SELECT 6285, all else 6985.
    Opcard,
    /// SELECT 6285; data objects for everybody are given.
    Readable,
    /// SELECT 6285 with the whole AID in the control information.
    Named,
    /// SELECT 9000, all else with this status word.
    Silent(u16),
    /// SELECT with this status word; the historical bytes have the state and GET DATA the application identifier.
    Announced(u16),
    /// The first ACTIVATE FILE after TERMINATE DF does nothing.
    Reversed,
    /// SELECT with this status word, and nothing more.
    Mute(u16),
}

/// An OpenPGP card with a manner.
struct Card {
    inside: OpenPgpCard,
    manner: Manner,
    terminated: bool,
    deaf: bool,
    /// What GET DATA of 4F and 6E gave before.
    told: [Vec<u8>; 2],
}

impl Card {
    fn new(manner: Manner) -> Self {
        let mut inside = OpenPgpCard::new(OpenPgpOptions { serial: Some(SERIAL), ..OpenPgpOptions::default() });
        provision_openpgp(&mut inside, &OpenPgpLayout::modern(), &Authority::default());
        inside.transmit(&[0x00, 0xA4, 0x04, 0x00, 0x06, 0xD2, 0x76, 0x00, 0x01, 0x24, 0x01, 0x00]);
        let told = [0x4F, 0x6E].map(|tag| inside.transmit(&[0x00, 0xCA, 0x00, tag, 0x00, 0x00, 0x00]));
        inside.reset();
        Self { inside, manner, terminated: false, deaf: false, told }
    }

    fn answer(&mut self, command: &[u8]) -> Option<Vec<u8>> {
        let status = |status: u16| Some(status.to_be_bytes().to_vec());
        if !self.terminated {
            return None;
        }
        let select = command[1] == 0xA4 && command.windows(6).any(|bytes| bytes == OPENPGP_AID);
        if select {
            self.inside.transmit(command);
        }
        let data = match command {
            [0x00, 0xCA, 0x00, 0x4F, ..] => Some(&self.told[0]),
            [0x00, 0xCA, 0x00, 0x6E, ..] => Some(&self.told[1]),
            _ => None,
        };
        match (self.manner, command[1]) {
            (_, 0xA4) if !select => None,
            (Manner::Reversed, ACTIVATE) if self.deaf => {
                self.deaf = false;
                status(0x9000)
            }
            (Manner::Reversed, TERMINATE) => status(0x9000),
            (_, TERMINATE | ACTIVATE) | (Manner::Opcard | Manner::Reversed, _) => None,
            (Manner::Readable, _) => data.cloned(),
            (Manner::Named, 0xA4) => {
                let aid = &self.told[0][..16];
                Some([&[0x6F, 0x12, 0x84, 0x10][..], aid, &[0x62, 0x85]].concat())
            }
            (Manner::Named, _) => None,
            (Manner::Silent(_), 0xA4) => status(0x9000),
            (Manner::Silent(refusal), _) => status(refusal),
            (Manner::Announced(refusal) | Manner::Mute(refusal), 0xA4) => status(refusal),
            (Manner::Announced(_), _) if command[3] == 0x4F => data.cloned(),
            (Manner::Announced(_) | Manner::Mute(_), _) => status(0x6A88),
        }
    }
}

impl VirtualCard for Card {
    fn atr(&self) -> Vec<u8> {
        let mut atr = self.inside.atr();
        if matches!(self.manner, Manner::Announced(_)) && self.terminated {
            // The life cycle status stands before 9000 and the check character.
            let at = atr.len() - 4;
            assert_eq!(atr[at..at + 3], [0x05, 0x90, 0x00]);
            atr[at] = 0x03;
            let last = atr.len() - 1;
            atr[last] = atr[1..last].iter().fold(0, |check, byte| check ^ byte);
        }
        atr
    }

    fn power_on(&mut self) {
        self.inside.power_on();
    }

    fn reset(&mut self) {
        self.inside.reset();
    }

    fn power_off(&mut self) {
        self.inside.power_off();
    }

    fn transmit(&mut self, command: &[u8]) -> Vec<u8> {
        if let Some(answer) = self.answer(command) {
            return answer;
        }
        let answer = self.inside.transmit(command);
        if answer == [0x90, 0x00] {
            match command[1] {
                TERMINATE if !self.terminated => (self.terminated, self.deaf) = (true, true),
                ACTIVATE => self.terminated = false,
                _ => {}
            }
        }
        answer
    }
}

fn has_keys(session: &Session) -> bool {
    !find_all(session, &[(CKA_CLASS, &CKO_PRIVATE_KEY.to_ne_bytes())]).unwrap().is_empty()
}

struct Setting {
    library: Library,
    reader: Arc<LocalReader>,
}

impl Setting {
    fn new(manner: Manner) -> Self {
        let reader = LocalReader::new("Virtual Reader 00 00", VirtualReader::with_card(Card::new(manner)));
        let library = library(std::slice::from_ref(&reader), Configuration::default(), DRIVERS);
        Self { library, reader }
    }

    /// The power was lost directly after TERMINATE DF.
    fn torn(manner: Manner) -> Self {
        let setting = Self::new(manner);
        setting.reader.virtual_reader().fault(Fault::on(TERMINATE, Action::RemoveCardAfter));
        assert_eq!(setting.init_token(PW3), Err(Error::DeviceRemoved));
        setting.reader.reinsert();
        setting
    }

    fn init_token(&self, officer: &str) -> Result<(), Error> {
        self.library.slot(0).unwrap().init_token(pin(officer), *LABEL)
    }

    fn flags(&self) -> Result<u64, Error> {
        let flags = self.library.slot(0).unwrap().token_info()?.flags;
        Ok(flags & (CKF_TOKEN_INITIALIZED | CKF_USER_PIN_INITIALIZED))
    }

    fn open(&self) -> Arc<Session> {
        self.library.session(self.library.open_session(0, true).unwrap()).unwrap()
    }

    /// The officer makes a key, and the user logs in.
    fn is_whole(&self, officer: &str) {
        assert_eq!(self.flags(), Ok(CKF_TOKEN_INITIALIZED | CKF_USER_PIN_INITIALIZED));
        let info = self.library.slot(0).unwrap().token_info().unwrap();
        assert_eq!((info.label.as_str(), info.serial.as_str()), ("revived", "000F01020304"));
        let session = self.open();
        assert!(!has_keys(&session));
        session.login(SO, pin(officer)).unwrap();
        elliptic_pair(&session, &[(CKA_TOKEN, TRUE)]).unwrap();
        session.logout().unwrap();
        session.login(USER, pin(PW1)).unwrap();
        assert!(has_keys(&session));
        self.library.close_all_sessions(0).unwrap();
    }
}

const MANNERS: [Manner; 9] = [
    Manner::Opcard,
    Manner::Readable,
    Manner::Named,
    Manner::Silent(0x6985),
    Manner::Silent(0x6285),
    Manner::Announced(0x6A82),
    Manner::Announced(0x6999),
    Manner::Announced(0x6283),
    Manner::Reversed,
];

#[test]
fn a_card_left_in_initialisation_state_is_a_token_that_is_not_initialized() {
    for manner in MANNERS {
        let setting = Setting::torn(manner);
        assert_eq!(setting.flags(), Ok(0), "{manner:?}");
        let slot = setting.library.slot(0).unwrap();
        let info = slot.token_info().unwrap();
        let tells = !matches!(manner, Manner::Opcard | Manner::Silent(_) | Manner::Reversed);
        assert_eq!(info.serial, if tells { "000F01020304" } else { "" }, "{manner:?}");
        assert_eq!(info.label, if tells { "OpenPGP 01020304" } else { "OpenPGP card" }, "{manner:?}");
        let session = setting.open();
        assert!(!has_keys(&session));
        setting.reader.virtual_reader().clear_log();
        assert_eq!(session.login(USER, pin(PW1)), Err(Error::UserPinNotInitialized), "{manner:?}");
        assert_eq!(session.login(SO, pin(PW3)), Err(Error::UserTypeInvalid), "{manner:?}");
        assert_eq!(session.set_pin(pin(PW1), pin("654321")), Err(Error::UserPinNotInitialized), "{manner:?}");
        let sent = setting.reader.virtual_reader().commands();
        assert!(sent.iter().all(|command| ![0x20, 0x24, 0x2C].contains(&command[1])), "no PIN is sent: {manner:?}");
        assert!(slot.mechanisms().is_ok());
        assert!(elliptic_pair(&session, &[(CKA_TOKEN, TRUE)]).is_err());
    }
}

#[test]
fn its_initialization_activates_it_with_whatever_officers_pin_is_given() {
    for manner in MANNERS {
        let setting = Setting::torn(manner);
        setting.init_token(OFFICER).unwrap_or_else(|error| panic!("{manner:?}: {error}"));
        setting.is_whole(OFFICER);
        let session = setting.open();
        assert_eq!(session.login(SO, pin(PW3)), Err(Error::PinIncorrect));
    }
}

#[test]
fn a_pin_that_cannot_be_an_officers_leaves_it_as_it_is() {
    let setting = Setting::torn(Manner::Opcard);
    for wrong in ["", "1234567", &"1".repeat(128)] {
        assert_eq!(setting.init_token(wrong), Err(Error::PinLenRange), "{wrong}");
    }
    assert_eq!(setting.flags(), Ok(0));
    setting.init_token(PW3).unwrap();
    setting.is_whole(PW3);
}

#[test]
fn an_exchange_that_fails_between_the_two_is_made_good_by_the_same_program() {
    for manner in MANNERS {
        for (instruction, action) in [(TERMINATE, Action::LoseResponse), (ACTIVATE, Action::Fail)] {
            let setting = Setting::new(manner);
            assert_eq!(setting.flags(), Ok(CKF_TOKEN_INITIALIZED | CKF_USER_PIN_INITIALIZED));
            setting.reader.virtual_reader().fault(Fault::on(instruction, action));
            assert_eq!(setting.init_token(PW3), Err(Error::DeviceError), "{manner:?}");
            assert_eq!(setting.flags(), Ok(0), "{manner:?}");
            setting.init_token(OFFICER).unwrap_or_else(|error| panic!("{manner:?}: {error}"));
            setting.is_whole(OFFICER);
        }
    }
}

#[test]
fn a_refusal_alone_does_not_make_an_openpgp_card() {
    for status in [0x6A82, 0x6A88, 0x6999, 0x6985, 0x6283] {
        let setting = Setting::torn(Manner::Mute(status));
        assert_eq!(setting.flags(), Err(Error::TokenNotRecognized), "{status:04X}");
        assert!(setting.reader.virtual_reader().commands().iter().all(|command| command[1] != ACTIVATE));
    }
}

#[test]
fn who_activates_it_meanwhile_has_an_officer_who_is_proved() {
    let setting = Setting::torn(Manner::Opcard);
    assert_eq!(setting.flags(), Ok(0));
    assert_eq!(setting.reader.transmit_by_another(&[0x00, ACTIVATE, 0x00, 0x00]), [0x90, 0x00]);
    assert_eq!(setting.init_token(OFFICER), Err(Error::PinIncorrect));
    assert_eq!(setting.flags(), Ok(CKF_TOKEN_INITIALIZED | CKF_USER_PIN_INITIALIZED));
    setting.init_token(PW3).unwrap();
    setting.is_whole(PW3);
}

#[test]
fn who_terminates_it_meanwhile_leaves_a_token_that_can_be_initialized() {
    let setting = Setting::new(Manner::Opcard);
    let session = setting.open();
    let select = [0x00, 0xA4, 0x04, 0x00, 0x06, 0xD2, 0x76, 0x00, 0x01, 0x24, 0x01, 0x00];
    setting.reader.transmit_by_another(&select);
    setting.reader.transmit_by_another(&[&[0x00, 0x20, 0x00, 0x83, 0x08][..], PW3.as_bytes()].concat());
    assert_eq!(setting.reader.transmit_by_another(&[0x00, TERMINATE, 0x00, 0x00]), [0x90, 0x00]);
    assert_eq!(session.login(USER, pin(PW1)), Err(Error::UserPinNotInitialized));
    setting.library.close_all_sessions(0).unwrap();
    setting.init_token(OFFICER).unwrap();
    setting.is_whole(OFFICER);
}

#[test]
fn a_card_of_which_both_pins_are_blocked_is_emptied_without_proof_and_one_whose_user_has_a_pin_is_not() {
    for user_is_blocked in [false, true] {
        let setting = Setting::new(Manner::Opcard);
        let session = setting.open();
        for wrong in ["11111111", "22222222", "33333333"] {
            session.login(SO, pin(wrong)).unwrap_err();
            if user_is_blocked {
                session.login(USER, pin(wrong)).unwrap_err();
            }
        }
        setting.library.close_all_sessions(0).unwrap();
        if user_is_blocked {
            setting.init_token(OFFICER).unwrap();
            setting.is_whole(OFFICER);
        } else {
            assert_eq!(setting.init_token(PW3), Err(Error::PinLocked));
            let session = setting.open();
            session.login(USER, pin(PW1)).unwrap();
            assert!(has_keys(&session));
        }
    }
}
