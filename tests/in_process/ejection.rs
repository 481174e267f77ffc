//! What happens to the card with the last session: the policy table of the ejection, and who is alone.

use std::sync::Arc;

use cardea_harness::piv::PivOptions;
use cardea_harness::provision::Layout;
use cardea_harness::reader::{Action, Event, Fault, Properties, VirtualReader};
use cardea_pkcs11::card::driver::DRIVERS;
use cardea_pkcs11::configuration::{Configuration, EjectPolicy};
use cardea_pkcs11::journal::Journal;
use cardea_pkcs11::library::Library;
use cardea_pkcs11::log::Log;
use cardea_pkcs11::object::template::Template;
use cardea_pkcs11::profile::Profiles;
use cardea_pkcs11::session::search::find_init;

use super::link::{Desk, LocalReader};
use super::setting::*;

/// CKS_RW_PUBLIC_SESSION.
const RW_PUBLIC: u64 = 2;

fn setting(eject: EjectPolicy) -> Setting {
    let configuration = Configuration { eject, ..Configuration::default() };
    Setting::with(PivOptions::default(), &Layout::elliptic(), configuration, DRIVERS)
}

fn events(setting: &Setting) -> Vec<Event> {
    setting.reader.virtual_reader().log().into_iter().map(|entry| entry.event).collect()
}

/// A reader whose profile says that it puts cards out, which pcsc-lite's drivers do not do.
fn before_a_reader_that_says_it_ejects() -> Setting {
    let folder = std::env::temp_dir().join(format!("cardea-profiles-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let profile = "family = \"Motor\"\nnames = [\"Virtual Reader*\"]\n[mechanics]\neject = true\n";
    std::fs::write(folder.join("motor.toml"), profile).unwrap();
    let (profiles, ignored) = Profiles::load(std::slice::from_ref(&folder));
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(ignored.is_empty(), "{ignored:?}");
    let (card, _) = card(PivOptions::default(), &Layout::elliptic());
    let reader = LocalReader::new("Virtual Reader 00 00", VirtualReader::with_card(card));
    reader.virtual_reader().set_properties(Properties { vendor_id: 0, product_id: 0, ..Properties::default() });
    let desk = Box::new(Desk::new(vec![Arc::clone(&reader)]));
    let library =
        Library::with_profiles(desk, Configuration::default(), Log::default(), DRIVERS, profiles, Journal::nowhere())
            .unwrap();
    Setting { library, reader }
}

fn powered_off(setting: &Setting) -> bool {
    !setting.reader.virtual_reader().is_powered()
}

#[test]
fn a_card_that_was_logged_in_to_is_unpowered_with_the_last_session() {
    let setting = setting(EjectPolicy::Auto);
    let other = setting.open();
    let session = setting.logged_in();
    setting.library.close_session(session.handle()).unwrap();
    assert!(!powered_off(&setting), "one session is left");
    setting.library.close_session(other.handle()).unwrap();
    assert!(powered_off(&setting));
    assert_eq!(setting.open().info().unwrap().state, RW_PUBLIC, "the next session powers it up, public");
}

#[test]
fn a_card_that_was_only_read_is_left_as_it_is() {
    let setting = setting(EjectPolicy::Auto);
    let session = setting.open();
    setting.library.close_session(session.handle()).unwrap();
    assert!(!powered_off(&setting));
    assert_eq!(setting.reader.connections(), 0, "and nobody is kept from it");
}

#[test]
fn a_card_that_others_use_is_left_to_them() {
    let setting = setting(EjectPolicy::Unpower);
    let other = setting.reader.connect_another();
    let session = setting.logged_in();
    setting.library.close_session(session.handle()).unwrap();
    assert!(!powered_off(&setting));
    drop(other);
}

#[test]
fn the_policy_reset_resets_and_the_policy_leave_leaves() {
    let reset = setting(EjectPolicy::Reset);
    let session = reset.open();
    reset.reader.virtual_reader().clear_log();
    reset.library.close_session(session.handle()).unwrap();
    assert!(events(&reset).contains(&Event::Reset), "{:?}", events(&reset));
    let leave = setting(EjectPolicy::Leave);
    let session = leave.logged_in();
    leave.library.close_session(session.handle()).unwrap();
    assert!(!powered_off(&leave));
    assert_ne!(leave.pin_status(), 0x9000, "logged out by command");
}

#[test]
fn a_reader_that_says_it_ejects_and_keeps_the_card_is_made_to_unpower_it() {
    let setting = before_a_reader_that_says_it_ejects();
    let session = setting.open();
    setting.library.close_session(session.handle()).unwrap();
    assert!(powered_off(&setting), "nothing was ejected, so the card was unpowered");
    let session = setting.open();
    find_init(&session, Template::new(Vec::new())).unwrap();
    setting.library.close_session(session.handle()).unwrap();
    assert!(!powered_off(&setting), "the reader is not asked again, and there was nothing to protect");
}

#[test]
fn a_session_that_could_not_be_opened_keeps_no_connection() {
    let setting = setting(EjectPolicy::Auto);
    setting.fault(Fault::at(3, Action::Fail));
    assert!(setting.library.open_session(0, true).is_err());
    assert_eq!(setting.reader.virtual_reader().pending_faults(), 0);
    assert_eq!(setting.reader.connections(), 0);
}

#[test]
fn without_a_session_no_connection_keeps_others_from_the_card() {
    let setting = setting(EjectPolicy::Auto);
    let slot = setting.library.slot(setting.library.slot_ids(true, true).unwrap()[0]).unwrap();
    slot.token_info().unwrap();
    assert_eq!(setting.reader.connections(), 0);
    setting.commands();
    let session = setting.open();
    assert_eq!(setting.commands().len(), 0, "what is known of the card stays known");
    find_init(&session, Template::new(Vec::new())).unwrap();
    assert_eq!(setting.reader.connections(), 1);
    setting.library.close_session(session.handle()).unwrap();
    assert_eq!(setting.reader.connections(), 0);
}
