//! removal/anything: the card is pulled and put back in the middle of a call.

use cardea_pkcs11::error::Error;

use super::setting::{Setting, in_many_orders, log_in, make_key, one_of, private, sign_with};

/// The codes with which a call ends whose card goes.
const GONE: [Error; 7] = [
    Error::DeviceError,
    Error::DeviceRemoved,
    Error::SessionClosed,
    Error::SessionHandleInvalid,
    Error::UserNotLoggedIn,
    Error::KeyHandleInvalid,
    Error::OperationNotInitialized,
];

/// Lets `work` meet a removal, after which all works again.
fn meets_a_removal(
    listed: &'static [Error],
    work: impl Fn(&Setting, u64) -> Result<(), Error> + Send + Sync + Clone + 'static,
) {
    in_many_orders(move || {
        let setting = Setting::new();
        let handle = setting.logged_in().handle();
        let work = work.clone();
        let working = setting.spawn(move |setting| work(setting, handle));
        let pulling = setting.spawn(|setting| setting.chip.reinsert());
        one_of(working.join().unwrap(), &[&GONE, listed].concat());
        pulling.join().unwrap();
        assert_eq!(setting.library.session(handle).err(), Some(Error::SessionHandleInvalid));
        setting.works_again();
        assert_eq!(setting.chip.held().connections, 0);
    });
}

#[test]
fn a_signature_that_meets_a_removal_ends_with_a_listed_code_in_every_order() {
    meets_a_removal(&[], |setting, handle| {
        let session = setting.library.session(handle)?;
        sign_with(&session, private(&session)?)
    });
}

#[test]
fn a_login_that_meets_a_removal_ends_with_a_listed_code() {
    meets_a_removal(&[], |setting, handle| {
        let session = setting.library.session(handle)?;
        session.logout()?;
        log_in(&session)
    });
}

#[test]
fn a_close_that_meets_a_removal_ends_with_a_listed_code_in_every_order() {
    meets_a_removal(&[], |setting, handle| setting.library.close_session(handle));
}

#[test]
fn a_close_of_all_that_meets_a_removal_ends_with_a_listed_code() {
    meets_a_removal(&[Error::TokenNotPresent], |setting, _| setting.library.close_all_sessions(0));
}

#[test]
fn a_session_that_is_opened_at_a_removal_is_of_the_card_before_or_after() {
    meets_a_removal(&[Error::TokenNotPresent], |setting, _| {
        let handle = setting.library.open_session(0, true)?;
        one_of(setting.library.close_session(handle), &GONE);
        Ok(())
    });
}

#[test]
fn a_key_that_is_made_at_a_removal_goes_with_the_card() {
    meets_a_removal(&[], |setting, handle| make_key(&*setting.library.session(handle)?).map(drop));
}
