//! PIN and PUK.

use super::card::{Card, DISCOVERY};
use super::*;

fn verify(card: &mut Card, piv: &mut Box<dyn CardApplication>, role: Role, pin: &[u8]) -> Result<(), CardError> {
    card.with(|channel| piv.verify(channel, role, &Pin::new(pin)))
}

#[test]
fn the_users_pin_is_verified_and_its_tries_are_counted() {
    let mut card = Card::new();
    let mut piv = plain(&mut card);
    let refused = verify(&mut card, &mut piv, Role::User, b"654321");
    assert_eq!(refused, Err(CardError::PinIncorrect { retries: Some(2) }));
    assert_eq!(card.with(|channel| piv.retries(channel, Role::User)), Ok(Some(2)));
    assert_eq!(verify(&mut card, &mut piv, Role::User, b"123456"), Ok(()));
    assert!(card.verified);
    assert_eq!(card.with(|channel| piv.retries(channel, Role::User)), Ok(None));
}

#[test]
fn a_pin_of_impossible_length_is_not_sent() {
    let mut card = Card::new();
    card.verified = true;
    let mut piv = plain(&mut card);
    let before = card.commands.len();
    for pin in [&b""[..], b"1234", b"123456789"] {
        for role in [Role::User, Role::SecurityOfficer] {
            assert_eq!(verify(&mut card, &mut piv, role, pin), Err(CardError::PinLength));
        }
        let (pin, good) = (Pin::new(pin), Pin::new(b"123456"));
        card.with(|channel| {
            assert_eq!(piv.change_reference_data(channel, Role::User, &good, &pin), Err(CardError::PinLength));
            assert_eq!(piv.change_reference_data(channel, Role::User, &pin, &good), Err(CardError::PinLength));
            assert_eq!(piv.reset_retry_counter(channel, &good, &pin), Err(CardError::PinLength));
        });
    }
    assert_eq!(card.commands.len(), before);
}

#[test]
fn a_blocked_pin_is_said_to_be_blocked() {
    let mut card = Card::new();
    let mut piv = plain(&mut card);
    card.tries = 1;
    assert_eq!(verify(&mut card, &mut piv, Role::User, b"654321"), Err(CardError::PinIncorrect { retries: Some(0) }));
    assert_eq!(verify(&mut card, &mut piv, Role::User, b"123456"), Err(CardError::PinBlocked));
}

#[test]
fn a_pin_whose_form_the_card_refuses_is_incorrect() {
    let mut card = Card::new();
    let mut piv = plain(&mut card);
    card.refusals.insert(0x20, 0x6A80);
    assert_eq!(verify(&mut card, &mut piv, Role::User, b"abcdef"), Err(CardError::PinIncorrect { retries: None }));
    card.refusals.insert(0x24, 0x6A80);
    let changed =
        card.with(|channel| piv.change_reference_data(channel, Role::User, &Pin::new(b"123456"), &Pin::new(b"abcdef")));
    assert_eq!(changed, Err(CardError::PinInvalid));
}

#[test]
fn the_puk_is_proved_by_changing_it_to_itself() {
    let mut card = Card::new();
    let mut piv = plain(&mut card);
    let refused = verify(&mut card, &mut piv, Role::SecurityOfficer, b"87654321");
    assert_eq!(refused, Err(CardError::PinIncorrect { retries: Some(2) }));
    assert_eq!(verify(&mut card, &mut piv, Role::SecurityOfficer, b"12345678"), Ok(()));
    assert_eq!((card.puk.as_slice(), card.puk_tries), (&b"12345678"[..], 3));
    assert_eq!(card.commands.last(), Some(&[0x00, 0x24, 0x00, 0x81]));
}

#[test]
fn pin_and_puk_are_changed_and_the_pin_is_reset_by_the_puk() {
    let mut card = Card::new();
    let mut piv = plain(&mut card);
    card.tries = 0;
    card.with(|channel| {
        piv.reset_retry_counter(channel, &Pin::new(b"12345678"), &Pin::new(b"111111")).unwrap();
        piv.change_reference_data(channel, Role::User, &Pin::new(b"111111"), &Pin::new(b"22222222")).unwrap();
        piv.change_reference_data(channel, Role::SecurityOfficer, &Pin::new(b"12345678"), &Pin::new(b"333333"))
            .unwrap();
        piv.verify(channel, Role::User, &Pin::new(b"22222222")).unwrap();
    });
    assert_eq!(card.puk, b"333333\xFF\xFF");
}

#[test]
fn a_global_pin_is_used_where_the_discovery_object_makes_it_primary() {
    let mut card = Card::new();
    card.objects.insert(0x7E, hex::decode(DISCOVERY.replace("4000", "6020")).unwrap());
    card.pin_reference = 0x00;
    let mut piv = plain(&mut card);
    assert_eq!(verify(&mut card, &mut piv, Role::User, b"123456"), Ok(()));
    let reset = card.with(|channel| piv.reset_retry_counter(channel, &Pin::new(b"12345678"), &Pin::new(b"111111")));
    assert_eq!(reset, Err(CardError::NotSupported), "the PUK is for the application PIN");
}

#[test]
fn logging_out_is_confirmed_the_first_time_and_then_costs_one_command() {
    let mut card = Card::new();
    let mut piv = plain(&mut card);
    for expected in [2, 1] {
        verify(&mut card, &mut piv, Role::User, b"123456").unwrap();
        let before = card.commands.len();
        assert_eq!(card.with(|channel| piv.log_out(channel)), Ok(()));
        assert_eq!(card.commands.len() - before, expected);
        assert!(!card.verified);
    }
}

#[test]
fn a_card_that_cannot_log_out_is_asked_once() {
    let mut card = Card::new();
    card.logs_out = false;
    let mut piv = plain(&mut card);
    assert_eq!(card.with(|channel| piv.log_out(channel)), Err(CardError::NotSupported));
    let before = card.commands.len();
    assert_eq!(card.with(|channel| piv.log_out(channel)), Err(CardError::NotSupported));
    assert_eq!(card.commands.len(), before);
}

#[test]
fn a_card_that_overlooks_the_parameter_has_not_logged_out() {
    let mut card = Card::new();
    let mut piv = plain(&mut card);
    card.refusals.insert(0x20, 0x9000);
    assert_eq!(card.with(|channel| piv.log_out(channel)), Err(CardError::NotSupported));
}

#[test]
fn a_yubikey_logs_out_by_selecting_another_application() {
    let mut card = yubikey();
    let mut piv = found(&mut card, YUBIKEY);
    card.with(|channel| piv.describe(channel)).unwrap();
    verify(&mut card, &mut piv, Role::User, b"123456").unwrap();
    assert_eq!(card.with(|channel| piv.log_out(channel)), Ok(()));
    assert!(!card.verified && card.selected);
}

#[test]
fn an_old_yubikey_is_never_sent_an_empty_verify() {
    let mut card = Card::new();
    card.version = Some([3, 4, 9]);
    let mut piv = found(&mut card, YUBIKEY);
    let description = card.with(|channel| piv.describe(channel)).unwrap();
    assert_eq!(description.user_pin.retries, None);
    assert_eq!(card.with(|channel| piv.retries(channel, Role::User)), Ok(None));
    assert_eq!(count(&card, 0x20), 0);
}
