//! Keys in the card's volatile memory: each has its line in the journal, none outlives its session, none is taken for
//! another.

use cardea_pkcs11::error::Error;
use cardea_pkcs11::session::objects;

use super::setting::{Setting, encipher, in_many_orders, log_in, make_key, one_of};

const CLOSED: [Error; 4] =
    [Error::SessionClosed, Error::SessionHandleInvalid, Error::UserNotLoggedIn, Error::DeviceError];

#[test]
fn a_key_that_is_made_while_all_sessions_close_goes_with_them_and_so_does_its_line() {
    in_many_orders(|| {
        let setting = Setting::new();
        let session = setting.logged_in();
        make_key(&session).unwrap();
        let making = setting.spawn(move |_| make_key(&session).map(drop));
        let closing = setting.spawn(|setting| setting.library.close_all_sessions(0));
        one_of(making.join().unwrap(), &CLOSED);
        assert_eq!(closing.join().unwrap(), Ok(()));
        setting.has_left();
        setting.works_again();
    });
}

#[test]
fn a_key_that_is_made_while_its_session_closes_goes_with_it_and_no_other_does() {
    in_many_orders(|| {
        let setting = Setting::new();
        let keeper = setting.logged_in();
        let kept = make_key(&keeper).unwrap();
        let session = setting.open().unwrap();
        let handle = session.handle();
        let making = setting.spawn(move |_| make_key(&session).map(drop));
        let closing = setting.spawn(move |setting| setting.library.close_session(handle));
        one_of(making.join().unwrap(), &CLOSED);
        assert_eq!(closing.join().unwrap(), Ok(()));
        assert_eq!(setting.chip.held().keys.len(), 1);
        setting.keeps_books();
        assert_eq!(encipher(&keeper, kept), Ok(()));
        setting.close(&keeper).unwrap();
        setting.has_left();
    });
}

#[test]
fn keys_that_come_and_go_in_two_sessions_are_not_taken_for_each_other() {
    in_many_orders(|| {
        let setting = Setting::new();
        let keeper = setting.logged_in();
        let session = setting.open().unwrap();
        let old = make_key(&session).unwrap();
        let handle = session.handle();
        let closing = setting.spawn(move |setting| setting.library.close_session(handle));
        let using = setting.spawn(move |setting| {
            let session = setting.library.session(keeper.handle()).unwrap();
            let key = make_key(&session).unwrap();
            encipher(&session, key).unwrap();
            (keeper, key)
        });
        assert_eq!(closing.join().unwrap(), Ok(()));
        let (keeper, key) = using.join().unwrap();
        assert_eq!(encipher(&keeper, key), Ok(()), "the key of the one is not deleted with that of the other");
        assert_eq!(encipher(&keeper, old), Err(Error::KeyHandleInvalid));
        assert_eq!(setting.chip.held().keys.len(), 1);
        setting.keeps_books();
        setting.close(&keeper).unwrap();
        setting.has_left();
    });
}

#[test]
fn a_key_whose_session_closes_is_used_whole_or_not_at_all() {
    in_many_orders(|| {
        let setting = Setting::new();
        let keeper = setting.logged_in();
        let session = setting.open().unwrap();
        let key = make_key(&session).unwrap();
        let handle = session.handle();
        let user = setting.library.session(keeper.handle()).unwrap();
        let using = setting.spawn(move |_| encipher(&user, key));
        let closing = setting.spawn(move |setting| setting.library.close_session(handle));
        one_of(using.join().unwrap(), &[Error::KeyHandleInvalid, Error::OperationNotInitialized, Error::DeviceError]);
        assert_eq!(closing.join().unwrap(), Ok(()));
        let own = make_key(&keeper).unwrap();
        assert_eq!(encipher(&keeper, own), Ok(()), "an operation that ended is not in the way");
        setting.keeps_books();
        setting.close(&keeper).unwrap();
        setting.has_left();
    });
}

#[test]
fn a_key_that_is_made_while_its_user_logs_out_is_not_there_for_the_next() {
    in_many_orders(|| {
        let setting = Setting::new();
        let keeper = setting.logged_in();
        let session = setting.open().unwrap();
        let making = setting.spawn(move |_| make_key(&session).map(drop));
        let by = setting.library.session(keeper.handle()).unwrap();
        let out = setting.spawn(move |_| by.logout());
        one_of(making.join().unwrap(), &CLOSED);
        assert_eq!(out.join().unwrap(), Ok(()));
        assert!(setting.chip.held().keys.is_empty());
        setting.keeps_books();
        log_in(&keeper).unwrap();
        setting.library.close_all_sessions(0).unwrap();
        setting.has_left();
    });
}

#[test]
fn a_key_that_two_destroy_is_destroyed_once() {
    in_many_orders(|| {
        let setting = Setting::new();
        let keeper = setting.logged_in();
        let key = make_key(&keeper).unwrap();
        let destroy = move |setting: &Setting, handle| {
            let session = setting.library.session(handle).unwrap();
            objects::destroy(&session, key)
        };
        let handle = keeper.handle();
        let one = setting.spawn(move |setting| destroy(setting, handle));
        let other = setting.spawn(move |setting| destroy(setting, handle));
        let results = [one.join().unwrap(), other.join().unwrap()];
        assert!(results.contains(&Ok(())), "{results:?}");
        for result in results {
            one_of(result, &[Error::ObjectHandleInvalid]);
        }
        assert!(setting.chip.held().keys.is_empty());
        setting.keeps_books();
        setting.close(&keeper).unwrap();
        setting.has_left();
    });
}
