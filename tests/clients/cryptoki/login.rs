//! Login, the PIN guard, and the login that 9C, or an OpenPGP card's signature key, wants before each signature: every
//! case on a card of either kind.

use cryptoki::error::RvError;
use cryptoki::mechanism::Mechanism;
use cryptoki::object::ObjectClass;
use cryptoki::session::{Session, SessionState, UserType};

use super::super::child;
use super::super::keys::{self, Algorithm, Key, Purpose};
use super::super::openssl::{Scheme, ecdsa_der};
use super::super::station::{Card, Station};
use super::{Token, assert_refused, object, pin, puk, secret, with_token};

const DIGEST: [u8; 32] = [0x5C; 32];

/// Makes tests of the cases, on each card one.
macro_rules! on_each_card {
    ($($case:ident)*) => {
        mod piv {
            use super::Card;
            $(#[test] fn $case() { super::$case($case, Card::Elliptic); })*
        }
        mod openpgp {
            use super::Card;
            $(#[test] fn $case() { super::$case($case, Card::OpenPgp); })*
        }
    };
}

on_each_card! {
    without_a_login_of_its_own_the_signature_key_does_not_sign
    a_wrong_pin_is_refused_and_the_right_one_signs_in_the_same_operation
    two_signatures_need_two_logins
    a_login_for_an_operation_needs_one_that_waits_for_it
    the_login_for_an_operation_is_that_of_its_session_alone
    a_refused_pin_is_not_sent_to_the_card_again
    a_pin_of_a_length_that_no_pin_has_costs_no_try
    the_last_try_is_kept_for_those_who_want_that
    the_state_of_a_session_follows_login_and_logout
    pins_are_changed_by_those_who_know_them
}

/// The key that wants the PIN each time.
fn guarded(card: Card) -> &'static Key {
    keys::on(card).iter().find(|key| key.each_time).unwrap()
}

/// Starts a signature with it.
fn begin(session: &Session, card: Card) {
    let key = object(session, ObjectClass::PRIVATE_KEY, guarded(card).id);
    session.sign_init(&Mechanism::Ecdsa, key).unwrap();
}

fn finish(session: &Session) -> Result<Vec<u8>, cryptoki::error::Error> {
    session.sign_update(&DIGEST)?;
    session.sign_final()
}

fn assert_signature(token: &Token, card: Card, signature: &[u8]) {
    assert!(token.openssl.verifies(&guarded(card).certificate(), Scheme::Ecdsa, &DIGEST, &ecdsa_der(signature)));
}

fn without_a_login_of_its_own_the_signature_key_does_not_sign<F: Fn()>(case: F, card: Card) {
    with_token(case, card, |token| {
        let session = token.user_session();
        let key = object(&session, ObjectClass::PRIVATE_KEY, guarded(card).id);
        let before = child::instructions().len();
        assert_refused(session.sign(&Mechanism::Ecdsa, key, &DIGEST), RvError::UserNotLoggedIn);
        assert_eq!(child::instructions().len(), before, "the card was asked");
    });
}

fn a_wrong_pin_is_refused_and_the_right_one_signs_in_the_same_operation<F: Fn()>(case: F, card: Card) {
    with_token(case, card, |token| {
        let session = token.user_session();
        begin(&session, card);
        let wrong = secret("000000");
        assert_refused(session.login(UserType::ContextSpecific, Some(&wrong)), RvError::PinIncorrect);
        session.login(UserType::ContextSpecific, Some(&pin())).unwrap();
        assert_signature(token, card, &finish(&session).unwrap());
    });
}

fn two_signatures_need_two_logins<F: Fn()>(case: F, card: Card) {
    with_token(case, card, |token| {
        let session = token.user_session();
        begin(&session, card);
        session.login(UserType::ContextSpecific, Some(&pin())).unwrap();
        assert_signature(token, card, &finish(&session).unwrap());
        begin(&session, card);
        assert_refused(finish(&session), RvError::UserNotLoggedIn);
        begin(&session, card);
        session.login(UserType::ContextSpecific, Some(&pin())).unwrap();
        assert_signature(token, card, &finish(&session).unwrap());
    });
}

fn a_login_for_an_operation_needs_one_that_waits_for_it<F: Fn()>(case: F, card: Card) {
    with_token(case, card, |token| {
        let session = token.user_session();
        let login = |session: &Session| session.login(UserType::ContextSpecific, Some(&pin()));
        assert_refused(login(&session), RvError::OperationNotInitialized);
        let mut signers = keys::on(card).iter().filter(|key| key.purpose == Purpose::Sign);
        let lasting = signers.find(|key| !key.each_time).unwrap();
        let rsa = matches!(lasting.algorithm, Algorithm::Rsa(_));
        let mechanism = if rsa { Mechanism::RsaPkcs } else { Mechanism::Ecdsa };
        let key = object(&session, ObjectClass::PRIVATE_KEY, lasting.id);
        session.sign_init(&mechanism, key).unwrap();
        assert_refused(login(&session), RvError::OperationNotInitialized);
    });
}

fn the_login_for_an_operation_is_that_of_its_session_alone<F: Fn()>(case: F, card: Card) {
    with_token(case, card, |token| {
        let (one, other) = (token.user_session(), token.pkcs11.open_ro_session(token.slot).unwrap());
        begin(&one, card);
        begin(&other, card);
        one.login(UserType::ContextSpecific, Some(&pin())).unwrap();
        assert_refused(finish(&other), RvError::UserNotLoggedIn);
        assert_signature(token, card, &finish(&one).unwrap());
    });
}

fn a_refused_pin_is_not_sent_to_the_card_again<F: Fn()>(case: F, card: Card) {
    if child::is_child() {
        let token = Token::open();
        let session = token.pkcs11.open_ro_session(token.slot).unwrap();
        let login = |text| session.login(UserType::User, Some(&secret(text)));
        for _ in 0..4 {
            assert_refused(login("111111"), RvError::PinIncorrect);
        }
        assert!(token.pkcs11.get_token_info(token.slot).unwrap().user_pin_count_low());
        assert!(!token.pkcs11.get_token_info(token.slot).unwrap().user_pin_final_try());
        assert_refused(login("222222"), RvError::PinIncorrect);
        assert_refused(login("222222"), RvError::PinIncorrect);
        assert!(token.pkcs11.get_token_info(token.slot).unwrap().user_pin_final_try());
        return;
    }
    let station = Station::new(card);
    child::spawn(case, &station, &[]).succeeded();
    assert_eq!(station.pin_tries(), 1, "two different PINs were wrong");
}

fn a_pin_of_a_length_that_no_pin_has_costs_no_try<F: Fn()>(case: F, card: Card) {
    if child::is_child() {
        let token = Token::open();
        let session = token.pkcs11.open_ro_session(token.slot).unwrap();
        let longest = token.pkcs11.get_token_info(token.slot).unwrap().max_pin_length();
        let too_long = "9".repeat(longest + 1);
        for text in ["", "12345", too_long.as_str()] {
            assert_refused(session.login(UserType::User, Some(&secret(text))), RvError::PinLenRange);
        }
        return;
    }
    let station = Station::new(card);
    child::spawn(case, &station, &[]).succeeded();
    assert_eq!(station.pin_tries(), 3);
}

fn the_last_try_is_kept_for_those_who_want_that<F: Fn()>(case: F, card: Card) {
    if child::is_child() {
        let token = Token::open();
        let session = token.pkcs11.open_ro_session(token.slot).unwrap();
        let login = |text| session.login(UserType::User, Some(&secret(text)));
        assert_refused(login("111111"), RvError::PinIncorrect);
        assert_refused(login("222222"), RvError::PinIncorrect);
        assert_refused(login("333333"), RvError::PinLocked);
        return;
    }
    let station = Station::new(card);
    std::fs::create_dir_all(station.directory().join("cardea")).unwrap();
    station.file("cardea/cardea.toml", "keep_last_try = true\n");
    child::spawn(case, &station, &[]).succeeded();
    assert_eq!(station.pin_tries(), 1);
}

fn the_state_of_a_session_follows_login_and_logout<F: Fn()>(case: F, card: Card) {
    with_token(case, card, |token| {
        let state = |session: &Session| session.get_session_info().unwrap().session_state();
        let (read, write) =
            (token.pkcs11.open_ro_session(token.slot).unwrap(), token.pkcs11.open_rw_session(token.slot).unwrap());
        assert_eq!((state(&read), state(&write)), (SessionState::RoPublic, SessionState::RwPublic));
        write.login(UserType::User, Some(&pin())).unwrap();
        assert_eq!((state(&read), state(&write)), (SessionState::RoUser, SessionState::RwUser));
        assert_refused(read.login(UserType::User, Some(&pin())), RvError::UserAlreadyLoggedIn);
        assert_refused(write.login(UserType::So, Some(&puk())), RvError::UserAnotherAlreadyLoggedIn);
        read.logout().unwrap();
        assert_eq!((state(&read), state(&write)), (SessionState::RoPublic, SessionState::RwPublic));
        assert_refused(write.login(UserType::So, Some(&puk())), RvError::SessionReadOnlyExists);
        read.close().unwrap();
        write.login(UserType::So, Some(&puk())).unwrap();
        assert_eq!(state(&write), SessionState::RwSecurityOfficer);
        assert_refused(token.pkcs11.open_ro_session(token.slot), RvError::SessionReadWriteSoExists);
    });
}

fn pins_are_changed_by_those_who_know_them<F: Fn()>(case: F, card: Card) {
    with_token(case, card, |token| {
        let session = token.user_session();
        assert_refused(session.set_pin(&secret("999999"), &secret("24681357")), RvError::PinIncorrect);
        session.set_pin(&pin(), &secret("24681357")).unwrap();
        session.logout().unwrap();
        assert_refused(session.login(UserType::User, Some(&pin())), RvError::PinIncorrect);
        session.login(UserType::User, Some(&secret("24681357"))).unwrap();
        assert_refused(session.init_pin(&secret("13571357")), RvError::UserNotLoggedIn);
        session.logout().unwrap();
        session.login(UserType::So, Some(&puk())).unwrap();
        session.init_pin(&secret("13571357")).unwrap();
        session.logout().unwrap();
        session.login(UserType::User, Some(&secret("13571357"))).unwrap();
    });
}
