//! The power is lost, or the link fails, at every single command of what changes a card for good.

mod initialization;
mod pins;

use std::sync::Arc;

use cardea_harness::card::VirtualCard;
use cardea_harness::myeid::{MyEidCard, MyEidLayout, MyEidOptions, provision_myeid};
use cardea_harness::openpgp::{OpenPgpCard, OpenPgpLayout, OpenPgpOptions, provision_openpgp};
use cardea_harness::piv::{PivCard, PivOptions};
use cardea_harness::provision::Authority;
use cardea_harness::reader::{Action, Fault, VirtualReader};
use cardea_pkcs11::card::driver::DRIVERS;
use cardea_pkcs11::configuration::Configuration;
use cardea_pkcs11::library::Library;
use cardea_pkcs11::session::Session;

use super::link::LocalReader;
use super::setting::library;

/// The ATR of a YubiKey 5.
const YUBIKEY: &str = "3BFD1300008131FE158073C021C057597562694B657940";

/// What happens at a command: the card is gone before it has seen it, or after it has executed it; or it is there as before,
/// and only the answer is lost.
const CUTS: [Action; 3] = [Action::RemoveCard, Action::RemoveCardAfter, Action::LoseResponse];

/// A card in a reader before a Library.
struct Desk {
    library: Library,
    reader: Arc<LocalReader>,
}

impl Desk {
    fn new(card: Box<dyn VirtualCard>, configuration: Configuration) -> Self {
        let reader = LocalReader::new("Virtual Reader 00 00", VirtualReader::with_card(card));
        let library = library(std::slice::from_ref(&reader), configuration, DRIVERS);
        library.slot(0).unwrap().token_info().unwrap();
        reader.virtual_reader().clear_log();
        Self { library, reader }
    }

    fn open(&self) -> Arc<Session> {
        self.library.session(self.library.open_session(0, true).unwrap()).unwrap()
    }

    fn close(&self) {
        self.library.close_all_sessions(0).unwrap();
    }

    fn commands(&self) -> Vec<Vec<u8>> {
        let commands = self.reader.virtual_reader().commands();
        self.reader.virtual_reader().clear_log();
        commands
    }

    /// The card is in the reader, whatever the cut was, and no other cut waits.
    fn recover(&self) {
        self.reader.virtual_reader().clear_faults();
        if !self.reader.virtual_reader().is_present() {
            self.reader.reinsert();
        }
        self.reader.virtual_reader().clear_log();
    }
}

/// Does `work` on a fresh card once for each command that it needs and each way of cutting, and then `judge`s; it gets how
/// that command was cut, and the command.
fn at_every_command<S, T>(
    fresh: impl Fn() -> S,
    desk: impl Fn(&S) -> &Desk,
    work: impl Fn(&S) -> T,
    judge: impl Fn(&S, T, &str, &[u8]),
) {
    let whole = fresh();
    work(&whole);
    let commands = desk(&whole).commands();
    assert!(!commands.is_empty());
    for (nth, command) in (1..).zip(&commands) {
        for cut in CUTS {
            let scene = fresh();
            let desk = desk(&scene);
            desk.reader.virtual_reader().fault(Fault::at(nth, cut.clone()));
            let outcome = work(&scene);
            desk.recover();
            let what = format!("{cut:?} at {nth} of {}, {:02X}", commands.len(), command[1]);
            judge(&scene, outcome, &what, command);
        }
    }
}

fn yubikey(version: [u8; 3]) -> Box<dyn VirtualCard> {
    let options = PivOptions { version, atr: Some(hex::decode(YUBIKEY).unwrap()), ..PivOptions::default() };
    let mut card = PivCard::new(options);
    card.power_on();
    Box::new(card)
}

fn openpgp() -> Box<dyn VirtualCard> {
    let mut card = OpenPgpCard::new(OpenPgpOptions::default());
    provision_openpgp(&mut card, &OpenPgpLayout::modern(), &Authority::default());
    Box::new(card)
}

fn myeid() -> Box<dyn VirtualCard> {
    let mut card = MyEidCard::new(MyEidOptions::default());
    provision_myeid(&mut card, &MyEidLayout::standard(), &Authority::default());
    Box::new(card)
}
