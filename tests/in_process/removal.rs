//! Cards that go away and come back, at every command of every operation.

use cardea_harness::piv::PivOptions;
use cardea_harness::provision::{Layout, PIN};
use cardea_harness::reader::{Action, Fault};
use cardea_pkcs11::card::driver::DRIVERS;
use cardea_pkcs11::configuration::Configuration;
use cardea_pkcs11::error::Error;
use cardea_pkcs11::pcsc::LinkError;
use cryptoki_sys::{CKA_CLASS, CKO_CERTIFICATE};

use super::keys::{AUTHENTICATION, ecdsa, find_all, private};
use super::operations::{OPERATIONS, everything_works};
use super::setting::{FULL, Setting, USER, card, pin};

/// More commands than any operation has.
const MOST: u32 = 40;

/// Runs every operation with the `trouble` at its first command, its second, and so on until it is not met any more.
fn at_every_command(
    trouble: impl Fn(&Setting, u32),
    met: impl Fn(&Setting) -> bool,
    judge: impl Fn(&Setting, &str, Result<(), Error>),
) {
    let setting = Setting::elliptic();
    for operation in OPERATIONS {
        for nth in 1..=MOST {
            setting.reader.remove();
            setting.reader.reinsert();
            let session = (operation.prepare)(&setting);
            trouble(&setting, nth);
            let result = (operation.run)(&setting, session.as_deref());
            let name = format!("{} with trouble at command {nth}", operation.name);
            if !met(&setting) {
                assert_eq!(result, Ok(()), "{name}");
                assert!(nth > 1, "{name}: no command at all");
                break;
            }
            assert!(nth < MOST, "{name}: endless");
            if !(operation.tidies_up() && result.is_ok()) {
                judge(&setting, &name, result);
            }
            if let Some(session) = session {
                match setting.library.session(session.handle()) {
                    Ok(alive) => assert!(alive.info().is_ok(), "{name}"),
                    Err(error) => assert_eq!(error, Error::SessionHandleInvalid, "{name}"),
                }
            }
            setting.reader.reinsert();
            everything_works(&setting, &name);
            assert_eq!(setting.tries(), FULL, "{name} lost a try");
        }
    }
}

fn removed(setting: &Setting, name: &str, result: Result<(), Error>) {
    let expected = matches!(result, Err(Error::DeviceRemoved | Error::TokenNotPresent));
    assert!(expected, "{name}: {result:?}");
    assert_eq!(setting.token_info().err(), Some(Error::TokenNotPresent), "{name}");
}

fn no_fault_is_left(setting: &Setting) -> bool {
    let met = setting.reader.virtual_reader().pending_faults() == 0;
    setting.reader.virtual_reader().clear_faults();
    met
}

#[test]
fn a_card_pulled_before_any_command_is_told_and_all_works_after_it_comes_back() {
    at_every_command(|setting, nth| setting.fault(Fault::at(nth, Action::RemoveCard)), no_fault_is_left, removed);
}

#[test]
fn a_card_pulled_after_any_command_is_told_and_all_works_after_it_comes_back() {
    at_every_command(|setting, nth| setting.fault(Fault::at(nth, Action::RemoveCardAfter)), no_fault_is_left, removed);
}

#[test]
fn a_reset_told_in_the_middle_of_a_transaction_voids_the_login_and_nothing_else() {
    at_every_command(
        |setting, nth| setting.reader.fail_link(nth, LinkError::Reset),
        |setting| !setting.reader.has_trouble(),
        |setting, name, result| {
            assert!(result == Err(Error::DeviceError), "{name}: {result:?}");
            if let Ok(session) = setting.library.open_session(0, true) {
                assert_eq!(setting.library.session(session).unwrap().info().unwrap().state, 2, "{name}");
            }
        },
    );
}

#[test]
fn a_service_that_goes_away_takes_the_sessions_and_all_works_when_it_is_back() {
    at_every_command(
        |setting, nth| setting.reader.fail_link(nth, LinkError::NoService),
        |setting| !setting.reader.has_trouble(),
        |_, name, result| assert!(result == Err(Error::DeviceRemoved), "{name}: {result:?}"),
    );
}

#[test]
fn a_session_whose_card_was_pulled_is_gone_and_its_handle_stays_gone() {
    let setting = Setting::elliptic();
    let handle = setting.logged_in().handle();
    setting.reader.remove();
    setting.commands();
    assert_eq!(setting.library.session(handle).err(), Some(Error::SessionHandleInvalid));
    setting.reader.reinsert();
    assert_eq!(setting.library.session(handle).err(), Some(Error::SessionHandleInvalid));
    assert_eq!(setting.library.close_session(handle), Err(Error::SessionHandleInvalid));
    assert_eq!(setting.commands().len(), 0);
    let session = setting.open();
    assert_ne!(session.handle(), handle);
    assert_eq!(session.info().unwrap().state, 2, "nobody is logged in after an insertion");
}

#[test]
fn an_insertion_that_nobody_saw_counts_all_the_same() {
    let setting = Setting::elliptic();
    let session = setting.logged_in();
    let key = private(&session, AUTHENTICATION).unwrap();
    setting.reader.remove();
    setting.reader.reinsert();
    assert_eq!(ecdsa(&session, AUTHENTICATION), Err(Error::DeviceRemoved), "a session held across the insertion");
    assert_eq!(setting.library.session(session.handle()).err(), Some(Error::SessionHandleInvalid));
    let session = setting.logged_in();
    assert_ne!(private(&session, AUTHENTICATION), Some(key), "object handles are not reused");
}

#[test]
fn another_card_in_the_same_reader_is_another_token() {
    let setting = Setting::elliptic();
    let session = setting.logged_in();
    let certificates = [(CKA_CLASS, &CKO_CERTIFICATE.to_ne_bytes()[..])];
    let before = find_all(&session, &certificates).unwrap();
    let serial = setting.token_info().unwrap().serial;
    let mut layout = Layout::elliptic();
    layout.chuid.guid = [0x77; 16];
    layout.slots.truncate(2);
    let (other, _) = card(PivOptions::default(), &layout);
    setting.reader.exchange(other);
    assert_eq!(setting.library.session(session.handle()).err(), Some(Error::SessionHandleInvalid));
    assert_ne!(setting.token_info().unwrap().serial, serial);
    let session = setting.open();
    assert_eq!(session.info().unwrap().state, 2);
    let after = find_all(&session, &certificates).unwrap();
    assert_eq!(after.len(), 2);
    assert!(after.iter().all(|handle| !before.contains(handle)));
    session.login(USER, pin(PIN)).unwrap();
    assert!(ecdsa(&session, AUTHENTICATION).is_ok());
}

#[test]
fn a_reader_that_is_unplugged_keeps_its_slot_and_gets_its_token_back() {
    let setting = Setting::elliptic();
    let handle = setting.logged_in().handle();
    setting.reader.virtual_reader().unplug();
    assert_eq!(setting.library.session(handle).err(), Some(Error::SessionHandleInvalid));
    assert_eq!(setting.library.open_session(0, true), Err(Error::TokenNotPresent));
    assert_eq!(setting.library.slot_ids(false, true), Ok(vec![0]));
    setting.reader.virtual_reader().plug();
    everything_works(&setting, "the reader was unplugged");
}

#[test]
fn objects_read_while_another_application_is_selected_are_not_taken_for_none() {
    for discovery_object in [true, false] {
        let options = PivOptions { discovery_object, ..PivOptions::default() };
        let setting = Setting::with(options, &Layout::elliptic(), Configuration::default(), DRIVERS);
        let session = setting.open();
        setting.another_selects_its_application();
        assert_eq!(find_all(&session, &[(CKA_CLASS, &CKO_CERTIFICATE.to_ne_bytes())]).unwrap().len(), 4);
    }
}
