//! close/close, close/sign, close-all/open, close-all/close.

use std::sync::Arc;

use cardea_pkcs11::error::Error;

use super::setting::{Setting, in_many_orders, one_of, private, sign, sign_with};

#[test]
fn of_two_closes_one_closes_in_every_order() {
    in_many_orders(|| {
        let setting = Setting::new();
        let keeper = setting.open().unwrap();
        let handle = setting.library.open_session(0, true).unwrap();
        let close = move |setting: &Setting| setting.library.close_session(handle);
        let (one, other) = (setting.spawn(close), setting.spawn(close));
        let results = [one.join().unwrap(), other.join().unwrap()];
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
        for result in results {
            one_of(result, &[Error::SessionClosed, Error::SessionHandleInvalid]);
        }
        assert_eq!(setting.library.close_session(handle), Err(Error::SessionHandleInvalid));
        assert_eq!((setting.count(), setting.close(&keeper)), (1, Ok(())));
        setting.has_left();
    });
}

#[test]
fn of_two_closes_of_the_last_session_one_leaves_the_card() {
    in_many_orders(|| {
        let setting = Setting::new();
        let handle = setting.logged_in().handle();
        let close = move |setting: &Setting| setting.library.close_session(handle);
        let (one, other) = (setting.spawn(close), setting.spawn(close));
        let results = [one.join().unwrap(), other.join().unwrap()];
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
        setting.has_left();
        setting.works_again();
    });
}

#[test]
fn a_signature_that_meets_the_close_of_its_session_is_made_or_was_closed_in_every_order() {
    in_many_orders(|| {
        let setting = Setting::new();
        let keeper = setting.logged_in();
        let session = setting.open().unwrap();
        let (key, handle) = (private(&session).unwrap(), session.handle());
        let memory = Arc::downgrade(&session);
        drop(session);
        let signing = setting.spawn(move |setting| {
            let session = setting.library.session(handle)?;
            sign_with(&session, key)
        });
        let closing = setting.spawn(move |setting| setting.library.close_session(handle));
        one_of(signing.join().unwrap(), &[Error::SessionClosed, Error::SessionHandleInvalid]);
        assert_eq!(closing.join().unwrap(), Ok(()));
        assert_eq!(memory.strong_count(), 0, "its memory returns");
        assert_eq!((setting.count(), sign(&keeper)), (1, Ok(())));
        setting.close(&keeper).unwrap();
        setting.has_left();
    });
}

#[test]
fn a_session_that_is_opened_while_all_are_closed_is_closed_or_whole_in_every_order() {
    in_many_orders(|| {
        let setting = Setting::new();
        setting.logged_in();
        let opening = setting.spawn(|setting| setting.library.open_session(0, true));
        let closing = setting.spawn(|setting| setting.library.close_all_sessions(0));
        let (handle, closed) = (opening.join().unwrap().unwrap(), closing.join().unwrap());
        assert_eq!(closed, Ok(()));
        match setting.library.session(handle) {
            Ok(session) => {
                assert_eq!((session.info().unwrap().state, setting.count()), (super::setting::PUBLIC, 1));
                assert_eq!(setting.close(&session), Ok(()));
            }
            Err(error) => assert_eq!((error, setting.count()), (Error::SessionHandleInvalid, 0)),
        }
        setting.has_left();
        setting.works_again();
    });
}

#[test]
fn the_last_session_that_closes_while_another_opens_leaves_a_whole_one() {
    in_many_orders(|| {
        let setting = Setting::new();
        let last = setting.logged_in().handle();
        let opening = setting.spawn(|setting| setting.open().map(|session| session.handle()));
        let closing = setting.spawn(move |setting| setting.library.close_session(last));
        let (opened, closed) = (opening.join().unwrap().unwrap(), closing.join().unwrap());
        assert_eq!((closed, setting.count()), (Ok(()), 1));
        let session = setting.library.session(opened).unwrap();
        let logged_in = session.info().unwrap().state != super::setting::PUBLIC;
        assert_eq!(setting.chip.held().verified, logged_in, "what the session says is what the card holds");
        setting.close(&session).unwrap();
        setting.has_left();
    });
}

#[test]
fn a_close_that_meets_a_close_of_all_closes_or_was_closed() {
    in_many_orders(|| {
        let setting = Setting::new();
        setting.logged_in();
        let handle = setting.open().unwrap().handle();
        let one = setting.spawn(move |setting| setting.library.close_session(handle));
        let all = setting.spawn(|setting| setting.library.close_all_sessions(0));
        one_of(one.join().unwrap(), &[Error::SessionClosed, Error::SessionHandleInvalid]);
        assert_eq!((all.join().unwrap(), setting.count()), (Ok(()), 0));
        setting.has_left();
        setting.works_again();
    });
}
