//! finalize/anything.

use cardea_pkcs11::error::Error;

use super::setting::{Setting, in_many_orders, log_in, make_key, one_of, private, sign_with};

/// The codes with which a call ends whose Library ends.
const OVER: [Error; 6] = [
    Error::SessionClosed,
    Error::SessionHandleInvalid,
    Error::UserNotLoggedIn,
    Error::KeyHandleInvalid,
    Error::OperationNotInitialized,
    Error::CryptokiNotInitialized,
];

/// Lets `work` meet the end of the Library, which leaves nothing.
fn meets_the_end<R: Send + 'static>(
    work: impl Fn(&Setting, u64) -> R + Send + Sync + Clone + 'static,
    judge: impl Fn(R) + Send + Sync + 'static,
) {
    in_many_orders(move || {
        let setting = Setting::new();
        let handle = setting.logged_in().handle();
        let work = work.clone();
        let working = setting.spawn(move |setting| work(setting, handle));
        let ending = setting.spawn(|setting| setting.library.finalize());
        judge(working.join().unwrap());
        ending.join().unwrap();
        setting.has_left();
    });
}

#[test]
fn a_signature_that_meets_the_end_is_made_or_it_is_over() {
    meets_the_end(
        |setting, handle| {
            let session = setting.library.session(handle)?;
            sign_with(&session, private(&session)?)
        },
        |result| one_of(result, &OVER),
    );
}

#[test]
fn a_close_that_meets_the_end_closes_or_it_is_over() {
    meets_the_end(|setting, handle| setting.library.close_session(handle), |result| one_of(result, &OVER));
}

#[test]
fn a_login_that_meets_the_end_leaves_no_verified_pin() {
    meets_the_end(
        |setting, handle| {
            let session = setting.library.session(handle)?;
            session.logout()?;
            log_in(&session)
        },
        |result| one_of(result, &OVER),
    );
}

#[test]
fn a_key_that_is_made_at_the_end_goes_with_it() {
    meets_the_end(
        |setting, handle| make_key(&*setting.library.session(handle)?).map(drop),
        |result| one_of(result, &[&OVER[..], &[Error::DeviceError]].concat()),
    );
}

#[test]
fn a_session_that_is_opened_at_the_end_is_closed_by_it_or_by_its_own_end() {
    meets_the_end(
        |setting, _| {
            let opened = setting.library.open_session(0, true);
            // The C boundary lets nobody in after the end; who was in before it may be the last.
            if let Ok(handle) = opened {
                one_of(setting.library.close_session(handle), &OVER);
            }
            opened.map(drop)
        },
        |result| one_of(result, &OVER),
    );
}

#[test]
fn a_wait_for_events_ends_with_the_library() {
    in_many_orders(|| {
        let setting = Setting::new();
        setting.logged_in();
        let waiting = setting.spawn(|setting| {
            // The card that is there is no event; what comes after is the end.
            while setting.library.wait_for_slot_event(true)? == 0 {}
            Ok::<(), Error>(())
        });
        setting.spawn(|setting| setting.library.finalize()).join().unwrap();
        assert_eq!(waiting.join().unwrap(), Err(Error::CryptokiNotInitialized));
        setting.has_left();
    });
}
