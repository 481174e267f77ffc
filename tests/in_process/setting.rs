//! A Library, a reader and a card, and what another program does with the same card.

use std::sync::Arc;

use cardea_harness::piv::{DUMMY_AID, PIV_AID, PivCard, PivOptions};
use cardea_harness::provision::{Authority, Layout, PIN, Provisioned, provision};
use cardea_harness::reader::{Fault, VirtualReader};
use cardea_pkcs11::card::driver::{DRIVERS, Driver};
use cardea_pkcs11::configuration::Configuration;
use cardea_pkcs11::error::Error;
use cardea_pkcs11::library::Library;
use cardea_pkcs11::log::Log;
use cardea_pkcs11::secret::Pin;
use cardea_pkcs11::session::Session;
use cardea_pkcs11::slot::{Slot, TokenInfo};

use super::link::{Desk, LocalReader};

/// CKU_SO.
pub const SO: u64 = 0;
/// CKU_USER.
pub const USER: u64 = 1;
/// CKU_CONTEXT_SPECIFIC.
pub const CONTEXT: u64 = 2;
/// INS of VERIFY.
pub const VERIFY: u8 = 0x20;
/// INS of GENERAL AUTHENTICATE.
pub const GENERAL_AUTHENTICATE: u8 = 0x87;
/// INS of SELECT.
pub const SELECT: u8 = 0xA4;
/// Tries of a virtual card's PIN when full.
pub const FULL: u8 = 3;

/// A Library and the one reader in front of it.
pub struct Setting {
    pub library: Library,
    pub reader: Arc<LocalReader>,
}

/// A provisioned card.
pub fn card(options: PivOptions, layout: &Layout) -> (PivCard, Provisioned) {
    let mut card = PivCard::new(options);
    let provisioned = provision(&mut card, layout, &Authority::default());
    (card, provisioned)
}

/// A Library before these readers.
pub fn library(readers: &[Arc<LocalReader>], configuration: Configuration, drivers: &'static [Driver]) -> Library {
    Library::new(Box::new(Desk::new(readers.to_vec())), configuration, Log::default(), drivers).unwrap()
}

/// A PIN as a caller gives it.
pub fn pin(text: &str) -> Option<Pin> {
    Some(Pin::new(text.as_bytes()))
}

impl Setting {
    /// A PIV card with the standard layout, extended length.
    pub fn piv() -> Self {
        Self::with(PivOptions::default(), &Layout::standard(), Configuration::default(), DRIVERS)
    }

    /// A PIV card that is filled in no time: P-256 keys only.
    pub fn elliptic() -> Self {
        Self::with(PivOptions::default(), &Layout::elliptic(), Configuration::default(), DRIVERS)
    }

    /// A provisioned card of the caller's choice.
    pub fn with(
        options: PivOptions,
        layout: &Layout,
        configuration: Configuration,
        drivers: &'static [Driver],
    ) -> Self {
        let (card, _) = card(options, layout);
        let reader = LocalReader::new("Virtual Reader 00 00", VirtualReader::with_card(card));
        let library = library(std::slice::from_ref(&reader), configuration, drivers);
        reader.virtual_reader().clear_log();
        Self { library, reader }
    }

    /// Card commands since the last call.
    pub fn commands(&self) -> Vec<Vec<u8>> {
        let commands = self.reader.virtual_reader().commands();
        self.reader.virtual_reader().clear_log();
        commands
    }

    /// Instruction bytes of the card commands since the last call.
    pub fn instructions(&self) -> Vec<u8> {
        self.commands().iter().map(|command| command[1]).collect()
    }

    /// The slot.
    pub fn slot(&self) -> Arc<Slot> {
        self.library.slot(0).unwrap()
    }

    /// C_GetTokenInfo.
    pub fn token_info(&self) -> Result<TokenInfo, Error> {
        self.slot().token_info()
    }

    /// A read/write session.
    pub fn open(&self) -> Arc<Session> {
        self.library.session(self.library.open_session(0, true).unwrap()).unwrap()
    }

    /// A read/write session that is logged in.
    pub fn logged_in(&self) -> Arc<Session> {
        let session = self.open();
        session.login(USER, pin(PIN)).unwrap();
        session
    }

    /// Arms a fault for a card command.
    pub fn fault(&self, fault: Fault) {
        self.reader.virtual_reader().fault(fault);
    }

    /// Another program's command; its status word.
    pub fn another(&self, command: &[u8]) -> u16 {
        let answer = self.reader.transmit_by_another(command);
        u16::from_be_bytes(*answer.last_chunk().unwrap())
    }

    /// Another program selects its own application.
    pub fn another_selects_its_application(&self) {
        assert_eq!(self.another(&select(&DUMMY_AID)), 0x9000);
    }

    /// Another program selects PIV, which may drop a login.
    pub fn another_selects_piv(&self) {
        assert_eq!(self.another(&select(&PIV_AID)), 0x9000);
    }

    /// Another program verifies a PIN; the status word.
    pub fn another_verifies(&self, pin: &str) -> u16 {
        let mut command = vec![0x00, VERIFY, 0x00, 0x80, 0x08];
        command.extend(pin.bytes().chain([0xFF; 8]).take(8));
        self.another(&command)
    }

    /// What the card says to another program that asks for the state of the PIN: 9000 verified, else 63Cx.
    pub fn pin_status(&self) -> u16 {
        self.reader.virtual_reader().clear_faults();
        let status = self.another(&[0x00, VERIFY, 0x00, 0x80]);
        if status != 0x6D00 {
            return status;
        }
        // The card started afresh with nothing selected.
        self.another_selects_piv();
        self.another(&[0x00, VERIFY, 0x00, 0x80])
    }

    /// Tries that the PIN has left, as the card itself says.
    pub fn tries(&self) -> u8 {
        match self.pin_status() {
            0x9000 => FULL,
            0x6983 => 0,
            status if status & 0xFFF0 == 0x63C0 => u8::try_from(status & 0xF).unwrap(),
            status => panic!("the card says {status:04X} of its PIN"),
        }
    }
}

/// SELECT by AID.
pub fn select(aid: &[u8]) -> Vec<u8> {
    let mut command = vec![0x00, SELECT, 0x04, 0x00, u8::try_from(aid.len()).unwrap()];
    command.extend_from_slice(aid);
    command
}
