//! PINs: verified, counted, changed, unblocked, and forgotten by the card itself.

use cardea_harness::myeid::{PIN, PUK, SO_PIN};
use cardea_pkcs11::card::{CardError, Role};
use cardea_pkcs11::secret::Pin;

use super::bench::Bench;

/// PIN 1 and PIN 3, as the chip counts verified ones.
const USER: u16 = 0b001;
const OFFICER: u16 = 0b100;

fn described() -> Bench {
    let mut bench = Bench::standard();
    bench.run(|application, channel| application.describe(channel)).unwrap();
    bench.link.commands.clear();
    bench
}

fn retries(bench: &mut Bench) -> Option<u8> {
    bench.run(|application, channel| application.retries(channel, Role::User)).unwrap()
}

#[test]
fn each_role_verifies_its_own_pin() {
    let mut bench = described();
    bench.verify(Role::User, PIN).unwrap();
    assert_eq!(bench.chip().verified_pins(), USER);
    bench.verify(Role::SecurityOfficer, SO_PIN).unwrap();
    assert_eq!(bench.chip().verified_pins(), USER | OFFICER);
}

#[test]
fn a_logout_reaches_the_card() {
    let mut bench = described();
    bench.verify(Role::User, PIN).unwrap();
    bench.verify(Role::SecurityOfficer, SO_PIN).unwrap();
    bench.run(|application, channel| application.log_out(channel)).unwrap();
    assert_eq!(bench.chip().verified_pins(), 0);
    assert_eq!(bench.link.commands.last().unwrap(), &[0x00, 0x2E, 0x00, 0x00]);
}

#[test]
fn tries_are_asked_for_without_spending_one() {
    let mut bench = described();
    assert_eq!(bench.verify(Role::User, "000000"), Err(CardError::PinIncorrect { retries: Some(2) }));
    for _ in 0..5 {
        assert_eq!(retries(&mut bench), Some(2));
    }
    bench.verify(Role::User, PIN).unwrap();
    assert_eq!(retries(&mut bench), None, "a verified PIN needs none");
    bench.run(|application, channel| application.log_out(channel)).unwrap();
    assert_eq!(retries(&mut bench), Some(3));
}

#[test]
fn a_pin_that_the_card_cannot_take_spends_no_try() {
    let mut bench = described();
    for pin in ["", "123", "123456789"] {
        assert_eq!(bench.verify(Role::User, pin), Err(CardError::PinLength));
    }
    assert!(bench.instructions().is_empty());
    assert_eq!(retries(&mut bench), Some(3));
}

#[test]
fn a_pin_is_changed_by_its_old_value() {
    let mut bench = described();
    let change = |bench: &mut Bench, old: &str, new: &str| {
        let (old, new) = (Pin::new(old.as_bytes()), Pin::new(new.as_bytes()));
        bench.run(|application, channel| application.change_reference_data(channel, Role::User, &old, &new))
    };
    assert_eq!(change(&mut bench, "999999", "2468"), Err(CardError::PinIncorrect { retries: Some(2) }));
    change(&mut bench, PIN, "2468").unwrap();
    assert_eq!(bench.verify(Role::User, PIN), Err(CardError::PinIncorrect { retries: Some(2) }));
    bench.verify(Role::User, "2468").unwrap();
}

#[test]
fn a_blocked_pin_is_unblocked_by_its_puk() {
    let mut bench = described();
    for _ in 0..3 {
        let _ = bench.verify(Role::User, "000000");
    }
    assert_eq!(bench.verify(Role::User, PIN), Err(CardError::PinBlocked));
    assert_eq!(retries(&mut bench), Some(0));
    let unblock = |bench: &mut Bench, puk: &str, new: &str| {
        let (puk, new) = (Pin::new(puk.as_bytes()), Pin::new(new.as_bytes()));
        bench.run(|application, channel| application.reset_retry_counter(channel, &puk, &new))
    };
    assert_eq!(unblock(&mut bench, "00000000", "1357"), Err(CardError::PinIncorrect { retries: Some(9) }));
    unblock(&mut bench, PUK, "1357").unwrap();
    assert_eq!(bench.chip().verified_pins(), 0);
    bench.verify(Role::User, "1357").unwrap();
}

#[test]
fn another_selection_of_the_application_is_noticed_and_leaves_the_login() {
    let mut bench = described();
    bench.verify(Role::User, PIN).unwrap();
    bench.another_selects_the_master_file();
    assert!(bench.run(|application, channel| application.is_selected(channel)).unwrap());
    bench.run(|application, channel| application.select(channel)).unwrap();
    assert_eq!(bench.chip().verified_pins(), USER);
}

#[test]
fn another_card_with_the_same_application_is_not_this_one() {
    let mut bench = described();
    bench.link.card = Bench::standard().link.card;
    assert!(!bench.run(|application, channel| application.is_selected(channel)).unwrap());
}
