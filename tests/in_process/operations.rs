//! The operations that faults are tried on, each from a settled start and each with its own proof that it worked.

use std::sync::Arc;

use cardea_harness::provision::PIN;
use cardea_pkcs11::error::Error;
use cardea_pkcs11::session::Session;

use super::keys::{AUTHENTICATION, CARD_AUTHENTICATION, agreed_with, ecdsa, ecdsa_with_context, find_all};
use super::setting::{Setting, USER, pin};

/// One thing an application does.
pub struct Operation {
    pub name: &'static str,
    /// What has to be done before, without faults.
    pub prepare: fn(&Setting) -> Option<Arc<Session>>,
    /// The thing itself. It undoes on success what would make a difference to the next.
    pub run: fn(&Setting, Option<&Session>) -> Result<(), Error>,
}

impl Operation {
    /// Whether it is done before its last command: a PIN that was changed is changed, though the logout fails by
    /// which the change is kept from being a login.
    pub fn tidies_up(&self) -> bool {
        self.name == "change PIN"
    }
}

fn nothing(_: &Setting) -> Option<Arc<Session>> {
    None
}

fn open(setting: &Setting) -> Option<Arc<Session>> {
    Some(setting.open())
}

/// Logged in, with everything read that an operation would otherwise read first.
fn logged_in(setting: &Setting) -> Option<Arc<Session>> {
    let session = setting.logged_in();
    find_all(&session, &[]).unwrap();
    Some(session)
}

fn session(session: Option<&Session>) -> &Session {
    session.unwrap()
}

/// Everything that touches the card.
pub const OPERATIONS: &[Operation] = &[
    Operation { name: "token info", prepare: nothing, run: |setting, _| setting.token_info().map(drop) },
    Operation {
        name: "open session",
        prepare: nothing,
        run: |setting, _| setting.library.open_session(0, true).map(drop),
    },
    Operation { name: "objects", prepare: open, run: |_, own| find_all(session(own), &[]).map(drop) },
    Operation { name: "mechanisms", prepare: open, run: |setting, _| setting.slot().mechanisms().map(drop) },
    Operation { name: "login", prepare: open, run: |_, own| session(own).login(USER, pin(PIN)) },
    Operation { name: "logout", prepare: logged_in, run: |_, own| session(own).logout() },
    Operation { name: "sign", prepare: logged_in, run: |_, own| ecdsa(session(own), AUTHENTICATION).map(drop) },
    Operation { name: "sign with 9C", prepare: logged_in, run: |_, own| ecdsa_with_context(session(own)).map(drop) },
    Operation { name: "sign with 9E", prepare: open, run: |_, own| ecdsa(session(own), CARD_AUTHENTICATION).map(drop) },
    Operation { name: "derive", prepare: logged_in, run: |_, own| agreed_with(session(own), &[]).map(drop) },
    Operation { name: "change PIN", prepare: open, run: |_, own| session(own).set_pin(pin(PIN), pin(PIN)) },
    Operation {
        name: "change PIN as user",
        prepare: logged_in,
        run: |_, own| session(own).set_pin(pin(PIN), pin(PIN)),
    },
    Operation {
        name: "close the last session",
        prepare: logged_in,
        run: |setting, own| setting.library.close_session(session(own).handle()),
    },
    Operation {
        name: "close all sessions",
        prepare: logged_in,
        run: |setting, _| setting.library.close_all_sessions(0),
    },
];

/// All that an application wants of a token, from the start.
pub fn everything_works(setting: &Setting, after: &str) {
    if let Err((what, error)) = all_of_it(setting) {
        panic!("{what} after {after}: {error}");
    }
    assert_ne!(setting.pin_status(), 0x9000, "a PIN stays verified after {after}");
}

fn all_of_it(setting: &Setting) -> Result<(), (&'static str, Error)> {
    let at = |what| move |error| (what, error);
    setting.token_info().map_err(at("token info"))?;
    let handle = setting.library.open_session(0, true).map_err(at("open session"))?;
    let session = setting.library.session(handle).map_err(at("session"))?;
    match session.login(USER, pin(PIN)) {
        Ok(()) | Err(Error::UserAlreadyLoggedIn) => {}
        Err(error) => return Err(("login", error)),
    }
    // A login that the card has lost in silence is found out here, once.
    if ecdsa(&session, AUTHENTICATION) == Err(Error::UserNotLoggedIn) {
        session.login(USER, pin(PIN)).map_err(at("second login"))?;
        ecdsa(&session, AUTHENTICATION).map_err(at("signature"))?;
    }
    ecdsa_with_context(&session).map_err(at("signature with 9C"))?;
    setting.library.close_all_sessions(0).map_err(at("close all"))
}
