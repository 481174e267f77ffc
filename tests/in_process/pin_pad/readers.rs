//! Which readers' pads are used: what a profile knows against one is believed.

use std::sync::Arc;

use cardea_harness::piv::PivOptions;
use cardea_harness::provision::{Layout, PIN};
use cardea_harness::reader::{PinPad, Properties, VirtualReader};
use cardea_pkcs11::card::driver::DRIVERS;
use cardea_pkcs11::configuration::Configuration;
use cardea_pkcs11::error::Error;
use cardea_pkcs11::journal::Journal;
use cardea_pkcs11::library::Library;
use cardea_pkcs11::log::Log;
use cardea_pkcs11::profile::{Ability, Profiles};

use super::super::link::{Desk, LocalReader};
use super::super::setting::{Setting, USER, card, pin};
use super::{PROTECTED, pad};

/// A reader with a pad, told by its ids or by its name.
fn with(name: &str, (vendor_id, product_id): (u16, u16), profiles: Profiles) -> Setting {
    let (card, _) = card(PivOptions::default(), &Layout::elliptic());
    let reader = VirtualReader::with_card(card);
    reader.set_properties(Properties { vendor_id, product_id, ..Properties::default() });
    reader.set_pin_pad(Some(PinPad::of(PIN)));
    let reader = LocalReader::new(name, reader);
    let desk = Box::new(Desk::new(vec![Arc::clone(&reader)]));
    let (log, journal) = (Log::default(), Journal::nowhere());
    let library = Library::with_profiles(desk, Configuration::default(), log, DRIVERS, profiles, journal).unwrap();
    Setting { library, reader }
}

fn is_protected(setting: &Setting) -> bool {
    setting.token_info().unwrap().flags & PROTECTED != 0
}

/// Profiles with one more, for the virtual reader's ids.
fn profiles(fault: &str) -> Profiles {
    let folder = std::env::temp_dir().join(format!("cardea-pin-pad-{}-{}", std::process::id(), hex::encode(fault)));
    std::fs::create_dir_all(&folder).unwrap();
    let text = format!(
        "family = 'Virtual'\nids = ['1209:0001']\n[[faults]]\nwhat = 'on purpose'\nevidence = ['this test']\n{fault}\n"
    );
    std::fs::write(folder.join("virtual.toml"), text).unwrap();
    let (profiles, ignored) = Profiles::load(std::slice::from_ref(&folder));
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(ignored.is_empty(), "{ignored:?}");
    profiles
}

#[test]
fn every_profile_with_a_fault_of_its_pad_keeps_the_pad_out_of_use() {
    let profiles = Profiles::default();
    let mut denied = 0;
    for profile in profiles.iter().filter(|profile| !profile.allows(Ability::PinVerify)) {
        for id in profile.ids.iter() {
            let setting = with("Some Reader 00 00", (id.vendor, id.product), Profiles::default());
            assert!(!is_protected(&setting), "{}", profile.family);
            let session = setting.open();
            assert_eq!(session.login(USER, None), Err(Error::ArgumentsBad));
            assert_eq!(session.set_pin(None, None), Err(Error::ArgumentsBad));
            assert_eq!(session.login(USER, pin(PIN)), Ok(()));
            assert_eq!(pad(&setting).prompts, 0);
            denied += 1;
        }
    }
    assert!(denied >= 10, "{denied}");
}

#[test]
fn a_reader_that_only_its_name_tells_is_denied_its_pad_too() {
    let setting = with("HID Global OMNIKEY 3x21 Smart Card Reader 00 00", (0, 0), Profiles::default());
    assert!(!is_protected(&setting));
}

#[test]
fn a_profile_bounds_the_digits_that_the_reader_announces() {
    let setting = with("Gemalto PC Pinpad 00 00", (0x08E6, 0x3478), Profiles::default());
    assert!(is_protected(&setting));
    setting.open().login(USER, None).unwrap();
    assert_eq!(pad(&setting).structures[0][5..7], [8, 6], "at most 8, at least 6");
}

#[test]
fn a_pad_that_fails_at_changes_is_used_for_logins() {
    let setting = with("Virtual Reader 00 00", (0x1209, 1), profiles("denies = ['pin-modify']"));
    assert!(is_protected(&setting));
    let session = setting.open();
    assert_eq!(session.set_pin(None, None), Err(Error::ArgumentsBad));
    assert_eq!(session.login(USER, None), Ok(()));
}

#[test]
fn a_reader_that_keeps_back_the_pins_of_the_host_is_sent_none() {
    let setting = with("Virtual Reader 00 00", (0x1209, 1), profiles("denies = ['host-pin']"));
    assert!(is_protected(&setting));
    let session = setting.open();
    setting.commands();
    assert_eq!(session.login(USER, pin(PIN)), Err(Error::ArgumentsBad));
    assert_eq!(session.set_pin(pin(PIN), pin("222222")), Err(Error::ArgumentsBad));
    assert_eq!(setting.commands().len(), 0);
    assert_eq!(session.login(USER, None), Ok(()));
}
