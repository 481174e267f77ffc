//! logout/sign, login/close-all, login/logout.

use cardea_pkcs11::error::Error;

use super::setting::{PUBLIC, Setting, in_many_orders, log_in, one_of, private, sign, sign_with};

#[test]
fn a_signature_that_meets_a_logout_is_made_or_nobody_is_logged_in_in_every_order() {
    in_many_orders(|| {
        let setting = Setting::new();
        let keeper = setting.logged_in();
        let session = setting.open().unwrap();
        let key = private(&session).unwrap();
        let signing = setting.spawn(move |_| sign_with(&session, key));
        let by = setting.library.session(keeper.handle()).unwrap();
        let out = setting.spawn(move |_| by.logout());
        one_of(
            signing.join().unwrap(),
            &[Error::UserNotLoggedIn, Error::KeyHandleInvalid, Error::OperationNotInitialized],
        );
        assert_eq!(out.join().unwrap(), Ok(()));
        assert_eq!((keeper.info().unwrap().state, setting.chip.held().verified), (PUBLIC, false));
        log_in(&keeper).unwrap();
        assert_eq!(sign(&keeper), Ok(()));
        setting.library.close_all_sessions(0).unwrap();
        setting.has_left();
    });
}

#[test]
fn a_login_that_meets_the_close_of_all_sessions_leaves_no_verified_pin() {
    in_many_orders(|| {
        let setting = Setting::new();
        let session = setting.open().unwrap();
        let login = setting.spawn(move |_| log_in(&session));
        let closing = setting.spawn(|setting| setting.library.close_all_sessions(0));
        one_of(login.join().unwrap(), &[Error::SessionClosed, Error::SessionHandleInvalid]);
        assert_eq!((closing.join().unwrap(), setting.count()), (Ok(()), 0));
        setting.has_left();
        setting.works_again();
    });
}

#[test]
fn a_login_in_a_session_that_closes_is_not_the_login_of_the_next() {
    in_many_orders(|| {
        let setting = Setting::new();
        let session = setting.open().unwrap();
        let handle = session.handle();
        let login = setting.spawn(move |_| log_in(&session));
        let closing = setting.spawn(move |setting| {
            setting.library.close_session(handle).unwrap();
            setting.open().unwrap()
        });
        one_of(login.join().unwrap(), &[Error::SessionClosed, Error::SessionHandleInvalid]);
        let next = closing.join().unwrap();
        assert_eq!(next.info().unwrap().state, PUBLIC, "nobody has logged in since it was opened");
        assert!(!setting.chip.held().verified);
        setting.close(&next).unwrap();
        setting.has_left();
    });
}

#[test]
fn a_login_that_meets_a_logout_is_in_or_out_on_both_sides() {
    in_many_orders(|| {
        let setting = Setting::new();
        let keeper = setting.logged_in();
        let session = setting.open().unwrap();
        let by = setting.library.session(keeper.handle()).unwrap();
        let out = setting.spawn(move |_| by.logout());
        let login = setting.spawn(move |_| log_in(&session));
        one_of(login.join().unwrap(), &[Error::UserAlreadyLoggedIn]);
        assert_eq!(out.join().unwrap(), Ok(()));
        let logged_in = keeper.info().unwrap().state != PUBLIC;
        assert_eq!(setting.chip.held().verified, logged_in, "what the session says is what the card holds");
        setting.library.close_all_sessions(0).unwrap();
        setting.has_left();
    });
}
