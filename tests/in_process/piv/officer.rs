//! The officer's PUK and management key, and what the reset leaves.

use cardea_harness::piv::PivOptions;
use cardea_harness::provision::{PIN, PUK};
use cardea_pkcs11::card::{CardError, Role};
use cardea_pkcs11::secret::Pin;

use super::bench::{Bench, KEY, P256, WRONG, certificate, wish};

const AES_256: &str = "000102030405060708090A0B0C0D0E0F101112131415161718191a1b1c1d1e1f";

fn change(bench: &mut Bench, old: &str, new: &str) -> Result<(), CardError> {
    let (old, new) = (Pin::new(old.as_bytes()), Pin::new(new.as_bytes()));
    bench.run(|application, channel| application.change_reference_data(channel, Role::SecurityOfficer, &old, &new))
}

fn set_user_pin(bench: &mut Bench, officer: &str, new: &str) -> Result<(), CardError> {
    let (officer, new) = (Pin::new(officer.as_bytes()), Pin::new(new.as_bytes()));
    bench.run(|application, channel| application.reset_retry_counter(channel, &officer, &new))
}

fn initialize(bench: &mut Bench, officer: &str) -> Result<(), CardError> {
    bench.run(|application, channel| application.initialize(channel, &Pin::new(officer.as_bytes()), "label"))
}

/// Tries of the PUK, as the card tells another program.
fn puk_tries(bench: &mut Bench) -> u8 {
    bench.another_selects();
    *bench.another_asks([0x00, 0xF7, 0x00, 0x81], &[]).unwrap().last().unwrap()
}

#[test]
fn a_management_key_is_proved_both_ways_by_two_commands() {
    let mut bench = Bench::new();
    bench.officer(KEY).unwrap();
    assert_eq!(bench.instructions(), [0x87, 0x87]);
}

#[test]
fn a_card_without_mutual_authentication_is_answered_its_challenge() {
    let mut bench = Bench::with(PivOptions { mutual_authentication: false, ..PivOptions::plain() });
    assert_eq!(bench.officer(WRONG), Err(CardError::KeyRefused));
    bench.officer(KEY).unwrap();
    bench.generate(&wish(P256, &[1])).unwrap();
}

#[test]
fn a_wrong_management_key_costs_no_try() {
    for mut bench in [Bench::new(), Bench::yubikey([5, 4, 3]), Bench::with(PivOptions::plain())] {
        for _ in 0..5 {
            assert_eq!(bench.officer(WRONG), Err(CardError::KeyRefused));
            assert_eq!(bench.officer(AES_256), Err(CardError::KeyRefused));
        }
        bench.officer(KEY).unwrap();
        bench.officer(PUK).unwrap();
    }
    let mut bench = Bench::new();
    bench.officer(WRONG).unwrap_err();
    assert_eq!(puk_tries(&mut bench), 3);
}

#[test]
fn the_management_key_is_changed_with_its_algorithm() {
    for mut bench in [Bench::new(), Bench::yubikey([5, 4, 3])] {
        assert_eq!(change(&mut bench, WRONG, AES_256), Err(CardError::KeyRefused));
        change(&mut bench, KEY, AES_256).unwrap();
        let mut bench = bench.reinserted();
        assert_eq!(bench.officer(KEY), Err(CardError::KeyRefused));
        bench.officer(AES_256).unwrap();
        bench.generate(&wish(P256, &[1])).unwrap();
        assert_eq!(change(&mut bench, AES_256, PUK), Err(CardError::PinLength));
        assert_eq!(change(&mut bench, PUK, AES_256), Err(CardError::PinLength));
        bench.officer(AES_256).unwrap();
    }
}

#[test]
fn a_puk_is_changed_as_before_and_sets_the_users_pin() {
    let mut bench = Bench::new();
    change(&mut bench, PUK, "87654321").unwrap();
    assert_eq!(bench.officer(PUK), Err(CardError::PinIncorrect { retries: Some(2) }));
    bench.officer("87654321").unwrap();
    set_user_pin(&mut bench, "87654321", "246802").unwrap();
    bench.user("246802").unwrap();
}

#[test]
fn the_management_key_sets_the_users_pin_only_while_the_puk_is_the_default_one() {
    let mut bench = Bench::new();
    set_user_pin(&mut bench, KEY, "246802").unwrap();
    bench.user("246802").unwrap();
    change(&mut bench, PUK, "87654321").unwrap();
    assert_eq!(set_user_pin(&mut bench, KEY, "135791"), Err(CardError::NotSupported));
    assert_eq!(set_user_pin(&mut bench, WRONG, "135791"), Err(CardError::KeyRefused));
    assert_eq!(puk_tries(&mut bench), 3);
    bench.user("246802").unwrap();
    let mut plain = Bench::with(PivOptions::plain());
    assert_eq!(set_user_pin(&mut plain, KEY, "135791"), Err(CardError::NotSupported));
}

#[test]
fn logging_out_takes_the_management_key_from_a_yubikey() {
    let mut bench = Bench::yubikey([5, 4, 3]).administered();
    bench.run(|application, channel| application.log_out(channel)).unwrap();
    assert_eq!(bench.generate(&wish(P256, &[1])).err(), Some(CardError::SecurityStatus));
    assert_eq!(bench.another("0047009A 05 AC03800111 00"), 0x6982);
}

#[test]
fn where_no_command_takes_it_a_reset_is_owed() {
    let mut bench = Bench::new().administered();
    assert_eq!(bench.run(|application, channel| application.log_out(channel)), Err(CardError::NotSupported));
    let mut bench = Bench::new();
    bench.user(PIN).unwrap();
    bench.run(|application, channel| application.log_out(channel)).unwrap();
}

#[test]
fn a_reset_wants_the_officer_and_leaves_an_empty_card_that_is_still_his() {
    for officer in [PUK, KEY] {
        let mut bench = Bench::yubikey([5, 4, 3]).administered();
        let key = bench.generate(&wish(P256, &[1])).unwrap();
        let der = certificate(key.public.as_ref().unwrap(), 0);
        bench.certify(&[1], &der, key.public).unwrap();
        for wrong in ["11111111", WRONG] {
            let refused = initialize(&mut bench, wrong);
            assert!(matches!(refused, Err(CardError::PinIncorrect { .. } | CardError::KeyRefused)), "{refused:?}");
        }
        assert_eq!(bench.keys().len(), 1);
        initialize(&mut bench, officer).unwrap();
        let mut bench = bench.reinserted();
        assert_eq!((bench.keys(), bench.certificates()), (vec![], vec![]));
        bench.officer(officer).unwrap();
        set_user_pin(&mut bench, officer, "246802").unwrap();
        bench.user("246802").unwrap();
    }
}

#[test]
fn a_reset_keeps_a_puk_or_a_management_key_of_the_officers_own() {
    let mut bench = Bench::yubikey([5, 4, 3]);
    change(&mut bench, PUK, "87654321").unwrap();
    initialize(&mut bench, "87654321").unwrap();
    bench.officer("87654321").unwrap();
    bench.officer(KEY).unwrap();
    change(&mut bench, KEY, AES_256).unwrap();
    initialize(&mut bench, AES_256).unwrap();
    bench.officer(AES_256).unwrap();
    bench.officer(PUK).unwrap();
}

#[test]
fn a_card_whose_pin_and_puk_are_blocked_needs_no_proof_of_the_puk() {
    let mut bench = Bench::yubikey([5, 4, 3]);
    for _ in 0..3 {
        bench.officer("11111111").unwrap_err();
    }
    assert_eq!(initialize(&mut bench, PUK), Err(CardError::PinBlocked));
    for _ in 0..3 {
        bench.user("111111").unwrap_err();
    }
    initialize(&mut bench, "24680246").unwrap();
    bench.officer("24680246").unwrap();
    bench.user(PIN).unwrap();
}

#[test]
fn a_card_without_a_reset_loses_no_try() {
    let mut bench = Bench::with(PivOptions::plain());
    assert_eq!(initialize(&mut bench, PUK), Err(CardError::NotSupported));
    bench.user(PIN).unwrap();
    bench.officer(PUK).unwrap();
}

#[test]
fn a_management_key_behind_the_pin_lets_the_user_write() {
    let mut bench = Bench::yubikey([5, 4, 3]);
    change(&mut bench, KEY, AES_256).unwrap();
    bench.officer(AES_256).unwrap();
    bench.protect_key(AES_256);
    let mut bench = bench.reinserted();
    assert_eq!(bench.generate(&wish(P256, &[1])).err(), Some(CardError::SecurityStatus));
    bench.user(PIN).unwrap();
    let key = bench.generate(&wish(P256, &[1])).unwrap();
    assert!(bench.signs(&key));
    // Another program takes the authentication away; the PIN brings it back.
    bench.another_selects();
    bench.user(PIN).unwrap();
    bench.destroy(&key).unwrap();
}

#[test]
fn the_copy_behind_the_pin_follows_a_changed_management_key() {
    let mut bench = Bench::yubikey([5, 4, 3]).administered();
    bench.protect_key(KEY);
    change(&mut bench, KEY, AES_256).unwrap();
    let mut bench = bench.reinserted();
    bench.user(PIN).unwrap();
    bench.generate(&wish(P256, &[1])).unwrap();
}
