//! The PIN guard: no try is wasted, none is withheld, and what the token says of its counter is true.

use cardea_harness::piv::PivOptions;
use cardea_harness::provision::{Layout, PIN, PUK};
use cardea_harness::reader::{Action, Fault};
use cardea_pkcs11::card::driver::DRIVERS;
use cardea_pkcs11::configuration::Configuration;
use cardea_pkcs11::error::Error;

use super::setting::{FULL, SO, Setting, USER, VERIFY, pin};

/// CKF_USER_PIN_COUNT_LOW, FINAL_TRY and LOCKED together.
const USER_PIN: u64 = 0x7_0000;
const LOW: u64 = 0x1_0000;
const FINAL_TRY: u64 = 0x2_0000;
const LOCKED: u64 = 0x4_0000;
/// CKF_SO_PIN_COUNT_LOW, FINAL_TRY and LOCKED together.
const SO_PIN: u64 = 0x70_0000;
const SO_LOW: u64 = 0x10_0000;
const SO_LOCKED: u64 = 0x40_0000;

fn user_flags(setting: &Setting) -> u64 {
    setting.token_info().unwrap().flags & USER_PIN
}

fn so_flags(setting: &Setting) -> u64 {
    setting.token_info().unwrap().flags & SO_PIN
}

#[test]
fn a_thousand_logins_with_one_wrong_pin_cost_one_try() {
    let setting = Setting::elliptic();
    let session = setting.open();
    for _ in 0..1_000 {
        assert_eq!(session.login(USER, pin("000000")), Err(Error::PinIncorrect));
    }
    assert_eq!(setting.tries(), FULL - 1);
    assert_eq!(session.login(USER, pin(PIN)), Ok(()));
    assert_eq!(setting.tries(), FULL);
}

#[test]
fn a_refused_pin_is_guarded_however_it_is_given() {
    let setting = Setting::elliptic();
    let session = setting.open();
    assert_eq!(session.set_pin(pin("000000"), pin("111111")), Err(Error::PinIncorrect));
    assert_eq!(session.login(USER, pin("000000")), Err(Error::PinIncorrect));
    assert_eq!(session.set_pin(pin("000000"), pin("222222")), Err(Error::PinIncorrect));
    assert_eq!(setting.tries(), FULL - 1);
}

#[test]
fn another_wrong_pin_is_passed_on_until_the_card_is_locked() {
    let setting = Setting::elliptic();
    let session = setting.open();
    assert_eq!(user_flags(&setting), 0);
    assert_eq!(session.login(USER, pin("000000")), Err(Error::PinIncorrect));
    assert_eq!((setting.tries(), user_flags(&setting)), (2, LOW));
    assert_eq!(session.login(USER, pin("111111")), Err(Error::PinIncorrect));
    assert_eq!((setting.tries(), user_flags(&setting)), (1, LOW | FINAL_TRY));
    let last = session.login(USER, pin("222222"));
    assert!(matches!(last, Err(Error::PinIncorrect | Error::PinLocked)), "{last:?}");
    assert_eq!((setting.tries(), user_flags(&setting)), (0, LOW | LOCKED));
    assert_eq!(session.login(USER, pin(PIN)), Err(Error::PinLocked));
    assert_eq!(session.login(USER, pin("000000")), Err(Error::PinLocked));
}

#[test]
fn the_flags_of_a_card_that_was_low_before_are_true_from_the_start() {
    let setting = Setting::elliptic();
    setting.another_selects_piv();
    setting.another_verifies("000000");
    assert_eq!(user_flags(&setting), LOW);
    setting.another_verifies("000000");
    setting.reader.remove();
    setting.reader.reinsert();
    assert_eq!(user_flags(&setting), LOW | FINAL_TRY);
    setting.open().login(USER, pin(PIN)).unwrap();
    assert_eq!(user_flags(&setting), 0);
}

#[test]
fn the_last_try_is_kept_for_those_who_want_that() {
    let configuration = Configuration { keep_last_try: true, ..Configuration::default() };
    let setting = Setting::with(PivOptions::default(), &Layout::elliptic(), configuration, DRIVERS);
    let session = setting.open();
    for wrong in ["000000", "111111"] {
        assert_eq!(session.login(USER, pin(wrong)), Err(Error::PinIncorrect));
    }
    for given in ["222222", PIN] {
        assert_eq!(session.login(USER, pin(given)), Err(Error::PinLocked));
        assert_eq!(session.set_pin(pin(given), pin("333333")), Err(Error::PinLocked));
    }
    assert_eq!(setting.tries(), 1);
    session.login(SO, pin(PUK)).unwrap();
    session.init_pin(pin(PIN)).unwrap();
    session.logout().unwrap();
    assert_eq!(session.login(USER, pin(PIN)), Ok(()));
}

#[test]
fn a_counter_that_another_program_raised_makes_the_same_pin_worth_a_try() {
    let setting = Setting::elliptic();
    let session = setting.open();
    assert_eq!(session.login(USER, pin("654321")), Err(Error::PinIncorrect));
    let mut change = vec![0x00, 0x24, 0x00, 0x80, 0x10];
    change.extend_from_slice(b"123456\xFF\xFF654321\xFF\xFF");
    assert_eq!(setting.another(&change), 0x9000);
    setting.reader.reset_by_another();
    assert_eq!(session.login(USER, pin("654321")), Ok(()));
}

#[test]
fn insertion_forgets_what_was_refused() {
    let setting = Setting::elliptic();
    assert_eq!(setting.open().login(USER, pin("000000")), Err(Error::PinIncorrect));
    setting.reader.remove();
    setting.reader.reinsert();
    let session = setting.open();
    assert_eq!(session.login(USER, pin("000000")), Err(Error::PinIncorrect));
    assert_eq!(setting.tries(), FULL - 2);
}

#[test]
fn a_reset_by_another_program_does_not_forget_it() {
    let setting = Setting::elliptic();
    let session = setting.open();
    for _ in 0..5 {
        assert_eq!(session.login(USER, pin("000000")), Err(Error::PinIncorrect));
        setting.reader.reset_by_another();
    }
    assert_eq!(setting.tries(), FULL - 1);
}

#[test]
fn the_user_changes_the_pin_with_and_without_a_login() {
    let setting = Setting::elliptic();
    let session = setting.open();
    session.set_pin(pin(PIN), pin("222222")).unwrap();
    assert_ne!(setting.pin_status(), 0x9000, "nobody asked for a login");
    assert_eq!(session.login(USER, pin(PIN)), Err(Error::PinIncorrect));
    session.login(USER, pin("222222")).unwrap();
    session.set_pin(pin("222222"), pin(PIN)).unwrap();
    assert_eq!(session.info().unwrap().state, 3);
    session.logout().unwrap();
    assert_eq!(session.login(USER, pin(PIN)), Ok(()), "refused before the change, right after it");
    let read_only = setting.library.session(setting.library.open_session(0, false).unwrap()).unwrap();
    assert_eq!(read_only.set_pin(pin(PIN), pin("222222")), Err(Error::SessionReadOnly));
}

#[test]
fn the_officer_is_the_holder_of_the_puk() {
    let setting = Setting::elliptic();
    let session = setting.open();
    assert_eq!(session.login(SO, pin("00000000")), Err(Error::PinIncorrect));
    assert_eq!(so_flags(&setting), SO_LOW);
    for _ in 0..10 {
        assert_eq!(session.login(SO, pin("00000000")), Err(Error::PinIncorrect));
    }
    session.login(SO, pin(PUK)).unwrap();
    assert_eq!(so_flags(&setting), 0);
    session.set_pin(pin(PUK), pin("87654321")).unwrap();
    session.init_pin(pin(PIN)).unwrap();
    session.logout().unwrap();
    assert_eq!(session.login(SO, pin(PUK)), Err(Error::PinIncorrect));
    session.login(SO, pin("87654321")).unwrap();
}

#[test]
fn the_officer_unblocks_a_pin() {
    let setting = Setting::elliptic();
    let session = setting.open();
    for wrong in ["000000", "111111", "222222"] {
        assert!(session.login(USER, pin(wrong)).is_err());
    }
    assert_eq!(session.login(USER, pin(PIN)), Err(Error::PinLocked));
    assert_eq!(session.init_pin(pin("333333")), Err(Error::UserNotLoggedIn));
    session.login(SO, pin(PUK)).unwrap();
    session.init_pin(pin("000000")).unwrap();
    assert_eq!(user_flags(&setting), 0);
    session.logout().unwrap();
    assert_eq!(session.login(USER, pin("000000")), Ok(()), "refused before, right after it was set");
    session.logout().unwrap();
    assert_eq!(setting.tries(), FULL);
}

#[test]
fn a_blocked_officer_is_said_to_be_blocked() {
    let setting = Setting::elliptic();
    let session = setting.open();
    for wrong in ["00000000", "11111111", "22222222", "33333333"] {
        assert!(session.login(SO, pin(wrong)).is_err());
    }
    assert_eq!(session.login(SO, pin(PUK)), Err(Error::PinLocked));
    assert_eq!(so_flags(&setting), SO_LOW | SO_LOCKED);
    assert_eq!(session.login(USER, pin(PIN)), Ok(()), "the user's PIN is another matter");
}

#[test]
fn a_guarded_refusal_sends_no_pin() {
    let setting = Setting::elliptic();
    let session = setting.open();
    assert!(session.login(USER, pin("000000")).is_err());
    setting.commands();
    assert!(session.login(USER, pin("000000")).is_err());
    let sent = setting.commands();
    assert!(sent.len() <= 2, "{} commands", sent.len());
    assert!(sent.iter().all(|command| command[1] != VERIFY || command.len() <= 5));
}

#[test]
fn a_card_that_wants_another_length_of_answer_does_not_get_the_pin_twice() {
    let setting = Setting::elliptic();
    let session = setting.open();
    setting.fault(Fault::on(VERIFY, Action::Respond(vec![0x6C, 0x08])));
    setting.commands();
    assert!(session.login(USER, pin(PIN)).is_err());
    let sent = setting.instructions().into_iter().filter(|instruction| *instruction == VERIFY).count();
    assert_eq!(sent, 1);
}
