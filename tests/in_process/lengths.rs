//! Long commands through readers and cards of every ability: extended where both can, else chained.

use cardea_harness::piv::PivOptions;
use cardea_harness::provision::Layout;
use cardea_harness::reader::{Action, ExchangeLevel, Fault, Properties};
use cardea_pkcs11::card::driver::DRIVERS;
use cardea_pkcs11::configuration::Configuration;
use cardea_pkcs11::mechanism::{Hash, Mechanism};
use cardea_pkcs11::session::Session;

use super::keys::{AUTHENTICATION, private, signature, verified};
use super::setting::{GENERAL_AUTHENTICATE, Setting};

/// The bit of CLA that says that more of the command follows (ISO 7816-4 5.3.3).
const CHAINED: u8 = 0x10;

fn setting(options: PivOptions, properties: Properties) -> Setting {
    let setting = Setting::with(options, &Layout::standard(), Configuration::default(), DRIVERS);
    setting.reader.virtual_reader().set_properties(properties);
    setting
}

fn sign(session: &Session) {
    let mechanism = Mechanism::RsaPkcsHash(Hash::Sha256);
    let key = private(session, AUTHENTICATION).unwrap();
    let signature = signature(session, mechanism.clone(), key, b"message").unwrap();
    assert_eq!(verified(session, mechanism, AUTHENTICATION, b"message", &signature), Ok(()));
}

/// How the commands of a warm signature travel: extended ones, parts of chains, and all of them.
fn travel(setting: &Setting, session: &Session) -> (usize, usize, usize) {
    setting.commands();
    sign(session);
    let commands = setting.commands();
    let extended = commands.iter().filter(|command| command.len() > 5 && command[4] == 0).count();
    let chained = commands.iter().filter(|command| command[0] & CHAINED != 0).count();
    (extended, chained, commands.len())
}

#[test]
fn a_signature_travels_in_one_extended_command_where_card_and_reader_can() {
    let setting = setting(PivOptions::extended(), Properties::default());
    let session = setting.logged_in();
    sign(&session);
    assert_eq!(travel(&setting, &session), (1, 0, 1));
}

#[test]
fn a_card_that_refuses_long_parts_of_a_chain_gets_short_ones_from_then_on() {
    let options = PivOptions { longest_part: Some(128), ..PivOptions::short() };
    let setting = setting(options, Properties::default());
    let session = setting.logged_in();
    setting.commands();
    sign(&session);
    let parts = || setting.commands().iter().map(|command| usize::from(command[4])).collect::<Vec<_>>();
    let first = parts();
    assert_eq!(first.iter().filter(|length| **length == 255).count(), 1, "{first:?}");
    sign(&session);
    assert_eq!(parts()[..3], [128, 128, 10]);
}

#[test]
fn a_card_or_reader_for_short_commands_gets_no_other() {
    for (options, properties) in [
        (PivOptions::short(), Properties::default()),
        (PivOptions::extended(), Properties::short()),
        (PivOptions::short(), Properties::short()),
    ] {
        let setting = setting(options, properties);
        let session = setting.logged_in();
        sign(&session);
        let (extended, chained, all) = travel(&setting, &session);
        assert_eq!((extended, chained), (0, 1));
        assert!(all <= 3, "{all} commands");
    }
}

#[test]
fn a_reader_that_promises_too_much_is_found_out_once() {
    let boaster = Properties { exchange: ExchangeLevel::Short, max_apdu_data: 0x1_0000, ..Properties::default() };
    let setting = setting(PivOptions::extended(), boaster);
    let session = setting.logged_in();
    sign(&session);
    let all: Vec<_> = setting.commands();
    let tried = all.iter().filter(|command| command.len() > 5 && command[4] == 0).count();
    assert_eq!(tried, 1, "one extended command is tried, and never again");
    let (extended, chained, _) = travel(&setting, &session);
    assert_eq!((extended, chained), (0, 1));
}

#[test]
fn a_card_that_promises_too_much_is_found_out_once() {
    let setting = setting(PivOptions::extended(), Properties::default());
    let session = setting.logged_in();
    let key = private(&session, AUTHENTICATION).unwrap();
    setting.fault(Fault::on(GENERAL_AUTHENTICATE, Action::Respond(vec![0x67, 0x00])));
    setting.commands();
    signature(&session, Mechanism::RsaPkcsHash(Hash::Sha256), key, b"message").unwrap();
    let commands = setting.commands();
    assert_eq!(commands.iter().filter(|command| command.len() > 5 && command[4] == 0).count(), 1);
    let (extended, chained, _) = travel(&setting, &session);
    assert_eq!((extended, chained), (0, 1));
}

#[test]
fn a_failure_after_extended_commands_have_worked_is_not_blamed_on_their_length() {
    let setting = setting(PivOptions::extended(), Properties::default());
    let session = setting.logged_in();
    sign(&session);
    let key = private(&session, AUTHENTICATION).unwrap();
    setting.fault(Fault::on(GENERAL_AUTHENTICATE, Action::Fail));
    assert!(signature(&session, Mechanism::RsaPkcsHash(Hash::Sha256), key, b"message").is_err());
    assert_eq!(travel(&setting, &session), (1, 0, 1));
}

#[test]
fn no_command_is_longer_than_the_reader_says_it_can_carry() {
    for limit in [256, 261, 300, 512] {
        let setting = setting(PivOptions::extended(), Properties { max_apdu_data: limit, ..Properties::default() });
        let session = setting.logged_in();
        sign(&session);
        for command in setting.commands() {
            assert!(command.len() <= limit as usize + 9, "{} bytes past a limit of {limit}", command.len());
        }
    }
}
