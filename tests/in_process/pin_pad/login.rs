//! C_Login with a null PIN.

use cardea_harness::piv::PivOptions;
use cardea_harness::provision::{Layout, PIN, PUK};
use cardea_harness::reader::{Key, PinPad};
use cardea_pkcs11::card::driver::DRIVERS;
use cardea_pkcs11::configuration::Configuration;
use cardea_pkcs11::error::Error;
use cardea_pkcs11::mechanism::Mechanism;
use cardea_pkcs11::session::sign;

use super::super::keys::{AUTHENTICATION, DIGEST, SIGNATURE, bytes, ecdsa, private, verified};
use super::super::setting::{CONTEXT, FULL, GENERAL_AUTHENTICATE, SO, Setting, USER, VERIFY, pin};
use super::{PROTECTED, give, pad, setting, typed};

const RW_PUBLIC: u64 = 2;
const RW_USER: u64 = 3;
/// CKF_USER_PIN_COUNT_LOW and LOCKED.
const LOW: u64 = 0x1_0000;
const LOCKED: u64 = 0x4_0000;

#[test]
fn the_pad_is_told_everything_about_the_pin_but_the_pin() {
    let setting = setting(PinPad::of(PIN));
    let session = setting.open();
    setting.commands();
    session.login(USER, None).unwrap();
    assert_eq!(session.info().unwrap().state, RW_USER);
    assert_eq!(setting.pin_status(), 0x9000);
    let expected = "1E1E 82 08 00 0806 02 00 0904 00 000000 0D000000 0020008008 FFFFFFFFFFFFFFFF".replace(' ', "");
    assert_eq!(pad(&setting).structures.iter().map(hex::encode_upper).collect::<Vec<_>>(), [expected]);
    assert!(ecdsa(&session, AUTHENTICATION).is_ok());
}

#[test]
fn a_login_on_the_pad_is_a_check_of_the_application_a_question_for_its_tries_and_one_verify() {
    let setting = setting(PinPad::of(PIN));
    let session = setting.open();
    setting.commands();
    session.login(USER, None).unwrap();
    let commands = setting.commands();
    let instructions: Vec<u8> = commands.iter().map(|command| command[1]).collect();
    assert_eq!(instructions, [0xCB, VERIFY, VERIFY]);
    assert_eq!(commands[1].len(), 4, "the question is empty");
}

#[test]
fn a_display_is_used_for_the_prompt() {
    let setting = setting(PinPad { display: 0x0210, ..PinPad::of(PIN) });
    setting.open().login(USER, None).unwrap();
    assert_eq!(pad(&setting).structures[0][8], 1, "bNumberMessage");
}

#[test]
fn the_token_says_that_it_has_a_protected_path() {
    let with = setting(PinPad::of(PIN));
    assert_eq!(with.token_info().unwrap().flags & PROTECTED, PROTECTED);
    let without = Setting::elliptic();
    assert_eq!(without.token_info().unwrap().flags & PROTECTED, 0);
    assert_eq!(pad(&with).prompts, 0, "nobody logged in");
}

#[test]
fn a_null_pin_without_a_pad_is_a_bad_argument() {
    let setting = Setting::elliptic();
    let session = setting.open();
    setting.commands();
    for user in [USER, SO, CONTEXT] {
        assert_eq!(session.login(user, None), Err(Error::ArgumentsBad));
    }
    assert_eq!(session.set_pin(None, None), Err(Error::ArgumentsBad));
    assert_eq!(session.init_pin(None), Err(Error::ArgumentsBad));
    assert_eq!(setting.commands().len(), 0);
}

#[test]
fn a_pad_whose_keys_give_too_few_digits_is_none() {
    let setting = setting(PinPad { max_length: 5, ..PinPad::of(PIN) });
    assert_eq!(setting.token_info().unwrap().flags & PROTECTED, 0);
    assert_eq!(setting.open().login(USER, None), Err(Error::ArgumentsBad));
    assert_eq!(pad(&setting).prompts, 0);
}

#[test]
fn a_pin_that_the_caller_gives_is_taken_all_the_same() {
    let setting = setting(PinPad::typing(&[]));
    let session = setting.open();
    session.login(USER, pin(PIN)).unwrap();
    assert_eq!(session.info().unwrap().state, RW_USER);
    assert_eq!(pad(&setting).prompts, 0);
}

#[test]
fn a_wrong_pin_on_the_pad_costs_one_try_each_time() {
    let setting = setting(PinPad::typing(&["000000", "000000", "123456"]));
    let session = setting.open();
    assert_eq!(session.login(USER, None), Err(Error::PinIncorrect));
    assert_eq!(setting.token_info().unwrap().flags & LOW, LOW);
    assert_eq!(setting.tries(), FULL - 1);
    assert_eq!(session.login(USER, None), Err(Error::PinIncorrect));
    assert_eq!(setting.tries(), FULL - 2);
    assert_eq!(session.login(USER, None), Ok(()));
    assert_eq!(setting.token_info().unwrap().flags & LOW, 0);
    assert_eq!(setting.tries(), FULL);
}

#[test]
fn nobody_is_asked_for_a_pin_that_is_blocked() {
    let setting = setting(PinPad::of("000000"));
    let session = setting.open();
    for _ in 0..FULL {
        assert!(matches!(session.login(USER, None), Err(Error::PinIncorrect | Error::PinLocked)));
    }
    assert_eq!(setting.token_info().unwrap().flags & LOCKED, LOCKED);
    assert_eq!(session.login(USER, None), Err(Error::PinLocked));
    assert_eq!(pad(&setting).prompts, u32::from(FULL));
}

#[test]
fn the_last_try_is_kept_from_the_pad_too() {
    let configuration = Configuration { keep_last_try: true, ..Configuration::default() };
    let setting = Setting::with(PivOptions::default(), &Layout::elliptic(), configuration, DRIVERS);
    give(&setting, PinPad::of("000000"));
    let session = setting.open();
    for _ in 0..2 {
        assert_eq!(session.login(USER, None), Err(Error::PinIncorrect));
    }
    assert_eq!(session.login(USER, None), Err(Error::PinLocked));
    assert_eq!((setting.tries(), pad(&setting).prompts), (1, 2));
}

#[test]
fn what_ends_an_entry_costs_no_try() {
    let setting =
        setting(PinPad::typing(&[]).with_user([Key::Cancel, Key::Nothing, typed("12345"), typed("123456789")]));
    let session = setting.open();
    let results = [(); 4].map(|()| session.login(USER, None));
    let (cancelled, length) = (Err(Error::FunctionCanceled), Err(Error::PinLenRange));
    assert_eq!(results, [cancelled, cancelled, length, length]);
    assert_eq!(session.info().unwrap().state, RW_PUBLIC);
    assert_eq!(setting.tries(), FULL);
    assert_eq!(pad(&setting).prompts, 4);
}

#[test]
fn a_refused_pin_of_the_caller_stays_refused_after_a_wrong_one_on_the_pad() {
    let setting = setting(PinPad::typing(&["111111"]));
    let session = setting.open();
    assert_eq!(session.login(USER, pin("000000")), Err(Error::PinIncorrect));
    assert_eq!(session.login(USER, None), Err(Error::PinIncorrect));
    assert_eq!(session.login(USER, pin("000000")), Err(Error::PinIncorrect));
    assert_eq!(setting.tries(), FULL - 2);
}

#[test]
fn who_is_logged_in_is_not_asked_again() {
    let setting = setting(PinPad::of(PIN));
    let session = setting.open();
    session.login(USER, None).unwrap();
    assert_eq!(session.login(USER, None), Err(Error::UserAlreadyLoggedIn));
    assert_eq!(session.login(7, None), Err(Error::UserTypeInvalid));
    assert_eq!(pad(&setting).prompts, 1);
}

#[test]
fn the_puk_cannot_be_proved_on_the_pad() {
    let setting = setting(PinPad::of(PUK));
    assert_eq!(setting.open().login(SO, None), Err(Error::ArgumentsBad));
    assert_eq!(pad(&setting).prompts, 0);
}

#[test]
fn the_application_is_made_certain_before_anybody_types() {
    let setting = setting(PinPad::of(PIN));
    let session = setting.open();
    setting.another_selects_its_application();
    session.login(USER, None).unwrap();
    assert_eq!(setting.pin_status(), 0x9000);
}

#[test]
fn a_key_that_wants_its_pin_each_time_asks_on_the_pad_each_time() {
    let setting = setting(PinPad::of(PIN));
    let session = setting.open();
    session.login(USER, None).unwrap();
    let key = private(&session, SIGNATURE).unwrap();
    for signature in 1..=3 {
        sign::init(&session, Mechanism::Ecdsa, key).unwrap();
        session.login(CONTEXT, None).unwrap();
        setting.commands();
        let signed = sign::sign(&session, DIGEST, Some(64)).map(bytes).unwrap();
        assert_eq!(setting.instructions(), [GENERAL_AUTHENTICATE]);
        assert_eq!(verified(&session, Mechanism::Ecdsa, SIGNATURE, DIGEST, &signed), Ok(()));
        assert_eq!(pad(&setting).prompts, 1 + signature);
    }
    sign::init(&session, Mechanism::Ecdsa, key).unwrap();
    assert_eq!(sign::sign(&session, DIGEST, Some(64)).err(), Some(Error::UserNotLoggedIn));
}

#[test]
fn a_context_login_needs_an_operation_before_anybody_is_asked() {
    let setting = setting(PinPad::of(PIN));
    let session = setting.open();
    session.login(USER, None).unwrap();
    assert_eq!(session.login(CONTEXT, None), Err(Error::OperationNotInitialized));
    assert_eq!(pad(&setting).prompts, 1);
}

#[test]
fn a_cancelled_context_login_leaves_the_operation_and_the_login() {
    let setting = setting(PinPad::typing(&[]).with_user([typed(PIN), Key::Cancel, typed("000000"), typed(PIN)]));
    let session = setting.open();
    session.login(USER, None).unwrap();
    sign::init(&session, Mechanism::Ecdsa, private(&session, SIGNATURE).unwrap()).unwrap();
    assert_eq!(session.login(CONTEXT, None), Err(Error::FunctionCanceled));
    assert_eq!(session.login(CONTEXT, None), Err(Error::PinIncorrect));
    assert_eq!(session.login(CONTEXT, None), Ok(()));
    assert_eq!(sign::sign(&session, DIGEST, Some(64)).map(bytes).unwrap().len(), 64);
    assert_eq!(session.info().unwrap().state, RW_USER);
}

#[test]
fn a_context_login_that_another_program_undid_is_not_asked_for_again_unasked() {
    let setting = setting(PinPad::of(PIN));
    let session = setting.open();
    session.login(USER, None).unwrap();
    let key = private(&session, SIGNATURE).unwrap();
    sign::init(&session, Mechanism::Ecdsa, key).unwrap();
    session.login(CONTEXT, None).unwrap();
    assert_eq!(setting.another(&[0x00, 0xFD, 0x00, 0x00]), 0x9000);
    assert_eq!(sign::sign(&session, DIGEST, Some(64)).err(), Some(Error::UserNotLoggedIn));
    assert_eq!(pad(&setting).prompts, 2);
    assert_eq!(session.info().unwrap().state, RW_USER, "the login itself stands");
    sign::init(&session, Mechanism::Ecdsa, key).unwrap();
    session.login(CONTEXT, None).unwrap();
    assert!(sign::sign(&session, DIGEST, Some(64)).is_ok());
}
